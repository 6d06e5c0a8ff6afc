/*
 * conditions.h
 *		A scan's conditions, with the values that they have in one run.
 */
#ifndef HIBOB_FDW_CONDITIONS_H
#define HIBOB_FDW_CONDITIONS_H

#include "postgres.h"

#include "fdw/plan.h"
#include "remote/request.h"

typedef struct RemoteConditions
{
	const Resource *resource;
	const ScanPlan *plan;
	List	   *values;			/* of ExprState, one for each of plan's clauses */
	bool		active_only;	/* whatever the query says */
} RemoteConditions;

/* What the conditions come to with the present values. */
extern RequestFilter conditions_evaluate(const RemoteConditions *conditions,
										 ExprContext *econtext);

/*
 * What is known of that before the query runs.  "unknown" stands for values
 * that only the running query can tell.
 */
extern RequestFilter conditions_preview(const RemoteConditions *conditions,
										ExprContext *econtext,
										const char *unknown);

/* Whether the values that are asked for come from the running query. */
extern bool conditions_are_parameterized(const RemoteConditions *conditions);

/* Whether they ask for the same. */
extern bool conditions_equal(const RequestFilter *a, const RequestFilter *b);

#endif							/* HIBOB_FDW_CONDITIONS_H */
