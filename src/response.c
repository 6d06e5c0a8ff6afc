/*
 * response.c
 *		The rows of a request's answers.
 *
 * The reader works on the bytes where the channel keeps them.  When it wants
 * more, what it has done with is dropped and the exchange is asked to go on;
 * when an exchange starts anew, so does the reader.  As soon as one row has
 * been handed out, the exchange may not start anew any more.
 */
#include "postgres.h"

#include "response.h"

/* How much of the body of an answer that is an error is looked at. */
#define MAX_ERROR_BODY (64 * 1024)

struct Response
{
	MemoryContext context;		/* of what lasts longer than a row */
	const ErrorSubject *subject;
	ConnectionLease *lease;
	Request    *request;
	RowMap	   *map;
	ExchangeCounters *counters;
	JsonReader *reader;
	int			filter_slot;	/* the filter's field in a row */

	/* The present answer. */
	RequestCall call;
	Exchange	exchange;
	bool		open;
	bool		whole;			/* its last byte has come */
	bool		dropped;		/* its first byte is not there any more */
	int			attempt;		/* which one the reader is reading */
	uint64		rows_before;	/* rows of the answers before */
	uint64		rows;
};

static void *
reader_alloc(size_t size)
{
	return palloc0(size);
}

Response *
response_create(const ErrorSubject *subject, ConnectionLease *lease,
				Request *request, RowMap *map, ExchangeCounters *counters)
{
	Response   *response = palloc0(sizeof(Response));

	response->context = CurrentMemoryContext;
	response->subject = subject;
	response->lease = lease;
	response->request = request;
	response->map = map;
	response->counters = counters;
	return response;
}

/*
 * Makes the reader, which serves all answers: they have one shape.
 */
static void
create_reader(Response *response)
{
	const JsonShape shape = {.rows = response->call.rows,
		.max_row = RESPONSE_MAX_ROW, .max_depth = RESPONSE_MAX_DEPTH};

	response->reader = json_reader_create(&shape, reader_alloc);
	row_map_register(response->map, response->reader);
	if (request_has_batches(response->request))
		response->filter_slot =
			row_map_want_field(response->reader,
							   response->request->filter_field);
}

/*
 * Prepares the next exchange.  False if there is none.
 */
static bool
open_next(Response *response)
{
	Connection *connection = response->lease->connection;
	const ServerOptions *options;
	HttpRequest http;
	ExchangePolicy policy;

	if (!request_next(response->request, &response->call))
		return false;
	if (connection_was_refused(connection))
		error_refused(response->subject, NULL);

	if (response->reader == NULL)
		create_reader(response);
	else
		json_reader_restart(response->reader);

	connection_request(connection, response->call.method,
					   response->call.path, &http);
	http.body = response->call.body;
	options = connection_options(connection);
	policy.max_retries = options->max_retries;
	policy.max_rate_limit_wait = options->max_rate_limit_wait;
	policy.rate_limit = connection_rate_limit(connection,
											  response->call.endpoint);
	policy.counters = response->counters;
	exchange_init(&response->exchange, response->lease->channel, &http,
				  &policy);
	response->attempt = 0;
	response->open = true;
	response->whole = false;
	response->dropped = false;
	response->rows_before = response->rows;
	return true;
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

static ErrorProgress
progress_of(const Response *response)
{
	ErrorProgress progress;

	progress.bytes = http_channel_received(response->lease->channel);
	progress.rows = response->rows - response->rows_before;
	return progress;
}

/* The first bytes of the present answer, if they are still there. */
static ErrorAnswer
answer_of(const Response *response)
{
	HttpChannel *channel = response->lease->channel;
	HttpWindow	window = http_channel_window(channel);
	ErrorAnswer answer;

	answer.status = http_channel_status(channel);
	answer.content_type = http_channel_content_type(channel);
	answer.body = window.data;
	answer.length = response->dropped ? 0 : Min(window.length, MAX_ERROR_BODY);
	return answer;
}

/*
 * Lets the exchange go on, and raises its errors.
 */
static void
await(Response *response)
{
	HttpChannel *channel = response->lease->channel;
	ErrorProgress progress;

	switch (exchange_wait(&response->exchange))
	{
		case EXCHANGE_BYTES:
			break;
		case EXCHANGE_END:
			response->whole = true;
			break;
		case EXCHANGE_FAILED:
			progress = progress_of(response);
			error_transport(response->subject, http_channel_failure(channel),
							http_channel_failure_text(channel), &progress);
		case EXCHANGE_RATE_LIMITED:
			error_rate_limited(response->subject,
							   response->exchange.policy.rate_limit);
	}
	if (response->exchange.attempt != response->attempt)
	{
		response->attempt = response->exchange.attempt;
		response->dropped = false;
		json_reader_restart(response->reader);
	}
}

static bool
is_web_page(const ErrorAnswer *answer)
{
	return answer->content_type != NULL &&
		pg_strncasecmp(answer->content_type, "text/html", 9) == 0;
}

/*
 * Deals with a status that is no success: an error, but for the one row that
 * is not there.
 */
static void
read_refusal(Response *response)
{
	ErrorAnswer answer = answer_of(response);

	while (!response->whole && answer.length < MAX_ERROR_BODY)
	{
		await(response);
		answer = answer_of(response);
	}
	if (answer.status != 404 || !response->call.absent_is_empty ||
		is_web_page(&answer))
		error_status(response->subject, &answer);
	close_answer(response);
}

static void
raise_defect(Response *response)
{
	ErrorAnswer answer = answer_of(response);
	ErrorProgress progress = progress_of(response);

	error_body(response->subject, &answer,
			   json_reader_defect(response->reader), &progress);
}

/*
 * Gets more of the present answer into the window.
 */
static void
read_on(Response *response)
{
	HttpChannel *channel = response->lease->channel;
	size_t		done = json_reader_keep_from(response->reader);
	int			status;

	if (done > 0)
	{
		http_channel_drop(channel, done);
		json_reader_dropped(response->reader, done);
		response->dropped = true;
	}
	await(response);
	status = http_channel_status(channel);
	if (status < 200 || status > 299)
		read_refusal(response);
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
	slice = json_reader_slice(response->reader, response->filter_slot);
	if (slice->kind == JSON_ABSENT || slice->kind == JSON_NULL)
		return false;
	value = row_utf8(slice, response_window(response), &length);
	return request_covers(response->request, value, length);
}

/*
 * Reads the present answer up to its next row.  False at its end.
 */
static bool
next_in_answer(Response *response)
{
	while (response->open)
	{
		HttpWindow	window = http_channel_window(response->lease->channel);

		switch (json_reader_next(response->reader, window.data, window.length,
								 response->whole))
		{
			case JSON_ROW:
				response->exchange.committed = true;
				response->rows++;
				if (is_covered(response))
					return true;
				break;
			case JSON_END:
				close_answer(response);
				break;
			case JSON_MORE:
				read_on(response);
				break;
			case JSON_BAD:
				raise_defect(response);
		}
	}
	return false;
}

bool
response_next(Response *response)
{
	MemoryContext old;
	bool		more;

	for (;;)
	{
		if (response->open && next_in_answer(response))
			return true;
		old = MemoryContextSwitchTo(response->context);
		more = open_next(response);
		MemoryContextSwitchTo(old);
		if (!more)
			return false;
	}
}

const JsonReader *
response_reader(const Response *response)
{
	return response->reader;
}

const char *
response_window(const Response *response)
{
	return http_channel_window(response->lease->channel).data;
}

uint64
response_rows(const Response *response)
{
	return response->rows;
}

uint64
response_unbooked_bytes(const Response *response)
{
	return response->open ?
		http_channel_received(response->lease->channel) : 0;
}

bool
response_carried(const Response *response, const RowColumn *column)
{
	for (int i = 0; i < column->nwitnesses; i++)
		if (json_reader_carried(response->reader, column->witnesses[i]))
			return true;
	return column->nwitnesses == 0;
}
