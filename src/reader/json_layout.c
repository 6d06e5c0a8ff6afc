/*
 * json_layout.c
 *		Learns the bytes between the values of rows.
 *
 * Like all of the reader, this file knows nothing of PostgreSQL and builds
 * alone.  It knows nothing of JSON either: it compares bytes and places.
 */
#include "reader/json_layout.h"

#define BLOCK (16 * 1024)
#define MAX_WAYS 8				/* after one point */
#define TAIL 24					/* bytes that distinguish points */

/*
 * Learning stops after this number of misses, unless there were as many hits.
 */
#define PATIENCE 4096

JsonLayout *
json_layout_create(JsonReaderAlloc alloc)
{
	JsonLayout *layout = alloc(sizeof(JsonLayout));

	layout->alloc = alloc;
	layout->used = sizeof(JsonLayout);
	return layout;
}

/*
 * Returns memory, which may not be zero, or NULL if the layout has reached its
 * limit or the size exceeds a block.
 */
static void *
take_memory(JsonLayout *layout, size_t size)
{
	void	   *memory;

	size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	if (layout->room_left < size)
	{
		if (size > BLOCK || layout->used + BLOCK > JSON_READER_LEARNED)
			return NULL;
		layout->room = layout->alloc(BLOCK);
		layout->room_left = BLOCK;
		layout->used += BLOCK;
	}
	memory = layout->room;
	layout->room += size;
	layout->room_left -= size;
	return memory;
}

static uint32_t
hash_bytes(const char *p, const char *end)
{
	uint32_t	hash = UINT32_C(2166136261);

	for (; p < end; p++)
		hash = (hash ^ (unsigned char) *p) * UINT32_C(16777619);
	return hash;
}

static bool
same_place(const JsonPlace *a, const JsonPlace *b)
{
	return a->state == b->state && a->depth == b->depth &&
		a->shape == b->shape && a->shape_depth == b->shape_depth &&
		a->shape_child == b->shape_child && a->want == b->want &&
		a->want_depth == b->want_depth && a->want_child == b->want_child &&
		memcmp(a->closers + 1, b->closers + 1, a->depth) == 0;
}

static JsonPoint *
make_point(JsonLayout *layout, const JsonPlace *place, char token,
		   uint32_t tail)
{
	JsonPoint **chain = &layout->chains[tail % JSON_LAYOUT_CHAINS];
	JsonPoint  *point = take_memory(layout, sizeof(JsonPoint));

	if (point == NULL)
		return NULL;
	point->place = *place;
	point->place.closers = point->closers;
	memcpy(point->closers, place->closers, place->depth + 1);
	point->closer = (token == '}' || token == ']') ? token : 0;
	point->closes_value = json_place_in_row(place) &&
		place->depth == place->want_depth &&
		place->depth != place->shape_depth && place->want->parent != NULL;
	point->want = json_place_want(place);
	point->shape = json_place_shape(place);
	point->tail = tail;
	point->neighbour = *chain;
	*chain = point;
	return point;
}

/*
 * The point at a place.  The place alone would be correct, but many points
 * have the same place, such as "value" in any object of a row: the bytes
 * before them predict what follows.
 */
static JsonPoint *
find_point(const JsonLayout *layout, const JsonPlace *place, uint32_t tail)
{
	JsonPoint  *point = layout->chains[tail % JSON_LAYOUT_CHAINS];

	while (point != NULL && (point->tail != tail ||
							 !same_place(&point->place, place)))
		point = point->neighbour;
	return point;
}

static void
add_stretch(JsonLayout *layout, JsonPoint *end, const char *p)
{
	size_t		length = (size_t) (p - layout->learning);
	JsonStretch *stretch = take_memory(layout,
									   offsetof(JsonStretch, bytes) + length);

	if (stretch == NULL)
		return;
	stretch->end = end;
	stretch->length = length;
	memcpy(stretch->bytes, layout->learning, length);
	stretch->next = *layout->learning_way;
	*layout->learning_way = stretch;
}

void
json_layout_arrive(JsonLayout *layout, const JsonPlace *place,
				   const char *row, const char *p)
{
	const char *tail = (p - row > TAIL) ? p - TAIL : row;
	uint32_t	hash = hash_bytes(tail, p);
	JsonPoint  *point;

	if (place->depth > JSON_LAYOUT_DEPTH)
	{
		json_layout_leave(layout);
		return;
	}
	point = find_point(layout, place, hash);
	if (point == NULL && (layout->learning != NULL || p == row))
		point = make_point(layout, place, *p, hash);
	if (point != NULL && layout->learning != NULL)
		add_stretch(layout, point, p);
	layout->learning = NULL;
	layout->point = point;
}

void
json_layout_learn(JsonLayout *layout, JsonStretch **way)
{
	JsonStretch *stretch;
	int			ways = 0;

	layout->misses++;
	for (stretch = *way; stretch != NULL; stretch = stretch->next)
		ways++;
	layout->learning = NULL;
	if (ways >= MAX_WAYS ||
		(layout->misses > PATIENCE && layout->misses > layout->hits))
		return;
	layout->learning = layout->token_end;
	layout->learning_way = way;
}
