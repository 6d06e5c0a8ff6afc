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
	int			identity;		/* slot of what tells a row from others, or -1 */
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

/* Asks a reader for an employee's field, where it is nested. */
extern int	row_map_want_field(RowReader *reader, const char *field);

/* A scalar's text in UTF-8, palloc'd or in the window. */
extern const char *row_utf8(const JsonSlice *slice, const char *window,
							size_t *length);

#endif							/* HIBOB_ROW_ROW_H */
