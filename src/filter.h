/*
 * filter.h
 *		Which restriction clauses HiBob can evaluate, and their values when the
 *		query runs.
 *
 * Everything found here is checked again locally: HiBob may match more than
 * PostgreSQL does, never less.
 */
#ifndef FILTER_H
#define FILTER_H

#include "postgres.h"

#include "catalog.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

typedef enum FilterKind
{
	FILTER_EQUALS,				/* field = value */
	FILTER_ANY					/* field = ANY (array) */
} FilterKind;

/* A clause that HiBob can evaluate. */
typedef struct FilterClause
{
	const char *field;
	FilterKind	kind;
	Expr	   *value;			/* has no variable of the table */
} FilterClause;

/*
 * Recognizes a clause on one of the filterable fields of a table.  Returns
 * NULL for any other.
 */
extern FilterClause *filter_recognize(Expr *clause, RelOptInfo *rel,
									  Oid relid,
									  const CatalogResource *resource);

/*
 * How many values a clause has, as far as the planner can know; at least one.
 */
extern int	filter_estimate_values(const FilterClause *clause);

/*
 * Evaluates a clause's value: a list of C strings in the database's encoding,
 * without nulls.
 */
extern List *filter_evaluate(ExprState *state, ExprContext *econtext,
							 FilterKind kind);

/*
 * Whether a value can be evaluated before the query runs: EXPLAIN shows it
 * then.  What a subquery or another table gives cannot.
 */
extern bool filter_is_known(Expr *value);

#endif							/* FILTER_H */
