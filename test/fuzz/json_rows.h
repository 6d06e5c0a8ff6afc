/*
 * json_rows.h
 *		The rows of a document and the wanted values outside of them, found in
 *		its tree.
 *
 * An implementation of the patterns of json_reader.h that the fuzz harness
 * compares the reader with.
 */
#ifndef JSON_ROWS_H
#define JSON_ROWS_H

#include "json_reference.h"

#define ROWS_MAX_OUTSIDES 32

typedef struct RefOutside
{
	const RefValue *value;		/* NULL if absent */
	uint32_t	times;
} RefOutside;

typedef struct RefSearch RefSearch;

struct RefSearch
{
	const char *const *rows;	/* as in JsonShape */
	const char *const *outsides; /* '!' before values that are kept */
	int			noutsides;

	/* called for each row, in order, with "found" at that time */
	void (*take_row)(RefSearch *search, const RefValue *row);
	void	   *log;			/* the caller's */

	RefOutside	found[ROWS_MAX_OUTSIDES];
	JsonResult	result;			/* JSON_END or JSON_BAD */
	JsonDefect	defect;			/* without a message */
};

/* Sets "result", and "defect" or the values outside of rows at the end. */
extern void reference_search(RefSearch *search, const RefDocument *document);

#endif							/* JSON_ROWS_H */
