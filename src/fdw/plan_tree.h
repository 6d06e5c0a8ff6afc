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
 * Whether a node may be run again although nothing of its own has changed, and
 * although the executor does not announce it by EXEC_FLAG_REWIND: because of
 * parameters of a node beside it.
 */
extern bool plan_tree_may_rescan(const PlannedStmt *statement,
								 const Plan *sought);

/*
 * How often the planner expects a node to be run with values from outside; 1 if
 * that is not known.
 */
extern double plan_tree_expected_runs(const PlannedStmt *statement,
									  const Plan *sought);

#endif							/* HIBOB_FDW_PLAN_TREE_H */
