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

/* Employees of a company that nobody has counted yet. */
#define DEFAULT_ROWS 1000

/* The share of them that has one status: most companies keep their leavers. */
#define DEFAULT_STATUS_SHARE 0.5

/* What planning of one table goes by. */
typedef struct RelPlan
{
	const CatalogResource *resource;
	ServerOptions *server;
	FilterClause *filter;		/* NULL: none */
	FilterClause *status;		/* NULL: none */
	RestrictInfo *status_clause;	/* where it comes from */
} RelPlan;

/* Order of fdw_private. */
enum
{
	PRIVATE_ATTNUMS,
	PRIVATE_FIELD,
	PRIVATE_KIND,
	PRIVATE_STATUS
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
		if (strcmp(clause->field, CATALOG_FIELD_STATUS) == 0)
		{
			if (clause->kind != FILTER_EQUALS)
				continue;
			plan->status = clause;
			plan->status_clause = info;
		}
		else if (is_better(clause, plan->filter))
			plan->filter = clause;
	}
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
		rel->tuples = DEFAULT_ROWS;
	set_baserel_size_estimates(root, rel);
	if (!counted && plan->status != NULL)
		rel->rows = guess_rows(root, rel, plan->status_clause);
	if (plan->filter != NULL)
		rel->rows = Min(rel->rows, filter_estimate_values(plan->filter));
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
	double		requests = 1;
	Cost		startup;
	Cost		total;

	if (plan->filter != NULL)
	{
		double		values = filter_estimate_values(plan->filter);

		requests = ceil(values / REQUEST_BATCH);
		if (requests > REQUEST_MAX_BATCHES)
			requests = 1;
		else
			transferred = Min(transferred, values);
	}
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

ForeignScan *
plan_get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
			  ForeignPath *path, List *tlist, List *clauses, Plan *outer_plan)
{
	RelPlan    *plan = rel->fdw_private;
	List	   *exprs = NIL;
	List	   *private;

	if (plan->filter != NULL)
		exprs = lappend(exprs, plan->filter->value);
	if (plan->status != NULL)
		exprs = lappend(exprs, plan->status->value);
	private = list_make4(wanted_columns(rel, relid),
						 makeString(pstrdup(plan->filter != NULL ?
											plan->filter->field : "")),
						 makeInteger(plan->filter != NULL ?
									 plan->filter->kind : 0),
						 makeInteger(plan->status != NULL));
	return make_foreignscan(tlist, extract_actual_clauses(clauses, false),
							rel->relid, exprs, private, NIL, NIL, outer_plan);
}

ScanPlan *
scan_plan_of(const ForeignScan *plan)
{
	List	   *private = plan->fdw_private;
	ScanPlan   *result = palloc0(sizeof(ScanPlan));
	const char *field = strVal(list_nth(private, PRIVATE_FIELD));

	result->attnums = list_nth(private, PRIVATE_ATTNUMS);
	if (field[0] != '\0')
		result->filter_field = field;
	result->filter_kind = intVal(list_nth(private, PRIVATE_KIND));
	result->has_status = intVal(list_nth(private, PRIVATE_STATUS)) != 0;
	return result;
}
