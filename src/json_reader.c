/*
 * json_reader.c
 *		A strict, resumable JSON reader that finds rows and wanted values.
 *
 * Most bytes of a response are not wanted, so this is built to pass over them
 * quickly: every byte is checked against RFC 8259, but nothing is built from
 * it, and only a container that can hold a row or a wanted value has its keys
 * looked at.
 *
 * What is looked for is two trees of JsonNodes: the shape, from the document's
 * value down to the rows and to wanted values outside of them, and the wanted
 * paths, from a row down.  A node can be entered at one place at a time only,
 * so the trees' own parent links serve as the stack of the containers that
 * matter; for all the others one byte a level is enough to know what closes
 * them.
 *
 * A token is read as a whole.  Where the window ends inside one, the reader
 * stays at the token's start and remembers how far it has looked, so that no
 * piece is too small to make progress.  What it answers never depends on how
 * the document was cut.
 *
 * This file may know nothing of PostgreSQL, HTTP or HiBob.
 */
#include "json_reader.h"

#include <string.h>

#include "json_layout.h"
#include "json_outside.h"
#include "json_scan.h"
#include "json_tree.h"

#define LEAST_MAX_ROW 16		/* so that any word fits */

/* Inlined, what is rare would slow down what is done for every token. */
#ifdef __GNUC__
#define RARE __attribute__((noinline))
#else
#define RARE
#endif

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

	/* the window; all offsets are in it */
	const char *window;
	size_t		length;
	uint64_t	window_start;	/* where it lies in the document */
	size_t		position;		/* where to go on reading */
	size_t		row_start;		/* if in a row */

	JsonPlace	at;				/* its state is a ReaderState */
	JsonScan	scan;
	const char *token;			/* the present one */
	JsonLayout *layout;

	JsonNode   *listed;			/* nodes that have a value in this row */
	bool		row_complete;

	JsonDefectKind defect_kind; /* of the scan's defect */
	JsonDefect	defect;			/* once reported */

	/* wanted values outside of rows; behind what every token needs */
	JsonCopies	copies;
	JsonNode   *nowhere;		/* where those are that never come */
	const JsonCopy *copied;		/* the outermost container that is being read
								 * for one, or NULL */
};

/*
 * Defects
 *
 * What reads a part of the document returns that part's end, or NULL.  NULL
 * means that reading stops: at a defect, at a complete row, or because the
 * window ends.  stop_reading() tells which.
 */

/* The document is not JSON. */
static const char *
bad_syntax(JsonReader *reader, const char *message, const char *where)
{
	return json_scan_defect(&reader->scan, message, where);
}

/*
 * Something else is wrong with it.  The scan keeps message and place for both,
 * so that there is a single mark of a defect.
 */
static const char *
defect(JsonReader *reader, JsonDefectKind kind, const char *message,
	   const char *where)
{
	reader->defect_kind = kind;
	return json_scan_defect(&reader->scan, message, where);
}

/*
 * A row, or a token or wanted container outside of rows, has not ended where
 * it has to at the latest.  stop_reading() puts the defect at its start.
 */
static const char *
too_large(JsonReader *reader, const char *where)
{
	return defect(reader, JSON_DEFECT_ROW_SIZE, "larger than allowed", where);
}

/*
 * Values and rows
 */

/* What the key just read, from "key" to its quote, leads to, or NULL. */
static inline JsonNode *
follow_key(const JsonReader *reader, const JsonNode *node, const char *key,
		   const char *quote)
{
	if (reader->scan.flags != 0)
		return json_node_find_escaped(node, key, quote);
	return json_node_find(node, key, (size_t) (quote - key));
}

/*
 * A key came twice, and the last one wins: what was found below the first one
 * is forgotten.
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
 * Notes the value from "start" to "end" as what the present row has there.
 * The end of a container is not known yet: leave_want() adds it.
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

/*
 * Takes back all that was noted of a row.  That touches only the nodes which
 * this row had, however many are wanted.
 */
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
	reader->at.want = NULL;
	reader->at.want_depth = 0;
}

/*
 * Makes the row's values what json_reader_slice() returns.  Only now it is
 * certain that this was a row: see enter_shape().
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
		node->carried = true;
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
 * A scalar at a node of the shape.  Where that leads to the rows, there should
 * have been a container, unless a row around it can do without.
 */
static RARE bool
take_shape_scalar(JsonReader *reader, const JsonNode *node, JsonKind kind,
				  const char *start, const char *end)
{
	uint8_t		flags = (kind == JSON_STRING) ? reader->scan.flags : 0;

	if (node->to_rows && !json_place_in_row(&reader->at))
	{
		defect(reader, JSON_DEFECT_SHAPE, "expected an object or an array",
			   reader->token);
		return false;
	}
	if (node->has_outside)
		json_copies_forget(&reader->copies, node, false);
	if (node->copy != NULL)
		json_copy_set(node->copy, reader->alloc, kind, flags, start,
					  (size_t) (end - start));
	return true;
}

/* A scalar in a container on the way. */
static bool
take_scalar(JsonReader *reader, JsonKind kind, const char *start,
			const char *end)
{
	JsonNode   *want = json_place_want(&reader->at);
	JsonNode   *shape = json_place_shape(&reader->at);

	if (shape != NULL && !take_shape_scalar(reader, shape, kind, start, end))
		return false;
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
	reader->at.want = node;
	reader->at.want_depth = reader->at.depth + 1;
}

/*
 * What was taken for a row holds the rows: it is none.  It must not matter
 * whether its end, and so its size, has been in the window.
 */
static bool
give_up_row(JsonReader *reader, const char *p)
{
	size_t		size = (size_t) (p - reader->window) - reader->row_start;

	if (size >= reader->max_row)
	{
		too_large(reader, p);
		return false;
	}
	forget_row(reader);
	return true;
}

static void
begin_row(JsonReader *reader, const char *p)
{
	forget_row(reader);			/* the last one */
	reader->row_start = (size_t) (p - reader->window);
	if (reader->layout != NULL)
		json_layout_arrive(reader->layout, &reader->at, p, p);
	enter_want(reader, reader->row, p);
}

/*
 * A wanted container outside of rows begins: its bytes have to stay until it
 * ends.  There are no rows in it, but it may be in what is a row so far, which
 * stays anyway, or in another one that is wanted.
 */
static void
begin_copy(JsonReader *reader, JsonCopy *copy, const char *p)
{
	copy->start = reader->window_start + (size_t) (p - reader->window);
	if (reader->copied == NULL)
		reader->copied = copy;
}

/* It ends at "p". */
static bool
end_copy(JsonReader *reader, JsonCopy *copy, const char *p)
{
	const char *start = reader->window + (copy->start - reader->window_start);
	size_t		size = (size_t) (p + 1 - start);

	if (size > reader->max_row)
	{
		too_large(reader, p);
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
 * A container at a node of the shape: steps into it, if there is something to
 * be found, and begins a row where that is one.
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
		defect(reader, JSON_DEFECT_SHAPE,
			   is_object ? "expected an array" : "expected an object", p);
		return false;
	}
	if (!leads && node->copy == NULL && !(is_object && node->children != NULL))
		return true;
	if ((is_row || is_rows) && json_place_in_row(&reader->at) &&
		!give_up_row(reader, p))
		return false;

	if (leads && reader->at.shape != NULL)
		reader->at.shape->led_on = true;
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
 * A container begins in one on the way.  The shape comes first: it decides
 * whether there is a row at all.
 */
static bool
enter_container(JsonReader *reader, const char *p)
{
	JsonNode   *node = json_place_shape(&reader->at);

	if (node != NULL && !enter_shape(reader, node, p))
		return false;
	node = json_place_want(&reader->at);	/* none where a row begins */
	if (node != NULL)
		enter_want(reader, node, p);
	return true;
}

/* The container that ends at "p" is a value, or the whole row. */
static bool
leave_want(JsonReader *reader, const char *p)
{
	size_t		size = (size_t) (p + 1 - reader->window) - reader->row_start;
	JsonNode   *node = reader->at.want;

	node->value.length = size - node->value.start;
	if (node == reader->row)
	{
		if (size > reader->max_row)
		{
			too_large(reader, p);
			return false;
		}
		complete_row(reader);
		return true;
	}
	reader->at.want = node->parent;
	reader->at.want_depth--;
	return true;
}

/*
 * The container that ends at "p" may be wanted itself; else it should have led
 * to the rows.  An array takes along what belongs to its last element, and a
 * row all that might have been outside of it.
 */
static RARE bool
leave_shape(JsonReader *reader, const char *p)
{
	JsonNode   *node = reader->at.shape;
	bool		is_object = (*p == '}');

	if (is_object && !node->is_row && !node->led_on && !json_place_in_row(&reader->at))
	{
		defect(reader, JSON_DEFECT_SHAPE, "the key of the rows is missing", p);
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

/* A container on the way ends; it may be on both ways. */
static bool
leave_container(JsonReader *reader, const char *p)
{
	if (reader->at.depth == reader->at.want_depth && !leave_want(reader, p))
		return false;
	if (reader->at.depth == reader->at.shape_depth && !leave_shape(reader, p))
		return false;
	return true;
}

/*
 * The grammar
 */

/*
 * At "p", for the layout, is a value that the reader does more with than to
 * step over it, or the end of a container on the way.  Where the layout has led
 * here, it knows.
 */
static inline void
arrive(JsonReader *reader, const char *p)
{
	if (reader->layout != NULL && reader->layout->point == NULL &&
		json_place_in_row(&reader->at))
		json_layout_arrive(reader->layout, &reader->at,
						   reader->window + reader->row_start, p);
}

/* What the present token was, and where it has ended, for the layout. */
static inline void
note_event(JsonReader *reader, JsonEvent event, const char *behind)
{
	if (reader->layout != NULL)
	{
		reader->layout->event = event;
		reader->layout->behind = behind;
	}
}

/* Reads an opening bracket. */
static inline const char *
open_container(JsonReader *reader, const char *p)
{
	if (reader->at.depth >= reader->max_depth)
		return defect(reader, JSON_DEFECT_DEPTH, "nested too deeply", p);
	if (reader->at.on_the_way)
	{
		if (json_place_is_looked_for(&reader->at))
			arrive(reader, p);
		if (!enter_container(reader, p))
			return NULL;
	}
	note_event(reader, *p == '{' ? JSON_EVENT_OBJECT : JSON_EVENT_ARRAY, p + 1);
	json_place_set_depth(&reader->at, reader->at.depth + 1);
	reader->at.closers[reader->at.depth] = (*p == '{') ? '}' : ']';
	reader->at.state = (*p == '{') ? AT_FIRST_KEY : AT_FIRST_ELEMENT;
	return p + 1;
}

/*
 * A value has ended before "p".  Takes the comma along if it follows at once:
 * with the colon in read_member() that saves most of the dispatching.
 */
static inline const char *
after_value(JsonReader *reader, const char *p, const char *end)
{
	if (reader->at.depth == 0)
		reader->at.state = AT_END;
	else if (p < end && *p == ',')
	{
		reader->at.state = json_place_in_array(&reader->at) ? AT_VALUE : AT_KEY;
		p++;
	}
	else
		reader->at.state = AT_SEPARATOR;
	return p;
}

/*
 * Reads a closing bracket.  Stops where that completes a row, before the bytes
 * of the row can be dropped.
 */
static inline const char *
close_container(JsonReader *reader, const char *p, const char *end)
{
	if (*p != reader->at.closers[reader->at.depth])
		return bad_syntax(reader, "unexpected character", p);
	if (reader->at.on_the_way)
	{
		arrive(reader, p);
		if (!leave_container(reader, p))
			return NULL;
	}
	note_event(reader, JSON_EVENT_CLOSED, p + 1);
	json_place_set_depth(&reader->at, reader->at.depth - 1);
	p = after_value(reader, p + 1, end);
	if (reader->row_complete)
	{
		reader->token = p;
		return NULL;
	}
	return p;
}

/* Reads a string up to, not including, the quote that closes it. */
static inline const char *
read_string(JsonReader *reader, const char *p, const char *end)
{
	const char *quote = json_scan_string(&reader->scan, p, end);

	if (quote != NULL && (size_t) (quote - p) >= reader->max_row)
		return too_large(reader, quote);
	return quote;
}

/* Reads a number, which is what any other value has to be. */
static inline const char *
read_number(JsonReader *reader, const char *p, const char *end)
{
	const char *behind;

	if (*p != '-' && (*p < '0' || *p > '9'))
		return bad_syntax(reader, "expected a value", p);
	behind = json_scan_number(&reader->scan, p, end);
	if (behind != NULL && (size_t) (behind - p) >= reader->max_row)
		return too_large(reader, behind);
	return behind;
}

/* A scalar was read, whether it is wanted or not. */
static inline const char *
leave_scalar(JsonReader *reader, JsonKind kind, const char *start,
			 const char *p, const char *end)
{
	if (reader->at.on_the_way && !take_scalar(reader, kind, start, p))
		return NULL;
	if (kind == JSON_STRING)
		p++;
	note_event(reader, JSON_EVENT_SCALAR, p);
	return after_value(reader, p, end);
}

static inline const char *
read_string_value(JsonReader *reader, const char *p, const char *end)
{
	const char *quote = read_string(reader, p, end);

	if (quote == NULL)
		return NULL;
	return leave_scalar(reader, JSON_STRING, p + 1, quote, end);
}

/* Reads a value that is no container. */
static inline const char *
read_scalar(JsonReader *reader, const char *p, const char *end)
{
	const char *start = p;
	JsonKind	kind;

	if ((*p != 'n' && *p != 't' && *p != 'f') || json_place_is_looked_for(&reader->at))
		arrive(reader, p);
	switch (*p)
	{
		case '"':
			return read_string_value(reader, p, end);
		case 'n':
			kind = JSON_NULL;
			p = json_scan_word(&reader->scan, p, end, "null");
			break;
		case 't':
			kind = JSON_TRUE;
			p = json_scan_word(&reader->scan, p, end, "true");
			break;
		case 'f':
			kind = JSON_FALSE;
			p = json_scan_word(&reader->scan, p, end, "false");
			break;
		default:
			kind = JSON_NUMBER;
			p = read_number(reader, p, end);
			break;
	}
	return p == NULL ? NULL : leave_scalar(reader, kind, start, p, end);
}

static inline const char *
read_value(JsonReader *reader, const char *p, const char *end)
{
	if (*p == '{' || *p == '[')
		return open_container(reader, p);
	return read_scalar(reader, p, end);
}

/*
 * Reads a key, and its colon and value too, as far as no white space and no
 * end of the window intervene.  The value is a token of its own: if it is not
 * complete, the key is not read again.
 */
static inline const char *
read_member(JsonReader *reader, const char *p, const char *end)
{
	const char *key = p + 1;

	if (*p != '"')
		return bad_syntax(reader, "expected a key", p);
	p = read_string(reader, p, end);
	if (p == NULL)
		return NULL;
	if (reader->at.depth == reader->at.shape_depth)
		reader->at.shape_child = follow_key(reader, reader->at.shape, key, p);
	if (reader->at.depth == reader->at.want_depth)
		reader->at.want_child = follow_key(reader, reader->at.want, key, p);

	p++;
	reader->at.state = AT_COLON;
	if (p == end || *p != ':')
		return p;
	p++;
	reader->at.state = AT_VALUE;
	if (p == end || (unsigned char) *p <= ' ')
		return p;
	reader->token = p;
	return read_value(reader, p, end);
}

/* Reads what follows a value in a container, if not at once. */
static inline const char *
read_separator(JsonReader *reader, const char *p, const char *end)
{
	if (*p == ',')
		return after_value(reader, p, end);
	return close_container(reader, p, end);
}

/* Steps over a byte order mark, which only counts as the very first bytes. */
static const char *
read_start(JsonReader *reader, const char *p, const char *end)
{
	if (*p == '\xef' && p == reader->window && reader->window_start == 0)
		p = json_scan_word(&reader->scan, p, end, "\xef\xbb\xbf");
	if (p != NULL)
		reader->at.state = AT_VALUE;
	return p;
}

/* Reads what begins at "p", which is not white space. */
static inline const char *
read_next(JsonReader *reader, const char *p, const char *end)
{
	switch (reader->at.state)
	{
		case AT_START:
			return read_start(reader, p, end);
		case AT_FIRST_ELEMENT:
			if (*p == ']')
				return close_container(reader, p, end);
			return read_value(reader, p, end);
		case AT_VALUE:
			return read_value(reader, p, end);
		case AT_FIRST_KEY:
			if (*p == '}')
				return close_container(reader, p, end);
			return read_member(reader, p, end);
		case AT_KEY:
			return read_member(reader, p, end);
		case AT_COLON:
			if (*p != ':')
				return bad_syntax(reader, "expected a colon", p);
			reader->at.state = AT_VALUE;
			return p + 1;
		case AT_SEPARATOR:
			return read_separator(reader, p, end);
		case AT_END:
		case AT_DEFECT:
			break;
	}
	return bad_syntax(reader, "expected nothing more", p);
}

/*
 * Reading cannot go on from the present token.
 *
 * What has to be kept is too large as soon as max_row bytes of it have been
 * seen without its end.  From there on nothing else counts, so that it makes
 * no difference how much more the window happened to hold.  Nor may anything
 * be left of what was found in there.
 */
static JsonResult
stop_reading(JsonReader *reader)
{
	const char *end = reader->window + reader->length;
	size_t		keep;
	size_t		where;

	reader->position = (size_t) (reader->token - reader->window);
	if (reader->row_complete)
		return JSON_ROW;
	keep = json_reader_keep_from(reader);
	if (reader->scan.message == NULL)
	{
		if (!reader->scan.last && reader->length - keep < reader->max_row)
			return JSON_MORE;
		defect(reader, JSON_DEFECT_TRUNCATED, "ends too early", end);
	}
	where = (size_t) (reader->scan.where - reader->window);
	if (where - keep >= reader->max_row)
	{
		too_large(reader, end);
		where = keep;
	}
	reader->defect.kind = reader->defect_kind;
	reader->defect.message = reader->scan.message;
	reader->defect.position = reader->window_start + where;
	reader->at.state = AT_DEFECT;
	json_copies_forget(&reader->copies, reader->document, true);
	return JSON_BAD;
}

/*
 * Reads what begins at "p", and as long as that is known, steps over what
 * follows it.
 */
static const char *
read_along(JsonReader *reader, const char *p, const char *end)
{
	JsonLayout *layout = reader->layout;

	do
	{
		reader->token = p;
		layout->event = JSON_EVENT_NONE;
		if (layout->point != NULL && *p == '"' && !layout->point->closes)
			p = read_string_value(reader, p, end);
		else
			p = read_next(reader, p, end);
		if (!json_place_in_row(&reader->at))
			json_layout_leave(layout);
		if (p == NULL || layout->point == NULL)
			return p;
		p = json_layout_follow(layout, &reader->at, p, end);
	} while (layout->point != NULL && p < end && (unsigned char) *p > ' ');
	return p;
}

/*
 * Goes on from token to token.  The window is at a new address each time, so
 * nothing but offsets and the token's progress lives on between two calls.
 */
JsonResult
json_reader_next(JsonReader *reader, const char *window, size_t length,
				 bool last)
{
	const char *p;
	const char *end;

	if (reader->at.state == AT_DEFECT)
		return JSON_BAD;
	reader->window = (length > 0) ? window : "";
	reader->length = length;
	reader->scan.last = last;
	reader->row_complete = false;
	if (reader->layout != NULL)
		json_layout_leave(reader->layout);

	p = reader->window + reader->position;
	end = reader->window + length;
	while ((p = json_skip_space(p, end)) < end)
	{
		reader->token = p;
		p = (reader->layout == NULL) ? read_next(reader, p, end) :
			read_along(reader, p, end);
		if (p == NULL)
			return stop_reading(reader);
	}
	reader->token = end;
	if (reader->at.state != AT_END)
		return stop_reading(reader);
	reader->position = length;
	return last ? JSON_END : JSON_MORE;
}

/*
 * The window
 */

/*
 * A row is kept as a whole, for its slices have to lie in one window, and so
 * is a container that will be copied.  Otherwise, outside of rows, the present
 * token is enough: a key that is cut has to be compared.
 */
size_t
json_reader_keep_from(const JsonReader *reader)
{
	if (json_place_in_row(&reader->at))
		return reader->row_start;
	if (reader->copied != NULL)
		return (size_t) (reader->copied->start - reader->window_start);
	return reader->position;
}

void
json_reader_dropped(JsonReader *reader, size_t bytes)
{
	reader->window_start += bytes;
	reader->position -= bytes;
	if (json_place_in_row(&reader->at))
		reader->row_start -= bytes;
}

/*
 * What to look for
 */

JsonReader *
json_reader_create(const JsonShape *shape, JsonReaderAlloc alloc)
{
	JsonReader *reader = alloc(sizeof(JsonReader));
	const char *const *pattern;

	reader->alloc = alloc;
	reader->max_row = shape->max_row;
	if (reader->max_row < LEAST_MAX_ROW)
		reader->max_row = LEAST_MAX_ROW;
	reader->max_depth = (shape->max_depth > 0) ? (size_t) shape->max_depth : 0;
	reader->at.closers = alloc(reader->max_depth + 1 + JSON_LAYOUT_DEPTH);
	reader->document = json_node_make(alloc, NULL, "", 0);
	reader->row = json_node_make(alloc, NULL, "", 0);
	reader->nowhere = json_node_make(alloc, NULL, "", 0);
	for (pattern = shape->rows; *pattern != NULL; pattern++)
		json_node_add_rows(alloc, reader->document, *pattern);
	json_reader_restart(reader);
	return reader;
}

/* Slots are numbered from 0 in the order in which they were asked for. */
static int
add_slot(JsonReader *reader, JsonNode *node)
{
	JsonNode  **slots;

	if (reader->nslots == reader->slots_room)
	{
		reader->slots_room = reader->nslots * 2 + 16;
		slots = reader->alloc((size_t) reader->slots_room * sizeof(*slots));
		if (reader->nslots > 0)
			memcpy(slots, reader->slots,
				   (size_t) reader->nslots * sizeof(*slots));
		reader->slots = slots;
	}
	reader->slots[reader->nslots] = node;
	return reader->nslots++;
}

int
json_reader_want(JsonReader *reader, const char *const *keys, int nkeys)
{
	JsonNode   *node = reader->row;
	int			i;

	for (i = 0; i < nkeys; i++)
		node = json_node_make_child(reader->alloc, node, keys[i],
									strlen(keys[i]));
	if (node->slot < 0)
		node->slot = add_slot(reader, node);
	return node->slot;
}

static int
want_outside(JsonReader *reader, const char *pattern, bool lasting)
{
	JsonNode   *node = json_node_add_outside(reader->alloc, reader->document,
											 pattern);

	if (node == NULL)
		node = json_node_make_child(reader->alloc, reader->nowhere, pattern,
									strlen(pattern));
	if (node->copy == NULL)
		json_copies_add(&reader->copies, reader->alloc, node);
	node->copy->lasting |= lasting;
	return json_copies_find(&reader->copies, node);
}

int
json_reader_want_outside(JsonReader *reader, const char *pattern)
{
	return want_outside(reader, pattern, false);
}

int
json_reader_want_lasting(JsonReader *reader, const char *pattern)
{
	return want_outside(reader, pattern, true);
}

void
json_reader_restart(JsonReader *reader)
{
	forget_row(reader);
	json_copies_forget(&reader->copies, reader->document, true);
	reader->copied = NULL;
	reader->window_start = 0;
	reader->position = 0;
	reader->at.state = AT_START;
	memset(&reader->scan, 0, sizeof(reader->scan));
	reader->defect_kind = JSON_DEFECT_SYNTAX;
	reader->at.shape = NULL;
	reader->at.shape_depth = 0;
	reader->at.shape_child = reader->document;
	reader->at.want_child = NULL;
	json_place_set_depth(&reader->at, 0);
}

/*
 * What was found
 */

const JsonSlice *
json_reader_slice(const JsonReader *reader, int slot)
{
	return &reader->slots[slot]->value;
}

/* Rows note only what they have; what follows for paths below is found here. */
bool
json_reader_carried(const JsonReader *reader, int slot)
{
	const JsonNode *node = reader->slots[slot];
	bool		carried = node->carried;

	for (node = node->parent; node != NULL && !carried; node = node->parent)
		carried = node->was_leaf;
	return carried;
}

const JsonOutside *
json_reader_outside(const JsonReader *reader, int number)
{
	return &reader->copies.list[number]->found;
}

const JsonDefect *
json_reader_defect(const JsonReader *reader)
{
	return &reader->defect;
}
