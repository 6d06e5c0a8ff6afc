/*
 * plan.h
 *		From a query to a scan plan.
 */
#ifndef HIBOB_FDW_PLAN_H
#define HIBOB_FDW_PLAN_H

#include "postgres.h"

#include "fdw/shippable.h"
#include "foreign/fdwapi.h"

/*
 * What a plan says beyond its expressions.  In the plan it is a list of lists
 * and constants, so that cached plans can be copied.
 */
typedef struct ScanPlan
{
	List	   *attnums;		/* of the wanted columns, ascending */
	List	   *filters;		/* of the pushed-down clauses: the index in the
								 * resource's filters, */
	List	   *comparisons;	/* and a FilterComparison */
	int64		limit;			/* the most rows that are wanted; 0: all */
	int			max_lookups;	/* after so many, asking for all is cheaper */
	List	   *local;			/* which of the plan's conditions HiBob does not
								 * get: their indexes */
} ScanPlan;

/* fdw_exprs: the values of the clauses. */
extern ScanPlan *scan_plan_of(const ForeignScan *plan);

extern ForeignScan *hibobGetForeignPlan(PlannerInfo *root, RelOptInfo *rel,
										Oid relid, ForeignPath *path,
										List *tlist, List *clauses,
										Plan *outer_plan);

#endif							/* HIBOB_FDW_PLAN_H */
