/*
 * response.c
 *		The rows of the responses to a sequence of requests.
 *
 * The reader works on the bytes in the channel's window.  When it needs more,
 * the bytes that it has read are dropped and the exchange is polled.  When the
 * exchange sends the request again, the reader starts again; after the first
 * row was returned, the exchange no longer retries.
 *
 * response_metadata.c reads the metadata around the rows (cursors, groups,
 * errors), and response_status.c interprets responses without rows.
 */
#include "postgres.h"

#include "reader/named_lists.h"
#include "remote/response.h"
#include "remote/response_metadata.h"
#include "remote/response_status.h"
#include "remote/result_checks.h"
#include "session/stats.h"

/*
 * The only status of a response with rows: 206 would mean a part of them, and
 * 202 no rows yet.
 */
#define STATUS_OF_ROWS 200

/* The part of the body of an error that is read. */
#define MAX_ERROR_BODY (64 * 1024)

struct Response
{
	MemoryContext context;		/* of what lives longer than a row */
	MemoryContextCallback callback; /* stops the exchange with its reset */
	MemoryContext call_context; /* of the current call's first page, */
	MemoryContext page_contexts[2]; /* and of its others, in turn */
	int			pages;			/* of the current call, after the first */
	const ErrorSubject *subject;
	AcquiredChannel *acquired;
	Request    *request;
	RowMap	   *map;
	ExchangeCounters *counters;
	ResponseSummary *summary;
	bool		prefetch;
	bool		fail_fast;
	RowReader	reader;
	ResponseMetadata metadata;
	bool		checks_rows;	/* see check_row() */
	RowRecord	record;
	RowField	filter_field;	/* of the values, if there are several batches */

	/* The current response. */
	RequestCall call;
	StatsEntry *stats;			/* of its endpoint */
	Exchange	exchange;
	bool		open;
	bool		whole;			/* its last byte has arrived */
	bool		dropped;		/* its first byte is no longer in the window */
	bool		begun;			/* a byte of any response has arrived */
	bool		polled;			/* the exchange was polled in advance: */
	ExchangeResult early;		/* the result of that */
	bool		row_pending;	/* the reader has a row that is not accepted yet */
	int			attempt;		/* the one that the reader reads */
	uint64		rows;			/* so far */
	Bitmapset  *nulls;			/* columns with a null, if some are restricted */
	uint64		bytes_without_row;	/* since the last row */
	int			pages_without_row;	/* up to the previous page */
	char	   *page;			/* the cursor of the next page */
	ReportWait	report;

	/* Named lists in the form of rows; NULL: the window has the rows. */
	char	   *text;
	size_t		text_length;
};

/* An exchange without a reader does not count as in progress. */
static void
stop_callback(void *arg)
{
	response_stop(arg);
}

Response *
response_create(const ErrorSubject *subject, AcquiredChannel *acquired,
				Request *request, RowMap *map, ExchangeCounters *counters,
				ResponseSummary *summary, bool prefetch)
{
	Response   *response = palloc0(sizeof(Response));

	response->context = CurrentMemoryContext;
	response->callback.func = stop_callback;
	response->callback.arg = response;
	MemoryContextRegisterResetCallback(response->context, &response->callback);
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
	response->summary = summary;
	response->prefetch = prefetch;
	return response;
}

void
response_fail_fast(Response *response)
{
	response->fail_fast = true;
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

/* Whether each row must have an id, or a key that it always has. */
static bool
must_have_identity(const Response *response)
{
	return response->call.single || request_has_batches(response->request) ||
		response->map->resource->form == ROW_KEYS;
}

/*
 * One reader serves all responses, since they have the same structure.
 * Messages about values name the row by its id, but finding the id would slow
 * down count(*).
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
	response->checks_rows = must_have_identity(response) ||
		resource->fallback != NULL;
	row_map_register(response->map, &response->reader,
					 !response->map->only_counts ||
					 must_have_identity(response));
	response->record.reader = &response->reader;
	if (request_has_batches(response->request))
		row_field_register(&response->filter_field, &response->reader,
						   request_filter_field(response->request));
}

/* Credentials that HiBob has rejected are not sent again for a while. */
static void
check_rejected(const Response *response)
{
	if (!connection_is_rejected(response->acquired->connection))
		return;
	stats_note_error(response->stats, "credentials rejected less than a minute ago");
	error_rejected(response->subject, NULL);
}

/* Prepares the exchange for the current call. */
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
	check_rejected(response);
	connection_request(connection, response->call.method,
					   response->call.path, &http);
	http.body = response->call.body;
	http.any_type = response->map->resource->form == ROW_CSV;
	http.plain = http.any_type; /* JSON itself shows whether it is complete */
	policy.max_retries = response->fail_fast ? Min(options->max_retries, 1) :
		options->max_retries;
	policy.max_rate_limit_wait = response->fail_fast ? 0 :
		options->max_rate_limit_wait;
	policy.ignore_rate_limit = response->fail_fast;
	policy.connection = connection;
	policy.limiter = connection_limiter(connection, response->call.endpoint);
	policy.counters = response->counters;
	policy.totals = &response->stats->counters;
	exchange_init(&response->exchange, response->acquired->channel, &http,
				  &policy);
	response->open = true;
	response->row_pending = false;
	response->whole = false;
	response->dropped = false;
	response->polled = false;
	response->attempt = 0;
	response->rows = 0;
	response->nulls = NULL;
	response->bytes_without_row = 0;
	if (response->reader.json != NULL || response->reader.csv != NULL)
		row_reader_restart(&response->reader);
}

/* Starts the next call of the sequence.  False if there is none. */
static bool
open_next(Response *response)
{
	MemoryContext old;

	MemoryContextReset(response->call_context);
	response->pages = 0;
	response->pages_without_row = 0;
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
	memcpy(response->record.supplied, response->call.supplied,
		   sizeof(response->record.supplied));
	return true;
}

/* The memory of the current page. */
static MemoryContext
page_context(const Response *response)
{
	return response->pages == 0 ? response->call_context :
		response->page_contexts[response->pages % 2];
}

/*
 * Starts the request for the next page.  Its cursor is in the memory of the
 * current page, so two contexts are used in turn.
 */
static void
open_page(Response *response)
{
	MemoryContext old;

	response->pages++;
	MemoryContextReset(page_context(response));
	old = MemoryContextSwitchTo(page_context(response));
	request_set_page(response->request, &response->call, response->page);
	response->page = NULL;
	start_exchange(response);
	MemoryContextSwitchTo(old);
}

static void
close_exchange(Response *response)
{
	exchange_stop(&response->exchange);
	response->open = false;
}

void
response_stop(Response *response)
{
	if (response->open)
		close_exchange(response);
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

/* The first bytes of the current response, if they are still in the window. */
static ErrorResponse
error_response(const Response *response)
{
	HttpChannel *channel = response->acquired->channel;
	HttpWindow	window = http_channel_window(channel);
	ErrorResponse error;

	error.status = http_channel_status(channel);
	error.content_type = http_channel_content_type(channel);
	error.body = window.data;
	error.length = response->dropped ? 0 : Min(window.length, MAX_ERROR_BODY);
	return error;
}

/* A response for a message: without the token, should it repeat that. */
static ErrorResponse
without_token(const Response *response, const ErrorResponse *error)
{
	const Connection *connection = response->acquired->connection;
	ErrorResponse copy = *error;
	char	   *body = palloc(error->length + 1);

	memcpy(body, error->body, error->length);
	connection_hide_token(connection, body, error->length);
	copy.body = body;
	if (error->content_type != NULL)
	{
		char	   *type = pstrdup(error->content_type);

		connection_hide_token(connection, type, strlen(type));
		copy.content_type = type;
	}
	return copy;
}

static void
raise_defect(Response *response, const JsonDefect *defect)
{
	ErrorResponse error = error_response(response);
	ErrorProgress progress = progress_of(response);

	stats_note_error(response->stats, "a response that cannot be read");
	http_channel_force_reconnect(response->acquired->channel);
	error = without_token(response, &error);
	error_body(response->subject, &error, defect, &progress);
}

/* For the statistics, which must not contain data of employees. */
static const char *
failure_words(HttpFailure failure)
{
	switch (failure)
	{
		case HTTP_BROKEN:
			return "an incomplete response";
		case HTTP_SILENT:
			return "read timeout";
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
raise_status(const Response *response, const ErrorResponse *error)
{
	ErrorResponse shown = without_token(response, error);
	char		words[STATS_ERROR_SIZE];

	snprintf(words, sizeof(words), "status %d", error->status);
	stats_note_error(response->stats, words);
	error_status(response->subject, &shown, response->call.object_name);
}

static void
raise_rate_limited(const Response *response)
{
	RateLimit	limit = limiter_state(response->exchange.policy.limiter);

	stats_note_error(response->stats, "rate limit used up");
	error_rate_limited(response->subject, &limit);
}

/* The response is valid JSON, but not of the expected structure. */
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
 * JSON itself shows whether it is complete.  For CSV only HTTP can show that,
 * and does not if the response ends when the connection is closed.
 */
static void
check_end(const Response *response)
{
	HttpChannel *channel = response->acquired->channel;

	if (response->reader.csv == NULL || http_channel_status(channel) != 200 ||
		http_channel_end_is_known(channel))
		return;
	raise_failure(response, HTTP_BROKEN,
				  "the connection was closed, and the response has neither Content-Length nor chunks");
}

/*
 * Before the request is sent, the response to another one may show that HiBob
 * rejects the credentials.
 */
static ExchangeResult
poll_exchange(Response *response, bool sleep)
{
	Exchange   *exchange = &response->exchange;
	ExchangeResult result;

	for (;;)
	{
		if (exchange_is_unsent(exchange))
			check_rejected(response);
		result = exchange_poll(exchange);
		if (result != EXCHANGE_WAITING || !sleep)
			return result;
		exchange_wait_any(&exchange, 1);
	}
}

/*
 * Polls the exchange and raises its errors.  False if nothing new arrives
 * without sleeping.
 */
static bool
wait_for_bytes(Response *response, bool sleep)
{
	HttpChannel *channel = response->acquired->channel;
	ExchangeResult result = response->early;

	if (!response->polled || result == EXCHANGE_WAITING)
		result = poll_exchange(response, sleep);
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
	response->begun = true;
	return true;
}

/*
 * Handles a status other than success: raises an error, unless it is a 404 that
 * means no rows.  False if that needs sleep.
 */
static bool
read_error_response(Response *response, bool sleep)
{
	ErrorResponse error = error_response(response);

	while (!response->whole && error.length < MAX_ERROR_BODY)
	{
		if (!wait_for_bytes(response, sleep))
		{
			response->polled = true;	/* the next call continues here */
			response->early = EXCHANGE_WAITING;
			return false;
		}
		error = error_response(response);
	}
	switch (response_status_meaning(&error, response->request, &response->call,
									response->rows, response->summary))
	{
		case STATUS_MEANS_ERROR:
			raise_status(response, &error);
			break;
		case STATUS_MEANS_NO_ROWS:
			break;
		case STATUS_MEANS_UNSUPPORTED:
			response->summary->unsupported = UNSUPPORTED_ENDPOINT;
			request_cancel(response->request);
			break;
	}
	stats_note_success(response->stats);
	close_exchange(response);
	return true;
}

/* Waits for a report that HiBob is preparing, and requests it again. */
static void
wait_for_report(Response *response)
{
	MemoryContext old = MemoryContextSwitchTo(response->call_context);
	HttpChannel *channel = response->acquired->channel;

	PG_TRY();
	{
		report_set_location(&response->report, response->subject,
						   http_channel_status(channel),
						   http_channel_header(channel, "Location"),
						   &response->call);
		close_exchange(response);
		report_sleep(&response->report, response->subject);
	}
	PG_CATCH();
	{
		/* Any other error is a cancel. */
		if (geterrcode() == ERRCODE_FDW_ERROR)
			stats_note_error(response->stats, "a report that was not ready in time");
		PG_RE_THROW();
	}
	PG_END_TRY();
	start_exchange(response);
	MemoryContextSwitchTo(old);
}

/* Handles a response that has no rows.  False if that needs sleep. */
static bool
check_status(Response *response, bool sleep)
{
	int			status = http_channel_status(response->acquired->channel);
	ErrorResponse error;
	bool		pending = response->reader.csv != NULL && status >= 200 &&
		status <= 299 && report_is_pending(&response->call, status);

	if (status != STATUS_OF_ROWS && !pending)
		return read_error_response(response, sleep);
	if (response->reader.csv == NULL)
		return true;
	error = error_response(response);
	if (error_is_web_page(&error))
		raise_shape(response, "expected CSV");
	if (pending)
		wait_for_report(response);
	else if (error_is_json(&error))
		raise_shape(response, "expected CSV");
	return true;
}

/* Reads more bytes into the window.  False if that needs sleep. */
static bool
read_more(Response *response, bool sleep)
{
	HttpChannel *channel = response->acquired->channel;
	size_t		done = row_reader_keep_from(&response->reader);

	if (done > 0)
	{
		http_channel_drop(channel, done);
		row_reader_dropped(&response->reader, done);
		response->dropped = true;
		response->bytes_without_row += done;
	}
	if (response->bytes_without_row > RESPONSE_MAX_BYTES_WITHOUT_ROW)
		raise_shape(response, "more than 64 MB without a row");
	return wait_for_bytes(response, sleep) && check_status(response, sleep);
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
	named_lists_write(body, length, response->call.list, response->text);
	MemoryContextSwitchTo(old);
}

/*
 * Reads named lists to the end and converts the trees of items to rows.  Such a
 * response is small enough to be held as a whole.
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
		if (!read_more(response, sleep))
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

/* Whether the current row belongs to the batch of the request. */
static bool
is_in_batch(const Response *response)
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
	return request_has_value(response->request, &response->call, value, length);
}

/*
 * With field-level permissions HiBob may send null for a restricted column, and
 * a header that shows only that some columns are restricted.
 */
static void
begin_rows(Response *response)
{
	const char *restricted =
		http_channel_header(response->acquired->channel,
							"X-Has-Restricted-Columns");
	bool		hides = restricted != NULL &&
		response->map->resource->permission != NULL &&
		pg_strcasecmp(restricted, "true") == 0;

	response_metadata_begin_response(&response->metadata, hides);
}

/*
 * Reads the metadata around the row.  If it comes after the row, waits for more
 * bytes and keeps the row; false if that needs sleep.
 */
static bool
read_row_metadata(Response *response, bool sleep)
{
	const char *defect;
	bool		more;

	do
	{
		HttpWindow	window = window_of(response);

		defect = response_metadata_read_row(&response->metadata,
											response->summary, window,
											response->whole ||
											response->text != NULL,
											response->record.supplied, &more);
		if (more && window.length > RESPONSE_MAX_ROW)
			raise_shape(response, "a group of rows is larger than 16 MB");
		if (more && !wait_for_bytes(response, sleep))
			return false;
	} while (more);
	if (defect != NULL)
		raise_shape(response, defect);
	response->record.window = window_of(response).data;
	return true;
}

/*
 * Raises an error if a row lacks a required value.  False if it lacks the
 * human-readable forms, which the resource's fallback has.
 */
static bool
check_row(Response *response)
{
	bool		has_batches = request_has_batches(response->request);
	const char *defect = result_row_defect(response->map, &response->reader,
										   &response->call, has_batches);

	if (defect != NULL)
		raise_shape(response, defect);
	return result_has_human_forms(response->map, &response->reader,
								  response->summary);
}

/* The reader has a new row. */
static void
begin_row(Response *response)
{
	response->exchange.committed = true;
	if (response->rows++ == 0 && response->reader.json != NULL)
		begin_rows(response);
	response->bytes_without_row = 0;
	response->record.window = window_of(response).data;
	response->row_pending = true;
}

/* Processes the row.  False if it does not belong to the request. */
static bool
accept_row(Response *response)
{
	response->row_pending = false;
	if (response->checks_rows && !check_row(response))
	{
		response->summary->unsupported = UNSUPPORTED_HUMAN;
		request_cancel(response->request);
		close_exchange(response);
		return false;
	}
	if (!is_in_batch(response))
		return false;
	if (response->metadata.hides)
		result_note_nulls(response->map, &response->reader, response->summary,
						  &response->nulls);
	response->summary->rows++;
	response->stats->figures.rows++;
	return true;
}

/* A page has ended, and there is a next one. */
static void
check_pages(Response *response)
{
	if (response->rows > 0)
		response->pages_without_row = 0;
	else if (++response->pages_without_row > RESPONSE_MAX_PAGES_WITHOUT_ROW)
		raise_shape(response, "more than 5000 consecutive pages without a row");
}

/*
 * The response has ended.  Notes its metadata and, with "prefetch", requests
 * the next page.
 */
static ResponseResult
finish_response(Response *response)
{
	const char *defect = NULL;
	ListCell   *lc;

	response->text = NULL;
	if (response->reader.json != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(page_context(response));

		defect = response_metadata_end(&response->metadata, response->summary,
									   &response->page);
		MemoryContextSwitchTo(old);
	}
	if (defect != NULL)
		raise_shape(response, defect);
	foreach(lc, response->summary->denials)
		connection_hide_token(response->acquired->connection, lfirst(lc),
							  strlen(lfirst(lc)));
	if (response->rows > 0)
		result_add_nulls(response->summary, &response->nulls,
						 response->metadata.names_hidden);
	response->summary->responses++;
	stats_note_success(response->stats);
	close_exchange(response);
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

/* Runs the reader, whose allocations live as long as the reader. */
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

/* Reads the current response; RESPONSE_END is its end. */
static ResponseResult
read_response(Response *response, bool sleep)
{
	while (response->open)
	{
		if (response->row_pending)
		{
			if (response->metadata.describes_rows &&
				!read_row_metadata(response, sleep))
				return RESPONSE_WAIT;
			if (accept_row(response))
				return RESPONSE_ROW;
			continue;
		}
		if (response->polled)
		{
			if (!read_more(response, sleep))
				return RESPONSE_WAIT;
			continue;
		}
		switch (read_bytes(response))
		{
			case JSON_ROW:
				begin_row(response);
				break;
			case JSON_END:
				return finish_response(response);
			case JSON_MORE:
				if (!read_more(response, sleep))
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
		result = read_response(response, sleep);
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
 * Properties
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
response_has_begun(const Response *response)
{
	return response->begun;
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
