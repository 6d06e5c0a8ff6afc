/*
 * json_find.c
 *		Finds rows, their values, and values outside of rows.
 *
 * Like all of the reader, this file knows nothing of PostgreSQL and builds
 * alone.  It is called for the tokens of containers on the path to rows and
 * wanted values only.
 */
#include "reader/json_find.h"

/*
 * Inlining rare functions would slow down the code that runs for every token.
 */
#ifdef __GNUC__
#define RARE __attribute__((noinline))
#else
#define RARE
#endif

/*
 * Values and rows
 */

/*
 * Forgets the values below a node.  Its key occurs twice, and the last one
 * counts.
 */
static void
forget_below(JsonReader *reader, const JsonNode *node)
{
	JsonNode   *other;

	for (other = reader->listed; other != NULL; other = other->next_listed)
	{
		if (other != node && json_node_within(other, node))
			memset(&other->value, 0, sizeof(other->value));
	}
}

/*
 * Notes the value from "start" to "end" of the current row.  The end of a
 * container is not known yet: leave_want() sets it.
 */
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
	node->value.flags = (kind == JSON_STRING) ? reader->scan.flags : 0;
}

/* This visits only nodes with a value, however many are wanted. */
void
json_find_forget_row(JsonReader *reader)
{
	JsonNode   *node;

	for (node = reader->listed; node != NULL; node = node->next_listed)
	{
		node->listed = false;
		memset(&node->value, 0, sizeof(node->value));
	}
	reader->listed = NULL;
	reader->at.want = NULL;
	reader->at.want_depth = 0;
}

/*
 * Makes the row's values the ones that json_reader_slice() returns.  Before
 * this it was not certain that this is a row: see enter_shape().
 */
static void
complete_row(JsonReader *reader)
{
	JsonNode   *node;

	for (node = reader->listed; node != NULL; node = node->next_listed)
	{
		if (node->value.kind == JSON_ABSENT)
			continue;
		node->value.start += reader->row_start;
		node->present = true;
		if (node->value.kind != JSON_OBJECT)
			node->was_leaf = true;
	}
	reader->at.want = NULL;
	reader->at.want_depth = 0;
	reader->row_complete = true;
	if (reader->layout == NULL)
		reader->layout = json_layout_create(reader->alloc);
}

/*
 * Whether a node is a key of the elements of an array, and leads to an array.
 */
static bool
is_array_of_element(const JsonNode *node)
{
	const JsonNode *object = node->parent;

	return node->element != NULL && object != NULL && object->parent != NULL &&
		object == object->parent->element;
}

/*
 * A scalar at a node of the shape.  If the node leads to the rows, a container
 * is expected, unless an object around it is a row.
 * One of several groups of rows may have null instead of an array.
 */
static RARE bool
take_shape_scalar(JsonReader *reader, const JsonNode *node, JsonKind kind,
				  const char *start, const char *end)
{
	uint8_t		flags = (kind == JSON_STRING) ? reader->scan.flags : 0;

	if (node->to_rows && kind == JSON_NULL && is_array_of_element(node))
		node->parent->led_on = true;
	else if (node->to_rows && !json_place_in_row(&reader->at))
	{
		json_defect(reader, JSON_DEFECT_SHAPE,
					"expected an object or an array", reader->token);
		return false;
	}
	if (node->has_outside)
		json_copies_forget(&reader->copies, node, false);
	if (node->copy != NULL)
		json_copy_set(node->copy, reader->alloc, kind, flags, start,
					  (size_t) (end - start));
	return true;
}

bool
json_find_scalar(JsonReader *reader, JsonNode *want, const JsonNode *shape,
				 JsonKind kind, const char *start, const char *end)
{
	if (shape != NULL && !take_shape_scalar(reader, shape, kind, start, end))
		return false;
	if (want != NULL)
		set_value(reader, want, kind, start, end);
	return true;
}

/*
 * Containers
 */

/* The container, at a depth, is a node of a row. */
void
json_find_enter_value(JsonReader *reader, JsonNode *want, size_t depth,
					  const char *p)
{
	set_value(reader, want, *p == '{' ? JSON_OBJECT : JSON_ARRAY, p, p);
	reader->at.want = want;
	reader->at.want_depth = depth + 1;
}

void
json_find_leave_value(JsonReader *reader, const char *p)
{
	JsonNode   *node = reader->at.want;

	node->value.length = (size_t) (p + 1 - reader->window) -
		reader->row_start - node->value.start;
	reader->at.want = node->parent;
	reader->at.want_depth--;
}

/*
 * Discards a possible row that has an array of rows.  The result must not
 * depend on whether its end, and so its size, was in the window.
 */
static bool
give_up_row(JsonReader *reader, const char *p)
{
	size_t		size = (size_t) (p - reader->window) - reader->row_start;

	if (size >= reader->max_row)
	{
		json_too_large(reader, p);
		return false;
	}
	json_find_forget_row(reader);
	return true;
}

static void
begin_row(JsonReader *reader, const char *p)
{
	json_find_forget_row(reader);	/* the previous one */
	reader->row_start = (size_t) (p - reader->window);
	if (reader->layout != NULL)
		json_layout_arrive(reader->layout, &reader->at, p, p);
	json_find_enter_value(reader, reader->row, reader->at.depth, p);
}

/*
 * A wanted container outside of rows begins: its bytes are kept until it ends.
 * It has no rows, but it may be in a possible row, which is kept anyway, or in
 * another wanted container.
 */
static void
begin_copy(JsonReader *reader, JsonCopy *copy, const char *p)
{
	copy->start = reader->window_start + (size_t) (p - reader->window);
	if (reader->copied == NULL)
		reader->copied = copy;
}

/* The container ends at "p". */
static bool
end_copy(JsonReader *reader, JsonCopy *copy, const char *p)
{
	const char *start = reader->window + (copy->start - reader->window_start);
	size_t		size = (size_t) (p + 1 - start);

	if (size > reader->max_row)
	{
		json_too_large(reader, p);
		return false;
	}
	json_copy_set(copy, reader->alloc, *p == '}' ? JSON_OBJECT : JSON_ARRAY, 0,
				  start, size);
	if (reader->copied == copy)
		reader->copied = NULL;
	return true;
}

/*
 * Whether an object or an array at a node of the shape is a row or leads on to
 * the rows.
 */
static bool
leads_to_rows(const JsonNode *node, bool is_object)
{
	if (is_object)
		return node->is_row || node->keys_lead;
	return node->element != NULL;
}

/*
 * Whether a key leads to the rows for the second time in one object: they may
 * be the same rows.
 */
static bool
comes_twice(const JsonNode *node)
{
	const JsonNode *object = node->parent;

	return object != NULL && node != object->element &&
		node->entered_in == object->objects;
}

/*
 * A container at a node of the shape: enters it if it may have rows or values,
 * and begins a row if it is one.
 */
static RARE bool
enter_shape(JsonReader *reader, JsonNode *node, const char *p)
{
	bool		is_object = (*p == '{');
	bool		leads = leads_to_rows(node, is_object);
	bool		is_row = is_object && node->is_row;
	bool		is_rows = !is_object && leads;

	if (node->has_outside)
		json_copies_forget(&reader->copies, node, false);
	if (!leads && node->to_rows && !json_place_in_row(&reader->at))
	{
		json_defect(reader, JSON_DEFECT_SHAPE,
					is_object ? "expected an array" : "expected an object", p);
		return false;
	}
	if (leads && comes_twice(node))
	{
		json_defect(reader, JSON_DEFECT_SHAPE,
					"the key of the rows occurs twice", p);
		return false;
	}
	if (!leads && node->copy == NULL && !(is_object && node->children != NULL))
		return true;
	if ((is_row || is_rows) && json_place_in_row(&reader->at) &&
		!give_up_row(reader, p))
		return false;

	if (leads && reader->at.shape != NULL)
		reader->at.shape->led_on = true;
	if (leads && node->parent != NULL)
		node->entered_in = node->parent->objects;
	node->objects += is_object;
	node->led_on = !leads;
	reader->at.shape = node;
	reader->at.shape_depth = reader->at.depth + 1;
	if (node->copy != NULL)
		begin_copy(reader, node->copy, p);
	if (is_row)
		begin_row(reader, p);
	return true;
}

/*
 * A container begins in one on the path.  The shape comes first: it decides
 * whether a row begins.
 */
bool
json_find_enter(JsonReader *reader, const char *p)
{
	JsonNode   *node = json_place_shape(&reader->at);

	if (node != NULL && !enter_shape(reader, node, p))
		return false;
	node = json_place_want(&reader->at);	/* NULL if a row begins here */
	if (node != NULL)
		json_find_enter_value(reader, node, reader->at.depth, p);
	return true;
}

/* The row ends at "p". */
static bool
leave_row(JsonReader *reader, const char *p)
{
	size_t		size = (size_t) (p + 1 - reader->window) - reader->row_start;

	if (size > reader->max_row)
	{
		json_too_large(reader, p);
		return false;
	}
	reader->row->value.length = size;
	complete_row(reader);
	return true;
}

static bool
leave_want(JsonReader *reader, const char *p)
{
	if (reader->at.want == reader->row)
		return leave_row(reader, p);
	json_find_leave_value(reader, p);
	return true;
}

/*
 * The container that ends at "p" is wanted itself or leads to the rows.  With
 * an array, the values of its last element are forgotten; with a row, all
 * values that were found in it as if it were not a row.
 */
static RARE bool
leave_shape(JsonReader *reader, const char *p)
{
	JsonNode   *node = reader->at.shape;
	bool		is_object = (*p == '}');

	if (is_object && !node->is_row && !node->led_on &&
		!json_place_in_row(&reader->at))
	{
		json_defect(reader, JSON_DEFECT_SHAPE,
					"the key of the rows is missing", p);
		return false;
	}
	if (node->copy != NULL && !end_copy(reader, node->copy, p))
		return false;
	if (node->has_outside &&
		(is_object ? reader->row_complete : node->element != NULL))
		json_copies_forget(&reader->copies, node, is_object);
	reader->at.shape = node->parent;
	reader->at.shape_depth--;
	return true;
}

/* A container on the path ends; it may be on both paths. */
bool
json_find_leave(JsonReader *reader, const char *p)
{
	if (reader->at.depth == reader->at.want_depth && !leave_want(reader, p))
		return false;
	if (reader->at.depth == reader->at.shape_depth && !leave_shape(reader, p))
		return false;
	return true;
}

/*
 * After a row
 */

/* Whether a key, from its first quote to its last one, leads to a node. */
static bool
is_key_of(const JsonNode *node, const JsonScan *scan, const char *key,
		  const char *quote)
{
	if (scan->flags != 0)
		return json_node_find_escaped(node->parent, key + 1, quote) == node;
	return (size_t) (quote - key - 1) == node->key_length &&
		memcmp(key + 1, node->key, node->key_length) == 0;
}

/* No token: a defect, which the reader finds itself, or the window ends. */
static JsonResult
no_token(const JsonScan *scan)
{
	return scan->message != NULL || scan->last ? JSON_END : JSON_MORE;
}

/* Finds the string or number after a key and its colon. */
static JsonResult
slice_after(JsonScan *scan, const char *window, const char *p,
			const char *end, JsonSlice *value)
{
	const char *after;

	p = json_skip_space(p, end);
	if (p < end && *p == ':')
		p = json_skip_space(p + 1, end);
	if (p == end)
		return no_token(scan);
	value->kind = *p == '"' ? JSON_STRING : JSON_NUMBER;
	if (*p == '"')
		after = json_scan_string(scan, p++, end);
	else if (*p == '-' || (*p >= '0' && *p <= '9'))
		after = json_scan_number(scan, p, end);
	else
		return JSON_END;
	if (after == NULL)
		return no_token(scan);
	value->start = (size_t) (p - window);
	value->length = (size_t) (after - p);
	value->flags = value->kind == JSON_STRING ? scan->flags : 0;
	return JSON_ROW;
}

/*
 * Each search begins at the end of the row again, which is slow if it continues
 * over many windows.  API responses hardly ever need it.
 */
JsonResult
json_reader_find_after(const JsonReader *reader, int number,
					   const char *window, size_t length, bool last,
					   JsonSlice *value)
{
	const JsonNode *node = reader->copies.list[number]->node;
	const JsonNode *object = reader->at.shape;
	size_t		levels = reader->at.depth - reader->at.shape_depth;
	const char *p = window + reader->position;
	const char *end = window + length;
	char		before = 0;
	JsonScan	scan = {.last = last};

	for (; object != NULL && object != node->parent; object = object->parent)
		levels++;
	if (object == NULL)
		return JSON_END;
	for (; (p = json_skip_space(p, end)) < end; p++)
	{
		const char *start = p;

		if (*p == '{' || *p == '[')
			levels++;
		else if ((*p == '}' || *p == ']') && levels-- == 0)
			return JSON_END;
		else if (*p == '"')
		{
			p = json_scan_string(&scan, p, end);
			if (p == NULL)
				return no_token(&scan);
			if (levels == 0 && before == ',' &&
				is_key_of(node, &scan, start, p))
				return slice_after(&scan, window, p + 1, end, value);
		}
		before = *start;
	}
	return no_token(&scan);
}
