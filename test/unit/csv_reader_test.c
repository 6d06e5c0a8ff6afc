/*
 * csv_reader_test.c
 *		Unit tests of the CSV reader; prints TAP, needs no server.
 *
 * As in json_reader_test.c, each case has a document and a transcript.  The
 * document is read as a whole, byte by byte, in two pieces for each position of
 * the cut, and in random pieces, where bytes that are no longer needed are
 * dropped.  Each window is a new copy of exactly its size.
 */
#include "reader/csv_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_WANTS 16

typedef struct Case
{
	const char *name;
	const char *wants;			/* labels, separated by '/' */
	const char *document;
	const char *expected;		/* rows, end, [labels], wanted ones there */
} Case;

typedef struct Setup
{
	CsvReader  *reader;
	size_t		max_row;
	int			slots[MAX_WANTS];
	int			nslots;
} Setup;

/* How a document is cut: returns the length of the next piece of "left" bytes. */
typedef size_t (*Cutter) (size_t offset, size_t left);

static int	checks = 0;
static int	failures = 0;
static size_t cut_at;
static unsigned int seed = 1;
static void *blocks[4096];
static int	nblocks = 0;

static void
check(bool good, const char *name, const char *how, const char *got,
	  const char *expected)
{
	checks++;
	printf("%sok %d - %s, %s\n", good ? "" : "not ", checks, name, how);
	if (!good)
	{
		failures++;
		printf("#      got: %s\n# expected: %s\n", got, expected);
	}
}

static void *
test_alloc(size_t size)
{
	void	   *block = calloc(1, size);

	if (block == NULL || nblocks == 4096)
		abort();
	blocks[nblocks++] = block;
	return block;
}

static void
release_all(void)
{
	while (nblocks > 0)
		free(blocks[--nblocks]);
}

static unsigned int
draw(unsigned int below)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % below;
}

/*
 * Transcripts
 */

typedef struct Text
{
	char	   *bytes;
	size_t		length;
} Text;

static void
append(Text *text, const char *bytes, size_t length)
{
	text->bytes = realloc(text->bytes, text->length + length + 1);
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

static void
append_string(Text *text, const char *string)
{
	append(text, string, strlen(string));
}

static void
append_slice(Text *text, const JsonSlice *slice, const char *window)
{
	char		plain[4096];
	size_t		length;

	if (slice->kind == JSON_STRING)
	{
		append_string(text, "\"");
		if (slice->flags == CSV_DOUBLED_QUOTES)
		{
			length = csv_unquote(window + slice->start, slice->length, plain);
			append(text, plain, length);
		}
		else
			append(text, window + slice->start, slice->length);
		append_string(text, slice->flags == 0 ? "\"" :
					  slice->flags == CSV_DOUBLED_QUOTES ? "\"d" : "\"?");
		return;
	}
	append_string(text, slice->kind == JSON_ABSENT ? "-" :
				  slice->kind == JSON_NULL ? "null" : "?");
	if (slice->flags != 0 || slice->length != 0)
		append_string(text, "(stray)");
}

static void
append_row(Text *text, const Setup *setup, const char *window)
{
	int			i;

	append_string(text, "row");
	for (i = 0; i < setup->nslots; i++)
	{
		append_string(text, " ");
		append_slice(text, csv_reader_slice(setup->reader, setup->slots[i]),
					 window);
	}
	append_string(text, "; ");
}

static void
append_header(Text *text, const Setup *setup)
{
	int			i;

	if (!csv_reader_has_header(setup->reader))
		return;
	append_string(text, " [");
	for (i = 0; i < csv_reader_nlabels(setup->reader); i++)
	{
		append_string(text, i > 0 ? "/" : "");
		append_string(text, csv_reader_label(setup->reader, i));
	}
	append_string(text, "] ");
	for (i = 0; i < setup->nslots; i++)
		append_string(text, csv_reader_has_label(setup->reader,
												 setup->slots[i]) ? "+" : ".");
}

static void
append_end(Text *text, const Setup *setup, JsonResult result)
{
	static const char *const names[] = {
		"syntax", "depth", "size", "shape", "truncated"
	};
	const JsonDefect *defect = csv_reader_defect(setup->reader);
	char		buffer[64];

	if (result == JSON_END)
		append_string(text, "end");
	else
	{
		snprintf(buffer, sizeof(buffer), "%s@%llu", names[defect->kind],
				 (unsigned long long) defect->position);
		append_string(text, buffer);
		if (defect->message == NULL || defect->message[0] == '\0')
			append_string(text, " without a message");
	}
	append_header(text, setup);
}

/*
 * Reading
 */

static void
set_up(Setup *setup, const char *wants, size_t max_row)
{
	char	   *labels = strdup(wants);
	char	   *label;

	setup->reader = csv_reader_create(max_row, test_alloc);
	setup->max_row = (max_row < 16) ? 16 : max_row;
	setup->nslots = 0;
	for (label = strtok(labels, "/"); label != NULL; label = strtok(NULL, "/"))
	{
		setup->slots[setup->nslots] = csv_reader_want(setup->reader, label);
		setup->nslots++;
	}
	free(labels);
}

/*
 * Reads a document in the pieces that "cutter" returns.  Bytes that are no
 * longer needed are dropped at each JSON_MORE, but not always if "lazy".
 */
static char *
transcribe(const Setup *setup, const char *document, size_t length,
		   Cutter cutter, bool lazy)
{
	CsvReader  *reader = setup->reader;
	Text		text = {NULL, 0};
	JsonResult	result;
	size_t		from = 0;
	size_t		to = 0;
	size_t		drop;
	char	   *window;
	bool		last;

	csv_reader_restart(reader);
	append_string(&text, "");
	do
	{
		to += cutter(to, length - to);
		last = (to == length && !(lazy && draw(2) == 0));
		window = malloc(to - from + (to == from));
		memcpy(window, document + from, to - from);
		while ((result = csv_reader_next(reader, window, to - from,
										 last)) == JSON_ROW)
			append_row(&text, setup, window);
		free(window);
		if (result == JSON_MORE && last)
			append_string(&text, "more after the end");
		drop = csv_reader_keep_from(reader);
		if (result == JSON_MORE && to - from - drop >= setup->max_row)
			append_string(&text, "too much kept");
		if (result != JSON_BAD && !(lazy && draw(3) == 0))
		{
			csv_reader_dropped(reader, drop);
			from += drop;
		}
	} while (result == JSON_MORE && text.length < 100000);
	append_end(&text, setup, result);
	if (csv_reader_next(reader, "", 0, true) != result && result == JSON_BAD)
		append_string(&text, " but not for good");
	return text.bytes;
}

static size_t
cut_nowhere(size_t offset, size_t left)
{
	(void) offset;
	return left;
}

static size_t
cut_everywhere(size_t offset, size_t left)
{
	(void) offset;
	return left > 0;
}

static size_t
cut_once(size_t offset, size_t left)
{
	return offset < cut_at ? cut_at - offset : left;
}

static size_t
cut_anywhere(size_t offset, size_t left)
{
	size_t		piece = draw(draw(4) == 0 ? 40 : 5);

	(void) offset;
	return piece < left ? piece : left;
}

/* The first transcript that differs from the expected one, or the expected one. */
static char *
transcribe_often(const Setup *setup, const char *document, size_t length,
				 const char *expected, Cutter cutter, size_t times)
{
	char	   *got = NULL;
	size_t		i;

	for (i = 0; i < times; i++)
	{
		free(got);
		cut_at = i;
		got = transcribe(setup, document, length, cutter,
						 cutter == cut_anywhere);
		if (strcmp(got, expected) != 0)
			break;
	}
	return got;
}

static void
check_reading(const char *name, const Setup *setup, const char *document,
			  size_t length, const char *expected)
{
	static const struct
	{
		const char *how;
		Cutter		cutter;
		size_t		times;		/* 0: once for each position */
	}			ways[] = {
		{"whole", cut_nowhere, 1},
		{"byte by byte", cut_everywhere, 1},
		{"cut in two", cut_once, 0},
		{"in random pieces", cut_anywhere, 50}
	};
	size_t		i;
	size_t		times;
	char	   *got;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
	{
		times = ways[i].times > 0 ? ways[i].times : length + 1;
		got = transcribe_often(setup, document, length, expected,
							   ways[i].cutter, times);
		check(strcmp(got, expected) == 0, name, ways[i].how, got, expected);
		free(got);
	}
}

static void
run_cases(const Case *cases, size_t n, size_t max_row)
{
	Setup		setup;
	size_t		i;

	for (i = 0; i < n; i++)
	{
		set_up(&setup, cases[i].wants, max_row);
		check_reading(cases[i].name, &setup, cases[i].document,
					  strlen(cases[i].document), cases[i].expected);
		release_all();
	}
}

#define RUN(cases, max_row) \
	run_cases(cases, sizeof(cases) / sizeof((cases)[0]), max_row)

/*
 * The cases
 */

static const Case values[] = {
	{"a row", "a/b", "a,b\n1,2\n", "row \"1\" \"2\"; end [a/b] ++"},
	{"no line end", "a/b", "a,b\n1,2", "row \"1\" \"2\"; end [a/b] ++"},
	{"CRLF", "a/b", "a,b\r\n1,2\r\n3,4\r\n",
	"row \"1\" \"2\"; row \"3\" \"4\"; end [a/b] ++"},
	{"CR", "a/b", "a,b\r1,2\r3,4\r",
	"row \"1\" \"2\"; row \"3\" \"4\"; end [a/b] ++"},
	{"all line ends", "a", "a,b\r1,2\r\n3,4\n5,6\r",
	"row \"1\"; row \"3\"; row \"5\"; end [a/b] +"},
	{"byte order mark", "a", "\xef\xbb\xbf" "a,b\n1,2\n",
	"row \"1\"; end [a/b] +"},
	{"byte order mark before a quote", "a", "\xef\xbb\xbf\"a\",b\n1,2\n",
	"row \"1\"; end [a/b] +"},
	{"half a mark", "a", "\xef\xbb,a\n1,2\n", "row \"2\"; end [\xef\xbb/a] +"},
	{"nothing but half a mark", "a", "\xef\xbb", "end [\xef\xbb] ."},
	{"null and empty", "a/b/c", "a,b,c\n,\"\",x\nx,,\n,,",
		"row null \"\" \"x\"; row \"x\" null null; row null null null; "
	"end [a/b/c] +++"},
	{"quoted", "a/b", "a,b\n\"1\",\"2\"\n\"x,y\",\"x\ny\r\nz\"\n\"\",\"3\"",
		"row \"1\" \"2\"; row \"x,y\" \"x\ny\r\nz\"; row \"\" \"3\"; "
	"end [a/b] ++"},
	{"doubled quotes", "a/b", "a,b\n\"\"\"\",\"x\"\"y\"\n\"\"\"\"\"\",\"\"\"x\"\"\"\n",
		"row \"\"\"d \"x\"y\"d; row \"\"\"\"d \"\"x\"\"d; end [a/b] ++"},
	{"flags belong to one field", "a/b/c", "a,b,c\n\"\"\"\",x,\"y\"\n\"\"\"\",,",
	"row \"\"\"d \"x\" \"y\"; row \"\"\"d null null; end [a/b/c] +++"},
	{"flags end with the last field", "a/b", "a,b\n\"\"\"\",",
	"row \"\"\"d null; end [a/b] ++"},
	{"quotes in a plain field", "a/b", "a,b\n5\",x\"y\"\"z\" \n \"x\",2\n",
		"row \"5\"\" \"x\"y\"\"z\" \"; row \" \"x\"\" \"2\"; end [a/b] ++"},
	{"white space is kept", "a/b", "a,b\n x ,\t\n", "row \" x \" \"\t\"; end [a/b] ++"},
	{"bytes above ASCII", "\xc3\xa9/b", "\xc3\xa9,b\n\xf0\x9f\x98\x80\x7f,\xff\xfe\n",
	"row \"\xf0\x9f\x98\x80\x7f\" \"\xff\xfe\"; end [\xc3\xa9/b] ++"},
	{"long fields", "a/b", "a,b\n0123456789abcdef0123456789abcdef\"0123456789abcdef,"
		"\"0123456789abcdef0123456789abcdef,\n0123456789abcdef\"\"\"\n",
		"row \"0123456789abcdef0123456789abcdef\"0123456789abcdef\" "
	"\"0123456789abcdef0123456789abcdef,\n0123456789abcdef\"\"d; end [a/b] ++"},
	{"nothing wanted", "", "a,b\n1,2\n3,4\n", "row; row; end [a/b] "},
	{"slots are reset", "b/a", "a,b\n1,\n,2\n", "row null \"1\"; row \"2\" null; end [a/b] ++"},
	{"only a header", "a/c", "a,b\n", "end [a/b] +."},
	{"only a header, unfinished", "a/c", "a,b", "end [a/b] +."},
};

static const Case headers[] = {
	{"semicolon", "a/b", "a;b\n1,5;2\n", "row \"1,5\" \"2\"; end [a/b] ++"},
	{"tab", "a/b", "a\tb\n1\t2\n\t\n", "row \"1\" \"2\"; row null null; end [a/b] ++"},
	{"bar", "a/b", "a|b\n1|2\n", "row \"1\" \"2\"; end [a/b] ++"},
	{"a comma before any other", "Name", "Team; Squad; Tribe,Name\nx,y\n",
	"row \"y\"; end [Team; Squad; Tribe/Name] +"},
	{"a comma before more of another", "d", "a,b;c;d\n1;2;3\n",
	"shape@8 [a/b;c;d] ."},
	{"a delimiter beside a blank is text", "Pros | cons",
		"Pros | cons\ngood | bad\n", "row \"good | bad\"; end [Pros | cons] +"},
	{"... before it", "a |b", "a |b\n1|2\n", "row \"1|2\"; end [a |b] +"},
	{"... after it", "a; b;c", "a; b;c\n1;2;3\n", "row \"1;2;3\"; end [a; b;c] +"},
	{"... within quotes", "b", "\"a ; x\";b\n1;2\n", "row \"2\"; end [a ; x/b] +"},
	{"a row that does not agree", "a|b", "a|b\n1\n2|3\n",
	"row \"1\"; row \"2|3\"; end [a|b] +"},
	{"the third row does not agree", "a;b", "a;b\r\n\r\n1;2\r\n\r\n3;4\r\n5\r\n",
	"row null; row \"1;2\"; row null; row \"3;4\"; row \"5\"; end [a;b] +"},
	{"the fourth row does not agree", "b", "a;b\n1;2\n3;4\n5;6\n7\n",
	"row \"2\"; row \"4\"; row \"6\"; shape@16 [a/b] +"},
	{"rows decide between two", "a;b", "a;b|c\n1|2\n3|4\n",
	"row \"1\"; row \"3\"; end [a;b/c] +"},
	{"no rows", "b", "a;b", "end [a/b] +"},
	{"a row with line breaks", "b", "a;b\n\"1\n;\n\";2\n", "row \"2\"; end [a/b] +"},
	{"a row with an open quote", "b", "a;b\n1;2\n\"3;4\n", "row \"2\"; truncated@13 [a/b] +"},
	{"the first of two", "b;c", "a,b;c\n1,2\n", "row \"2\"; end [a/b;c] +"},
	{"tab before bar", "b|c", "a\tb|c\n1\t2\n", "row \"2\"; end [a/b|c] +"},
	{"semicolon before tab", "a", "a;b\tc\n1;2\n", "row \"1\"; end [a/b c] +"},
	{"not within quotes", "c", "\"a,b,\"\"c,,\"\"\";c\n1;2\n", "row \"2\"; end [a,b,\"c,,\"/c] +"},
	{"a quoted label last", "b,,,", "a;\"b,,,\"\n1;2", "row \"2\"; end [a/b,,,] +"},
	{"a quote inside a label", "b", "5\" a,b,c\n1,2,3", "row \"2\"; end [5\" a/b/c] +"},
	{"one column", "a", "a\n1\n\"2,3\"\n4;5|6\n",
	"row \"1\"; row \"2,3\"; row \"4;5|6\"; end [a] +"},
	{"one column, and a comma in a row", "a", "a\n1\n2,3\n", "row \"1\"; shape@4 [a] +"},
	{"one column, quoted", "a,b", "\"a,b\"\n\"1\"\n2;3|4\n", "row \"1\"; row \"2;3|4\"; end [a,b] +"},
	{"a label with a space after it", "a b/ c  /d/ x\n\ny ", "\"  a \r\n b\" ,\"\n c\t\"\n",
	"syntax@10"},
	{"labels with white space", "a b/ c  /d/ x\n\ny ",
		"\"  a \r\n b \",\"\n c\t\",  d \t ,\"x \n y\"\n1,2,3,4",
	"row \"1\" \"2\" \"3\" \"4\"; end [a b/c/d/x y] ++++"},
	{"labels with quotes", "a\"b/\"/\"c", "\"a\"\"b\",\"\"\"\",\"c\"\n1,2,3",
	"row \"1\" \"2\" -; end [a\"b/\"/c] ++."},
	{"empty labels", "b", ",\"\",b, \n1,2,3,4", "row \"3\"; end [//b/] +"},
	{"an empty quoted header", "a", "\"\"\n1\n", "row -; end [] ."},
	{"labels twice", "a/a#2/a#3/a#1/a#02/a#4/b#2/#2/a#2x", "a,b,a,a\n1,2,3,4",
	"row \"1\" \"3\" \"4\" - - - - - -; end [a/b/a/a] +++......"},
	{"a label that looks like a second one", "a/a#2/a#2#2", "a,a,a#2,a#2\n1,2,3,4",
	"row \"1\" \"3\" \"4\"; end [a/a/a#2/a#2] +++"},
	{"labels that begin alike", "ab/abc/a#2/ab#2", "abc,a,ab,ab,a\n1,2,3,4,5",
	"row \"3\" \"1\" \"5\" \"4\"; end [abc/a/ab/ab/a] ++++"},
	{"case counts", "A", "a,b\n1,2", "row -; end [a/b] ."},
	{"empty lines first", "a", "\n\r\n\ra,b\n1,2", "row \"1\"; end [a/b] +"},
	{"mark and empty lines first", "a", "\xef\xbb\xbf\r\n\"a\",b\n1,2", "row \"1\"; end [a/b] +"},
};

static const Case lines[] = {
	{"empty lines", "a", "a,b\n\n1,2\r\n\r\n\r\r3,4\n\n\n", "row \"1\"; row \"3\"; end [a/b] +"},
	{"empty lines of one column", "a", "a\n\n1\n\n\n2\n",
	"row null; row \"1\"; row null; row null; row \"2\"; end [a] +"},
	{"an empty last line of one column", "a", "a\n1\n\n", "row \"1\"; row null; end [a] +"},
	{"empty CRLF lines of one column", "a", "a\r\n\r\n1\r\n\r\n", "row null; row \"1\"; row null; end [a] +"},
	{"empty CR lines of one column", "a", "a\r\r1\r\r", "row null; row \"1\"; row null; end [a] +"},
	{"quoted empty last line", "a", "a\n\"\"", "row \"\"; end [a] +"},
	{"a blank line is no empty one", "a", "a,b\n \n", "shape@4 [a/b] +"},
};

static const Case defects[] = {
	{"nothing", "a", "", "truncated@0"},
	{"nothing but a mark", "a", "\xef\xbb\xbf", "truncated@3"},
	{"nothing but empty lines", "a", "\n\r\n", "truncated@3"},
	{"too few fields", "a", "a,b\n1,2\n1\n", "row \"1\"; shape@8 [a/b] +"},
	{"too many fields", "a", "a,b\n1,2,3\n", "shape@4 [a/b] +"},
	{"too many empty fields", "a", "a,b\n1,2,\n", "shape@4 [a/b] +"},
	{"another number at the end", "a", "a,b\n1,2\n1,2,3", "row \"1\"; shape@8 [a/b] +"},
	{"text after quotes", "a", "a,b\n\"1\"x,2\n", "syntax@7 [a/b] +"},
	{"a space after quotes", "a", "a,b\n\"1\" ,2\n", "syntax@7 [a/b] +"},
	{"another delimiter after quotes", "a", "a,b\n\"1\";2\n", "syntax@7 [a/b] +"},
	{"text after doubled quotes", "a", "a,b\n\"1\"\"\"x,2\n", "syntax@9 [a/b] +"},
	{"text after quotes in the header", "a", "\"a\"x,b\n1,2\n", "syntax@3"},
	{"an open quote", "a", "a,b\n1,2\n\"1,2\n3", "row \"1\"; truncated@14 [a/b] +"},
	{"an open quote after a doubled one", "a", "a,b\n1,\"2\"\"", "truncated@10 [a/b] +"},
	{"an open quote, empty", "a", "a,b\n1,\"", "truncated@7 [a/b] +"},
	{"an open quote in the header", "a", "a,\"b\n1,2\n", "truncated@9"},
	{"a field missing at the end", "a", "a,b\n1", "shape@4 [a/b] +"},
	{"UTF-16, little end first", "a", "\xff\xfe" "a", "syntax@0"},
	{"UTF-16, big end first", "a", "\xfe\xff", "syntax@0"},
};

/* Rows of at most 16 bytes, including line ends. */
static const Case limits[] = {
	{"as large as allowed", "a/b", "a,b\n0123456,9abcdef\nx,\n0123456,9abcde\n",
	"row \"0123456\" \"9abcdef\"; row \"x\" null; row \"0123456\" \"9abcde\"; end [a/b] ++"},
	{"as large as allowed, unfinished", "a", "a,b\n0123456,9abcdef", "row \"0123456\"; end [a/b] +"},
	{"too large", "a", "a,b\n0123456,9abcdefg\n", "size@4 [a/b] +"},
	{"too large, unfinished", "a", "a,b\n0123456,9abcdefg", "size@4 [a/b] +"},
	{"a second row too large", "a", "a,b\n1,2\n0123456,\"9abcdef\"\n", "row \"1\"; size@8 [a/b] +"},
	{"open, but too large before", "a", "a,b\n\"0123456789abcde", "size@4 [a/b] +"},
	{"open within what is allowed", "a", "a,b\n\"0123456789abcd", "truncated@19 [a/b] +"},
	{"broken within what is allowed", "a", "a,b\n0123456789a,\"\"x", "syntax@18 [a/b] +"},
	{"broken, just allowed", "a", "a,b\n0123456789ab,\"\"x", "syntax@19 [a/b] +"},
	{"broken after what is allowed", "a", "a,b\n0123456789abc,\"\"x", "size@4 [a/b] +"},
	{"too few fields, but too large", "a", "a,b\n0123456789abcdef\n", "size@4 [a/b] +"},
	{"too few fields", "a", "a,b\n0123456789abcde\n", "shape@4 [a/b] +"},
	{"the header as large as allowed", "b", "0123456789abc,b\n1,2\n", "row \"2\"; end [0123456789abc/b] +"},
	{"the header with a mark", "b", "\xef\xbb\xbf" "0123456789abc,b\n1,2\n", "row \"2\"; end [0123456789abc/b] +"},
	{"the header too large", "b", "0123456789abcd,b\n1,2\n", "size@0"},
	{"the header too large, unfinished", "b", "0123456789abcd,b", "size@0"},
	{"empty lines are not limited", "a", "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\na,b\n1,2\n"
	"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "row \"1\"; end [a/b] +"},
	{"nothing but empty lines", "a", "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "truncated@19"},
};

/*
 * Tests that are not cases
 */

static void
test_nul_bytes(void)
{
	Setup		setup;

	set_up(&setup, "a", 1000);
	check_reading("a NUL byte", &setup, "a,b\n1,\0\n", 8, "syntax@6 [a/b] +");
	check_reading("a NUL byte first", &setup, "\0", 1, "syntax@0");
	check_reading("a NUL byte as a record", &setup, "a\n\0", 3, "syntax@2 [a] +");
	check_reading("a NUL byte in quotes", &setup, "a,b\n\"1\0\"\n", 9,
				  "syntax@6 [a/b] +");
	check_reading("a NUL byte after a quote", &setup, "a,b\n\"1\"\0\n", 9,
				  "syntax@7 [a/b] +");
	check_reading("a NUL byte in a quoted label", &setup, "a,\"b\0\"\n", 7,
				  "syntax@4");
	check_reading("UTF-16 without a mark", &setup, "a\0,\0b\0\n\0", 8,
				  "syntax@1");
	release_all();
}

/*
 * Each pair of bytes at each position of a document: the same result for each
 * cut.
 */
static void
test_every_byte(void)
{
	static const char document[] =
		"a;\"b,\"\"c,\"\n1;2\r\n\"x;\"\"\n\";\r\r;\"\"\n3;4";
	static const char others[] = "\0\n\r\",;\t|x\xef";
	const size_t length = sizeof(document) - 1;
	char		changed[sizeof(document)];
	char	   *whole;
	char	   *pieces;
	Setup		setup;
	size_t		i;
	size_t		j;
	int			byte;
	bool		same = true;

	set_up(&setup, "a/b,\"c,/b", 24);
	for (i = 0; i < length * (sizeof(others) - 1) && same; i++)
	{
		for (byte = 0; byte < 256 && same; byte++)
		{
			memcpy(changed, document, sizeof(document));
			j = i / (sizeof(others) - 1);
			changed[j] = (char) byte;
			changed[(j * 7 + 3) % length] = others[i % (sizeof(others) - 1)];
			whole = transcribe(&setup, changed, length, cut_nowhere, false);
			pieces = transcribe(&setup, changed, length, cut_everywhere, false);
			same = strcmp(whole, pieces) == 0;
			if (!same)
				printf("# %s\n# whole: %s\n# pieces: %s\n", changed, whole,
					   pieces);
			free(whole);
			free(pieces);
		}
	}
	check(same, "any byte anywhere", "in all places", "", "");
	release_all();
}

/* Each special byte and some plain ones at each offset of a field. */
static void
test_field_bytes(bool quoted)
{
	char		document[128];
	char		expected[160];
	char	   *got;
	Setup		setup;
	int			byte;
	int			offset;
	int			bad = 0;

	set_up(&setup, "a", 1000);
	for (offset = 1; offset < 40; offset++)
	{
		for (byte = 0; byte < 256; byte++)
		{
			memset(document, 'x', sizeof(document));
			memcpy(document, quoted ? "a,b\n\"" : "a,b\n", quoted ? 5 : 4);
			memcpy(document + 5 + 40, quoted ? "\",y" : ",y\0", 4);
			document[5 + offset] = (char) byte;
			if (byte == 0)
				snprintf(expected, sizeof(expected), "syntax@%d [a/b] +",
						 5 + offset);
			else if (quoted && byte == '"')
				snprintf(expected, sizeof(expected), "syntax@%d [a/b] +",
						 6 + offset);
			else if (!quoted && (byte == ',' || byte == '\n' || byte == '\r'))
				strcpy(expected, "shape@4 [a/b] +");
			else
				snprintf(expected, sizeof(expected),
						 "row \"%.*s\"; end [a/b] +", quoted ? 40 : 41,
						 document + (quoted ? 5 : 4));
			if (quoted && byte == '"' && offset == 39)
				continue;		/* doubled by the closing one */
			got = transcribe(&setup, document,
							 (size_t) (quoted ? 48 : 47), cut_nowhere, false);
			if (strcmp(got, expected) != 0 && bad++ == 0)
				printf("#      got: %s\n# expected: %s\n", got, expected);
			free(got);
		}
	}
	check(bad == 0, "all bytes at all offsets of a field",
		  quoted ? "quoted" : "plain", "", "");
	release_all();
}

/* Feeds "n" times "unit" between "head" and "tail" in one-byte pieces. */
static void
test_linear(const char *name, const char *head, const char *unit, size_t n,
			const char *tail, int expected_rows)
{
	size_t		unit_length = strlen(unit);
	size_t		head_length = strlen(head);
	size_t		length = head_length + n * unit_length + strlen(tail);
	char	   *document = malloc(length + 1);
	clock_t		start;
	double		seconds;
	JsonResult	result = JSON_MORE;
	size_t		from = 0;
	size_t		to;
	size_t		i;
	Setup		setup;
	int			rows = 0;

	memcpy(document, head, head_length);
	for (i = 0; i < n; i++)
		memcpy(document + head_length + i * unit_length, unit, unit_length);
	strcpy(document + head_length + n * unit_length, tail);
	set_up(&setup, "a", length + 1);
	start = clock();
	for (to = 1; to <= length; to++)
	{
		while ((result = csv_reader_next(setup.reader, document + from,
										 to - from, to == length)) == JSON_ROW)
			rows++;
		if (result != JSON_MORE)
			break;
		i = csv_reader_keep_from(setup.reader);
		csv_reader_dropped(setup.reader, i);
		from += i;
	}
	seconds = (double) (clock() - start) / CLOCKS_PER_SEC;
	check(result == JSON_END && rows == expected_rows, name,
		  "one-byte pieces", "", "");
	check(seconds < 10, name, "in linear time", "", "");
	printf("# %s: %lu bytes in %.2f s\n", name, (unsigned long) length,
		   seconds);
	free(document);
	release_all();
}

static void
test_all_linear(void)
{
	size_t		n = 2000000;

	test_linear("a large wanted field", "a,b\n", "x", n, ",1", 1);
	test_linear("a large unwanted field", "a,b\n1,", "x", n, "", 1);
	test_linear("a large quoted field", "a,b\n\"", ",\n", n / 2, "\",1", 1);
	test_linear("many doubled quotes", "a,b\n\"", "\"\"", n / 2, "\",1", 1);
	test_linear("a large label", "a,", "x", n, "\n1,2", 1);
	test_linear("a large quoted label", "a,\"", "\"\"", n / 2, "\"\n1,2", 1);
	test_linear("many empty lines", "a,b\n", "\n", n, "1,2", 1);
	test_linear("many rows", "a,b\n", "1,2\n", n / 4, "", (int) n / 4);
}

/* A header of n columns, and a row of as many. */
static void
test_columns(int n)
{
	Text		text = {NULL, 0};
	char		label[16];
	Setup		setup;
	JsonResult	result;
	const JsonSlice *slice;
	int			i;
	int			good = 0;

	set_up(&setup, "", 100000);
	for (i = 0; i < n; i++)
	{
		sprintf(label, "%d%s", n - 1 - i, i < n - 1 ? ";" : "\n");
		append_string(&text, label);
	}
	for (i = 0; i < n; i++)
	{
		sprintf(label, "%d%s", n - 1 - i, i < n - 1 ? ";" : "\n");
		append_string(&text, label);
	}
	for (i = 0; i < 1000; i++)
	{
		sprintf(label, " %d ", i);
		good += (csv_reader_want(setup.reader, label) == i);
		good += (csv_reader_want(setup.reader, label + 1) == i);
	}
	check(good == 2000, "many columns", "slots", "", "");
	result = csv_reader_next(setup.reader, text.bytes, text.length, true);
	if (n > CSV_MAX_COLUMNS)
		check(result == JSON_BAD && !csv_reader_has_header(setup.reader) &&
			  csv_reader_defect(setup.reader)->kind == JSON_DEFECT_SHAPE,
			  "many columns", "too many", "", "");
	else
	{
		good = 0;
		for (i = 0; i < 1000; i++)
		{
			slice = csv_reader_slice(setup.reader, i);
			good += (atoi(text.bytes + slice->start) == i);
		}
		check(result == JSON_ROW && good == 1000, "many columns", "values",
			  "", "");
	}
	free(text.bytes);
	release_all();
}

static void
test_restart(void)
{
	Setup		setup;
	char	   *got;
	int			i;
	int			allocated;

	set_up(&setup, "a/b", 1000);
	csv_reader_next(setup.reader, "x,b\n\"a", 6, false);
	check(csv_reader_keep_from(setup.reader) == 4,
		  "restart", "in a row", "", "");
	check(csv_reader_has_header(setup.reader) &&
		  csv_reader_nlabels(setup.reader) == 2 &&
		  csv_reader_has_label(setup.reader, 1),
		  "the header", "before the first row", "", "");
	got = transcribe(&setup, "a,c\n1,2", 7, cut_nowhere, false);
	check(strcmp(got, "row \"1\" -; end [a/c] +.") == 0,
		  "restart", "in quotes", got, "");
	free(got);
	csv_reader_next(setup.reader, "x;\"a", 4, false);
	got = transcribe(&setup, "a,\"b\"\n1", 7, cut_nowhere, false);
	check(strcmp(got, "shape@6 [a/b] ++") == 0,
		  "restart", "in the header", got, "");
	free(got);
	allocated = nblocks;
	for (i = 0; i < 100; i++)
	{
		got = transcribe(&setup, "a,b\n1,2", 7, cut_nowhere, false);
		check(strcmp(got, "row \"1\" \"2\"; end [a/b] ++") == 0,
			  "restart", "after a defect or the end", got, "");
		free(got);
	}
	check(nblocks == allocated, "restart", "without more memory", "", "");
	release_all();
}

static void
test_odd_calls(void)
{
	Setup		setup;
	CsvReader  *reader;

	set_up(&setup, "a", 1000);
	reader = setup.reader;
	check(!csv_reader_has_header(reader) && csv_reader_nlabels(reader) == 0 &&
		  !csv_reader_has_label(reader, 0) &&
		  csv_reader_slice(reader, 0)->kind == JSON_ABSENT,
		  "nothing read", "no header", "", "");
	check(csv_reader_next(reader, NULL, 0, false) == JSON_MORE,
		  "no window", "more", "", "");
	check(csv_reader_next(reader, "a,b\n", 4, false) == JSON_MORE &&
		  csv_reader_has_header(reader),
		  "complete, but not the last piece", "more", "", "");
	csv_reader_dropped(reader, csv_reader_keep_from(reader));
	check(csv_reader_next(reader, NULL, 0, true) == JSON_END,
		  "nothing more", "end", "", "");
	check(csv_reader_next(reader, NULL, 0, true) == JSON_END,
		  "nothing more", "end again", "", "");
	release_all();
}

static void
test_unquote(void)
{
	static const char *const pairs[][2] = {
		{"", ""}, {"x", "x"}, {"\"\"", "\""}, {"\"\"\"\"", "\"\""},
		{"a\"\"b\"\"", "a\"b\""}, {"\"", "\""}, {"\"x", "\"x"}, {"x\"", "x\""},
		{"\"\"\"", "\"\""}
	};
	char	   *out;
	char	   *in;
	size_t		i;
	size_t		length;
	size_t		n;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
	{
		length = strlen(pairs[i][0]);
		in = malloc(length + (length == 0));
		out = malloc(length + (length == 0));
		memcpy(in, pairs[i][0], length);
		n = csv_unquote(in, length, out);
		check(n == strlen(pairs[i][1]) && memcmp(out, pairs[i][1], n) == 0,
			  "csv_unquote", pairs[i][0], "", pairs[i][1]);
		free(in);
		free(out);
	}
}

int
main(void)
{
	RUN(values, 1000);
	RUN(headers, 1000);
	RUN(lines, 1000);
	RUN(defects, 1000);
	RUN(limits, 16);
	test_nul_bytes();
	test_every_byte();
	test_field_bytes(false);
	test_field_bytes(true);
	test_all_linear();
	test_columns(1000);
	test_columns(CSV_MAX_COLUMNS);
	test_columns(CSV_MAX_COLUMNS + 1);
	test_restart();
	test_odd_calls();
	test_unquote();
	printf("1..%d\n", checks);
	return failures > 0;
}
