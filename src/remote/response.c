/*
 * response.c
 *		The rows of a request's answers.
 *
 * The reader works on the bytes where the channel keeps them.  When it wants
 * more, what it has done with is dropped and the exchange is asked to go on;
 * when an exchange starts anew, so does the reader.  As soon as one row has
 * been handed out, the exchange may not start anew any more.
 *
 * What stands around the rows (cursors, groups, errors) is in response_metadata.c.
 */
#include "postgres.h"

#include "reader/json_doc.h"
#include "reader/named_lists.h"
#include "remote/report_download.h"
#include "remote/response.h"
#include "remote/response_metadata.h"
#include "session/stats.h"

/*
 * The one status of an answer with rows: 206, for one, would be a part of them,
 * and 202 none yet.
 */
#define STATUS_OF_ROWS 200

/* How much of the body of an answer that is an error is looked at. */
#define MAX_ERROR_BODY (64 * 1024)

struct Response
{
	MemoryContext context;		/* of what lasts longer than a row */
	MemoryContext call_context; /* of the present call's first page, */
	MemoryContext page_contexts[2]; /* and of its others, in turn */
	int			pages;			/* of the present call, after the first */
	const ErrorSubject *subject;
	AcquiredChannel *acquired;
	Request    *request;
	RowMap	   *map;
	ExchangeCounters *counters;
	ResponseFindings *findings;
	bool		prefetch;
	bool		hurry;
	RowReader	reader;
	ResponseMetadata metadata;
	RowRecord	record;
	RowField	filter_field;	/* of the values, if there are several batches */

	/* The present answer. */
	RequestCall call;
	StatsEntry *stats;			/* of its endpoint */
	Exchange	exchange;
	bool		open;
	bool		whole;			/* its last byte has come */
	bool		dropped;		/* its first byte is not there any more */
	bool		answered;		/* some byte has come, of any answer */
	bool		polled;			/* it was looked for without being used: */
	ExchangeResult early;		/* what came of that */
	int			attempt;		/* which one the reader is reading */
	uint64		rows;			/* of it */
	uint64		barren_bytes;	/* since its last row, or its beginning */
	int			barren_pages;	/* without a row, up to the one before it */
	char	   *page;			/* the cursor of a page not yet asked for */
	ReportWait	report;

	/* A document that is read as a whole, in other words; NULL: none. */
	char	   *text;
	size_t		text_length;
};

Response *
response_create(const ErrorSubject *subject, AcquiredChannel *acquired,
				Request *request, RowMap *map, ExchangeCounters *counters,
				ResponseFindings *findings, bool prefetch)
{
	Response   *response = palloc0(sizeof(Response));

	response->context = CurrentMemoryContext;
	response->call_context =
		AllocSetContextCreate(CurrentMemoryContext, "hibob_fdw call",
							  ALLOCSET_SMALL_SIZES);
	for (int i = 0; i < 2; i++)
		response->page_contexts[i] =
			AllocSetContextCreate(CurrentMemoryContext, "hibob_fdw page",
								  ALLOCSET_SMALL_SIZES);
	response->subject = subject;
	response->acquired = acquired;
	response->request = request;
	response->map = map;
	response->counters = counters;
	response->findings = findings;
	response->prefetch = prefetch;
	return response;
}

void
response_hurry(Response *response)
{
	response->hurry = true;
}

/* ------------------------------------------------------------------------
 * Opening and closing
 * ------------------------------------------------------------------------
 */

static void *
reader_alloc(size_t size)
{
	return palloc0(size);
}

/*
 * Makes the reader, which serves all answers: they have one shape.
 */
static void
create_reader(Response *response)
{
	const Resource *resource = response->map->resource;
	const JsonShape shape = {.rows = response->call.rows,
		.max_row = RESPONSE_MAX_ROW, .max_depth = RESPONSE_MAX_DEPTH};

	if (resource->form == ROW_CSV)
		response->reader.csv = csv_reader_create(RESPONSE_MAX_ROW,
												 reader_alloc);
	else
	{
		response->reader.json = json_reader_create(&shape, reader_alloc);
		response_metadata_register(&response->metadata, resource,
								   response->reader.json);
	}
	row_map_register(response->map, &response->reader);
	response->record.reader = &response->reader;
	if (request_has_batches(response->request))
		row_field_register(&response->filter_field, &response->reader,
						   request_filter_field(response->request));
}

/* Refused credentials are not shown again for a while. */
static void
check_refused(const Response *response)
{
	if (!connection_is_rejected(response->acquired->connection))
		return;
	stats_note_error(response->stats, "credentials refused a while ago");
	error_refused(response->subject, NULL);
}

/* Prepares the exchange for the present call. */
static void
start_exchange(Response *response)
{
	Connection *connection = response->acquired->connection;
	const ServerOptions *options = connection_options(connection);
	HttpRequest http;
	ExchangePolicy policy;

	response->stats = stats_entry(connection_server(connection),
								  connection_server_name(connection),
								  response->call.method,
								  response->call.endpoint);
	check_refused(response);
	connection_request(connection, response->call.method,
					   response->call.path, &http);
	http.body = response->call.body;
	http.any_type = response->map->resource->form == ROW_CSV;
	http.plain = http.any_type; /* JSON tells by itself whether it is whole */
	policy.max_retries = response->hurry ? Min(options->max_retries, 1) :
		options->max_retries;
	policy.max_rate_limit_wait = response->hurry ? 0 :
		options->max_rate_limit_wait;
	policy.ignore_rate_limit = response->hurry;
	policy.connection = connection;
	policy.limiter = connection_limiter(connection, response->call.endpoint);
	policy.counters = response->counters;
	policy.totals = &response->stats->counters;
	exchange_init(&response->exchange, response->acquired->channel, &http,
				  &policy);
	response->open = true;
	response->whole = false;
	response->dropped = false;
	response->polled = false;
	response->attempt = 0;
	response->rows = 0;
	response->barren_bytes = 0;
	if (response->reader.json != NULL || response->reader.csv != NULL)
		row_reader_restart(&response->reader);
}

/*
 * Takes the next request of the sequence.  False if there is none.
 */
static bool
open_next(Response *response)
{
	MemoryContext old;

	MemoryContextReset(response->call_context);
	response->pages = 0;
	response->barren_pages = 0;
	response->text = NULL;
	old = MemoryContextSwitchTo(response->call_context);
	if (!request_next(response->request, &response->call))
	{
		MemoryContextSwitchTo(old);
		return false;
	}
	start_exchange(response);
	MemoryContextSwitchTo(response->context);
	if (response->reader.json == NULL && response->reader.csv == NULL)
		create_reader(response);
	MemoryContextSwitchTo(old);
	response_metadata_begin(&response->metadata, response->call_context);
	memcpy(response->record.given, response->call.given,
		   sizeof(response->record.given));
	return true;
}

/* Where what belongs to the present page alone is kept. */
static MemoryContext
page_context(const Response *response)
{
	return response->pages == 0 ? response->call_context :
		response->page_contexts[response->pages % 2];
}

/*
 * Asks for the next page of the same rows.  Its cursor came with the present
 * one, so the texts of both are there until then, and no more.
 */
static void
open_page(Response *response)
{
	MemoryContext old;

	response->pages++;
	MemoryContextReset(page_context(response));
	old = MemoryContextSwitchTo(page_context(response));
	request_turn_page(response->request, &response->call, response->page);
	response->page = NULL;
	start_exchange(response);
	MemoryContextSwitchTo(old);
}

static void
close_answer(Response *response)
{
	exchange_stop(&response->exchange);
	response->open = false;
}

void
response_stop(Response *response)
{
	if (response->open)
		close_answer(response);
}

/* ------------------------------------------------------------------------
 * Errors
 * ------------------------------------------------------------------------
 */

static ErrorProgress
progress_of(const Response *response)
{
	ErrorProgress progress;

	progress.bytes = http_channel_received(response->acquired->channel);
	progress.rows = response->rows;
	return progress;
}

/* The first bytes of the present answer, if they are still there. */
static ErrorResponse
answer_of(const Response *response)
{
	HttpChannel *channel = response->acquired->channel;
	HttpWindow	window = http_channel_window(channel);
	ErrorResponse answer;

	answer.status = http_channel_status(channel);
	answer.content_type = http_channel_content_type(channel);
	answer.body = window.data;
	answer.length = response->dropped ? 0 : Min(window.length, MAX_ERROR_BODY);
	return answer;
}

static void
raise_defect(Response *response, const JsonDefect *defect)
{
	ErrorResponse answer = answer_of(response);
	ErrorProgress progress = progress_of(response);

	stats_note_error(response->stats, "an answer that cannot be read");
	http_channel_force_reconnect(response->acquired->channel);
	error_body(response->subject, &answer, defect, &progress);
}

/* For the statistics, which do not show what may be anybody's. */
static const char *
failure_words(HttpFailure failure)
{
	switch (failure)
	{
		case HTTP_BROKEN:
			return "an answer that broke off";
		case HTTP_SILENT:
			return "silence for too long";
		case HTTP_UNTRUSTED:
			return "a certificate that is not trusted";
		case HTTP_INTERNAL:
			return "an internal error of libcurl";
		default:
			return "no connection";
	}
}

static void
raise_failure(const Response *response, HttpFailure failure, const char *text)
{
	ErrorProgress progress = progress_of(response);

	stats_note_error(response->stats, failure_words(failure));
	error_transport(response->subject, failure, text, &progress);
}

static void
raise_status(const Response *response, const ErrorResponse *answer)
{
	char		words[STATS_ERROR_SIZE];

	snprintf(words, sizeof(words), "status %d", answer->status);
	stats_note_error(response->stats, words);
	error_status(response->subject, answer, response->call.thing);
}

static void
raise_rate_limited(const Response *response)
{
	RateLimit	limit = limiter_state(response->exchange.policy.limiter);

	stats_note_error(response->stats, "the rate limit is used up");
	error_rate_limited(response->subject, &limit);
}

/* The answer is JSON, but not as it should be. */
static void
raise_shape(Response *response, const char *message)
{
	JsonDefect	defect = {JSON_DEFECT_SHAPE, message, 0};

	raise_defect(response, &defect);
}

/* ------------------------------------------------------------------------
 * Bytes
 * ------------------------------------------------------------------------
 */

/*
 * JSON tells by itself whether it is whole; of CSV only HTTP can tell, and an
 * answer that ends by closing the connection does not.
 */
static void
check_end(const Response *response)
{
	HttpChannel *channel = response->acquired->channel;

	if (response->reader.csv == NULL || http_channel_status(channel) != 200 ||
		http_channel_end_is_known(channel))
		return;
	raise_failure(response, HTTP_BROKEN,
				  "the connection was closed, and the answer had announced no end");
}

/*
 * Another request's answer may tell, before this one is sent, that it would be
 * refused.
 */
static ExchangeResult
go_on(Response *response, bool sleep)
{
	Exchange   *exchange = &response->exchange;
	ExchangeResult result;

	for (;;)
	{
		if (exchange_is_unsent(exchange))
			check_refused(response);
		result = exchange_poll(exchange);
		if (result != EXCHANGE_WAITING || !sleep)
			return result;
		exchange_wait_any(&exchange, 1);
	}
}

/*
 * Lets the exchange go on, and raises its errors.  False if there is nothing
 * new without sleeping.
 */
static bool
await(Response *response, bool sleep)
{
	HttpChannel *channel = response->acquired->channel;
	ExchangeResult result = response->early;

	if (!response->polled || result == EXCHANGE_WAITING)
		result = go_on(response, sleep);
	response->polled = false;

	if (response->exchange.attempt != response->attempt)
	{
		response->attempt = response->exchange.attempt;
		response->dropped = false;
		row_reader_restart(&response->reader);
	}
	switch (result)
	{
		case EXCHANGE_WAITING:
			return false;
		case EXCHANGE_BYTES:
			break;
		case EXCHANGE_END:
			check_end(response);
			response->whole = true;
			break;
		case EXCHANGE_FAILED:
			raise_failure(response, http_channel_failure(channel),
						  http_channel_failure_text(channel));
			break;
		case EXCHANGE_RATE_LIMITED:
			raise_rate_limited(response);
			break;
	}
	response->answered = true;
	return true;
}

static bool
has_type(const ErrorResponse *answer, const char *type)
{
	return answer->content_type != NULL &&
		pg_strncasecmp(answer->content_type, type, strlen(type)) == 0;
}

static bool
is_web_page(const ErrorResponse *answer)
{
	return has_type(answer, "text/html");
}

/* HiBob's specification calls CSV JSON, too, so its first byte counts. */
static bool
is_json(const ErrorResponse *answer)
{
	return has_type(answer, "application/json") && answer->length > 0 &&
		(answer->body[0] == '{' || answer->body[0] == '[');
}

/*
 * Whether status 404 is no error.  One of the people that HiBob has just named
 * may have gone; if it knows none of a few of them, it is the resource that is
 * not there.
 */
static bool
may_be_absent(Response *response)
{
	const uint64 few = 3;
	ResponseFindings *findings = response->findings;

	if (response->call.absence == ABSENT_UNSURE)
		findings->unsure++;
	if (response->call.absence != ABSENT_GONE)
		return response->call.absence != ABSENT_REFUSED;
	findings->absent++;
	return findings->answers > 0 ||
		(findings->absent < few && request_has_more(response->request));
}

/*
 * Deals with a status that is no success: an error, but for the one thing that
 * is not there.  True when that is dealt with.
 */
static bool
read_refusal(Response *response, bool sleep)
{
	ErrorResponse answer = answer_of(response);

	while (!response->whole && answer.length < MAX_ERROR_BODY)
	{
		if (!await(response, sleep))
		{
			response->polled = true;	/* comes back here */
			response->early = EXCHANGE_WAITING;
			return false;
		}
		answer = answer_of(response);
	}
	if (answer.status != 404 || is_web_page(&answer) ||
		!may_be_absent(response))
		raise_status(response, &answer);
	stats_note_success(response->stats);
	close_answer(response);
	return true;
}

/*
 * A report that is still being prepared is asked for again where HiBob says
 * that it will be.
 */
static void
wait_for_report(Response *response)
{
	MemoryContext old = MemoryContextSwitchTo(response->call_context);
	HttpChannel *channel = response->acquired->channel;

	PG_TRY();
	{
		report_note_answer(&response->report, response->subject,
						   http_channel_status(channel),
						   http_channel_header(channel, "Location"),
						   &response->call);
		close_answer(response);
		report_sleep(&response->report, response->subject);
	}
	PG_CATCH();
	{
		/* Anything else is a cancel. */
		if (geterrcode() == ERRCODE_FDW_ERROR)
			stats_note_error(response->stats, "a report that does not come");
		PG_RE_THROW();
	}
	PG_END_TRY();
	start_exchange(response);
	MemoryContextSwitchTo(old);
}

/*
 * Looks at what has come, and deals with an answer that is not one with rows.
 * False if that needs sleep.
 */
static bool
judge_answer(Response *response, bool sleep)
{
	int			status = http_channel_status(response->acquired->channel);
	ErrorResponse answer;
	bool		pending = response->reader.csv != NULL && status >= 200 &&
		status <= 299 && report_is_pending(&response->call, status);

	if (status != STATUS_OF_ROWS && !pending)
		return read_refusal(response, sleep);
	if (response->reader.csv == NULL)
		return true;
	answer = answer_of(response);
	if (is_web_page(&answer))
		raise_shape(response, "expected CSV");
	if (pending)
		wait_for_report(response);
	else if (is_json(&answer))
		raise_shape(response, "expected CSV");
	return true;
}

/*
 * Gets more of the present answer into the window.  False if that needs sleep.
 */
static bool
read_on(Response *response, bool sleep)
{
	HttpChannel *channel = response->acquired->channel;
	size_t		done = row_reader_keep_from(&response->reader);

	if (done > 0)
	{
		http_channel_drop(channel, done);
		row_reader_dropped(&response->reader, done);
		response->dropped = true;
		response->barren_bytes += done;
	}
	if (response->barren_bytes > RESPONSE_MAX_BARREN_BYTES)
		raise_shape(response, "more than 64 MB bring no row");
	return await(response, sleep) && judge_answer(response, sleep);
}

/* Makes rows of a body of named lists. */
static void
write_lists(Response *response, const char *body, size_t length)
{
	MemoryContext old = MemoryContextSwitchTo(response->call_context);
	JsonDefect	defect;

	response->text_length = named_lists_measure(body, length, reader_alloc,
												response->call.list, &defect);
	if (response->text_length == 0)
		raise_defect(response, &defect);
	response->text = MemoryContextAllocHuge(response->call_context,
											response->text_length);
	named_lists_write(body, response->call.list, response->text);
	MemoryContextSwitchTo(old);
}

/*
 * Reads named lists, which are not rows yet, to their end, and puts them into
 * rows: the one kind of answer that is small enough to be held as a whole.
 */
static bool
read_lists(Response *response, bool sleep)
{
	HttpChannel *channel = response->acquired->channel;
	HttpWindow	window;

	while (!response->whole)
	{
		if (http_channel_window(channel).length > RESPONSE_MAX_ROW)
			raise_shape(response, "the named lists are larger than allowed");
		if (!read_on(response, sleep))
			return false;
		if (!response->open)
			return true;
	}
	window = http_channel_window(channel);
	write_lists(response, window.data, window.length);
	return true;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

/* The bytes that the reader works on. */
static HttpWindow
window_of(const Response *response)
{
	HttpWindow	window;

	if (response->text == NULL)
		return http_channel_window(response->acquired->channel);
	window.data = response->text;
	window.length = response->text_length;
	return window;
}

/* Whether the present row belongs to the batch that was asked for. */
static bool
is_covered(const Response *response)
{
	const JsonSlice *slice;
	size_t		length;
	const char *value;

	if (!request_has_batches(response->request))
		return true;
	slice = row_field_value(&response->filter_field, &response->reader);
	if (slice == NULL)
		return false;
	value = row_utf8(slice, response->record.window, &length);
	return request_covers(response->request, &response->call, value, length);
}

/*
 * Who was asked for by name has to say who they are.  Any object could be taken
 * for one employee of whom nothing is known, and whom no condition matches.
 */
static void
check_identity(Response *response)
{
	if (response->map->resource->form == ROW_EMPLOYEE &&
		(response->call.single || request_has_batches(response->request)) &&
		row_field_value(&response->map->identity, &response->reader) == NULL)
		raise_shape(response, "an employee has no id");
}

/* A row is there.  Whether it is one of those that were asked for. */
static bool
take_row(Response *response)
{
	const char *defect;

	response->exchange.committed = true;
	response->rows++;
	response->barren_bytes = 0;
	response->record.window = window_of(response).data;
	defect = response->reader.csv != NULL ? NULL :
		response_metadata_read_row(&response->metadata, response->findings,
								   response->record.given);
	if (defect != NULL)
		raise_shape(response, defect);
	check_identity(response);
	if (!is_covered(response))
		return false;
	response->findings->rows++;
	response->stats->figures.rows++;
	return true;
}

/* A page has ended, and there is a next one. */
static void
check_pages(Response *response)
{
	if (response->rows > 0)
		response->barren_pages = 0;
	else if (++response->barren_pages > RESPONSE_MAX_BARREN_PAGES)
		raise_shape(response, "more than 5000 pages in a row bring no row");
}

/*
 * An answer has ended.  What it says beside its rows is noted, and if there is
 * a next page, it is asked for.
 */
static ResponseResult
finish_answer(Response *response)
{
	const char *defect = NULL;

	response->text = NULL;
	if (response->reader.json != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(page_context(response));

		defect = response_metadata_end(&response->metadata, response->findings,
									   &response->page);
		MemoryContextSwitchTo(old);
	}
	if (defect != NULL)
		raise_shape(response, defect);
	response->findings->answers++;
	stats_note_success(response->stats);
	close_answer(response);
	if (response->page == NULL)
		return RESPONSE_END;
	check_pages(response);
	if (response->prefetch)
	{
		open_page(response);
		response->early = exchange_poll(&response->exchange);
		response->polled = true;
	}
	return RESPONSE_PAGE;
}

/* Lets the reader read.  What it allocates has to last as long as it does. */
static JsonResult
read_bytes(Response *response)
{
	HttpWindow	window = window_of(response);
	MemoryContext old = MemoryContextSwitchTo(response->context);
	JsonResult	result = row_reader_next(&response->reader, window.data,
										 window.length,
										 response->whole ||
										 response->text != NULL);

	MemoryContextSwitchTo(old);
	return result;
}

/*
 * Reads the present answer.  RESPONSE_END is the end of that.
 */
static ResponseResult
read_answer(Response *response, bool sleep)
{
	while (response->open)
	{
		if (response->polled)
		{
			if (!read_on(response, sleep))
				return RESPONSE_WAIT;
			continue;
		}
		switch (read_bytes(response))
		{
			case JSON_ROW:
				if (take_row(response))
					return RESPONSE_ROW;
				break;
			case JSON_END:
				return finish_answer(response);
			case JSON_MORE:
				if (!read_on(response, sleep))
					return RESPONSE_WAIT;
				break;
			case JSON_BAD:
				raise_defect(response, row_reader_defect(&response->reader));
		}
	}
	return RESPONSE_END;
}

ResponseResult
response_advance(Response *response, bool sleep)
{
	ResponseResult result;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!response->open && response->page != NULL)
			open_page(response);
		else if (!response->open && !open_next(response))
			return RESPONSE_END;
		if (response->map->resource->is_lists && response->text == NULL &&
			!read_lists(response, sleep))
			return RESPONSE_WAIT;
		result = read_answer(response, sleep);
		if (result != RESPONSE_END)
			return result;
	}
}

bool
response_next(Response *response)
{
	ResponseResult result;

	do
		result = response_advance(response, true);
	while (result == RESPONSE_PAGE);
	return result == RESPONSE_ROW;
}

/* ------------------------------------------------------------------------
 * What can be asked
 * ------------------------------------------------------------------------
 */

const RowRecord *
response_record(const Response *response)
{
	return &response->record;
}

Exchange *
response_exchange(Response *response)
{
	return &response->exchange;
}

bool
response_was_answered(const Response *response)
{
	return response->answered;
}

bool
response_has_field(const Response *response, const RowColumn *column)
{
	if (response->reader.json == NULL && response->reader.csv == NULL)
		return false;
	for (int i = 0; i < column->npresence_slots; i++)
		if (row_reader_is_present(&response->reader, column->presence_slots[i]))
			return true;
	return column->npresence_slots == 0;
}

const CsvReader *
response_csv(const Response *response)
{
	return response->reader.csv;
}
