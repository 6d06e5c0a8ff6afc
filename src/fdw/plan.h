/*
 * plan.h
 *		Planning of a foreign table: size, paths, plan.
 */
#ifndef HIBOB_FDW_PLAN_H
#define HIBOB_FDW_PLAN_H

#include "postgres.h"

#include "fdw/shippable.h"
#include "foreign/fdwapi.h"
#include "nodes/pathnodes.h"
#include "options/options.h"

/*
 * Parallel requests take less time than the same number of others.  The
 * difference decides only between plans with about the same number.
 */
#define PARALLEL_REQUEST_COST 0.95

/* In fdw_private of a RelOptInfo. */
typedef struct HibobFdwRelationInfo
{
	const Resource *resource;
	ServerOptions *server;
	int			batch_size;		/* option of the table */
	double		employees;		/* in the account; 0: not known */
	bool		guessed;		/* the number of rows is only a typical one */
	bool		correlated;		/* the query is run for each row of another */
	bool		day_is_compared;	/* a clause has the column of FILTER_DAY */
	List	   *clauses;		/* remote conditions other than "values" */
	ShippableClause *values;	/* the best condition on values, or NULL */
	RestrictInfo *status;		/* the condition on the status, or NULL */
	bool		async_capable;	/* can be read without sleeping */
	bool		is_read_twice;	/* values of other tables are not sent, so that
								 * the scan shares the result of minmax.c's */
} HibobFdwRelationInfo;

/*
 * In fdw_private of a ForeignScan, as a list of lists and constants, so that
 * cached plans can be copied.  The values of the remote conditions are in
 * fdw_exprs.
 */
typedef struct ScanPlan
{
	List	   *attnums;		/* columns to request, ascending */
	List	   *generated;		/* needed columns that are computed from them */
	List	   *filters;		/* of each remote condition: the index in the
								 * resource's filters, */
	List	   *comparisons;	/* and its FilterComparison */
	List	   *varies;			/* and whether its value varies between runs */
	int64		limit;			/* the expected number of rows that are needed;
								 * 0: all */
	int			all_requests;	/* to read all rows that the conditions with
								 * fixed values select, as a cost; INT_MAX:
								 * this cannot be done */
	int			max_requests;	/* after these, a scan whose values vary reads
								 * all rows */
	bool		lacks_day;		/* the query compares the day of rows, and no
								 * condition on it is sent */
	List	   *local;			/* indexes of the conditions in the plan's qual
								 * that are not sent to HiBob */
} ScanPlan;

extern ScanPlan *scan_plan_of(const ForeignScan *plan);

/*
 * Whether the remote conditions of the query alone suffice to read a table; sets
 * them, as a list of expressions.
 */
extern bool plan_fixed_conditions(const RelOptInfo *rel, List **conditions);

extern void hibobGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel,
								   Oid relid);
extern void hibobGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *hibobGetForeignPlan(PlannerInfo *root, RelOptInfo *rel,
										Oid relid, ForeignPath *path,
										List *tlist, List *clauses,
										Plan *outer_plan);

#endif							/* HIBOB_FDW_PLAN_H */
