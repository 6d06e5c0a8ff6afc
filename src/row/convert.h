/*
 * convert.h
 *		Fast conversion of values of a few types from HiBob's text.
 *
 * Knows types and texts, but nothing of JSON, rows or columns.
 */
#ifndef HIBOB_ROW_CONVERT_H
#define HIBOB_ROW_CONVERT_H

#include "postgres.h"

/*
 * Makes a datum from a value's text, which is UTF-8 and not terminated, in the
 * current memory context.  Returns false if the type's input function has to
 * read, or to reject, the text.
 */
typedef bool (*FastConversion) (const char *text, size_t length, int32 typmod,
								Datum *result);

/*
 * The fast conversion to a type, or NULL if there is only the input function.
 */
extern FastConversion convert_fast(Oid type, int32 typmod);

#endif							/* HIBOB_ROW_CONVERT_H */
