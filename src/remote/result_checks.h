/*
 * result_checks.h
 *		Checks of the rows of a response and of a complete result: what HiBob
 *		withheld, and whether there are as many rows as the table requires.
 */
#ifndef HIBOB_REMOTE_RESULT_CHECKS_H
#define HIBOB_REMOTE_RESULT_CHECKS_H

#include "postgres.h"

#include "compat.h"
#include "options/options.h"
#include "remote/response.h"
#include "row/row.h"

/*
 * The defect because of which the current row of a response cannot be used, or
 * NULL.  "has_batches": the request named employees.
 */
extern const char *result_row_defect(const RowMap *map, const RowReader *reader,
									 const RequestCall *call, bool has_batches);

/*
 * False if the current row has values without the human forms that columns
 * need, and the resource has a fallback that sends them.
 */
extern bool result_has_human_forms(const RowMap *map, const RowReader *reader,
								   ResponseSummary *summary);

/*
 * For a response with restricted columns.  The first function adds the columns
 * that are null in the current row, as numbers of the map's columns.  The
 * second one adds them to the summary after the last row, unless the response
 * has named what is hidden.
 */
extern void result_note_nulls(const RowMap *map, const RowReader *reader,
							  const ResponseSummary *summary, Bitmapset **nulls);
extern void result_add_nulls(ResponseSummary *summary, Bitmapset **nulls,
							 bool names_hidden);

/* Whether any row had the field of a column. */
typedef bool (*FieldPresenceTest) (const RowColumn *column, const void *arg);

/*
 * Warns, or raises an error, about data that HiBob withheld, as the table's
 * option on_missing_field specifies.
 */
extern void result_check_missing_fields(const TableOptions *options,
										const RowMap *map,
										const ResponseSummary *summary,
										FieldPresenceTest is_present,
										const void *arg);

/*
 * Raises an error if a report no longer has the columns of the table.  The
 * reader has read its header.
 */
extern void result_check_labels(const RowMap *map, const CsvReader *reader);

/*
 * Raises an error for rows without the human-readable values that the endpoint
 * does not return: other rows have been returned already.
 */
hibob_noreturn extern void result_missing_human(const RowMap *map);

/* Raises an error if the result has fewer rows than the table's min_rows. */
extern void result_check_min_rows(const TableOptions *options,
								  const RowMap *map, uint64 rows);

/* An employee has no id, in a table that is read by ids. */
hibob_noreturn extern void result_missing_identity(const RowMap *map);

/* There are more employees than fit into the memory for their ids. */
hibob_noreturn extern void result_too_many_ids(const RowMap *map);

#endif							/* HIBOB_REMOTE_RESULT_CHECKS_H */
