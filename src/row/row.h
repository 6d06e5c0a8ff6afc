/*
 * row.h
 *		A row's values become datums.
 *
 * A RowMap says for each wanted column of a foreign table which field of the
 * resource it takes, where the field's forms lie in a row, and how the value
 * becomes the column's type.  Knows nothing of requests.
 */
#ifndef HIBOB_ROW_ROW_H
#define HIBOB_ROW_ROW_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "options/options.h"
#include "resources/resource.h"
#include "row/row_reader.h"
#include "utils/rel.h"

/* A value's places in a row, best first, as slots of the reader. */
#define ROW_MAX_PLACES 5

/* A field of which only the value counts; its places likewise. */
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
	const char *field;			/* of the options, and */
	const char *path;			/* as HiBob writes them: in UTF-8 */
	bool		human;			/* wants the form for people */
	int			given;			/* index in the resource's given fields, or -1 */
	int			places[ROW_MAX_PLACES];
	int			nplaces;
	int			nhuman;			/* the first of them, which may be null */
	int			scalar_place;	/* one of these that takes no object, or -1 */
	int			presence_slots[2];	/* slots that tell whether the field was sent */
	int			npresence_slots;
	struct RowConversion *conversion;
} RowColumn;

typedef struct RowMap
{
	const Resource *resource;
	const char *table;
	RowColumn  *columns;
	int			ncolumns;
	RowField	identity;		/* what tells a row from others */
} RowMap;

/* A value that the row itself does not have, in UTF-8; NULL is null. */
typedef struct RowGiven
{
	const char *text;
	size_t		length;
} RowGiven;

/* A row as it was read; lasts until the reader goes on. */
typedef struct RowRecord
{
	const RowReader *reader;
	const char *window;
	RowGiven	given[RESOURCE_MAX_GIVEN];
} RowRecord;

/* Resolves the wanted columns' options and types. */
extern RowMap *row_map_create(Relation rel, const List *attnums,
							  const Resource *resource);

/*
 * Asks a new reader for all that the columns need.  Several readers of one map
 * give the same slots.
 */
extern void row_map_register(RowMap *map, RowReader *reader);

/*
 * Stores a row in a virtual slot; what is not wanted is null.  Allocates in
 * the current memory context.  A value that does not fit raises its type's
 * error, with a context line.
 */
extern void row_map_store(const RowMap *map, const RowRecord *record,
						  TupleTableSlot *slot);

/* Registers an employee's field with a reader. */
extern void row_field_register(RowField *field, RowReader *reader,
							   const char *id);

/* The field's value in the present row; NULL if it has none, or null. */
extern const JsonSlice *row_field_value(const RowField *field,
										const RowReader *reader);

/* A scalar's text in UTF-8, palloc'd or in the window. */
extern const char *row_utf8(const JsonSlice *slice, const char *window,
							size_t *length);

#endif							/* HIBOB_ROW_ROW_H */
