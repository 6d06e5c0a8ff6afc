/*
 * paths.c
 *		The ways to read a table, and what they cost: one that asks for all that
 *		the query's own conditions let through, and look-ups of the values that
 *		a join has on its other side.
 *
 * Knows the planner and the resources; makes no request.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "fdw/paths.h"
#include "foreign/foreign.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "options/options.h"
#include "remote/request.h"
#include "session/row_counts.h"

/* The share of employees that has one status: most companies keep leavers. */
#define DEFAULT_STATUS_SHARE 0.5

/* So many look-ups are never too many: the table may be larger than known. */
#define LEAST_LOOKUPS 20

/* Rows of an employee in the tables that have some for each. */
#define ROWS_AN_EMPLOYEE 3

/* One value is better than many, an id as good as an address. */
static bool
is_better(const ShippableClause *a, const ShippableClause *b)
{
	return b == NULL ||
		   shippable_estimate_values(a) < shippable_estimate_values(b);
}

/* Whether a clause that was recognized names values. */
static bool
names_values(const HibobFdwRelationInfo *plan, const ShippableClause *clause)
{
	return clause != NULL &&
		plan->resource->filters[clause->filter].role == FILTER_VALUES;
}

static void
choose_filters(HibobFdwRelationInfo *plan, RelOptInfo *rel, Oid relid)
{
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);
		ShippableClause *clause = shippable_clause(info->clause, rel, relid,
												   plan->resource);

		if (clause == NULL)
			continue;
		if (names_values(plan, clause))
		{
			if (is_better(clause, plan->values))
				plan->values = clause;
			continue;
		}
		if (plan->resource->filters[clause->filter].role == FILTER_STATUS)
			plan->status = info;
		plan->clauses = lappend(plan->clauses, clause);
	}
}

List *
path_remote_clauses(const HibobFdwRelationInfo *plan, RelOptInfo *rel,
					Oid relid, const ParamPathInfo *param_info)
{
	ShippableClause *values = plan->values;
	ListCell   *lc;

	if (param_info != NULL)
		foreach(lc, param_info->ppi_clauses)
		{
			RestrictInfo *info = lfirst_node(RestrictInfo, lc);
			ShippableClause *clause = shippable_clause(info->clause, rel, relid,
													   plan->resource);

			if (names_values(plan, clause) && is_better(clause, values))
				values = clause;
		}
	return values == NULL ? list_copy(plan->clauses) :
		lcons(values, list_copy(plan->clauses));
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
rows_of_values(const HibobFdwRelationInfo *plan, const ShippableClause *values)
{
	bool		one_each = plan->resource->form == ROW_EMPLOYEE;

	return shippable_estimate_values(values) *
		   (one_each ? 1 : ROWS_AN_EMPLOYEE);
}

void
hibobGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo    *plan = palloc0(sizeof(HibobFdwRelationInfo));
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);
	TableOptions *options;
	bool		counted;

	options = table_options(table, server);
	plan->resource = options->resource;
	plan->async_capable = options->async_capable && options->batch_size == 0 &&
		!options->resource->needs_employees &&
		options->resource->form != ROW_CSV;
	plan->server = server_options(server);
	choose_filters(plan, rel, relid);
	rel->fdw_private = plan;

	counted = rel->tuples > 0;
	if (!counted)
		rel->tuples = row_count_last(relid) > 0 ? row_count_last(relid) :
			plan->resource->typical_rows;
	set_baserel_size_estimates(root, rel);
	if (!counted && plan->status != NULL)
		rel->rows = guess_rows(root, rel, plan->status);
	if (plan->values != NULL)
		rel->rows = Min(rel->rows, rows_of_values(plan, plan->values));
}

/*
 * How many requests a scan makes, and how many rows they bring.
 */
static double
estimate_requests(const HibobFdwRelationInfo *plan,
				  const ShippableClause *values, double *transferred)
{
	const Resource *resource = plan->resource;
	double		requests = 1;
	bool		by_path = resource->nfilters > 0 &&
		resource->filters[0].place == PLACE_PATH;

	if (values != NULL)
	{
		double		n = shippable_estimate_values(values);

		requests = by_path ? n : ceil(n / REQUEST_BATCH);
		if (requests > REQUEST_MAX_BATCHES && !resource->needs_employees)
			requests = 1;
		else
			*transferred = Min(*transferred, rows_of_values(plan, values));
	}
	else if (resource->needs_employees && by_path)
		requests = *transferred;
	if (resource->paging != PAGING_NONE)
		requests = Max(requests, ceil(*transferred / resource->page_limit));
	return requests;
}

/*
 * Adds a path.  A request costs its start; each row that is transferred costs,
 * also one that a local condition drops.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Oid relid,
			  ParamPathInfo *param_info)
{
	HibobFdwRelationInfo    *plan = rel->fdw_private;
	List	   *clauses = path_remote_clauses(plan, rel, relid, param_info);
	ShippableClause *values = clauses != NIL ? linitial(clauses) : NULL;
	double		rows = param_info != NULL ? param_info->ppi_rows : rel->rows;
	double		transferred = rel->tuples;
	double		requests;
	Cost		startup;
	Cost		total;

	if (!names_values(plan, values))
		values = NULL;
	else
		rows = Min(rows, rows_of_values(plan, values));
	requests = estimate_requests(plan, values, &transferred);
	startup = plan->server->fdw_startup_cost + rel->baserestrictcost.startup +
		rel->reltarget->cost.startup;
	total = startup + (requests - 1) * plan->server->fdw_startup_cost +
		transferred * (plan->server->fdw_tuple_cost + cpu_tuple_cost +
					   rel->baserestrictcost.per_tuple) +
		rows * rel->reltarget->cost.per_tuple;
	add_path(rel, (Path *)
			 hibob_create_foreignscan_path(root, rel, rows, startup, total,
										   param_info != NULL ?
										   param_info->ppi_req_outer :
										   rel->lateral_relids, NIL));
}

int
path_max_lookups(const HibobFdwRelationInfo *plan, const RelOptInfo *rel)
{
	double		cost = plan->server->fdw_startup_cost;
	double		all = cost + rel->tuples * plan->server->fdw_tuple_cost;

	if (plan->resource->needs_employees)
		return INT_MAX;
	return (int) Min(Max(all / Max(cost, 1), LEAST_LOOKUPS), INT_MAX);
}

/* ------------------------------------------------------------------------
 * Look-ups
 * ------------------------------------------------------------------------
 */

/* For the callback below: the column whose equalities are wanted. */
typedef struct SoughtColumn
{
	Index		relid;
	AttrNumber	attnum;
} SoughtColumn;

static bool
is_sought_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
				 EquivalenceMember *em, void *arg)
{
	const SoughtColumn *sought = arg;
	Node	   *node = (Node *) em->em_expr;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Var) && (Index) ((Var *) node)->varno == sought->relid &&
		((Var *) node)->varattno == sought->attnum;
}

/* Remembers what a join clause needs of other tables, if HiBob can use it. */
static List *
add_parameters(List *infos, PlannerInfo *root, RelOptInfo *rel, Oid relid,
			   RestrictInfo *clause)
{
	HibobFdwRelationInfo    *plan = rel->fdw_private;
	Relids		outer;
	ParamPathInfo *info;

	if (!join_clause_is_movable_to(clause, rel) ||
		!names_values(plan, shippable_clause(clause->clause, rel, relid,
											 plan->resource)))
		return infos;
	outer = bms_union(clause->clause_relids, rel->lateral_relids);
	outer = bms_del_member(outer, rel->relid);
	if (bms_is_empty(outer))
		return infos;
	info = get_baserel_parampathinfo(root, rel, outer);
	return list_append_unique_ptr(infos, info);
}

/* The columns that HiBob can look values up in. */
static bool
is_lookup_column(const HibobFdwRelationInfo *plan, Oid relid, AttrNumber attnum)
{
	int filter = shippable_filter_of_column(relid, attnum, plan->resource);

	return filter >= 0 && plan->resource->filters[filter].role == FILTER_VALUES;
}

/* The planner does not note what is needed of a partition, or another child. */
static bool
may_be_joined(const RelOptInfo *rel, AttrNumber attnum)
{
	return rel->reloptkind != RELOPT_BASEREL ||
		!bms_is_empty(rel->attr_needed[attnum - rel->min_attr]);
}

/*
 * Paths that look up the values of a join's other side: equalities that the
 * server keeps as classes, and those that it keeps as clauses.
 */
static void
add_lookup_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo    *plan = rel->fdw_private;
	List	   *infos = NIL;
	ListCell   *lc;

	foreach(lc, rel->joininfo)
		infos = add_parameters(infos, root, rel, relid, lfirst(lc));
	for (int attnum = 1; attnum <= rel->max_attr && rel->has_eclass_joins;
		 attnum++)
	{
		SoughtColumn sought = {rel->relid, attnum};

		if (!may_be_joined(rel, attnum) ||
			!is_lookup_column(plan, relid, attnum))
			continue;
		foreach(lc, generate_implied_equalities_for_column(
						 root, rel, is_sought_column, &sought,
						 rel->lateral_referencers))
			infos = add_parameters(infos, root, rel, relid, lfirst(lc));
	}
	foreach(lc, infos)
		add_scan_path(root, rel, relid, lfirst(lc));
}

void
hibobGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo    *plan = rel->fdw_private;

	add_scan_path(root, rel, relid, NULL);
	if (plan->resource->nfilters > 0)
		add_lookup_paths(root, rel, relid);
}
