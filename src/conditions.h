/*
 * conditions.h
 *		A scan's conditions, with the values that they have in one run.
 */
#ifndef CONDITIONS_H
#define CONDITIONS_H

#include "postgres.h"

#include "plan.h"
#include "request.h"

typedef struct Conditions
{
	const CatalogResource *resource;
	const ScanPlan *plan;
	List	   *values;			/* of ExprState, one for each of plan's clauses */
	bool		active_only;	/* whatever the query says */
} Conditions;

/* What the conditions come to with the present values. */
extern RequestFilter conditions_evaluate(const Conditions *conditions,
										 ExprContext *econtext);

/*
 * What is known of that before the query runs.  "unknown" stands for values
 * that only the running query can tell.
 */
extern RequestFilter conditions_foresee(const Conditions *conditions,
										ExprContext *econtext,
										const char *unknown);

/* Whether the values that are asked for come from the running query. */
extern bool conditions_look_up(const Conditions *conditions);

/* Whether they ask for the same. */
extern bool conditions_same(const RequestFilter *a, const RequestFilter *b);

#endif							/* CONDITIONS_H */
