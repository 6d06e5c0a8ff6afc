/*
 * json_tree.h
 *		What a JSON reader looks for: trees of nodes, the keys that lead from
 *		one node to the next, and copies of values outside of rows.
 *
 * Private to the JSON reader.  It knows patterns and keys, but neither how a
 * document is read nor what its values are: the reader sets those fields of a
 * node.  The functions that run for nearly every key are inline.
 */
#ifndef HIBOB_READER_JSON_TREE_H
#define HIBOB_READER_JSON_TREE_H

#include <string.h>

#include "reader/json_reader.h"

#define JSON_CHAINS_BITS 6
#define JSON_CHAINS (1 << JSON_CHAINS_BITS)

struct JsonCopy;

/*
 * A place in the shape or in a row.  A node of the shape has children by key,
 * by "each element", or both, and may be a row as well.  A node in a row has
 * children by key only, and has a value.  A node of the shape that does not
 * lead to the rows exists for a wanted value outside of them.
 */
typedef struct JsonNode
{
	struct JsonNode *parent;
	struct JsonNode **children; /* chains, see json_key_chain(); or NULL */
	struct JsonNode *neighbour; /* next in its chain */

	/* shape only */
	struct JsonNode *element;	/* leads to the rows */
	struct JsonCopy *copy;		/* if its value is wanted: a JsonCopy */
	bool		is_row;
	bool		to_rows;		/* the rows are here or below */
	bool		keys_lead;		/* and one of its keys leads there */
	bool		has_outside;	/* a wanted value outside is here or below */
	bool		led_on;			/* its current object has a key that leads to
								 * the rows, or needs none */
	uint32_t	objects;		/* number of objects that were entered here */
	uint32_t	entered_in;		/* the parent's object that last led to it */

	/* row only */
	bool		present;		/* in some row */
	bool		was_leaf;		/* in some row it was not an object */
	bool		listed;			/* in the reader's list of values */
	int			slot;			/* or -1 */
	struct JsonNode *next_listed;
	JsonSlice	value;			/* relative to the row until that is complete */

	size_t		key_length;
	char		key[];			/* not terminated */
} JsonNode;

extern JsonNode *json_node_make(JsonReaderAlloc alloc, JsonNode *parent,
								const char *key, size_t length);

/* The node that a key leads to, made if there is none. */
extern JsonNode *json_node_make_child(JsonReaderAlloc alloc, JsonNode *node,
									  const char *key, size_t length);

/*
 * Adds a pattern of rows, as JsonShape describes it.  Patterns are part of the
 * program, so a malformed one is not reported: it finds nothing.
 */
extern void json_node_add_rows(JsonReaderAlloc alloc, JsonNode *document,
							   const char *pattern);

/*
 * Adds the place of a value outside of rows; to be called after all rows were
 * added.  Returns NULL if no value can be there: see
 * json_reader_want_outside().
 */
extern JsonNode *json_node_add_outside(JsonReaderAlloc alloc,
									   JsonNode *document,
									   const char *pattern);

/*
 * The node that a key with escapes leads to, or NULL.  The key consists of the
 * bytes between its quotes.
 */
extern JsonNode *json_node_find_escaped(const JsonNode *node, const char *key,
										const char *quote);

/*
 * Distributes keys over a node's chains.  There are enough chains that most
 * unwanted keys find an empty one and need no comparison.  Long keys of one
 * object tend to differ at their ends.
 */
static inline unsigned int
json_key_chain(const char *key, size_t length)
{
	uint32_t	tail = 0;

	if (length >= sizeof(tail))
		memcpy(&tail, key + length - sizeof(tail), sizeof(tail));
	else if (length > 0)
		tail = (uint32_t) (unsigned char) key[0] << 8 |
			(unsigned char) key[length - 1];
	tail ^= (uint32_t) length * UINT32_C(0x9e3779b1);
	return (tail * UINT32_C(0x85ebca6b)) >> (32 - JSON_CHAINS_BITS);
}

/* The node that a key without escapes leads to, or NULL. */
static inline JsonNode *
json_node_find(const JsonNode *node, const char *key, size_t length)
{
	JsonNode   *child;

	if (node->children == NULL)
		return NULL;
	child = node->children[json_key_chain(key, length)];
	while (child != NULL && (child->key_length != length ||
							 memcmp(child->key, key, length) != 0))
		child = child->neighbour;
	return child;
}

/* Whether a node is another one or below it. */
static inline bool
json_node_within(const JsonNode *node, const JsonNode *other)
{
	while (node != NULL && node != other)
		node = node->parent;
	return node != NULL;
}

/*
 * Copies of wanted values outside of rows
 *
 * Their memory grows with the largest value, not with the number of values.
 * The reader decides when a value is copied or forgotten.
 */

typedef struct JsonCopy
{
	JsonOutside found;			/* what the caller sees */
	const JsonNode *node;
	bool		lasting;		/* outlives the element that it belongs to */
	uint32_t	times;			/* number of values found */
	char	   *buffer;			/* reused for each value */
	size_t		room;
	uint64_t	start;			/* of its container, in the document; set by
								 * the reader */
} JsonCopy;

/* All copies, by number.  None if it is zeroed. */
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

/* Forgets the values at a node and below it; lasting ones only with "all". */
extern void json_copies_forget(const JsonCopies *copies, const JsonNode *node,
							   bool all);

extern void json_copy_set(JsonCopy *copy, JsonReaderAlloc alloc,
						  JsonKind kind, uint8_t flags, const char *text,
						  size_t length);

#endif							/* HIBOB_READER_JSON_TREE_H */
