/*
 * csv_reference.h
 *		A CSV document as a table, read in the simplest way.
 *
 * The fuzz harness compares csv_reader.c with this.  It is written from RFC 4180
 * and csv_reader.h, with the whole document in memory, byte by byte.  It shares
 * no code with the reader, only the types of the results.
 */
#ifndef CSV_REFERENCE_H
#define CSV_REFERENCE_H

#include "reader/csv_reader.h"

/* Valid until the next document is read. */
typedef struct RefTable
{
	const char **labels;
	size_t		nlabels;
	bool		has_header;
	JsonSlice  *cells;			/* of the rows, one after the other */
	size_t		nrows;			/* before the defect, if there is one */
	JsonResult	result;			/* JSON_END or JSON_BAD */
	JsonDefect	defect;			/* without a message */
} RefTable;

/* "limit" is the reader's max_row. */
extern const RefTable *csv_reference_read(const char *text, size_t size,
										  size_t limit);

/* The column for a label, or -1. */
extern int	csv_reference_column(const RefTable *table, const char *label);

#endif							/* CSV_REFERENCE_H */
