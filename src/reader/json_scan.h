/*
 * json_scan.h
 *		The tokens of JSON: where a string, a number or a word ends.
 *
 * Private to the readers of JSON.  It knows the bytes of a single token, but
 * not what may follow it.  The functions in this file run for nearly every
 * token and so are inline; the others are in json_scan.c.
 *
 * A scanning function takes a token's first byte and the end of the window,
 * and returns the token's end, or NULL.  NULL is a defect if there is a
 * message; otherwise the window ends inside the token: the same call with a
 * longer window continues where this one stopped.
 */
#ifndef HIBOB_READER_JSON_SCAN_H
#define HIBOB_READER_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef struct JsonScan
{
	/* the current token, if the window has ended inside it */
	size_t		scanned;		/* bytes of it that were scanned already */
	uint8_t		number;			/* the state of a number */

	uint8_t		flags;			/* of the last string, as in JsonSlice */
	bool		last;			/* no byte follows the window */

	const char *message;		/* a defect; NULL if there is none */
	const char *where;
} JsonScan;

extern const char *json_scan_string_rest(JsonScan *scan, const char *start,
										 const char *p, const char *end);
extern const char *json_scan_number_rest(JsonScan *scan, const char *start,
										 const char *end);
extern const char *json_scan_word_rest(JsonScan *scan, const char *start,
									   const char *end, const char *word);

/*
 * Whether a valid key with escapes, the bytes from "key" to its last quote,
 * stands for the given bytes.
 */
extern bool json_key_equals(const char *key, const char *quote,
							const char *bytes, size_t length);

/* Notes a defect; NULL, for the caller to return. */
static inline const char *
json_scan_defect(JsonScan *scan, const char *message, const char *where)
{
	scan->message = message;
	scan->where = where;
	return NULL;
}

static inline const char *
json_skip_space(const char *p, const char *end)
{
	while (p < end && (unsigned char) *p <= ' ' &&
		   (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/*
 * Finds the next byte that is not an ordinary character of a string: a quote, a
 * backslash or a control character.  Returns "end" if there is none.
 */
static inline const char *
json_find_special(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quotes = _mm_set1_epi8('"');
	const __m128i backslashes = _mm_set1_epi8('\\');
	const __m128i controls = _mm_set1_epi8(0x1f);

	while (end - p >= 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) (const void *) p);
		__m128i		special;
		unsigned int mask;

		/* No byte above 0x1f is the smaller one of itself and 0x1f */
		special = _mm_cmpeq_epi8(_mm_min_epu8(bytes, controls), bytes);
		special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, quotes));
		special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, backslashes));
		mask = (unsigned int) _mm_movemask_epi8(special);
		if (mask != 0)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#else
	const uint64_t ones = UINT64_C(0x0101010101010101);

	while (end - p >= 8)
	{
		uint64_t	bytes;
		uint64_t	quotes;
		uint64_t	backslashes;
		uint64_t	special;

		/*
		 * Subtracting from all bytes at once sets the top bit of each that is
		 * too small, and maybe of others above it.  So the result shows
		 * whether there is any such byte, not which; the loop below finds it.
		 */
		memcpy(&bytes, p, sizeof(bytes));
		quotes = bytes ^ (ones * '"');
		backslashes = bytes ^ (ones * '\\');
		special = (bytes - ones * 0x20) & ~bytes;
		special |= (quotes - ones) & ~quotes;
		special |= (backslashes - ones) & ~backslashes;
		if ((special & (ones * 0x80)) != 0)
			break;
		p += 8;
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && (unsigned char) *p >= 0x20)
		p++;
	return p;
}

/* A string's end is the quote that closes it.  Sets the string's flags. */
static inline const char *
json_scan_string(JsonScan *scan, const char *start, const char *end)
{
	const char *p = start + 1;

	if (scan->scanned == 0)
		scan->flags = 0;
	else
		p = start + scan->scanned;
	p = json_find_special(p, end);
	if (p == end || *p != '"')
		return json_scan_string_rest(scan, start, p, end);
	scan->scanned = 0;
	return p;
}

/*
 * A number's end is the byte after it.  Most numbers are a few digits, which a
 * loop skips.
 */
static inline const char *
json_scan_number(JsonScan *scan, const char *start, const char *end)
{
	const char *p = start;

	if (scan->scanned == 0 && p < end && *p >= '1' && *p <= '9')
	{
		do
			p++;
		while (p < end && *p >= '0' && *p <= '9');
		if (p < end && (*p == ',' || *p == '}'))
			return p;
	}
	return json_scan_number_rest(scan, start, end);
}

/* A literal, or the byte order mark. */
static inline const char *
json_scan_word(JsonScan *scan, const char *start, const char *end,
			   const char *word)
{
	size_t		length = strlen(word);

	if ((size_t) (end - start) >= length && memcmp(start, word, length) == 0)
		return start + length;
	return json_scan_word_rest(scan, start, end, word);
}

#endif							/* HIBOB_READER_JSON_SCAN_H */
