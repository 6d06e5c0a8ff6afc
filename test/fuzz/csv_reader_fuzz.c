/*
 * csv_reader_fuzz.c
 *		A libFuzzer harness of the CSV reader.
 *
 * The first bytes of the input choose the limit and the cuts; the rest is the
 * document.  It is read
 *
 *	- as a whole, by a reader that read a part of it before and was restarted;
 *	- in pieces, where bytes that are no longer needed are dropped;
 *	- up to some byte, as if the document ended there,
 *
 * and by csv_reference.c, which has no pieces and no limit on rows.  All of them
 * have to find the same header and the same rows with the same values, and the
 * same end or the same kind of defect at the same position.  CSV does not show
 * where it ends, so a truncated document may be complete; but its rows have to
 * be the first rows of the document, except that the last row may be shorter.
 */
#include "reader/csv_reader.h"

#include <stdlib.h>
#include <string.h>

#include "csv_reference.h"
#include "fuzz.h"

#define HEAD 6					/* bytes that are not the document */
#define NWANTS 10
#define MAX_SIZE 65536
#define NO_LIMIT (16 * 1024 * 1024)

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
	size_t		nlabels;
	uint32_t	labels;			/* a hash of all of them */
	bool		has_label[NWANTS];
} Log;

/* How a document is read. */
typedef struct Way
{
	const uint8_t *head;
	bool		whole;
	bool		restarted;
} Way;

/* The meaning of normalized labels does not change. */
static const char *const wants[NWANTS] = {
	"a", "a#2", "b", "", " c  d\n", "e\"f", "#2", "id", "a#1", "b#02"
};
static const char *const labels[NWANTS] = {
	"a", "a#2", "b", "", "c d", "e\"f", "#2", "id", "a#1", "b#02"
};

static size_t
max_row(const uint8_t *head)
{
	return (head[0] & 1) ? NO_LIMIT : 16 + (size_t) head[0] / 2;
}

/* Up to where the document is read when it is cut off. */
static size_t
cut(const uint8_t *head, size_t size)
{
	return size == 0 ? 0 : ((size_t) head[4] << 8 | head[5]) % size;
}

/*
 * Logs
 */

static Event *
add_event(Log *log, JsonResult result)
{
	Event	   *event;

	if (log->events == NULL)
		log->events = malloc((MAX_SIZE + 1) * sizeof(Event));
	require(log->events != NULL && log->nevents <= MAX_SIZE);
	event = &log->events[log->nevents++];
	memset(event, 0, sizeof(*event));
	event->result = result;
	return event;
}

static void
hash_label(Log *log, const char *label)
{
	for (; *label != '\0'; label++)
		log->labels = log->labels * 31 + (unsigned char) *label;
	log->labels = log->labels * 31 + 1;
	log->nlabels++;
}

static bool
same_events(const Log *one, const Log *other, size_t n)
{
	return n <= one->nevents && n <= other->nevents &&
		memcmp(one->events, other->events, n * sizeof(Event)) == 0;
}

static bool
same_header(const Log *one, const Log *other)
{
	return one->has_header == other->has_header &&
		one->nlabels == other->nlabels && one->labels == other->labels &&
		memcmp(one->has_label, other->has_label,
			   sizeof(one->has_label)) == 0;
}

static bool
same_log(const Log *one, const Log *other)
{
	return one->nevents == other->nevents &&
		same_events(one, other, one->nevents) && same_header(one, other);
}

static const Event *
last_event(const Log *log)
{
	return &log->events[log->nevents - 1];
}

/*
 * The reader
 */

/* Resolves a quoted field in a buffer of exactly the documented size. */
static void
check_quotes(const JsonSlice *slice, const char *window)
{
	const char *text = window + slice->start;
	char	   *out = malloc(slice->length > 0 ? slice->length : 1);
	size_t		n = csv_unquote(text, slice->length, out);
	size_t		doubled = 0;
	size_t		i;

	if (slice->flags == CSV_DOUBLED_QUOTES)
	{
		for (i = 0; i < n; i++)
		{
			require(out[i] == text[i + doubled]);
			if (out[i] == '"')
				require(text[i + ++doubled] == '"');
		}
		require(doubled > 0);
	}
	else
		require(slice->flags == 0);
	if (slice->flags != 0 || memchr(text, '"', slice->length) == NULL)
		require(n + doubled == slice->length);
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
	Event	   *event = add_event(log, result);
	const JsonSlice *slice;
	int			i;

	if (result == JSON_BAD)
		event->defect = *csv_reader_defect(reader);
	for (i = 0; result == JSON_ROW && i < NWANTS; i++)
	{
		slice = csv_reader_slice(reader, i);
		require((slice->kind != JSON_ABSENT) ==
				csv_reader_has_label(reader, i));
		event->slices[i] = *slice;
		if (slice->kind == JSON_ABSENT)
			continue;
		check_slice(slice, window, length);
		event->start[i] = window_start + slice->start;
		event->slices[i].start = 0;
	}
}

static void
log_header(Log *log, const CsvReader *reader)
{
	int			i;

	log->has_header = csv_reader_has_header(reader);
	log->nlabels = 0;
	log->labels = 0;
	for (i = 0; i < csv_reader_nlabels(reader); i++)
		hash_label(log, csv_reader_label(reader, i));
	for (i = 0; i < NWANTS; i++)
		log->has_label[i] = csv_reader_has_label(reader, i);
}

/* Continues to read in a window; returns the result. */
static JsonResult
read_window(Log *log, CsvReader *reader, const uint8_t *document, size_t from,
			size_t to, bool last)
{
	char	   *window = fuzz_copy(document + from, to - from);
	JsonResult	result;

	while ((result = csv_reader_next(reader, window, to - from,
									 last)) == JSON_ROW)
		log_event(log, reader, result, window, from, to - from);
	if (result == JSON_BAD)
		require(csv_reader_next(reader, window, to - from, last) == JSON_BAD);
	free(window);
	return result;
}

static CsvReader *
make_reader(const Way *way, const uint8_t *document, size_t size)
{
	static Log	log;
	CsvReader  *reader = csv_reader_create(max_row(way->head), fuzz_alloc);
	int			i;

	for (i = 0; i < NWANTS; i++)
	{
		require(csv_reader_want(reader, wants[i]) == i);
		require(csv_reader_want(reader, labels[i]) == i);
	}
	if (way->restarted)
	{
		log.nevents = 0;
		read_window(&log, reader, document, 0, cut(way->head, size), false);
		csv_reader_restart(reader);
	}
	return reader;
}

static void
read_document(Log *log, const Way *way, const uint8_t *document, size_t size)
{
	uint32_t	seed = (uint32_t) way->head[1] << 8 | way->head[2];
	CsvReader  *reader = make_reader(way, document, size);
	JsonResult	result;
	size_t		from = 0;
	size_t		to = way->whole ? size : 0;
	size_t		piece;
	size_t		keep;
	bool		last = way->whole;

	log->nevents = 0;
	while ((result = read_window(log, reader, document, from, to,
								 last)) == JSON_MORE)
	{
		require(!last);
		keep = csv_reader_keep_from(reader);
		require(keep <= to - from);
		require(to - from - keep < max_row(way->head));
		if (fuzz_draw(&seed, 3) != 0)
		{
			csv_reader_dropped(reader, keep);
			from += keep;
		}
		last = (to == size);
		piece = fuzz_draw(&seed, way->head[3] % 64 + 1);
		to += (piece < size - to) ? piece : size - to;
		if (to == size && fuzz_draw(&seed, 1) == 0)
			last = true;
	}
	require(last || result == JSON_BAD);
	log_event(log, reader, result, NULL, from, to - from);
	log_header(log, reader);
	fuzz_release();
}

/*
 * The reference
 */

static void
add_row(Log *log, const RefTable *table, size_t row)
{
	Event	   *event = add_event(log, JSON_ROW);
	int			i;

	for (i = 0; i < NWANTS; i++)
	{
		int			column = csv_reference_column(table, labels[i]);

		if (column < 0)
			continue;
		event->slices[i] = table->cells[row * table->nlabels + (size_t) column];
		event->start[i] = event->slices[i].start;
		event->slices[i].start = 0;
	}
}

static void
read_reference(Log *log, const uint8_t *document, size_t size, size_t limit)
{
	const RefTable *table = csv_reference_read((const char *) document, size,
											   limit);
	Event	   *end;
	size_t		i;

	log->nevents = 0;
	for (i = 0; i < table->nrows; i++)
		add_row(log, table, i);
	end = add_event(log, table->result);
	if (table->result == JSON_BAD)
		end->defect = table->defect;

	log->has_header = table->has_header;
	log->nlabels = 0;
	log->labels = 0;
	for (i = 0; i < table->nlabels; i++)
		hash_label(log, table->labels[i]);
	for (i = 0; i < NWANTS; i++)
		log->has_label[i] = csv_reference_column(table, labels[i]) >= 0;
}

/*
 * A reader that found a row that is too large has found all rows before it, and
 * that row has more bytes than allowed.  Any other reader has found all rows.
 */
static void
compare_with_reference(Log *log, const Log *reference, size_t limit,
					   size_t size)
{
	Event	   *end = &log->events[log->nevents - 1];

	end->defect.message = NULL;
	if (end->result == JSON_BAD && end->defect.kind == JSON_DEFECT_ROW_SIZE)
	{
		require(same_events(log, reference, log->nevents - 1));
		require(end->defect.position <= size);
		require(size - end->defect.position >= limit);
	}
	else
		require(same_log(log, reference));
}

/* Truncated after a complete row: the first rows; otherwise all but the last. */
static void
compare_cut_off(const Log *log, const Log *part)
{
	size_t		rows = part->nevents - 1;

	if (rows > 0 && part->has_header && same_header(log, part))
		require(same_events(log, part, rows - 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Log	whole;
	static Log	pieces;
	static Log	part;
	static Log	reference;
	const uint8_t *document = data + HEAD;

	if (size < HEAD || size > MAX_SIZE)
		return 0;
	size -= HEAD;
	read_document(&whole, &(Way) {data, true, true}, document, size);
	read_document(&pieces, &(Way) {data, false, false}, document, size);
	read_document(&part, &(Way) {data, false, false}, document,
				  cut(data, size));
	read_reference(&reference, document, size, max_row(data));

	require(same_log(&whole, &pieces));
	compare_cut_off(&whole, &part);
	compare_with_reference(&pieces, &reference, max_row(data), size);
	require(last_event(&whole)->result != JSON_MORE);
	return 0;
}
