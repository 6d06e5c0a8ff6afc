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
#include "fdw/paths.h"
#include "fdw/plan.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

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
wanted_rows(PlannerInfo *root, RelOptInfo *rel, const List *pushed)
{
	if (root->limit_tuples <= 0 || root->limit_tuples > INT_MAX ||
		bms_membership(root->all_baserels) != BMS_SINGLETON ||
		root->query_pathkeys != NIL ||
		list_length(rel->baserestrictinfo) > list_length(pushed))
		return 0;
	return (int) ceil(root->limit_tuples);
}

/* The conditions that none of the pushed-down clauses stands for. */
static List *
local_conditions(const List *conditions, const List *pushed)
{
	List	   *local = NIL;

	for (int i = 0; i < list_length(conditions); i++)
	{
		ListCell   *lc;

		foreach(lc, pushed)
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
	List	   *pushed = path_remote_clauses(rel->fdw_private, rel, relid,
											 path->path.param_info);
	List	   *exprs = NIL;
	List	   *filters = NIL;
	List	   *comparisons = NIL;
	List	   *private;
	ListCell   *lc;

	foreach(lc, pushed)
	{
		ShippableClause *clause = lfirst(lc);

		exprs = lappend(exprs, clause->value);
		filters = lappend_int(filters, clause->filter);
		comparisons = lappend_int(comparisons, clause->comparison);
	}
	private = list_make5(wanted_columns(rel, relid), filters, comparisons,
						 makeInteger(wanted_rows(root, rel, pushed)),
						 makeInteger(path_max_lookups(rel->fdw_private, rel)));
	clauses = extract_actual_clauses(clauses, false);
	private = lappend(private, local_conditions(clauses, pushed));
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
