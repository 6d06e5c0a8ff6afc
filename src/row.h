/*
 * row.h
 *		A row's values become datums.
 *
 * A RowMap says for each wanted column of a foreign table which field of the
 * resource it takes, where the field's forms lie in a row, and how the value
 * becomes the column's type.  Knows nothing of requests.
 */
#ifndef ROW_H
#define ROW_H

#include "postgres.h"

#include "catalog.h"
#include "executor/tuptable.h"
#include "json_reader.h"
#include "options.h"
#include "utils/rel.h"

/* A value's places in a row, best first, as slots of the reader. */
#define ROW_MAX_PLACES 5

typedef struct RowColumn
{
	AttrNumber	attnum;
	const char *name;
	ColumnOptions *options;
	bool		human;			/* wants the form for people */
	int			places[ROW_MAX_PLACES];
	int			nplaces;
	int			witnesses[2];	/* slots that tell whether the field was sent */
	int			nwitnesses;
	struct RowConversion *conversion;
} RowColumn;

typedef struct RowMap
{
	const CatalogResource *resource;
	const char *table;
	RowColumn  *columns;
	int			ncolumns;
	int			identity;		/* slot of what tells a row from others */
} RowMap;

/* Resolves the wanted columns' options and types. */
extern RowMap *row_map_create(Relation rel, const List *attnums,
							  const CatalogResource *resource);

/* Asks a new reader for all that the columns need. */
extern void row_map_register(RowMap *map, JsonReader *reader);

/*
 * Stores the reader's present row in a virtual slot; what is not wanted is
 * null.  Allocates in the current memory context.  A value that does not fit
 * raises its type's error, with a context line.
 */
extern void row_map_store(const RowMap *map, const JsonReader *reader,
						  const char *window, TupleTableSlot *slot);

/* Asks a reader for a field's value, nested or, elsewhere, by its key path. */
extern int	row_map_want_field(JsonReader *reader, const char *field);

/* A scalar's text in UTF-8, palloc'd or in the window. */
extern const char *row_utf8(const JsonSlice *slice, const char *window,
							size_t *length);

#endif							/* ROW_H */
