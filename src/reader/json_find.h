/*
 * json_find.h
 *		The inside of a reader, and what it notes of a document on its way.
 *
 * Part of json_reader.c and of use to nothing else.  The reader knows tokens
 * and the grammar; json_find.c knows what the containers on the way to rows and
 * wanted values mean: when a row begins and is complete, which values it has,
 * and what is copied from outside of rows.
 */
#ifndef HIBOB_READER_JSON_FIND_H
#define HIBOB_READER_JSON_FIND_H

#include "reader/json_layout.h"
#include "reader/json_outside.h"
#include "reader/json_scan.h"
#include "reader/json_tree.h"

struct JsonReader
{
	JsonReaderAlloc alloc;
	size_t		max_row;
	size_t		max_depth;

	JsonNode   *document;		/* where the shape starts */
	JsonNode   *row;			/* where the wanted paths start */
	JsonNode  **slots;
	int			nslots;
	int			slots_room;

	/* the window; all offsets are in it */
	const char *window;
	size_t		length;
	uint64_t	window_start;	/* where it lies in the document */
	size_t		position;		/* where to go on reading */
	size_t		row_start;		/* if in a row */

	JsonPlace	at;				/* its state is a ReaderState */
	JsonScan	scan;
	const char *token;			/* the present one */
	JsonLayout *layout;

	JsonNode   *listed;			/* nodes that have a value in this row */
	bool		row_complete;

	JsonDefectKind defect_kind; /* of the scan's defect */
	JsonDefect	defect;			/* once reported */

	/* wanted values outside of rows; behind what every token needs */
	JsonCopies	copies;
	JsonNode   *nowhere;		/* where those are that never come */
	const JsonCopy *copied;		/* the outermost container that is being read
								 * for one, or NULL */
};

/*
 * Defects
 *
 * The scan keeps message and place of any, so that there is a single mark of a
 * defect.  Where a row, or a token or wanted container outside of rows, has not
 * ended where it has to at the latest, the reader puts the defect at its start.
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
 * What the reader does with the tokens of a container on the way, at "p" or
 * from "start" to "end".  False: a defect.
 */

/* A scalar, at a node of a row, at one of the shape, at both or none (NULL). */
extern bool json_find_scalar(JsonReader *reader, JsonNode *want,
							 const JsonNode *shape, JsonKind kind,
							 const char *start, const char *end);

/* A container begins; or ends, perhaps a complete row with it. */
extern bool json_find_enter(JsonReader *reader, const char *p);
extern bool json_find_leave(JsonReader *reader, const char *p);

/* Likewise where the container is a value of a row and nothing else. */
extern void json_find_enter_value(JsonReader *reader, JsonNode *want,
								  size_t depth, const char *p);
extern void json_find_leave_value(JsonReader *reader, const char *p);

/* Takes back all that was noted of a row. */
extern void json_find_forget_row(JsonReader *reader);

#endif							/* HIBOB_READER_JSON_FIND_H */
