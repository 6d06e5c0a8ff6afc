/*
 * json_doc.h
 *		Small JSON documents, read by json-c: errors, metadata, what a response
 *		says beside its rows.
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

extern void json_doc_free(JsonDoc *doc);

/* As one line; NULL if memory ran out.  The text belongs to the document. */
extern const char *json_doc_print(JsonDoc *doc);

/* NULL if it is not exactly one JSON object. */
extern JsonDoc *json_doc_parse(const char *text, size_t length);

/* NULL if it is not exactly one JSON object or array. */
extern JsonDoc *json_doc_parse_any(const char *text, size_t length);

/*
 * Any one value, nested no deeper than "depth".  NULL if it is not that, if
 * memory ran out, or for null, which json-c does not tell from none.
 */
extern JsonDoc *json_doc_parse_value(const char *text, size_t length,
									 int depth);

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

/* json-c's version, for people. */
extern const char *json_doc_library_version(void);

#endif							/* HIBOB_READER_JSON_DOC_H */
