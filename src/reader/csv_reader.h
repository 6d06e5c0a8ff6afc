/*
 * csv_reader.h
 *		Finds the rows of a CSV document, and the wanted columns of each row, in
 *		one pass over bytes that arrive in pieces.
 *
 * It shares the types and the window of json_reader.h: the caller calls
 * csv_reader_next() with the current window, and may drop the bytes before
 * csv_reader_keep_from(), which it reports by csv_reader_dropped().
 *
 * The text is UTF-8, with or without a byte order mark.  Its first record is
 * the header.  Records end with LF, CRLF or a lone CR and have as many fields
 * as the header.  Fields are quoted as in RFC 4180.  Empty lines are skipped,
 * except that with a header of a single column each empty line is a row whose
 * value is null.
 *
 * The delimiter is a comma if the header has one outside of quotes, or if it is
 * a single column.  A semicolon, tab or bar is the delimiter only if it has no
 * blank beside it in the header, and if the first three rows have it as often
 * as the header.
 *
 * This module knows neither PostgreSQL nor HTTP and builds alone.
 */
#ifndef HIBOB_READER_CSV_READER_H
#define HIBOB_READER_CSV_READER_H

#include "reader/json_reader.h"

typedef struct CsvReader CsvReader;

/* More columns are a defect; a table of PostgreSQL cannot have more. */
#define CSV_MAX_COLUMNS 1600

/* Flag of a JsonSlice: its quotes are doubled, see csv_unquote(). */
#define CSV_DOUBLED_QUOTES	0x08

/*
 * A row, or the header, may have max_row bytes, but at least 16.  Its line end
 * counts as one byte, even where it is missing.
 */
extern CsvReader *csv_reader_create(size_t max_row, JsonReaderAlloc alloc);

/*
 * Requests the column with a label.  Returns its slot, counted from 0; the same
 * label gives the same slot.  Must be called before the first
 * csv_reader_next().
 *
 * Labels are compared as csv_reader_label() returns them.  If several columns
 * have the same label, it means the first one; "Label#2" is the second column
 * labelled "Label", and so on, unless a column is labelled "Label#2" itself.
 * The first column without a label is "#1".
 */
extern int	csv_reader_want(CsvReader *reader, const char *label);

/*
 * Goes back to the start of a document, with the same requests.  The header is
 * read again.
 */
extern void csv_reader_restart(CsvReader *reader);

/* Continues to read, as json_reader_next() does. */
extern JsonResult csv_reader_next(CsvReader *reader, const char *window,
								  size_t length, bool last);

/*
 * The offset in the window of the first byte that is still needed.  At JSON_ROW
 * the row lies before it: use the row's slices before dropping bytes.  Fewer
 * than max_row bytes are kept.
 */
extern size_t csv_reader_keep_from(const CsvReader *reader);
extern void csv_reader_dropped(CsvReader *reader, size_t bytes);

/*
 * The current row's value: JSON_ABSENT if the header has no such label,
 * JSON_NULL if it is empty and not quoted, else JSON_STRING.  The slice
 * excludes the quotes.
 */
extern const JsonSlice *csv_reader_slice(const CsvReader *reader, int slot);

/*
 * The header, once it has been read: at the first JSON_ROW or JSON_END at the
 * latest.  In its labels, white space, including line breaks, is reduced to
 * single spaces, and removed at both ends.  They are valid until
 * csv_reader_restart().
 */
extern bool csv_reader_has_header(const CsvReader *reader);
extern int	csv_reader_nlabels(const CsvReader *reader);
extern const char *csv_reader_label(const CsvReader *reader, int index);
extern bool csv_reader_has_label(const CsvReader *reader, int slot);

extern const JsonDefect *csv_reader_defect(const CsvReader *reader);

/*
 * Makes each doubled quote a single one.  "out" has room for "length" bytes.
 * Returns the number of bytes written.
 */
extern size_t csv_unquote(const char *text, size_t length, char *out);

#endif							/* HIBOB_READER_CSV_READER_H */
