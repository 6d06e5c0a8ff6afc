/*
 * json_reader_test.c
 *		Unit tests of the JSON reader; prints TAP, needs no server.
 *
 * Each case has a document and a transcript of what the reader should return.
 * The document is read as a whole, byte by byte, in two pieces for each position
 * of the cut, and in random pieces, where bytes that are no longer needed are
 * dropped; the transcript has to be the same each time.  Each window is a new
 * copy of exactly its size, so that a sanitizer detects a read outside of it and
 * the use of a pointer into the previous one.
 */
#include "reader/json_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_WANTS 16

typedef struct Case
{
	const char *name;
	const char *rows;			/* patterns, separated by '|'; after '>' those
								 * of values outside of rows, by ',', with a '!'
								 * before those of values that are kept */
	const char *wants;			/* paths, separated by ','; '@' is the row */
	const char *document;
	const char *expected;
} Case;

typedef struct Setup
{
	JsonReader *reader;
	int			slots[MAX_WANTS];
	int			nslots;
	int			outsides[MAX_WANTS];
	int			noutsides;
} Setup;

/* How a document is cut: returns the length of the next piece of "left" bytes. */
typedef size_t (*Cutter) (size_t offset, size_t left);

static int	checks = 0;
static int	failures = 0;
static size_t cut_at;
static unsigned int seed = 1;
static void *blocks[4096];
static int	nblocks = 0;
static size_t allocated = 0;

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
	allocated += size;
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
	switch ((JsonKind) slice->kind)
	{
		case JSON_ABSENT:
			append_string(text, "-");
			break;
		case JSON_STRING:
			append_string(text, "\"");
			append(text, window + slice->start, slice->length);
			append_string(text, "\"");
			if (slice->flags & JSON_ESCAPED)
				append_string(text, "e");
			if (slice->flags & JSON_NUL_ESCAPE)
				append_string(text, "0");
			if (slice->flags & JSON_LONE_SURROGATE)
				append_string(text, "s");
			break;
		case JSON_NUMBER:
			append_string(text, "#");
			append(text, window + slice->start, slice->length);
			break;
		case JSON_NULL:
		case JSON_FALSE:
		case JSON_TRUE:
		case JSON_ARRAY:
		case JSON_OBJECT:
			append_string(text, slice->kind == JSON_NULL ? "" :
						  slice->kind == JSON_FALSE ? "!" :
						  slice->kind == JSON_TRUE ? "?" :
						  slice->kind == JSON_ARRAY ? "A" : "O");
			append(text, window + slice->start, slice->length);
			break;
	}
	if (slice->kind != JSON_STRING && slice->flags != 0)
		append_string(text, "(stray flags)");
}

/* After a colon, and only if there are patterns. */
static void
append_outsides(Text *text, const Setup *setup)
{
	const JsonOutside *outside;
	JsonSlice	slice;
	int			i;

	for (i = 0; i < setup->noutsides; i++)
	{
		outside = json_reader_outside(setup->reader, setup->outsides[i]);
		slice.start = 0;
		slice.length = outside->length;
		slice.kind = outside->kind;
		slice.flags = outside->flags;
		append_string(text, i == 0 ? " : " : " ");
		append_slice(text, &slice, outside->text);
		if (outside->kind == JSON_ABSENT ? outside->text != NULL :
			outside->text[outside->length] != '\0')
			append_string(text, "(stray text)");
	}
}

static void
append_row(Text *text, const Setup *setup, const char *window)
{
	int			i;

	append_string(text, "row");
	for (i = 0; i < setup->nslots; i++)
	{
		append_string(text, " ");
		append_slice(text, json_reader_slice(setup->reader, setup->slots[i]),
					 window);
	}
	append_outsides(text, setup);
	append_string(text, "; ");
}

static void
append_end(Text *text, const Setup *setup, JsonResult result)
{
	static const char *const names[] = {
		"syntax", "depth", "size", "shape", "truncated"
	};
	const JsonDefect *defect = json_reader_defect(setup->reader);
	char		buffer[64];
	bool		present;
	int			i;

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
	append_string(text, " ");
	for (i = 0; i < setup->nslots; i++)
	{
		present = json_reader_is_present(setup->reader, setup->slots[i]);
		append_string(text, present ? "+" : ".");
	}
	append_outsides(text, setup);
}

/*
 * Reading
 */

static void
set_up(Setup *setup, const char *rows, const char *wants, size_t max_row,
	   int max_depth)
{
	char	   *patterns = strdup(rows);
	char	   *paths = strdup(wants);
	const char *list[8];
	const char *keys[64];
	JsonShape	shape;
	char	   *next;
	char	   *path;
	int			n = 0;

	setup->noutsides = 0;
	path = strchr(patterns, '>');
	if (path != NULL)
		*path++ = '\0';
	for (next = patterns; next != NULL;)
	{
		list[n++] = next;
		next = strchr(next, '|');
		if (next != NULL)
			*next++ = '\0';
	}
	list[n] = NULL;
	shape.rows = list;
	shape.max_row = max_row;
	shape.max_depth = max_depth;
	setup->reader = json_reader_create(&shape, test_alloc);
	for (; path != NULL; path = next)
	{
		next = strchr(path, ',');
		if (next != NULL)
			*next++ = '\0';
		setup->outsides[setup->noutsides++] =
			path[0] == '!' ?
			json_reader_want_lasting(setup->reader, path + 1) :
			json_reader_want_outside(setup->reader, path);
	}
	setup->nslots = 0;
	for (path = strtok(paths, ","); path != NULL; path = strtok(NULL, ","))
	{
		n = 0;
		for (next = path; strcmp(path, "@") != 0 && next != NULL;)
		{
			keys[n++] = next;
			next = strchr(next, '.');
			if (next != NULL)
				*next++ = '\0';
		}
		setup->slots[setup->nslots] = json_reader_want(setup->reader, keys, n);
		setup->nslots++;
	}
	free(patterns);
	free(paths);
}

/*
 * Reads a document in the pieces that "cutter" returns.  Bytes that are no
 * longer needed are dropped at each JSON_MORE, but not always if "lazy".
 */
static char *
transcribe(const Setup *setup, const char *document, size_t length,
		   Cutter cutter, bool lazy)
{
	JsonReader *reader = setup->reader;
	Text		text = {NULL, 0};
	JsonResult	result;
	size_t		from = 0;
	size_t		to = 0;
	size_t		drop;
	char	   *window;
	bool		last;

	json_reader_restart(reader);
	append_string(&text, "");
	do
	{
		to += cutter(to, length - to);
		last = (to == length && !(lazy && draw(2) == 0));
		window = malloc(to - from + (to == from));
		memcpy(window, document + from, to - from);
		while ((result = json_reader_next(reader, window, to - from,
										  last)) == JSON_ROW)
			append_row(&text, setup, window);
		free(window);
		if (result == JSON_MORE && last)
			append_string(&text, "more after the end");
		drop = json_reader_keep_from(reader);
		if (result != JSON_BAD && !(lazy && draw(3) == 0))
		{
			json_reader_dropped(reader, drop);
			from += drop;
		}
	} while (result == JSON_MORE && text.length < 100000);
	append_end(&text, setup, result);
	if (json_reader_next(reader, "", 0, true) != result && result == JSON_BAD)
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

static size_t
cut_in_chunks(size_t offset, size_t left)
{
	size_t		piece = 100 + draw(2000);

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
run_cases(const Case *cases, size_t n, size_t max_row, int max_depth)
{
	Setup		setup;
	size_t		i;

	for (i = 0; i < n; i++)
	{
		set_up(&setup, cases[i].rows, cases[i].wants, max_row, max_depth);
		check_reading(cases[i].name, &setup, cases[i].document,
					  strlen(cases[i].document), cases[i].expected);
		release_all();
	}
}

#define RUN(cases, max_row, max_depth) \
	run_cases(cases, sizeof(cases) / sizeof((cases)[0]), max_row, max_depth)

/*
 * The cases
 */

static const Case values[] = {
	{"scalars", "[]", "a,b,c,d,e,f",
		"[{\"a\":null,\"b\":true,\"c\":false,\"d\":1,\"e\":\"x\",\"f\":\"\"}]",
	"row null ?true !false #1 \"x\" \"\"; end ++++++"},
	{"containers", "[]", "a,b,c,d",
		"[{\"a\":[],\"b\":{},\"c\":[1,[2],{\"x\":3}],\"d\":{ \"y\" : [ ] }}]",
	"row A[] O{} A[1,[2],{\"x\":3}] O{ \"y\" : [ ] }; end ++++"},
	{"white space everywhere", "employees[]", "a",
		" \t\r\n{ \"employees\" : [ { \"a\" : 1 } , { \"a\" : \"b\" } ] } \n",
	"row #1; row \"b\"; end +"},
	{"byte order mark", "[]", "a", "\xef\xbb\xbf[{\"a\":1}]", "row #1; end +"},
	{"numbers", "[]", "a,b,c,d,e,f,g,h",
		"[{\"a\":0,\"b\":-0,\"c\":-1.5,\"d\":10.25e3,\"e\":1E+2,\"f\":1e-2,"
		"\"g\":0.0e0,\"h\":1234567890123456789012345678901234567890}]",
		"row #0 #-0 #-1.5 #10.25e3 #1E+2 #1e-2 #0.0e0 "
	"#1234567890123456789012345678901234567890; end ++++++++"},
	{"simple escapes", "[]", "a,b", "[{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"b\":\"x\"}]",
	"row \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"e \"x\"; end ++"},
	{"unicode escapes", "[]", "a,b,c",
		"[{\"a\":\"\\u00e9\\uABCD\",\"b\":\"\\ud83d\\ude00\",\"c\":\"\\u0000\"}]",
	"row \"\\u00e9\\uABCD\"e \"\\ud83d\\ude00\"e \"\\u0000\"e0; end +++"},
	{"lone surrogates", "[]", "a,b,c,d,e,f",
		"[{\"a\":\"\\ud83d\",\"b\":\"\\ude00\",\"c\":\"\\ud83d\\n\",\"d\":\"\\ud83dx\","
		"\"e\":\"\\ud83d\\ud83d\\ude00\",\"f\":\"\\ude00\\ud83d\"}]",
		"row \"\\ud83d\"es \"\\ude00\"es \"\\ud83d\\n\"es \"\\ud83dx\"es "
	"\"\\ud83d\\ud83d\\ude00\"es \"\\ude00\\ud83d\"es; end ++++++"},
	{"flags belong to one string", "[]", "a,b,c",
		"[{\"a\":\"\\u0000\",\"b\":\"plain\",\"c\":1,\"d\":\"\\ud83d\"},{\"a\":2,\"c\":\"z\"}]",
	"row \"\\u0000\"e0 \"plain\" #1; row #2 - \"z\"; end +++"},
	{"bytes above ASCII", "[]", "a,\xc3\xa9",
		"[{\"a\":\"\xc3\xa9\xf0\x9f\x98\x80\x7f\",\"\xc3\xa9\":\"\xff\xfe\"}]",
	"row \"\xc3\xa9\xf0\x9f\x98\x80\x7f\" \"\xff\xfe\"; end ++"},
	{"long strings", "[]", "a,b",
		"[{\"a\":\"0123456789abcdef0123456789abcdef0123456789abcde\\n"
		"0123456789abcdef0123456789abcdef\",\"b\":\"0123456789abcde\"}]",
		"row \"0123456789abcdef0123456789abcdef0123456789abcde\\n"
	"0123456789abcdef0123456789abcdef\"e \"0123456789abcde\"; end ++"},
	{"nothing wanted", "[]", "", "[{\"a\":1},{}]", "row; row; end "},
	{"the row itself", "[]", "@,a", "[ {\"a\":1} ,{}]",
	"row O{\"a\":1} #1; row O{} -; end ++"},
	{"like HiBob", "employees[]", "id,work.title,work.reportsTo.email,/root/id.value",
		"{\"employees\":[{\"/root/id\":{\"value\":\"398\"},\"/work/title\":{\"value\":\"1\"},"
		"\"id\":\"398\",\"home\":{\"mobilePhone\":null},\"work\":{\"department\":null,"
		"\"reportsTo\":{\"id\":\"1\",\"email\":\"m@x.y\"},\"title\":\"1\"}},"
		"{\"id\":\"399\",\"work\":{\"reportsTo\":null,\"title\":null}}]}",
		"row \"398\" \"1\" \"m@x.y\" \"398\"; row \"399\" null - -; end ++++"},
};

static const Case paths[] = {
	{"a path and what it leads through", "[]", "w,w.a,w.b.c,w.b",
		"[{\"w\":{\"a\":1,\"b\":{\"c\":2},\"x\":3}},{\"w\":4},{\"w\":{\"b\":[]}}]",
		"row O{\"a\":1,\"b\":{\"c\":2},\"x\":3} #1 #2 O{\"c\":2}; "
	"row #4 - - -; row O{\"b\":[]} - - A[]; end ++++"},
	{"the same path twice", "[]", "a.b,a.b", "[{\"a\":{\"b\":1}}]", "row #1 #1; end ++"},
	{"keys at another depth are others", "[]", "a,b.a",
		"[{\"x\":{\"a\":1,\"b\":{\"a\":2}},\"b\":{\"b\":{\"a\":3}},\"c\":[{\"a\":4}]}]",
	"row - -; end .."},
	{"no keys in arrays", "[]", "a.b", "[{\"a\":[{\"b\":1}]},{\"a\":[\"b\",2]}]",
	"row -; row -; end +"},
	{"keys that are alike", "[]", "ab,abc,abcd,abce,dcba,b,,e",
		"[{\"a\":0,\"ab\":1,\"abc\":2,\"abcd\":3,\"abce\":4,\"dcba\":5,\"b\":6,\"ba\":7,\"abcde\":8}]",
	"row #1 #2 #3 #4 #5 #6 -; end ++++++."},
	{"slots are reset", "[]", "a,b,c.d",
		"[{\"a\":1,\"b\":2,\"c\":{\"d\":3}},{\"b\":4},{\"c\":{}},{}]",
	"row #1 #2 #3; row - #4 -; row - - -; row - - -; end +++"},
	{"the last of two keys wins", "[]", "a,w,w.x,w.y",
		"[{\"a\":1,\"a\":\"two\"},{\"w\":{\"x\":1,\"y\":2},\"w\":{\"y\":3}},"
		"{\"w\":{\"x\":1},\"w\":null},{\"w\":{\"x\":1},\"w\":5,\"w\":{\"x\":6}}]",
		"row \"two\" - - -; row - O{\"y\":3} - #3; row - null - -; "
	"row - O{\"x\":6} #6 -; end ++++"},
	{"a forgotten value was not present", "[]", "w.x", "[{\"w\":{\"x\":1},\"w\":{}}]",
	"row -; end ."},
	{"escaped keys", "[]", "work,a.b,\xc3\xa9,\xe2\x82\xac,\xf0\x9f\x98\x80,/",
		"[{\"\\u0077or\\u006B\":1,\"\\u0061\":{\"\\u0062\":2},\"\\u00e9\":3,\"\\u20ac\":4,"
		"\"\\ud83d\\ude00\":5,\"\\/\":6}]",
	"row #1 #2 #3 #4 #5 #6; end ++++++"},
	{"escaped keys that are no others", "[]", "a,\xf0\x9f\x98\x80,n,ab,\t",
		"[{\"\\u0061x\":1,\"\\ud83d\":2,\"\\ude00\":3,\"\\ud83d\\u0041\":4,\"\\n\":5,"
		"\"a\\u0000\":6,\"\\u0061\\u0062c\":7,\"\\ud83dx\":8,\"\\\\\":9,\"\\t\":10}]",
	"row - - - - #10; end ....+"},
	{"escaped keys of the shape", "employees[]", "a",
	"{\"employee\\u0073\":[{\"a\":1}]}", "row #1; end +"},
	{"present", "[]", "a,b.c,d.e,f.g,h.i,j.k,l.m.n,o",
		"[{\"a\":null,\"b\":null,\"d\":\"x\",\"f\":{},\"h\":{\"i\":null},\"l\":{\"m\":1}}]",
	"row null - - - null - - -; end +++.+.+."},
	{"present by any row", "[]", "a,b", "[{},{\"a\":1},{}]",
	"row - -; row #1 -; row - -; end +."},
};

static const Case shapes[] = {
	{"array under a key", "employees[]", "a",
		"{\"x\":[{\"a\":0}],\"employees\":[{\"a\":1},{\"a\":2}],\"y\":{\"employees\":[{\"a\":3}]}}",
	"row #1; row #2; end +"},
	{"empty array under a key", "employees[]", "a", "{\"employees\":[]}", "end ."},
	{"empty array", "[]", "a", "[]", "end ."},
	{"nested groups", "results[].values[]", "a",
		"{\"results\":[{\"employeeId\":\"1\",\"values\":[{\"a\":1},{\"a\":2}]},"
		"{\"values\":[]},{\"values\":[{\"a\":3}],\"employeeId\":\"2\"}],\"errors\":[]}",
	"row #1; row #2; row #3; end +"},
	{"no groups", "results[].values[]", "a", "{\"results\":[]}", "end ."},
	{"key after key", "a.b[]", "c", "{\"a\":{\"x\":1,\"b\":[{\"c\":1}]}}", "row #1; end +"},
	{"object under a key", "employee", "a", "{\"employee\":{\"a\":1},\"a\":2}",
	"row #1; end +"},
	{"arrays of arrays", "[][]", "a", "[[],[{\"a\":1}],[{\"a\":2},{}]]",
	"row #1; row #2; row -; end +"},
	{"the document's object", "", "a,b.c", " {\"a\":1,\"b\":{\"c\":2}} ",
	"row #1 #2; end ++"},
	{"the document's empty object", "", "a", "{}", "row -; end ."},
	{"object, not array", "employees[]|", "id", "{\"id\":\"1\",\"x\":[1]}",
	"row \"1\"; end +"},
	{"array, not object", "employees[]|", "id",
		"{\"id\":\"0\",\"employees\":[{\"id\":\"1\"},{\"id\":\"2\"}],\"id\":\"3\"}",
	"row \"1\"; row \"2\"; end +"},
	{"what lies beside the array is not present", "employees[]|", "id,e.f",
	"{\"id\":\"0\",\"e\":null,\"employees\":[{}]}", "row - -; end .."},
	{"empty array, not object", "|employees[]", "id",
	"{\"id\":\"0\",\"employees\":[],\"id\":\"3\"}", "end ."},
	{"object with a key that is no array", "employees[]|", "id,employees",
	"{\"id\":\"0\",\"employees\":null}", "row \"0\" null; end ++"},
	{"object with a key that is an object", "employees[]|", "id,employees.a",
	"{\"employees\":{\"a\":[{}]},\"id\":1}", "row #1 A[{}]; end ++"},
	{"object with half the way", "a.b[]|", "a,c",
	"{\"a\":{\"x\":1},\"c\":2}", "row O{\"x\":1} #2; end ++"},
	{"half the way wanted, then the array", "a.b[]|", "a,c",
	"{\"c\":0,\"a\":{\"x\":1,\"b\":[{\"c\":1}]}}", "row - #1; end .+"},
	{"array or object at the top", "[]|", "a", "[{\"a\":1}]", "row #1; end +"},
	{"object or array at the top", "[]|", "a", "{\"a\":1}", "row #1; end +"},
	{"three alternatives", "employees[]|[]|", "a", "[{\"a\":1,\"employees\":[]}]",
	"row #1; end +"},
	{"two keys", "values[]|items[]", "a", "{\"values\":[{\"a\":1}],\"items\":[{\"a\":2}]}",
	"row #1; row #2; end +"},
	{"one of two keys", "values[]|items[]", "a", "{\"items\":[{\"a\":2}]}",
	"row #2; end +"},
	{"rows, or what wraps them", "results[].values[]|results[].values[].values[]", "id",
		"{\"results\":[{\"values\":[{\"id\":1},{\"id\":0,\"restricted\":{},"
		"\"values\":[{\"id\":2},{\"id\":3}],\"id\":9},{\"values\":null,\"id\":4},{\"values\":[]}]}]}",
	"row #1; row #2; row #3; row #4; end +"},
	{"a key twice", "employees[]", "a", "{\"employees\":[{\"a\":1}],\"employees\":[{\"a\":2}]}",
	"row #1; shape@35 +"},
	{"a key twice in a group", "results[].values[]", "a",
	"{\"results\":[{\"values\":[{\"a\":1}],\"values\":[]}]}", "row #1; shape@41 +"},
	{"a key once in each group", "results[].values[]", "a",
		"{\"results\":[{\"values\":[{\"a\":1}]},{\"values\":[{\"a\":2}]}]}",
	"row #1; row #2; end +"},

	{"no key of the rows", "employees[]", "a", "{\"a\":1}", "shape@6 ."},
	{"empty object", "employees[]", "a", "{}", "shape@1 ."},
	{"no array but null", "employees[]", "a", "{\"employees\":null}", "shape@13 ."},
	{"no array but a string", "employees[]", "a", "{\"employees\": \"x\"}", "shape@14 ."},
	{"no array but a number", "employees[]", "a", "{\"employees\":12}", "shape@13 ."},
	{"no array but an object", "employees[]", "a", "{\"employees\":{}}", "shape@13 ."},
	{"no object but an array", "employees[]", "a", "[]", "shape@0 ."},
	{"no array at the top", "[]", "a", " {}", "shape@1 ."},
	{"a scalar at the top", "|[]", "a", " 12 ", "shape@1 ."},
	{"a row that is null", "[]", "a", "[{},null]", "row -; shape@4 ."},
	{"a row that is an array", "[]", "a", "[[]]", "shape@1 ."},
	{"a row that is a string", "employees[]", "a", "{\"employees\":[\"a\"]}", "shape@14 ."},
	{"a group without rows", "results[].values[]", "a",
	"{\"results\":[{\"values\":[]},{\"x\":[]}]}", "shape@33 ."},
	{"a group that is no object", "results[].values[]", "a", "{\"results\":[7]}", "shape@12 ."},
	{"a group whose rows are null", "results[].values[]", "a",
		"{\"results\":[{\"values\":null},{\"values\":[{\"a\":1}]},{\"values\":null}]}",
	"row #1; end +"},
	{"a group whose rows are false", "results[].values[]", "a",
	"{\"results\":[{\"values\":false}]}", "shape@22 ."},
	{"groups that are null", "results[].values[]", "a", "{\"results\":null}", "shape@11 ."},
	{"half the way", "a.b[]", "c", "{\"a\":{}}", "shape@6 ."},
	{"the same key, no array the second time", "employees[]|", "a",
	"{\"employees\":[],\"employees\":0}", "shape@28 ."},
};

/* Syntax is checked everywhere; most cases are values without a pattern. */
static const Case defects[] = {
	{"empty", "[]", "a", "", "truncated@0 ."},
	{"only white space", "[]", "a", " \n ", "truncated@3 ."},
	{"only a byte order mark", "[]", "a", "\xef\xbb\xbf", "truncated@3 ."},
	{"half a byte order mark", "[]", "a", "\xef\xbb", "truncated@2 ."},
	{"a wrong byte order mark", "[]", "a", "\xef\xbb[", "syntax@2 ."},
	{"a byte order mark after white space", "[]", "a", " \xef\xbb\xbf[]", "syntax@1 ."},
	{"two byte order marks", "[]", "a", "\xef\xbb\xbf\xef\xbb\xbf[]", "syntax@3 ."},
	{"HTML", "[]", "a", "<html>", "syntax@0 ."},
	{"words", "[]", "a", "not found", "syntax@1 ."},
	{"text after", "[]", "a", "[] x", "syntax@3 ."},
	{"two documents", "[]", "a", "[{}][]", "row -; syntax@4 ."},
	{"a bracket too much", "[]", "a", "[]]", "syntax@2 ."},
	{"no value", "[]", "a", "[,]", "syntax@1 ."},
	{"no next value", "[]", "a", "[{},]", "row -; syntax@4 ."},
	{"no comma", "[]", "a", "[{} {}]", "row -; syntax@4 ."},
	{"a colon for a comma", "[]", "a", "[{}:{}]", "row -; syntax@3 ."},
	{"the wrong bracket", "[]", "a", "[{]", "syntax@2 ."},
	{"the wrong bracket later", "[]", "a", "[{\"b\":[1}]", "syntax@8 ."},
	{"the wrong brace", "[]", "a", "[{\"b\":1]", "syntax@7 ."},
	{"no key", "[]", "a", "[{1:2}]", "syntax@2 ."},
	{"no next key", "[]", "a", "[{\"b\":1,}]", "syntax@8 ."},
	{"no colon", "[]", "a", "[{\"b\" 1}]", "syntax@6 ."},
	{"no value after the colon", "[]", "a", "[{\"b\":}]", "syntax@6 ."},
	{"two colons", "[]", "a", "[{\"b\"::1}]", "syntax@6 ."},
	{"a key in single quotes", "[]", "a", "[{'b':1}]", "syntax@2 ."},
	{"a comment", "[]", "a", "[/**/]", "syntax@1 ."},
	{"form feed", "[]", "a", "[\f]", "syntax@1 ."},
	{"vertical tab", "[]", "a", "[{}\v]", "row -; syntax@3 ."},
	{"nul for null", "[]", "a", "[{\"b\":nul}]", "syntax@9 ."},
	{"Null", "[]", "a", "[{\"b\":Null}]", "syntax@6 ."},
	{"nulll", "[]", "a", "[{\"b\":nulll}]", "syntax@10 ."},
	{"truth", "[]", "a", "[{\"b\":truth}]", "syntax@9 ."},
	{"fals", "[]", "a", "[{\"b\":fals,}]", "syntax@10 ."},
	{"NaN", "[]", "a", "[{\"b\":NaN}]", "syntax@6 ."},
	{"Infinity", "[]", "a", "[{\"b\":-Infinity}]", "syntax@7 ."},
	{"leading zero", "[]", "a", "[{\"b\":01}]", "syntax@7 ."},
	{"leading zero after a sign", "[]", "a", "[{\"b\":-01}]", "syntax@8 ."},
	{"plus", "[]", "a", "[{\"b\":+1}]", "syntax@6 ."},
	{"only a sign", "[]", "a", "[{\"b\":-}]", "syntax@7 ."},
	{"two signs", "[]", "a", "[{\"b\":--1}]", "syntax@7 ."},
	{"a point first", "[]", "a", "[{\"b\":.5}]", "syntax@6 ."},
	{"a point last", "[]", "a", "[{\"b\":5.}]", "syntax@8 ."},
	{"two points", "[]", "a", "[{\"b\":5.1.2}]", "syntax@9 ."},
	{"a point, then an exponent", "[]", "a", "[{\"b\":5.e1}]", "syntax@8 ."},
	{"no exponent", "[]", "a", "[{\"b\":5e}]", "syntax@8 ."},
	{"no exponent after its sign", "[]", "a", "[{\"b\":5E-}]", "syntax@9 ."},
	{"a broken exponent", "[]", "a", "[{\"b\":5e1.5}]", "syntax@9 ."},
	{"hexadecimal", "[]", "a", "[{\"b\":0x1}]", "syntax@7 ."},
	{"a wanted broken number", "[]", "b", "[{\"b\":1.}]", "syntax@8 ."},
	{"a line break in a string", "[]", "a", "[{\"b\":\"x\ny\"}]", "syntax@8 ."},
	{"a tab in a key", "[]", "a", "[{\"b\t\":1}]", "syntax@4 ."},
	{"a control character far in", "[]", "a",
	"[{\"b\":\"0123456789abcdef0123456789\x1f\"}]", "syntax@33 ."},
	{"an unknown escape", "[]", "a", "[{\"b\":\"\\x\"}]", "syntax@8 ."},
	{"an escape in single quotes", "[]", "a", "[{\"b\":\"\\'\"}]", "syntax@8 ."},
	{"a capital U", "[]", "a", "[{\"b\":\"\\U0041\"}]", "syntax@8 ."},
	{"a short unicode escape", "[]", "a", "[{\"b\":\"\\u12\"}]", "syntax@11 ."},
	{"a digit that is none", "[]", "a", "[{\"b\":\"\\u00g0\"}]", "syntax@11 ."},
	{"other digits that are none", "[]", "a", "[{\"b\":\"\\u/000\"}]", "syntax@9 ."},
	{"a broken second half", "[]", "a", "[{\"b\":\"\\ud83d\\u12x4\"}]", "syntax@17 ."},
	{"an unknown escape after a first half", "[]", "a", "[{\"b\":\"\\ud83d\\q\"}]", "syntax@14 ."},
	{"a broken escape in a key", "[]", "a", "[{\"\\u00\":1}]", "syntax@7 ."},
	{"broken off in a string", "[]", "a", "[{\"b\":\"x", "truncated@8 ."},
	{"broken off in an escape", "[]", "a", "[{\"b\":\"x\\u00", "truncated@12 ."},
	{"broken off in a pair", "[]", "a", "[{\"b\":\"\\ud83d\\", "truncated@14 ."},
	{"broken off in a number", "[]", "a", "[{\"b\":12", "truncated@8 ."},
	{"broken off in a word", "[]", "a", "[{\"b\":tr", "truncated@8 ."},
	{"broken off after a key", "[]", "a", "[{\"b\"", "truncated@5 ."},
	{"broken off after a colon", "[]", "a", "[{\"b\": ", "truncated@7 ."},
	{"broken off after a row", "[]", "a", "[{\"a\":1}", "row #1; truncated@8 +"},
	{"broken off after a comma", "[]", "a", "[{\"a\":1},", "row #1; truncated@9 +"},
	{"broken off after the rows", "employees[]", "a", "{\"employees\":[{}]", "row -; truncated@17 ."},
	{"a broken scalar at the top", "[]", "a", "-", "truncated@1 ."},
	{"broken after the rows", "employees[]", "a", "{\"employees\":[{}],\"x\":[tru]}",
	"row -; syntax@26 ."},
};

/* With max_row 20 and max_depth 3. */
static const Case limits[] = {
	{"as deep as allowed", "[]", "a", "[{\"a\":[]}]", "row A[]; end +"},
	{"an object too deep", "[]", "a", "[{\"a\":[{}]}]", "depth@7 ."},
	{"an unwanted array too deep", "[]", "b", "[{\"a\":[ []]}]", "depth@8 ."},
	{"as large as allowed", "[]", "a", "[ {\"a\":\"0123456789ab\"}]",
	"row \"0123456789ab\"; end +"},
	{"a row too large", "[]", "a", "[ {\"a\":\"0123456789abc\"}]", "size@2 ."},
	{"a second row too large", "[]", "a", "[{},{\"b\":[],             \"c\":2}]",
	"row -; size@4 ."},
	{"broken, but too large before", "[]", "a", "[{\"a\":\"0123456789abcdefg\n\"}]", "size@1 ."},
	{"broken within what is allowed", "[]", "a", "[{\"a\":\"0123456789a\n\"}]", "syntax@18 ."},
	{"broken after what is allowed", "[]", "a", "[{\"a\":\"0123456789abcd\n\"}]", "size@1 ."},
	{"broken off, but too large before", "[]", "a", "[{\"a\":\"0123456789abcdefg", "size@1 ."},
	{"deep, but too large before", "[]", "a", "[{        \"abcd\":    [[]]}]", "size@1 ."},
	{"a string outside of rows", "r[]", "a", "{\"b\":\"0123456789abcdefgh\",\"r\":[]}", "end ."},
	{"a string outside of rows too large", "r[]", "a",
	"{\"b\":\"0123456789abcdefghi\",\"r\":[]}", "size@5 ."},
	{"a key too large", "r[]", "a", "{\"0123456789abcdefghi\":1,\"r\":[]}", "size@1 ."},
	{"a number as large as allowed", "r[]", "a", "{\"b\":1234567890123456789,\"r\":[]}", "end ."},
	{"a number too large", "r[]", "a", "{\"b\":12345678901234567890,\"r\":[]}", "size@5 ."},
	{"white space is not limited", "r[]", "a",
	"{                          \"r\" :                       []}", "end ."},
	{"a container outside of rows is not limited", "r[]", "a",
	"{\"b\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14],\"r\":[]}", "end ."},
	{"the array found in time", "r[]|", "a", "{\"b\":\"0123456\",\"r\":[{}],\"c\":\"01234567\"}",
	"row -; end ."},
	{"the array found too late", "r[]|", "a", "{\"b\":\"01234567\",\"r\":[{}]}", "size@0 ."},
};

/* Values outside of rows. */
static const Case outsides[] = {
	{"lasting, after the rows of their element", "r[].v[]>!r[].k,r[].k2", "a",
		"{\"r\":[{\"v\":[{\"a\":1}],\"k\":1,\"k2\":1},"
		"{\"v\":[{\"a\":2}]},{\"v\":[{\"a\":3}],\"k\":3}]}",
	"row #1 : - -; row #2 : #1 -; row #3 : #1 -; end + : #3 -"},
	{"lasting, in what is no row", "v[]|v[].v[]>!v[].k", "a",
		"{\"v\":[{\"v\":[{\"a\":1}],\"k\":1},{\"k\":2,\"v\":[{\"a\":2}]}]}",
	"row #1 : -; row #2 : #2; end + : #2"},
	{"lasting, in a row", "v[]|v[].v[]>!v[].k", "a",
		"{\"v\":[{\"a\":1,\"k\":1},{\"a\":2}]}",
	"row #1 : -; row #2 : -; end + : -"},
	{"like HiBob", "results[].values[]|results[].values[].values[]>results[].employeeId,response_metadata.next_cursor,errors", "id",
		"{\"results\":[{\"employeeId\":\"33\",\"values\":[{\"id\":1},"
		"{\"id\":2}]},{\"employeeId\":\"34\",\"values\":[{\"id\":3}]}],"
		"\"response_metadata\":{\"next_cursor\":\"abc\"},"
		"\"errors\":[{\"33\":{\"error\":\"MISSING_PERMISSION\","
		"\"message\":\"x\"}}]}",
	"row #1 : \"33\" - -; row #2 : \"33\" - -; row #3 : \"34\" - -; end "
	"+ : - \"abc\" A[{\"33\":{\"error\":\"MISSING_PERMISSION\","
	"\"message\":\"x\"}}]"},
	{"before the rows", "e[]>c", "a",
		"{\"c\":\"x\",\"e\":[{\"a\":1},{}]}",
	"row #1 : \"x\"; row - : \"x\"; end + : \"x\""},
	{"after the rows", "e[]>c", "a",
		"{\"e\":[{\"a\":1},{}],\"c\":\"x\"}",
	"row #1 : -; row - : -; end + : \"x\""},
	{"between rows", "x[]|y[]>c", "a",
		"{\"x\":[{\"a\":1}],\"c\":\"x\",\"y\":[{\"a\":2}]}",
	"row #1 : -; row #2 : \"x\"; end + : \"x\""},
	{"without rows", "e[]>c", "a",
		"{\"e\":[],\"c\":\"x\"}",
	"end . : \"x\""},
	{"every kind", "e[]>n,f,t,i,s,z,a,o,x", "a",
		"{\"n\":null,\"f\":false,\"t\":true,\"i\":-1.5e3,\"s\":\"s\",\"z\":\"\","
		"\"a\":[],\"o\":{},\"e\":[]}",
	"end . : null !false ?true #-1.5e3 \"s\" \"\" A[] O{} -"},
	{"null cursor", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"r\":[],\"meta\":{\"cursor\":null}}",
	"end . : - null"},
	{"a cursor that is a number", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"r\":[],\"meta\":{\"cursor\": 12 }}",
	"end . : - #12"},
	{"a cursor that is an object", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"r\":[],\"meta\":{\"cursor\": { \"a\" : \"}\" } }}",
	"end . : - O{ \"a\" : \"}\" }"},
	{"escapes in a cursor", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"r\":[],\"meta\":{\"cursor\":\"a\\\"b\\u0000\\/\\ud83d\"}}",
	"end . : - \"a\\\"b\\u0000\\/\\ud83d\"e0s"},
	{"flags are a string's own", "e[]>p,q", "a",
		"{\"e\":[],\"p\":\"\\n\",\"q\":[\"\\n\"]}",
	"end . : \"\\n\"e A[\"\\n\"]"},
	{"flags are the last value's", "e[]>p", "a",
		"{\"e\":[],\"p\":\"\\n\",\"p\":\"n\",\"q\":\"\\n\"}",
	"end . : \"n\""},
	{"escaped keys", "e[]>p.q", "a",
		"{\"e\":[],\"\\u0070\":{\"\\u0071\":1}}",
	"end . : #1"},
	{"no metadata", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"r\":[]}",
	"end . : - -"},
	{"metadata without a cursor", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"meta\":{\"x\":{\"cursor\":1}},\"cursor\":2,\"r\":[]}",
	"end . : - -"},
	{"metadata null", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"meta\":null,\"r\":[]}",
	"end . : - -"},
	{"metadata a string", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"meta\":\"cursor\",\"r\":[]}",
	"end . : - -"},
	{"metadata an array", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"meta\":[{\"cursor\":1},\"cursor\"],\"r\":[]}",
	"end . : - -"},
	{"keys on a way of their own", "e[]>a.b.c.d", "a",
		"{\"a\":{\"b\":{\"c\":{\"d\":1},\"x\":[]},\"c\":{\"d\":2}},\"e\":[],"
		"\"b\":{\"c\":{\"d\":3}}}",
	"end . : #1"},
	{"a value and one in it", "e[]>m,m.c,m.d.e", "a",
		"{\"m\":{\"c\":\"x\",\"d\":{\"e\":[1]}},\"e\":[]}",
	"end . : O{\"c\":\"x\",\"d\":{\"e\":[1]}} \"x\" A[1]"},
	{"a value in it, of another kind", "e[]>m,m.c", "a",
		"{\"m\":[{\"c\":1}],\"e\":[]}",
	"end . : A[{\"c\":1}] -"},
	{"the same place twice", "e[]>c,c", "a",
		"{\"c\":1,\"e\":[]}",
	"end . : #1 #1"},
	{"kept as it is", "e[]>errors", "a",
		"{\"e\":[{\"a\":1}],\"errors\": [ { \"]\" : \"[{\\\"\" } ,\n\t[ [ ] , { } ] "
		", \"}\" , null ] }",
	"row #1 : -; end + : A[ { \"]\" : \"[{\\\"\" } ,\n\t[ [ ] , { } ] , "
	"\"}\" , null ]"},
	{"the last of two keys wins", "e[]>c", "a",
		"{\"c\":\"long\",\"e\":[{\"a\":1}],\"c\":[2],\"c\":3}",
	"row #1 : \"long\"; end + : #3"},
	{"also if it is null", "e[]>c", "a",
		"{\"c\":[1],\"c\":null,\"e\":[]}",
	"end . : null"},
	{"the last of two objects wins", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"meta\":{\"cursor\":1},\"meta\":{},\"r\":[]}",
	"end . : - -"},
	{"the last one wins, null", "e[]>m.c,m", "a",
		"{\"m\":{\"c\":1},\"m\":null,\"e\":[]}",
	"end . : - null"},
	{"the last one wins, an array", "e[]>m.c", "a",
		"{\"m\":{\"c\":1},\"m\":[],\"e\":[]}",
	"end . : -"},
	{"the last one wins, within", "e[]>m.c,m.d,m", "a",
		"{\"m\":{\"c\":1,\"d\":1},\"m\":{\"d\":2},\"e\":[]}",
	"end . : - #2 O{\"d\":2}"},
	{"groups", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"r\":[{\"id\":\"1\",\"v\":[{\"a\":1},{\"a\":2}]},{\"id\":2,\"v\":[]},"
		"{\"id\":[\"3\"],\"v\":[{\"a\":3}]}]}",
	"row #1 : \"1\" -; row #2 : \"1\" -; row #3 : A[\"3\"] -; end + : - "
	"-"},
	{"a group without an id", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"r\":[{\"id\":\"1\",\"v\":[{\"a\":1}]},{\"v\":[{\"a\":2}]},{\"id\":\"3\","
		"\"v\":[{\"a\":3}]}]}",
	"row #1 : \"1\" -; row #2 : - -; row #3 : \"3\" -; end + : - -"},
	{"the id after the rows", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"r\":[{\"v\":[{\"a\":1}],\"id\":\"1\"},{\"v\":[{\"a\":2}],\"id\":\"2\"}]}",
	"row #1 : - -; row #2 : - -; end + : - -"},
	{"the id between the rows", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"r\":[{\"v\":[{\"a\":1}],\"id\":\"1\",\"v\":[{\"a\":2}]}]}",
	"row #1 : - -; shape@34 + : - -"},
	{"an id elsewhere", "r[].v[]>r[].id,meta.cursor", "a",
		"{\"id\":0,\"r\":[{\"x\":{\"id\":1},\"y\":[{\"id\":2}],\"v\":[{\"id\":3,"
		"\"a\":1}]}]}",
	"row #1 : - -; end + : - -"},
	{"below a group", "r[].v[]>r[].who.id,r[].who", "a",
		"{\"r\":[{\"who\":{\"id\":1},\"v\":[{\"a\":1}]},{\"who\":null,\"v\":[{}]},"
		"{\"who\":{},\"v\":[{}]}]}",
	"row #1 : #1 O{\"id\":1}; row - : - null; row - : - O{}; end + : "
	"- -"},
	{"groups of groups", "x[].y[].z[]>x[].i,x[].y[].i,i", "a",
		"{\"i\":0,\"x\":[{\"i\":1,\"y\":[{\"i\":2,\"z\":[{\"a\":1}]},"
		"{\"z\":[{\"a\":2}]}]},{\"y\":[{\"i\":3,\"z\":[{}]}]}]}",
	"row #1 : #1 #2 #0; row #2 : #1 - #0; row - : - #3 #0; end + : "
	"- - #0"},
	{"arrays of arrays", "[].v[]>[].i", "a",
		"[{\"i\":1,\"v\":[{\"a\":1}]},{\"v\":[{}]}]",
	"row #1 : #1; row - : -; end + : -"},
	{"an object around the rows", "x.v[]>x.i,x", "a",
		"{\"x\":{\"i\":1,\"v\":[{\"a\":1}]}}",
	"row #1 : #1 -; end + : #1 -"},
	{"that object twice", "x.v[]>x.i", "a",
		"{\"x\":{\"i\":1,\"v\":[]},\"x\":{\"v\":[{\"a\":1}]}}",
	"shape@24 . : -"},
	{"wrapped", "r[].v[]|r[].v[].v[]>r[].id,r[].v[].no,cursor", "a",
		"{\"r\":[{\"id\":\"1\",\"v\":[{\"no\":[\"x\"],\"v\":[{\"a\":1},{\"a\":2}]}]}],"
		"\"cursor\":\"c\"}",
	"row #1 : \"1\" A[\"x\"] -; row #2 : \"1\" A[\"x\"] -; end + : - - "
	"\"c\""},
	{"wrapped, after the rows", "r[].v[]|r[].v[].v[]>r[].id,r[].v[].no,cursor", "a",
		"{\"r\":[{\"id\":\"1\",\"v\":[{\"v\":[{\"a\":1}],\"no\":{},"
		"\"v\":[{\"a\":2}]}]}]}",
	"row #1 : \"1\" - -; shape@48 + : - - -"},
	{"wrapped, before and after", "r[].v[]|r[].v[].v[]>r[].id,r[].v[].no,cursor", "a",
		"{\"r\":[{\"id\":\"1\",\"v\":[{\"no\":1,\"v\":[{\"a\":1}],\"no\":2,"
		"\"v\":[{\"a\":2}]}]}]}",
	"row #1 : \"1\" #1 -; shape@54 + : - - -"},
	{"two wrappers", "r[].v[]|r[].v[].v[]>r[].id,r[].v[].no,cursor", "a",
		"{\"r\":[{\"id\":1,\"v\":[{\"no\":[\"x\"],\"v\":[{\"a\":1}]},"
		"{\"v\":[{\"a\":2}],\"no\":3},{\"no\":{\"y\":[]},\"v\":[{\"a\":3}]},"
		"{\"v\":[{\"a\":4}]}]}]}",
	"row #1 : #1 A[\"x\"] -; row #2 : #1 - -; row #3 : #1 O{\"y\":[]} "
	"-; row #4 : #1 - -; end + : - - -"},
	{"rows and wrappers", "r[].v[]|r[].v[].v[]>r[].id,r[].v[].no,cursor", "a,no",
		"{\"r\":[{\"id\":1,\"v\":[{\"no\":[1],\"a\":1},{\"no\":2,\"v\":[{\"no\":3,"
		"\"a\":2},{\"a\":3}]},{\"a\":4,\"v\":null,\"no\":4},{\"a\":5}]}]}",
	"row #1 A[1] : #1 - -; row #2 #3 : #1 #2 -; row #3 - : #1 #2 "
	"-; row #4 #4 : #1 - -; row #5 - : #1 - -; end ++ : - - -"},
	{"wrapped in groups without an id", "r[].v[]|r[].v[].v[]>r[].id,r[].v[].no,cursor", "a",
		"{\"r\":[{\"id\":1,\"v\":[{\"no\":1,\"v\":[]}]},"
		"{\"v\":[{\"v\":[{\"a\":1}]}]}]}",
	"row #1 : - - -; end + : - - -"},
	{"wanted in the row too", "r[].v[]|r[].v[].v[]>r[].v[].no,r[].v[].no.x", "no.x",
		"{\"r\":[{\"v\":[{\"no\":{\"x\":1}},{\"no\":{\"x\":2},"
		"\"v\":[{\"no\":{\"x\":3}}]}]}]}",
	"row #1 : - -; row #3 : O{\"x\":2} #2; end + : - -"},
	{"in the document's object", "|>x,y.z", "x",
		"{\"x\":1,\"y\":{\"z\":2}}",
	"row #1 : - -; end + : - -"},
	{"in a row of the array", "[]>[].x,x,[]", "x",
		"[{\"x\":1},{\"x\":2}]",
	"row #1 : - - -; row #2 : - - -; end + : - - -"},
	{"beside the array, not the object", "e[]|>x,y", "a",
		"{\"x\":[1],\"e\":[{\"a\":1}],\"y\":2}",
	"row #1 : A[1] -; end + : A[1] #2"},
	{"in the object, not beside the array", "e[]|>x,y", "a",
		"{\"x\":[1],\"e\":null,\"a\":1}",
	"row #1 : - -; end + : - -"},
	{"half the way", "a.b[]|c[]|>a.x,a", "a.x",
		"{\"a\":{\"x\":1},\"c\":[{\"a\":{\"x\":2}}]}",
	"row #2 : #1 -; end + : #1 -"},
	{"half the way, no object", "a.b[]|c[]|>a.x,a", "a",
		"{\"a\":{\"x\":1},\"a\":5,\"c\":[{\"a\":2}]}",
	"row #2 : - -; end + : - -"},
	{"where there could be an array", "a[]|c[]|>a.x", "a",
		"{\"a\":{\"x\":1},\"c\":[{\"a\":2}]}",
	"row #2 : #1; end + : #1"},
	{"beside an object", "e>x,e.x", "x",
		"{\"x\":1,\"e\":{\"x\":2},\"y\":3}",
	"row #2 : #1 -; end + : #1 -"},
	{"places where no value is", "r[].v[]>,r,r[],r[].v,r[].v[],x[],x[].y,r.x[].y,x[],.,[", "a",
		"{\"x\":[{\"y\":1}],\"r\":[{\"v\":[{}]}]}",
	"row - : - - - - - - - - - - -; end . : - - - - - - - - - - -"},
	{"no key of the rows, but a wanted one", "e[]>c", "a",
		"{\"c\":1}",
	"shape@6 . : -"},
	{"no key of the rows in a group", "r[].v[]>r[].id", "a",
		"{\"r\":[{\"id\":{}}]}",
	"shape@14 . : -"},
	{"no array but an object with a wanted key", "[]>c", "a",
		"{\"c\":1}",
	"shape@0 . : -"},
	{"no array but a wanted object", "e[]>e.c", "a",
		"{\"e\":{\"c\":1}}",
	"shape@5 . : -"},
	{"no array but null, wanted", "e[]>e", "a",
		"{\"e\":null}",
	"shape@5 . : -"},
	{"no object but null, with a wanted value in it", "x.v[]>x.i", "a",
		"{\"x\":null}",
	"shape@5 . : -"},
	{"no group but a number, with a wanted value in it", "r[].v[]>r[].i", "a",
		"{\"r\":[{\"i\":1,\"v\":[]},7]}",
	"shape@21 . : -"},
	{"nothing after a defect", "e[]>c", "a",
		"{\"c\":1,\"e\":[{}]]",
	"row - : #1; syntax@15 . : -"},
	{"broken in a wanted array", "e[]>c", "a",
		"{\"c\":[1,{\"x\":tru}],\"e\":[]}",
	"syntax@16 . : -"},
	{"the wrong bracket of a wanted array", "e[]>c", "a",
		"{\"c\":[1},\"e\":[]}",
	"syntax@7 . : -"},
	{"broken off in a wanted array", "e[]>c", "a",
		"{\"e\":[{}],\"c\":[1,",
	"row - : -; truncated@17 . : -"},
};

/* Likewise, with max_row 20 and max_depth 3. */
static const Case outside_limits[] = {
	{"a wanted container as large as allowed", "r[]>b", "a",
		"{\"b\": [1,2,3,4,5,6,7,8,90],\"r\":[]}",
	"end . : A[1,2,3,4,5,6,7,8,90]"},
	{"a wanted container too large", "r[]>b", "a",
		"{\"b\": [1,2,3,4,5,6,7,8,901],\"r\":[]}",
	"size@6 . : -"},
	{"after the rows too large", "r[]>b", "a",
		"{\"r\":[{}],\"b\":{              \"c\":1}}",
	"row - : -; size@14 . : -"},
	{"in a wanted container too large", "r[]>b,b.c", "a",
		"{\"b\":{\"c\":[1,2,3,4,5,6,7]},\"r\":[]}",
	"size@5 . : - -"},
	{"wanted, too large before it is broken", "r[]>b", "a",
		"{\"b\":[\"0123456789abcdefgh\n\"]}",
	"size@5 . : -"},
	{"wanted, broken before it is too large", "r[]>b", "a",
		"{\"b\":[\"0123456789abcdef\n\"]}",
	"syntax@23 . : -"},
	{"wanted, too large before it breaks off", "r[]>b", "a",
		"{\"b\":[1,2,3,4,5,6,7,8,9,0",
	"size@5 . : -"},
	{"a wanted string as large as allowed", "r[]>b", "a",
		"{\"b\":\"0123456789abcdefgh\",\"r\":[]}",
	"end . : \"0123456789abcdefgh\""},
	{"a large container in one on the path", "r[]>b.c", "a",
		"{\"b\":{\"d\":[1,2,3,4,5,6,7,8,9,10],\"c\":[2]},\"r\":[]}",
	"end . : A[2]"},
	{"wanted in what may be a row, too large", "v[]|>b", "a",
		"{\"b\":[1,2,3,4,5,6,7,8]}",
	"size@0 . : -"},
	{"a wanted array too deep", "r[]>b", "a",
		"{\"b\":[[[]]],\"r\":[]}",
	"depth@7 . : -"},
};

/*
 * Tests that are not cases
 */

static void
test_nul_bytes(void)
{
	static const char outside[] = "[\0]";
	static const char inside[] = "[{\"a\":\"x\0y\"}]";
	static const char text[] = "[]\0";
	Setup		setup;

	set_up(&setup, "[]", "a", 1000, 10);
	check_reading("a NUL byte", &setup, outside, 3, "syntax@1 .");
	check_reading("a NUL byte in a string", &setup, inside, 13, "syntax@8 .");
	check_reading("a NUL byte at the end", &setup, text, 3, "syntax@2 .");
	release_all();
}

/* Each byte at each position of a document: the same result for each cut. */
static void
test_every_byte(void)
{
	static const char document[] =
		"{\"e\":[{\"a\":-1.5e3,\"w\":{\"b\":\"\\ud83d\\ude00\\n\"},\"c\":[true,null]},{}]}";
	const size_t length = sizeof(document) - 1;
	char		changed[sizeof(document)];
	char	   *whole;
	char	   *pieces;
	Setup		setup;
	size_t		i;
	int			byte;
	bool		same = true;

	set_up(&setup, "e[]|", "a,w.b,c", 1000, 10);
	for (i = 0; i < length && same; i++)
	{
		for (byte = 0; byte < 256 && same; byte++)
		{
			memcpy(changed, document, sizeof(document));
			changed[i] = (char) byte;
			whole = transcribe(&setup, changed, length, cut_nowhere, false);
			pieces = transcribe(&setup, changed, length, cut_everywhere, false);
			same = strcmp(whole, pieces) == 0;
			if (!same)
				printf("# %s\n# whole: %s\n# pieces: %s\n", changed, whole, pieces);
			free(whole);
			free(pieces);
		}
	}
	check(same, "any byte anywhere", "in all places", "", "");
	release_all();
}

/* A control character and each plain one at each offset of a string. */
static void
test_string_bytes(void)
{
	char		document[128];
	char		expected[160];
	char	   *got;
	Setup		setup;
	int			byte;
	int			offset;
	int			bad = 0;

	set_up(&setup, "[]", "a", 1000, 10);
	for (offset = 0; offset < 40; offset++)
	{
		for (byte = 0; byte < 256; byte++)
		{
			memset(document, 'x', sizeof(document));
			memcpy(document, "[{\"a\":\"", 7);
			document[7 + offset] = (char) byte;
			memcpy(document + 47, "\"}]", 4);
			if (byte == '"' || byte == '\\')
				continue;
			if (byte < 0x20)
				snprintf(expected, sizeof(expected), "syntax@%d .",
						 7 + offset);
			else
				snprintf(expected, sizeof(expected), "row \"%.40s\"; end +",
						 document + 7);
			got = transcribe(&setup, document, 50, cut_nowhere, false);
			/* json_reader_is_present() remembers, so only what comes before counts */
			if (strncmp(got, expected, strlen(expected) - 1) != 0)
				bad++;
			free(got);
		}
	}
	check(bad == 0, "all bytes at all offsets of a string", "whole", "", "");
	release_all();
}

/* Feeds "n" times "unit" between "head" and "tail" in one-byte pieces. */
static void
test_linear(const char *name, const char *head, const char *unit, size_t n,
			const char *tail)
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
	set_up(&setup, "r[]>o", "a", length + 1, 10);
	start = clock();
	for (to = 1; to <= length; to++)
	{
		while ((result = json_reader_next(setup.reader, document + from,
										  to - from, to == length)) == JSON_ROW)
			rows++;
		if (result != JSON_MORE)
			break;
		i = json_reader_keep_from(setup.reader);
		json_reader_dropped(setup.reader, i);
		from += i;
	}
	seconds = (double) (clock() - start) / CLOCKS_PER_SEC;
	check(result == JSON_END && rows == 1, name, "one-byte pieces", "", "");
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

	test_linear("a large wanted string", "{\"r\":[{\"a\":\"",
				"x", n, "\"}]}");
	test_linear("a large unwanted string", "{\"r\":[{\"b\":\"",
				"x", n, "\"}]}");
	test_linear("a large string outside", "{\"b\":\"",
				"x", n, "\",\"r\":[{}]}");
	test_linear("a large key", "{\"r\":[{\"", "x", n, "\":1}]}");
	test_linear("a large number", "{\"r\":[{\"a\":", "1", n, "}]}");
	test_linear("many escapes", "{\"r\":[{\"a\":\"",
				"\\ud83d\\ude00", n / 12, "\"}]}");
	test_linear("a large escaped key", "{\"r\":[{\"",
				"\\u0061", n / 6, "\":1}]}");
	test_linear("much white space", "{\"r\":[{\"a\":", "\n", n, "1}]}");
	test_linear("many values", "{\"r\":[{\"a\":[", "1,", n / 2, "1]}]}");
	test_linear("a large wanted array outside", "{\"o\":[",
				"1,", n / 2, "1],\"r\":[{}]}");
	test_linear("many values outside", "{",
				"\"o\":[1],", n / 8, "\"r\":[{}]}");
	test_linear("many equal keys", "{\"r\":[{", "\"a\":1,", n / 6, "\"a\":1}]}");
}

static void
test_many_wants(void)
{
	char		key[16];
	const char *keys[1];
	char		document[20000];
	size_t		length = 0;
	Setup		setup;
	int			i;
	int			good = 0;
	const JsonSlice *slice;

	set_up(&setup, "", "", 100000, 10);
	length = (size_t) sprintf(document, "{");
	keys[0] = key;
	for (i = 0; i < 500; i++)
	{
		sprintf(key, "%d", i);
		good += (json_reader_want(setup.reader, keys, 1) == i);
		good += (json_reader_want(setup.reader, keys, 1) == i);
		length += (size_t) sprintf(document + length, "\"%d\":%d%s", 499 - i,
								   499 - i, i < 499 ? "," : "}");
	}
	check(good == 1000, "500 wanted values", "slots", "", "");
	check(json_reader_next(setup.reader, document, length, true) == JSON_ROW,
		  "500 wanted values", "row", "", "");
	good = 0;
	for (i = 0; i < 500; i++)
	{
		slice = json_reader_slice(setup.reader, i);
		good += (atoi(document + slice->start) == i);
	}
	check(good == 500, "500 wanted values", "values", "", "");
	release_all();
}

static void
test_restart(void)
{
	Setup		setup;
	char	   *got;

	set_up(&setup, "[]", "a,b", 1000, 10);
	json_reader_next(setup.reader, "[{\"a\":\"ab\\u00", 12, false);
	check(json_reader_keep_from(setup.reader) == 1,
		  "restart", "in a row", "", "");
	got = transcribe(&setup, "[{\"b\":2}]", 9, cut_nowhere, false);
	check(strcmp(got, "row - #2; end .+") == 0,
		  "restart", "in a string", got, "");
	free(got);
	got = transcribe(&setup, "[x", 2, cut_nowhere, false);
	check(strcmp(got, "syntax@1 .+") == 0,
		  "restart", "after the end", got, "");
	free(got);
	got = transcribe(&setup, "[{\"a\":1}]", 9, cut_nowhere, false);
	check(strcmp(got, "row #1 -; end ++") == 0,
		  "restart", "after a defect", got, "");
	free(got);
	release_all();
}

/* A restart at any position discards the values outside of rows. */
static void
test_outside_restart(void)
{
	static const char document[] =
		"{\"c\":\"1\",\"r\":[{\"i\":[2],\"v\":[{\"a\":1},{\"x\":[3],\"v\":[{}]}]}]}";
	const size_t length = sizeof(document) - 1;
	Setup		setup;
	char	   *got = NULL;
	size_t		cut;
	bool		good = true;

	set_up(&setup, "r[].v[]|r[].v[].v[]>c,r[].i,r[].v[].x", "a", 1000, 10);
	for (cut = 0; cut <= length && good; cut++)
	{
		json_reader_restart(setup.reader);
		json_reader_next(setup.reader, document, cut, false);
		json_reader_restart(setup.reader);
		good = json_reader_outside(setup.reader, 0)->kind == JSON_ABSENT;
		free(got);
		got = transcribe(&setup, "{\"r\":[{\"v\":[{}]}]}", 18, cut_nowhere,
						 false);
		/* json_reader_is_present() remembers, so it does not count */
		good = good && strncmp(got, "row - : - - -; end ", 19) == 0 &&
			strcmp(got + 20, " : - - -") == 0;
	}
	check(good, "restart", "values outside", got, "row - : - - -; end . : - - -");
	free(got);
	release_all();
}

/* How many bytes of memory a reader needs for "n" groups of values. */
static size_t
memory_of_groups(int n)
{
	static const char head[] = "{\"r\":[{\"v\":[]}";
	const size_t before = allocated;
	char		group[300];
	Setup		setup;
	size_t		length;
	int			good = 0;
	int			i;

	set_up(&setup, "r[].v[]|r[].v[].v[]>r[].i,r[].v[].x", "a", 1000, 10);
	json_reader_next(setup.reader, head, sizeof(head) - 1, false);
	json_reader_dropped(setup.reader, json_reader_keep_from(setup.reader));
	for (i = 0; i < n; i++)
	{
		length = (size_t) sprintf(group, ",{\"i\":\"%0*d\",\"v\":[{\"x\":[\"%0*d\"],"
								  "\"v\":[{}]}]}", i % 100 + 1, i,
								  i % 90 + 1, i);
		good += json_reader_next(setup.reader, group, length, false) == JSON_ROW;
		good += json_reader_next(setup.reader, group, length, false) == JSON_MORE;
		json_reader_dropped(setup.reader, length);
	}
	release_all();
	return (good == 2 * n) ? allocated - before : 0;
}

static void
test_outside_memory(void)
{
	const size_t few = memory_of_groups(100);
	const size_t many = memory_of_groups(1000000);

	check(few > 0, "a hundred groups", "rows", "", "");
	check(few == many, "a million groups", "no more memory", "", "");
	printf("# %lu bytes for a hundred groups, %lu for a million\n",
		   (unsigned long) few, (unsigned long) many);
}

/*
 * Rows that are similar except for a few random changes, as in responses.  In a
 * reading byte by byte the reader cannot use the layout of the previous row, so
 * the other readings are compared with that one.
 */
static void
append_drawn_value(Text *text, int depth)
{
	static const char *const values[] = {
		"null",
		"null",
		"true",
		"false",
		"0",
		"-12.5e3",
		"4711",
		"\"\"",
		"\"text\"",
		"\"more text, longer than sixteen bytes\"",
		"\"a \\\"quote\\\"\"",
		"[]",
		"{}",
		"[1,\"x\"]",
		"{\"c\":1,\"value\":2}",
		"{\"value\":\"v\"}"};
	const unsigned int n = sizeof(values) / sizeof(values[0]);

	append_string(text, values[draw(depth > 0 ? n : n - 5)]);
}

static void
append_drawn_object(Text *text, unsigned int rare, int depth)
{
	static const char *const keys[] = {
		"\"a\":",		"\"/a/b\":",
		"\"value\":",	"\"c\" : ",
		"\"b\":",		"\"d\":",
		"\"\\u0061\":", "\"key of more than sixteen bytes\":"};
	const char *separator = "{";
	unsigned int i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
	{
		if (draw(rare) == 0)
			continue;			/* is absent this time */
		append_string(text, separator);
		append_string(text, keys[draw(rare) == 0 ? draw(8) : i]);
		if (depth > 0 && i % 2 == 1 && draw(rare) != 0)
			append_drawn_object(text, rare, depth - 1);
		else
			append_drawn_value(text, depth);
		separator = draw(rare) == 0 ? ", " : ",";
	}
	append_string(text, strcmp(separator, "{") == 0 ? "{}" : "}");
}

static Text
draw_similar_rows(unsigned int rare, const char *start, const char *end)
{
	Text		text = {NULL, 0};
	unsigned int rows = 2 + draw(12);
	unsigned int i;

	append_string(&text, start);
	for (i = 0; i < rows; i++)
	{
		append_string(&text, i == 0 ? "" : ",");
		append_drawn_object(&text, rare, 2);
	}
	append_string(&text, end);
	if (draw(3) == 0)			/* a defect, most of the time */
		text.bytes[draw((unsigned int) text.length)] =
			"{}[],:\"\\0nx "[draw(12)];
	return text;
}

static void
test_similar_rows(void)
{
	static const char *const shapes[][3] = {
		{"e[]", "{\"e\":[", "]}"},
		{"r[].v[]|r[].v[].b[]>r[].i,r[].v[].d", "{\"r\":[{\"i\":1,\"v\":[",
		 "]}]}"},
		{"[]|>a", "[", "]"}};
	const int	documents = 600;
	int			same = 0;
	int			i;

	for (i = 0; i < documents; i++)
	{
		const char *const *shape = shapes[i % 3];
		Text		text = draw_similar_rows(3 + draw(30), shape[1], shape[2]);
		Setup		setup;
		char	   *expected;
		char	   *whole;
		char	   *pieces;

		set_up(&setup, shape[0], "a,/a/b.value,b,b.c,d.d.value,@",
			   draw(4) == 0 ? 200 : 100000, draw(4) == 0 ? 4 : 10);
		expected =
			transcribe(&setup, text.bytes, text.length, cut_everywhere, false);
		whole = transcribe(&setup, text.bytes, text.length, cut_nowhere, false);
		pieces =
			transcribe(&setup, text.bytes, text.length, cut_in_chunks, true);
		if (strcmp(expected, whole) == 0 && strcmp(expected, pieces) == 0)
			same++;
		else
			printf("# %s\n# bytes: %s\n# whole: %s\n# pieces: %s\n", text.bytes,
				   expected, whole, pieces);
		free(expected);
		free(whole);
		free(pieces);
		free(text.bytes);
		release_all();
	}
	check(same == documents, "similar rows", "as byte by byte", "", "");
}

/* Reads rows in both ways of learning a layout, and in the other way. */
static void
check_rows(const char *name, const Setup *setup, const Text *text)
{
	char	   *expected = transcribe(setup, text->bytes, text->length,
									  cut_everywhere, false);
	char	   *whole = transcribe(setup, text->bytes, text->length,
								   cut_nowhere, false);
	char	   *pieces = transcribe(setup, text->bytes, text->length,
									cut_in_chunks, true);

	check(strcmp(expected, whole) == 0, name, "whole", whole, expected);
	check(strcmp(expected, pieces) == 0, name, "in chunks", pieces, expected);
	free(expected);
	free(whole);
	free(pieces);
}

/* Paths of the maximum length of a column's option, and longer ones. */
static void
test_deep_wants(void)
{
	char		path[200];
	char		name[40];
	int			depth;
	int			i;
	int			j;

	for (depth = 2; depth <= 60; depth += (depth < 20) ? 1 : 8)
	{
		Text		text = {NULL, 0};
		Setup		setup;

		path[0] = '\0';
		for (i = 0; i < depth; i++)
			strcat(path, i == 0 ? "a" : ".a");
		strcat(path, ",a.b,z");
		set_up(&setup, "e[]", path, 100000, 64);
		append_string(&text, "{\"e\":[");
		for (i = 0; i < 12; i++)
		{
			char		value[40];

			append_string(&text, i == 0 ? "{\"x\":0" : ",{\"x\":0");
			for (j = 0; j < depth; j++)
				append_string(&text, j == 0 ? ",\"a\":" : "{\"a\":");
			sprintf(value, "\"value %d\"", i);
			append_string(&text, value);
			for (j = 1; j < depth; j++)
				append_string(&text, j == depth - 1 ? ",\"b\":true}" : "}");
			append_string(&text, i % 5 == 4 ? ",\"y\":[],\"z\":1}" :
						  ",\"z\":1}");
		}
		append_string(&text, "]}");
		sprintf(name, "a wanted path of %d keys", depth);
		check_rows(name, &setup, &text);
		free(text.bytes);
		release_all();
	}
}

/* More bytes between requested values than a block of the layout has. */
static void
test_long_stretches(void)
{
	static const int sizes[] = {100, 5000, 16300, 16400, 20000, 300000};
	size_t		i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		Text		text = {NULL, 0};
		Setup		setup;
		char		name[40];
		int			row;
		int			j;

		set_up(&setup, "[]", "a,b", 1000000, 10);
		append_string(&text, "[");
		for (row = 0; row < 4; row++)
		{
			append_string(&text, row == 0 ? "{\"a\":1,\"x\":[" :
						  ",{\"a\":1,\"x\":[");
			for (j = 0; j < sizes[i]; j += 10)
				append_string(&text, "null,true,");
			append_string(&text, "null],\"b\":2}");
		}
		append_string(&text, "]");
		sprintf(name, "%d bytes between values", sizes[i]);
		check_rows(name, &setup, &text);
		free(text.bytes);
		release_all();
	}
}

static void
test_odd_calls(void)
{
	Setup		setup;
	JsonReader *reader;

	set_up(&setup, "[]", "a", 1000, 10);
	reader = setup.reader;
	check(json_reader_next(reader, NULL, 0, false) == JSON_MORE,
		  "no window", "more", "", "");
	check(json_reader_next(reader, "[]", 2, false) == JSON_MORE,
		  "complete, but not the last piece", "more", "", "");
	json_reader_dropped(reader, json_reader_keep_from(reader));
	check(json_reader_next(reader, NULL, 0, true) == JSON_END,
		  "nothing more", "end", "", "");
	check(json_reader_next(reader, NULL, 0, true) == JSON_END,
		  "nothing more", "end again", "", "");
	release_all();

	set_up(&setup, "[x|[|a[b", "a", 0, -1);
	check(json_reader_next(setup.reader, "{}", 2, true) == JSON_BAD &&
		  json_reader_defect(setup.reader)->kind == JSON_DEFECT_DEPTH,
		  "no depth, and no proper pattern", "depth", "", "");
	release_all();
}

int
main(void)
{
	RUN(values, 1000, 10);
	RUN(paths, 1000, 10);
	RUN(shapes, 1000, 10);
	RUN(defects, 1000, 10);
	RUN(limits, 20, 3);
	RUN(outsides, 1000, 10);
	RUN(outside_limits, 20, 3);
	test_nul_bytes();
	test_every_byte();
	test_string_bytes();
	test_all_linear();
	test_many_wants();
	test_restart();
	test_outside_restart();
	test_outside_memory();
	test_similar_rows();
	test_deep_wants();
	test_long_stretches();
	test_odd_calls();
	printf("1..%d\n", checks);
	return failures > 0;
}
