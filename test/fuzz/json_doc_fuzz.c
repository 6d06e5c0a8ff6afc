/*
 * json_doc_fuzz.c
 *		A libFuzzer harness of strings with escapes and small documents.
 *
 * The first byte of the input chooses the module, the rest is the text:
 *
 *	- json_scan.c resolves the escapes of a string;
 *	- named_lists.c makes rows of named lists;
 *	- json_doc.c reads a document.
 *
 * The results are compared with json_reference.c.  json-c accepts more than
 * RFC 8259, except a byte order mark, and nothing that is truncated.  Its keys
 * end at a NUL, so documents with such an escape are hardly checked.
 */
#include "reader/json_doc.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json_reference.h"
#include "reader/json_reader.h"
#include "reader/named_lists.h"

#define MAX_SIZE 65536
#define SOME_DEPTH 128			/* deeper than any of them accepts */
#define LEAST_DEPTH 30			/* that all of them accept */

static bool
has_nul_escape(const char *text, size_t size)
{
	return memmem(text, size, "\\u0000", 6) != NULL;
}

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
	if (reference->valid && value->text != NULL)
	{
		length = json_unescape(text, size, out);
		require(length == value->text_length &&
				memcmp(out, value->text, length) == 0);
	}
	free(quoted);
	free(out);
}

/*
 * Documents
 */

/* The depth of nested containers; 0 for a scalar. */
static int
depth_of(const RefValue *value)
{
	const RefValue *part;
	int			deepest = 0;

	for (part = value->first; part != NULL; part = part->next)
	{
		int			depth = depth_of(part);

		if (depth > deepest)
			deepest = depth;
	}
	return deepest + (value->slice.kind == JSON_OBJECT ||
					  value->slice.kind == JSON_ARRAY);
}

/* Members that are strings have the right text. */
static void
check_texts(JsonDoc *doc, const RefValue *object)
{
	const RefValue *member;
	const char *text;
	char	   *key;

	for (member = object->first; member != NULL; member = member->next)
	{
		if (member->key == NULL)
			continue;
		key = calloc(1, member->key_length + 1);
		require(key != NULL);
		memcpy(key, member->key, member->key_length);
		text = json_doc_text(doc, key);
		if (reference_member(object, key) == member && member->text != NULL)
			require(text != NULL && strlen(text) == member->text_length &&
					memcmp(text, member->text, member->text_length) == 0);
		if (member->slice.kind == JSON_NULL &&
			reference_member(object, key) == member)
			require(text == NULL);
		free(key);
	}
}

/* A document that is printed and parsed again is the same. */
static void
check_print(JsonDoc *doc)
{
	const char *printed = json_doc_print(doc);
	JsonDoc	   *again;

	require(printed != NULL);
	again = json_doc_parse_any(printed, strlen(printed));
	require(again != NULL);
	require(strcmp(json_doc_print(again), printed) == 0);
	json_doc_free(again);
}

static size_t
count_parts(const RefValue *value)
{
	const RefValue *part;
	size_t		n = 0;

	for (part = value->first; part != NULL; part = part->next)
		n++;
	return n;
}

/* Checks all functions for all parts of a document. */
static void
check_doc(JsonDoc *doc, const RefDocument *reference, bool is_object,
		  bool comparable)
{
	size_t		i;

	require(is_object || json_doc_first_value(doc) == NULL);
	for (i = 0; i < json_doc_length(doc); i++)
	{
		json_doc_element(doc, i);
		json_doc_element_text(doc, i);
	}
	require(json_doc_element(doc, i) == NULL);
	check_print(doc);
	if (!reference->valid)
		return;
	require(is_object == (reference->value->slice.kind == JSON_OBJECT));
	if (is_object && comparable)
		check_texts(doc, reference->value);
	else if (!is_object)
		require(json_doc_length(doc) == count_parts(reference->value));
}

static void
check_parse(const char *text, size_t size)
{
	const RefDocument *reference = reference_read(text, size, SOME_DEPTH);
	JsonDoc	   *doc = json_doc_parse_any(text, size);
	JsonDoc	   *object = json_doc_parse(text, size);
	JsonKind	kind = JSON_ABSENT;

	if (reference->valid)
		kind = (JsonKind) reference->value->slice.kind;
	if (!reference->valid && reference->defect.kind == JSON_DEFECT_TRUNCATED)
		require(doc == NULL);
	if (kind != JSON_OBJECT && kind != JSON_ARRAY && reference->valid)
		require(doc == NULL);
	else if (reference->valid && text[0] != '\xef' &&
			 depth_of(reference->value) <= LEAST_DEPTH)
		require(doc != NULL);
	if (doc != NULL)
		check_doc(doc, reference, object != NULL,
				  !has_nul_escape(text, size));
	else
		require(object == NULL);
	json_doc_free(object);
	json_doc_free(doc);
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
	named_lists_write(text, "a\"b", out);
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
			check_parse(text, size - 1);
			break;
	}
	free(text);
	return 0;
}
