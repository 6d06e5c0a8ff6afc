/*
 * json_reader.c
 *		A strict, resumable JSON reader that finds rows and wanted values.
 *
 * Most bytes of a response are not wanted, so the reader skips them quickly:
 * every byte is checked against RFC 8259, but no value is built from it, and
 * keys are compared only in containers that can have a row or a wanted value.
 *
 * There are two trees of JsonNodes: the shape, from the document's value down
 * to the rows and to wanted values outside of them, and the wanted paths, from
 * a row down.  A node can be entered at one place at a time only, so the
 * parent links of the trees are the stack of the containers that matter.  For
 * all other containers, one byte a level holds the closing bracket.
 *
 * A token is read as a whole.  If the window ends inside one, the reader stays
 * at the token's start and remembers how far it has read, so that any piece
 * makes progress.  The result never depends on how the document was cut.
 *
 * This file knows nothing of PostgreSQL, HTTP or HiBob.
 */
#include "reader/json_find.h"
#include "reader/json_reader.h"

#define LEAST_MAX_ROW 16		/* so that any word fits */

/*
 * For functions that run for nearly every token and that compilers find long.
 */
#ifdef __GNUC__
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif

/* The part of the grammar that the next byte, except white space, begins. */
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
	AT_DEFECT					/* reading has ended */
} ReaderState;

/*
 * The grammar
 *
 * A function that reads a part of the document returns the end of that part, or
 * NULL.  NULL means that reading stops: at a defect, at a complete row, or
 * because the window ends.  stop_reading() finds out which.
 */

/* The document is not JSON. */
static const char *
bad_syntax(JsonReader *reader, const char *message, const char *where)
{
	return json_scan_defect(&reader->scan, message, where);
}

/* The node of the key that was just read, from "key" to its quote, or NULL. */
static inline JsonNode *
follow_key(const JsonReader *reader, const JsonNode *node, const char *key,
		   const char *quote)
{
	if (reader->scan.flags != 0)
		return json_node_find_escaped(node, key, quote);
	return json_node_find(node, key, (size_t) (quote - key));
}

/*
 * Reports to the layout that the reader is at a value that it does not just
 * skip, or at the end of a container on the path.  If the layout has led here,
 * it knows this already.
 */
static inline void
arrive(JsonReader *reader, const char *p)
{
	if (reader->layout != NULL && reader->layout->point == NULL &&
		json_place_in_row(&reader->at))
		json_layout_arrive(reader->layout, &reader->at,
						   reader->window + reader->row_start, p);
}

/* Reports the current token and its end to the layout. */
static inline void
note_event(JsonReader *reader, JsonEvent event, const char *after)
{
	if (reader->layout != NULL)
	{
		reader->layout->event = event;
		reader->layout->token_end = after;
	}
}

/* Reads an opening bracket. */
static inline const char *
open_container(JsonReader *reader, const char *p)
{
	if (reader->at.depth >= reader->max_depth)
		return json_defect(reader, JSON_DEFECT_DEPTH, "nested too deeply", p);
	if (reader->at.on_path)
	{
		if (json_place_is_looked_for(&reader->at))
			arrive(reader, p);
		if (!json_find_enter(reader, p))
			return NULL;
	}
	note_event(reader, *p == '{' ? JSON_EVENT_OBJECT : JSON_EVENT_ARRAY, p + 1);
	json_place_set_depth(&reader->at, reader->at.depth + 1);
	reader->at.closers[reader->at.depth] = (*p == '{') ? '}' : ']';
	reader->at.state = (*p == '{') ? AT_FIRST_KEY : AT_FIRST_ELEMENT;
	return p + 1;
}

/*
 * A value has ended before "p".  Also reads a comma that follows at once: with
 * the colon in read_member() that saves most of the dispatching.
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
 * Reads a closing bracket.  Stops if that completes a row, before the bytes of
 * the row can be dropped.
 */
static inline const char *
close_container(JsonReader *reader, const char *p, const char *end)
{
	if (*p != reader->at.closers[reader->at.depth])
		return bad_syntax(reader, "unexpected character", p);
	if (reader->at.on_path)
	{
		arrive(reader, p);
		if (!json_find_leave(reader, p))
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
		return json_too_large(reader, quote);
	return quote;
}

static inline const char *
read_number(JsonReader *reader, const char *p, const char *end)
{
	const char *after = json_scan_number(&reader->scan, p, end);

	if (after != NULL && (size_t) (after - p) >= reader->max_row)
		return json_too_large(reader, after);
	return after;
}

/*
 * Reads a scalar up to its end, or to a string's closing quote.  Returns NULL
 * with JSON_ABSENT if none begins here.
 */
static ALWAYS_INLINE const char *
scan_scalar(JsonReader *reader, const char *p, const char *end,
			JsonKind *kind)
{
	switch (*p)
	{
		case '"':
			*kind = JSON_STRING;
			return read_string(reader, p, end);
		case 'n':
			*kind = JSON_NULL;
			return json_scan_word(&reader->scan, p, end, "null");
		case 't':
			*kind = JSON_TRUE;
			return json_scan_word(&reader->scan, p, end, "true");
		case 'f':
			*kind = JSON_FALSE;
			return json_scan_word(&reader->scan, p, end, "false");
		default:
			if (*p != '-' && (*p < '0' || *p > '9'))
			{
				*kind = JSON_ABSENT;
				return NULL;
			}
			*kind = JSON_NUMBER;
			return read_number(reader, p, end);
	}
}

/*
 * Notes the scanned scalar at "p" if it is wanted.  Returns its end.
 */
static inline const char *
note_scalar(JsonReader *reader, JsonNode *want, const JsonNode *shape,
			JsonKind kind, const char *p, const char *scanned)
{
	bool		quoted = (kind == JSON_STRING);

	if ((want != NULL || shape != NULL) &&
		!json_find_scalar(reader, want, shape, kind, p + quoted, scanned))
		return NULL;
	return scanned + quoted;
}

static inline const char *
read_scalar(JsonReader *reader, const char *p, const char *end)
{
	JsonNode   *want = json_place_want(&reader->at);
	JsonNode   *shape = json_place_shape(&reader->at);
	JsonKind	kind;
	const char *scanned;

	if ((*p != 'n' && *p != 't' && *p != 'f') || want != NULL || shape != NULL)
		arrive(reader, p);
	scanned = scan_scalar(reader, p, end, &kind);
	if (scanned == NULL && kind == JSON_ABSENT)
		return bad_syntax(reader, "expected a value", p);
	if (scanned == NULL)
		return NULL;
	p = note_scalar(reader, want, shape, kind, p, scanned);
	if (p == NULL)
		return NULL;
	note_event(reader, JSON_EVENT_SCALAR, p);
	return after_value(reader, p, end);
}

static inline const char *
read_value(JsonReader *reader, const char *p, const char *end)
{
	if (*p == '{' || *p == '[')
		return open_container(reader, p);
	return read_scalar(reader, p, end);
}

/*
 * Reads a key, and its colon and value unless white space or the end of the
 * window is between them.  The value is a token of its own: if it is not
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

/* Reads what follows a value and white space in a container. */
static inline const char *
read_separator(JsonReader *reader, const char *p, const char *end)
{
	if (*p == ',')
		return after_value(reader, p, end);
	return close_container(reader, p, end);
}

/* Skips a byte order mark, which is valid as the first bytes only. */
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
	return bad_syntax(reader, "expected the end of the document", p);
}

/*
 * Reading stops at the current token.
 *
 * The bytes that must be kept exceed the limit as soon as max_row of them were
 * read without an end.  Bytes after those do not matter, so that the result does
 * not depend on the size of the window, and everything found in them is
 * discarded.
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
		json_defect(reader, JSON_DEFECT_TRUNCATED, "ends too early", end);
	}
	where = (size_t) (reader->scan.where - reader->window);
	if (where - keep >= reader->max_row)
	{
		json_too_large(reader, end);
		where = keep;
	}
	reader->defect.kind = reader->defect_kind;
	reader->defect.message = reader->scan.message;
	reader->defect.position = reader->window_start + where;
	reader->at.state = AT_DEFECT;
	json_copies_forget(&reader->copies, reader->document, true);
	return JSON_BAD;
}

/* Continues after a value at a point that no known stretch follows. */
static const char *
leave_known(JsonReader *reader, JsonPoint *point, const char *after,
			const char *end)
{
	JsonLayout *layout = reader->layout;

	json_layout_set_place(&reader->at, point);
	layout->point = NULL;
	layout->token_end = after;
	json_layout_learn(layout, &point->ways[JSON_EVENT_SCALAR]);
	return after_value(reader, after, end);
}

/*
 * Reads a bracket of a value of the row at a point if a known stretch follows.
 * Returns the stretch, or NULL if nothing was read.
 */
static inline JsonStretch *
read_known_bracket(JsonReader *reader, JsonPoint *point, const char *p,
			 const char *end)
{
	JsonEvent	event = (*p == '{') ? JSON_EVENT_OBJECT : JSON_EVENT_ARRAY;
	JsonStretch *stretch;

	if (*p == '}' || *p == ']')
	{
		if (*p != point->closer || !point->closes_value)
			return NULL;
		event = JSON_EVENT_CLOSED;
	}
	else if (point->closer != 0 || point->want == NULL || point->shape != NULL)
		return NULL;
	stretch = json_layout_match(reader->layout, &point->ways[event], p + 1,
								end);
	if (stretch == NULL)
		return NULL;
	if (event == JSON_EVENT_CLOSED)
		json_find_leave_value(reader, p);
	else
		json_find_enter_value(reader, point->want, point->place.depth, p);
	return stretch;
}

static inline bool
is_bracket(char c)
{
	return c == '{' || c == '}' || c == '[' || c == ']';
}

/*
 * Reads values from point to point of the layout.  Most bytes are read here, so
 * the reader's place is kept in a local variable and set at the end.
 * read_next() reads everything that differs from earlier rows.
 */
static const char *
read_known(JsonReader *reader, const char *p, const char *end)
{
	JsonLayout *layout = reader->layout;
	JsonPoint  *point = layout->point;

	while (p < end)
	{
		JsonStretch *stretch;
		JsonKind	kind;
		const char *after = p + 1;

		reader->token = p;
		if (is_bracket(*p))
		{
			stretch = read_known_bracket(reader, point, p, end);
			if (stretch == NULL)
				break;
		}
		else
		{
			if (point->closer != 0)
				break;
			after = scan_scalar(reader, p, end, &kind);
			if (after == NULL)
				break;
			after = note_scalar(reader, point->want, point->shape, kind, p,
								 after);
			if (after == NULL)
				return NULL;
			stretch = json_layout_match(layout,
										&point->ways[JSON_EVENT_SCALAR],
										after, end);
			if (stretch == NULL)
				return leave_known(reader, point, after, end);
		}
		point = stretch->end;
		p = after + stretch->length;
	}
	layout->point = point;
	json_layout_set_place(&reader->at, point);
	return p;
}

/* Reads the token at "p", and skips known stretches after it. */
static const char *
read_along(JsonReader *reader, const char *p, const char *end)
{
	JsonLayout *layout = reader->layout;

	do
	{
		if (layout->point != NULL)
		{
			p = read_known(reader, p, end);
			if (p == NULL || layout->point == NULL)
				return p;
			p = json_skip_space(p, end);
			if (p == end)
				return p;
		}
		reader->token = p;
		layout->event = JSON_EVENT_NONE;
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
 * Reads token after token.  The window is at a new address each time, so only
 * offsets and the token's progress are kept between two calls.
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
 * A row is kept as a whole, since its slices have to be in one window, and so
 * is a container that will be copied.  Otherwise only the current token is
 * kept, because a key that was cut has to be compared.
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

/* Slots are numbered from 0 in the order of the requests. */
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
	json_find_forget_row(reader);
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

/* A row notes only its own values; paths below them are derived here. */
bool
json_reader_is_present(const JsonReader *reader, int slot)
{
	const JsonNode *node = reader->slots[slot];
	bool		present = node->present;

	for (node = node->parent; node != NULL && !present; node = node->parent)
		present = node->was_leaf;
	return present;
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
