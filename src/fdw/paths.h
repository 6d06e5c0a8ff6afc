/*
 * paths.h
 *		The ways to read a table, and what they cost.
 */
#ifndef HIBOB_FDW_PATHS_H
#define HIBOB_FDW_PATHS_H

#include "postgres.h"

#include "fdw/shippable.h"
#include "nodes/pathnodes.h"
#include "options/options.h"

/* What planning of one table goes by. */
typedef struct HibobFdwRelationInfo
{
	const Resource *resource;
	ServerOptions *server;
	List	   *clauses;		/* of ShippableClause: what HiBob gets */
	ShippableClause *values;	/* the one of them that names values, or NULL */
	RestrictInfo *status;		/* where the one on the status comes from */
	bool		async_capable;	/* can be read without sleeping */
} HibobFdwRelationInfo;

extern void hibobGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel,
								   Oid relid);
extern void hibobGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid);

/*
 * What HiBob gets of a path's clauses: those of the query's conditions, and of
 * a look-up the one that names a value of the join's other side.  A list of
 * ShippableClause; one that names values comes first.
 */
extern List *path_remote_clauses(const HibobFdwRelationInfo *plan,
								 RelOptInfo *rel, Oid relid,
								 const ParamPathInfo *param_info);

/*
 * After how many look-ups it would have been cheaper to ask for all rows: what
 * a scan goes by whose other side has more rows than was thought.
 */
extern int path_max_lookups(const HibobFdwRelationInfo *plan,
							const RelOptInfo *rel);

#endif							/* HIBOB_FDW_PATHS_H */
