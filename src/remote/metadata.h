/*
 * metadata.h
 *		The metadata of an account's fields, custom tables and reports: the
 *		names and types that IMPORT needs.
 *
 * All texts are UTF-8, as HiBob sends them.
 */
#ifndef HIBOB_REMOTE_METADATA_H
#define HIBOB_REMOTE_METADATA_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* A field of employees, or a column of a custom table. */
typedef struct MetadataField
{
	const char *id;
	const char *name;
	const char *category;		/* its display name, or NULL */
	const char *type;			/* HiBob's name of it */
	const char *list;			/* the id of the named list of its values, or NULL */
} MetadataField;

typedef struct MetadataTable
{
	const char *id;
	const char *name;
	List	   *columns;		/* of MetadataField */
} MetadataTable;

typedef struct MetadataReport
{
	const char *id;
	const char *name;
} MetadataReport;

/* Lists of these structs, in HiBob's order. */
extern List *metadata_fields(Oid serverid);
extern List *metadata_custom_tables(Oid serverid);
extern List *metadata_reports(Oid serverid);

/*
 * The labels of the columns of a saved report, for a table that is to be
 * created: a list of char *, as csv_reader_want() takes them.  The second
 * column with a label gets the suffix "#2"; the first one without a label is
 * "#1".
 */
extern List *metadata_report_labels(Oid serverid, const char *table,
									const char *report_id);

#endif							/* HIBOB_REMOTE_METADATA_H */
