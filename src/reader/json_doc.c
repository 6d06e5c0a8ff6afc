/*
 * json_doc.c
 *		Small JSON documents, read by json-c.
 *
 * Only this file uses json-c.  It includes nothing of PostgreSQL and raises no
 * errors: what fails is returned.  A JsonDoc is a json_object under another
 * name.
 */
#include "reader/json_doc.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

/* What is read is shallow; the limit only keeps the parser's stack small. */
#define MAX_DEPTH 32

/* What a buffer of json-c has beside its text, rather more than less. */
#define MAX_PRINTBUF_OVERHEAD 64

#define AS_JSON(doc) ((json_object *) (doc))
#define AS_DOC(json) ((JsonDoc *) (json))

void
json_doc_free(JsonDoc *doc)
{
	json_object_put(AS_JSON(doc));
}

const char *
json_doc_print(JsonDoc *doc)
{
	return json_object_to_json_string_ext(AS_JSON(doc),
										  JSON_C_TO_STRING_PLAIN |
										  JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* Whether nothing but blanks follows. */
static bool
is_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\0' || strchr(" \t\r\n", text[i]) == NULL)
			return false;
	return true;
}

/*
 * json-c ignores it when the buffer of the token that it reads cannot grow:
 * the token's end would be missing.  No token is longer than the text, so the
 * buffer is made large enough beforehand.
 */
static bool
reserve_token(json_tokener *tokener, size_t length)
{
	if (printbuf_memset(tokener->pb, 0, 0, (int) length + 1) < 0)
		return false;
	printbuf_reset(tokener->pb);
	return true;
}

/*
 * A number at the very end would wait for its terminator; no caller has one
 * there.
 *
 * JSON_TOKENER_STRICT would see to the end of the text, too.  But json-c 0.18
 * takes all that is not ASCII for control characters then (its issue 875),
 * and each version has its own idea of what is strict.  The comments and
 * surplus commas that pass without it change no value.
 */
JsonDoc *
json_doc_parse_value(const char *text, size_t length, int depth)
{
	json_tokener *tokener = NULL;
	json_object *value;
	size_t		end;

	if (length < INT_MAX - MAX_PRINTBUF_OVERHEAD)
		tokener = json_tokener_new_ex(depth);
	if (tokener == NULL)
		return NULL;
	if (!reserve_token(tokener, length))
	{
		json_tokener_free(tokener);
		return NULL;
	}
	value = json_tokener_parse_ex(tokener, text, (int) length);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	if (value != NULL && !is_blank(text + end, length - end))
	{
		json_object_put(value);
		value = NULL;
	}
	return AS_DOC(value);
}

JsonDoc *
json_doc_parse_any(const char *text, size_t length)
{
	json_object *value = AS_JSON(json_doc_parse_value(text, length, MAX_DEPTH));

	if (value != NULL && !json_object_is_type(value, json_type_object) &&
		!json_object_is_type(value, json_type_array))
	{
		json_object_put(value);
		value = NULL;
	}
	return AS_DOC(value);
}

JsonDoc *
json_doc_parse(const char *text, size_t length)
{
	JsonDoc    *doc = json_doc_parse_any(text, length);

	if (doc != NULL && !json_object_is_type(AS_JSON(doc), json_type_object))
	{
		json_doc_free(doc);
		doc = NULL;
	}
	return doc;
}

JsonDoc *
json_doc_value(JsonDoc *object, const char *key)
{
	json_object *value;

	if (!json_object_is_type(AS_JSON(object), json_type_object) ||
		!json_object_object_get_ex(AS_JSON(object), key, &value))
		return NULL;
	return AS_DOC(value);
}

JsonDoc *
json_doc_first_value(JsonDoc *object)
{
	struct json_object_iterator first;
	struct json_object_iterator end;

	if (!json_object_is_type(AS_JSON(object), json_type_object))
		return NULL;
	first = json_object_iter_begin(AS_JSON(object));
	end = json_object_iter_end(AS_JSON(object));
	return json_object_iter_equal(&first, &end) ? NULL :
		AS_DOC(json_object_iter_peek_value(&first));
}

size_t
json_doc_length(JsonDoc *array)
{
	return json_object_is_type(AS_JSON(array), json_type_array) ?
		json_object_array_length(AS_JSON(array)) : 0;
}

JsonDoc *
json_doc_element(JsonDoc *array, size_t index)
{
	/* json-c would end the process */
	if (!json_object_is_type(AS_JSON(array), json_type_array))
		return NULL;
	return AS_DOC(json_object_array_get_idx(AS_JSON(array), index));
}

const char *
json_doc_element_text(JsonDoc *array, size_t index)
{
	return json_object_get_string(AS_JSON(json_doc_element(array, index)));
}

const char *
json_doc_text(JsonDoc *object, const char *key)
{
	return json_object_get_string(AS_JSON(json_doc_value(object, key)));
}

const char *
json_doc_library_version(void)
{
	return json_c_version();
}
