/*
 * plan.c
 *		From a query to a scan plan: columns, filters, costs, paths.
 *
 * Knows the planner and the resources; makes no request.  Since HiBob may
 * match more than PostgreSQL does, all restriction clauses stay in the plan as
 * local conditions; a filter only narrows what is transferred.
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "options.h"
#include "plan.h"
#include "request.h"
#include "utils/rel.h"

/* The share of employees that has one status: most companies keep leavers. */
#define DEFAULT_STATUS_SHARE 0.5

/* Rows of an employee in the tables that have some for each. */
#define ROWS_AN_EMPLOYEE 3

/* What planning of one table goes by. */
typedef struct RelPlan
{
	const CatalogResource *resource;
	ServerOptions *server;
	List	   *clauses;		/* of FilterClause: what HiBob gets */
	FilterClause *values;		/* the one of them that names values, or NULL */
	RestrictInfo *status;		/* where the one on the status comes from */
} RelPlan;

/* Order of fdw_private. */
enum
{
	PRIVATE_ATTNUMS,
	PRIVATE_FILTERS,
	PRIVATE_COMPARISONS,
	PRIVATE_LIMIT
};

/* One value is better than many, an id as good as an address. */
static bool
is_better(const FilterClause *a, const FilterClause *b)
{
	return b == NULL || filter_estimate_values(a) < filter_estimate_values(b);
}

static void
choose_filters(RelPlan *plan, RelOptInfo *rel, Oid relid)
{
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);
		FilterClause *clause = filter_recognize(info->clause, rel, relid,
												plan->resource);

		if (clause == NULL)
			continue;
		if (plan->resource->filters[clause->filter].role == FILTER_VALUES)
		{
			if (is_better(clause, plan->values))
				plan->values = clause;
			continue;
		}
		if (plan->resource->filters[clause->filter].role == FILTER_STATUS)
			plan->status = info;
		plan->clauses = lappend(plan->clauses, clause);
	}
	if (plan->values != NULL)
		plan->clauses = lcons(plan->values, plan->clauses);
}

/*
 * Without statistics the server takes any equality for a rare one, and a join
 * with all active people would become a nested loop.
 */
static double
guess_rows(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *status)
{
	List	   *others = list_delete_ptr(list_copy(rel->baserestrictinfo),
										 status);

	return clamp_row_est(rel->tuples * DEFAULT_STATUS_SHARE *
						 clauselist_selectivity(root, others, rel->relid,
												JOIN_INNER, NULL));
}

/* The rows that so many values can have at most. */
static double
rows_of_values(const RelPlan *plan)
{
	bool		one_each = plan->resource->form == ROW_EMPLOYEE;

	return filter_estimate_values(plan->values) *
		(one_each ? 1 : ROWS_AN_EMPLOYEE);
}

void
plan_get_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	RelPlan    *plan = palloc0(sizeof(RelPlan));
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);
	bool		counted;

	plan->resource = table_options(table, server)->resource;
	plan->server = server_options(server);
	choose_filters(plan, rel, relid);
	rel->fdw_private = plan;

	counted = rel->tuples > 0;
	if (!counted)
		rel->tuples = plan->resource->typical_rows;
	set_baserel_size_estimates(root, rel);
	if (!counted && plan->status != NULL)
		rel->rows = guess_rows(root, rel, plan->status);
	if (plan->values != NULL)
		rel->rows = Min(rel->rows, rows_of_values(plan));
}

/*
 * How many requests a scan makes, and how many rows they bring.
 */
static double
estimate_requests(const RelPlan *plan, double *transferred)
{
	const CatalogResource *resource = plan->resource;
	double		requests = 1;
	bool		by_path = resource->nfilters > 0 &&
		resource->filters[0].place == PLACE_PATH;

	if (plan->values != NULL)
	{
		double		values = filter_estimate_values(plan->values);

		requests = by_path ? values : ceil(values / REQUEST_BATCH);
		if (requests > REQUEST_MAX_BATCHES && !resource->needs_employees)
			requests = 1;
		else
			*transferred = Min(*transferred, rows_of_values(plan));
	}
	else if (resource->needs_employees && by_path)
		requests = *transferred;
	if (resource->paging != PAGING_NONE)
		requests = Max(requests, ceil(*transferred / resource->page_limit));
	return requests;
}

/*
 * A request costs its start; each row that is transferred costs, also one that
 * a local condition drops.
 */
void
plan_get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	RelPlan    *plan = rel->fdw_private;
	double		transferred = rel->tuples;
	double		requests = estimate_requests(plan, &transferred);
	Cost		startup;
	Cost		total;

	startup = plan->server->fdw_startup_cost + rel->baserestrictcost.startup +
		rel->reltarget->cost.startup;
	total = startup + (requests - 1) * plan->server->fdw_startup_cost +
		transferred * (plan->server->fdw_tuple_cost + cpu_tuple_cost +
					   rel->baserestrictcost.per_tuple) +
		rel->rows * rel->reltarget->cost.per_tuple;
	add_path(rel, (Path *)
			 hibob_create_foreignscan_path(root, rel, rel->rows, startup,
										   total, rel->lateral_relids, NIL));
}

/*
 * The columns that the query needs of the table: in its targets, in its
 * conditions, or all of them for a whole row.
 */
static List *
wanted_columns(RelOptInfo *rel, Oid relid)
{
	Bitmapset  *used = NULL;
	Relation	table;
	TupleDesc	desc;
	bool		whole_row;
	List	   *result = NIL;
	ListCell   *lc;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	foreach(lc, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause,
					   rel->relid, &used);
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);

	table = table_open(relid, NoLock);
	desc = RelationGetDescr(table);
	for (int attnum = 1; attnum <= desc->natts; attnum++)
		if (!TupleDescAttr(desc, attnum - 1)->attisdropped &&
			(whole_row ||
			 bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, used)))
			result = lappend_int(result, attnum);
	table_close(table, NoLock);
	return result;
}

/*
 * How many rows the query wants at most, if it is of this table alone, takes
 * them as they come, and has no condition that would drop some; 0: all.
 */
static int
wanted_rows(PlannerInfo *root, RelOptInfo *rel, const RelPlan *plan)
{
	if (root->limit_tuples <= 0 || root->limit_tuples > INT_MAX ||
		bms_membership(root->all_baserels) != BMS_SINGLETON ||
		root->query_pathkeys != NIL ||
		list_length(rel->baserestrictinfo) > list_length(plan->clauses))
		return 0;
	return (int) ceil(root->limit_tuples);
}

ForeignScan *
plan_get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
			  ForeignPath *path, List *tlist, List *clauses, Plan *outer_plan)
{
	RelPlan    *plan = rel->fdw_private;
	List	   *exprs = NIL;
	List	   *filters = NIL;
	List	   *comparisons = NIL;
	List	   *private;
	ListCell   *lc;

	foreach(lc, plan->clauses)
	{
		FilterClause *clause = lfirst(lc);

		exprs = lappend(exprs, clause->value);
		filters = lappend_int(filters, clause->filter);
		comparisons = lappend_int(comparisons, clause->comparison);
	}
	private = list_make4(wanted_columns(rel, relid), filters, comparisons,
						 makeInteger(wanted_rows(root, rel, plan)));
	return make_foreignscan(tlist, extract_actual_clauses(clauses, false),
							rel->relid, exprs, private, NIL, NIL, outer_plan);
}

ScanPlan *
scan_plan_of(const ForeignScan *plan)
{
	List	   *private = plan->fdw_private;
	ScanPlan   *result = palloc0(sizeof(ScanPlan));

	result->attnums = list_nth(private, PRIVATE_ATTNUMS);
	result->filters = list_nth(private, PRIVATE_FILTERS);
	result->comparisons = list_nth(private, PRIVATE_COMPARISONS);
	result->limit = intVal(list_nth(private, PRIVATE_LIMIT));
	return result;
}
