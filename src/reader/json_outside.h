/*
 * json_outside.h
 *		The copies of wanted values that lie outside of rows.
 *
 * Part of json_reader.c and of use to nothing else.  It keeps values and
 * forgets them again, with memory that grows with the largest value and not
 * with their number; where they lie in a document, and when they are to be
 * forgotten, the reader alone knows.
 */
#ifndef HIBOB_READER_JSON_OUTSIDE_H
#define HIBOB_READER_JSON_OUTSIDE_H

#include "reader/json_tree.h"

typedef struct JsonCopy
{
	JsonOutside found;			/* what the caller sees */
	const JsonNode *node;
	bool		lasting;		/* outlives the element that it belongs to */
	uint32_t	times;			/* how often it was found */
	char	   *buffer;			/* used again for each value */
	size_t		room;
	uint64_t	start;			/* the reader's: where in the document its
								 * container has begun */
} JsonCopy;

/* All of them, by number.  Zeroed, it has none. */
typedef struct JsonCopies
{
	JsonCopy  **list;
	int			n;
	int			room;
} JsonCopies;

/* Adds the copy of the value at a node. */
extern void json_copies_add(JsonCopies *copies, JsonReaderAlloc alloc,
							JsonNode *node);

/* The number of a node's copy, which it must have. */
extern int	json_copies_find(const JsonCopies *copies, const JsonNode *node);

/* Forgets the values at a node and below it; of lasting ones only "all". */
extern void json_copies_forget(const JsonCopies *copies, const JsonNode *node,
							   bool all);

extern void json_copy_set(JsonCopy *copy, JsonReaderAlloc alloc,
						  JsonKind kind, uint8_t flags, const char *text,
						  size_t length);

#endif							/* HIBOB_READER_JSON_OUTSIDE_H */
