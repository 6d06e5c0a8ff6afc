/*
 * parsers.c
 *		Measures how long it takes to read some values of a body in memory, with
 *		this extension's reader and in two ways with json-c.
 *
 *	bench_parsers sum|reader|tree|elements BODY COLUMN...
 *
 * "sum" only reads each byte, which is a lower bound; "reader" is the
 * extension's reader; "tree" builds json-c's tree of the whole document;
 * "elements" builds a tree for each employee, the only way of json-c with
 * constant memory.  A column is the dotted path of a value.
 *
 * Prints the seconds, the number of employees, and the number of values that are
 * neither absent nor null, which shows whether all of them find the same.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reader/json_reader.h"

#define WINDOW (64 * 1024)		/* about the size of the reader's window */

typedef struct Outcome
{
	uint64_t	employees;
	uint64_t	values;
} Outcome;

static const char *body;
static size_t length;
static char **columns;
static int	ncolumns;

static void
die(const char *what)
{
	fprintf(stderr, "bench_parsers: %s\n", what);
	exit(1);
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static Outcome
sum_bytes(void)
{
	Outcome		outcome = {0};
	uint64_t	word;

	for (size_t i = 0; i + sizeof(word) <= length; i += sizeof(word))
	{
		memcpy(&word, body + i, sizeof(word));
		outcome.values += word;
	}
	outcome.values = outcome.values == 1;	/* keeps the compiler from removing the loop */
	return outcome;
}

/* ------------------------------------------------------------------------
 * The extension's reader
 * ------------------------------------------------------------------------
 */

static void *
zeroed(size_t size)
{
	return calloc(1, size);
}

static void
want_columns(JsonReader *reader, int *slots)
{
	for (int i = 0; i < ncolumns; i++)
	{
		char	   *copy = strdup(columns[i]);
		const char *keys[16];
		int			nkeys = 0;

		for (char *key = strtok(copy, "."); key != NULL && nkeys < 16;
			 key = strtok(NULL, "."))
			keys[nkeys++] = key;
		slots[i] = json_reader_want(reader, keys, nkeys);
	}
}

static Outcome
read_rows(void)
{
	static const char *const rows[] = {"employees[]", NULL};
	const JsonShape shape = {.rows = rows, .max_row = 8 << 20,
		.max_depth = 64};
	JsonReader *reader = json_reader_create(&shape, zeroed);
	Outcome		outcome = {0};
	size_t		start = 0;
	size_t		end = length < WINDOW ? length : WINDOW;
	int		   *slots = calloc((size_t) ncolumns, sizeof(int));

	want_columns(reader, slots);
	for (;;)
	{
		size_t		keep;

		switch (json_reader_next(reader, body + start, end - start,
								 end == length))
		{
			case JSON_ROW:
				outcome.employees++;
				for (int i = 0; i < ncolumns; i++)
					outcome.values +=
						json_reader_slice(reader, slots[i])->kind > JSON_NULL;
				break;
			case JSON_MORE:
				keep = json_reader_keep_from(reader);
				json_reader_dropped(reader, keep);
				start += keep;
				end = length - end < WINDOW ? length : end + WINDOW;
				break;
			case JSON_END:
				return outcome;
			case JSON_BAD:
				die(json_reader_defect(reader)->message);
		}
	}
}

/* ------------------------------------------------------------------------
 * json-c
 * ------------------------------------------------------------------------
 */

/* Reads the columns from an employee's tree, as text. */
static void
take_values(struct json_object *employee, Outcome *outcome)
{
	outcome->employees++;
	for (int i = 0; i < ncolumns; i++)
	{
		struct json_object *at = employee;
		char		path[256];
		char	   *rest;

		snprintf(path, sizeof(path), "%s", columns[i]);
		for (char *key = strtok_r(path, ".", &rest); key != NULL && at != NULL;
			 key = strtok_r(NULL, ".", &rest))
			if (!json_object_object_get_ex(at, key, &at))
				at = NULL;
		outcome->values += at != NULL && json_object_get_string(at) != NULL;
	}
}

static Outcome
read_tree(void)
{
	Outcome		outcome = {0};
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *document;
	struct json_object *employees;

	if (length > INT32_MAX)
		die("json-c cannot take more than 2 GB at once");
	document = json_tokener_parse_ex(tokener, body, (int) length);
	if (document == NULL ||
		!json_object_object_get_ex(document, "employees", &employees))
		die("no employees");
	for (size_t i = 0; i < json_object_array_length(employees); i++)
		take_values(json_object_array_get_idx(employees, i), &outcome);
	json_object_put(document);
	json_tokener_free(tokener);
	return outcome;
}

static Outcome
read_elements(void)
{
	Outcome		outcome = {0};
	struct json_tokener *tokener = json_tokener_new();
	const char *end = body + length;
	const char *p = memchr(body, '[', length);

	while (p != NULL && p < end && *p != ']')
	{
		size_t		left = (size_t) (end - ++p);
		struct json_object *employee =
			json_tokener_parse_ex(tokener, p, left > INT32_MAX ? INT32_MAX :
								  (int) left);

		if (employee == NULL)
			die("not an employee");
		take_values(employee, &outcome);
		json_object_put(employee);
		p += json_tokener_get_parse_end(tokener);
		json_tokener_reset(tokener);
	}
	json_tokener_free(tokener);
	return outcome;
}

static void
load_body(const char *path)
{
	int			file = open(path, O_RDONLY);
	struct stat status;

	if (file < 0 || fstat(file, &status) != 0)
		die(path);
	length = (size_t) status.st_size;
	body = mmap(NULL, length, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
	if (body == MAP_FAILED)
		die(path);
}

int
main(int argc, char **argv)
{
	static const struct
	{
		const char *name;
		Outcome		(*run) (void);
	}			ways[] = {
		{"sum", sum_bytes}, {"reader", read_rows}, {"tree", read_tree},
		{"elements", read_elements}
	};

	if (argc < 4)
		die("usage: bench_parsers sum|reader|tree|elements BODY COLUMN...");
	load_body(argv[2]);
	columns = argv + 3;
	ncolumns = argc - 3;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
	{
		double		start = now();
		Outcome		outcome;

		if (strcmp(ways[i].name, argv[1]) != 0)
			continue;
		outcome = ways[i].run();
		printf("%.6f %" PRIu64 " %" PRIu64 "\n", now() - start,
			   outcome.employees, outcome.values);
		return 0;
	}
	die("no such way");
}
