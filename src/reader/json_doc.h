/*
 * json_doc.h
 *		Small JSON documents, built and read by json-c: request bodies, error
 *		answers, the escapes in a string.
 *
 * json-c's types stay behind this header: its json_object and PostgreSQL's do
 * not compile together.  This module knows neither PostgreSQL nor HiBob, and
 * never raises an error.
 */
#ifndef HIBOB_READER_JSON_DOC_H
#define HIBOB_READER_JSON_DOC_H

#include <stdbool.h>
#include <stddef.h>

typedef struct JsonDoc JsonDoc; /* a json_object, mostly an object or array */

/* A new object; NULL if memory ran out.  What is added to it belongs to it. */
extern JsonDoc *json_doc_new(void);
extern void json_doc_free(JsonDoc *doc);

/* Adding to an object.  False if memory ran out. */
extern bool json_doc_put_text(JsonDoc *object, const char *key,
							  const char *text);
extern bool json_doc_put_flag(JsonDoc *object, const char *key, bool flag);
extern bool json_doc_put_number(JsonDoc *object, const char *key,
								long long number);

/* What is new in an object or an array; NULL without memory. */
extern JsonDoc *json_doc_put_object(JsonDoc *object, const char *key);
extern JsonDoc *json_doc_put_array(JsonDoc *object, const char *key);
extern JsonDoc *json_doc_append_object(JsonDoc *array);
extern bool json_doc_append_text(JsonDoc *array, const char *text);

/* As one line.  The text belongs to the document. */
extern const char *json_doc_print(JsonDoc *doc);

/* NULL if it is not exactly one JSON object. */
extern JsonDoc *json_doc_parse(const char *text, size_t length);

/* NULL if it is not exactly one JSON object or array. */
extern JsonDoc *json_doc_parse_any(const char *text, size_t length);

/* The defect of what may be the beginning of a value. */
extern const char json_doc_cut[];

/*
 * Any one value, nested no deeper than this; not null, which cannot be told
 * from none.  NULL if it is not that: "defect" is a static text then.
 */
extern JsonDoc *json_doc_parse_value(const char *text, size_t length,
									 int depth, const char **defect);

/*
 * Looking around.  NULL, which counts as an empty array, where there is no such
 * thing.  Parts belong to the document.
 */
extern JsonDoc *json_doc_value(JsonDoc *object, const char *key);
extern JsonDoc *json_doc_first_value(JsonDoc *object);
extern size_t json_doc_length(JsonDoc *array);
extern JsonDoc *json_doc_element(JsonDoc *array, size_t index);
extern const char *json_doc_element_text(JsonDoc *array, size_t index);

/*
 * A key's value: a string's text, anything else as JSON.  NULL if the key is
 * absent or null.  The text belongs to the document.
 */
extern const char *json_doc_text(JsonDoc *object, const char *key);

/*
 * Resolves the escapes of a valid JSON string, given with its quotes.  The
 * result is never longer than what lies between them; "out" has to have that
 * room.  Returns the length, or -1 if memory ran out.
 */
extern long json_doc_unescape(const char *quoted, size_t length, char *out);

/* json-c's version, for people. */
extern const char *json_doc_library_version(void);

#endif							/* HIBOB_READER_JSON_DOC_H */
