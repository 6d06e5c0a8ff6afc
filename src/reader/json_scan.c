/*
 * json_scan.c
 *		The tokens of JSON: escapes, numbers, words and escaped keys.
 *
 * Like all of the reader, this file knows nothing of PostgreSQL and builds
 * alone.  It decides on each byte when it reads that byte, so that the end of a
 * window never changes which defect is found, or where.
 */
#include "reader/json_reader.h"
#include "reader/json_scan.h"

/*
 * The states of a number.  The order matters: a number may end in NUMBER_ZERO
 * and later states only.
 */
enum
{
	NUMBER_START,				/* nothing yet */
	NUMBER_MINUS,
	NUMBER_POINT,
	NUMBER_E,
	NUMBER_E_SIGN,
	NUMBER_ZERO,				/* complete, and no digit may follow */
	NUMBER_INTEGER,
	NUMBER_FRACTION,
	NUMBER_EXPONENT,
	NUMBER_STATES,
	NUMBER_STOP = NUMBER_STATES /* the byte does not belong to it */
};

/* The classes of bytes within a number. */
enum
{
	BYTE_OTHER,
	BYTE_ZERO,
	BYTE_DIGIT,					/* 1 to 9 */
	BYTE_POINT,
	BYTE_E,
	BYTE_SIGN,
	BYTE_CLASSES
};

static const uint8_t byte_classes[256] = {
	['0'] = BYTE_ZERO,
	['1'] = BYTE_DIGIT, ['2'] = BYTE_DIGIT, ['3'] = BYTE_DIGIT,
	['4'] = BYTE_DIGIT, ['5'] = BYTE_DIGIT, ['6'] = BYTE_DIGIT,
	['7'] = BYTE_DIGIT, ['8'] = BYTE_DIGIT, ['9'] = BYTE_DIGIT,
	['.'] = BYTE_POINT,
	['e'] = BYTE_E, ['E'] = BYTE_E,
	['+'] = BYTE_SIGN, ['-'] = BYTE_SIGN
};

#define STOP NUMBER_STOP

/* The next state of a number.  A plus sign as first byte is excluded before. */
static const uint8_t number_steps[NUMBER_STATES][BYTE_CLASSES] = {
	/* other, zero, digit, point, e, sign */
	[NUMBER_START] =
	{STOP, NUMBER_ZERO, NUMBER_INTEGER, STOP, STOP, NUMBER_MINUS},
	[NUMBER_MINUS] =
	{STOP, NUMBER_ZERO, NUMBER_INTEGER, STOP, STOP, STOP},
	[NUMBER_POINT] =
	{STOP, NUMBER_FRACTION, NUMBER_FRACTION, STOP, STOP, STOP},
	[NUMBER_E] =
	{STOP, NUMBER_EXPONENT, NUMBER_EXPONENT, STOP, STOP, NUMBER_E_SIGN},
	[NUMBER_E_SIGN] =
	{STOP, NUMBER_EXPONENT, NUMBER_EXPONENT, STOP, STOP, STOP},
	[NUMBER_ZERO] =
	{STOP, STOP, STOP, NUMBER_POINT, NUMBER_E, STOP},
	[NUMBER_INTEGER] =
	{STOP, NUMBER_INTEGER, NUMBER_INTEGER, NUMBER_POINT, NUMBER_E, STOP},
	[NUMBER_FRACTION] =
	{STOP, NUMBER_FRACTION, NUMBER_FRACTION, STOP, NUMBER_E, STOP},
	[NUMBER_EXPONENT] =
	{STOP, NUMBER_EXPONENT, NUMBER_EXPONENT, STOP, STOP, STOP}
};

/*
 * Any number.  Only the byte after it, or the document's end, shows that it
 * is complete.
 */
const char *
json_scan_number_rest(JsonScan *scan, const char *start, const char *end)
{
	unsigned int state = (scan->scanned > 0) ? scan->number : NUMBER_START;
	const char *p = start + scan->scanned;
	unsigned int next;

	for (; p < end; p++, state = next)
	{
		next = number_steps[state][byte_classes[(unsigned char) *p]];
		if (next == NUMBER_STOP)
			break;
	}
	if (p == end && !(scan->last && state >= NUMBER_ZERO))
	{
		scan->scanned = (size_t) (p - start);
		scan->number = (uint8_t) state;
		return NULL;
	}
	scan->scanned = 0;
	if (state < NUMBER_ZERO)
		return json_scan_defect(scan, "expected a digit", p);
	return p;
}

/*
 * The rest of json_scan_word(), where the word is not there as a whole.  Words
 * are so short that there is no need to remember how far one was scanned.
 */
const char *
json_scan_word_rest(JsonScan *scan, const char *start, const char *end,
					const char *word)
{
	for (; start < end; start++, word++)
	{
		if (*start != *word)
			return json_scan_defect(scan, "unexpected character", start);
	}
	return NULL;
}

/*
 * Escapes
 */

/* The value of a hexadecimal digit, or -1. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* The UTF-16 unit of an escape with four valid digits. */
static unsigned int
hex_unit(const char *digits)
{
	unsigned int unit = 0;
	int			i;

	for (i = 0; i < 4; i++)
		unit = unit << 4 | (unsigned int) hex_digit(digits[i]);
	return unit;
}

static bool
is_high_surrogate(unsigned int unit)
{
	return (unit & 0xfc00) == 0xd800;
}

static bool
is_low_surrogate(unsigned int unit)
{
	return (unit & 0xfc00) == 0xdc00;
}

/* Scans the four digits of a \u escape. */
static const char *
scan_hex(JsonScan *scan, const char *p, const char *end)
{
	int			i;

	for (i = 0; i < 4; i++, p++)
	{
		if (p == end)
			return NULL;
		if (hex_digit(*p) < 0)
			return json_scan_defect(scan, "invalid digit in an escape", p);
	}
	return p;
}

/*
 * Scans the second half of a surrogate pair, after the first.  Returns "p"
 * itself if no second half follows.
 */
static const char *
scan_second_half(JsonScan *scan, const char *p, const char *end)
{
	const char *next;

	if (p == end || (*p == '\\' && p + 1 == end))
		return NULL;
	if (p[0] != '\\' || p[1] != 'u')
		return p;
	next = scan_hex(scan, p + 2, end);
	if (next != NULL && !is_low_surrogate(hex_unit(p + 2)))
		return p;
	return next;
}

/*
 * Scans a \u escape, and with the first half of a surrogate pair the second.
 * A half without its other half is valid JSON but no character: it only gets
 * a flag.
 */
static const char *
scan_unicode_escape(JsonScan *scan, const char *p, const char *end)
{
	const char *next = scan_hex(scan, p + 2, end);
	const char *after = next;
	uint8_t		flags = JSON_ESCAPED;
	unsigned int unit;

	if (next == NULL)
		return NULL;
	unit = hex_unit(p + 2);
	if (is_high_surrogate(unit))
		next = scan_second_half(scan, after, end);
	if (next == NULL)
		return NULL;
	if (unit == 0)
		flags |= JSON_NUL_ESCAPE;
	if (is_low_surrogate(unit) || (is_high_surrogate(unit) && next == after))
		flags |= JSON_LONE_SURROGATE;
	scan->flags |= flags;
	return next;
}

static const char *
scan_escape(JsonScan *scan, const char *p, const char *end)
{
	if (end - p < 2)
		return NULL;
	switch (p[1])
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			scan->flags |= JSON_ESCAPED;
			return p + 2;
		case 'u':
			return scan_unicode_escape(scan, p, end);
		default:
			return json_scan_defect(scan, "invalid escape", p + 1);
	}
}

/*
 * The rest of json_scan_string(), from "p" on, for strings with an escape or a
 * control character, or that the window cuts.
 */
const char *
json_scan_string_rest(JsonScan *scan, const char *start, const char *p,
					  const char *end)
{
	const char *next;

	while (p < end && *p != '"')
	{
		if (*p != '\\')
			return json_scan_defect(scan, "control character in a string", p);
		next = scan_escape(scan, p, end);
		if (next == NULL)
		{
			/* An escape is short enough to be scanned anew as a whole */
			scan->scanned = (size_t) (p - start);
			return NULL;
		}
		p = json_find_special(next, end);
	}
	scan->scanned = (p == end) ? (size_t) (p - start) : 0;
	return (p == end) ? NULL : p;
}

/*
 * Escapes
 */

static int
encode_utf8(unsigned int code, char *bytes)
{
	int			n = (code < 0x800) ? 2 : (code < 0x10000) ? 3 : 4;
	int			i;

	if (code < 0x80)
		n = 1;
	for (i = n - 1; i > 0; i--, code >>= 6)
		bytes[i] = (char) (0x80 | (code & 0x3f));
	bytes[0] = (char) (n == 1 ? code : (0xf00u >> n & 0xff) | code);
	return n;
}

/*
 * Decodes a \u escape, or a pair of them, and steps over it.  Returns the
 * number of bytes, or 0 for half a pair.
 */
static int
decode_unicode_escape(const char **p, char *bytes)
{
	unsigned int code = hex_unit(*p + 2);
	unsigned int second = 0;

	*p += 6;
	if (is_high_surrogate(code) && (*p)[0] == '\\' && (*p)[1] == 'u')
		second = hex_unit(*p + 2);
	if (is_low_surrogate(second))
	{
		*p += 6;
		code = 0x10000 + ((code & 0x3ff) << 10 | (second & 0x3ff));
	}
	else if (is_high_surrogate(code) || is_low_surrogate(code))
		return 0;
	return encode_utf8(code, bytes);
}

/* Likewise for the next byte or escape. */
static int
decode_next(const char **p, char *bytes)
{
	static const char from[] = "bfnrt";
	static const char to[] = "\b\f\n\r\t";
	const char *found;

	if (**p != '\\')
	{
		bytes[0] = *(*p)++;
		return 1;
	}
	if ((*p)[1] == 'u')
		return decode_unicode_escape(p, bytes);
	found = strchr(from, (*p)[1]);
	bytes[0] = (found != NULL) ? to[found - from] : (*p)[1];
	*p += 2;
	return 1;
}

bool
json_key_equals(const char *key, const char *quote, const char *bytes,
				size_t length)
{
	char		decoded[4];
	size_t		n;

	while (key < quote)
	{
		n = (size_t) decode_next(&key, decoded);
		if (n == 0 || n > length || memcmp(bytes, decoded, n) != 0)
			return false;
		bytes += n;
		length -= n;
	}
	return length == 0;
}

size_t
json_unescape(const char *text, size_t length, char *out)
{
	const char *end = text + length;
	char	   *next = out;

	while (text < end)
	{
		const char *backslash = memchr(text, '\\', (size_t) (end - text));
		size_t		plain = (size_t) ((backslash ? backslash : end) - text);

		memmove(next, text, plain);
		next += plain;
		text += plain;
		if (text == end)
			break;
		plain = (size_t) decode_next(&text, next);
		if (plain == 0 || *next == '\0')
		{
			*next = JSON_NO_CHARACTER;
			plain = 1;
		}
		next += plain;
	}
	return (size_t) (next - out);
}
