/*
 * named_lists.h
 *		Named lists, which HiBob sends as trees of items, as rows.
 *
 * Source: HiBob's specification, and measurements of clients.  A response with
 * all lists is an object with a key for each list, or an array.  A response
 * with one list is that list.  Its items are in "values", in "items", or the
 * same in both; the items below an item are its "children".
 *
 * This module knows neither PostgreSQL nor HTTP and builds alone.
 */
#ifndef HIBOB_READER_NAMED_LISTS_H
#define HIBOB_READER_NAMED_LISTS_H

#include "reader/json_reader.h"

/*
 * Checks that a body is JSON with one list or many, and measures its rows.
 * Returns the length of the text that named_lists_write() makes, or 0 and
 * fills in the defect.  The memory that "alloc" returns is needed only during
 * the call.
 */
extern size_t named_lists_measure(const char *text, size_t length,
								  JsonReaderAlloc alloc, const char *list,
								  JsonDefect *defect);

/*
 * Writes the rows of a measured body: a JSON array with an object for each
 * item, also for items below others.  It has the keys list, id, name, parentId,
 * path and archived.  Values are copied unchanged, except that ids and names
 * are strings even where HiBob sends numbers.  A value that an item lacks is
 * null.  A path consists of the names from the top, as in the human form of a
 * field.
 *
 * In an object with a key for each list, the key is the list's name.  A
 * response with one list was requested by the name "list", in UTF-8, which its
 * rows have; if that is NULL, they have the list's own name.
 */
extern void named_lists_write(const char *text, size_t length,
							  const char *list, char *out);

#endif							/* HIBOB_READER_NAMED_LISTS_H */
