/*
 * json_reader.h
 *		Finds the rows of a JSON document, and the wanted values in each row
 *		and around them, in one pass over bytes that arrive in pieces.
 *
 * The caller keeps a window of the document's bytes.  It calls
 * json_reader_next() with the window as it is, and gets a row, the wish for
 * more bytes, the end, or a defect.  Bytes before json_reader_keep_from() are
 * never looked at again: the caller may drop them and says so with
 * json_reader_dropped().  So no row is copied, and what has been read is read
 * once, however small the pieces are.
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

/* What a string's escapes hold that a plain copy, or PostgreSQL, cannot. */
#define JSON_ESCAPED		0x01	/* has at least one backslash */
#define JSON_NUL_ESCAPE		0x02	/* has \u0000 */
#define JSON_LONE_SURROGATE	0x04	/* has half a surrogate pair */

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
 * is without its quotes, its escapes as they are; an array or object is its
 * JSON text.  The text lasts until the next value at its place, the next
 * element around that, a defect or a restart.
 */
typedef struct JsonOutside
{
	const char *text;			/* NUL-terminated; NULL if absent */
	size_t		length;
	uint8_t		kind;			/* JsonKind */
	uint8_t		flags;
	uint32_t	times;			/* how often the place has had one by now */
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
	JSON_DEFECT_SHAPE,			/* JSON, but its rows are not where they
								 * belong */
	JSON_DEFECT_TRUNCATED		/* the last byte was not the document's end */
} JsonDefectKind;

typedef struct JsonDefect
{
	JsonDefectKind kind;
	const char *message;		/* static, lower case, without a full stop */
	uint64_t	position;		/* offset in the document, from 0 */
} JsonDefect;

/*
 * Where the rows lie: a NULL-terminated list of patterns, each a sequence of
 * keys and "[]" for "each element": "employees[]", "[]",
 * "results[].values[]".  The empty pattern makes the document's own object the
 * row, unless another pattern finds its array in it.  The same holds for any
 * pattern that another one begins with: with "values[]" and
 * "values[].values[]" an element is a row unless it has an array of rows.
 *
 * Each object on the way to the rows needs a key that leads on, and each value
 * there has to be what the patterns say; an array may be empty.
 */
typedef struct JsonShape
{
	const char *const *rows;
	size_t		max_row;		/* bytes; at least 16 are granted */
	int			max_depth;
} JsonShape;

/*
 * What a reader allocates at most, beyond its wants and the values outside of
 * rows, to read rows faster that are like those before.
 */
#define JSON_READER_LEARNED (256 * 1024)

extern JsonReader *json_reader_create(const JsonShape *shape,
									  JsonReaderAlloc alloc);

/*
 * Asks for the value at a path of keys below the row; no key at all is the row
 * itself.  Returns its slot; the same path gives the same slot.  Only before
 * the first json_reader_next().
 */
extern int	json_reader_want(JsonReader *reader, const char *const *keys,
							 int nkeys);

/*
 * Asks for a value outside of rows, at a place written like a pattern:
 * "response_metadata.next_cursor", "results[].employeeId", "errors".  Returns
 * its number; the same pattern gives the same one.  Only before the first
 * json_reader_next().
 *
 * The value may be of any kind.  If on the way to it there is null or anything
 * else that does not lead on, it is absent, and no defect.  The last of equal
 * keys wins.
 *
 * Below an element of an array the value belongs to that element, and is
 * forgotten when the next one begins or the array ends.  So only arrays on the
 * way to the rows have any; and a place that leads to the rows, or has rows,
 * is none where a value could be.
 *
 * A place in what may be a row has a value only if that is none: with the rows
 * "values[]" and "values[].values[]", "values[].id" is found in an element
 * that has an array of rows, and in no other.
 */
extern int	json_reader_want_outside(JsonReader *reader, const char *pattern);

/*
 * Likewise, but the value outlives its element: it is there until the next one
 * at its place, so that what comes behind an element's last row is seen with
 * the next element's first, or at the end.
 */
extern int	json_reader_want_lasting(JsonReader *reader, const char *pattern);

/* Back to the start of a document, keeping what is wanted. */
extern void json_reader_restart(JsonReader *reader);

/*
 * Goes on reading.  "window" must hold all bytes from json_reader_keep_from()
 * on, at the same place relative to what was dropped; "last" says that no
 * byte will follow.
 */
extern JsonResult json_reader_next(JsonReader *reader, const char *window,
								   size_t length, bool last);

/*
 * The offset in the window from which on bytes are still needed.  At JSON_ROW
 * the row is behind it: drop nothing before its slices have been used.  Never
 * more than max_row bytes are kept.
 */
extern size_t json_reader_keep_from(const JsonReader *reader);
extern void json_reader_dropped(JsonReader *reader, size_t bytes);

/* The present row's value; a slot that the row lacks has kind JSON_ABSENT. */
extern const JsonSlice *json_reader_slice(const JsonReader *reader, int slot);

/*
 * The value outside of rows as found so far, of kind JSON_ABSENT if it was not
 * (yet).  At JSON_ROW those are there that precede the row, so that what comes
 * behind an element's last row is never seen; at JSON_END those that belong to
 * no element; at JSON_BAD none.
 */
extern const JsonOutside *json_reader_outside(const JsonReader *reader,
											  int number);

/*
 * Whether any row since json_reader_create() carried the slot: with a value,
 * with null, or below an ancestor that was null (or anything else but an
 * object, so that it has no such key for another reason than being absent).
 */
extern bool json_reader_is_present(const JsonReader *reader, int slot);

extern const JsonDefect *json_reader_defect(const JsonReader *reader);

/*
 * Resolves the escapes of a string, given without its quotes and without
 * JSON_LONE_SURROGATE.  "out" needs as much room as the text has; the result,
 * whose length is returned, is never longer.
 */
extern size_t json_unescape(const char *text, size_t length, char *out);

/*
 * Iterates over the elements of an array, given as the text that the reader has
 * found it to be.  "offset" is 0 before the first call.  False after the last
 * element; "element" is a slice of the text.
 */
extern bool json_next_element(const char *array, size_t length,
							  size_t *offset, JsonSlice *element);

#endif							/* HIBOB_READER_JSON_READER_H */
