/*
 * plan_tree.h
 *		The place of a scan in its statement's plan.
 */
#ifndef HIBOB_FDW_PLAN_TREE_H
#define HIBOB_FDW_PLAN_TREE_H

#include "postgres.h"

#include "nodes/plannodes.h"

/*
 * The ancestors of a plan node, from its parent to the top, as EXPLAIN keeps
 * them for deparsing: Plan nodes, and before the node that evaluates a subplan
 * its SubPlan.  NIL for the top node, or if the node was not found.
 */
extern List *plan_tree_ancestors(const PlannedStmt *statement,
								 const Plan *sought);

/*
 * Whether a node may be run again because of the parameters of a node beside
 * it.  Its own parameters have not changed then, and the executor does not
 * announce the rescan by EXEC_FLAG_REWIND.
 */
extern bool plan_tree_may_rescan(const PlannedStmt *statement,
								 const Plan *sought);

/*
 * The number of runs, with values from outside, that the planner expects of a
 * node; 1 if it is not known.
 */
extern double plan_tree_expected_runs(const PlannedStmt *statement,
									  const Plan *sought);

#endif							/* HIBOB_FDW_PLAN_TREE_H */
