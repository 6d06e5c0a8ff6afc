/*
 * paths.h
 *		The ways to read a table, and what they cost.
 */
#ifndef HIBOB_PATHS_H
#define HIBOB_PATHS_H

#include "postgres.h"

#include "filter.h"
#include "nodes/pathnodes.h"
#include "options.h"

/* What planning of one table goes by. */
typedef struct RelPlan
{
	const CatalogResource *resource;
	ServerOptions *server;
	List	   *clauses;		/* of FilterClause: what HiBob gets */
	FilterClause *values;		/* the one of them that names values, or NULL */
	RestrictInfo *status;		/* where the one on the status comes from */
	bool		async_capable;	/* can be read without sleeping */
} RelPlan;

extern void plan_get_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void plan_get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid);

/*
 * What HiBob gets of a path's clauses: those of the query's conditions, and of
 * a look-up the one that names a value of the join's other side.  A list of
 * FilterClause; one that names values comes first.
 */
extern List *path_clauses(const RelPlan *plan, RelOptInfo *rel, Oid relid,
						  const ParamPathInfo *param_info);

/*
 * After how many look-ups it would have been cheaper to ask for all rows: what
 * a scan goes by whose other side has more rows than was thought.
 */
extern int	path_max_lookups(const RelPlan *plan, const RelOptInfo *rel);

#endif							/* HIBOB_PATHS_H */
