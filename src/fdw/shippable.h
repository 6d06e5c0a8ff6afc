/*
 * shippable.h
 *		Which restriction clauses HiBob can evaluate, and their values when the
 *		query runs.
 *
 * Everything found here is checked again locally: HiBob may match more than
 * PostgreSQL does, never less.
 */
#ifndef HIBOB_FDW_SHIPPABLE_H
#define HIBOB_FDW_SHIPPABLE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "resources/resource.h"

/* How a clause compares a field with its value. */
typedef enum FilterComparison
{
	COMPARE_EQUAL,				/* field = value */
	COMPARE_ANY,				/* field = ANY (array) */
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
	Expr	   *clause;			/* as a whole */
} ShippableClause;

/*
 * Recognizes a clause on one of the filterable fields of a table.  Returns
 * NULL for any other.
 */
extern ShippableClause *shippable_clause(Expr *clause, RelOptInfo *rel,
										 Oid relid,
										 const Resource *resource);

/*
 * The filter for the field that a column takes as HiBob has it: its index in
 * the resource's filters, or -1.
 */
extern int	shippable_filter_of_column(Oid relid, AttrNumber attnum,
									   const Resource *resource);

/*
 * How many values a clause has, as far as the planner can know; at least one.
 */
extern int	shippable_estimate_values(const ShippableClause *clause);

/*
 * Evaluates the value of a clause with COMPARE_EQUAL or COMPARE_ANY: a list of
 * C strings in the database's encoding, without nulls.
 */
extern List *shippable_evaluate_values(ExprState *state, ExprContext *econtext,
									   FilterComparison comparison);

/* Evaluates a value that is a date or a time.  False if it is null. */
extern bool shippable_evaluate_time(ExprState *state, ExprContext *econtext,
									TimestampTz *result);

/*
 * Whether a value can be evaluated before the query runs: EXPLAIN shows it
 * then.  What a subquery or another table gives cannot; nor can a statement's
 * parameters where they have no values, as in a generic plan that is only
 * explained.
 */
extern bool shippable_value_is_known(Expr *value, bool parameters);

#endif							/* HIBOB_FDW_SHIPPABLE_H */
