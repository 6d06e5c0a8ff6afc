/*
 * json_find.h
 *		The state of a JSON reader, and how it finds rows and values.
 *
 * Private to the JSON reader.  json_reader.c knows tokens and the grammar.
 * json_find.c knows the meaning of the containers on the path to rows and
 * wanted values: where a row begins and ends, which values it has, and what is
 * copied from outside of rows.
 */
#ifndef HIBOB_READER_JSON_FIND_H
#define HIBOB_READER_JSON_FIND_H

#include "reader/json_layout.h"
#include "reader/json_scan.h"
#include "reader/json_tree.h"

struct JsonReader
{
	JsonReaderAlloc alloc;
	size_t		max_row;
	size_t		max_depth;

	JsonNode   *document;		/* root of the shape */
	JsonNode   *row;			/* root of the wanted paths */
	JsonNode  **slots;
	int			nslots;
	int			slots_room;

	/* the window; all offsets are in it */
	const char *window;
	size_t		length;
	uint64_t	window_start;	/* its offset in the document */
	size_t		position;		/* where to continue */
	size_t		row_start;		/* if in a row */

	JsonPlace	at;				/* its state is a ReaderState */
	JsonScan	scan;
	const char *token;			/* the current one */
	JsonLayout *layout;

	JsonNode   *listed;			/* nodes that have a value in this row */
	bool		row_complete;

	JsonDefectKind defect_kind; /* of the scan's defect */
	JsonDefect	defect;			/* once reported */

	/* wanted values outside of rows; last, since few tokens need them */
	JsonCopies	copies;
	JsonNode   *nowhere;		/* parent of those that cannot occur */
	const JsonCopy *copied;		/* of the outermost container that is being
								 * read for a copy, or NULL */
};

/*
 * Defects
 *
 * The scan keeps the message and place of a defect, so that a single check
 * finds it.  If a row, or a token or wanted container outside of rows, is too
 * large, the defect is at its start.
 */

static inline const char *
json_defect(JsonReader *reader, JsonDefectKind kind, const char *message,
			const char *where)
{
	reader->defect_kind = kind;
	return json_scan_defect(&reader->scan, message, where);
}

static inline const char *
json_too_large(JsonReader *reader, const char *where)
{
	return json_defect(reader, JSON_DEFECT_ROW_SIZE, "larger than allowed",
					   where);
}

/*
 * The tokens of a container on the path to rows or values, at "p" or from
 * "start" to "end".  False: a defect.
 */

/* A scalar at a node of a row and at one of the shape; both may be NULL. */
extern bool json_find_scalar(JsonReader *reader, JsonNode *want,
							 const JsonNode *shape, JsonKind kind,
							 const char *start, const char *end);

/* A container begins, or ends, which may complete a row. */
extern bool json_find_enter(JsonReader *reader, const char *p);
extern bool json_find_leave(JsonReader *reader, const char *p);

/* The same for a container that is a value of a row, and nothing else. */
extern void json_find_enter_value(JsonReader *reader, JsonNode *want,
								  size_t depth, const char *p);
extern void json_find_leave_value(JsonReader *reader, const char *p);

/* Forgets all values of a row. */
extern void json_find_forget_row(JsonReader *reader);

#endif							/* HIBOB_READER_JSON_FIND_H */
