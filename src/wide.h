/*
 * wide.h
 *		Employees with more fields than one request can name: several searches
 *		for the same people, joined by id.
 */
#ifndef WIDE_H
#define WIDE_H

#include "postgres.h"

#include "connection.h"
#include "executor/tuptable.h"
#include "response.h"
#include "row.h"

typedef struct Wide Wide;

/* Whether a map's columns need more than one request. */
extern bool wide_is_needed(const RowMap *map);

/* The first of the maps that it is cut into; palloc'd. */
extern RowMap *wide_first_part(const RowMap *map);

/*
 * Starts reading the people that a filter names.  It lives in the present
 * memory context, and all that is given has to live as long.
 */
extern Wide *wide_create(const ErrorSubject *subject, ConnectionLease *lease,
						 const RowMap *map, const TableOptions *options,
						 const RequestFilter *filter,
						 ExchangeCounters *counters,
						 ResponseFindings *findings);

/*
 * Stores the next row in a virtual slot; its values last until the next call.
 * False after the last one.
 */
extern bool wide_next(Wide *wide, TupleTableSlot *slot);

extern bool wide_carried(const Wide *wide, const RowColumn *column);

#endif							/* WIDE_H */
