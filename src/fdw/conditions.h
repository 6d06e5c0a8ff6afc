/*
 * conditions.h
 *		The remote conditions of a scan, with their values in one run.
 */
#ifndef HIBOB_FDW_CONDITIONS_H
#define HIBOB_FDW_CONDITIONS_H

#include "postgres.h"

#include "fdw/plan.h"
#include "nodes/execnodes.h"
#include "remote/request.h"

typedef struct RemoteConditions
{
	const Resource *resource;
	const ScanPlan *plan;
	List	   *values;			/* of ExprState, one for each condition */
	bool		active_only;	/* by an option of the table */
} RemoteConditions;

/* Which of the conditions are sent; the executor checks all of them. */
typedef enum ConditionScope
{
	SCOPE_ALL,
	SCOPE_FIXED,				/* those with the same value in all runs */
	SCOPE_NONE
} ConditionScope;

/*
 * The conditions with their current values.  A condition is omitted if it has
 * so many values that reading all rows takes fewer requests.
 */
extern RequestFilter conditions_evaluate(const RemoteConditions *conditions,
										 ConditionScope scope,
										 ExprContext *econtext);

/*
 * The conditions as far as they are known before the query runs.  "unknown"
 * stands for values that depend on the running query.
 */
extern RequestFilter conditions_preview(const RemoteConditions *conditions,
										ConditionScope scope,
										ExprContext *econtext,
										const char *unknown);

/*
 * Hides, in evaluated conditions, the values that depend on the running query,
 * because HiBob may have sent them.  "unknown" stands for them.  Returns
 * whether there are any.
 */
extern bool conditions_hide(const RemoteConditions *conditions,
							ConditionScope scope, const char *unknown,
							RequestFilter *filter);

/* Whether a condition is in a scope. */
extern bool conditions_include(const RemoteConditions *conditions, int index,
							   ConditionScope scope);

/* Whether a condition in the scope may have other values in the next run. */
extern bool conditions_vary(const RemoteConditions *conditions,
							ConditionScope scope);

/* Whether two filters select the same rows at HiBob, or get the same error. */
extern bool conditions_equal(const RequestFilter *a, const RequestFilter *b);

#endif							/* HIBOB_FDW_CONDITIONS_H */
