/*
 * field_split.h
 *		Employees with more fields than one request can name: several searches
 *		for the same employees, joined by id.
 */
#ifndef HIBOB_REMOTE_FIELD_SPLIT_H
#define HIBOB_REMOTE_FIELD_SPLIT_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "remote/response.h"
#include "row/row.h"
#include "session/connection.h"

typedef struct FieldSplit FieldSplit;

/* Whether a map's columns need more than one request. */
extern bool field_split_is_needed(const RowMap *map);

/* The first of the parts that a map is split into; palloc'd. */
extern RowMap *field_split_first_part(const RowMap *map);

/*
 * Starts to read the employees that a filter names.  The result lives in the
 * current memory context; the arguments have to live as long.
 */
extern FieldSplit *
field_split_create(const ErrorSubject *subject, AcquiredChannel *acquired,
				   const RowMap *map, const TableOptions *options,
				   const RequestFilter *filter, ExchangeCounters *counters,
				   ResponseSummary *summary);

/*
 * Stores the next row in a virtual slot; its values last until the next call.
 * False after the last one.
 */
extern bool field_split_next(FieldSplit *split, TupleTableSlot *slot);

/* Whether any row had the field of a column. */
extern bool field_split_has_field(const FieldSplit *split,
								  const RowColumn *column);

#endif							/* HIBOB_REMOTE_FIELD_SPLIT_H */
