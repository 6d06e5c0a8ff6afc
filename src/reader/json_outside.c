/*
 * json_outside.c
 *		The copies of wanted values that lie outside of rows.
 *
 * Like json_reader.c, which alone uses it, this file may know nothing of
 * PostgreSQL and builds alone.  The memory that it asks for is never freed, so
 * all of it is used again.
 */
#include "reader/json_outside.h"

#define LEAST_ROOM 64			/* bytes for a value */

/* There are few: a loop over all of them is as good as anything. */
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
 * A reader of many rows comes here for each of them, mostly with nothing to
 * forget: what is absent already is passed over first.
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
