/*
 * metadata.h
 *		What an account says of its own fields, tables and reports.
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
	const char *category;		/* as people see it, or NULL */
	const char *type;			/* as HiBob calls it */
	const char *list;			/* the named list of its values, or NULL */
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

/* Lists of the above, in HiBob's order. */
extern List *metadata_fields(Oid serverid);
extern List *metadata_custom_tables(Oid serverid);
extern List *metadata_reports(Oid serverid);

#endif							/* HIBOB_REMOTE_METADATA_H */
