/*
 * lookup.c
 *		Measures what a lookup of one employee costs beyond its HTTP exchange,
 *		and the time to the first row.
 *
 *	bench_lookup SERVER-URL TIMES
 *
 * Connects to the database of the environment, where bench.py has created the
 * tables, and alternates between the HTTP exchange alone, with libcurl on an
 * open connection, the same lookup in SQL, as text and prepared, and a lookup in
 * a local table, which shows the cost of a session.  The time to the first row
 * is measured from when the server sends the first employee.
 *
 * Prints a JSON object: medians and 90th percentiles in milliseconds.
 */
#include <curl/curl.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ID "3332883884017713238"
#define SELECT_FROM "SELECT id, email, full_name, status, start_date FROM "
#define REQUEST "{\"fields\":[\"root.id\",\"root.email\",\"root.fullName\"," \
	"\"internal.status\",\"work.startDate\"]}"

static const char *server;
static CURL *exchange;
static CURL *clock_of_server;
static PGconn *session;
static char answer[64];

static void
die(const char *what)
{
	fprintf(stderr, "bench_lookup: %s\n", what);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static size_t
keep_answer(char *data, size_t size, size_t count, void *arg)
{
	snprintf(answer, sizeof(answer), "%.*s", (int) (size * count), data);
	return size * count;
}

static CURL *
open_exchange(const char *path, const char *body)
{
	CURL	   *easy = curl_easy_init();
	char		url[512];

	snprintf(url, sizeof(url), "%s%s", server, path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_answer);
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	if (body != NULL)
	{
		curl_easy_setopt(easy, CURLOPT_USERPWD, "SERVICE-5772:token");
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
	}
	return easy;
}

/* Requires exactly one row. */
static void
expect_row(PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		die(PQresultErrorMessage(result));
	PQclear(result);
}

static void
run(const char *sql)
{
	PGresult   *result = PQexec(session, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die(PQresultErrorMessage(result));
	PQclear(result);
}

static void
bare_exchange(void)
{
	CURLcode	code = curl_easy_perform(exchange);

	if (code != CURLE_OK)
		die(curl_easy_strerror(code));
}

static void
foreign_text(void)
{
	expect_row(PQexec(session, SELECT_FROM "one WHERE id = '" ID "'"));
}

static void
foreign_prepared(void)
{
	expect_row(PQexecPrepared(session, "foreign_one", 0, NULL, NULL, NULL, 0));
}

static void
local_text(void)
{
	expect_row(PQexec(session, SELECT_FROM "local_one WHERE id = '" ID "'"));
}

static void
local_prepared(void)
{
	expect_row(PQexecPrepared(session, "local_one", 0, NULL, NULL, NULL, 0));
}

static const struct
{
	const char *name;
	void		(*run) (void);
}			things[] = {
	{"bare_exchange", bare_exchange},
	{"foreign_text", foreign_text},
	{"foreign_prepared", foreign_prepared},
	{"local_text", local_text},
	{"local_prepared", local_prepared}
};

#define THINGS (sizeof(things) / sizeof(things[0]))

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
print_times(const char *name, double *times, int n)
{
	qsort(times, (size_t) n, sizeof(double), compare);
	printf("\"%s\": {\"median\": %.4f, \"p90\": %.4f}", name, times[n / 2],
		   times[n * 9 / 10]);
}

static void
measure_lookups(int n)
{
	double	   *times = calloc(THINGS * (size_t) n, sizeof(double));

	for (int i = -n / 10; i < n; i++)	/* warm-up */
		for (size_t thing = 0; thing < THINGS; thing++)
		{
			uint64_t	start = now_ns();

			things[thing].run();
			if (i >= 0)
				times[thing * (size_t) n + (size_t) i] =
					(double) (now_ns() - start) / 1e6;
		}
	for (size_t thing = 0; thing < THINGS; thing++)
	{
		print_times(things[thing].name, times + thing * (size_t) n, n);
		printf(",\n");
	}
	free(times);
}

static double
first_row(void)
{
	uint64_t	end;

	run("BEGIN");
	run("DECLARE c CURSOR FOR SELECT * FROM trickle");
	expect_row(PQexec(session, "FETCH 1 FROM c"));
	end = now_ns();
	run("COMMIT");
	if (curl_easy_perform(clock_of_server) != CURLE_OK)
		die("the server's clock cannot be read");
	return (double) (end - strtoull(answer, NULL, 10)) / 1e6;
}

int
main(int argc, char **argv)
{
	int			n = argc == 3 ? atoi(argv[2]) : 0;
	double	   *times;

	if (n < 10)
		die("usage: bench_lookup SERVER-URL TIMES");
	server = argv[1];
	curl_global_init(CURL_GLOBAL_ALL);
	exchange = open_exchange("/one/v1/people/" ID, REQUEST);
	clock_of_server = open_exchange("/trickled", NULL);
	session = PQconnectdb("");
	if (PQstatus(session) != CONNECTION_OK)
		die(PQerrorMessage(session));
	PQclear(PQprepare(session, "foreign_one",
					  SELECT_FROM "one WHERE id = '" ID "'", 0, NULL));
	PQclear(PQprepare(session, "local_one",
					  SELECT_FROM "local_one WHERE id = '" ID "'", 0, NULL));

	printf("{");
	measure_lookups(n);
	n = n / 10 < 30 ? n / 10 : 30;
	times = calloc((size_t) n, sizeof(double));
	for (int i = 0; i < n; i++)
		times[i] = first_row();
	print_times("first_row", times, n);
	printf("}\n");
	PQfinish(session);
	return 0;
}
