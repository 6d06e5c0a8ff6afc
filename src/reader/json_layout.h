/*
 * json_layout.h
 *		What rows look like between their values, learned from those before.
 *
 * Part of json_reader.c and of use to nothing else.  Rows of one answer repeat
 * their keys in the same order, so most of what stands between two values has
 * been read before.  What reading makes of bytes depends on nothing but where
 * it stands: the same bytes at the same place lead to the same place.  So a
 * stretch of them that was read once, token by token, need only be compared
 * when it comes again.
 *
 * A stretch begins behind a value and ends before the next one, and between
 * them the reader must have changed nothing but its place: it noted no value,
 * and began or ended no container on the way to one.  What is null, true or
 * false and not wanted belongs to a stretch like any bracket.
 *
 * Points are the places where a stretch ends, each with the stretches that have
 * followed its value so far.  All this is only a short cut: where nothing fits,
 * the reader reads on as if there were no layout, and what was read so becomes
 * the next stretch.
 */
#ifndef HIBOB_READER_JSON_LAYOUT_H
#define HIBOB_READER_JSON_LAYOUT_H

#include <string.h>

#include "reader/json_tree.h"

/* Places deeper than that are not learned. */
#define JSON_LAYOUT_DEPTH 15

/* Where a reader stands in a document: all that decides on the next token. */
typedef struct JsonPlace
{
	uint8_t		state;			/* what the grammar allows next */
	bool		on_the_way;		/* shape or want is the present container */
	size_t		depth;			/* containers around it */
	char	   *closers;		/* [1 .. depth]: what closes each */

	/*
	 * The innermost container on the way to the rows, and in a row the
	 * innermost one on the way to a wanted value, each with its depth.  Where
	 * one of them is the present container, the child is what its last key
	 * has led to.
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

/* Whether the present container is an array; at depth 0 there is none. */
static inline bool
json_place_in_array(const JsonPlace *place)
{
	return place->closers[place->depth] == ']';
}

/*
 * The node of the shape at which the next value lies, or NULL where the shape
 * knows nothing of it.
 */
static inline JsonNode *
json_place_shape(const JsonPlace *place)
{
	if (place->depth != place->shape_depth)
		return NULL;
	return json_place_in_array(place) ? place->shape->element :
		place->shape_child;
}

/* Likewise in the row.  No wanted path leads through an array. */
static inline JsonNode *
json_place_want(const JsonPlace *place)
{
	if (place->depth != place->want_depth || json_place_in_array(place))
		return NULL;
	return place->want_child;
}

/* Whether the next value changes anything but the reader's place. */
static inline bool
json_place_is_looked_for(const JsonPlace *place)
{
	return place->on_the_way && (json_place_want(place) != NULL ||
								 json_place_shape(place) != NULL);
}

/*
 * To be called after entering or leaving, so that the check for every key and
 * scalar is a single flag.
 */
static inline void
json_place_set_depth(JsonPlace *place, size_t depth)
{
	place->depth = depth;
	place->on_the_way = (depth == place->shape_depth ||
						 depth == place->want_depth);
}

/* What the token at a point has turned out to be. */
typedef enum JsonEvent
{
	JSON_EVENT_NONE,			/* none of the following */
	JSON_EVENT_SCALAR,
	JSON_EVENT_OBJECT,			/* an opening bracket */
	JSON_EVENT_ARRAY,
	JSON_EVENT_CLOSED,			/* a closing bracket */
	JSON_EVENTS
} JsonEvent;

typedef struct JsonStretch
{
	struct JsonStretch *next;	/* another one that may follow instead */
	struct JsonPoint *end;
	size_t		length;
	char		bytes[];
} JsonStretch;

typedef struct JsonPoint
{
	char		closer;			/* its token was that closing bracket; or 0 */
	bool		closes_value;	/* what it closed was a value of a row, no more */
	JsonNode   *want;			/* what its place stands for: see */
	JsonNode   *shape;			/* json_place_want(), json_place_shape() */
	JsonStretch *ways[JSON_EVENTS]; /* what may follow, the likely ones first */

	struct JsonPoint *neighbour;	/* next in its chain */
	uint32_t	tail;			/* a hash of the bytes before it */
	JsonPlace	place;			/* its closers are the array below */
	char		closers[JSON_LAYOUT_DEPTH + 1];
} JsonPoint;

#define JSON_LAYOUT_CHAINS 256

typedef struct JsonLayout
{
	JsonReaderAlloc alloc;
	JsonPoint  *point;			/* where the reader stands, if that is known */
	JsonEvent	event;			/* what the present token was so far, and */
	const char *behind;			/* its end */

	/* the stretch that is being learned, in the present window; or NULL */
	const char *learning;
	JsonStretch **learning_way;

	/* what was learned */
	JsonPoint  *chains[JSON_LAYOUT_CHAINS];
	char	   *room;			/* in the present block of memory */
	size_t		room_left;
	size_t		used;
	size_t		misses;
	size_t		hits;
} JsonLayout;

extern JsonLayout *json_layout_create(JsonReaderAlloc alloc);

/*
 * The reader reads a token for which more than its place changes, at "p" in a
 * row that has begun at "row".  Ends the stretch that was being learned, and
 * finds out which point this is.
 */
extern void json_layout_arrive(JsonLayout *layout, const JsonPlace *place,
							   const char *row, const char *p);

/* No stretch fits: what follows is learned. */
extern void json_layout_learn(JsonLayout *layout, JsonStretch **way);

/* The window moves, or a document ends: forgets where the reader stands. */
static inline void
json_layout_leave(JsonLayout *layout)
{
	layout->point = NULL;
	layout->learning = NULL;
}

/* The stretch of a way that comes next, or NULL. */
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

/* Puts the reader where a point is, in the same containers on the way. */
static inline void
json_layout_stand(JsonPlace *place, const JsonPoint *point)
{
	place->state = point->place.state;
	place->on_the_way = point->place.on_the_way;
	place->depth = point->place.depth;
	place->shape_child = point->place.shape_child;
	place->want_child = point->place.want_child;
	memcpy(place->closers, point->closers, JSON_LAYOUT_DEPTH + 1);
}

/*
 * A token was read at a known point, and the reader stands at "p", at most a
 * comma further.  Steps over the stretch that follows, if it is one that has
 * followed before.
 *
 * That the reader is where it was then needs no look: it was at this point,
 * and the same kind of token has followed, and has left the same state.
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
	stretch = json_layout_match(layout, way, layout->behind, end);
	if (stretch == NULL)
	{
		json_layout_learn(layout, way);
		return p;
	}
	layout->point = stretch->end;
	json_layout_stand(place, stretch->end);
	return layout->behind + stretch->length;
}

#endif							/* HIBOB_READER_JSON_LAYOUT_H */
