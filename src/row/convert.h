/*
 * convert.h
 *		Values of a few types, straight from the text that HiBob writes.
 *
 * Knows types and texts, but nothing of JSON, rows or columns.
 */
#ifndef HIBOB_ROW_CONVERT_H
#define HIBOB_ROW_CONVERT_H

#include "postgres.h"

/*
 * Makes a datum from a value's text, in UTF-8 and not terminated, and allocates
 * in the current memory context.  False, and nothing else, if that is not for
 * this function to decide: the type's input function has to read it, or to
 * refuse it.
 */
typedef bool (*FastConversion) (const char *text, size_t length, int32 typmod,
								Datum *result);

/* The fast way to a type, or NULL if its input function is the only one. */
extern FastConversion convert_fast(Oid type, int32 typmod);

#endif							/* HIBOB_ROW_CONVERT_H */
