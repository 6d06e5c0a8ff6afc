/*
 * minmax.h
 *		The least and the greatest value that an expression takes over the rows
 *		of another table of the query.
 */
#ifndef HIBOB_FDW_MINMAX_H
#define HIBOB_FDW_MINMAX_H

#include "postgres.h"

#include "nodes/pathnodes.h"

/*
 * A parameter with the least ("lower") or the greatest value of an expression
 * over one table of this query or of an outer one.  The executor computes it
 * once, by an initplan.  NULL if there is no simple way to do so.
 */
extern Param *minmax_param(PlannerInfo *root, Expr *value, bool lower);

#endif							/* HIBOB_FDW_MINMAX_H */
