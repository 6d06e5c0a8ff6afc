/*
 * metadata_fetch.h
 *		What IMPORT reads of HiBob: metadata, and the header of a report.
 *
 * Asked for as the present role, by the same ways as a scan: with its errors,
 * and cancellable.
 */
#ifndef HIBOB_REMOTE_METADATA_FETCH_H
#define HIBOB_REMOTE_METADATA_FETCH_H

#include "postgres.h"

#include "nodes/pg_list.h"

/*
 * The rows of a resource ("fields", "custom_tables", "reports") as one JSON
 * array in UTF-8, palloc'd, however HiBob has wrapped them.
 */
extern char *metadata_fetch_document(Oid serverid, const char *resource,
									 size_t *length);

/*
 * The labels of the columns of a saved report that is to be a table: a list of
 * char * in UTF-8, as csv_reader_want() takes them.  The second of the same
 * label ends in "#2", the first one without a label is "#1".
 */
extern List *metadata_report_labels(Oid serverid, const char *table,
									const char *report_id);

#endif							/* HIBOB_REMOTE_METADATA_FETCH_H */
