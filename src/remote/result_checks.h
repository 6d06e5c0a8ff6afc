/*
 * result_checks.h
 *		What can be said of an answer only when it is whole: what HiBob left
 *		out, and whether there are as many rows as the table demands.
 */
#ifndef HIBOB_REMOTE_RESULT_CHECKS_H
#define HIBOB_REMOTE_RESULT_CHECKS_H

#include "postgres.h"

#include "compat.h"
#include "options/options.h"
#include "remote/response.h"
#include "row/row.h"

/* Tells whether any row carried a column's field. */
typedef bool (*FieldPresenceTest) (const RowColumn *column, const void *arg);

/*
 * Warns of, or refuses, what HiBob withheld, as the table's on_missing_field
 * says.
 */
extern void result_check_missing_fields(const TableOptions *options,
										const RowMap *map,
										const ResponseFindings *findings,
										FieldPresenceTest carried,
										const void *arg);

/*
 * Refuses a report that does not have the columns of the table any more.  The
 * reader knows its header.
 */
extern void result_check_labels(const RowMap *map, const CsvReader *reader);

/* Refuses employees whose id is not shown, where they are read by it. */
hibob_noreturn extern void result_missing_identity(const RowMap *map);

/* Refuses more employees than there is room for the ids of. */
hibob_noreturn extern void result_too_many_ids(const RowMap *map);

/* Refuses fewer rows than the table's min_rows demands. */
extern void result_check_min_rows(const TableOptions *options,
								  const RowMap *map, uint64 rows);

#endif							/* HIBOB_REMOTE_RESULT_CHECKS_H */
