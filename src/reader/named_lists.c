/*
 * named_lists.c
 *		Makes rows of named lists.
 *
 * The body is checked once, by the reader of rows, so that the same rules hold
 * for it as for any other.  After that it is walked as JSON that is known to be
 * valid, and the rows get copies of its tokens: no value is decoded, so none is
 * altered.
 *
 * This file may know nothing of PostgreSQL, HTTP or HiBob.
 */
#include "reader/named_lists.h"

#include <string.h>

#include "reader/json_scan.h"

/* Lists, items, and children of children. */
#define MAX_DEPTH 64

/*
 * Bytes of all rows.  A name is in the path of all items below it, so that the
 * rows can be longer than the body by more than any memory.
 */
#define MAX_ROWS_SIZE (64 * 1024 * 1024)

/* What HiBob puts between the names of a path, in JSON. */
#define PATH_SEPARATOR " \\\\ "

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* A token or a value of the body; without any bytes where it is absent. */
typedef struct Span
{
	const char *start;
	const char *end;
} Span;

/* The members of a list or an item that matter. */
typedef enum Member
{
	MEMBER_ID,
	MEMBER_NAME,
	MEMBER_VALUE,
	MEMBER_ARCHIVED,
	MEMBER_VALUES,
	MEMBER_ITEMS,
	MEMBER_CHILDREN,
	MEMBERS
} Member;

static const char *const member_names[MEMBERS] = {
	"id", "name", "value", "archived", "values", "items", "children"
};

typedef struct Object
{
	Span		members[MEMBERS];
} Object;

/* An item, for the rows of those below it. */
typedef struct Level
{
	const struct Level *above;
	Span		id;
	Span		name;
} Level;

typedef struct Writer
{
	char	   *out;			/* NULL: only measures */
	size_t		size;
	bool		has_rows;
	const char *text;			/* the body */
	const char *requested;		/* the list's name, or NULL */
	Span		list;			/* the present one's name */
	bool		is_requested;	/* its name is "requested" */
	JsonDefect	defect;
} Writer;

/*
 * Walking valid JSON
 */

static const char *
skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

/* From a string's first quote to behind its last one. */
static const char *
skip_string(const char *p)
{
	for (p++; *p != '"'; p++)
	{
		if (*p == '\\')
			p++;
	}
	return p + 1;
}

static const char *
skip_container(const char *p)
{
	int			depth = 0;

	do
	{
		if (*p == '"')
		{
			p = skip_string(p);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		p++;
	} while (depth > 0);
	return p;
}

static Span
read_span(const char *p)
{
	Span		span = {p, p};

	if (*p == '"')
		span.end = skip_string(p);
	else if (*p == '{' || *p == '[')
		span.end = skip_container(p);
	else
		span.end = p + strcspn(p, ",]} \t\r\n");
	return span;
}

/*
 * Reads the next value of an array or, with its key, member of an object, from
 * behind the opening bracket or the last one.  False at the end.
 */
static bool
next_value(const char **p, Span *key, Span *value)
{
	*p = skip_space(*p);
	if (**p == ',')
		*p = skip_space(*p + 1);
	if (**p == ']' || **p == '}')
		return false;
	if (key != NULL)
	{
		*key = read_span(*p);
		*p = skip_space(skip_space(key->end) + 1);	/* the colon */
	}
	*value = read_span(*p);
	*p = value->end;
	return true;
}

/* A value's kind by its first byte; NUL for null and what is absent. */
static char
kind_of(const Span *span)
{
	if (span->start == span->end || *span->start == 'n')
		return '\0';
	return *span->start;
}

/* Finds the members of an object.  The last of equal keys counts. */
static Object
read_object(const Span *span)
{
	Object		object = {0};
	const char *p = span->start + 1;
	Span		key;
	Span		value;

	while (next_value(&p, &key, &value))
	{
		for (int i = 0; i < MEMBERS; i++)
		{
			if (json_key_equals(key.start + 1, key.end - 1, member_names[i],
								strlen(member_names[i])))
				object.members[i] = value;
		}
	}
	return object;
}

/*
 * Writing
 */

/* What is wrong at a place of the body; false, for the caller to return. */
static bool
fail(Writer *writer, JsonDefectKind kind, const char *message, const char *p)
{
	writer->defect.kind = kind;
	writer->defect.message = message;
	writer->defect.position = (uint64_t) (p - writer->text);
	return false;
}

static void
put(Writer *writer, const char *bytes, size_t length)
{
	if (writer->out != NULL)
		memcpy(writer->out + writer->size, bytes, length);
	writer->size += length;
}

static void
put_text(Writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

/* The inside of a string for a value; nothing for a container or null. */
static void
put_inside(Writer *writer, const Span *span)
{
	char		kind = kind_of(span);

	if (kind == '"')
		put(writer, span->start + 1, (size_t) (span->end - span->start) - 2);
	else if (kind != '\0' && kind != '{' && kind != '[')
		put(writer, span->start, (size_t) (span->end - span->start));
}

/* A scalar as a string; a container as it is. */
static void
put_value(Writer *writer, const Span *span)
{
	char		kind = kind_of(span);

	if (kind == '\0')
		put_text(writer, "null");
	else if (kind == '{' || kind == '[')
		put(writer, span->start, (size_t) (span->end - span->start));
	else
	{
		put_text(writer, "\"");
		put_inside(writer, span);
		put_text(writer, "\"");
	}
}

/* A text that is not JSON yet, as a string. */
static void
put_quoted(Writer *writer, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	char		escaped[7] = "\\u00";

	put_text(writer, "\"");
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text >= ' ' && *text != '"' && *text != '\\')
		{
			put(writer, text, 1);
			continue;
		}
		escaped[4] = digits[(unsigned char) *text >> 4];
		escaped[5] = digits[*text & 0xf];
		put_text(writer, escaped);
	}
	put_text(writer, "\"");
}

static void
put_path(Writer *writer, const Level *level)
{
	if (level->above != NULL)
	{
		put_path(writer, level->above);
		put_text(writer, PATH_SEPARATOR);
	}
	put_inside(writer, &level->name);
}

/* Writes an item's row. */
static void
put_row(Writer *writer, const Level *level, const Span *archived)
{
	static const Span absent = {0};

	put_text(writer, writer->has_rows ? ",{\"list\":" : "{\"list\":");
	writer->has_rows = true;
	if (writer->is_requested)
		put_quoted(writer, writer->requested);
	else
		put_value(writer, &writer->list);
	put_text(writer, ",\"id\":");
	put_value(writer, &level->id);
	put_text(writer, ",\"name\":");
	put_value(writer, &level->name);
	put_text(writer, ",\"parentId\":");
	put_value(writer, level->above != NULL ? &level->above->id : &absent);
	put_text(writer, ",\"path\":\"");
	put_path(writer, level);
	put_text(writer, "\",\"archived\":");
	if (kind_of(archived) == '\0')
		put_text(writer, "null");
	else
		put(writer, archived->start,
			(size_t) (archived->end - archived->start));
	put_text(writer, "}");
}

/*
 * Lists
 */

/* The items of a list or below an item; there may be none. */
static bool
add_items(Writer *writer, const Span *items, const Level *above)
{
	const char *p;
	Span		item;

	if (kind_of(items) == '\0')
		return true;
	p = items->start + 1;
	if (*items->start != '[')
		return fail(writer, JSON_DEFECT_SHAPE,
					"expected the items of a named list", items->start);
	while (next_value(&p, NULL, &item))
	{
		Object		object;
		Level		level = {.above = above};

		if (*item.start != '{')
			return fail(writer, JSON_DEFECT_SHAPE,
						"expected an item of a named list", item.start);
		object = read_object(&item);
		level.id = object.members[MEMBER_ID];
		level.name = object.members[MEMBER_NAME];
		if (kind_of(&level.name) == '\0')
			level.name = object.members[MEMBER_VALUE];
		put_row(writer, &level, &object.members[MEMBER_ARCHIVED]);
		if (writer->size > MAX_ROWS_SIZE)
			return fail(writer, JSON_DEFECT_ROW_SIZE,
						"the rows of the named lists are larger than allowed",
						item.start);
		if (!add_items(writer, &object.members[MEMBER_CHILDREN], &level))
			return false;
	}
	return true;
}

static const Span *
items_of(const Object *list)
{
	return kind_of(&list->members[MEMBER_VALUES]) != '\0' ?
		&list->members[MEMBER_VALUES] : &list->members[MEMBER_ITEMS];
}

/* A list, with the key that it has in the body or NULL. */
static bool
add_list(Writer *writer, const Span *list, const Span *key)
{
	Object		object;

	if (*list->start != '{')
		return fail(writer, JSON_DEFECT_SHAPE, "expected a named list",
					list->start);
	object = read_object(list);
	writer->list = (key != NULL) ? *key : object.members[MEMBER_NAME];
	return add_items(writer, items_of(&object), NULL);
}

static bool
add_lists(Writer *writer, const Span *body)
{
	const char *p = body->start + 1;
	bool		by_name = (*body->start == '{');
	Span		key;
	Span		list;

	while (next_value(&p, by_name ? &key : NULL, &list))
	{
		if (!add_list(writer, &list, by_name ? &key : NULL))
			return false;
	}
	return true;
}

/* Whether an object is a list, rather than lists by their names. */
static bool
is_single_list(const Span *body)
{
	Object		object = read_object(body);

	return kind_of(items_of(&object)) == '[' ||
		kind_of(&object.members[MEMBER_NAME]) == '"';
}

static bool
add_body(Writer *writer)
{
	const char *p = writer->text;
	Span		body;

	if (strncmp(p, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		p += strlen(BYTE_ORDER_MARK);
	body = read_span(skip_space(p));
	put_text(writer, "[");
	if (*body.start == '{' && is_single_list(&body))
	{
		writer->is_requested = (writer->requested != NULL);
		if (!add_list(writer, &body, NULL))
			return false;
	}
	else if (!add_lists(writer, &body))
		return false;
	put_text(writer, "]");
	return true;
}

/* Whether the body is a JSON object or an array of objects. */
static bool
check_body(const char *text, size_t length, JsonReaderAlloc alloc,
		   JsonDefect *defect)
{
	static const char *const rows[] = {"", "[]", NULL};
	JsonShape	shape = {rows, length + 1, MAX_DEPTH};
	JsonReader *reader = json_reader_create(&shape, alloc);
	JsonResult	result;

	while ((result = json_reader_next(reader, text, length,
									  true)) == JSON_ROW)
		;
	if (result == JSON_BAD)
		*defect = *json_reader_defect(reader);
	return result == JSON_END;
}

size_t
named_lists_measure(const char *text, size_t length, JsonReaderAlloc alloc,
					const char *list, JsonDefect *defect)
{
	Writer		writer = {.text = text, .requested = list};

	if (!check_body(text, length, alloc, defect))
		return 0;
	if (!add_body(&writer))
	{
		*defect = writer.defect;
		return 0;
	}
	return writer.size;
}

void
named_lists_write(const char *text, const char *list, char *out)
{
	Writer		writer = {.text = text, .requested = list, .out = out};

	add_body(&writer);
}
