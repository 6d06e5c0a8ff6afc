/*
 * named_lists.c
 *		Makes rows of named lists.
 *
 * The reader of rows first checks the body, so that the same rules hold for it
 * as for any other.  After that the body is known to be valid JSON, and the
 * rows get copies of its tokens: no value is decoded, so none is altered.
 *
 * This file knows nothing of PostgreSQL or HTTP.
 */
#include "reader/named_lists.h"

#include <string.h>

#include "reader/json_walk.h"

/* Lists, items, and children of children. */
#define MAX_DEPTH 64

/*
 * Bytes of all rows.  A name is in the path of all items below it, so the rows
 * can be much longer than the body.
 */
#define MAX_ROWS_SIZE (64 * 1024 * 1024)

/* HiBob's separator of the names of a path, in JSON. */
#define PATH_SEPARATOR " \\\\ "

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

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
	JsonSlice	members[MEMBERS];
} Object;

/* An item, for the rows of the items below it. */
typedef struct Level
{
	const struct Level *above;
	JsonSlice	id;
	JsonSlice	name;
} Level;

typedef struct Writer
{
	char	   *out;			/* NULL: only measures */
	size_t		size;
	bool		has_rows;
	const char *text;			/* the body */
	size_t		length;
	const char *requested;		/* the list's name, or NULL */
	JsonSlice	list;			/* the current one's name */
	bool		is_requested;	/* its name is "requested" */
	JsonDefect	defect;
} Writer;

/* Whether a value is neither absent nor null. */
static bool
has_value(const JsonSlice *value)
{
	return value->kind > JSON_NULL;
}

static bool
is_container(const JsonSlice *value)
{
	return value->kind == JSON_OBJECT || value->kind == JSON_ARRAY;
}

/* Finds the members of an object.  The last of equal keys counts. */
static Object
read_object(const char *text, const JsonSlice *slice)
{
	Object		object = {0};
	JsonSlice	key;
	JsonSlice	value;
	size_t		offset = 0;

	while (json_walk_next(text, slice, &offset, &key, &value))
	{
		for (int i = 0; i < MEMBERS; i++)
		{
			if (json_walk_is_key(text, &key, member_names[i]))
				object.members[i] = value;
		}
	}
	return object;
}

/*
 * Writing
 */

/* Notes a defect of a value of the body; false, for the caller to return. */
static bool
fail(Writer *writer, JsonDefectKind kind, const char *message,
	 const JsonSlice *value)
{
	writer->defect.kind = kind;
	writer->defect.message = message;
	writer->defect.position = value->start - (value->kind == JSON_STRING);
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

static void
put_copy(Writer *writer, const JsonSlice *value)
{
	put(writer, writer->text + value->start, value->length);
}

/* The inside of a string for a value; nothing for a container or null. */
static void
put_inside(Writer *writer, const JsonSlice *value)
{
	if (has_value(value) && !is_container(value))
		put_copy(writer, value);
}

/* A scalar as a string; a container as it is. */
static void
put_value(Writer *writer, const JsonSlice *value)
{
	if (!has_value(value))
		put_text(writer, "null");
	else if (is_container(value))
		put_copy(writer, value);
	else
	{
		put_text(writer, "\"");
		put_copy(writer, value);
		put_text(writer, "\"");
	}
}

/* A value as it is. */
static void
put_json(Writer *writer, const JsonSlice *value)
{
	if (value->kind == JSON_STRING || !has_value(value))
		put_value(writer, value);
	else
		put_copy(writer, value);
}

/* Writes a text as a JSON string. */
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
put_row(Writer *writer, const Level *level, const JsonSlice *archived)
{
	static const JsonSlice absent = {0};

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
	put_json(writer, archived);
	put_text(writer, "}");
}

/*
 * Lists
 */

/* The items of a list or below an item; there may be none. */
static bool
add_items(Writer *writer, const JsonSlice *items, const Level *above)
{
	JsonSlice	item;
	size_t		offset = 0;

	if (!has_value(items))
		return true;
	if (items->kind != JSON_ARRAY)
		return fail(writer, JSON_DEFECT_SHAPE,
					"expected the items of a named list", items);
	while (json_walk_next(writer->text, items, &offset, NULL, &item))
	{
		Object		object;
		Level		level = {.above = above};

		if (item.kind != JSON_OBJECT)
			return fail(writer, JSON_DEFECT_SHAPE,
						"expected an item of a named list", &item);
		object = read_object(writer->text, &item);
		level.id = object.members[MEMBER_ID];
		level.name = object.members[MEMBER_NAME];
		if (!has_value(&level.name))
			level.name = object.members[MEMBER_VALUE];
		put_row(writer, &level, &object.members[MEMBER_ARCHIVED]);
		if (writer->size > MAX_ROWS_SIZE)
			return fail(writer, JSON_DEFECT_ROW_SIZE,
						"the rows of the named lists are larger than allowed",
						&item);
		if (!add_items(writer, &object.members[MEMBER_CHILDREN], &level))
			return false;
	}
	return true;
}

static const JsonSlice *
items_of(const Object *list)
{
	return has_value(&list->members[MEMBER_VALUES]) ?
		&list->members[MEMBER_VALUES] : &list->members[MEMBER_ITEMS];
}

/* A list, with the key that it has in the body or NULL. */
static bool
add_list(Writer *writer, const JsonSlice *list, const JsonSlice *key)
{
	Object		object;

	if (list->kind != JSON_OBJECT)
		return fail(writer, JSON_DEFECT_SHAPE, "expected a named list",
					list);
	object = read_object(writer->text, list);
	writer->list = (key != NULL) ? *key : object.members[MEMBER_NAME];
	return add_items(writer, items_of(&object), NULL);
}

static bool
add_lists(Writer *writer, const JsonSlice *body)
{
	bool		by_name = (body->kind == JSON_OBJECT);
	JsonSlice	key;
	JsonSlice	list;
	size_t		offset = 0;

	while (json_walk_next(writer->text, body, &offset, &key, &list))
	{
		if (!add_list(writer, &list, by_name ? &key : NULL))
			return false;
	}
	return true;
}

/* Whether an object is a list, rather than lists by their names. */
static bool
is_single_list(const char *text, const JsonSlice *body)
{
	Object		object = read_object(text, body);

	return items_of(&object)->kind == JSON_ARRAY ||
		object.members[MEMBER_NAME].kind == JSON_STRING;
}

static bool
add_body(Writer *writer)
{
	size_t		mark = strlen(BYTE_ORDER_MARK);
	JsonSlice	body;

	if (writer->length < mark ||
		memcmp(writer->text, BYTE_ORDER_MARK, mark) != 0)
		mark = 0;
	body = json_walk_value(writer->text, writer->length, mark);
	put_text(writer, "[");
	if (body.kind == JSON_OBJECT && is_single_list(writer->text, &body))
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
	Writer		writer = {.text = text, .length = length, .requested = list};

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
named_lists_write(const char *text, size_t length, const char *list, char *out)
{
	Writer		writer = {.text = text, .length = length, .requested = list,
		.out = out};

	add_body(&writer);
}
