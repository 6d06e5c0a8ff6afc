/*
 * json_reader_fuzz.c
 *		A libFuzzer harness: how a document is cut must make no difference.
 *
 * The first bytes of the input choose shape, limits and where to cut; the rest
 * is the document.  It is read whole and again in pieces, the bytes no longer
 * needed dropped in between.  Both must find the same rows with the same
 * slices and values outside, and the same end or the same defect at the same
 * place.  A third reader wants nothing outside of rows, which must make no
 * difference either, save that the others may have found a value too large.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc \
 *		test/fuzz/json_reader_fuzz.c src/json_reader.c src/json_tree.c \
 *		src/json_outside.c src/json_scan.c
 */
#include "json_reader.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 6					/* bytes that are not the document */
#define NWANTS 8
#define NOUTSIDES 12
#define MAX_EVENTS 65536

typedef struct Event
{
	JsonResult	result;
	uint64_t	start[NWANTS];	/* in the document */
	JsonSlice	slices[NWANTS];
	JsonDefect	defect;
	uint64_t	outsides;		/* a hash */
} Event;

typedef struct Log
{
	Event	   *events;
	size_t		nevents;
	bool		carried[NWANTS];
} Log;

typedef struct Wants
{
	int			slots[NWANTS];
	int			outsides[NOUTSIDES];
	int			noutsides;
} Wants;

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const array_only[] = {"e[]", NULL};
static const char *const top[] = {"[]", NULL};
static const char *const groups[] = {"r[].v[]", "r[].v[].v[]", NULL};
static const char *const either[] = {"e[]", "", NULL};
static const char *const object[] = {"", NULL};
static const char *const deep[] = {"a.e[]", "[][]", "a", "", NULL};
static const char *const nested[] = {"r[].v[]", NULL};
static const char *const *const shapes[] = {
	array_only, top, groups, either, object, deep, nested
};

static const char *const outside[NOUTSIDES] = {
	"a", "b", "b.c", "m.n", "m", "r[].i", "r[].i.a", "r[].v[].x",
	"a.b", "[].i", "[][].a", "a.e.a"
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

static size_t
max_row(const uint8_t *head)
{
	return (head[1] & 1) ? 4096 : 16 + head[1] / 2;
}

/* Sets up a reader as the input's head says; slots in the order of "wants". */
static JsonReader *
make_reader(const uint8_t *head, Wants *wanted, bool with_outsides)
{
	JsonShape	shape;
	JsonReader *reader;
	int			i;
	int			n;

	shape.rows = shapes[head[0] % (sizeof(shapes) / sizeof(shapes[0]))];
	shape.max_row = max_row(head);
	shape.max_depth = (head[2] & 1) ? 64 : head[2] / 2 % 8;
	reader = json_reader_create(&shape, fuzz_alloc);
	for (i = 0; i < NWANTS; i++)
	{
		for (n = 0; n < 3 && wants[i][n] != NULL;)
			n++;
		wanted->slots[i] = json_reader_want(reader, wants[i], n);
	}
	wanted->noutsides = with_outsides ? NOUTSIDES : 0;
	for (i = 0; i < wanted->noutsides; i++)
		wanted->outsides[i] = json_reader_want_outside(reader, outside[i]);
	return reader;
}

static uint64_t
hash_bytes(uint64_t hash, const char *bytes, size_t length)
{
	size_t		i;

	for (i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t
hash_outsides(const JsonReader *reader, const Wants *wanted, JsonResult result,
			  size_t max)
{
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);
	const JsonOutside *found;
	char		marks[2];
	int			i;

	for (i = 0; i < wanted->noutsides; i++)
	{
		found = json_reader_outside(reader, wanted->outsides[i]);
		require((found->kind == JSON_ABSENT) == (found->text == NULL));
		require(found->kind == JSON_ABSENT || result != JSON_BAD);
		require(found->length <= max);
		require(found->kind == JSON_STRING || found->flags == 0);
		marks[0] = (char) found->kind;
		marks[1] = (char) found->flags;
		hash = hash_bytes(hash, marks, sizeof(marks));
		if (found->text != NULL)
			hash = hash_bytes(hash, found->text, found->length + 1);
	}
	return hash;
}

static void
log_event(Log *log, const JsonReader *reader, const Wants *wanted,
		  JsonResult result, uint64_t window_start, size_t length, size_t max)
{
	Event	   *event = &log->events[log->nevents++];
	int			i;

	require(log->nevents < MAX_EVENTS);
	memset(event, 0, sizeof(*event));
	event->result = result;
	event->outsides = hash_outsides(reader, wanted, result, max);
	if (result == JSON_BAD)
		event->defect = *json_reader_defect(reader);
	for (i = 0; result == JSON_ROW && i < NWANTS; i++)
	{
		event->slices[i] = *json_reader_slice(reader, wanted->slots[i]);
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
			  size_t size, bool whole, bool with_outsides)
{
	uint32_t	seed = (uint32_t) head[3] << 8 | head[4];
	Wants		wanted;
	JsonReader *reader = make_reader(head, &wanted, with_outsides);
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
			log_event(log, reader, &wanted, result, from, to - from,
					  max_row(head));
		free(window);
		if (result != JSON_MORE)
			break;

		require(!last);
		keep = json_reader_keep_from(reader);
		require(keep <= to - from);
		require(to - from - keep < max_row(head));
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
	log_event(log, reader, &wanted, result, from, to - from, max_row(head));
	for (keep = 0; keep < NWANTS; keep++)
		log->carried[keep] = json_reader_carried(reader, wanted.slots[keep]);
	while (nblocks > 0)
		free(blocks[--nblocks]);
}

/* Whether both have found the same, values outside of rows aside if so said. */
static bool
same_log(Log *one, Log *other, bool with_outsides)
{
	size_t		i;

	for (i = 0; !with_outsides && i < one->nevents; i++)
		one->events[i].outsides = 0;
	for (i = 0; !with_outsides && i < other->nevents; i++)
		other->events[i].outsides = 0;
	return one->nevents == other->nevents &&
		memcmp(one->events, other->events,
			   one->nevents * sizeof(Event)) == 0 &&
		memcmp(one->carried, other->carried, sizeof(one->carried)) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Log	logs[3];
	const Event *end;
	int			i;

	if (size < HEAD || size > MAX_EVENTS)
		return 0;
	for (i = 0; i < 3; i++)
	{
		if (logs[i].events == NULL)
			logs[i].events = malloc(MAX_EVENTS * sizeof(Event));
		logs[i].nevents = 0;
		read_document(&logs[i], data, data + HEAD, size - HEAD, i != 1, i != 2);
	}
	require(same_log(&logs[0], &logs[1], true));
	end = &logs[0].events[logs[0].nevents - 1];
	require(same_log(&logs[0], &logs[2], false) ||
			(end->result == JSON_BAD &&
			 end->defect.kind == JSON_DEFECT_ROW_SIZE));
	return 0;
}
