/*
 * json_reader_fuzz.c
 *		A libFuzzer harness: how a document is cut must make no difference.
 *
 * The first bytes of the input choose shape, limits and where to cut; the rest
 * is the document.  It is read whole and again in pieces, the bytes no longer
 * needed dropped in between.  Both must find the same rows with the same
 * slices, and the same end or the same defect at the same place.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc \
 *		test/fuzz/json_reader_fuzz.c src/json_reader.c src/json_scan.c
 */
#include "json_reader.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 6					/* bytes that are not the document */
#define NWANTS 8
#define MAX_EVENTS 65536

typedef struct Event
{
	JsonResult	result;
	uint64_t	start[NWANTS];	/* in the document */
	JsonSlice	slices[NWANTS];
	JsonDefect	defect;
} Event;

typedef struct Log
{
	Event	   *events;
	size_t		nevents;
	bool		carried[NWANTS];
} Log;

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const array_only[] = {"e[]", NULL};
static const char *const top[] = {"[]", NULL};
static const char *const groups[] = {"r[].v[]", "r[].v[].v[]", NULL};
static const char *const either[] = {"e[]", "", NULL};
static const char *const object[] = {"", NULL};
static const char *const deep[] = {"a.e[]", "[][]", "a", "", NULL};
static const char *const *const shapes[] = {
	array_only, top, groups, either, object, deep
};

static const char *const wants[NWANTS][3] = {
	{NULL},
	{"a", NULL},
	{"b", NULL},
	{"b", "c", NULL},
	{"b", "c", "a"},
	{"\xc3\xa9", NULL},
	{"e", NULL},
	{"name", "value", NULL}
};

static void *blocks[1024];
static int	nblocks;

static void *
fuzz_alloc(size_t size)
{
	void	   *block = calloc(1, size);

	if (block == NULL || nblocks == 1024)
		abort();
	blocks[nblocks++] = block;
	return block;
}

static void
require(bool fact)
{
	if (!fact)
		abort();
}

/* Sets up a reader as the input's head says; slots in the order of "wants". */
static JsonReader *
make_reader(const uint8_t *head, int *slots)
{
	JsonShape	shape;
	JsonReader *reader;
	int			i;
	int			n;

	shape.rows = shapes[head[0] % (sizeof(shapes) / sizeof(shapes[0]))];
	shape.max_row = (head[1] & 1) ? 4096 : 16 + head[1] / 2;
	shape.max_depth = (head[2] & 1) ? 64 : head[2] / 2 % 8;
	reader = json_reader_create(&shape, fuzz_alloc);
	for (i = 0; i < NWANTS; i++)
	{
		for (n = 0; n < 3 && wants[i][n] != NULL;)
			n++;
		slots[i] = json_reader_want(reader, wants[i], n);
	}
	return reader;
}

static void
log_event(Log *log, const JsonReader *reader, const int *slots,
		  JsonResult result, uint64_t window_start, size_t length)
{
	Event	   *event = &log->events[log->nevents++];
	int			i;

	require(log->nevents < MAX_EVENTS);
	memset(event, 0, sizeof(*event));
	event->result = result;
	if (result == JSON_BAD)
		event->defect = *json_reader_defect(reader);
	for (i = 0; result == JSON_ROW && i < NWANTS; i++)
	{
		event->slices[i] = *json_reader_slice(reader, slots[i]);
		if (event->slices[i].kind == JSON_ABSENT)
			continue;
		require(event->slices[i].start <= length);
		require(event->slices[i].length <= length - event->slices[i].start);
		event->start[i] = window_start + event->slices[i].start;
		event->slices[i].start = 0;
	}
}

/* Draws the length of the next piece. */
static size_t
draw_piece(uint32_t *seed, unsigned int longest)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 16) % (longest + 1);
}

static void
read_document(Log *log, const uint8_t *head, const uint8_t *document,
			  size_t size, bool whole)
{
	uint32_t	seed = (uint32_t) head[3] << 8 | head[4];
	int			slots[NWANTS];
	JsonReader *reader = make_reader(head, slots);
	JsonResult	result;
	size_t		from = 0;
	size_t		to = whole ? size : 0;
	size_t		piece;
	size_t		keep;
	char	   *window;
	bool		last = whole;

	do
	{
		window = malloc(to - from + 1);
		memcpy(window, document + from, to - from);
		window = realloc(window, to > from ? to - from : 1);
		while ((result = json_reader_next(reader, window, to - from,
										  last)) == JSON_ROW)
			log_event(log, reader, slots, result, from, to - from);
		free(window);
		if (result != JSON_MORE)
			break;

		require(!last);
		keep = json_reader_keep_from(reader);
		require(keep <= to - from);
		if (draw_piece(&seed, 3) != 0)
		{
			json_reader_dropped(reader, keep);
			from += keep;
		}
		last = (to == size);
		piece = draw_piece(&seed, head[5] % 64 + 1);
		to += (piece < size - to) ? piece : size - to;
		if (to == size && draw_piece(&seed, 1) == 0)
			last = true;
	} while (true);
	log_event(log, reader, slots, result, from, to - from);
	for (keep = 0; keep < NWANTS; keep++)
		log->carried[keep] = json_reader_carried(reader, slots[keep]);
	while (nblocks > 0)
		free(blocks[--nblocks]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Log	whole;
	static Log	pieces;

	if (size < HEAD || size > MAX_EVENTS)
		return 0;
	if (whole.events == NULL)
	{
		whole.events = malloc(MAX_EVENTS * sizeof(Event));
		pieces.events = malloc(MAX_EVENTS * sizeof(Event));
	}
	whole.nevents = 0;
	pieces.nevents = 0;
	read_document(&whole, data, data + HEAD, size - HEAD, true);
	read_document(&pieces, data, data + HEAD, size - HEAD, false);

	require(whole.nevents == pieces.nevents);
	require(memcmp(whole.events, pieces.events,
				   whole.nevents * sizeof(Event)) == 0);
	require(memcmp(whole.carried, pieces.carried, sizeof(whole.carried)) == 0);
	return 0;
}
