/*
 * exchange.c
 *		When a request is sent, sent again, or held back.
 *
 * Two budgets bound what is done here.  Failures (no answer, or a 5xx) are
 * tried again max_retries times, after a back-off.  Refusals (429) are tried
 * again for as long as the time slept for the rate limit stays within
 * max_rate_limit_wait, however often that is.
 *
 * Knows HTTP's status codes and headers, but neither HiBob nor what a body
 * means.
 */
#include "postgres.h"

#include <limits.h>
#include <time.h>
#include <time.h>

#include "common/pg_prng.h"
#include "exchange.h"
#include "utils/timestamp.h"

/* The first back-off and the longest, in ms. */
#define BACKOFF_FIRST 250
#define BACKOFF_LONGEST 8000

/* So that sessions held back together do not come back together; in ms. */
#define SPREAD 250

/*
 * The end of a window farther away than this is taken for a mistake: limits
 * are by the minute, and a wrong header must not silence a session for days.
 */
#define RESET_HORIZON (60 * 60 * INT64CONST(1000))

/* A body not wanted is read away up to here, to keep the connection. */
#define DISCARD_LIMIT (64 * 1024)

/* What a try came to. */
typedef enum Verdict
{
	VERDICT_FINAL,				/* for the caller to read */
	VERDICT_FAILED,				/* to be tried again, budget permitting */
	VERDICT_REFUSED				/* by the rate limit */
} Verdict;

/* ------------------------------------------------------------------------
 * Headers
 * ------------------------------------------------------------------------
 */

/* A whole number, -1 if absent or none. */
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
 * How long it is, in ms, from the answer until a time in seconds since 1970.
 * Measured by the server's own clock if it told us that: ours may go wrong.
 * A time that has passed is 0.
 */
static int64
milliseconds_until(HttpChannel *channel, int64 epoch_seconds)
{
	const char *date = http_channel_header(channel, "Date");
	int64		now = date == NULL ? -1 : http_parse_date(date);

	if (now < 0)
		now = (int64) time(NULL);
	return epoch_seconds <= now ? 0 :
		Min(epoch_seconds - now, RESET_HORIZON) * 1000;
}

/* Until the window of the rate limit ends; -1 if not told, or not credibly. */
static int64
reset_wait(HttpChannel *channel)
{
	int64		reset = header_number(channel, "X-RateLimit-Reset");
	int64		wait;

	if (reset < 0)
		return -1;
	if (reset > INT64CONST(100000000000))
		reset /= 1000;			/* that far ahead it must be milliseconds */
	wait = milliseconds_until(channel, reset);
	return wait > RESET_HORIZON ? -1 : wait;
}

/* Retry-After, in seconds or as a date; -1 likewise. */
static int64
retry_after(HttpChannel *channel)
{
	int64		seconds = header_number(channel, "Retry-After");
	const char *text = http_channel_header(channel, "Retry-After");
	int64		date = text == NULL ? -1 : http_parse_date(text);
	int64		wait;

	if (seconds >= 0)
		wait = Min(seconds, RESET_HORIZON) * 1000;
	else if (date >= 0)
		wait = milliseconds_until(channel, date);
	else
		return -1;
	return wait > RESET_HORIZON ? -1 : wait;
}

/* Remembers what an answer says about the limit; not all of them do. */
static void
note_rate_limit(RateLimit *rate_limit, HttpChannel *channel)
{
	int64		limit = header_number(channel, "X-RateLimit-Limit");
	int64		remaining = header_number(channel, "X-RateLimit-Remaining");
	int64		wait = reset_wait(channel);

	if (limit < 0 && remaining < 0 && wait < 0)
		return;
	rate_limit->known = true;
	rate_limit->limit = limit > INT_MAX ? -1 : (int) limit;
	rate_limit->remaining = remaining > INT_MAX ? -1 : (int) remaining;
	rate_limit->reset = wait < 0 ? 0 :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait);
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
 * How long the n-th back-off (from 0) may be at most.  What is slept is a
 * random part of it, so that sessions which failed together part.
 */
static int64
backoff_limit(int n)
{
	return Min((int64) BACKOFF_FIRST << Min(n, 10), BACKOFF_LONGEST);
}

/* What a scan may still sleep for the limit, all its exchanges together. */
static int64
rate_limit_left(const Exchange *exchange)
{
	const ExchangePolicy *policy = &exchange->policy;

	return Max(policy->max_rate_limit_wait - policy->counters->rate_limit_wait,
			   0);
}

/*
 * Sleeps on account of the rate limit, if that is within its budget.  Booked
 * beforehand, so that a cancelled sleep has been spent too.
 */
static bool
sleep_for_limit(Exchange *exchange, int64 milliseconds)
{
	if (milliseconds > rate_limit_left(exchange))
		return false;
	exchange->policy.counters->rate_limit_wait += milliseconds;
	http_sleep(milliseconds);
	return true;
}

/*
 * After a 429: what the server says, or else a back-off.  The spread comes on
 * top; without it a server that names a time already past would be asked again
 * at once, and again.
 */
static int64
refusal_wait(Exchange *exchange)
{
	int64		wait = reset_wait(exchange->channel);
	int64		backoff = backoff_limit(exchange->refusals);

	if (wait < 0)
		wait = retry_after(exchange->channel);
	if (wait <= 0)
		return backoff / 2 + random_ms(backoff / 2);
	return wait + random_ms(SPREAD);
}

/*
 * Before a request: nothing is sent while an earlier answer says that there is
 * nothing left to ask.  Returns false if that lasts too long.
 */
static bool
wait_for_window(Exchange *exchange)
{
	RateLimit  *rate_limit = exchange->policy.rate_limit;
	int64		wait;

	if (!rate_limit->known || rate_limit->remaining != 0)
		return true;
	wait = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
										   rate_limit->reset);
	if (wait > 0 && !sleep_for_limit(exchange, wait + random_ms(SPREAD)))
		return false;
	rate_limit->remaining = -1; /* a new window has begun */
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

void
exchange_stop(Exchange *exchange)
{
	if (!exchange->started)
		return;
	exchange->started = false;
	exchange->policy.counters->bytes_received +=
		http_channel_received(exchange->channel);
	http_channel_stop(exchange->channel);
}

/*
 * Counts what we send; libcurl may send a request once more by itself, if a
 * kept connection turned out to be closed before a byte of the answer came.
 */
static void
send_request(Exchange *exchange)
{
	exchange->policy.counters->requests++;
	if (exchange->attempt > 0)
		exchange->policy.counters->retries++;
	exchange->judged = false;
	exchange->started = true;
	http_channel_start(exchange->channel, &exchange->request);
}

/*
 * Can another try come to anything better?  An untrusted or silent peer will
 * be that again, and a failure amid what was already used cannot be undone.
 */
static Verdict
judge_failure(const Exchange *exchange)
{
	HttpFailure failure = http_channel_failure(exchange->channel);
	int			status = http_channel_status(exchange->channel);

	if (exchange->committed ||
		exchange->failures >= exchange->policy.max_retries)
		return VERDICT_FINAL;
	if (failure != HTTP_UNREACHABLE && failure != HTTP_BROKEN)
		return VERDICT_FINAL;
	if (http_channel_refused(exchange->channel))
		return VERDICT_FINAL;
	if (status >= 300 && status < 500)
		return VERDICT_FINAL;	/* answered, though not to the end */
	return VERDICT_FAILED;
}

/*
 * A status is judged once a try, with the first that comes after it, so that a
 * verdict cannot change while the caller reads the body.  A 429 is one even if
 * its body broke off.
 */
static Verdict
judge(Exchange *exchange, HttpProgress progress)
{
	int			status = http_channel_status(exchange->channel);
	bool		first = !exchange->judged;

	exchange->judged = true;
	if (first)
		note_rate_limit(exchange->policy.rate_limit, exchange->channel);
	if (first && status == 429)
		return VERDICT_REFUSED;
	if (progress == HTTP_FAILED)
		return judge_failure(exchange);
	if (first && status >= 500 &&
		exchange->failures < exchange->policy.max_retries)
		return VERDICT_FAILED;
	return VERDICT_FINAL;
}

/* Ends a try of which nothing is wanted, and keeps its connection if cheap. */
static void
discard(Exchange *exchange, HttpProgress progress)
{
	HttpChannel *channel = exchange->channel;
	size_t		discarded = 0;

	while (progress == HTTP_BYTES && discarded <= DISCARD_LIMIT)
	{
		size_t		length = http_channel_window(channel).length;

		http_channel_drop(channel, length);
		discarded += length;
		progress = http_channel_wait(channel);
	}
	exchange_stop(exchange);
}

/*
 * After a failure.  A server that is down and says when to come back is heeded
 * as far as the budget for such waits goes.
 */
static void
prepare_retry(Exchange *exchange, HttpProgress progress)
{
	int64		asked = -1;
	int64		backoff;

	if (http_channel_status(exchange->channel) == 503)
		asked = retry_after(exchange->channel);
	backoff = random_ms(backoff_limit(exchange->failures));
	discard(exchange, progress);
	exchange->failures++;
	exchange->attempt++;
	asked = Min(asked, rate_limit_left(exchange));
	if (asked > backoff)
		(void) sleep_for_limit(exchange, asked);
	else
		http_sleep(backoff);
}

/* After a 429; false, with all left as it is, if there is no time for it. */
static bool
prepare_after_refusal(Exchange *exchange, HttpProgress progress)
{
	int64		wait = refusal_wait(exchange);

	if (wait > rate_limit_left(exchange))
		return false;
	discard(exchange, progress);
	exchange->refusals++;
	exchange->attempt++;
	(void) sleep_for_limit(exchange, wait);

	/* What that answer said of its window has been waited for. */
	exchange->policy.rate_limit->remaining = -1;
	return true;
}

/* An error's status is worth more than the loss of its body. */
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
 * An interrupt may leave this anywhere.  Between tries nothing is under way;
 * within one, exchange_stop() cleans up.
 */
ExchangeResult
exchange_wait(Exchange *exchange)
{
	for (;;)
	{
		HttpProgress progress;

		if (!exchange->started)
		{
			if (!wait_for_window(exchange))
				return EXCHANGE_RATE_LIMITED;
			send_request(exchange);
		}
		progress = http_channel_wait(exchange->channel);
		switch (judge(exchange, progress))
		{
			case VERDICT_FINAL:
				return result_of(exchange, progress);
			case VERDICT_FAILED:
				prepare_retry(exchange, progress);
				break;
			case VERDICT_REFUSED:
				if (!prepare_after_refusal(exchange, progress))
					return EXCHANGE_RATE_LIMITED;
				break;
		}
	}
}
