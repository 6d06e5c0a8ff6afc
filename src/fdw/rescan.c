/*
 * rescan.c
 *		Whether the executor may run a part of a plan more than once.
 *
 * A scan depends on no parameter, but joined with one that does it is run again
 * with each of its values: as the outer side of a hash join in a correlated
 * subquery, or the people in a recursive query that goes down a tree.
 *
 * Knows plan trees.
 */
#include "postgres.h"

#include "fdw/rescan.h"
#include "miscadmin.h"

/* What is looked for, and how the way there is. */
typedef struct Search
{
	const Plan *sought;
	bool		again;			/* once found: something on the way runs it so */
} Search;

static bool find_below(Search *search, const Plan *plan, bool again);

static bool
find_in_list(Search *search, const List *plans, bool again)
{
	ListCell   *lc;

	foreach(lc, plans)
		if (find_below(search, lfirst(lc), again))
			return true;
	return false;
}

/* Whether what stands on the right is run for each row of the left. */
static bool
repeats_right(const Plan *plan)
{
	return IsA(plan, RecursiveUnion) ||
		(IsA(plan, NestLoop) &&
		 ((const NestLoop *) plan)->nestParams != NIL);
}

/* The children that some nodes have beside a left and a right one. */
static bool
find_in_others(Search *search, const Plan *plan, bool again)
{
	switch (nodeTag(plan))
	{
		case T_Append:
			return find_in_list(search, ((const Append *) plan)->appendplans,
								again);
		case T_MergeAppend:
			return find_in_list(
				search, ((const MergeAppend *) plan)->mergeplans, again);
		case T_SubqueryScan:
			return find_below(search, ((const SubqueryScan *) plan)->subplan,
							  again);
		case T_CustomScan:
			return find_in_list(
				search, ((const CustomScan *) plan)->custom_plans, again);
		default:
			return false;
	}
}

/* Whether the sought node is there. */
static bool
find_below(Search *search, const Plan *plan, bool again)
{
	check_stack_depth();
	if (plan == NULL)
		return false;
	if (plan == search->sought)
	{
		search->again = again;
		return true;
	}
	return find_below(search, plan->lefttree, again) ||
		find_below(search, plan->righttree, again || repeats_right(plan)) ||
		find_in_others(search, plan, again);
}

bool
rescan_is_possible(const PlannedStmt *statement, const Plan *sought)
{
	Search		search = {.sought = sought};
	ListCell   *lc;

	if (find_below(&search, statement->planTree, false))
		return search.again;
	foreach(lc, statement->subplans)
	{
		const Plan *plan = lfirst(lc);

		/* One that takes values from outside is run for each of them. */
		if (plan != NULL &&
			find_below(&search, plan, !bms_is_empty(plan->extParam)))
			return search.again;
	}
	return true;
}
