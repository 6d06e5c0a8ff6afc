/*
 * json_reader_fuzz.c
 *		A libFuzzer harness of the JSON reader.
 *
 * The first bytes of the input choose the shape, the limits and the cuts; the
 * rest is the document.  It is read
 *
 *	- as a whole, by a reader that read a part of it before and was restarted;
 *	- in pieces, where bytes that are no longer needed are dropped;
 *	- without patterns for values outside of rows;
 *	- up to some byte, as if the document ended there,
 *
 * and by json_reference.c and json_rows.c, which have no pieces and no limit on
 * rows.  All of them have to find the same rows with the same values in them and
 * around them, and the same end or the same kind of defect at the same position.
 * A truncated document is never complete, unless only white space is missing.
 */
#include "reader/json_reader.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json_rows.h"

#define HEAD 8					/* bytes that are not the document */
#define NWANTS 27
#define MAX_KEYS 60			/* of a want */
#define NOUTSIDES 16
#define MAX_SIZE 65536
#define NO_LIMIT (16 * 1024 * 1024)

typedef struct Event
{
	JsonResult	result;
	uint64_t	start[NWANTS];	/* in the document */
	JsonSlice	slices[NWANTS];
	JsonDefect	defect;
	uint64_t	outsides;		/* a hash */
	uint64_t	times;			/* a sum */
} Event;

typedef struct Log
{
	Event	   *events;
	size_t		nevents;
	bool		present[NWANTS];
} Log;

/* How much of the events is compared, in this order. */
typedef enum Extent
{
	ROWS = offsetof(Event, outsides),
	OUTSIDES = offsetof(Event, times),
	ALL = sizeof(Event)
} Extent;

/* How a document is read. */
typedef struct Way
{
	const uint8_t *head;
	bool		whole;
	bool		with_outsides;
	bool		restarted;
} Way;

typedef struct Subject
{
	JsonReader *reader;
	size_t		max_row;
	int			slots[NWANTS];
	int			outsides[NOUTSIDES];
	int			noutsides;
	size_t		allocated;		/* before it has read anything */
} Subject;

/* HiBob's shapes, and some that are harder; corpus.py relies on the order. */
static const char *const employees[] = {"employees[]", NULL};
static const char *const employee[] = {"employees[]", "", NULL};
static const char *const groups[] = {
	"results[].values[]", "results[].values[].values[]", NULL
};
static const char *const top[] = {"[]", NULL};
static const char *const entries[] = {"e[]", "e[][]", NULL};
static const char *const object[] = {"", NULL};
static const char *const values[] = {"values[]", NULL};
static const char *const deep[] = {"a.e[]", "[][]", "a", "", NULL};
static const char *const either[] = {"[]", "e[]", NULL};
static const char *const *const shapes[] = {
	employees, employee, groups, top, entries, object, values, deep, either
};

/* '!' before values that are kept */
static const char *const outsides[NOUTSIDES] = {
	"a", "b", "b.c", "m.n", "m", "a.b", "[].i", "[][].a", "a.e.a", "!l",
	"results[].employeeId", "results[].i.a", "results[].values[].x",
	"!results[].restricted_columns", "response_metadata.next_cursor", "errors"
};

#define A4 "a", "a", "a", "a"

/* Some are as long as a column's path may be, and longer than is learned. */
static const char *const wants[NWANTS][MAX_KEYS + 1] = {
	{NULL},
	{"a", NULL},
	{"b", NULL},
	{"b", "c", NULL},
	{"b", "c", "a", NULL},
	{"\xc3\xa9", NULL},
	{"e", NULL},
	{"id", NULL},
	{"/root/email", "value", NULL},
	{"work", "title", NULL},
	{"humanReadable", "work", "title", NULL},
	{"a", "b", NULL},
	{A4, A4, A4, NULL},
	{A4, A4, A4, "a", NULL},
	{A4, A4, A4, "a", "a", NULL},
	{A4, A4, A4, A4, "b", NULL},
	{A4, A4, A4, A4, A4, A4, A4, A4, NULL},
	{A4, A4, A4, A4, A4, A4, A4, A4, A4, A4, A4, A4, A4, A4, A4, NULL},
	{"k0", NULL},
	{"k1", NULL},
	{"k2", NULL},
	{"k3", "k0", NULL},
	{"k3", "k1", NULL},
	{"k3", "k2", "k0", NULL},
	{"k4", "value", NULL},
	{"k5", "value", NULL},
	{"k5", NULL},
};

/*
 * The head of the input
 */

static const char *const *
shape_rows(const uint8_t *head)
{
	return shapes[head[0] % (sizeof(shapes) / sizeof(shapes[0]))];
}

static size_t
max_row(const uint8_t *head)
{
	return (head[1] & 1) ? NO_LIMIT : 16 + (size_t) head[1] / 2;
}

static int
max_depth(const uint8_t *head)
{
	return (head[2] & 1) ? 64 : head[2] / 2 % 8;
}

/* Up to where the document is read when it is cut off. */
static size_t
cut(const uint8_t *head, size_t size)
{
	return size == 0 ? 0 : ((size_t) head[6] << 8 | head[7]) % size;
}

/*
 * Logs
 */

static uint64_t
hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *p = bytes;
	size_t		i;

	for (i = 0; i < length; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t
hash_outside(uint64_t hash, uint8_t kind, uint8_t flags, const char *text,
			 size_t length)
{
	hash = hash_bytes(hash, &kind, sizeof(kind));
	hash = hash_bytes(hash, &flags, sizeof(flags));
	hash = hash_bytes(hash, &length, sizeof(length));
	return hash_bytes(hash, text, length);
}

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

/* Whether the first events of both are the same. */
static bool
same_events(const Log *one, const Log *other, size_t n, Extent extent)
{
	size_t		i;

	if (n > one->nevents || n > other->nevents)
		return false;
	for (i = 0; i < n; i++)
	{
		if (memcmp(&one->events[i], &other->events[i], extent) != 0)
			return false;
	}
	return true;
}

static bool
same_log(const Log *one, const Log *other, Extent extent)
{
	return one->nevents == other->nevents &&
		same_events(one, other, one->nevents, extent) &&
		memcmp(one->present, other->present, sizeof(one->present)) == 0;
}

static const Event *
last_event(const Log *log)
{
	return &log->events[log->nevents - 1];
}

static bool
is_too_large(const Event *event)
{
	return event->result == JSON_BAD &&
		   event->defect.kind == JSON_DEFECT_ROW_SIZE;
}

/*
 * The reader
 */

/* Creates a reader as the head says; slots are in the order of "wants". */
static Subject
make_subject(const Way *way)
{
	JsonShape	shape = {.rows = shape_rows(way->head),
					   .max_row = max_row(way->head),
					   .max_depth = max_depth(way->head)};
	Subject		subject = {.max_row = shape.max_row};
	int			i;
	int			n;

	subject.reader = json_reader_create(&shape, fuzz_alloc);
	for (i = 0; i < NWANTS; i++)
	{
		for (n = 0; wants[i][n] != NULL;)
			n++;
		subject.slots[i] = json_reader_want(subject.reader, wants[i], n);
		require(json_reader_want(subject.reader, wants[i], n) ==
				subject.slots[i]);
	}
	subject.noutsides = way->with_outsides ? NOUTSIDES : 0;
	for (i = 0; i < subject.noutsides; i++)
		subject.outsides[i] =
			(outsides[i][0] == '!')
				? json_reader_want_lasting(subject.reader, outsides[i] + 1)
				: json_reader_want_outside(subject.reader, outsides[i]);
	subject.allocated = fuzz_allocated();
	return subject;
}

static uint64_t
hash_outsides(const Subject *subject, JsonResult result)
{
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);
	const JsonOutside *found;
	int			i;

	for (i = 0; i < subject->noutsides; i++)
	{
		found = json_reader_outside(subject->reader, subject->outsides[i]);
		require((found->kind == JSON_ABSENT) == (found->text == NULL));
		require((found->kind == JSON_ABSENT) == (found->times == 0));
		require(found->kind == JSON_ABSENT || result != JSON_BAD);
		require(found->length <= subject->max_row);
		require(found->kind == JSON_STRING || found->flags == 0);
		require(found->text == NULL || found->text[found->length] == '\0');
		hash = hash_outside(hash, found->kind, found->flags, found->text,
							found->length);
	}
	return hash;
}

static void
log_event(Log *log, const Subject *subject, JsonResult result,
		  uint64_t window_start, size_t length)
{
	Event	   *event = add_event(log, result);
	const JsonSlice *slice;
	int			i;

	event->outsides = hash_outsides(subject, result);
	for (i = 0; i < subject->noutsides; i++)
		event->times += json_reader_outside(subject->reader,
											subject->outsides[i])->times;
	if (result == JSON_BAD)
		event->defect = *json_reader_defect(subject->reader);
	for (i = 0; result == JSON_ROW && i < NWANTS; i++)
	{
		slice = json_reader_slice(subject->reader, subject->slots[i]);
		event->slices[i] = *slice;
		if (slice->kind == JSON_ABSENT)
			continue;
		require(slice->start <= length);
		require(slice->length <= length - slice->start);
		require(slice->length <= subject->max_row);
		event->start[i] = window_start + slice->start;
		event->slices[i].start = 0;
	}
}

/* Continues to read in a window; returns the result. */
static JsonResult
read_window(Log *log, const Subject *subject, const uint8_t *document,
			size_t from, size_t to, bool last)
{
	char	   *window = fuzz_copy(document + from, to - from);
	JsonResult	result;

	while ((result = json_reader_next(subject->reader, window, to - from,
									  last)) == JSON_ROW)
		log_event(log, subject, result, from, to - from);
	if (result == JSON_BAD)
		require(json_reader_next(subject->reader, window, to - from, last) ==
				JSON_BAD);
	free(window);
	return result;
}

/* Reads a part of the document, and restarts. */
static void
read_and_restart(const Subject *subject, const Way *way,
				 const uint8_t *document, size_t size)
{
	static Log	log;

	log.nevents = 0;
	read_window(&log, subject, document, 0, cut(way->head, size), false);
	json_reader_restart(subject->reader);
}

/*
 * The buffers of values outside of rows have at most twice the size of the
 * largest value.  What a reader remembers of rows has its own limit.
 */
static void
check_memory(const Subject *subject, size_t size)
{
	size_t		most = size < subject->max_row ? size : subject->max_row;

	require(fuzz_allocated() - subject->allocated <=
			JSON_READER_LEARNED +
			(size_t) subject->noutsides * 4 * (most + 64));
}

/* Adds the end of the reading to the log. */
static void
log_end(Log *log, const Subject *subject, JsonResult result, size_t from,
		size_t to)
{
	int			i;

	log_event(log, subject, result, from, to - from);
	for (i = 0; i < NWANTS; i++)
		log->present[i] =
			json_reader_is_present(subject->reader, subject->slots[i]);
}

static void
read_document(Log *log, const Way *way, const uint8_t *document, size_t size)
{
	uint32_t	seed = (uint32_t) way->head[3] << 8 | way->head[4];
	Subject		subject = make_subject(way);
	JsonResult	result;
	size_t		from = 0;
	size_t		to = way->whole ? size : 0;
	size_t		piece;
	size_t		keep;
	bool		last = way->whole;

	log->nevents = 0;
	if (way->restarted)
		read_and_restart(&subject, way, document, size);
	while ((result = read_window(log, &subject, document, from, to, last)) ==
		   JSON_MORE)
	{
		require(!last);
		keep = json_reader_keep_from(subject.reader);
		require(keep <= to - from);
		require(to - from - keep < subject.max_row);
		if (fuzz_draw(&seed, 3) != 0)
		{
			json_reader_dropped(subject.reader, keep);
			from += keep;
		}
		last = (to == size);
		piece = fuzz_draw(&seed, way->head[5] % 64 + 1);
		to += (piece < size - to) ? piece : size - to;
		if (to == size && fuzz_draw(&seed, 1) == 0)
			last = true;
	}
	require(last || result == JSON_BAD);
	log_end(log, &subject, result, from, to);
	check_memory(&subject, size);
	fuzz_release();
}

/*
 * The reference
 */

static void
copy_value(Event *event, int number, const RefValue *value)
{
	if (value == NULL)
		return;
	event->slices[number] = value->slice;
	event->start[number] = value->slice.start;
	event->slices[number].start = 0;
}

/*
 * The value at a path of keys, or NULL; then "present" is whether the path ends
 * at a value that is no object.
 */
static const RefValue *
follow(const RefValue *value, const char *const *keys, bool *present)
{
	for (; *keys != NULL && value != NULL; keys++)
	{
		*present = (value->slice.kind != JSON_OBJECT);
		value = reference_member(value, *keys);
	}
	return value;
}

static void
note_outsides(Event *event, const RefSearch *search, const char *document)
{
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);
	const RefValue *value;
	int			i;

	for (i = 0; i < search->noutsides; i++)
	{
		value = search->found[i].value;
		if (value == NULL)
			hash = hash_outside(hash, JSON_ABSENT, 0, NULL, 0);
		else
			hash = hash_outside(hash, value->slice.kind, value->slice.flags,
								document + value->slice.start,
								value->slice.length);
		if (value != NULL)
			event->times += search->found[i].times;
	}
	event->outsides = hash;
}

/* The document that is being read. */
static const char *reference_document;

static void
take_row(RefSearch *search, const RefValue *row)
{
	Log		   *log = search->log;
	Event	   *event = add_event(log, JSON_ROW);
	const RefValue *value;
	bool		present;
	int			i;

	note_outsides(event, search, reference_document);
	for (i = 0; i < NWANTS; i++)
	{
		present = false;
		value = follow(row, wants[i], &present);
		copy_value(event, i, value);
		log->present[i] |= (value != NULL || present);
	}
}

static void
read_reference(Log *log, const uint8_t *head, const uint8_t *document,
			   size_t size)
{
	RefSearch	search = {.rows = shape_rows(head),
						.outsides = outsides,
						.noutsides = NOUTSIDES,
						.take_row = take_row,
						.log = log};
	Event	   *end;

	log->nevents = 0;
	memset(log->present, 0, sizeof(log->present));
	reference_document = (const char *) document;
	reference_search(&search,
					 reference_read(reference_document, size, max_depth(head)));
	end = add_event(log, search.result);
	note_outsides(end, &search, reference_document);
	if (search.result == JSON_BAD)
		end->defect = search.defect;
}

/*
 * A reader that found a row that is too large has found all rows before it, and
 * that row has more bytes than allowed.  Any other reader has found all rows.
 */
static void
compare_with_reference(Log *log, Log *reference, size_t limit, size_t size)
{
	Event	   *end = &log->events[log->nevents - 1];

	end->defect.message = NULL;
	if (is_too_large(end))
	{
		require(same_events(log, reference, log->nevents - 1, ALL));
		require(end->defect.position <= size);
		require(size - end->defect.position >= limit);
	}
	else
		require(same_log(log, reference, ALL));
}

/* Whether only white space follows. */
static bool
only_space(const uint8_t *bytes, size_t size)
{
	while (size > 0 && memchr(" \t\r\n", bytes[size - 1], 4) != NULL)
		size--;
	return size == 0;
}

/* A truncated document has the same rows before the cut. */
static void
compare_cut_off(const Log *log, const Log *part, bool complete)
{
	const Event *end = last_event(part);

	if (complete && last_event(log)->result == JSON_END)
		require(end->result == JSON_END);
	else
		require(end->result == JSON_BAD || last_event(log)->result == JSON_BAD);
	require(part->nevents <= log->nevents);
	require(same_events(log, part, part->nevents - 1, OUTSIDES));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Log	whole;
	static Log	pieces;
	static Log	rows_only;
	static Log	part;
	static Log	reference;
	const uint8_t *document = data + HEAD;
	size_t		part_size;

	if (size < HEAD || size > MAX_SIZE)
		return 0;
	size -= HEAD;
	part_size = cut(data, size);
	read_document(&whole, &(Way){data, true, true, true}, document, size);
	read_document(&pieces, &(Way){data, false, true, false}, document, size);
	read_document(&rows_only, &(Way){data, true, false, false}, document, size);
	read_document(&part, &(Way){data, false, true, false}, document, part_size);
	read_reference(&reference, data, document, size);

	require(same_events(&whole, &pieces, whole.nevents, OUTSIDES) &&
			whole.nevents == pieces.nevents);
	require(same_log(&pieces, &rows_only, ROWS) ||
			is_too_large(last_event(&pieces)));
	compare_cut_off(&whole, &part,
					only_space(document + part_size, size - part_size));
	compare_with_reference(&pieces, &reference, max_row(data), size);
	return 0;
}
