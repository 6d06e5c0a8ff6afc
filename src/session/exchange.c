/*
 * exchange.c
 *		When a request is sent, retried or delayed.
 *
 * Two budgets bound the tries.  Failures (no response, or a 5xx) are retried
 * max_retries times, after a back-off.  A request beyond the rate limit (429)
 * is retried as long as the time slept for the limit stays within
 * max_rate_limit_wait, however often that is.  Besides, a 401 is retried once
 * if the credentials have changed since they were read.
 *
 * Only exchange_wait_any() sleeps: an exchange that has to wait is UNSENT,
 * with a time to wake up at.
 */
#include "postgres.h"

#include <time.h>

#include "common/pg_prng.h"
#include "session/exchange.h"
#include "utils/timestamp.h"

/* The first back-off and the longest, in ms. */
#define BACKOFF_FIRST 250
#define BACKOFF_LONGEST 8000

/* How often a request checks whether the first response has arrived, in ms. */
#define FIRST_RESPONSE_TICK 20

/* Sessions that were delayed together spread over this time; in ms. */
#define SPREAD 250

/*
 * The longest wait that a header can cause, in ms.  HiBob's limits are by the
 * minute, and a wrong header must not silence a cluster for longer.
 */
#define MAX_SERVER_WAIT (3 * 60 * 1000)

/* The end of the year 9999: no header can mean a later time. */
#define MAX_EPOCH INT64CONST(253402300799)

/*
 * An unwanted body is read up to this size and for this time, in ms, to keep
 * the connection.
 */
#define DISCARD_LIMIT (64 * 1024)
#define DISCARD_MS 500

/* The outcome of a try. */
typedef enum TryResult
{
	TRY_FINAL,					/* for the caller to read */
	TRY_FAILED,					/* to be retried, budget permitting */
	TRY_RATE_LIMITED,			/* likewise */
	TRY_RENEWED					/* to be retried with new credentials */
} TryResult;

/* ------------------------------------------------------------------------
 * Headers
 * ------------------------------------------------------------------------
 */

/* A header's whole number; -1 if it is absent or invalid. */
static int64
header_number(HttpChannel *channel, const char *name)
{
	const char *text = http_channel_header(channel, name);
	char	   *end;
	int64		number;

	if (text == NULL || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	number = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' ? number : -1;
}

/*
 * The milliseconds from the response until a time in seconds since 1970, at
 * most MAX_SERVER_WAIT; 0 if the time has passed.  They are measured by the
 * server's clock if the response has a Date, because ours may be wrong.
 */
static int64
milliseconds_until(HttpChannel *channel, int64 epoch_seconds)
{
	const char *date = http_channel_header(channel, "Date");
	int64		now = date == NULL ? -1 : http_parse_date(date);

	if (now < 0)
		now = (int64) time(NULL);
	return epoch_seconds <= now ? 0 :
		Min(epoch_seconds - now, MAX_SERVER_WAIT / 1000) * 1000;
}

/* The end of the rate limit's window, in seconds since 1970; -1 likewise. */
static int64
window_end(HttpChannel *channel)
{
	int64		end = header_number(channel, "X-RateLimit-Reset");

	if (end > INT64CONST(100000000000))
		end /= 1000;			/* so large a number must be milliseconds */
	return end;
}

/* Retry-After in ms, from seconds or a date; -1 likewise. */
static int64
retry_after(HttpChannel *channel)
{
	int64		seconds = header_number(channel, "Retry-After");
	const char *text = http_channel_header(channel, "Retry-After");
	int64		date = text == NULL ? -1 : http_parse_date(text);

	if (seconds >= 0)
		return Min(seconds, MAX_SERVER_WAIT / 1000) * 1000;
	return date >= 0 ? milliseconds_until(channel, date) : -1;
}

/* ------------------------------------------------------------------------
 * The rate limit
 * ------------------------------------------------------------------------
 */

/*
 * The time at which that window ends, by http_now_ms().  The server's clock
 * gives the time from the response on, but the response may have arrived a
 * while ago.  Our own clock is more exact if it agrees with the server's.  A
 * second is added for rounding.
 */
static int64
local_reset(const Exchange *exchange, int64 end)
{
	int64		wait = milliseconds_until(exchange->channel, end);
	int64		now = http_now_ms();
	TimestampTz ours = time_t_to_timestamptz((pg_time_t)
											 Min(end, MAX_EPOCH) + 1);
	int64		until_ours = (ours - GetCurrentTimestamp()) / 1000;

	return Max(exchange->permit.sent_at + wait, now + Min(until_ours, wait));
}

/* Passes the headers of a response about the limit to the limiter. */
static void
update_rate_limit(const Exchange *exchange)
{
	HttpChannel *channel = exchange->channel;
	LimiterUpdate update;

	update.exceeded = http_channel_status(channel) == 429;
	update.limit = header_number(channel, "X-RateLimit-Limit");
	update.remaining = header_number(channel, "X-RateLimit-Remaining");
	update.window_end = window_end(channel);
	update.reset = update.window_end < 0 ? 0 :
		local_reset(exchange, update.window_end);
	update.retry_after = retry_after(channel);
	limiter_update(exchange->policy.limiter, &exchange->permit, &update);
}

/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */

static int64
random_ms(int64 limit)
{
	return (int64) (pg_prng_double(&pg_global_prng_state) * limit);
}

/*
 * The longest n-th back-off (from 0).  The sleep is a random part of it, so
 * that sessions that failed together do not retry together.
 */
static int64
backoff_limit(int n)
{
	return Min((int64) BACKOFF_FIRST << Min(n, 10), BACKOFF_LONGEST);
}

/* The rest of the time that all exchanges of a scan may sleep for the limit. */
static int64
rate_limit_budget(const Exchange *exchange)
{
	const ExchangePolicy *policy = &exchange->policy;

	return Max(policy->max_rate_limit_wait - policy->counters->rate_limit_wait,
			   0);
}

/* The part of the time until "wake" that is not charged yet. */
static int64
uncharged(const Exchange *exchange, int64 wake)
{
	return Max(wake - Max(http_now_ms(),
						  exchange->policy.counters->charged_until), 0);
}

/*
 * Charges an exchange's delay to the rate limit's budget, in advance, so that a
 * cancelled sleep counts, too.  Delays of several exchanges at the same time
 * count once.
 */
static void
charge(Exchange *exchange)
{
	ExchangeCounters *counters = exchange->policy.counters;
	int64		wait = uncharged(exchange, exchange->wake);

	counters->rate_limit_wait += wait;
	counters->charged_until = Max(counters->charged_until, exchange->wake);
	exchange->policy.totals->rate_limit_wait += wait;
}

/* Delays an exchange because of the rate limit, if the budget allows it. */
static bool
delay_for_limit(Exchange *exchange, int64 milliseconds)
{
	int64		wake = http_now_ms() + milliseconds;

	if (uncharged(exchange, wake) > rate_limit_budget(exchange))
		return false;
	exchange->wake = wake;
	exchange->charged = true;
	exchange->policy.counters->rate_limit_waits++;
	exchange->policy.totals->rate_limit_waits++;
	charge(exchange);
	return true;
}

/*
 * Ends a delay early: a response to another exchange described a new window,
 * or left more requests than there seemed to be.  The rest is refunded for all
 * exchanges; one that still waits charges it again with its next poll.
 */
static void
end_delay(Exchange *exchange)
{
	ExchangeCounters *counters = exchange->policy.counters;
	int64		rest = counters->charged_until - http_now_ms();

	if (rest > 0)
	{
		counters->rate_limit_wait -= rest;
		counters->charged_until -= rest;
		exchange->policy.totals->rate_limit_wait -= rest;
	}
	exchange->wake = 0;
}

/* Whether it is too early to send anything. */
static bool
is_delayed(Exchange *exchange)
{
	if (exchange->wake <= http_now_ms())
		return false;
	if (exchange->for_window &&
		limiter_state(exchange->policy.limiter).remaining != 0)
	{
		end_delay(exchange);
		return false;
	}
	if (exchange->charged)
		charge(exchange);
	return true;
}

/*
 * Delays an exchange after a 429, until the time that the server named, or else
 * for a back-off.  A random spread is added, because a server that names a past
 * time would otherwise get one request after the other.  False if the delay
 * would be too long.
 */
static bool
delay_after_429(Exchange *exchange)
{
	int64		wait = limiter_wait(exchange->policy.limiter);
	int64		backoff = backoff_limit(exchange->rate_limited);

	exchange->for_window = wait > 0;
	if (wait > 0)
		wait += random_ms(SPREAD);
	else
		wait = backoff / 2 + random_ms(backoff / 2);
	return delay_for_limit(exchange, wait);
}

/*
 * Delays an exchange whose request may not be sent now, because the limit is
 * known to be used up, or the first response is pending.  False likewise.
 */
static bool
delay_first_try(Exchange *exchange, bool response_pending)
{
	int64		wait = limiter_wait(exchange->policy.limiter);

	exchange->for_window = !response_pending;
	if (!response_pending)
		return delay_for_limit(exchange, wait + random_ms(SPREAD));
	exchange->wake = http_now_ms() + FIRST_RESPONSE_TICK;
	exchange->charged = false;
	return true;
}

/* ------------------------------------------------------------------------
 * Tries
 * ------------------------------------------------------------------------
 */

void
exchange_init(Exchange *exchange, HttpChannel *channel,
			  const HttpRequest *request, const ExchangePolicy *policy)
{
	http_channel_reset(channel);
	memset(exchange, 0, sizeof(Exchange));
	exchange->channel = channel;
	exchange->request = *request;
	exchange->policy = *policy;
}

static void
count_bytes(Exchange *exchange)
{
	uint64		received = http_channel_received(exchange->channel);

	if (received <= exchange->received)
		return;
	exchange->policy.counters->bytes_received += received - exchange->received;
	exchange->policy.totals->bytes_received += received - exchange->received;
	exchange->received = received;
}

/* Whether credentials that had no response yet may be sent to the address. */
static bool
acquire_unverified(Exchange *exchange)
{
	Connection *connection = exchange->policy.connection;

	exchange->unverified =
		limiter_acquire_unverified(connection_address_limiter(connection),
								   &exchange->unverified_since);
	return exchange->unverified;
}

static void
release_unverified(Exchange *exchange)
{
	Connection *connection = exchange->policy.connection;

	if (exchange->unverified)
		limiter_release_unverified(connection_address_limiter(connection),
								   exchange->unverified_since);
	exchange->unverified = false;
}

/* The head of the response has arrived, or nothing waits for it any longer. */
static void
release_permits(Exchange *exchange, int status)
{
	const ExchangePolicy *policy = &exchange->policy;

	limiter_release(policy->limiter, &exchange->permit, status != 0);
	limiter_release(connection_credentials_limiter(policy->connection),
					&exchange->credentials_permit,
					status != 0 && status != 401);
	if (status == 401)
		exchange->unverified = false;	/* counts for the rest of the period */
	release_unverified(exchange);
}

void
exchange_stop(Exchange *exchange)
{
	if (exchange->stage == STAGE_UNSENT)
		return;
	exchange->stage = STAGE_UNSENT;
	if (!exchange->head_done)
		release_permits(exchange, 0);
	http_channel_stop(exchange->channel);
}

/*
 * Counts what we send.  libcurl may send a request once more, uncounted, if a
 * kept connection turned out to be closed before a byte of the response
 * arrived, or to have bytes that belong to no request.
 */
static void
send_request(Exchange *exchange)
{
	const ExchangePolicy *policy = &exchange->policy;

	policy->counters->requests++;
	policy->totals->requests++;
	if (exchange->attempt > 0)
	{
		policy->counters->retries++;
		policy->totals->retries++;
	}
	exchange->received = 0;
	exchange->wake = 0;
	exchange->head_done = false;
	exchange->credentials_version =
		connection_credentials_version(policy->connection);
	exchange->stage = STAGE_SENT;
	http_channel_start(exchange->channel, &exchange->request);
}

/*
 * Whether another try can succeed.  A retry does not help if the peer is not
 * trusted or does not respond.  After the caller has used a part of the
 * response, the request must not be repeated.
 */
static TryResult
classify_failure(const Exchange *exchange)
{
	HttpFailure failure = http_channel_failure(exchange->channel);
	int			status = http_channel_status(exchange->channel);

	if (exchange->committed ||
		exchange->failures >= exchange->policy.max_retries)
		return TRY_FINAL;
	if (failure != HTTP_UNREACHABLE && failure != HTTP_PROXY_FAILED &&
		failure != HTTP_BROKEN)
		return TRY_FINAL;
	if (status >= 300 && status < 500)
		return TRY_FINAL;		/* a response, though incomplete */
	return TRY_FAILED;
}

/*
 * Handles the head of a response, or its absence, before other requests may be
 * sent.  True if the credentials have changed since the request was sent.
 */
static bool
finish_head(Exchange *exchange, int status)
{
	Connection *connection = exchange->policy.connection;
	bool		renewed = false;

	exchange->head_done = true;
	if (status == 401)
		connection_note_rejected(connection, exchange->credentials_version);
	release_permits(exchange, status);
	update_rate_limit(exchange);
	if (status == 401 && !exchange->renewed)
		renewed = exchange->renewed =
			connection_renew_credentials(connection,
										 exchange->credentials_version);
	return renewed;
}

/*
 * A status is classified once a try, so that the result cannot change while
 * the caller reads the body.  A 429 counts even if its body is incomplete.
 */
static TryResult
classify(Exchange *exchange, HttpProgress progress)
{
	int			status = http_channel_status(exchange->channel);
	bool		first = !exchange->head_done;

	if (first && finish_head(exchange, status))
		return TRY_RENEWED;
	if (first && status == 429)
		return TRY_RATE_LIMITED;
	if (progress == HTTP_FAILED)
		return classify_failure(exchange);
	if (first && status >= 500 &&
		exchange->failures < exchange->policy.max_retries)
		return TRY_FAILED;
	return TRY_FINAL;
}

/* Continues to read an unused response, if that keeps its connection. */
static void
discard(Exchange *exchange, HttpProgress progress)
{
	HttpChannel *channel = exchange->channel;
	size_t		length = http_channel_window(channel).length;

	http_channel_drop(channel, length);
	exchange->discarded += length;
	if (progress != HTTP_BYTES || exchange->discarded > DISCARD_LIMIT ||
		http_now_ms() >= exchange->discard_until)
		exchange_stop(exchange);
}

/* Abandons a try; the next one may be delayed already. */
static void
begin_discard(Exchange *exchange, HttpProgress progress)
{
	exchange->attempt++;
	exchange->discarded = 0;
	exchange->discard_until = http_now_ms() + DISCARD_MS;
	exchange->stage = STAGE_DISCARDING;
	discard(exchange, progress);
}

/*
 * Prepares a retry after a failure.  If a server that is down sends
 * Retry-After, the request waits for that time within the budget for such
 * waits.
 */
static void
prepare_retry(Exchange *exchange, HttpProgress progress)
{
	int64		wait = -1;
	int64		backoff = random_ms(backoff_limit(exchange->failures));

	if (http_channel_status(exchange->channel) == 503)
		wait = Min(retry_after(exchange->channel), rate_limit_budget(exchange));
	exchange->for_window = false;
	if (wait <= backoff || !delay_for_limit(exchange, wait))
	{
		exchange->wake = http_now_ms() + backoff;
		exchange->charged = false;
	}
	exchange->failures++;
	begin_discard(exchange, progress);
}

/* Likewise after a 429; false, without any change, if the wait is too long. */
static bool
prepare_after_429(Exchange *exchange, HttpProgress progress)
{
	if (!delay_after_429(exchange))
		return false;
	exchange->rate_limited++;
	begin_discard(exchange, progress);
	return true;
}

/* Likewise after a 401, with credentials that have changed. */
static void
prepare_renewed(Exchange *exchange, HttpProgress progress)
{
	exchange->wake = 0;
	begin_discard(exchange, progress);
}

/* The status of an error takes precedence over the loss of its body. */
static ExchangeResult
result_of(const Exchange *exchange, HttpProgress progress)
{
	if (progress == HTTP_BYTES)
		return EXCHANGE_BYTES;
	if (progress == HTTP_FAILED && http_channel_status(exchange->channel) < 300)
		return EXCHANGE_FAILED;
	return EXCHANGE_END;
}

/*
 * Whether the request may be sent.  Credentials that had no response yet may be
 * sent even if the limit is used up, so one request gets through after ALTER
 * USER MAPPING.  If another session's response rejects the credentials after
 * the caller has checked them, the caller has to check again.
 */
static bool
acquire_permits(Exchange *exchange, bool *response_pending)
{
	const ExchangePolicy *policy = &exchange->policy;
	Limiter    *credentials = connection_credentials_limiter(policy->connection);
	LimiterPermit *permit = &exchange->credentials_permit;

	if (!limiter_acquire(credentials, permit, false, response_pending))
		return false;
	*response_pending = limiter_rejected_for(credentials) > 0 ||
		(!permit->verified && !acquire_unverified(exchange));
	if (!*response_pending &&
		limiter_acquire(policy->limiter, &exchange->permit,
						policy->ignore_rate_limit || !permit->verified,
						response_pending))
		return true;
	release_unverified(exchange);
	limiter_cancel(credentials, permit);
	return false;
}

/* Sends the request, and returns EXCHANGE_BYTES, if it may be sent. */
static ExchangeResult
poll_unsent(Exchange *exchange)
{
	bool		response_pending;

	if (is_delayed(exchange))
		return EXCHANGE_WAITING;
	exchange->wake = 0;
	if (acquire_permits(exchange, &response_pending))
	{
		send_request(exchange);
		return EXCHANGE_BYTES;
	}
	return delay_first_try(exchange, response_pending) ? EXCHANGE_WAITING :
		EXCHANGE_RATE_LIMITED;
}

/* The outcome of the current try; false if the request is to be retried. */
static bool
poll_sent(Exchange *exchange, HttpProgress progress, ExchangeResult *result)
{
	switch (classify(exchange, progress))
	{
		case TRY_FINAL:
			*result = result_of(exchange, progress);
			return true;
		case TRY_FAILED:
			prepare_retry(exchange, progress);
			return false;
		case TRY_RATE_LIMITED:
			*result = EXCHANGE_RATE_LIMITED;
			return !prepare_after_429(exchange, progress);
		case TRY_RENEWED:
			prepare_renewed(exchange, progress);
			return false;
	}
	pg_unreachable();
}

/*
 * An interrupt may end this anywhere.  While an exchange is UNSENT nothing is
 * in flight; otherwise exchange_stop() cleans up.
 */
ExchangeResult
exchange_poll(Exchange *exchange)
{
	for (;;)
	{
		ExchangeResult result;
		HttpProgress progress;

		if (exchange->stage == STAGE_UNSENT)
		{
			result = poll_unsent(exchange);
			if (result != EXCHANGE_BYTES)
				return result;
		}
		if (!http_channel_poll(exchange->channel))
		{
			if (exchange->stage != STAGE_DISCARDING ||
				http_now_ms() < exchange->discard_until)
				return EXCHANGE_WAITING;
			exchange_stop(exchange);
			continue;
		}
		progress = http_channel_wait(exchange->channel);
		count_bytes(exchange);
		if (exchange->stage == STAGE_DISCARDING)
			discard(exchange, progress);
		else if (poll_sent(exchange, progress, &result))
			return result;
	}
}

/* Sleeps for the channels of those in flight and the first to wake up. */
void
exchange_wait_any(Exchange *const *exchanges, int n)
{
	HttpChannel **channels = palloc(Max(n, 1) * sizeof(HttpChannel *));
	int			nchannels = 0;
	int64		wake = -1;

	Assert(n > 0);
	for (int i = 0; i < n; i++)
	{
		const Exchange *exchange = exchanges[i];
		int64		due = -1;

		if (exchange->stage != STAGE_UNSENT)
			channels[nchannels++] = exchange->channel;
		if (exchange->stage == STAGE_UNSENT)
			due = exchange->wake;
		else if (exchange->stage == STAGE_DISCARDING)
			due = exchange->discard_until;
		if (due >= 0 && (wake < 0 || due < wake))
			wake = due;
	}
	http_wait_any(channels, nchannels,
				  wake < 0 ? -1 : Max(wake - http_now_ms(), 0));
	pfree(channels);
}

bool
exchange_is_unsent(const Exchange *exchange)
{
	return exchange->stage == STAGE_UNSENT;
}
