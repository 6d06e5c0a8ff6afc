/*
 * json_reader.h
 *		Finds the rows of a JSON document, and the wanted values in each row and
 *		around them, in one pass over bytes that arrive in pieces.
 *
 * The caller keeps a window of the document's bytes.  It calls
 * json_reader_next() with the current window, and gets a row, a request for
 * more bytes, the end, or a defect.  The reader does not need bytes before
 * json_reader_keep_from() again: the caller may drop them, and reports that by
 * json_reader_dropped().  So no row is copied, and each byte is read once,
 * however small the pieces are.
 *
 * This module knows neither PostgreSQL nor HTTP and builds alone.
 */
#ifndef HIBOB_READER_JSON_READER_H
#define HIBOB_READER_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct JsonReader JsonReader;

/* Memory for a reader, zeroed; never NULL.  It is released as a whole. */
typedef void *(*JsonReaderAlloc) (size_t size);

typedef enum JsonKind
{
	JSON_ABSENT = 0,			/* there is no such value */
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
} JsonKind;

/* Escapes in a string: its value differs from its bytes, or is not text. */
#define JSON_ESCAPED		0x01	/* at least one backslash */
#define JSON_NUL_ESCAPE		0x02	/* \u0000 */
#define JSON_LONE_SURROGATE	0x04	/* half of a surrogate pair */

/* A byte that valid UTF-8 does not contain. */
#define JSON_NO_CHARACTER	'\xff'

/*
 * A value in the window of the json_reader_next() call that returned its row.
 * A string's slice excludes the quotes.
 */
typedef struct JsonSlice
{
	size_t		start;			/* offset in the window; 0 if absent */
	size_t		length;
	uint8_t		kind;			/* JsonKind */
	uint8_t		flags;
} JsonSlice;

/*
 * A value outside of rows: a copy, made when the value is complete.  A string
 * has no quotes, and its escapes are not decoded; an array or object is its
 * JSON text.  The text is valid until the next value at the same place, the
 * next element around it, a defect or a restart.
 */
typedef struct JsonOutside
{
	const char *text;			/* NUL-terminated; NULL if absent */
	size_t		length;
	uint8_t		kind;			/* JsonKind */
	uint8_t		flags;
	uint32_t	times;			/* number of values at this place so far */
} JsonOutside;

typedef enum JsonResult
{
	JSON_ROW,					/* a row: see json_reader_slice() */
	JSON_MORE,					/* the window ends inside something */
	JSON_END,					/* the document is complete */
	JSON_BAD					/* see json_reader_defect() */
} JsonResult;

typedef enum JsonDefectKind
{
	JSON_DEFECT_SYNTAX,			/* not JSON */
	JSON_DEFECT_DEPTH,			/* nested deeper than max_depth */
	JSON_DEFECT_ROW_SIZE,		/* a row, or outside of rows a key, a scalar or
								 * a wanted container, is larger than max_row */
	JSON_DEFECT_SHAPE,			/* JSON, but not with rows where the shape
								 * expects them */
	JSON_DEFECT_TRUNCATED		/* the last byte was not the document's end */
} JsonDefectKind;

typedef struct JsonDefect
{
	JsonDefectKind kind;
	const char *message;		/* static, lower case, without a full stop */
	uint64_t	position;		/* offset in the document, from 0 */
} JsonDefect;

/*
 * Where the rows are: a NULL-terminated list of patterns.  A pattern is a
 * sequence of keys and of "[]", which stands for each element: "employees[]",
 * "[]", "results[].values[]".  With the empty pattern the document's object is
 * the row, unless it has the array of another pattern.  The same holds for any
 * pattern that is the beginning of another one: with "values[]" and
 * "values[].values[]", an element is a row unless it has an array of rows.
 *
 * Each object on the path to the rows must have a key that leads to them, and
 * each value on the path must be of the kind that the patterns say.  An array
 * may be empty.
 */
typedef struct JsonShape
{
	const char *const *rows;
	size_t		max_row;		/* bytes; at least 16 are granted */
	int			max_depth;
} JsonShape;

/*
 * The most bytes that a reader allocates to read rows faster that are like
 * earlier ones.  Wanted paths and values outside of rows are not included.
 */
#define JSON_READER_LEARNED (256 * 1024)

extern JsonReader *json_reader_create(const JsonShape *shape,
									  JsonReaderAlloc alloc);

/*
 * Requests the value at a path of keys below the row; without a key, the row
 * itself.  Returns its slot; the same path gives the same slot.  Must be called
 * before the first json_reader_next().
 */
extern int	json_reader_want(JsonReader *reader, const char *const *keys,
							 int nkeys);

/*
 * Requests a value outside of rows, at a place that is written as a pattern:
 * "response_metadata.next_cursor", "results[].employeeId", "errors".  Returns
 * its number; the same pattern gives the same number.  Must be called before
 * the first json_reader_next().
 *
 * The value may be of any kind.  If the path to it ends early, at null or
 * another value, it is absent, which is no defect.  The last of equal keys
 * counts.
 *
 * Below an element of an array the value belongs to that element.  It is
 * forgotten when the next element begins or the array ends.  So values are
 * found only in arrays on the path to the rows.  No value is found at a place
 * that leads to the rows or has rows.
 *
 * A place in a possible row has a value only if that turns out not to be a row:
 * with the rows "values[]" and "values[].values[]", "values[].id" is found only
 * in an element that has an array of rows.
 */
extern int	json_reader_want_outside(JsonReader *reader, const char *pattern);

/*
 * The same for a value that outlives its element: it is valid until the next
 * value at its place.  So a value after an element's last row is found at the
 * first row of the next element, or at the end.
 */
extern int	json_reader_want_lasting(JsonReader *reader, const char *pattern);

/* Goes back to the start of a document, with the same requests. */
extern void json_reader_restart(JsonReader *reader);

/*
 * Continues to read.  "window" must have all bytes from
 * json_reader_keep_from() on, less those that were dropped; "last" means that
 * no byte follows.
 */
extern JsonResult json_reader_next(JsonReader *reader, const char *window,
								   size_t length, bool last);

/*
 * The offset in the window of the first byte that is still needed.  At JSON_ROW
 * the row lies before it: use the row's slices before dropping bytes.  At most
 * max_row bytes are kept.
 */
extern size_t json_reader_keep_from(const JsonReader *reader);
extern void json_reader_dropped(JsonReader *reader, size_t bytes);

/* The current row's value; a slot that the row lacks has kind JSON_ABSENT. */
extern const JsonSlice *json_reader_slice(const JsonReader *reader, int slot);

/*
 * The value outside of rows that was found so far, or one of kind JSON_ABSENT.
 * At JSON_ROW it is a value that precedes the row, so that a value after an
 * element's last row is never found; at JSON_END it is one that belongs to no
 * element; at JSON_BAD all are absent.
 */
extern const JsonOutside *json_reader_outside(const JsonReader *reader,
											  int number);

/*
 * Finds a string or number outside of rows after the current row, in an object
 * that the row is in: objects have no order.  The window has all bytes from the
 * row's end on, as far as there are any.  JSON_ROW: found, as a slice of the
 * window; JSON_END: not there; JSON_MORE: not yet there.
 */
extern JsonResult json_reader_find_after(const JsonReader *reader, int number,
										 const char *window, size_t length,
										 bool last, JsonSlice *value);

/*
 * Whether the slot was present in any row since json_reader_create(): with a
 * value, with null, or below an ancestor that was null or not an object.
 */
extern bool json_reader_is_present(const JsonReader *reader, int slot);

extern const JsonDefect *json_reader_defect(const JsonReader *reader);

/*
 * Resolves the escapes of a string, given without its quotes; the byte after it
 * must exist.  Returns the length of the result.  "out" needs as much room as
 * the text has, since the result is never longer.  \u0000 and half a surrogate
 * pair become JSON_NO_CHARACTER.
 */
extern size_t json_unescape(const char *text, size_t length, char *out);

#endif							/* HIBOB_READER_JSON_READER_H */
