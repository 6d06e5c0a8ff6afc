/*
 * csv_reference.c
 *		A CSV document as a table, read in the simplest way.
 */
#include "csv_reference.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define END (-1)				/* instead of a byte */

typedef struct Reading
{
	const char *text;
	size_t		size;
	size_t		at;				/* the next byte */
	int			delimiter;

	JsonSlice  *cells;			/* the largest possible number */
	size_t		ncells;
	const char **labels;		/* likewise */
	char	   *label_text;
	size_t		room;

	RefTable	table;
} Reading;

/*
 * Bytes
 */

static bool
bad_at(Reading *reading, JsonDefectKind kind, size_t position)
{
	reading->table.result = JSON_BAD;
	reading->table.defect.kind = kind;
	reading->table.defect.position = position;
	return false;
}

static int
byte_at(const Reading *reading, size_t at)
{
	return at < reading->size ? (unsigned char) reading->text[at] : END;
}

static bool
ends_line(int byte)
{
	return byte == END || byte == '\n' || byte == '\r';
}

/* Steps over one line end, of one byte or two. */
static void
skip_line_end(Reading *reading)
{
	if (byte_at(reading, reading->at) == '\r' &&
		byte_at(reading, reading->at + 1) == '\n')
		reading->at++;
	if (reading->at < reading->size)
		reading->at++;
}

/*
 * Records
 */

/* A quoted field, after the opening quote. */
static bool
read_quoted(Reading *reading, JsonSlice *cell)
{
	cell->kind = JSON_STRING;
	for (;; reading->at++)
	{
		int			byte = byte_at(reading, reading->at);

		if (byte == END)
			return bad_at(reading, JSON_DEFECT_TRUNCATED, reading->at);
		if (byte == '\0')
			return bad_at(reading, JSON_DEFECT_SYNTAX, reading->at);
		if (byte != '"')
			continue;
		if (byte_at(reading, reading->at + 1) != '"')
			break;
		cell->flags = CSV_DOUBLED_QUOTES;
		reading->at++;
	}
	cell->length = reading->at - cell->start;
	reading->at++;
	if (!ends_line(byte_at(reading, reading->at)) &&
		byte_at(reading, reading->at) != reading->delimiter)
		return bad_at(reading, JSON_DEFECT_SYNTAX, reading->at);
	return true;
}

static bool
read_plain(Reading *reading, JsonSlice *cell)
{
	int			byte;

	while (byte = byte_at(reading, reading->at),
		   !ends_line(byte) && byte != reading->delimiter)
	{
		if (byte == '\0')
			return bad_at(reading, JSON_DEFECT_SYNTAX, reading->at);
		reading->at++;
	}
	cell->length = reading->at - cell->start;
	cell->kind = cell->length > 0 ? JSON_STRING : JSON_NULL;
	return true;
}

/* Reads the cells of a record, and the line end. */
static bool
read_record(Reading *reading)
{
	for (;;)
	{
		JsonSlice  *cell = &reading->cells[reading->ncells++];
		bool		quoted = (byte_at(reading, reading->at) == '"');

		memset(cell, 0, sizeof(*cell));
		reading->at += quoted;
		cell->start = reading->at;
		if (!(quoted ? read_quoted(reading, cell) : read_plain(reading, cell)))
			return false;
		if (ends_line(byte_at(reading, reading->at)))
			break;
		reading->at++;
	}
	skip_line_end(reading);
	return true;
}

/*
 * The header
 */

/* The bytes outside of quotes of a record at "at", and its end. */
typedef struct Sample
{
	size_t		counts[4];		/* of each candidate */
	bool		spaced[4];		/* one has a blank next to it */
	bool		complete;		/* its quotes are closed */
	size_t		end;
	int			last;			/* the byte there */
} Sample;

static const char candidates[] = ",;\t|";

/*
 * A quote opens a field at the start of the record and after any candidate, and a
 * quote that follows a closing one opens the field again.
 */
static Sample
sample_record(const Reading *reading, size_t at, size_t limit)
{
	Sample		sample = {.complete = true};
	bool		may_open = true;
	int			before = '\n';
	int			byte;

	for (; (byte = byte_at(reading, at)) != END && byte != 0 && at < limit;
		 at++)
	{
		const char *candidate = strchr(candidates, byte);
		const char *last = before > 0 ? strchr(candidates, before) : NULL;

		if (sample.complete && ends_line(byte))
			break;
		if (byte == '"' && (!sample.complete || may_open))
		{
			sample.complete = !sample.complete;
			may_open = true;
			before = byte;
			continue;
		}
		if (!sample.complete)
			continue;
		if (candidate != NULL)
			sample.counts[candidate - candidates]++;
		if (candidate != NULL && before == ' ')
			sample.spaced[candidate - candidates] = true;
		if (last != NULL && byte == ' ')
			sample.spaced[last - candidates] = true;
		may_open = (candidate != NULL);
		before = byte;
	}
	sample.end = at;
	sample.last = (at < limit || byte == END) ? byte : '\0';
	return sample;
}

/*
 * A comma in the header is the delimiter.  Another delimiter has no blank next to
 * it in the header, and is as frequent in each of the first three rows, as long
 * as these and the header have fewer bytes than a row may have.
 */
static bool
find_delimiter(Reading *reading, size_t limit)
{
	Sample		header = sample_record(reading, reading->at, (size_t) -1);
	Sample		row = header;
	bool		possible[4];
	size_t		most = 0;
	int			rows = 0;
	int			i;

	if (header.last == '\0')
		return bad_at(reading, JSON_DEFECT_SYNTAX, header.end);
	for (i = 0; i < 4; i++)
		possible[i] = header.counts[i] > 0 && !header.spaced[i];
	while (rows < 3 && row.last != END && row.last != '\0')
	{
		size_t		start = row.end + 1;

		row = sample_record(reading, start, reading->at + limit - 1);
		if (row.last == '\0' || !row.complete || row.end == start)
			continue;
		for (i = 0; i < 4; i++)
			possible[i] &= (row.counts[i] == header.counts[i]);
		rows++;
	}
	reading->delimiter = ',';
	for (i = 1; i < 4 && header.counts[0] == 0; i++)
	{
		if (!possible[i] || header.counts[i] <= most)
			continue;
		reading->delimiter = candidates[i];
		most = header.counts[i];
	}
	return true;
}

static bool
is_space(char byte)
{
	return byte != '\0' && strchr(" \t\n\v\f\r", byte) != NULL;
}

/* Writes a label: quotes undoubled, white space as one blank, none at the ends. */
static char *
write_label(const char *text, const JsonSlice *cell, char *out)
{
	const char *start = out;
	size_t		i;

	for (i = 0; i < cell->length; i++)
	{
		char		byte = text[cell->start + i];

		if (byte == '"' && cell->flags != 0)
			i++;
		if (!is_space(byte))
			*out++ = byte;
		else if (out > start && out[-1] != ' ')
			*out++ = ' ';
	}
	if (out > start && out[-1] == ' ')
		out--;
	*out++ = '\0';
	return out;
}

static bool
read_header(Reading *reading, size_t limit)
{
	RefTable   *table = &reading->table;
	char	   *out = reading->label_text;
	size_t		start;
	size_t		i;

	while (reading->at < reading->size &&
		   ends_line(byte_at(reading, reading->at)))
		reading->at++;
	start = reading->at;
	if (start == reading->size)
		return bad_at(reading, JSON_DEFECT_TRUNCATED, start);
	if (!find_delimiter(reading, limit) || !read_record(reading))
		return false;
	if (reading->ncells > CSV_MAX_COLUMNS)
		return bad_at(reading, JSON_DEFECT_SHAPE, start);
	for (i = 0; i < reading->ncells; i++)
	{
		reading->labels[i] = out;
		out = write_label(reading->text, &reading->cells[i], out);
	}
	table->nlabels = reading->ncells;
	table->has_header = true;
	reading->ncells = 0;
	return true;
}

/*
 * The document
 */

static bool
read_row(Reading *reading)
{
	size_t		start = reading->at;
	size_t		before = reading->ncells;

	if (reading->table.nlabels > 1 && ends_line(byte_at(reading, start)))
	{
		skip_line_end(reading);
		return true;
	}
	if (!read_record(reading))
		return false;
	if (reading->ncells - before != reading->table.nlabels)
		return bad_at(reading, JSON_DEFECT_SHAPE, start);
	reading->table.nrows++;
	return true;
}

static bool
read_document(Reading *reading, size_t limit)
{
	int			first = byte_at(reading, 0);

	if (first == 0xff || first == 0xfe)
		return bad_at(reading, JSON_DEFECT_SYNTAX, 0);
	if (reading->size >= 3 && memcmp(reading->text, "\xef\xbb\xbf", 3) == 0)
		reading->at = 3;
	if (!read_header(reading, limit))
		return false;
	while (reading->at < reading->size)
	{
		if (!read_row(reading))
			return false;
	}
	return true;
}

/* Each cell, and each label with its NUL, needs at least one byte. */
static void
make_room(Reading *reading, size_t size)
{
	if (reading->room >= size + 2)
		return;
	reading->room = size + 2;
	free(reading->cells);
	free(reading->labels);
	free(reading->label_text);
	reading->cells = malloc(reading->room * sizeof(*reading->cells));
	reading->labels = malloc(reading->room * sizeof(*reading->labels));
	reading->label_text = malloc(reading->room);
	require(reading->cells != NULL && reading->labels != NULL &&
			reading->label_text != NULL);
}

const RefTable *
csv_reference_read(const char *text, size_t size, size_t limit)
{
	static Reading reading;

	make_room(&reading, size);
	reading.text = text;
	reading.size = size;
	reading.at = 0;
	reading.ncells = 0;
	memset(&reading.table, 0, sizeof(reading.table));
	reading.table.labels = reading.labels;
	reading.table.cells = reading.cells;
	reading.table.result = JSON_END;
	read_document(&reading, limit);
	return &reading.table;
}

/* The n-th column whose label is the first bytes, or -1. */
static int
nth_column(const RefTable *table, const char *label, size_t length,
		   unsigned long n)
{
	size_t		i;

	for (i = 0; i < table->nlabels; i++)
	{
		if (strlen(table->labels[i]) == length &&
			memcmp(table->labels[i], label, length) == 0 && n-- == 1)
			return (int) i;
	}
	return -1;
}

int
csv_reference_column(const RefTable *table, const char *label)
{
	int			column = nth_column(table, label, strlen(label), 1);
	const char *hash = strrchr(label, '#');

	if (column >= 0 || hash == NULL || hash[1] < '1' || hash[1] > '9' ||
		(hash > label && strcmp(hash, "#1") == 0))
		return column;
	return nth_column(table, label, (size_t) (hash - label),
					  strtoul(hash + 1, NULL, 10));
}
