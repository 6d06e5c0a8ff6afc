/*
 * plan_tree.c
 *		The place of a scan in its statement's plan: its ancestors, and the
 *		number of runs that follows from them.
 *
 * Knows plan trees; nothing of HiBob.
 */
#include "postgres.h"

#include "compat.h"
#include "fdw/plan_tree.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"

/* ------------------------------------------------------------------------
 * Ancestors
 * ------------------------------------------------------------------------
 */

/* A search for a plan node. */
typedef struct Search
{
	const PlannedStmt *statement;
	const Plan *sought;
	List	   *ancestors;		/* of the found node */
} Search;

static bool find_below(Search *search, Plan *plan, List *ancestors);

static bool
find_in_list(Search *search, const List *plans, List *ancestors)
{
	ListCell   *lc;

	foreach(lc, plans)
		if (find_below(search, lfirst(lc), ancestors))
			return true;
	return false;
}

/* The children of some nodes other than the left and the right one. */
static bool
find_in_other_children(Search *search, Plan *plan, List *ancestors)
{
	switch (nodeTag(plan))
	{
		case T_Append:
			return find_in_list(search, ((Append *) plan)->appendplans,
								ancestors);
		case T_MergeAppend:
			return find_in_list(search, ((MergeAppend *) plan)->mergeplans,
								ancestors);
		case T_BitmapAnd:
			return find_in_list(search, ((BitmapAnd *) plan)->bitmapplans,
								ancestors);
		case T_BitmapOr:
			return find_in_list(search, ((BitmapOr *) plan)->bitmapplans,
								ancestors);
		case T_SubqueryScan:
			return find_below(search, ((SubqueryScan *) plan)->subplan,
							  ancestors);
		case T_CustomScan:
			return find_in_list(search, ((CustomScan *) plan)->custom_plans,
								ancestors);
		default:
			return false;
	}
}

/* Argument of the expression walker below. */
typedef struct SubplanSearch
{
	Search	   *search;
	List	   *ancestors;
} SubplanSearch;

static bool
find_in_subplan(Search *search, SubPlan *subplan, List *ancestors)
{
	Plan	   *plan = list_nth(search->statement->subplans,
								subplan->plan_id - 1);

	return find_below(search, plan, lcons(subplan, list_copy(ancestors)));
}

static bool
find_in_expression(Node *node, void *arg)
{
	SubplanSearch *subplans = arg;

	if (node == NULL)
		return false;
	if (IsA(node, SubPlan) &&
		find_in_subplan(subplans->search, (SubPlan *) node,
						subplans->ancestors))
		return true;
	return expression_tree_walker(node, find_in_expression, arg);
}

/* The expressions of some nodes other than targetlist and qual. */
static List *
scan_expressions(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SampleScan:
			return list_make1(((SampleScan *) plan)->tablesample);
		case T_IndexScan:
			return list_make2(((IndexScan *) plan)->indexqual,
							  ((IndexScan *) plan)->indexorderby);
		case T_IndexOnlyScan:
			return list_make2(((IndexOnlyScan *) plan)->indexqual,
							  ((IndexOnlyScan *) plan)->indexorderby);
		case T_BitmapIndexScan:
			return list_make1(((BitmapIndexScan *) plan)->indexqual);
		case T_TidScan:
			return list_make1(((TidScan *) plan)->tidquals);
		case T_TidRangeScan:
			return list_make1(((TidRangeScan *) plan)->tidrangequals);
		case T_FunctionScan:
			return list_make1(((FunctionScan *) plan)->functions);
		case T_TableFuncScan:
			return list_make1(((TableFuncScan *) plan)->tablefunc);
		case T_ValuesScan:
			return list_make1(((ValuesScan *) plan)->values_lists);
		case T_ForeignScan:
			return list_make1(((ForeignScan *) plan)->fdw_exprs);
		case T_CustomScan:
			return list_make1(((CustomScan *) plan)->custom_exprs);
		default:
			return NIL;
	}
}

static List *
modify_expressions(const ModifyTable *plan)
{
	List	   *expressions = list_make5(plan->returningLists,
										 plan->withCheckOptionLists,
										 plan->onConflictSet,
										 plan->onConflictWhere,
										 plan->mergeActionLists);

	return lappend(expressions, hibob_merge_join_conditions(plan));
}

/* The same for nodes other than scans. */
static List *
other_expressions(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_NestLoop:
			return list_make1(((Join *) plan)->joinqual);
		case T_MergeJoin:
			return list_make2(((Join *) plan)->joinqual,
							  ((MergeJoin *) plan)->mergeclauses);
		case T_HashJoin:
			return list_make2(((Join *) plan)->joinqual,
							  ((HashJoin *) plan)->hashclauses);
		case T_Hash:
			return list_make1(((Hash *) plan)->hashkeys);
		case T_Memoize:
			return list_make1(((Memoize *) plan)->param_exprs);
		case T_Result:
			return list_make1(((Result *) plan)->resconstantqual);
		case T_WindowAgg:
			return list_make2(((WindowAgg *) plan)->startOffset,
							  ((WindowAgg *) plan)->endOffset);
		case T_Limit:
			return list_make2(((Limit *) plan)->limitCount,
							  ((Limit *) plan)->limitOffset);
		case T_ModifyTable:
			return modify_expressions((ModifyTable *) plan);
		default:
			return NIL;
	}
}

static bool
find_in_subplans(Search *search, Plan *plan, List *ancestors)
{
	SubplanSearch subplans = {search, ancestors};
	ListCell   *lc;

	foreach(lc, plan->initPlan)
		if (find_in_subplan(search, lfirst(lc), ancestors))
			return true;
	return find_in_expression((Node *) plan->targetlist, &subplans) ||
		find_in_expression((Node *) plan->qual, &subplans) ||
		find_in_expression((Node *) scan_expressions(plan), &subplans) ||
		find_in_expression((Node *) other_expressions(plan), &subplans);
}

static bool
find_below(Search *search, Plan *plan, List *ancestors)
{
	check_stack_depth();
	if (plan == NULL)
		return false;
	if (plan == search->sought)
	{
		search->ancestors = ancestors;
		return true;
	}
	ancestors = lcons(plan, list_copy(ancestors));
	return find_below(search, plan->lefttree, ancestors) ||
		find_below(search, plan->righttree, ancestors) ||
		find_in_other_children(search, plan, ancestors) ||
		find_in_subplans(search, plan, ancestors);
}

static bool
find(Search *search, const PlannedStmt *statement, const Plan *sought)
{
	search->statement = statement;
	search->sought = sought;
	search->ancestors = NIL;
	return find_below(search, statement->planTree, NIL);
}

List *
plan_tree_ancestors(const PlannedStmt *statement, const Plan *sought)
{
	Search		search;

	find(&search, statement, sought);
	return search.ancestors;
}

/* ------------------------------------------------------------------------
 * Runs
 * ------------------------------------------------------------------------
 */

/* Whether a node is run again for each row of its parent's other child. */
static bool
is_repeated_by(const Plan *parent, const Plan *child)
{
	if (parent->righttree != child)
		return false;
	return IsA(parent, RecursiveUnion) ||
		(IsA(parent, NestLoop) &&
		 ((const NestLoop *) parent)->nestParams != NIL);
}

bool
plan_tree_may_rescan(const PlannedStmt *statement, const Plan *sought)
{
	Search		search;
	const Plan *child = sought;
	ListCell   *lc;

	if (!find(&search, statement, sought))
		return true;
	foreach(lc, search.ancestors)
	{
		const Plan *ancestor = lfirst(lc);

		/* A subplan with values from outside is run for each of them. */
		if (IsA(ancestor, SubPlan))
		{
			if (!bms_is_empty(child->extParam))
				return true;
			continue;
		}
		if (is_repeated_by(ancestor, child))
			return true;
		child = ancestor;
	}
	return false;
}

/* Whether a node reads all rows of its input before it returns one. */
static bool
reads_all_input(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Sort:
		case T_Agg:
		case T_Hash:
		case T_SetOp:
		case T_RecursiveUnion:
		case T_ModifyTable:
			return true;
		default:
			return false;
	}
}

/* The number of different parameter values of a nested loop's inner node. */
static double
inner_runs(const Plan *loop)
{
	double		runs = Max(outerPlan(loop)->plan_rows, 1);
	const Plan *inner = innerPlan(loop);

	if (IsA(inner, Memoize) && ((const Memoize *) inner)->est_entries > 0)
		runs = Min(runs, ((const Memoize *) inner)->est_entries);
	return runs;
}

/* The fraction of its input that a LIMIT is expected to read. */
static double
limit_fraction(const Plan *limit)
{
	return Min(limit->plan_rows / Max(outerPlan(limit)->plan_rows, 1), 1);
}

double
plan_tree_expected_runs(const PlannedStmt *statement, const Plan *sought)
{
	Search		search;
	const Plan *child = sought;
	bool		in_subplan = false; /* that is run for each row of the next
									 * ancestor */
	double		runs = 1;
	double		whole = 1;		/* runs whose number no LIMIT changes */
	ListCell   *lc;

	find(&search, statement, sought);
	foreach(lc, search.ancestors)
	{
		const Plan *ancestor = lfirst(lc);

		if (IsA(ancestor, SubPlan))
		{
			whole = Max(whole, runs);
			in_subplan = !bms_is_empty(child->extParam);
			continue;
		}
		if (in_subplan)
			runs *= Max(ancestor->plan_rows, 1);
		else if (IsA(ancestor, NestLoop) && is_repeated_by(ancestor, child))
			runs *= inner_runs(ancestor);
		else if (IsA(ancestor, Limit))
			runs = Max(runs * limit_fraction(ancestor), whole);
		if (reads_all_input(ancestor))
			whole = runs;
		in_subplan = false;
		child = ancestor;
	}
	return runs;
}
