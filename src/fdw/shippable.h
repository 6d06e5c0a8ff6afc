/*
 * shippable.h
 *		Which restriction clauses HiBob can evaluate.
 *
 * The executor checks every clause again: HiBob may match more rows than
 * PostgreSQL does, never fewer.
 */
#ifndef HIBOB_FDW_SHIPPABLE_H
#define HIBOB_FDW_SHIPPABLE_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "resources/resource.h"

/* How a clause compares a field with its value. */
typedef enum FilterComparison
{
	COMPARE_EQUAL,				/* field = value */
	COMPARE_ANY,				/* field = ANY (array); of a range of time, from
								 * the least element to the greatest */
	COMPARE_LOWER,				/* field >= value */
	COMPARE_ABOVE,				/* field > value */
	COMPARE_UPPER,				/* field <= value */
	COMPARE_BELOW				/* field < value */
} FilterComparison;

/* A clause that HiBob can evaluate. */
typedef struct ShippableClause
{
	int			filter;			/* index in the resource's filters */
	FilterComparison comparison;
	Expr	   *value;			/* has no variable of the table */
	bool		varies;			/* from run to run of the scan: the value comes
								 * from another table */
	Expr	   *clause;			/* as a whole */
} ShippableClause;

/*
 * The parts of a clause that HiBob can evaluate, as a list of ShippableClause:
 * one part, two bounds for an OR of ranges of time, or none.
 */
extern List *shippable_clauses(PlannerInfo *root, Expr *clause, RelOptInfo *rel,
							   Oid relid, const Resource *resource);

/*
 * The filter for the field of a column that has HiBob's own value: its index in
 * the resource's filters, or -1.
 */
extern int	shippable_filter_of_column(Oid relid, AttrNumber attnum,
									   const Resource *resource);

/* Whether a clause gives a lower, or an upper, bound of the range of time. */
extern bool shippable_is_lower(const ShippableClause *clause,
							   const Resource *resource);
extern bool shippable_is_upper(const ShippableClause *clause,
							   const Resource *resource);

/* The planner's estimate of a clause's number of values; at least one. */
extern int	shippable_estimate_values(const ShippableClause *clause);

#endif							/* HIBOB_FDW_SHIPPABLE_H */
