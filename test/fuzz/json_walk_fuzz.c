/*
 * json_doc_fuzz.c
 *		A libFuzzer harness of strings with escapes and parts of documents.
 *
 * The first byte of the input chooses the module, the rest is the text:
 *
 *	- json_scan.c resolves the escapes of a string;
 *	- named_lists.c makes rows of named lists;
 *	- json_walk.c goes through the parts of a document.
 *
 * The results are compared with json_reference.c.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json_reference.h"
#include "reader/json_reader.h"
#include "reader/json_walk.h"
#include "reader/named_lists.h"

#define MAX_SIZE 65536
#define SOME_DEPTH 128			/* deeper than named lists may be */

/*
 * Escapes
 */

static void
check_unescape(const char *text, size_t size)
{
	char	   *quoted = malloc(size + 2);
	char	   *out = malloc(size > 0 ? size : 1);
	const RefDocument *reference;
	const RefValue *value;
	size_t		length;

	require(quoted != NULL && out != NULL);
	quoted[0] = quoted[size + 1] = '"';
	memcpy(quoted + 1, text, size);
	reference = reference_read(quoted, size + 2, SOME_DEPTH);
	value = reference->value;
	if (reference->valid)
	{
		length = json_unescape(quoted + 1, size, out);
		require(length <= size && memchr(out, '\0', length) == NULL);
		if ((value->slice.flags & (JSON_NUL_ESCAPE | JSON_LONE_SURROGATE)) != 0)
			require(memchr(out, JSON_NO_CHARACTER, length) != NULL);
		else
			require(length == value->text_length &&
					memcmp(out, value->text, length) == 0);
	}
	free(quoted);
	free(out);
}

/*
 * Documents
 */

static void
check_slice(const JsonSlice *slice, const JsonSlice *reference)
{
	require(slice->kind == reference->kind &&
			slice->flags == reference->flags &&
			slice->start == reference->start &&
			slice->length == reference->length);
}

/* A lookup by key finds the last member with it. */
static void
check_member(const char *text, const JsonSlice *slice, const RefValue *object,
			 const RefValue *member)
{
	JsonSlice	found;
	char	   *key;

	if (member->key == NULL || memchr(member->key, '\0', member->key_length))
		return;
	key = calloc(1, member->key_length + 1);
	require(key != NULL);
	memcpy(key, member->key, member->key_length);
	found = json_walk_member(text, slice, key);
	check_slice(&found, &reference_member(object, key)->slice);
	free(key);
}

/* Few members, since each is looked for among all others. */
static void
check_parts(const char *text, const JsonSlice *slice,
			const RefValue *reference)
{
	const int	some = 100;
	const RefValue *part = reference->first;
	JsonSlice	key;
	JsonSlice	value;
	size_t		offset = 0;
	int			n = 0;

	check_slice(slice, &reference->slice);
	for (; json_walk_next(text, slice, &offset, &key, &value);
		 part = part->next, n++)
	{
		require(part != NULL);
		check_parts(text, &value, part);
		if (slice->kind == JSON_OBJECT && n < some)
			check_member(text, slice, reference, part);
	}
	require(part == NULL);
}

static void
check_walk(const char *text, size_t size)
{
	const RefDocument *reference = reference_read(text, size, SOME_DEPTH);
	size_t		mark = size > 0 && text[0] == '\xef' ? 3 : 0;
	JsonSlice	value;

	if (!reference->valid)
		return;
	value = json_walk_value(text, size, mark);
	check_parts(text, &value, reference->value);
}

/*
 * Named lists
 */

/* In a row, a scalar is a string or null, and a container is unchanged. */
static bool
is_copy(const RefValue *copy, const RefValue *value)
{
	JsonKind	kind = value == NULL ? JSON_NULL : (JsonKind) value->slice.kind;

	if (kind == JSON_NULL || kind == JSON_ARRAY || kind == JSON_OBJECT)
		return copy->slice.kind == kind;
	return copy->slice.kind == JSON_STRING &&
		copy->slice.length == value->slice.length;
}

/* The last one of equal keys is used, and null is no value. */
static const RefValue *
member(const RefValue *object, const char *key)
{
	const RefValue *value = reference_member(object, key);

	return value == NULL || value->slice.kind == JSON_NULL ? NULL : value;
}

/*
 * The rows of the items in an array, in order.  Returns the next row, or NULL if
 * there are none left.
 */
static const RefValue *
check_items(const RefValue *row, const RefValue *items, const RefValue *parent)
{
	const RefValue *item;

	for (item = items != NULL ? items->first : NULL; item != NULL;
		 item = item->next)
	{
		const RefValue *name = member(item, "name");
		const RefValue *id = reference_member(item, "id");

		require(row != NULL && row->slice.kind == JSON_OBJECT);
		require(is_copy(reference_member(row, "id"), id));
		require(is_copy(reference_member(row, "name"),
						name != NULL ? name : member(item, "value")));
		require(is_copy(reference_member(row, "parentId"), parent));
		require(reference_member(row, "path")->slice.kind == JSON_STRING);
		require(reference_member(row, "list") != NULL);
		require(reference_member(row, "archived") != NULL);
		row = check_items(row->next, member(item, "children"), id);
	}
	return row;
}

static const RefValue *
items_of(const RefValue *list)
{
	const RefValue *values = member(list, "values");

	return values != NULL ? values : member(list, "items");
}

/* A body that is accepted as lists has exactly the rows of the lists. */
static void
check_rows(const RefValue *body, const RefValue *row)
{
	const RefValue *items = NULL;
	const RefValue *name = NULL;
	const RefValue *list;

	if (body->slice.kind == JSON_OBJECT)
	{
		items = items_of(body);
		name = member(body, "name");
	}
	if ((items != NULL && items->slice.kind == JSON_ARRAY) ||
		(name != NULL && name->slice.kind == JSON_STRING))
		row = check_items(row, items, NULL);
	else
	{
		for (list = body->first; list != NULL; list = list->next)
			row = check_items(row, items_of(list), NULL);
	}
	require(row == NULL);
}

static void
check_lists(const char *text, size_t size)
{
	JsonDefect	defect = {0};
	size_t		length = named_lists_measure(text, size, fuzz_alloc, "a\"b",
											 &defect);
	const RefDocument *body = reference_read(text, size, SOME_DEPTH);
	const RefDocument *rows;
	char	   *out;

	fuzz_release();
	if (length == 0)
	{
		require(defect.message != NULL && defect.position <= size);
		return;
	}
	require(body->valid);
	out = malloc(length);
	require(out != NULL);
	named_lists_write(text, size, "a\"b", out);
	rows = reference_read(out, length, SOME_DEPTH);
	require(rows->valid && rows->value->slice.kind == JSON_ARRAY);
	check_rows(body->value, rows->value->first);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text;

	if (size < 1 || size > MAX_SIZE)
		return 0;
	text = fuzz_copy(data + 1, size - 1);
	switch (data[0] % 3)
	{
		case 0:
			check_unescape(text, size - 1);
			break;
		case 1:
			check_lists(text, size - 1);
			break;
		default:
			check_walk(text, size - 1);
			break;
	}
	free(text);
	return 0;
}
