/*
 * named_lists.h
 *		Named lists, which HiBob sends as trees of items, become rows.
 *
 * json-c's types stay behind this header.  It knows neither PostgreSQL nor
 * HTTP, and never raises an error.
 */
#ifndef HIBOB_READER_NAMED_LISTS_H
#define HIBOB_READER_NAMED_LISTS_H

#include <stddef.h>

/*
 * Makes a JSON array of a body with one list or many: an object an item, those
 * below others included, with the keys list, id, name, parentId, path and
 * archived.  An id is a string also where HiBob has a number; a path is the
 * names from the top, as in the human form of a field.
 *
 * The result is malloc'ed.  NULL if the body is none of that, or there is no
 * memory: "defect" is a static text then, and json_doc_cut if the body only
 * ends too early.
 */
extern char *named_lists_flatten(const char *text, size_t length,
								 size_t *result_length, const char **defect);

#endif							/* HIBOB_READER_NAMED_LISTS_H */
