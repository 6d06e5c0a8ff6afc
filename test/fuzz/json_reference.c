/*
 * json_reference.c
 *		A JSON document as a tree, read in the simplest way.
 */
#include "json_reference.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

typedef struct Reading
{
	const char *text;
	size_t		size;
	size_t		at;				/* the next byte */
	int			depth;
	int			max_depth;

	RefValue   *values;			/* the largest possible number */
	size_t		nvalues;
	char	   *texts;			/* likewise */
	size_t		texts_length;
	size_t		room;

	RefDocument	document;
} Reading;

static bool read_value(Reading *reading, RefValue *parent, const char *key,
					   size_t key_length);

/*
 * Bytes
 */

static bool
bad(Reading *reading, JsonDefectKind kind)
{
	reading->document.defect.kind = kind;
	reading->document.defect.position = reading->at;
	return false;
}

/* The next byte is wrong, or there is none. */
static bool
unexpected(Reading *reading)
{
	return bad(reading, reading->at == reading->size ? JSON_DEFECT_TRUNCATED
													 : JSON_DEFECT_SYNTAX);
}

/* The next byte, or 0, which JSON does not have, at the end. */
static char
next_byte(const Reading *reading)
{
	return reading->at < reading->size ? reading->text[reading->at] : '\0';
}

static void
skip_space(Reading *reading)
{
	while (next_byte(reading) != '\0' &&
		   strchr(" \t\r\n", next_byte(reading)) != NULL)
		reading->at++;
}

static bool
read_word(Reading *reading, const char *word)
{
	for (; *word != '\0'; word++, reading->at++)
	{
		if (next_byte(reading) != *word)
			return unexpected(reading);
	}
	return true;
}

/*
 * Strings
 */

/* The number that the next four hexadecimal digits represent. */
static bool
read_hex(Reading *reading, unsigned int *unit)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	int			i;

	*unit = 0;
	for (i = 0; i < 4; i++, reading->at++)
	{
		const char *digit = next_byte(reading) == '\0'
								? NULL
								: strchr(digits, next_byte(reading));

		if (digit == NULL)
			return unexpected(reading);
		*unit = *unit * 16 + (unsigned int) (digit - digits) % 16;
	}
	return true;
}

static void
add_byte(Reading *reading, unsigned int byte)
{
	reading->texts[reading->texts_length++] = (char) byte;
}

static void
add_character(Reading *reading, unsigned int code)
{
	if (code < 0x80)
		add_byte(reading, code);
	else if (code < 0x800)
	{
		add_byte(reading, 0xc0 | code >> 6);
		add_byte(reading, 0x80 | (code & 0x3f));
	}
	else if (code < 0x10000)
	{
		add_byte(reading, 0xe0 | code >> 12);
		add_byte(reading, 0x80 | (code >> 6 & 0x3f));
		add_byte(reading, 0x80 | (code & 0x3f));
	}
	else
	{
		add_byte(reading, 0xf0 | code >> 18);
		add_byte(reading, 0x80 | (code >> 12 & 0x3f));
		add_byte(reading, 0x80 | (code >> 6 & 0x3f));
		add_byte(reading, 0x80 | (code & 0x3f));
	}
}

/* "half" keeps a high surrogate until the low one follows. */
static void
take_unit(Reading *reading, unsigned int unit, unsigned int *half,
		  uint8_t *flags)
{
	bool		high = (unit >= 0xd800 && unit < 0xdc00);
	bool		low = (unit >= 0xdc00 && unit < 0xe000);

	if ((*half != 0 && !low) || (*half == 0 && low))
		*flags |= JSON_LONE_SURROGATE;
	else if (low)
		add_character(reading,
					  0x10000 + (*half - 0xd800) * 0x400 + (unit - 0xdc00));
	if (unit == 0)
		*flags |= JSON_NUL_ESCAPE;
	if (!high && !low)
		add_character(reading, unit);
	*half = high ? unit : 0;
}

static bool
read_escape(Reading *reading, unsigned int *half, uint8_t *flags)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found =
		  next_byte(reading) == '\0' ? NULL : strchr(from, next_byte(reading));
	unsigned int unit;

	*flags |= JSON_ESCAPED;
	if (next_byte(reading) == 'u')
	{
		reading->at++;
		if (!read_hex(reading, &unit))
			return false;
		take_unit(reading, unit, half, flags);
		return true;
	}
	if (found == NULL)
		return unexpected(reading);
	reading->at++;
	take_unit(reading, (unsigned char) to[found - from], half, flags);
	return true;
}

/* Reads a string, from after its opening quote to after its closing quote. */
static bool
read_string(Reading *reading, uint8_t *flags)
{
	unsigned int half = 0;
	unsigned char byte;

	*flags = 0;
	while ((byte = (unsigned char) next_byte(reading)) != '"')
	{
		if (byte < 0x20)
			return unexpected(reading);
		reading->at++;
		if (byte == '\\')
		{
			if (!read_escape(reading, &half, flags))
				return false;
			continue;
		}
		if (half != 0)
			*flags |= JSON_LONE_SURROGATE;
		half = 0;
		add_byte(reading, byte);
	}
	if (half != 0)
		*flags |= JSON_LONE_SURROGATE;
	reading->at++;
	return true;
}

/*
 * Values
 */

static bool
is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool
read_digits(Reading *reading)
{
	if (!is_digit(next_byte(reading)))
		return unexpected(reading);
	while (is_digit(next_byte(reading)))
		reading->at++;
	return true;
}

static bool
read_number(Reading *reading)
{
	if (next_byte(reading) == '-')
		reading->at++;
	if (next_byte(reading) == '0')
		reading->at++;
	else if (!read_digits(reading))
		return false;
	if (next_byte(reading) == '.')
	{
		reading->at++;
		if (!read_digits(reading))
			return false;
	}
	if (next_byte(reading) == 'e' || next_byte(reading) == 'E')
	{
		reading->at++;
		if (next_byte(reading) == '+' || next_byte(reading) == '-')
			reading->at++;
		return read_digits(reading);
	}
	return true;
}

static bool
read_text(Reading *reading, RefValue *value)
{
	value->slice.kind = JSON_STRING;
	value->slice.start = ++reading->at;
	value->text = reading->texts + reading->texts_length;
	if (!read_string(reading, &value->slice.flags))
		return false;
	value->text_length =
		(size_t) (reading->texts + reading->texts_length - value->text);
	if ((value->slice.flags & JSON_LONE_SURROGATE) != 0)
		value->text = NULL;
	value->slice.length = reading->at - 1 - value->slice.start;
	return true;
}

/* Reads a scalar. */
static bool
read_scalar(Reading *reading, RefValue *value)
{
	JsonSlice  *slice = &value->slice;

	switch (next_byte(reading))
	{
		case '"':
			return read_text(reading, value);
		case 'n':
			slice->kind = JSON_NULL;
			return read_word(reading, "null");
		case 't':
			slice->kind = JSON_TRUE;
			return read_word(reading, "true");
		case 'f':
			slice->kind = JSON_FALSE;
			return read_word(reading, "false");
		default:
			slice->kind = JSON_NUMBER;
			return read_number(reading);
	}
}

static bool
read_member(Reading *reading, RefValue *object)
{
	const char *key;
	size_t		key_length;
	uint8_t		flags;

	if (!read_word(reading, "\""))
		return false;
	key = reading->texts + reading->texts_length;
	if (!read_string(reading, &flags))
		return false;
	key_length = (size_t) (reading->texts + reading->texts_length - key);
	if ((flags & JSON_LONE_SURROGATE) != 0)
		key = NULL;
	skip_space(reading);
	if (!read_word(reading, ":"))
		return false;
	skip_space(reading);
	return read_value(reading, object, key, key_length);
}

/* Reads the contents of a container, and its end. */
static bool
read_container(Reading *reading, RefValue *value)
{
	bool		is_object = (value->slice.kind == JSON_OBJECT);
	const char *close = is_object ? "}" : "]";

	for (;;)
	{
		skip_space(reading);
		if (next_byte(reading) == *close && value->first == NULL)
			break;
		if (!(is_object ? read_member(reading, value)
						: read_value(reading, value, NULL, 0)))
			return false;
		skip_space(reading);
		if (next_byte(reading) != ',')
			break;
		reading->at++;
	}
	return read_word(reading, close);
}

/* Adds a value to its container, or to the document. */
static void
add_value(Reading *reading, RefValue *parent, RefValue *value)
{
	if (parent == NULL)
		reading->document.value = value;
	else if (parent->last == NULL)
		parent->first = value;
	else
		parent->last->next = value;
	if (parent != NULL)
		parent->last = value;
}

static bool
read_value(Reading *reading, RefValue *parent, const char *key,
		   size_t key_length)
{
	RefValue   *value = &reading->values[reading->nvalues++];
	char		first = next_byte(reading);

	memset(value, 0, sizeof(*value));
	value->key = key;
	value->key_length = key_length;
	value->slice.start = reading->at;
	if (first == '{' || first == '[')
	{
		if (reading->depth == reading->max_depth)
			return bad(reading, JSON_DEFECT_DEPTH);
		value->slice.kind = (first == '{') ? JSON_OBJECT : JSON_ARRAY;
		add_value(reading, parent, value);
		reading->at++;
		reading->depth++;
		if (!read_container(reading, value))
			return false;
		reading->depth--;
	}
	else
	{
		if (!read_scalar(reading, value))
			return false;
		add_value(reading, parent, value);
	}
	if (value->slice.kind != JSON_STRING)
		value->slice.length = reading->at - value->slice.start;
	value->complete = true;
	return true;
}

/*
 * The document
 */

static bool
read_document(Reading *reading)
{
	if (next_byte(reading) == '\xef' && !read_word(reading, "\xef\xbb\xbf"))
		return false;
	skip_space(reading);
	if (!read_value(reading, NULL, NULL, 0))
		return false;
	skip_space(reading);
	return reading->at == reading->size ? true : unexpected(reading);
}

/* Each value except the first has at least one byte of its own: a comma. */
static void
make_room(Reading *reading, size_t size)
{
	if (reading->room > size)
		return;
	reading->room = size + 1;
	free(reading->values);
	free(reading->texts);
	reading->values = malloc(reading->room * sizeof(RefValue));
	reading->texts = malloc(reading->room);
	require(reading->values != NULL && reading->texts != NULL);
}

const RefDocument *
reference_read(const char *text, size_t size, int max_depth)
{
	static Reading readings[2];
	static int	turn;
	Reading    *reading = &readings[turn = 1 - turn];

	make_room(reading, size);
	reading->text = text;
	reading->size = size;
	reading->at = 0;
	reading->depth = 0;
	reading->max_depth = max_depth;
	reading->nvalues = 0;
	reading->texts_length = 0;
	memset(&reading->document, 0, sizeof(reading->document));
	reading->document.valid = read_document(reading);
	return &reading->document;
}

const RefValue *
reference_member(const RefValue *value, const char *key)
{
	const RefValue *found = NULL;
	const RefValue *member;

	if (value->slice.kind != JSON_OBJECT)
		return NULL;
	for (member = value->first; member != NULL; member = member->next)
	{
		if (member->key != NULL && member->key_length == strlen(key) &&
			memcmp(member->key, key, member->key_length) == 0)
			found = member;
	}
	return found;
}
