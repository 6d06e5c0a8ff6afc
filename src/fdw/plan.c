/*
 * plan.c
 *		Planning of a foreign table: size, paths with their costs, plan.
 *
 * A table has one unparameterized path, and parameterized paths for joins on a
 * column whose values HiBob can filter by: lookups by key.
 *
 * HiBob may match more rows than PostgreSQL does.  So all restriction clauses
 * stay in the plan as local conditions; a remote condition only reduces what is
 * transferred.
 *
 * Knows the planner and the resource table; makes no request.
 */
#include "postgres.h"

#include <limits.h>
#include <math.h>

#include "access/sysattr.h"
#include "access/table.h"
#include "compat.h"
#include "fdw/plan.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "remote/request.h"
#include "session/row_counts.h"
#include "utils/rel.h"

/* The fraction of employees with one status: most companies keep leavers. */
#define DEFAULT_STATUS_SELECTIVITY 0.5

/* So many lookups are always allowed: the table may be larger than known. */
#define MIN_LOOKUPS 20

/* Rows for each employee in the tables of employees. */
#define ROWS_PER_EMPLOYEE 3

/* ------------------------------------------------------------------------
 * Remote conditions
 * ------------------------------------------------------------------------
 */

/* Fewer values are better; all columns with values are equally good. */
static bool
is_better(const ShippableClause *a, const ShippableClause *b)
{
	return b == NULL ||
		shippable_estimate_values(a) < shippable_estimate_values(b);
}

/* Whether a shippable clause, or NULL, is a condition on values. */
static bool
has_values(const HibobFdwRelationInfo *fpinfo, const ShippableClause *clause)
{
	return clause != NULL &&
		fpinfo->resource->filters[clause->filter].role == FILTER_VALUES;
}

static void
classify_conditions(HibobFdwRelationInfo *fpinfo, RelOptInfo *rel, Oid relid)
{
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);
		ShippableClause *clause = shippable_clause(info->clause, rel, relid,
												   fpinfo->resource);

		if (clause == NULL)
			continue;
		if (has_values(fpinfo, clause))
		{
			if (is_better(clause, fpinfo->values))
				fpinfo->values = clause;
			continue;
		}
		if (fpinfo->resource->filters[clause->filter].role == FILTER_STATUS)
			fpinfo->status = info;
		fpinfo->clauses = lappend(fpinfo->clauses, clause);
	}
}

/*
 * The remote conditions of a path, as a list of ShippableClause: those of the
 * query and, in a parameterized path, the one on the other table's values.  A
 * condition on values comes first.
 */
static List *
path_remote_clauses(const HibobFdwRelationInfo *fpinfo, RelOptInfo *rel,
					Oid relid, const ParamPathInfo *param_info)
{
	ShippableClause *values = fpinfo->values;
	ListCell   *lc;

	if (param_info != NULL)
		foreach(lc, param_info->ppi_clauses)
		{
			RestrictInfo *info = lfirst_node(RestrictInfo, lc);
			ShippableClause *clause = shippable_clause(info->clause, rel, relid,
													   fpinfo->resource);

			if (has_values(fpinfo, clause) && is_better(clause, values))
				values = clause;
		}
	return values == NULL ? list_copy(fpinfo->clauses) :
		lcons(values, list_copy(fpinfo->clauses));
}

/* ------------------------------------------------------------------------
 * Size
 * ------------------------------------------------------------------------
 */

/*
 * Without statistics the planner assumes that an equality is rare, and would
 * join all active people with a nested loop.
 */
static double
estimate_rows_of_status(PlannerInfo *root, RelOptInfo *rel,
						RestrictInfo *status)
{
	List	   *others = list_delete_ptr(list_copy(rel->baserestrictinfo),
										 status);

	return clamp_row_est(rel->tuples * DEFAULT_STATUS_SELECTIVITY *
						 clauselist_selectivity(root, others, rel->relid,
												JOIN_INNER, NULL));
}

/* The most rows that a condition's values can have. */
static double
max_rows_of_values(const HibobFdwRelationInfo *fpinfo,
				   const ShippableClause *values)
{
	bool		one_each = fpinfo->resource->form == ROW_EMPLOYEE;

	return shippable_estimate_values(values) *
		(one_each ? 1 : ROWS_PER_EMPLOYEE);
}

void
hibobGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo *fpinfo = palloc0(sizeof(HibobFdwRelationInfo));
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);
	TableOptions *options = table_options(table, server);
	bool		analyzed = rel->tuples > 0;

	fpinfo->resource = options->resource;
	fpinfo->async_capable = options->async_capable &&
		options->batch_size == 0 && !options->resource->needs_employees &&
		options->resource->form != ROW_CSV;
	fpinfo->server = server_options(server);
	rel->fdw_private = fpinfo;
	classify_conditions(fpinfo, rel, relid);

	if (!analyzed)
		rel->tuples = row_count_last(relid) > 0 ? row_count_last(relid) :
			fpinfo->resource->typical_rows;
	set_baserel_size_estimates(root, rel);
	if (!analyzed && fpinfo->status != NULL)
		rel->rows = estimate_rows_of_status(root, rel, fpinfo->status);
	if (fpinfo->values != NULL)
		rel->rows = Min(rel->rows, max_rows_of_values(fpinfo, fpinfo->values));
}

/* ------------------------------------------------------------------------
 * Paths
 * ------------------------------------------------------------------------
 */

/* How many requests a scan makes, and how many rows they transfer. */
static double
estimate_requests(const HibobFdwRelationInfo *fpinfo,
				  const ShippableClause *values, double *transferred)
{
	const Resource *resource = fpinfo->resource;
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
			*transferred = Min(*transferred,
							   max_rows_of_values(fpinfo, values));
	}
	else if (resource->needs_employees && by_path)
		requests = *transferred;
	if (resource->paging != PAGING_NONE)
		requests = Max(requests, ceil(*transferred / resource->page_limit));
	return requests;
}

/*
 * Adds a path.  Each request has the startup cost, and each transferred row has
 * a cost, also one that a local condition drops.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Oid relid,
			  ParamPathInfo *param_info)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *clauses = path_remote_clauses(fpinfo, rel, relid, param_info);
	ShippableClause *values = clauses != NIL ? linitial(clauses) : NULL;
	double		rows = param_info != NULL ? param_info->ppi_rows : rel->rows;
	double		transferred = rel->tuples;
	double		requests;
	Cost		startup;
	Cost		total;

	if (!has_values(fpinfo, values))
		values = NULL;
	else
		rows = Min(rows, max_rows_of_values(fpinfo, values));
	requests = estimate_requests(fpinfo, values, &transferred);
	startup = fpinfo->server->fdw_startup_cost + rel->baserestrictcost.startup +
		rel->reltarget->cost.startup;
	total = startup + (requests - 1) * fpinfo->server->fdw_startup_cost +
		transferred * (fpinfo->server->fdw_tuple_cost + cpu_tuple_cost +
					   rel->baserestrictcost.per_tuple) +
		rows * rel->reltarget->cost.per_tuple;
	add_path(rel, (Path *)
			 hibob_create_foreignscan_path(root, rel, rows, startup, total,
										   param_info != NULL ?
										   param_info->ppi_req_outer :
										   rel->lateral_relids, NIL));
}

/* Argument of the callback below. */
typedef struct ColumnReference
{
	Index		relid;
	AttrNumber	attnum;
} ColumnReference;

/* Callback: whether a member of an equivalence class is the column. */
static bool
member_is_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
				 EquivalenceMember *em, void *arg)
{
	const ColumnReference *column = arg;
	Node	   *node = (Node *) em->em_expr;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Var) && (Index) ((Var *) node)->varno == column->relid &&
		((Var *) node)->varattno == column->attnum;
}

/* Adds the parameters of a join clause that can be a condition on values. */
static List *
add_parameters(List *infos, PlannerInfo *root, RelOptInfo *rel, Oid relid,
			   RestrictInfo *clause)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	Relids		outer;
	ParamPathInfo *info;

	if (!join_clause_is_movable_to(clause, rel) ||
		!has_values(fpinfo, shippable_clause(clause->clause, rel, relid,
											 fpinfo->resource)))
		return infos;
	outer = bms_union(clause->clause_relids, rel->lateral_relids);
	outer = bms_del_member(outer, rel->relid);
	if (bms_is_empty(outer))
		return infos;
	info = get_baserel_parampathinfo(root, rel, outer);
	return list_append_unique_ptr(infos, info);
}

/* Whether HiBob can filter a column by values. */
static bool
is_key_column(const HibobFdwRelationInfo *fpinfo, Oid relid, AttrNumber attnum)
{
	int			filter = shippable_filter_of_column(relid, attnum,
													fpinfo->resource);

	return filter >= 0 &&
		fpinfo->resource->filters[filter].role == FILTER_VALUES;
}

/* The planner does not fill in attr_needed of partitions and other children. */
static bool
may_be_joined(const RelOptInfo *rel, AttrNumber attnum)
{
	return rel->reloptkind != RELOPT_BASEREL ||
		!bms_is_empty(rel->attr_needed[attnum - rel->min_attr]);
}

/*
 * Adds a parameterized path for each set of outer tables whose values can be
 * keys, from join clauses and from equivalence classes.
 */
static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *infos = NIL;
	ListCell   *lc;

	foreach(lc, rel->joininfo)
		infos = add_parameters(infos, root, rel, relid, lfirst(lc));
	for (int attnum = 1; attnum <= rel->max_attr && rel->has_eclass_joins;
		 attnum++)
	{
		ColumnReference column = {rel->relid, attnum};

		if (!may_be_joined(rel, attnum) ||
			!is_key_column(fpinfo, relid, attnum))
			continue;
		foreach(lc, generate_implied_equalities_for_column(
						 root, rel, member_is_column, &column,
						 rel->lateral_referencers))
			infos = add_parameters(infos, root, rel, relid, lfirst(lc));
	}
	foreach(lc, infos)
		add_scan_path(root, rel, relid, lfirst(lc));
}

void
hibobGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;

	add_scan_path(root, rel, relid, NULL);
	if (fpinfo->resource->nfilters > 0)
		add_parameterized_paths(root, rel, relid);
}

/* ------------------------------------------------------------------------
 * Plan
 * ------------------------------------------------------------------------
 */

/* Order of fdw_private. */
enum
{
	PRIVATE_ATTNUMS,
	PRIVATE_FILTERS,
	PRIVATE_COMPARISONS,
	PRIVATE_LIMIT,
	PRIVATE_LOOKUPS,
	PRIVATE_LOCAL
};

/* The columns in the targets and conditions; for a whole row, all. */
static List *
needed_columns(RelOptInfo *rel, Oid relid)
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
 * How many rows the query needs at most, if it reads this table alone, in any
 * order, and no local condition drops rows; 0: all.
 */
static int
needed_rows(PlannerInfo *root, RelOptInfo *rel, const List *remote)
{
	if (root->limit_tuples <= 0 || root->limit_tuples > INT_MAX ||
		bms_membership(root->all_baserels) != BMS_SINGLETON ||
		root->query_pathkeys != NIL ||
		list_length(rel->baserestrictinfo) > list_length(remote))
		return 0;
	return (int) ceil(root->limit_tuples);
}

/* After how many lookups reading all rows would have been cheaper. */
static int
max_lookups(const HibobFdwRelationInfo *fpinfo, const RelOptInfo *rel)
{
	double		cost = fpinfo->server->fdw_startup_cost;
	double		all = cost + rel->tuples * fpinfo->server->fdw_tuple_cost;

	if (fpinfo->resource->needs_employees)
		return INT_MAX;
	return (int) Min(Max(all / Max(cost, 1), MIN_LOOKUPS), INT_MAX);
}

/* The indexes of the conditions that are not remote ones. */
static List *
local_conditions(const List *conditions, const List *remote)
{
	List	   *local = NIL;

	for (int i = 0; i < list_length(conditions); i++)
	{
		ListCell   *lc;

		foreach(lc, remote)
			if (equal(((ShippableClause *) lfirst(lc))->clause,
					  list_nth(conditions, i)))
				break;
		if (lc == NULL)
			local = lappend_int(local, i);
	}
	return local;
}

ForeignScan *
hibobGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
					ForeignPath *path, List *tlist, List *clauses,
					Plan *outer_plan)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *remote = path_remote_clauses(fpinfo, rel, relid,
											 path->path.param_info);
	List	   *exprs = NIL;
	List	   *filters = NIL;
	List	   *comparisons = NIL;
	List	   *private;
	ListCell   *lc;

	foreach(lc, remote)
	{
		ShippableClause *clause = lfirst(lc);

		exprs = lappend(exprs, clause->value);
		filters = lappend_int(filters, clause->filter);
		comparisons = lappend_int(comparisons, clause->comparison);
	}
	private = list_make5(needed_columns(rel, relid), filters, comparisons,
						 makeInteger(needed_rows(root, rel, remote)),
						 makeInteger(max_lookups(fpinfo, rel)));
	clauses = extract_actual_clauses(clauses, false);
	private = lappend(private, local_conditions(clauses, remote));
	return make_foreignscan(tlist, clauses, rel->relid, exprs, private, NIL,
							NIL, outer_plan);
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
	result->local = list_nth(private, PRIVATE_LOCAL);
	result->max_lookups = intVal(list_nth(private, PRIVATE_LOOKUPS));
	return result;
}
