/*
 * json_doc_fuzz.c
 *		A libFuzzer harness for strings with escapes and small documents.
 *
 * The first byte of the input chooses one of them, the rest is its text:
 *
 *	- json_scan.c resolves the escapes of a string;
 *	- named_lists.c makes rows of named lists;
 *	- json_doc.c reads a document.
 *
 * json_reference.c says what is right.  json-c takes more for JSON than RFC 8259
 * does, though no byte order mark, but nothing that was cut off; and its keys end at a NUL, so that little
 * can be said of documents with such an escape.
 */
#include "reader/json_doc.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json_reference.h"
#include "reader/json_reader.h"
#include "reader/named_lists.h"

#define MAX_SIZE 65536
#define SOME_DEPTH 128			/* more than any of them goes */
#define LEAST_DEPTH 30			/* that all of them go */

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

/* How deep containers are nested, a scalar counted as none. */
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

/* The members that are strings have the text that they should. */
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

/* Printed and parsed again, a document is the same. */
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

/* What is said of every part that there is must hold. */
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

/* Whether the first "n" rows have one with this id. */
static bool
has_id(const RefValue *rows, size_t n, const RefValue *id)
{
	const RefValue *row = rows->first;
	const RefValue *other;

	for (; n > 0; n--, row = row->next)
	{
		other = reference_member(row, "id");
		if (other->text_length == id->text_length &&
			memcmp(other->text, id->text, id->text_length) == 0)
			return true;
	}
	return false;
}

static void
check_row(const RefValue *rows, const RefValue *row, size_t number)
{
	static const char *const keys[] = {
		"list", "id", "name", "parentId", "path", "archived"
	};
	const RefValue *parent = reference_member(row, "parentId");
	size_t		i;

	require(row->slice.kind == JSON_OBJECT && count_parts(row) == 6);
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		require(reference_member(row, keys[i]) != NULL);
	require(reference_member(row, "list")->slice.kind == JSON_STRING);
	require(reference_member(row, "id")->slice.kind == JSON_STRING);
	if (parent->slice.kind != JSON_NULL)
		require(parent->slice.kind == JSON_STRING &&
				has_id(rows, number, parent));
}

/* How many items there are: every object with an id, in an array. */
static size_t
count_items(const RefValue *value)
{
	const RefValue *part;
	size_t		n = 0;

	for (part = value->first; part != NULL; part = part->next)
	{
		n += count_items(part);
		if (value->slice.kind == JSON_ARRAY &&
			reference_member(part, "id") != NULL)
			n++;
	}
	return n;
}

static void
check_rows(const char *rows, size_t length, size_t most)
{
	const RefDocument *reference = reference_read(rows, length, SOME_DEPTH);
	const RefValue *row;
	size_t		n = 0;

	require(strlen(rows) == length);
	require(reference->valid);
	require(reference->value->slice.kind == JSON_ARRAY);
	for (row = reference->value->first; row != NULL; row = row->next)
		check_row(reference->value, row, n++);
	require(n <= most);
}

static void
check_lists(const char *text, size_t size)
{
	const RefDocument *reference = reference_read(text, size, SOME_DEPTH);
	const char *defect = NULL;
	size_t		length = 0;
	size_t		most = size;
	char			  *rows = named_lists_flatten(text, size, &length, &defect);

	if (reference->valid && !has_nul_escape(text, size))
		most = count_items(reference->value);
	if (rows == NULL)
		require(defect != NULL && strcmp(defect, "out of memory") != 0);
	else
	{
		require(reference->valid ||
				reference->defect.kind != JSON_DEFECT_TRUNCATED);
		check_rows(rows, length, most);
	}
	free(rows);
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
