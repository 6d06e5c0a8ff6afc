/*
 * plan.c
 *		Planning of a foreign table: size, paths with their costs, plan.
 *
 * A table has one unparameterized path, and parameterized paths for joins on a
 * column whose values HiBob can filter by: lookups by key.
 *
 * HiBob may match more rows than PostgreSQL does.  So all restriction clauses
 * stay in the plan as local conditions; a remote condition only reduces the
 * transfer.
 *
 * Knows the planner and the resource table; makes no request.
 */
#include "postgres.h"

#include <limits.h>
#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_foreign_table.h"
#include "compat.h"
#include "fdw/generated.h"
#include "fdw/minmax.h"
#include "fdw/plan.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "remote/request.h"
#include "session/stats.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* The fraction of employees with one status: most companies keep leavers. */
#define DEFAULT_STATUS_SELECTIVITY 0.5

/*
 * A typical number of rows may be too high.  The executor would then make more
 * lookups than the requests that read all rows, so it assumes fewer rows.
 */
#define CAUTIOUS_FRACTION (1.0 / 3)

/*
 * The assumed number of runs of a correlated subquery.  The planner does not
 * know it while it plans the subquery.
 */
#define CORRELATED_RUNS 100

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
classify_condition(HibobFdwRelationInfo *fpinfo, RestrictInfo *info,
				   ShippableClause *clause)
{
	if (has_values(fpinfo, clause))
	{
		if (is_better(clause, fpinfo->values))
			fpinfo->values = clause;
		return;
	}
	if (fpinfo->resource->filters[clause->filter].role == FILTER_STATUS)
		fpinfo->status = info;
	fpinfo->clauses = lappend(fpinfo->clauses, clause);
}

static void
classify_conditions(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	ListCell   *lc;
	ListCell   *part;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);

		foreach(part, shippable_clauses(root, info->clause, rel, relid,
										fpinfo->resource))
			classify_condition(fpinfo, info, lfirst(part));
	}
}

/*
 * Which of the bounds of time that the resource needs are among the conditions.
 * With "fixed", only conditions with fixed values count.
 */
static void
check_bounds(const HibobFdwRelationInfo *fpinfo, const List *remote, bool fixed,
			 bool *lower, bool *upper)
{
	const Resource *resource = fpinfo->resource;
	ListCell   *lc;

	*lower = !resource->needs_lower;
	*upper = !resource->needs_upper;
	foreach(lc, remote)
	{
		const ShippableClause *clause = lfirst(lc);

		if (fixed && clause->varies)
			continue;
		*lower |= shippable_is_lower(clause, resource);
		*upper |= shippable_is_upper(clause, resource);
	}
}

static bool
has_bounds(const HibobFdwRelationInfo *fpinfo, const List *remote, bool fixed)
{
	bool		lower;
	bool		upper;

	check_bounds(fpinfo, remote, fixed, &lower, &upper);
	return lower && upper;
}

/*
 * Whether rows of the wrong day would be read.  A result has only rows of the
 * request's day, so a comparison with the day has to be sent.
 */
static bool
lacks_day(const HibobFdwRelationInfo *fpinfo, const List *remote)
{
	ListCell   *lc;

	if (!fpinfo->day_is_compared)
		return false;
	foreach(lc, remote)
	{
		const ShippableClause *clause = lfirst(lc);

		if (fpinfo->resource->filters[clause->filter].role == FILTER_DAY)
			return false;
	}
	return true;
}

/*
 * The remote conditions of a path, as a list of ShippableClause: those of the
 * query and, in a parameterized path, those with values of other tables.  A
 * condition on values comes first.
 */
static List *
path_remote_clauses(PlannerInfo *root, RelOptInfo *rel, Oid relid,
					const ParamPathInfo *param_info)
{
	const HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	ShippableClause *values = fpinfo->values;
	List	   *result = list_copy(fpinfo->clauses);
	ListCell   *lc;
	ListCell   *part;

	if (param_info != NULL && !fpinfo->is_read_twice)
		foreach(lc, param_info->ppi_clauses)
		{
			RestrictInfo *info = lfirst_node(RestrictInfo, lc);

			foreach(part, shippable_clauses(root, info->clause, rel, relid,
											fpinfo->resource))
			{
				ShippableClause *clause = lfirst(part);

				if (!has_values(fpinfo, clause))
					result = lappend(result, clause);
				else if (is_better(clause, values))
					values = clause;
			}
		}
	return values == NULL ? result : lcons(values, result);
}

bool
plan_fixed_conditions(const RelOptInfo *rel, List **conditions)
{
	const HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	ListCell   *lc;

	*conditions = NIL;
	foreach(lc, fpinfo->clauses)
		*conditions = lappend(*conditions,
							  ((ShippableClause *) lfirst(lc))->clause);
	if (fpinfo->values != NULL)
		*conditions = lappend(*conditions, fpinfo->values->clause);
	return resource_filter(fpinfo->resource, FILTER_DAY) == NULL &&
		has_bounds(fpinfo, fpinfo->clauses, true);
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

/*
 * The rows of a table of people, if known: those that this session last read,
 * or those that ANALYZE counted.
 */
static double
known_rows(Oid relid)
{
	double		rows = stats_last_rows(relid);
	HeapTuple	tuple;

	if (rows > 0)
		return rows;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (HeapTupleIsValid(tuple))
	{
		rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
		ReleaseSysCache(tuple);
	}
	return Max(rows, 0);
}

/* Whether a foreign table shows all people. */
static bool
is_table_of_people(HeapTuple tuple, TupleDesc desc)
{
	bool		null;
	Datum		options = heap_getattr(tuple, Anum_pg_foreign_table_ftoptions,
									   desc, &null);
	ListCell   *lc;

	if (null)
		return false;
	foreach(lc, untransformRelOptions(options))
	{
		const DefElem *option = lfirst(lc);

		if (strcmp(option->defname, "resource") == 0)
			return strcmp(strVal(option->arg), RESOURCE_PEOPLE) == 0;
	}
	return false;
}

/*
 * The employees of a server, if one of its tables of people has been counted.
 */
static double
known_employees(Oid serverid)
{
	Relation	catalog = table_open(ForeignTableRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0,
										  NULL);
	HeapTuple	tuple;
	double		employees = 0;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_table form = (Form_pg_foreign_table) GETSTRUCT(tuple);

		if (form->ftserver == serverid &&
			is_table_of_people(tuple, RelationGetDescr(catalog)))
			employees = Max(employees, known_rows(form->ftrelid));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return employees;
}

/* The number of rows for each employee; 0: the rows are not of employees. */
static int
rows_per_employee(const Resource *resource)
{
	if (strcmp(resource->name, RESOURCE_PEOPLE) == 0)
		return 1;
	return resource->nfilters > 0 &&
		strcmp(resource->filters[0].field, "employeeId") == 0 ?
		ROWS_PER_EMPLOYEE : 0;
}

/* The most rows that a condition's values can have. */
static double
max_rows_of_values(const HibobFdwRelationInfo *fpinfo,
				   const ShippableClause *values)
{
	int			rows = rows_per_employee(fpinfo->resource);

	return shippable_estimate_values(values) *
		(rows > 0 ? rows : ROWS_PER_EMPLOYEE);
}

/* The rows of a table without statistics. */
static double
estimate_tuples(HibobFdwRelationInfo *fpinfo, Oid relid)
{
	double		counted = stats_last_rows(relid);

	if (counted > 0)
		return counted;
	if (fpinfo->employees > 0)
		return fpinfo->employees * rows_per_employee(fpinfo->resource);
	fpinfo->guessed = true;
	return fpinfo->resource->typical_rows;
}

/* Whether the query is run for each row of an outer query. */
static bool
is_correlated(const PlannerInfo *root)
{
	for (root = root->parent_root; root != NULL; root = root->parent_root)
		if (root->plan_params != NIL)
			return true;
	return false;
}

static HibobFdwRelationInfo *
create_relation_info(PlannerInfo *root, Oid relid)
{
	HibobFdwRelationInfo *fpinfo = palloc0(sizeof(HibobFdwRelationInfo));
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);
	TableOptions *options = table_options(table, server);

	fpinfo->resource = options->resource;
	fpinfo->server = server_options(server);
	fpinfo->batch_size = options->batch_size;
	fpinfo->correlated = is_correlated(root);
	fpinfo->async_capable = options->async_capable &&
		options->batch_size == 0 && !options->resource->needs_employees &&
		options->resource->form != ROW_CSV;
	if (rows_per_employee(fpinfo->resource) > 0)
		fpinfo->employees = known_employees(table->serverid);
	return fpinfo;
}

void
hibobGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo *fpinfo = create_relation_info(root, relid);
	bool		analyzed = rel->tuples > 0;

	rel->fdw_private = fpinfo;
	classify_conditions(root, rel, relid);
	if (!analyzed)
		rel->tuples = estimate_tuples(fpinfo, relid);
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

/* The employees of the account, as far as is known. */
static double
estimate_employees(const HibobFdwRelationInfo *fpinfo, double tuples)
{
	return fpinfo->employees > 0 ? fpinfo->employees :
		ceil(tuples / ROWS_PER_EMPLOYEE);
}

/* The requests that read all rows. */
static double
requests_of_all(const HibobFdwRelationInfo *fpinfo, double tuples)
{
	const Resource *resource = fpinfo->resource;
	double		requests = 1;

	if (resource->paging != PAGING_NONE)
		requests = ceil(tuples / resource->page_limit);
	if (resource->needs_employees)
	{
		double		employees = estimate_employees(fpinfo, tuples);
		double		batch = resource->filters[0].place == PLACE_PATH ? 1 :
			resource->max_values > 0 ? resource->max_values : REQUEST_BATCH;

		/* the one for the ids comes first */
		requests = 1 + Max(requests, ceil(employees / batch));
	}
	else if (resource_needs_values(resource))
		requests = 1 + tuples;
	else if (fpinfo->batch_size > 0)
		requests = 1 + ceil(tuples / fpinfo->batch_size);
	return Max(requests, 1);
}

/* Whether the requests for all rows go out in parallel. */
static bool
is_parallel(const HibobFdwRelationInfo *fpinfo)
{
	return fpinfo->resource->needs_employees || fpinfo->batch_size > 0;
}

/* The cost of the requests and rows that reading all rows takes. */
static Cost
cost_of_all(const HibobFdwRelationInfo *fpinfo, double tuples)
{
	double		requests = requests_of_all(fpinfo, tuples);

	if (is_parallel(fpinfo))
		requests *= PARALLEL_REQUEST_COST;
	return requests * fpinfo->server->fdw_startup_cost +
		tuples * fpinfo->server->fdw_tuple_cost;
}

/* The same for the rows of a condition's values. */
static Cost
cost_of_values(const HibobFdwRelationInfo *fpinfo,
			   const ShippableClause *values, double tuples)
{
	double		n = shippable_estimate_values(values);
	double		rows = Min(tuples, max_rows_of_values(fpinfo, values));

	return request_count_of_values(fpinfo->resource, n) *
		fpinfo->server->fdw_startup_cost +
		rows * fpinfo->server->fdw_tuple_cost;
}

/*
 * The cost of the requests and transfers of one run, and the number of rows
 * that it checks.  The executor reads all rows instead of those of values if
 * that is cheaper.  In a correlated subquery it materializes them for the
 * following runs.
 */
static Cost
cost_of_run(const HibobFdwRelationInfo *fpinfo, const ShippableClause *values,
			double tuples, double *checked)
{
	Cost		all = cost_of_all(fpinfo, tuples);
	Cost		some = values == NULL ? all :
		cost_of_values(fpinfo, values, tuples);

	if (fpinfo->correlated)
		all /= CORRELATED_RUNS;
	*checked = tuples;
	if (values == NULL || all < some)
		return all;
	*checked = Min(tuples, max_rows_of_values(fpinfo, values));
	return some;
}

/*
 * Adds a path.  Each request has the startup cost, and each transferred row has
 * a cost, even if a local condition drops it.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Oid relid,
			  ParamPathInfo *param_info)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *clauses = path_remote_clauses(root, rel, relid, param_info);
	ShippableClause *values = clauses != NIL ? linitial(clauses) : NULL;
	double		rows = param_info != NULL ? param_info->ppi_rows : rel->rows;
	double		checked;
	Cost		run;
	Cost		startup;
	Cost		total;

	if (!has_values(fpinfo, values))
		values = NULL;
	else
		rows = Min(rows, max_rows_of_values(fpinfo, values));
	run = cost_of_run(fpinfo, values, rel->tuples, &checked);
	startup = rel->baserestrictcost.startup + rel->reltarget->cost.startup;
	total = startup + run +
		checked * (cpu_tuple_cost + rel->baserestrictcost.per_tuple) +
		rows * rel->reltarget->cost.per_tuple;
	startup += Min(run, fpinfo->server->fdw_startup_cost);

	/* It would fail: see the bounds that the resource needs. */
	if (param_info == NULL && !has_bounds(fpinfo, clauses, false))
		total += disable_cost;
	if (lacks_day(fpinfo, clauses))
		total += disable_cost;
	add_path(rel, (Path *)
			 hibob_create_foreignscan_path(root, rel, rows, startup, total,
										   param_info != NULL ?
										   param_info->ppi_req_outer :
										   rel->lateral_relids, NIL));
}

/* ------------------------------------------------------------------------
 * Joins
 * ------------------------------------------------------------------------
 */

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

/* The planner does not fill in attr_needed of partitions and other children. */
static bool
may_be_joined(const RelOptInfo *rel, AttrNumber attnum)
{
	return rel->reloptkind != RELOPT_BASEREL ||
		!bms_is_empty(rel->attr_needed[attnum - rel->min_attr]);
}

/*
 * The clauses that restrict the table's rows by those of other tables, from
 * join clauses and equivalence classes, as a list of RestrictInfo.
 */
static List *
restricting_join_clauses(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *candidates = list_copy(rel->joininfo);
	List	   *result = NIL;
	ListCell   *lc;

	for (int attnum = 1; attnum <= rel->max_attr && rel->has_eclass_joins;
		 attnum++)
	{
		ColumnReference column = {rel->relid, attnum};

		if (may_be_joined(rel, attnum) &&
			shippable_filter_of_column(relid, attnum, fpinfo->resource) >= 0)
			candidates = list_concat(
				candidates,
				generate_implied_equalities_for_column(
					root, rel, member_is_column, &column,
					rel->lateral_referencers));
	}
	foreach(lc, candidates)
		if (join_clause_is_movable_to(lfirst(lc), rel))
			result = lappend(result, lfirst(lc));
	return result;
}

/* Adds the parameters of a join clause that can be a condition. */
static List *
add_parameters(List *infos, PlannerInfo *root, RelOptInfo *rel, Oid relid,
			   RestrictInfo *clause)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *parts = shippable_clauses(root, clause->clause, rel, relid,
										  fpinfo->resource);
	Relids		outer;
	ParamPathInfo *info;

	/* An optional range of time is not worth a request for each row. */
	if (parts == NIL || (!has_values(fpinfo, linitial(parts)) &&
						 has_bounds(fpinfo, fpinfo->clauses, true) &&
						 !lacks_day(fpinfo, fpinfo->clauses)))
		return infos;
	outer = bms_union(clause->clause_relids, rel->lateral_relids);
	outer = bms_del_member(outer, rel->relid);
	if (bms_is_empty(outer))
		return infos;
	info = get_baserel_parampathinfo(root, rel, outer);
	return list_append_unique_ptr(infos, info);
}

/*
 * Adds a parameterized path for each set of outer tables whose values can be
 * keys or bounds.
 */
static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid,
						const List *clauses)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *infos = NIL;
	Relids		all = NULL;
	ListCell   *lc;

	foreach(lc, clauses)
		infos = add_parameters(infos, root, rel, relid, lfirst(lc));
	foreach(lc, infos)
		all = bms_add_members(all,
							  ((ParamPathInfo *) lfirst(lc))->ppi_req_outer);

	/*
	 * The two bounds of a range may come from two tables, as may key and day.
	 */
	if (infos != NIL && (!has_bounds(fpinfo, fpinfo->clauses, true) ||
						 lacks_day(fpinfo, fpinfo->clauses)))
		infos = list_append_unique_ptr(
			infos, get_baserel_parampathinfo(root, rel, all));
	foreach(lc, infos)
		add_scan_path(root, rel, relid, lfirst(lc));
}

/* Adds a fixed bound from a varying one, if it can be computed beforehand. */
static bool
add_minmax_bound(PlannerInfo *root, RelOptInfo *rel,
				 const ShippableClause *clause, bool lower)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	Param	   *param = clause->comparison == COMPARE_ANY ? NULL :
		minmax_param(root, clause->value, lower);
	ShippableClause *bound;

	if (param == NULL)
		return false;
	bound = palloc(sizeof(ShippableClause));
	*bound = *clause;
	if (clause->comparison == COMPARE_EQUAL)
		bound->comparison = lower ? COMPARE_LOWER : COMPARE_UPPER;
	bound->value = (Expr *) param;
	bound->varies = false;
	fpinfo->clauses = lappend(fpinfo->clauses, bound);
	return true;
}

/* The varying bounds among the conditions of the query and its joins. */
static List *
varying_bounds(PlannerInfo *root, RelOptInfo *rel, Oid relid,
			   const List *join_clauses)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *candidates = list_copy(fpinfo->clauses);
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, join_clauses)
		candidates = list_concat(
			candidates,
			shippable_clauses(root, lfirst_node(RestrictInfo, lc)->clause, rel,
							  relid, fpinfo->resource));
	foreach(lc, candidates)
	{
		ShippableClause *clause = lfirst(lc);

		if (clause->varies &&
			fpinfo->resource->filters[clause->filter].role == FILTER_BOUNDS)
			result = lappend(result, clause);
	}
	return result;
}

/*
 * Adds bounds of time that the resource needs and that only other tables have.
 * One range that contains all of their ranges takes one request.
 */
static void
add_minmax_bounds(PlannerInfo *root, RelOptInfo *rel, Oid relid,
				  const List *join_clauses)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *bounds = varying_bounds(root, rel, relid, join_clauses);
	bool		lower;
	bool		upper;
	ListCell   *lc;

	check_bounds(fpinfo, fpinfo->clauses, true, &lower, &upper);
	foreach(lc, bounds)
	{
		const ShippableClause *clause = lfirst(lc);

		if (!lower && shippable_is_lower(clause, fpinfo->resource))
			lower = add_minmax_bound(root, rel, clause, true);
		if (!upper && shippable_is_upper(clause, fpinfo->resource))
			upper = add_minmax_bound(root, rel, clause, false);
	}
	if (lower && upper)
		fpinfo->clauses = list_difference_ptr(fpinfo->clauses, bounds);
}

/*
 * Whether the query is an EXISTS that the planner wants to run once, for a hash
 * table: its comparisons with the outer query have become its output.  Only
 * there, columns have no names.
 */
static bool
is_hashed_exists(const PlannerInfo *root)
{
	const TargetEntry *entry = root->parse->targetList == NIL ? NULL :
		linitial_node(TargetEntry, root->parse->targetList);

	return root->parent_root != NULL && entry != NULL && !entry->resjunk &&
		entry->resname == NULL;
}

/* Whether a condition of the query or a join has the column of FILTER_DAY. */
static bool
compares_day(const PlannerInfo *root, const RelOptInfo *rel, Oid relid,
			 const Resource *resource, const List *join_clauses)
{
	List	   *clauses = list_concat_copy(rel->baserestrictinfo,
										   rel->joininfo);
	Bitmapset  *used = NULL;
	ListCell   *lc;

	if (resource_filter(resource, FILTER_DAY) == NULL)
		return false;
	clauses = list_concat(clauses, join_clauses);
	foreach(lc, clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause,
					   rel->relid, &used);
	if (is_hashed_exists(root))
		pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	for (int attnum = 1; attnum <= rel->max_attr; attnum++)
	{
		int			filter;

		if (!bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, used))
			continue;
		filter = shippable_filter_of_column(relid, attnum, resource);
		if (filter >= 0 && resource->filters[filter].role == FILTER_DAY)
			return true;
	}
	return false;
}

void
hibobGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *clauses = NIL;

	if (fpinfo->resource->nfilters > 0)
		clauses = restricting_join_clauses(root, rel, relid);
	fpinfo->day_is_compared = compares_day(root, rel, relid, fpinfo->resource,
										   clauses);
	if (!has_bounds(fpinfo, fpinfo->clauses, true))
		add_minmax_bounds(root, rel, relid, clauses);
	add_scan_path(root, rel, relid, NULL);
	add_parameterized_paths(root, rel, relid, clauses);
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
	PRIVATE_VARIES,
	PRIVATE_LIMIT,
	PRIVATE_ALL_REQUESTS,
	PRIVATE_MAX_REQUESTS,
	PRIVATE_LACKS_DAY,
	PRIVATE_LOCAL,
	PRIVATE_GENERATED
};

/*
 * The columns in the targets and conditions; all columns for a whole row.  Sets
 * those that are generated from the others.
 */
static List *
needed_columns(RelOptInfo *rel, Oid relid, List **generated)
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
	result = generated_base_columns(table, result, generated);
	table_close(table, NoLock);
	return result;
}

/* Whether a clause is one of the remote conditions. */
static bool
is_remote(const Expr *clause, const List *remote)
{
	ListCell   *lc;

	foreach(lc, remote)
		if (equal(((ShippableClause *) lfirst(lc))->clause, clause))
			return true;
	return false;
}

static bool
has_local_condition(const RelOptInfo *rel, const List *remote)
{
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
		if (!is_remote(lfirst_node(RestrictInfo, lc)->clause, remote))
			return true;
	return false;
}

/* Whether a row of the query depends on more than one row of the table. */
static bool
needs_all_input(const PlannerInfo *root)
{
	const Query *query = root->parse;

	return query->groupClause != NIL || query->groupingSets != NIL ||
		query->distinctClause != NIL || query->hasAggs ||
		query->hasWindowFuncs || query->hasTargetSRFs || root->hasHavingQual;
}

/*
 * The number of rows that the query is expected to need if it reads this table
 * alone, in any order, and no local condition drops rows; 0: all.  More are
 * fetched if it needs more.
 */
static int
needed_rows(PlannerInfo *root, RelOptInfo *rel, const List *remote)
{
	double		rows = root->limit_tuples;

	/* EXISTS has no LIMIT, but a fraction, which is a number from 1 on. */
	if (rows <= 0 && root->tuple_fraction >= 1 && !needs_all_input(root))
		rows = root->tuple_fraction;
	if (rows <= 0 || rows > INT_MAX ||
		root->parse->limitOption == LIMIT_OPTION_WITH_TIES ||
		bms_membership(root->all_baserels) != BMS_SINGLETON ||
		root->query_pathkeys != NIL || has_local_condition(rel, remote))
		return 0;
	return (int) ceil(rows);
}

/*
 * The cost, in requests, of reading all rows of a table.  The transfer of very
 * many rows counts as further requests.
 */
static int
all_requests(const HibobFdwRelationInfo *fpinfo, double tuples,
			 const List *remote)
{
	double		cost = fpinfo->server->fdw_startup_cost;
	double		requests;

	if (!has_bounds(fpinfo, remote, true) || cost <= 0)
		return INT_MAX;
	requests = requests_of_all(fpinfo, tuples) +
		tuples * fpinfo->server->fdw_tuple_cost / cost;
	return (int) Min(requests, INT_MAX);
}

/* The indexes of the conditions that are not remote ones. */
static List *
local_conditions(const List *conditions, const List *remote)
{
	List	   *local = NIL;

	for (int i = 0; i < list_length(conditions); i++)
		if (!is_remote(list_nth(conditions, i), remote))
			local = lappend_int(local, i);
	return local;
}

ForeignScan *
hibobGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
					ForeignPath *path, List *tlist, List *clauses,
					Plan *outer_plan)
{
	HibobFdwRelationInfo *fpinfo = rel->fdw_private;
	List	   *remote = path_remote_clauses(root, rel, relid,
											 path->path.param_info);
	List	   *exprs = NIL;
	List	   *filters = NIL;
	List	   *comparisons = NIL;
	List	   *varies = NIL;
	double		cautious = fpinfo->guessed ?
		ceil(rel->tuples * CAUTIOUS_FRACTION) : rel->tuples;
	List	   *attnums;
	List	   *generated;
	List	   *private;
	ListCell   *lc;

	foreach(lc, remote)
	{
		ShippableClause *clause = lfirst(lc);

		exprs = lappend(exprs, clause->value);
		filters = lappend_int(filters, clause->filter);
		comparisons = lappend_int(comparisons, clause->comparison);
		varies = lappend_int(varies, clause->varies);
	}
	clauses = extract_actual_clauses(clauses, false);
	attnums = needed_columns(rel, relid, &generated);
	private = list_make5(attnums, filters, comparisons, varies,
						 makeInteger(needed_rows(root, rel, remote)));
	private = lappend(private, makeInteger(all_requests(fpinfo, rel->tuples,
														remote)));
	private = lappend(private, makeInteger(all_requests(fpinfo, cautious,
														remote)));
	private = lappend(private, makeInteger(lacks_day(fpinfo, remote)));
	private = lappend(private, local_conditions(clauses, remote));
	private = lappend(private, generated);
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
	result->varies = list_nth(private, PRIVATE_VARIES);
	result->limit = intVal(list_nth(private, PRIVATE_LIMIT));
	result->all_requests = intVal(list_nth(private, PRIVATE_ALL_REQUESTS));
	result->max_requests = intVal(list_nth(private, PRIVATE_MAX_REQUESTS));
	result->lacks_day = intVal(list_nth(private, PRIVATE_LACKS_DAY)) != 0;
	result->local = list_nth(private, PRIVATE_LOCAL);
	result->generated = list_nth(private, PRIVATE_GENERATED);
	return result;
}
