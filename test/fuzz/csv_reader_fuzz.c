/*
 * csv_reader_fuzz.c
 *		A libFuzzer harness: how a document is cut must make no difference.
 *
 * The first bytes of the input choose the limit and where to cut; the rest is
 * the document.  It is read whole and again in pieces, the bytes no longer
 * needed dropped in between.  Both must find the same header and the same rows
 * with the same slices, and the same end or the same defect at the same place.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc \
 *		test/fuzz/csv_reader_fuzz.c src/csv_reader.c
 *
 * and once more with -U__SSE2__.
 */
#include "csv_reader.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 5					/* bytes that are not the document */
#define NWANTS 6
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
	bool		has_header;
	int			nlabels;
	uint32_t	labels;			/* a hash of all of them */
	bool		has_label[NWANTS];
} Log;

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const wants[NWANTS] = {
	"a", "a#2", "b", "", " c  d\n", "e\"f"
};

static void *blocks[64];
static int	nblocks;

static void *
fuzz_alloc(size_t size)
{
	void	   *block = calloc(1, size);

	if (block == NULL || nblocks == 64)
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

/* Resolves a quoted field in exactly the room that it is promised to need. */
static void
check_quotes(const JsonSlice *slice, const char *window)
{
	const char *text = window + slice->start;
	char	   *out = malloc(slice->length > 0 ? slice->length : 1);
	size_t		quotes = 0;
	size_t		n = csv_unquote(text, slice->length, out);
	size_t		i;

	for (i = 0; i < slice->length; i++)
		quotes += (text[i] == '"');
	if (slice->flags == CSV_DOUBLED_QUOTES)
		require(quotes > 0 && quotes % 2 == 0 &&
				n == slice->length - quotes / 2);
	else
		require(slice->flags == 0);
	if (quotes == 0)
		require(n == slice->length && memcmp(out, text, n) == 0);
	free(out);
}

static void
check_slice(const JsonSlice *slice, const char *window, size_t length)
{
	require(slice->start <= length);
	require(slice->length <= length - slice->start);
	require(memchr(window + slice->start, '\0', slice->length) == NULL);
	if (slice->kind == JSON_STRING)
		check_quotes(slice, window);
	else
		require(slice->kind == JSON_NULL && slice->length == 0 &&
				slice->flags == 0);
}

static void
log_event(Log *log, const CsvReader *reader, JsonResult result,
		  const char *window, uint64_t window_start, size_t length)
{
	Event	   *event = &log->events[log->nevents++];
	int			i;

	require(log->nevents < MAX_EVENTS);
	memset(event, 0, sizeof(*event));
	event->result = result;
	if (result == JSON_BAD)
		event->defect = *csv_reader_defect(reader);
	for (i = 0; result == JSON_ROW && i < NWANTS; i++)
	{
		event->slices[i] = *csv_reader_slice(reader, i);
		require((event->slices[i].kind != JSON_ABSENT) ==
				csv_reader_has_label(reader, i));
		if (event->slices[i].kind == JSON_ABSENT)
			continue;
		check_slice(&event->slices[i], window, length);
		event->start[i] = window_start + event->slices[i].start;
		event->slices[i].start = 0;
	}
}

static void
log_header(Log *log, const CsvReader *reader)
{
	const char *label;
	int			i;

	log->has_header = csv_reader_has_header(reader);
	log->nlabels = csv_reader_nlabels(reader);
	log->labels = 0;
	for (i = 0; i < log->nlabels; i++)
	{
		for (label = csv_reader_label(reader, i); *label != '\0'; label++)
			log->labels = log->labels * 31 + (unsigned char) *label;
		log->labels = log->labels * 31 + 1;
	}
	for (i = 0; i < NWANTS; i++)
		log->has_label[i] = csv_reader_has_label(reader, i);
}

/* Draws the length of the next piece. */
static size_t
draw_piece(uint32_t *seed, unsigned int longest)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 16) % (longest + 1);
}

static CsvReader *
make_reader(size_t max_row)
{
	CsvReader  *reader = csv_reader_create(max_row, fuzz_alloc);
	int			i;

	for (i = 0; i < NWANTS; i++)
		require(csv_reader_want(reader, wants[i]) == i);
	return reader;
}

static void
read_document(Log *log, const uint8_t *head, const uint8_t *document,
			  size_t size, bool whole)
{
	uint32_t	seed = (uint32_t) head[1] << 8 | head[2];
	size_t		max_row = (head[0] & 1) ? 4096 : 16 + head[0] / 2;
	CsvReader  *reader = make_reader(max_row);
	JsonResult	result;
	size_t		from = 0;
	size_t		to = whole ? size : 0;
	size_t		piece;
	size_t		keep;
	char	   *window;
	bool		last = whole;

	do
	{
		window = malloc(to > from ? to - from : 1);
		memcpy(window, document + from, to - from);
		while ((result = csv_reader_next(reader, window, to - from,
										 last)) == JSON_ROW)
			log_event(log, reader, result, window, from, to - from);
		free(window);
		if (result != JSON_MORE)
			break;

		require(!last);
		keep = csv_reader_keep_from(reader);
		require(keep <= to - from && to - from - keep < max_row);
		if (draw_piece(&seed, 3) != 0)
		{
			csv_reader_dropped(reader, keep);
			from += keep;
		}
		last = (to == size);
		piece = draw_piece(&seed, head[3] % 64 + 1);
		to += (piece < size - to) ? piece : size - to;
		if (to == size && draw_piece(&seed, 1) == 0)
			last = true;
	} while (true);
	log_event(log, reader, result, NULL, from, to - from);
	log_header(log, reader);
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
	require(whole.has_header == pieces.has_header &&
			whole.nlabels == pieces.nlabels && whole.labels == pieces.labels);
	require(memcmp(whole.has_label, pieces.has_label,
				   sizeof(whole.has_label)) == 0);
	return 0;
}
