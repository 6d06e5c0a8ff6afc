/*
 * json_reader.c
 *		A strict, resumable JSON reader that finds rows and wanted values.
 *
 * Most bytes of a response are not wanted, so this is built to pass over them
 * quickly: every byte is checked against RFC 8259, but nothing is built from
 * it, and only a container that can hold a row or a wanted value has its keys
 * looked at.
 *
 * What is looked for is a tree of JsonNodes: one for the shape, from the
 * document's value down to the rows, and one for the wanted paths, from the
 * row down.  Each can be entered at one place at a time only, so the tree's
 * own parent links serve as the stack of the containers that matter; for all
 * the others a byte a level is enough to know what closes them.
 *
 * A token is read as a whole.  Where the window ends inside one, the reader
 * stays at the token's start and remembers how far it has looked, so that no
 * piece is too small to make progress.  Which answer is given never depends
 * on how the document was cut.
 *
 * This file may know nothing of PostgreSQL, HTTP or HiBob.
 */
#include "json_reader.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define NODE_BUCKETS 64			/* a power of two: see key_bucket() */
#define LEAST_MAX_ROW 16		/* so that any literal fits */

/* What the grammar allows at the next byte that is not white space. */
typedef enum ReaderState
{
	AT_START,					/* a byte order mark or the document's value */
	AT_VALUE,
	AT_FIRST_ELEMENT,			/* a value or ']' */
	AT_FIRST_KEY,				/* a key or '}' */
	AT_KEY,
	AT_COLON,
	AT_SEPARATOR,				/* ',' or what closes the container */
	AT_END,						/* nothing more */
	AT_DEFECT					/* nothing is read any more */
} ReaderState;

/* How far a number has come; only some of these may be its end. */
typedef enum NumberState
{
	NUMBER_START,
	NUMBER_MINUS,
	NUMBER_ZERO,
	NUMBER_INTEGER,
	NUMBER_POINT,
	NUMBER_FRACTION,
	NUMBER_E,
	NUMBER_E_SIGN,
	NUMBER_EXPONENT,
	NUMBER_STOP					/* the byte does not belong to it */
} NumberState;

/*
 * A place in the shape or in a row.  A node of the shape leads on by keys, by
 * "each element", or both, and may be a row as well; a node in a row leads on
 * by keys only, and has a value.
 */
typedef struct JsonNode
{
	struct JsonNode *parent;
	struct JsonNode **children; /* chains by key_bucket(), or NULL */
	struct JsonNode *neighbour; /* next in the parent's chain */
	size_t		key_length;

	/* shape only */
	struct JsonNode *element;
	bool		is_row;
	bool		led_on;			/* its present object has one of its keys */

	/* row only */
	int			slot;			/* or -1 */
	bool		listed;			/* is in the reader's list of values */
	bool		carried;		/* a row had it */
	bool		was_leaf;		/* a row had it, and it was not an object */
	struct JsonNode *next_listed;
	JsonSlice	value;			/* relative to the row until that is complete */

	char		key[];			/* not terminated */
} JsonNode;

struct JsonReader
{
	JsonReaderAlloc alloc;
	size_t		max_row;
	size_t		max_depth;

	JsonNode   *document;		/* where the shape starts */
	JsonNode   *row;			/* where the wanted paths start */
	JsonNode  **slots;
	int			nslots;
	int			slots_room;

	/* the window; offsets are in it */
	const char *window;
	size_t		length;
	uint64_t	window_start;	/* where it lies in the document */
	bool		last;			/* no byte follows it */
	size_t		position;		/* all before it has been read */
	size_t		row_start;		/* if row_depth > 0 */

	ReaderState state;
	size_t		depth;			/* containers around the next byte */
	char	   *closers;		/* [1 .. depth]: what closes each */

	/* the present token; more, if the window has ended inside it */
	const char *token;
	size_t		scanned;		/* bytes of it that need no second look */
	uint8_t		string_flags;
	NumberState number;

	/*
	 * The innermost container on the way to a row, and in a row the innermost
	 * one on the way to a wanted value, each with its depth.  Where either is
	 * the present container, its child is what the last key has led to.
	 */
	JsonNode   *shape;
	size_t		shape_depth;
	JsonNode   *shape_child;
	JsonNode   *want;
	size_t		want_depth;		/* 0 outside of rows */
	JsonNode   *want_child;
	bool		on_the_way;		/* the present container is either of them */

	JsonNode   *listed;			/* nodes that have a value in this row */
	bool		row_complete;

	bool		defective;		/* "defect" is set, if not yet reported */
	JsonDefect	defect;
};

/*
 * Notes what is wrong and where.  All readers of tokens return NULL both for a
 * defect and where the window ends; stop_reading() tells them apart.
 */
static const char *
complain(JsonReader *reader, JsonDefectKind kind, const char *message,
		 const char *where)
{
	reader->defective = true;
	reader->defect.kind = kind;
	reader->defect.message = message;
	reader->defect.position = (size_t) (where - reader->window);
	return NULL;
}

static const char *
bad_syntax(JsonReader *reader, const char *message, const char *where)
{
	return complain(reader, JSON_DEFECT_SYNTAX, message, where);
}

/* stop_reading() makes this one about the whole row or token. */
static const char *
too_large(JsonReader *reader, const char *where)
{
	return complain(reader, JSON_DEFECT_ROW_SIZE, "too large", where);
}

/*
 * Strings
 */

/*
 * Finds the next byte that does not simply belong to a string: a quote, a
 * backslash or a control character.  Returns "end" if there is none.
 */
static inline const char *
find_special(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);

	while (end - p >= 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) (const void *) p);
		__m128i		special;
		int			mask;

		special = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
							   _mm_cmpeq_epi8(bytes, backslash));
		special = _mm_or_si128(special,
							   _mm_cmpeq_epi8(_mm_min_epu8(bytes, control),
											  bytes));
		mask = _mm_movemask_epi8(special);
		if (mask != 0)
			return p + __builtin_ctz((unsigned int) mask);
		p += 16;
	}
#else
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t tops = UINT64_C(0x8080808080808080);

	/* A byte's top bit comes out set if that byte, or a lower one, is special */
	while (end - p >= 8)
	{
		uint64_t	bytes;
		uint64_t	quote;
		uint64_t	backslash;
		uint64_t	special;

		memcpy(&bytes, p, sizeof(bytes));
		quote = bytes ^ (ones * '"');
		backslash = bytes ^ (ones * '\\');
		special = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
			((bytes - ones * 0x20) & ~bytes);
		if ((special & tops) != 0)
			break;
		p += 8;
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && (unsigned char) *p >= 0x20)
		p++;
	return p;
}

/* The value of a hexadecimal digit, or -1. */
static inline int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* The UTF-16 unit that four valid digits stand for. */
static unsigned int
hex_unit(const char *digits)
{
	return (unsigned int) (hex_digit(digits[0]) << 12 |
						   hex_digit(digits[1]) << 8 |
						   hex_digit(digits[2]) << 4 |
						   hex_digit(digits[3]));
}

/* Reads the four digits of a \u escape; NULL as in complain(). */
static const char *
read_hex(JsonReader *reader, const char *p, const char *end, unsigned int *unit)
{
	int			i;

	for (i = 0; i < 4; i++)
	{
		if (p + i == end)
			return NULL;
		if (hex_digit(p[i]) < 0)
			return bad_syntax(reader, "invalid digit in a \\u escape", p + i);
	}
	*unit = hex_unit(p);
	return p + 4;
}

static inline bool
is_high_surrogate(unsigned int unit)
{
	return (unit & 0xfc00) == 0xd800;
}

static inline bool
is_low_surrogate(unsigned int unit)
{
	return (unit & 0xfc00) == 0xdc00;
}

/*
 * Reads a \u escape at "p", and with the first half of a surrogate pair the
 * second if that follows.  A half without its other half is valid JSON, but
 * no character: it only gets a flag.
 */
static const char *
read_unicode_escape(JsonReader *reader, const char *p, const char *end)
{
	uint8_t		flags = JSON_ESCAPED;
	unsigned int unit;
	unsigned int second;
	const char *next;

	p = read_hex(reader, p + 2, end, &unit);
	if (p == NULL)
		return NULL;
	if (unit == 0)
		flags |= JSON_NUL_ESCAPE;
	else if (is_low_surrogate(unit))
		flags |= JSON_LONE_SURROGATE;
	else if (is_high_surrogate(unit))
	{
		if (p == end || (*p == '\\' && p + 1 == end))
			return NULL;
		next = p;
		if (p[0] == '\\' && p[1] == 'u')
		{
			next = read_hex(reader, p + 2, end, &second);
			if (next == NULL)
				return NULL;
			if (!is_low_surrogate(second))
				next = p;
		}
		if (next == p)
			flags |= JSON_LONE_SURROGATE;
		p = next;
	}
	reader->string_flags |= flags;
	return p;
}

/* Reads the escape at "p"; returns its end, or NULL as in complain(). */
static const char *
read_escape(JsonReader *reader, const char *p, const char *end)
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
			reader->string_flags |= JSON_ESCAPED;
			return p + 2;
		case 'u':
			return read_unicode_escape(reader, p, end);
		default:
			return bad_syntax(reader, "invalid escape", p + 1);
	}
}

/*
 * The rest of scan_string(), from "p" on, where there is more to it than
 * running to the closing quote.
 */
static const char *
scan_string_rest(JsonReader *reader, const char *start, const char *p,
				 const char *end)
{
	const char *next;

	while (p < end && *p != '"')
	{
		if (*p != '\\')
			return bad_syntax(reader, "control character in a string", p);
		next = read_escape(reader, p, end);
		if (next == NULL)
			break;
		p = find_special(next, end);
	}
	if (p < end && *p == '"')
	{
		reader->scanned = 0;
		return p;
	}
	reader->scanned = (size_t) (p - start);
	return NULL;
}

/*
 * Returns the quote that closes the string opened at "start"; NULL as in
 * complain().  Leaves the string's flags in the reader.
 */
static inline const char *
scan_string(JsonReader *reader, const char *start, const char *end)
{
	const char *p = start + 1;

	if (reader->scanned == 0)
		reader->string_flags = 0;
	else
		p = start + reader->scanned;
	p = find_special(p, end);
	if (p == end || *p != '"')
		p = scan_string_rest(reader, start, p, end);
	else
		reader->scanned = 0;
	if (p != NULL && (size_t) (p - start) >= reader->max_row)
		return too_large(reader, p);
	return p;
}

/*
 * Numbers and literals
 */

/* What a number becomes with one more byte. */
static inline NumberState
number_step(NumberState state, char c)
{
	bool		digit = (c >= '0' && c <= '9');

	switch (state)
	{
		case NUMBER_START:
			if (c == '-')
				return NUMBER_MINUS;
			/* FALLTHROUGH */
		case NUMBER_MINUS:
			if (c == '0')
				return NUMBER_ZERO;
			return digit ? NUMBER_INTEGER : NUMBER_STOP;
		case NUMBER_INTEGER:
			if (digit)
				return NUMBER_INTEGER;
			/* FALLTHROUGH */
		case NUMBER_ZERO:
			if (c == '.')
				return NUMBER_POINT;
			return (c == 'e' || c == 'E') ? NUMBER_E : NUMBER_STOP;
		case NUMBER_FRACTION:
			if (c == 'e' || c == 'E')
				return NUMBER_E;
			/* FALLTHROUGH */
		case NUMBER_POINT:
			return digit ? NUMBER_FRACTION : NUMBER_STOP;
		case NUMBER_E:
			if (c == '+' || c == '-')
				return NUMBER_E_SIGN;
			/* FALLTHROUGH */
		case NUMBER_E_SIGN:
		case NUMBER_EXPONENT:
			return digit ? NUMBER_EXPONENT : NUMBER_STOP;
		case NUMBER_STOP:
			break;
	}
	return NUMBER_STOP;
}

static inline bool
number_may_end(NumberState state)
{
	return state == NUMBER_ZERO || state == NUMBER_INTEGER ||
		state == NUMBER_FRACTION || state == NUMBER_EXPONENT;
}

/*
 * Returns the end of the number at "start"; NULL as in complain().  Only the
 * byte behind a number, or the document's end, tells that it is complete.
 */
static const char *
scan_number(JsonReader *reader, const char *start, const char *end)
{
	NumberState state = reader->scanned > 0 ? reader->number : NUMBER_START;
	NumberState next = state;
	const char *p;

	for (p = start + reader->scanned; p < end; p++, state = next)
	{
		next = number_step(state, *p);
		if (next == NUMBER_STOP)
			break;
	}
	if (p == end && !(reader->last && number_may_end(state)))
	{
		reader->scanned = (size_t) (p - start);
		reader->number = state;
		return NULL;
	}
	reader->scanned = 0;
	if (!number_may_end(state))
		return bad_syntax(reader, "expected a digit", p);
	if ((size_t) (p - start) >= reader->max_row)
		return too_large(reader, p);
	return p;
}

/* Returns the end of the given word at "p"; NULL as in complain(). */
static inline const char *
scan_word(JsonReader *reader, const char *p, const char *end, const char *word,
		  size_t length)
{
	if ((size_t) (end - p) >= length && memcmp(p, word, length) == 0)
		return p + length;
	for (; p < end; p++, word++)
	{
		if (*p != *word)
			return bad_syntax(reader, "unexpected character", p);
	}
	return NULL;
}

/*
 * Keys
 */

/*
 * Spreads keys over a node's chains.  Most keys of a document find an empty
 * one and need no comparison.  Long keys of one object tend to start alike.
 */
static inline unsigned int
key_bucket(const char *key, size_t length)
{
	uint32_t	tail = 0;

	if (length >= sizeof(tail))
		memcpy(&tail, key + length - sizeof(tail), sizeof(tail));
	else if (length > 0)
		tail = (uint32_t) (unsigned char) key[0] << 8 |
			(unsigned char) key[length - 1];
	tail ^= (uint32_t) length * UINT32_C(0x9e3779b1);
	return (tail * UINT32_C(0x85ebca6b)) >> 26;
}

/* The node that a key without escapes, of this length, leads to. */
static inline JsonNode *
find_child(const JsonNode *node, const char *key, size_t length)
{
	JsonNode   *child;

	if (node->children == NULL)
		return NULL;
	child = node->children[key_bucket(key, length)];
	while (child != NULL && (child->key_length != length ||
							 memcmp(child->key, key, length) != 0))
		child = child->neighbour;
	return child;
}

/*
 * Encodes a \u escape, or the pair of them, at "*p" in a valid key.  Returns
 * the number of bytes, or 0 for half a surrogate pair, which is no character.
 */
static int
decode_unicode_escape(const char **p, char *bytes)
{
	unsigned int code = hex_unit(*p + 2);
	unsigned int second;

	*p += 6;
	if (code < 0x80)
	{
		bytes[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		bytes[0] = (char) (0xc0 | code >> 6);
		bytes[1] = (char) (0x80 | (code & 0x3f));
		return 2;
	}
	if (!is_high_surrogate(code) && !is_low_surrogate(code))
	{
		bytes[0] = (char) (0xe0 | code >> 12);
		bytes[1] = (char) (0x80 | (code >> 6 & 0x3f));
		bytes[2] = (char) (0x80 | (code & 0x3f));
		return 3;
	}
	if (is_low_surrogate(code) || (*p)[0] != '\\' || (*p)[1] != 'u')
		return 0;
	second = hex_unit(*p + 2);
	if (!is_low_surrogate(second))
		return 0;
	*p += 6;
	code = 0x10000 + ((code & 0x3ff) << 10) + (second & 0x3ff);
	bytes[0] = (char) (0xf0 | code >> 18);
	bytes[1] = (char) (0x80 | (code >> 12 & 0x3f));
	bytes[2] = (char) (0x80 | (code >> 6 & 0x3f));
	bytes[3] = (char) (0x80 | (code & 0x3f));
	return 4;
}

/* Likewise any character of a valid key, escaped or a byte as it stands. */
static int
decode_character(const char **p, char *bytes)
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
	bytes[0] = found != NULL ? to[found - from] : (*p)[1];
	*p += 2;
	return 1;
}

/* Whether a valid key with escapes, up to its quote, is the node's. */
static bool
escaped_key_is(const JsonNode *node, const char *key, const char *quote)
{
	size_t		matched = 0;
	char		bytes[4];
	int			n;

	while (key < quote)
	{
		n = decode_character(&key, bytes);
		if (n == 0 || node->key_length - matched < (size_t) n ||
			memcmp(node->key + matched, bytes, (size_t) n) != 0)
			return false;
		matched += (size_t) n;
	}
	return matched == node->key_length;
}

static JsonNode *
find_escaped_child(const JsonNode *node, const char *key, const char *quote)
{
	JsonNode   *child;
	int			i;

	if (node->children == NULL)
		return NULL;
	for (i = 0; i < NODE_BUCKETS; i++)
	{
		for (child = node->children[i]; child != NULL; child = child->neighbour)
		{
			if (escaped_key_is(child, key, quote))
				return child;
		}
	}
	return NULL;
}

/*
 * Values and rows
 */

/* Whether the present container's members can lead to a row or to a value. */
static inline bool
is_on_the_way(const JsonReader *reader)
{
	return reader->depth == reader->shape_depth ||
		reader->depth == reader->want_depth;
}

static inline bool
in_row(const JsonReader *reader)
{
	return reader->want_depth > 0;
}

static inline bool
in_array(const JsonReader *reader)
{
	return reader->closers[reader->depth] == ']';
}

static JsonNode *
follow_key_from(const JsonReader *reader, const JsonNode *node,
				const char *key, const char *quote)
{
	if (reader->string_flags != 0)
		return find_escaped_child(node, key, quote);
	return find_child(node, key, (size_t) (quote - key));
}

/* Finds what a key of a container on the way leads to. */
static void
follow_key(JsonReader *reader, const char *key, const char *quote)
{
	if (reader->depth == reader->shape_depth)
		reader->shape_child = follow_key_from(reader, reader->shape, key, quote);
	if (reader->depth == reader->want_depth)
		reader->want_child = follow_key_from(reader, reader->want, key, quote);
}

/* The node of the shape, and of the row, at which the next value lies. */
static inline JsonNode *
shape_of_value(const JsonReader *reader)
{
	if (reader->depth != reader->shape_depth)
		return NULL;
	return in_array(reader) ? reader->shape->element : reader->shape_child;
}

static inline JsonNode *
want_of_value(const JsonReader *reader)
{
	if (reader->depth != reader->want_depth || in_array(reader))
		return NULL;
	return reader->want_child;
}

/*
 * A key came twice, and the last one wins: what the first one's value held is
 * forgotten.
 */
static void
forget_below(JsonReader *reader, const JsonNode *node)
{
	JsonNode   *other;
	const JsonNode *up;

	for (other = reader->listed; other != NULL; other = other->next_listed)
	{
		up = other->parent;
		while (up != NULL && up != node)
			up = up->parent;
		if (up == node)
			memset(&other->value, 0, sizeof(other->value));
	}
}

/* Notes the value from "start" to "end" as what the present row has there. */
static void
set_value(JsonReader *reader, JsonNode *node, JsonKind kind,
		  const char *start, const char *end)
{
	if (!node->listed)
	{
		node->listed = true;
		node->next_listed = reader->listed;
		reader->listed = node;
	}
	else if (node->children != NULL)
		forget_below(reader, node);
	node->value.start = (size_t) (start - reader->window) - reader->row_start;
	node->value.length = (size_t) (end - start);
	node->value.kind = (uint8_t) kind;
	node->value.flags = (kind == JSON_STRING) ? reader->string_flags : 0;
}

static void
forget_row(JsonReader *reader)
{
	JsonNode   *node;

	for (node = reader->listed; node != NULL; node = node->next_listed)
	{
		node->listed = false;
		memset(&node->value, 0, sizeof(node->value));
	}
	reader->listed = NULL;
	reader->want = NULL;
	reader->want_depth = 0;
}

/* Makes the row's values what json_reader_slice() returns. */
static void
complete_row(JsonReader *reader)
{
	JsonNode   *node;

	for (node = reader->listed; node != NULL; node = node->next_listed)
	{
		if (node->value.kind == JSON_ABSENT)
			continue;
		node->value.start += reader->row_start;
		node->carried = true;
		if (node->value.kind != JSON_OBJECT)
			node->was_leaf = true;
	}
	reader->row_complete = true;
}

/*
 * A scalar in a container on the way.  Where the shape goes on there should
 * have been a container, unless the row around it can do without.
 */
static bool
take_scalar(JsonReader *reader, JsonKind kind, const char *start,
			const char *end)
{
	JsonNode   *want = want_of_value(reader);

	if (shape_of_value(reader) != NULL && !in_row(reader))
	{
		complain(reader, JSON_DEFECT_SHAPE,
				 "expected an object or an array", reader->token);
		return false;
	}
	if (want != NULL)
		set_value(reader, want, kind, start, end);
	return true;
}

/*
 * Containers
 */

/* Steps into a container at a node of a row. */
static void
enter_want(JsonReader *reader, JsonNode *node, const char *p)
{
	set_value(reader, node, *p == '{' ? JSON_OBJECT : JSON_ARRAY, p, p);
	reader->want = node;
	reader->want_depth = reader->depth + 1;
}

/*
 * Steps into a container at a node of the shape, and begins a row where that
 * is one.  A row may turn out to be only what holds the rows: then it is
 * given up for these.
 */
static bool
enter_shape(JsonReader *reader, JsonNode *node, const char *p)
{
	size_t		offset = (size_t) (p - reader->window);
	bool		is_object = (*p == '{');
	bool		is_row = is_object && node->is_row;
	bool		is_place = is_row || (!is_object && node->element != NULL);

	if (!is_place && !(is_object && node->children != NULL))
	{
		if (in_row(reader))
			return true;
		complain(reader, JSON_DEFECT_SHAPE, is_object ?
				 "expected an array" : "expected an object", p);
		return false;
	}
	if (is_place)
	{
		if (in_row(reader) && offset - reader->row_start >= reader->max_row)
		{
			too_large(reader, p);
			return false;
		}
		forget_row(reader);
	}
	if (reader->shape != NULL)
		reader->shape->led_on = true;
	node->led_on = false;
	reader->shape = node;
	reader->shape_depth = reader->depth + 1;
	if (is_row)
	{
		reader->row_start = offset;
		enter_want(reader, reader->row, p);
	}
	return true;
}

/* Returns the byte behind the bracket at "p"; NULL as in complain(). */
static inline const char *
open_container(JsonReader *reader, const char *p)
{
	JsonNode   *node;

	if (reader->depth >= reader->max_depth)
		return complain(reader, JSON_DEFECT_DEPTH, "nested too deeply", p);
	if (reader->on_the_way)
	{
		node = shape_of_value(reader);
		if (node != NULL && !enter_shape(reader, node, p))
			return NULL;
		node = want_of_value(reader);	/* none if a row has just begun */
		if (node != NULL)
			enter_want(reader, node, p);
	}
	reader->depth++;
	reader->closers[reader->depth] = (char) (*p + 2);	/* in ASCII */
	reader->on_the_way = is_on_the_way(reader);
	reader->state = (*p == '{') ? AT_FIRST_KEY : AT_FIRST_ELEMENT;
	return p + 1;
}

/* The container that ends at "p" is a value, if not a whole row. */
static bool
leave_want(JsonReader *reader, const char *p)
{
	size_t		offset = (size_t) (p - reader->window) - reader->row_start;
	JsonNode   *node = reader->want;

	node->value.length = offset + 1 - node->value.start;
	reader->want = node->parent;
	reader->want_depth--;
	if (node != reader->row)
		return true;

	if (offset >= reader->max_row)
	{
		reader->want_depth = reader->depth; /* still in the row */
		too_large(reader, p);
		return false;
	}
	reader->want_depth = 0;
	complete_row(reader);
	return true;
}

/* The container that ends at "p" should have led to the rows. */
static bool
leave_shape(JsonReader *reader, const char *p)
{
	JsonNode   *node = reader->shape;

	if (*p == '}' && !node->is_row && !node->led_on && !in_row(reader))
	{
		complain(reader, JSON_DEFECT_SHAPE, "the key of the rows is missing", p);
		return false;
	}
	reader->shape = node->parent;
	reader->shape_depth--;
	return true;
}

/*
 * A value has ended before "p".  Takes the comma along if it follows at once:
 * this, and the colon in read_key(), is most of what there is to dispatch on.
 */
static inline const char *
after_value(JsonReader *reader, const char *p, const char *end)
{
	if (reader->depth == 0)
		reader->state = AT_END;
	else if (p < end && *p == ',')
	{
		reader->state = in_array(reader) ? AT_VALUE : AT_KEY;
		p++;
	}
	else
		reader->state = AT_SEPARATOR;
	return p;
}

/* Returns the byte behind the bracket at "p"; NULL as in complain(). */
static inline const char *
close_container(JsonReader *reader, const char *p, const char *end)
{
	if (*p != reader->closers[reader->depth])
		return bad_syntax(reader, "unexpected character", p);
	if (reader->on_the_way)
	{
		if (reader->depth == reader->want_depth && !leave_want(reader, p))
			return NULL;
		if (reader->depth == reader->shape_depth && !leave_shape(reader, p))
			return NULL;
	}
	reader->depth--;
	reader->on_the_way = is_on_the_way(reader);
	return after_value(reader, p + 1, end);
}

/*
 * The grammar
 */

/* Reads the value at "p"; returns its end, or NULL as in complain(). */
static inline const char *
read_scalar(JsonReader *reader, const char *p, const char *end)
{
	const char *start = p;
	JsonKind	kind;

	switch (*p)
	{
		case '"':
			kind = JSON_STRING;
			p = scan_string(reader, p, end);
			start++;
			break;
		case 'n':
			kind = JSON_NULL;
			p = scan_word(reader, p, end, "null", 4);
			break;
		case 't':
			kind = JSON_TRUE;
			p = scan_word(reader, p, end, "true", 4);
			break;
		case 'f':
			kind = JSON_FALSE;
			p = scan_word(reader, p, end, "false", 5);
			break;
		default:
			if (*p != '-' && (*p < '0' || *p > '9'))
				return bad_syntax(reader, "expected a value", p);
			kind = JSON_NUMBER;
			p = scan_number(reader, p, end);
			break;
	}
	if (p == NULL)
		return NULL;
	if (reader->on_the_way && !take_scalar(reader, kind, start, p))
		return NULL;
	return after_value(reader, kind == JSON_STRING ? p + 1 : p, end);
}

static inline const char *
read_value(JsonReader *reader, const char *p, const char *end)
{
	if (*p == '{' || *p == '[')
		return open_container(reader, p);
	return read_scalar(reader, p, end);
}

/* Reads the key at "p" and, if it follows at once, the colon. */
static inline const char *
read_key(JsonReader *reader, const char *p, const char *end)
{
	const char *quote;

	if (*p != '"')
		return bad_syntax(reader, "expected a key", p);
	quote = scan_string(reader, p, end);
	if (quote == NULL)
		return NULL;
	if (reader->on_the_way)
		follow_key(reader, p + 1, quote);
	p = quote + 1;
	if (p == end || *p != ':')
	{
		reader->state = AT_COLON;
		return p;
	}
	p++;
	reader->state = AT_VALUE;
	if (p == end || (unsigned char) *p <= ' ')
		return p;
	reader->token = p;
	return read_value(reader, p, end);
}

static inline const char *
read_separator(JsonReader *reader, const char *p, const char *end)
{
	if (*p != ',')
		return close_container(reader, p, end);
	reader->state = in_array(reader) ? AT_VALUE : AT_KEY;
	return p + 1;
}

static inline const char *
read_start(JsonReader *reader, const char *p, const char *end)
{
	const char *value = p;

	if (*p == '\xef' && p == reader->window && reader->window_start == 0)
		value = scan_word(reader, p, end, "\xef\xbb\xbf", 3);
	if (value != NULL)
		reader->state = AT_VALUE;
	return value;
}

/*
 * Reads what begins at "p", which is not white space, as far as that is one
 * token.  Returns its end, or NULL as in complain().
 */
static inline const char *
read_token(JsonReader *reader, const char *p, const char *end)
{
	switch (reader->state)
	{
		case AT_START:
			return read_start(reader, p, end);
		case AT_FIRST_ELEMENT:
			if (*p == ']')
				return close_container(reader, p, end);
			/* FALLTHROUGH */
		case AT_VALUE:
			return read_value(reader, p, end);
		case AT_FIRST_KEY:
			if (*p == '}')
				return close_container(reader, p, end);
			/* FALLTHROUGH */
		case AT_KEY:
			return read_key(reader, p, end);
		case AT_COLON:
			if (*p != ':')
				return bad_syntax(reader, "expected a colon", p);
			reader->state = AT_VALUE;
			return p + 1;
		case AT_SEPARATOR:
			return read_separator(reader, p, end);
		case AT_END:
		case AT_DEFECT:
			break;
	}
	return bad_syntax(reader, "expected the document's end", p);
}

static inline const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (unsigned char) *p <= ' ' &&
		   (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/*
 * Reading cannot go on: with the token at "p" there is something wrong, or the
 * window ends before it does.  A row, or a token outside of rows, is too large
 * as soon as max_row bytes of it have been seen without its end.  Then nothing
 * else counts, so that it makes no difference how much the window holds.
 */
static JsonResult
stop_reading(JsonReader *reader)
{
	JsonDefect *defect = &reader->defect;
	const char *end = reader->window + reader->length;
	size_t		start;

	reader->position = (size_t) (reader->token - reader->window);
	start = json_reader_keep_from(reader);
	if (!reader->defective)
	{
		if (reader->length - start >= reader->max_row)
			too_large(reader, end);
		else if (reader->last)
			complain(reader, JSON_DEFECT_TRUNCATED,
					 "ends before it is complete", end);
		else
			return JSON_MORE;
	}
	if (defect->position - start >= reader->max_row)
	{
		too_large(reader, end);
		defect->position = start;
	}
	defect->position += reader->window_start;
	reader->state = AT_DEFECT;
	return JSON_BAD;
}

JsonResult
json_reader_next(JsonReader *reader, const char *window, size_t length,
				 bool last)
{
	const char *p;
	const char *end;

	if (reader->state == AT_DEFECT)
		return JSON_BAD;
	reader->window = (length > 0) ? window : "";
	reader->length = length;
	reader->last = last;
	reader->row_complete = false;

	p = reader->window + reader->position;
	end = reader->window + length;
	for (;;)
	{
		p = skip_space(p, end);
		if (p == end)
			break;
		reader->token = p;
		p = read_token(reader, p, end);
		if (p == NULL)
			return stop_reading(reader);
		if (reader->row_complete)
		{
			reader->position = (size_t) (p - reader->window);
			return JSON_ROW;
		}
	}
	reader->token = p;
	if (reader->state != AT_END)
		return stop_reading(reader);
	reader->position = length;
	return last ? JSON_END : JSON_MORE;
}

/*
 * The window
 */

size_t
json_reader_keep_from(const JsonReader *reader)
{
	return in_row(reader) ? reader->row_start : reader->position;
}

void
json_reader_dropped(JsonReader *reader, size_t bytes)
{
	reader->window_start += bytes;
	reader->position -= bytes;
	if (in_row(reader))
		reader->row_start -= bytes;
}

/*
 * What is looked for
 */

static JsonNode *
make_node(JsonReader *reader, JsonNode *parent, const char *key, size_t length)
{
	JsonNode   *node = reader->alloc(offsetof(JsonNode, key) + length);

	node->parent = parent;
	node->slot = -1;
	node->key_length = length;
	memcpy(node->key, key, length);
	return node;
}

/* The node at a key of the given one, made if there is none. */
static JsonNode *
make_child(JsonReader *reader, JsonNode *node, const char *key, size_t length)
{
	JsonNode   *child = find_child(node, key, length);
	JsonNode  **bucket;

	if (child != NULL)
		return child;
	if (node->children == NULL)
		node->children = reader->alloc(NODE_BUCKETS * sizeof(JsonNode *));
	bucket = &node->children[key_bucket(key, length)];
	child = make_node(reader, node, key, length);
	child->neighbour = *bucket;
	*bucket = child;
	return child;
}

/* Adds a pattern, as JsonShape describes it, to the shape. */
static void
add_pattern(JsonReader *reader, const char *pattern)
{
	JsonNode   *node = reader->document;
	size_t		length;

	while (*pattern != '\0')
	{
		if (pattern[0] == '[' && pattern[1] == ']')
		{
			if (node->element == NULL)
				node->element = make_node(reader, node, "", 0);
			node = node->element;
			pattern += 2;
		}
		else
		{
			length = 1 + strcspn(pattern + 1, ".[");
			node = make_child(reader, node, pattern, length);
			pattern += length;
		}
		if (*pattern == '.')
			pattern++;
	}
	node->is_row = true;
}

JsonReader *
json_reader_create(const JsonShape *shape, JsonReaderAlloc alloc)
{
	JsonReader *reader = alloc(sizeof(JsonReader));
	const char *const *pattern;

	reader->alloc = alloc;
	reader->max_row = shape->max_row;
	if (reader->max_row < LEAST_MAX_ROW)
		reader->max_row = LEAST_MAX_ROW;
	reader->max_depth = shape->max_depth > 0 ? (size_t) shape->max_depth : 0;
	reader->closers = alloc(reader->max_depth + 1);
	reader->document = make_node(reader, NULL, "", 0);
	reader->row = make_node(reader, NULL, "", 0);
	for (pattern = shape->rows; *pattern != NULL; pattern++)
		add_pattern(reader, *pattern);
	json_reader_restart(reader);
	return reader;
}

int
json_reader_want(JsonReader *reader, const char *const *keys, int nkeys)
{
	JsonNode   *node = reader->row;
	JsonNode  **slots;
	int			i;

	for (i = 0; i < nkeys; i++)
		node = make_child(reader, node, keys[i], strlen(keys[i]));
	if (node->slot >= 0)
		return node->slot;

	if (reader->nslots == reader->slots_room)
	{
		reader->slots_room = reader->nslots * 2 + 16;
		slots = reader->alloc((size_t) reader->slots_room * sizeof(*slots));
		if (reader->nslots > 0)
			memcpy(slots, reader->slots,
				   (size_t) reader->nslots * sizeof(*slots));
		reader->slots = slots;
	}
	node->slot = reader->nslots;
	reader->slots[reader->nslots++] = node;
	return node->slot;
}

void
json_reader_restart(JsonReader *reader)
{
	forget_row(reader);
	reader->window_start = 0;
	reader->position = 0;
	reader->state = AT_START;
	reader->depth = 0;
	reader->scanned = 0;
	reader->shape = NULL;
	reader->shape_depth = 0;
	reader->shape_child = reader->document;
	reader->want_child = NULL;
	reader->on_the_way = true;
	reader->defective = false;
}

/*
 * What was found
 */

const JsonSlice *
json_reader_slice(const JsonReader *reader, int slot)
{
	return &reader->slots[slot]->value;
}

bool
json_reader_carried(const JsonReader *reader, int slot)
{
	const JsonNode *node = reader->slots[slot];
	bool		carried = node->carried;

	for (node = node->parent; node != NULL && !carried; node = node->parent)
		carried = node->was_leaf;
	return carried;
}

const JsonDefect *
json_reader_defect(const JsonReader *reader)
{
	return &reader->defect;
}
