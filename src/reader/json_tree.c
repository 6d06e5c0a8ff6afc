/*
 * json_tree.c
 *		What a JSON reader looks for: makes nodes, from keys and patterns.
 *
 * Like json_reader.c, which alone uses it, this file may know nothing of
 * PostgreSQL and builds alone.  It knows nothing of reading either: all but
 * the escaped keys happens before the first byte of a document.
 */
#include "reader/json_scan.h"
#include "reader/json_tree.h"

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

/* No API writes such keys, so this may take long. */
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
 * No array is followed but those on the way to the rows: from any other its
 * elements' values would be forgotten with its end, before anyone sees them.
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
