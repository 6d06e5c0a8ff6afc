/*
 * named_lists.c
 *		Named lists become rows.
 *
 * Source: HiBob's specification, and what others measured.  All lists come as
 * an object by their names, or as an array; one list comes by itself.  Its
 * items are under "values", under "items", or the same under both; items below
 * an item are its "children".
 */
#include "reader/named_lists.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reader/json_doc.h"

/* Lists, items, and children of children. */
#define MAX_DEPTH 64

/*
 * Bytes of text in all rows.  A name is in the path of all items below it, so
 * that rows can be longer than what they come from by more than any memory.
 */
#define MAX_ROWS_SIZE (32 * 1024 * 1024)

/* What HiBob puts between the names of a path. */
#define PATH_SEPARATOR " \\ "

typedef struct Flattening
{
	json_object *rows;
	const char *list;			/* the present one's name */
	size_t		size;			/* of the rows' texts by now */
	const char *defect;
} Flattening;

static bool
fail(Flattening *flattening, const char *defect)
{
	flattening->defect = defect;
	return false;
}

/* A key's value, or NULL if it is absent or null. */
static json_object *
value_of(json_object *object, const char *key)
{
	json_object *value;

	return json_object_is_type(object, json_type_object) &&
		json_object_object_get_ex(object, key, &value) ? value : NULL;
}

/* Adds a value, which may be NULL for null; it is released if that fails. */
static bool
put(json_object *object, const char *key, json_object *value, bool is_null)
{
	if (value == NULL && !is_null)
		return false;
	if (json_object_object_add(object, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool
put_text(json_object *object, const char *key, const char *text)
{
	return put(object, key, text != NULL ? json_object_new_string(text) : NULL,
			   text == NULL);
}

static const char *
item_name(json_object *item)
{
	json_object *name = value_of(item, "name");

	return json_object_get_string(name != NULL ? name :
								  value_of(item, "value"));
}

/* The path of an item below another one, or of one at the top. */
static json_object *
item_path(const char *above, const char *name)
{
	json_object *result = NULL;
	char	   *path;

	if (above == NULL)
		return json_object_new_string(name);
	path = malloc(strlen(above) + strlen(PATH_SEPARATOR) + strlen(name) + 1);
	if (path != NULL)
	{
		strcpy(path, above);
		strcat(path, PATH_SEPARATOR);
		strcat(path, name);
		result = json_object_new_string(path);
		free(path);
	}
	return result;
}

static const char *
text_of(json_object *object, const char *key)
{
	return json_object_get_string(value_of(object, key));
}

static size_t
length_of(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

/* Whether there is still room for an item's row. */
static bool
take_room(Flattening *flattening, json_object *item, json_object *parent)
{
	size_t		size = strlen(flattening->list) +
		length_of(text_of(item, "id")) + 2 * length_of(item_name(item)) +
		length_of(text_of(parent, "id")) + length_of(text_of(parent, "path"));

	if (size > MAX_ROWS_SIZE - flattening->size)
		return fail(flattening, "the rows of the named lists are larger than allowed");
	flattening->size += size;
	return true;
}

/*
 * Adds an item's row.  Returns it, to give its children their path.
 */
static json_object *
add_row(Flattening *flattening, json_object *item, json_object *parent)
{
	const char *name = item_name(item);
	json_object *row = json_object_new_object();
	bool		ok = row != NULL;

	ok = ok && put_text(row, "list", flattening->list);
	ok = ok && put_text(row, "id", text_of(item, "id"));
	ok = ok && put_text(row, "name", name);
	ok = ok && put_text(row, "parentId", text_of(parent, "id"));
	ok = ok && put(row, "path", item_path(text_of(parent, "path"),
										  name != NULL ? name : ""), false);
	ok = ok && put(row, "archived",
				   json_object_get(value_of(item, "archived")), true);
	if (ok && json_object_array_add(flattening->rows, row) == 0)
		return row;
	json_object_put(row);
	fail(flattening, "out of memory");
	return NULL;
}

/* Ids are text or integers. */
static bool
has_id(json_object *item)
{
	json_object *id = value_of(item, "id");

	return json_object_is_type(id, json_type_string) ||
		json_object_is_type(id, json_type_int);
}

static bool
add_items(Flattening *flattening, json_object *items, json_object *parent)
{
	if (!json_object_is_type(items, json_type_array))
		return fail(flattening, "expected the items of a named list");
	for (size_t i = 0; i < json_object_array_length(items); i++)
	{
		json_object *item = json_object_array_get_idx(items, i);
		json_object *children = value_of(item, "children");
		json_object *row;

		if (!has_id(item))
			return fail(flattening, "an item of a named list has no id");
		if (!take_room(flattening, item, parent))
			return false;
		row = add_row(flattening, item, parent);
		if (row == NULL ||
			(children != NULL && !add_items(flattening, children, row)))
			return false;
	}
	return true;
}

/* The items of a list, or NULL if it is none. */
static json_object *
items_of(json_object *list)
{
	json_object *items = value_of(list, "values");

	return items != NULL ? items : value_of(list, "items");
}

static bool
add_list(Flattening *flattening, json_object *list, const char *key)
{
	json_object *items = items_of(list);
	json_object *name = value_of(list, "name");

	if (items == NULL)
		return fail(flattening, "expected named lists");
	flattening->list = name != NULL ? json_object_get_string(name) : key;
	if (flattening->list == NULL)
		return fail(flattening, "a named list has no name");
	return add_items(flattening, items, NULL);
}

/* By their names. */
static bool
add_named_lists(Flattening *flattening, json_object *lists)
{
	json_object_object_foreach(lists, key, list)
	{
		if (!add_list(flattening, list, key))
			return false;
	}
	return true;
}

static bool
add_lists(Flattening *flattening, json_object *body)
{
	if (json_object_is_type(body, json_type_array))
	{
		for (size_t i = 0; i < json_object_array_length(body); i++)
			if (!add_list(flattening, json_object_array_get_idx(body, i),
						  NULL))
				return false;
		return true;
	}
	if (!json_object_is_type(body, json_type_object))
		return fail(flattening, "expected named lists");
	if (json_object_is_type(items_of(body), json_type_array))
		return add_list(flattening, body, NULL);
	return add_named_lists(flattening, body);
}

static char *
print(json_object *rows)
{
	const char *text =
		json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PLAIN |
									   JSON_C_TO_STRING_NOSLASHESCAPE);

	return text != NULL ? strdup(text) : NULL;
}

char *
named_lists_flatten(const char *text, size_t length, size_t *result_length,
					const char **defect)
{
	json_object *body = (json_object *) json_doc_parse_value(text, length,
															 MAX_DEPTH,
															 defect);
	Flattening	flattening = {0};
	char	   *result = NULL;

	if (body == NULL)
		return NULL;
	flattening.defect = "out of memory";
	flattening.rows = json_object_new_array();
	if (flattening.rows != NULL && add_lists(&flattening, body))
		result = print(flattening.rows);
	if (result != NULL)
		*result_length = strlen(result);
	else
		*defect = flattening.defect;
	json_object_put(flattening.rows);
	json_object_put(body);
	return result;
}
