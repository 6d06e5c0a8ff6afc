/*
 * row.h
 *		Converts the values of a row to datums.
 *
 * A RowMap has, for each column that a query needs, the field of the resource,
 * the places in a row where the field's value may be, and the conversion to the
 * column's type.  Knows nothing of requests.
 */
#ifndef HIBOB_ROW_ROW_H
#define HIBOB_ROW_ROW_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "options/options.h"
#include "resources/resource.h"
#include "row/row_reader.h"
#include "utils/rel.h"

/* The places of a value in a row, as slots of the reader, by priority. */
#define ROW_MAX_PLACES (3 * RESOURCE_MAX_SOURCES)

/* A field that is read, but not converted. */
typedef struct RowField
{
	int			places[2];
	int			nplaces;		/* 0: no such field */
} RowField;

typedef struct RowColumn
{
	AttrNumber	attnum;
	const char *name;
	ColumnOptions *options;
	const char *field;			/* those of the options, in UTF-8 */
	const char *path;
	bool		human;			/* needs the human-readable form */
	int			supplied;		/* index in the resource's supplied fields, or
								 * -1 */
	int			places[ROW_MAX_PLACES];
	int			nplaces;
	const ResourceDerived *derived; /* NULL: the field is in one place */
	int			nnullable;		/* the first of them: skipped if null */
	int			scalar_place;	/* one of these: skipped if an object; or -1 */
	int			presence_slots[2];	/* slots that show whether a row has the field */
	int			npresence_slots;
	struct RowConversion *conversion;
} RowColumn;

typedef struct RowMap
{
	const Resource *resource;
	const char *table;			/* its qualified name, for messages */
	RowColumn  *columns;
	int			ncolumns;
	RowField	identity;		/* the id of a row */
	bool		only_counts;	/* the query needs no value of a row */
} RowMap;

/* A value that the row itself does not have, in UTF-8; NULL is null. */
typedef struct SuppliedValue
{
	const char *text;
	size_t		length;
} SuppliedValue;

/* A row as it was read; valid until the reader continues. */
typedef struct RowRecord
{
	const RowReader *reader;
	const char *window;
	SuppliedValue supplied[RESOURCE_MAX_SUPPLIED];
} RowRecord;

/* Resolves the options and types of columns. */
extern RowMap *row_map_create(Relation rel, const List *attnums,
							  const Resource *resource);

/* Whether a column takes the whole row, or needs the human-readable form. */
extern bool row_map_has_whole_row(const RowMap *map);
extern bool row_map_is_human(const RowMap *map);

/*
 * Requests the values that the columns need from a new reader, and with
 * "identity" the id of the rows.  Several readers of one map have the same
 * slots.
 */
extern void row_map_register(RowMap *map, RowReader *reader, bool identity);

/*
 * Stores a row in a virtual slot; other columns are null.  Allocates in the
 * current memory context.  An invalid value raises the error of its type, with
 * a context line.
 */
extern void row_map_store(const RowMap *map, const RowRecord *record,
						  TupleTableSlot *slot);

/* Requests an employee's field from a reader. */
extern void row_field_register(RowField *field, RowReader *reader,
							   const char *id);

/* The field's value in the current row; NULL if it is absent or null. */
extern const JsonSlice *row_field_value(const RowField *field,
										const RowReader *reader);

/* A scalar's text in UTF-8, palloc'd or in the window. */
extern const char *row_utf8(const JsonSlice *slice, const char *window,
							size_t *length);

/*
 * A string's text, or any other value as JSON, palloc'd; NULL if it is absent
 * or null.  For an escape that stands for no character, row_utf8() raises an
 * error; this function returns a text that is not valid UTF-8, which the caller
 * has to check.
 */
extern char *row_metadata_text(const JsonSlice *slice, const char *window);

#endif							/* HIBOB_ROW_ROW_H */
