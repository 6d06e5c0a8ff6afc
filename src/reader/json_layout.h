/*
 * json_layout.h
 *		The bytes between the values of rows, learned from earlier rows.
 *
 * Private to the JSON reader.  The rows of a response repeat their keys in the
 * same order, so most bytes between two values have been read before.  The
 * effect of bytes on a reader depends only on its place: the same bytes at the
 * same place lead to the same place.  So a stretch of bytes that was read once,
 * token by token, is only compared when it occurs again.
 *
 * A stretch begins after a value and ends before the next one.  While the
 * reader reads a stretch, only its place changes: it notes no value, and
 * neither enters nor leaves a container on the path to one.  Brackets and an
 * unwanted null, true or false are part of a stretch.
 *
 * A point is a place where a stretch ends, with the stretches that have
 * followed its value so far.  The layout is only a shortcut: if no stretch
 * matches, the reader continues without it, and the bytes that it reads become
 * a new stretch.
 */
#ifndef HIBOB_READER_JSON_LAYOUT_H
#define HIBOB_READER_JSON_LAYOUT_H

#include <string.h>

#include "reader/json_tree.h"

/* Deeper places are not learned. */
#define JSON_LAYOUT_DEPTH 15

/* A reader's place in a document: all that determines the next token. */
typedef struct JsonPlace
{
	uint8_t		state;			/* what the grammar allows next */
	bool		on_path;		/* shape or want is the current container */
	size_t		depth;			/* containers around it */
	char	   *closers;		/* [1 .. depth]: what closes each */

	/*
	 * The innermost container on the path to the rows and, in a row, the
	 * innermost one on the path to a wanted value, each with its depth.  If it
	 * is the current container, the child is the node of its last key.
	 */
	JsonNode   *shape;
	size_t		shape_depth;
	JsonNode   *shape_child;
	JsonNode   *want;
	size_t		want_depth;		/* 0 outside of rows */
	JsonNode   *want_child;
} JsonPlace;

static inline bool
json_place_in_row(const JsonPlace *place)
{
	return place->want_depth > 0;
}

/* Whether the current container is an array; there is none at depth 0. */
static inline bool
json_place_in_array(const JsonPlace *place)
{
	return place->closers[place->depth] == ']';
}

/* The node of the shape for the next value, or NULL. */
static inline JsonNode *
json_place_shape(const JsonPlace *place)
{
	if (place->depth != place->shape_depth)
		return NULL;
	return json_place_in_array(place) ? place->shape->element :
		place->shape_child;
}

/* The same for the row.  No wanted path leads through an array. */
static inline JsonNode *
json_place_want(const JsonPlace *place)
{
	if (place->depth != place->want_depth || json_place_in_array(place))
		return NULL;
	return place->want_child;
}

/* Whether the next value changes more than the reader's place. */
static inline bool
json_place_is_looked_for(const JsonPlace *place)
{
	return place->on_path && (json_place_want(place) != NULL ||
								 json_place_shape(place) != NULL);
}

/*
 * Must be called after a container was entered or left.  It keeps the check for
 * each key and scalar to a single flag.
 */
static inline void
json_place_set_depth(JsonPlace *place, size_t depth)
{
	place->depth = depth;
	place->on_path = (depth == place->shape_depth ||
						 depth == place->want_depth);
}

/* The kind of token at a point. */
typedef enum JsonEvent
{
	JSON_EVENT_NONE,			/* any other */
	JSON_EVENT_SCALAR,
	JSON_EVENT_OBJECT,			/* an opening bracket */
	JSON_EVENT_ARRAY,
	JSON_EVENT_CLOSED,			/* a closing bracket */
	JSON_EVENTS
} JsonEvent;

typedef struct JsonStretch
{
	struct JsonStretch *next;	/* an alternative */
	struct JsonPoint *end;
	size_t		length;
	char		bytes[];
} JsonStretch;

typedef struct JsonPoint
{
	char		closer;			/* the closing bracket there, or 0 */
	bool		closes_value;	/* it closes a value of a row, nothing else */
	JsonNode   *want;			/* of json_place_want(), */
	JsonNode   *shape;			/* and of json_place_shape() */
	JsonStretch *ways[JSON_EVENTS]; /* that may follow, likely ones first */

	struct JsonPoint *neighbour;	/* next in its chain */
	uint32_t	tail;			/* a hash of the bytes before it */
	JsonPlace	place;			/* its closers are the array below */
	char		closers[JSON_LAYOUT_DEPTH + 1];
} JsonPoint;

#define JSON_LAYOUT_CHAINS 256

typedef struct JsonLayout
{
	JsonReaderAlloc alloc;
	JsonPoint  *point;			/* of the reader's place, if that is known */
	JsonEvent	event;			/* of the current token, */
	const char *token_end;		/* and its end */

	/* the stretch that is being learned, in the current window; or NULL */
	const char *learning;
	JsonStretch **learning_way;

	/* what was learned */
	JsonPoint  *chains[JSON_LAYOUT_CHAINS];
	char	   *room;			/* in the current block of memory */
	size_t		room_left;
	size_t		used;
	size_t		misses;
	size_t		hits;
} JsonLayout;

extern JsonLayout *json_layout_create(JsonReaderAlloc alloc);

/*
 * The reader is at a token that changes more than its place, at "p" in a row
 * that begins at "row".  Ends the stretch that is being learned, and finds the
 * point.
 */
extern void json_layout_arrive(JsonLayout *layout, const JsonPlace *place,
							   const char *row, const char *p);

/* No stretch fits: the bytes that follow are learned. */
extern void json_layout_learn(JsonLayout *layout, JsonStretch **way);

/* The window moves or the row ends: forgets the reader's place. */
static inline void
json_layout_leave(JsonLayout *layout)
{
	layout->point = NULL;
	layout->learning = NULL;
}

/* The stretch of a way that the next bytes match, or NULL. */
static inline JsonStretch *
json_layout_match(JsonLayout *layout, JsonStretch **way, const char *p,
				  const char *end)
{
	JsonStretch **link;
	JsonStretch *stretch;

	for (link = way; (stretch = *link) != NULL; link = &stretch->next)
	{
		if ((size_t) (end - p) < stretch->length ||
			memcmp(p, stretch->bytes, stretch->length) != 0)
			continue;
		if (link != way)
		{
			*link = stretch->next;	/* to the front */
			stretch->next = *way;
			*way = stretch;
		}
		layout->hits++;
		return stretch;
	}
	return NULL;
}

/* Sets the reader's place to a point within the same containers. */
static inline void
json_layout_set_place(JsonPlace *place, const JsonPoint *point)
{
	place->state = point->place.state;
	place->on_path = point->place.on_path;
	place->depth = point->place.depth;
	place->shape_child = point->place.shape_child;
	place->want_child = point->place.want_child;
	memcpy(place->closers, point->closers, JSON_LAYOUT_DEPTH + 1);
}

/*
 * A token was read at a known point, and the reader is at "p", at most a comma
 * further.  Skips the next stretch if it has followed the token before.
 *
 * The reader's place need not be compared: it was at this point, and the same
 * kind of token followed, which leaves the same state.
 */
static inline const char *
json_layout_follow(JsonLayout *layout, JsonPlace *place, const char *p,
				   const char *end)
{
	JsonPoint  *point = layout->point;
	JsonStretch **way = &point->ways[layout->event];
	JsonStretch *stretch;

	layout->point = NULL;
	if (layout->event == JSON_EVENT_NONE ||
		(layout->event != JSON_EVENT_CLOSED && point->closer != 0))
		return p;
	stretch = json_layout_match(layout, way, layout->token_end, end);
	if (stretch == NULL)
	{
		json_layout_learn(layout, way);
		return p;
	}
	layout->point = stretch->end;
	json_layout_set_place(place, stretch->end);
	return layout->token_end + stretch->length;
}

#endif							/* HIBOB_READER_JSON_LAYOUT_H */
