/*
 * json_walk.h
 *		Iterates over the parts of a JSON value.
 *
 * The value is valid JSON: the reader of rows has checked it, so that the same
 * rules hold for all JSON.  A value and its parts are slices of one window.
 *
 * This module knows neither PostgreSQL nor HTTP and builds alone.
 */
#ifndef HIBOB_READER_JSON_WALK_H
#define HIBOB_READER_JSON_WALK_H

#include "reader/json_reader.h"

/* The value that begins at an offset, or after space there. */
extern JsonSlice json_walk_value(const char *window, size_t length,
								 size_t offset);

/*
 * Iterates over the elements of an array, or over the members of an object;
 * "key" is NULL if it is not needed.  "offset" is 0 before the first call.
 * False after the last one, and if the value is neither an array nor an object.
 */
extern bool json_walk_next(const char *window, const JsonSlice *container,
						   size_t *offset, JsonSlice *key, JsonSlice *part);

/* Whether a key, as json_walk_next() returns it, stands for a text. */
extern bool json_walk_is_key(const char *window, const JsonSlice *key,
							 const char *text);

/*
 * The last member of an object with a key; of kind JSON_ABSENT if there is none
 * or the value is no object.
 */
extern JsonSlice json_walk_member(const char *window, const JsonSlice *object,
								  const char *key);

#endif							/* HIBOB_READER_JSON_WALK_H */
