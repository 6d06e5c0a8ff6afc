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

/* The conditions with their present values. */
extern RequestFilter conditions_evaluate(const RemoteConditions *conditions,
										 ExprContext *econtext);

/*
 * The conditions as far as they are known before the query runs.  "unknown"
 * stands for values that depend on the running query.
 */
extern RequestFilter conditions_preview(const RemoteConditions *conditions,
										ExprContext *econtext,
										const char *unknown);

/* Whether the condition on values depends on the running query. */
extern bool conditions_are_parameterized(const RemoteConditions *conditions);

/* Whether two filters select the same rows at HiBob. */
extern bool conditions_equal(const RequestFilter *a, const RequestFilter *b);

#endif							/* HIBOB_FDW_CONDITIONS_H */
