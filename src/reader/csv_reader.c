/*
 * csv_reader.c
 *		A strict, resumable CSV reader that finds rows and wanted columns.
 *
 * Most of the time is spent on finding the end of a field.  Therefore 16 bytes
 * are compared at a time, and no value is built from a field: the reader notes
 * the place of each field, wanted or not, which costs less than a check.
 *
 * No byte of a row is read twice, with one exception: the header, and the first
 * rows if it has no comma, are read once for the delimiter and once more for
 * their fields.  The reader's state describes all bytes before the end of the
 * window, so that any piece makes progress and the result never depends on how
 * the document was cut.
 *
 * This file knows nothing of PostgreSQL, HTTP or HiBob.
 */
#include "reader/csv_reader.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LEAST_MAX_ROW 16		/* as in json_reader.c */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/*
 * HiBob documents the comma.  If two of the others are equally frequent, the
 * first one is used.
 */
static const char delimiters[] = {',', ';', '\t', '|'};

#define NDELIMITERS sizeof(delimiters)
#define COMMA 0

/* The number of rows that have to agree with a header that has no comma. */
#define SAMPLED_ROWS 3

/* What lies before the next byte. */
typedef enum ReaderState
{
	AT_START,					/* nothing, not even a byte order mark */
	AT_RECORD,					/* a whole record, or nothing but the mark */
	AT_RECORD_CR,				/* the same, and a CR that LF may follow */
	IN_HEADER,					/* a part of the header or of the first rows,
								 * while the delimiter is not known */
	AT_FIELD,					/* a delimiter, or the record's start */
	IN_FIELD,					/* a part of a field without quotes */
	IN_QUOTES,					/* a quote and a part of its field */
	AFTER_QUOTE,				/* a quote that closes, if none follows */
	AT_DEFECT					/* reading has ended */
} ReaderState;

typedef struct CsvSlot
{
	char	   *label;
	int			column;			/* or -1 */
	JsonSlice	value;
} CsvSlot;

struct CsvReader
{
	JsonReaderAlloc alloc;
	size_t		max_row;

	CsvSlot    *slots;
	int			nslots;
	int			slots_room;

	bool		has_header;
	char	  **labels;			/* CSV_MAX_COLUMNS */
	size_t		nlabels;
	char	   *text;			/* of the labels */
	size_t		text_room;

	/* the window; offsets are in it */
	const char *window;
	size_t		length;
	uint64_t	window_start;	/* where it lies in the document */
	size_t		position;		/* where to continue */
	size_t		row_start;		/* if in a record */

	ReaderState state;
	JsonResult	result;			/* why reading stops */
	bool		last;			/* no byte follows the window */
	char		delimiter;

	/* looking for the delimiter; counts are of the current record */
	size_t		counts[NDELIMITERS];
	size_t		header_counts[NDELIMITERS];
	bool		possible[NDELIMITERS];
	int			nsampled;		/* records, the header included */
	char		previous;		/* byte; LF at a record's start */
	bool		quoted;
	bool		may_quote;		/* the next quote is one that opens */

	/* the current record; offsets are relative to its start */
	bool		in_record;
	JsonSlice  *fields;			/* CSV_MAX_COLUMNS */
	size_t		nfields;		/* all, even if not noted */
	size_t		max_fields;		/* that are noted */
	size_t		field_start;
	uint8_t		flags;			/* of the current field */

	JsonDefect	defect;
	const char *where;			/* its place; the position follows from it */
};

/*
 * Defects
 *
 * A function that reads a part of the document returns the end of that part,
 * or NULL.  NULL means that reading stops; reader->result is the reason.
 */

static const char *
defect(CsvReader *reader, JsonDefectKind kind, const char *message,
	   const char *where)
{
	reader->result = JSON_BAD;
	reader->defect.kind = kind;
	reader->defect.message = message;
	reader->where = where;
	return NULL;
}

/* A record has no end within the largest size. */
static const char *
too_large(CsvReader *reader, const char *where)
{
	return defect(reader, JSON_DEFECT_ROW_SIZE, "larger than allowed", where);
}

/* A NUL byte, or UTF-16 by its byte order mark. */
static const char *
not_text(CsvReader *reader, const char *where)
{
	return defect(reader, JSON_DEFECT_SYNTAX, "not UTF-8 text", where);
}

/*
 * Bytes
 */

/*
 * Finds the next byte that is NUL or one of three others.  Returns "end" if
 * there is none.  The last bytes are compared one by one; without SSE2, all
 * are.
 */
static inline const char *
find_special(const char *p, const char *end, char a, char b, char c)
{
#ifdef __SSE2__
	const __m128i nuls = _mm_setzero_si128();
	const __m128i as = _mm_set1_epi8(a);
	const __m128i bs = _mm_set1_epi8(b);
	const __m128i cs = _mm_set1_epi8(c);

	while (end - p >= 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) (const void *) p);
		__m128i		special = _mm_cmpeq_epi8(bytes, nuls);
		unsigned int mask;

		special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, as));
		special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, bs));
		special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, cs));
		mask = (unsigned int) _mm_movemask_epi8(special);
		if (mask != 0)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#endif
	while (p < end && *p != '\0' && *p != a && *p != b && *p != c)
		p++;
	return p;
}

/* Normalises a label where it is.  Returns its new length. */
static size_t
normalise(char *label, size_t length)
{
	bool		space = false;
	size_t		n = 0;
	size_t		i;

	for (i = 0; i < length; i++)
	{
		if (label[i] == ' ' || (label[i] >= '\t' && label[i] <= '\r'))
		{
			space = (n > 0);
			continue;
		}
		if (space)
			label[n++] = ' ';
		space = false;
		label[n++] = label[i];
	}
	return n;
}

size_t
csv_unquote(const char *text, size_t length, char *out)
{
	size_t		n = 0;
	size_t		i;

	for (i = 0; i < length; i++)
	{
		out[n++] = text[i];
		if (text[i] == '"' && i + 1 < length && text[i + 1] == '"')
			i++;
	}
	return n;
}

/*
 * The header
 */

/* The n-th column with this label, or -1. */
static int
nth_column(const CsvReader *reader, const char *label, size_t length,
		   unsigned long n)
{
	size_t		i;

	for (i = 0; i < reader->nlabels; i++)
	{
		if (strncmp(reader->labels[i], label, length) == 0 &&
			reader->labels[i][length] == '\0' && --n == 0)
			return (int) i;
	}
	return -1;
}

/* The column that a wanted label stands for, or -1. */
static int
find_column(const CsvReader *reader, const char *label)
{
	int			column = nth_column(reader, label, strlen(label), 1);
	const char *hash = strrchr(label, '#');
	unsigned long n = 0;

	if (column >= 0 || hash == NULL)
		return column;
	if (strspn(hash + 1, "0123456789") == strlen(hash + 1) && hash[1] != '0')
		n = strtoul(hash + 1, NULL, 10);
	if (n < 2 && hash > label)
		return -1;
	return nth_column(reader, label, (size_t) (hash - label), n);
}

/*
 * Makes labels of the fields of a record of "size" bytes.  A header that is
 * read again needs no more memory.
 */
static void
take_labels(CsvReader *reader, size_t size)
{
	const char *record = reader->window + reader->row_start;
	const JsonSlice *field;
	char	   *label;
	size_t		length;
	size_t		i;

	if (reader->text_room < size + reader->nfields)
	{
		reader->text_room = size + reader->nfields;
		reader->text = reader->alloc(reader->text_room);
	}
	label = reader->text;
	for (i = 0; i < reader->nfields; i++)
	{
		field = &reader->fields[i];
		length = field->length;
		if (field->flags & CSV_DOUBLED_QUOTES)
			length = csv_unquote(record + field->start, length, label);
		else
			memcpy(label, record + field->start, length);
		length = normalise(label, length);
		label[length] = '\0';
		reader->labels[i] = label;
		label += length + 1;
	}
	reader->nlabels = reader->nfields;
}

/* The header is complete: finds the wanted columns. */
static bool
take_header(CsvReader *reader, size_t size)
{
	int			i;

	if (reader->nfields > CSV_MAX_COLUMNS)
	{
		defect(reader, JSON_DEFECT_SHAPE, "the header has too many columns",
			   reader->window + reader->row_start);
		return false;
	}
	take_labels(reader, size);
	for (i = 0; i < reader->nslots; i++)
		reader->slots[i].column = find_column(reader, reader->slots[i].label);
	reader->has_header = true;
	reader->max_fields = reader->nlabels;
	return true;
}

/*
 * Chooses the delimiter, having read up to "p", and goes back to the start of
 * the first record.
 */
static const char *
choose_delimiter(CsvReader *reader, const char *p)
{
	const char *start = reader->window + reader->row_start;
	size_t		chosen = COMMA;
	size_t		i;

	/* With a smaller window, this place would not have been reached. */
	if ((size_t) (p - start) >= reader->max_row)
		return too_large(reader, p);
	for (i = 0; i < NDELIMITERS; i++)
	{
		if (reader->possible[i] &&
			(chosen == COMMA ||
			 reader->header_counts[i] > reader->header_counts[chosen]))
			chosen = i;
	}
	reader->delimiter = delimiters[chosen];
	reader->state = AT_FIELD;
	return start;
}

/*
 * Compares the record that has ended with the header.  Returns whether more
 * than one delimiter is still possible.  A header with a comma is settled.
 */
static bool
sample_record(CsvReader *reader)
{
	bool		has_comma = (reader->counts[COMMA] > 0);
	bool		undecided = false;
	size_t		i;

	for (i = 0; i < NDELIMITERS; i++)
	{
		if (reader->nsampled == 0)
		{
			reader->header_counts[i] = reader->counts[i];
			reader->possible[i] &= (!has_comma && reader->counts[i] > 0);
		}
		else
			reader->possible[i] &=
				(reader->counts[i] == reader->header_counts[i]);
		undecided |= reader->possible[i];
		reader->counts[i] = 0;
	}
	reader->nsampled++;
	return undecided && reader->nsampled <= SAMPLED_ROWS;
}

/*
 * A delimiter with a blank beside it in the header is text: "Pros | cons" is a
 * label.
 */
static void
note_header_byte(CsvReader *reader, char byte)
{
	const char *before = memchr(delimiters, reader->previous, NDELIMITERS);
	const char *found = memchr(delimiters, byte, NDELIMITERS);

	if (before != NULL && byte == ' ')
		reader->possible[before - delimiters] = false;
	if (found != NULL && reader->previous == ' ')
		reader->possible[found - delimiters] = false;
}

/*
 * Counts the possible delimiters in the header and, unless that has a comma, in
 * the first rows.  As long as the delimiter is not known, a quote after any of
 * them opens a field.  So does a quote after one that has closed a field: both
 * are then a doubled quote.
 *
 * All these rows together may have the size of one row.  Their defects are
 * found when they are read.
 */
static const char *
scan_header(CsvReader *reader, const char *p, const char *end)
{
	const char *limit = reader->window + reader->row_start +
		reader->max_row - 1;
	const char *found;

	for (; p < end; p++)
	{
		if (reader->nsampled > 0 && (p >= limit || *p == '\0'))
			return choose_delimiter(reader, p);
		if (*p == '\0')
			return not_text(reader, p);
		if (!reader->quoted && (*p == '\n' || *p == '\r'))
		{
			if (reader->previous != '\n' && !sample_record(reader))
				return choose_delimiter(reader, p);
			reader->previous = '\n';
			reader->may_quote = true;
			continue;
		}
		if (*p == '"' && (reader->quoted || reader->may_quote))
		{
			reader->quoted = !reader->quoted;
			reader->may_quote = true;
			reader->previous = '"';
			continue;
		}
		if (reader->quoted)
			continue;
		if (reader->nsampled == 0)
			note_header_byte(reader, *p);
		found = memchr(delimiters, *p, NDELIMITERS);
		if (found != NULL)
			reader->counts[found - delimiters]++;
		reader->may_quote = (found != NULL);
		reader->previous = *p;
	}
	return p;
}

/* The document ends while the delimiter is looked for. */
static const char *
end_header(CsvReader *reader, const char *end)
{
	if (reader->nsampled == 0 ||
		(!reader->quoted && reader->previous != '\n'))
		sample_record(reader);
	return choose_delimiter(reader, end);
}

/*
 * Records
 */

static inline size_t
record_offset(const CsvReader *reader, const char *p)
{
	return (size_t) (p - reader->window) - reader->row_start;
}

/* Makes the record's fields the ones that csv_reader_slice() returns. */
static void
complete_row(CsvReader *reader)
{
	CsvSlot    *slot;
	int			i;

	for (i = 0; i < reader->nslots; i++)
	{
		slot = &reader->slots[i];
		if (slot->column < 0)
			continue;
		slot->value = reader->fields[slot->column];
		slot->value.start += reader->row_start;
	}
	reader->result = JSON_ROW;
}

/* Skips the line end at "p", unless that is the document's end. */
static inline const char *
leave_line(CsvReader *reader, const char *p, const char *end)
{
	reader->state = (p < end && *p == '\r') ? AT_RECORD_CR : AT_RECORD;
	return (p < end) ? p + 1 : p;
}

/*
 * The record ends before "p".  Reading stops at a row, before its bytes can be
 * dropped.
 */
static const char *
end_record(CsvReader *reader, const char *p, const char *end)
{
	size_t		size = record_offset(reader, p);

	if (size >= reader->max_row)
		return too_large(reader, p);
	if (!reader->has_header)
	{
		if (!take_header(reader, size))
			return NULL;
	}
	else if (reader->nfields == reader->nlabels)
		complete_row(reader);
	else
		return defect(reader, JSON_DEFECT_SHAPE,
					  "a row and the header have different numbers of fields",
					  reader->window + reader->row_start);
	reader->in_record = false;
	reader->nfields = 0;
	p = leave_line(reader, p, end);
	reader->position = (size_t) (p - reader->window);
	return (reader->result == JSON_ROW) ? NULL : p;
}

/* Begins a record at "p", or skips an empty line. */
static inline const char *
begin_record(CsvReader *reader, const char *p, const char *end)
{
	if ((*p == '\n' || *p == '\r') && reader->nlabels != 1)
		return leave_line(reader, p, end);
	reader->in_record = true;
	reader->row_start = (size_t) (p - reader->window);
	reader->state = reader->has_header ? AT_FIELD : IN_HEADER;
	return p;
}

/*
 * Fields
 */

/*
 * Notes a field whose text ends before "text_end"; a field too many is only
 * counted.  At "p" is a delimiter or the record's end.
 */
static inline const char *
end_field(CsvReader *reader, JsonKind kind, const char *text_end,
		  const char *p, const char *end)
{
	JsonSlice  *field;

	if (reader->nfields < reader->max_fields)
	{
		field = &reader->fields[reader->nfields];
		field->start = reader->field_start;
		field->length = record_offset(reader, text_end) - reader->field_start;
		field->kind = (uint8_t) kind;
		field->flags = reader->flags;
	}
	reader->nfields++;
	if (p == end || *p == '\n' || *p == '\r')
		return end_record(reader, p, end);
	reader->state = AT_FIELD;
	return p + 1;
}

/* A field without quotes ends before "p". */
static inline const char *
end_plain(CsvReader *reader, const char *p, const char *end)
{
	bool		empty = (record_offset(reader, p) == reader->field_start);

	return end_field(reader, empty ? JSON_NULL : JSON_STRING, p, p, end);
}

/* Quotes within such a field are ordinary characters. */
static inline const char *
read_plain(CsvReader *reader, const char *p, const char *end)
{
	p = find_special(p, end, reader->delimiter, '\n', '\r');
	if (p == end)
		return p;
	if (*p == '\0')
		return not_text(reader, p);
	return end_plain(reader, p, end);
}

/* A quoted field ends with the quote before "p", unless that is doubled. */
static inline const char *
end_quoted(CsvReader *reader, const char *p, const char *end)
{
	if (p < end && *p == '"')
	{
		reader->flags |= CSV_DOUBLED_QUOTES;
		reader->state = IN_QUOTES;
		return p + 1;
	}
	if (p < end && *p == '\0')
		return not_text(reader, p);
	if (p < end && *p != reader->delimiter && *p != '\n' && *p != '\r')
		return defect(reader, JSON_DEFECT_SYNTAX, "expected a delimiter", p);
	return end_field(reader, JSON_STRING, p - 1, p, end);
}

static inline const char *
read_quoted(CsvReader *reader, const char *p, const char *end)
{
	p = find_special(p, end, '"', '"', '"');
	if (p == end)
		return p;
	if (*p == '\0')
		return not_text(reader, p);
	reader->state = AFTER_QUOTE;
	return p + 1;
}

static inline const char *
read_field(CsvReader *reader, const char *p, const char *end)
{
	reader->flags = 0;
	if (*p == '"')
	{
		reader->field_start = record_offset(reader, p + 1);
		reader->state = IN_QUOTES;
		return read_quoted(reader, p + 1, end);
	}
	reader->field_start = record_offset(reader, p);
	reader->state = IN_FIELD;
	return read_plain(reader, p, end);
}

/*
 * The document
 */

/* Skips a byte order mark, or stops until there are enough bytes to decide. */
static const char *
read_start(CsvReader *reader, const char *p, const char *end)
{
	const size_t length = strlen(BYTE_ORDER_MARK);
	size_t		n = (size_t) (end - p) < length ? (size_t) (end - p) : length;

	if (*p == '\xff' || *p == '\xfe')
		return not_text(reader, p);
	if (memcmp(p, BYTE_ORDER_MARK, n) == 0)
	{
		if (n < length && !reader->last)
			return NULL;
		if (n == length)
			p += length;
	}
	reader->state = AT_RECORD;
	return p;
}

/* Continues at "p", which is not the window's end. */
static inline const char *
read_next(CsvReader *reader, const char *p, const char *end)
{
	switch (reader->state)
	{
		case AT_START:
			return read_start(reader, p, end);
		case AT_RECORD:
			return begin_record(reader, p, end);
		case AT_RECORD_CR:
			reader->state = AT_RECORD;
			return (*p == '\n') ? p + 1 : p;
		case IN_HEADER:
			return scan_header(reader, p, end);
		case AT_FIELD:
			return read_field(reader, p, end);
		case IN_FIELD:
			return read_plain(reader, p, end);
		case IN_QUOTES:
			return read_quoted(reader, p, end);
		case AFTER_QUOTE:
			return end_quoted(reader, p, end);
		case AT_DEFECT:
			break;
	}
	return NULL;
}

/* Reads the end of the document, which also ends a field and a record. */
static const char *
read_end(CsvReader *reader, const char *end)
{
	switch (reader->state)
	{
		case IN_HEADER:
			return end_header(reader, end);
		case AT_FIELD:
			reader->flags = 0;
			reader->field_start = record_offset(reader, end);
			return end_plain(reader, end, end);
		case IN_FIELD:
			return end_plain(reader, end, end);
		case IN_QUOTES:
			return defect(reader, JSON_DEFECT_TRUNCATED,
						  "ends inside a quoted field", end);
		case AFTER_QUOTE:
			return end_quoted(reader, end, end);
		default:
			break;
	}
	if (!reader->has_header)
		return defect(reader, JSON_DEFECT_TRUNCATED, "has no header", end);
	reader->result = JSON_END;
	return NULL;
}

/*
 * Reading stops.
 *
 * A record is too large as soon as max_row bytes of it were read without its
 * end.  Bytes after those do not matter, so that the result does not depend on
 * the size of the window.
 */
static JsonResult
stop_reading(CsvReader *reader)
{
	const char *start = reader->window + csv_reader_keep_from(reader);
	const char *end = reader->window + reader->length;

	if (reader->result == JSON_ROW || reader->result == JSON_END)
		return reader->result;
	if (reader->result == JSON_MORE)
	{
		if ((size_t) (end - start) < reader->max_row)
			return JSON_MORE;
		reader->where = end;
	}
	if ((size_t) (reader->where - start) >= reader->max_row)
		too_large(reader, start);
	reader->defect.position = reader->window_start +
		(uint64_t) (reader->where - reader->window);
	reader->state = AT_DEFECT;
	return JSON_BAD;
}

/*
 * Reads field after field.  The window is at a new address each time, so only
 * offsets are kept between two calls.
 */
JsonResult
csv_reader_next(CsvReader *reader, const char *window, size_t length,
				bool last)
{
	const char *p;
	const char *end;

	if (reader->state == AT_DEFECT)
		return JSON_BAD;
	reader->window = (length > 0) ? window : "";
	reader->length = length;
	reader->last = last;
	reader->result = JSON_MORE;

	p = reader->window + reader->position;
	end = reader->window + length;
	while (p != NULL && (p < end || last))
	{
		reader->position = (size_t) (p - reader->window);
		p = (p < end) ? read_next(reader, p, end) : read_end(reader, end);
	}
	if (p != NULL)
		reader->position = length;
	return stop_reading(reader);
}

/*
 * The window
 */

/* A record is kept as a whole, since its slices have to be in one window. */
size_t
csv_reader_keep_from(const CsvReader *reader)
{
	return reader->in_record ? reader->row_start : reader->position;
}

void
csv_reader_dropped(CsvReader *reader, size_t bytes)
{
	reader->window_start += bytes;
	reader->position -= bytes;
	if (reader->in_record)
		reader->row_start -= bytes;
}

/*
 * What to look for
 */

CsvReader *
csv_reader_create(size_t max_row, JsonReaderAlloc alloc)
{
	CsvReader  *reader = alloc(sizeof(CsvReader));

	reader->alloc = alloc;
	reader->max_row = (max_row > LEAST_MAX_ROW) ? max_row : LEAST_MAX_ROW;
	reader->fields = alloc(CSV_MAX_COLUMNS * sizeof(*reader->fields));
	reader->labels = alloc(CSV_MAX_COLUMNS * sizeof(*reader->labels));
	csv_reader_restart(reader);
	return reader;
}

int
csv_reader_want(CsvReader *reader, const char *label)
{
	size_t		length = strlen(label);
	char	   *copy = reader->alloc(length + 1);
	CsvSlot    *slots = reader->slots;
	int			i;

	memcpy(copy, label, length);
	copy[normalise(copy, length)] = '\0';
	for (i = 0; i < reader->nslots; i++)
	{
		if (strcmp(slots[i].label, copy) == 0)
			return i;
	}
	if (reader->nslots == reader->slots_room)
	{
		reader->slots_room = reader->nslots * 2 + 16;
		slots = reader->alloc((size_t) reader->slots_room * sizeof(*slots));
		if (reader->nslots > 0)
			memcpy(slots, reader->slots,
				   (size_t) reader->nslots * sizeof(*slots));
		reader->slots = slots;
	}
	slots[reader->nslots].label = copy;
	slots[reader->nslots].column = -1;
	return reader->nslots++;
}

void
csv_reader_restart(CsvReader *reader)
{
	int			i;

	for (i = 0; i < reader->nslots; i++)
	{
		reader->slots[i].column = -1;
		memset(&reader->slots[i].value, 0, sizeof(JsonSlice));
	}
	reader->has_header = false;
	reader->nlabels = 0;
	reader->window_start = 0;
	reader->position = 0;
	reader->state = AT_START;
	memset(reader->counts, 0, sizeof(reader->counts));
	memset(reader->possible, true, sizeof(reader->possible));
	reader->nsampled = 0;
	reader->previous = '\n';
	reader->quoted = false;
	reader->may_quote = true;
	reader->in_record = false;
	reader->nfields = 0;
	reader->max_fields = CSV_MAX_COLUMNS;
}

/*
 * What was found
 */

const JsonSlice *
csv_reader_slice(const CsvReader *reader, int slot)
{
	return &reader->slots[slot].value;
}

bool
csv_reader_has_header(const CsvReader *reader)
{
	return reader->has_header;
}

int
csv_reader_nlabels(const CsvReader *reader)
{
	return (int) reader->nlabels;
}

const char *
csv_reader_label(const CsvReader *reader, int index)
{
	return reader->labels[index];
}

bool
csv_reader_has_label(const CsvReader *reader, int slot)
{
	return reader->slots[slot].column >= 0;
}

const JsonDefect *
csv_reader_defect(const CsvReader *reader)
{
	return &reader->defect;
}
