/*
 * json_tree.c
 *		Makes the nodes that a JSON reader looks for from keys and patterns, and
 *		keeps copies of values outside of rows.
 *
 * Like all of the reader, this file knows nothing of PostgreSQL and builds
 * alone.  The memory that it allocates is never freed, so it is reused.
 */
#include "reader/json_scan.h"
#include "reader/json_tree.h"

#define LEAST_ROOM 64			/* bytes of a copy */

JsonNode *
json_node_make(JsonReaderAlloc alloc, JsonNode *parent, const char *key,
			   size_t length)
{
	JsonNode   *node = alloc(offsetof(JsonNode, key) + length);

	node->parent = parent;
	node->slot = -1;
	node->key_length = length;
	memcpy(node->key, key, length);
	return node;
}

JsonNode *
json_node_make_child(JsonReaderAlloc alloc, JsonNode *node, const char *key,
					 size_t length)
{
	JsonNode   *child = json_node_find(node, key, length);
	JsonNode  **chain;

	if (child != NULL)
		return child;
	if (node->children == NULL)
		node->children = alloc(JSON_CHAINS * sizeof(JsonNode *));
	chain = &node->children[json_key_chain(key, length)];
	child = json_node_make(alloc, node, key, length);
	child->neighbour = *chain;
	*chain = child;
	return child;
}

/* APIs do not write such keys, so this may be slow. */
JsonNode *
json_node_find_escaped(const JsonNode *node, const char *key,
					   const char *quote)
{
	JsonNode   *child;
	int			i;

	if (node->children == NULL)
		return NULL;
	for (i = 0; i < JSON_CHAINS; i++)
	{
		for (child = node->children[i]; child != NULL; child = child->neighbour)
		{
			if (json_key_equals(key, quote, child->key, child->key_length))
				return child;
		}
	}
	return NULL;
}

/*
 * Patterns
 */

/* Whether a pattern's first step is "each element", not a key. */
static bool
is_each(const char *pattern)
{
	return pattern[0] == '[' && pattern[1] == ']';
}

static size_t
step_length(const char *pattern)
{
	return is_each(pattern) ? 2 : 1 + strcspn(pattern + 1, ".[");
}

/* What follows a pattern's first step. */
static const char *
next_step(const char *pattern)
{
	pattern += step_length(pattern);
	return (*pattern == '.') ? pattern + 1 : pattern;
}

void
json_node_add_rows(JsonReaderAlloc alloc, JsonNode *document,
				   const char *pattern)
{
	JsonNode   *node = document;

	for (; *pattern != '\0'; pattern = next_step(pattern))
	{
		node->to_rows = true;
		if (!is_each(pattern))
		{
			node->keys_lead = true;
			node = json_node_make_child(alloc, node, pattern,
										step_length(pattern));
			continue;
		}
		if (node->element == NULL)
			node->element = json_node_make(alloc, node, "", 0);
		node = node->element;
	}
	node->to_rows = true;
	node->is_row = true;
}

/*
 * Only arrays on the path to the rows are followed.  Values in other arrays
 * would be forgotten at the array's end, before a caller could see them.
 */
JsonNode *
json_node_add_outside(JsonReaderAlloc alloc, JsonNode *document,
					  const char *pattern)
{
	JsonNode   *node = document;
	JsonNode   *up;

	for (; node != NULL && *pattern != '\0'; pattern = next_step(pattern))
	{
		if (is_each(pattern))
			node = node->element;
		else
			node = json_node_make_child(alloc, node, pattern,
										step_length(pattern));
	}
	if (node == NULL || node->to_rows)
		return NULL;
	for (up = node; up != NULL; up = up->parent)
		up->has_outside = true;
	return node;
}

/*
 * Copies
 */

/* There are few copies, so a loop over all of them is fast enough. */
void
json_copies_add(JsonCopies *copies, JsonReaderAlloc alloc, JsonNode *node)
{
	JsonCopy   *copy = alloc(sizeof(JsonCopy));
	JsonCopy  **list;

	if (copies->n == copies->room)
	{
		copies->room = copies->n * 2 + 4;
		list = alloc((size_t) copies->room * sizeof(*list));
		if (copies->n > 0)
			memcpy(list, copies->list, (size_t) copies->n * sizeof(*list));
		copies->list = list;
	}
	copy->node = node;
	node->copy = copy;
	copies->list[copies->n++] = copy;
}

int
json_copies_find(const JsonCopies *copies, const JsonNode *node)
{
	int			i;

	for (i = 0; i < copies->n && copies->list[i]->node != node;)
		i++;
	return i;
}

/*
 * The reader calls this for each row, usually with nothing to forget, so the
 * check for absent values comes first.
 */
void
json_copies_forget(const JsonCopies *copies, const JsonNode *node, bool all)
{
	JsonCopy   *copy;
	int			i;

	for (i = 0; i < copies->n; i++)
	{
		copy = copies->list[i];
		if (copy->found.kind != JSON_ABSENT && (all || !copy->lasting) &&
			json_node_within(copy->node, node))
			memset(&copy->found, 0, sizeof(copy->found));
	}
}

void
json_copy_set(JsonCopy *copy, JsonReaderAlloc alloc, JsonKind kind,
			  uint8_t flags, const char *text, size_t length)
{
	if (length >= copy->room)
	{
		if (copy->room == 0)
			copy->room = LEAST_ROOM;
		while (length >= copy->room)
			copy->room *= 2;
		copy->buffer = alloc(copy->room);
	}
	memcpy(copy->buffer, text, length);
	copy->buffer[length] = '\0';
	copy->found.text = copy->buffer;
	copy->found.length = length;
	copy->found.kind = (uint8_t) kind;
	copy->found.flags = flags;
	copy->found.times = ++copy->times;
}
