/*
 * exchange.c
 *		When a request is sent, sent again, or held back.
 *
 * Two budgets bound what is done here.  Failures (no answer, or a 5xx) are
 * tried again max_retries times, after a back-off.  Refusals (429) are tried
 * again for as long as the time slept for the rate limit stays within
 * max_rate_limit_wait, however often that is.
 *
 * Nothing in here sleeps but exchange_wait_any(): where a try has to wait, its
 * exchange is HELD, with a time to wake up at.
 *
 * Knows HTTP's status codes and headers, but neither HiBob nor what a body
 * means.
 */
#include "postgres.h"

#include <time.h>

#include "common/pg_prng.h"
#include "session/exchange.h"
#include "utils/timestamp.h"

/* The first back-off and the longest, in ms. */
#define BACKOFF_FIRST 250
#define BACKOFF_LONGEST 8000

/* How often who waits for another's first answer looks for it, in ms. */
#define NEWCOMER_TICK 20

/* So that sessions held back together do not come back together; in ms. */
#define SPREAD 250

/*
 * The end of a window farther away than this is taken for a mistake: limits
 * are by the minute, and a wrong header must not silence a session for days.
 */
#define RESET_HORIZON (60 * 60 * INT64CONST(1000))

/*
 * A body not wanted is read away up to here, to keep the connection, and for so
 * long, in ms.
 */
#define DISCARD_LIMIT (64 * 1024)
#define DISCARD_MS 500

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

/* The end of the rate limit's window, in seconds since 1970; -1 likewise. */
static int64
window_end(HttpChannel *channel)
{
	int64		end = header_number(channel, "X-RateLimit-Reset");

	if (end > INT64CONST(100000000000))
		end /= 1000;			/* that far ahead it must be milliseconds */
	if (end >= 0 && milliseconds_until(channel, end) > RESET_HORIZON)
		return -1;				/* not credible */
	return end;
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

/* ------------------------------------------------------------------------
 * The rate limit
 * ------------------------------------------------------------------------
 */

/*
 * When that window ends by our own clock.  The server's clock says how long it
 * is from the answer on, but the answer may have lain here for a while; where
 * our clock agrees with the server's, it tells.  A second goes to rounding.
 */
static TimestampTz
local_reset(const Exchange *exchange, int64 end)
{
	int64		wait = milliseconds_until(exchange->channel, end);
	TimestampTz earliest = TimestampTzPlusMilliseconds(exchange->ticket.sent_at,
													   wait);
	TimestampTz latest = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 wait);
	TimestampTz ours = time_t_to_timestamptz((pg_time_t) end + 1);

	return Max(earliest, Min(ours, latest));
}

/* What the head of an answer says about the limit. */
static void
note_rate_limit(const Exchange *exchange)
{
	HttpChannel *channel = exchange->channel;
	LimiterUpdate notice;

	notice.refused = http_channel_status(channel) == 429;
	notice.limit = header_number(channel, "X-RateLimit-Limit");
	notice.remaining = header_number(channel, "X-RateLimit-Remaining");
	notice.window = window_end(channel);
	notice.reset = notice.window < 0 ? 0 :
		local_reset(exchange, notice.window);
	notice.retry_after = retry_after(channel);
	limiter_update(exchange->policy.limiter, &exchange->ticket, &notice);
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

/* What is not booked yet of the time until then. */
static int64
unbooked(const Exchange *exchange, int64 wake)
{
	return Max(wake - Max(http_now_ms(),
						  exchange->policy.counters->booked_until), 0);
}

/*
 * Books what an exchange will sleep on account of the rate limit; beforehand,
 * so that a cancelled sleep has been spent too.  What another exchange sleeps
 * meanwhile is the same time.
 */
static void
book(Exchange *exchange)
{
	ExchangeCounters *counters = exchange->policy.counters;
	int64		wait = unbooked(exchange, exchange->wake);

	counters->rate_limit_wait += wait;
	counters->booked_until = Max(counters->booked_until, exchange->wake);
	exchange->policy.totals->rate_limit_wait += wait;
}

/*
 * Holds an exchange on account of the rate limit for so long, if that is within
 * the budget.
 */
static bool
hold_for_limit(Exchange *exchange, int64 milliseconds)
{
	int64		wake = http_now_ms() + milliseconds;

	if (unbooked(exchange, wake) > rate_limit_left(exchange))
		return false;
	exchange->wake = wake;
	exchange->booked = true;
	exchange->policy.counters->rate_limit_waits++;
	exchange->policy.totals->rate_limit_waits++;
	book(exchange);
	return true;
}

/*
 * Ends it early: another exchange has seen the new window, or an answer left
 * more requests than there seemed to be.  What was not slept is given back, for
 * all; whoever still sleeps books it again when asked.
 */
static void
end_hold(Exchange *exchange)
{
	ExchangeCounters *counters = exchange->policy.counters;
	int64		left = counters->booked_until - http_now_ms();

	if (left > 0)
	{
		counters->rate_limit_wait -= left;
		counters->booked_until -= left;
		exchange->policy.totals->rate_limit_wait -= left;
	}
	exchange->wake = 0;
}

/* Whether it is too early to send anything. */
static bool
is_held(Exchange *exchange)
{
	if (exchange->wake <= http_now_ms())
		return false;
	if (exchange->for_window &&
		limiter_state(exchange->policy.limiter).remaining != 0)
	{
		end_hold(exchange);
		return false;
	}
	if (exchange->booked)
		book(exchange);
	return true;
}

/*
 * After a 429: until the server says, or else for a back-off.  The spread comes
 * on top; without it a server that names a time already past would be asked
 * again at once, and again.  False if that lasts too long.
 */
static bool
hold_after_refusal(Exchange *exchange)
{
	int64		wait = limiter_wait(exchange->policy.limiter);
	int64		backoff = backoff_limit(exchange->refusals);

	exchange->for_window = wait > 0;
	if (wait > 0)
		wait += random_ms(SPREAD);
	else
		wait = backoff / 2 + random_ms(backoff / 2);
	return hold_for_limit(exchange, wait);
}

/*
 * No request may be sent: an earlier answer says that there is nothing left to
 * ask, or the first one is not here yet.  False likewise.
 */
static bool
hold_for_window(Exchange *exchange, bool newcomer)
{
	int64		wait = limiter_wait(exchange->policy.limiter);

	exchange->for_window = !newcomer;
	if (!newcomer)
		return hold_for_limit(exchange, wait + random_ms(SPREAD));
	exchange->wake = http_now_ms() + NEWCOMER_TICK;
	exchange->booked = false;
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

/* The head of the answer is there, or nobody waits for it any more. */
static void
end_turn(Exchange *exchange, bool answered)
{
	const ExchangePolicy *policy = &exchange->policy;

	limiter_release(policy->limiter, &exchange->ticket, answered);
	limiter_release(policy->gate, &exchange->gate_ticket, answered);
}

void
exchange_stop(Exchange *exchange)
{
	if (exchange->stage == STAGE_HELD)
		return;
	exchange->stage = STAGE_HELD;
	if (!exchange->judged)
		end_turn(exchange, false);
	http_channel_stop(exchange->channel);
}

/*
 * Counts what we send; a request may be sent once more unseen, if a kept
 * connection turned out to be closed before a byte of the answer came, or to
 * have bytes that were not asked for.
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
	exchange->judged = false;
	exchange->stage = STAGE_SENT;
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
	{
		/* Before others may ask. */
		if (status == 401)
			limiter_note_refused(exchange->policy.gate);
		end_turn(exchange, status != 0);
		note_rate_limit(exchange);
	}
	if (first && status == 429)
		return VERDICT_REFUSED;
	if (progress == HTTP_FAILED)
		return judge_failure(exchange);
	if (first && status >= 500 &&
		exchange->failures < exchange->policy.max_retries)
		return VERDICT_FAILED;
	return VERDICT_FINAL;
}

/*
 * Goes on ending a try of which nothing is wanted: its connection is kept if
 * that is cheap.
 */
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

/* Gives up a try in favour of another, which may be held back already. */
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
 * After a failure.  A server that is down and says when to come back is heeded
 * as far as the budget for such waits goes.
 */
static void
prepare_retry(Exchange *exchange, HttpProgress progress)
{
	int64		asked = -1;
	int64		backoff = random_ms(backoff_limit(exchange->failures));

	if (http_channel_status(exchange->channel) == 503)
		asked = Min(retry_after(exchange->channel), rate_limit_left(exchange));
	exchange->for_window = false;
	if (asked <= backoff || !hold_for_limit(exchange, asked))
	{
		exchange->wake = http_now_ms() + backoff;
		exchange->booked = false;
	}
	exchange->failures++;
	begin_discard(exchange, progress);
}

/* After a 429; false, with all left as it is, if there is no time for it. */
static bool
prepare_after_refusal(Exchange *exchange, HttpProgress progress)
{
	if (!hold_after_refusal(exchange))
		return false;
	exchange->refusals++;
	begin_discard(exchange, progress);
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

/* Whether it is this request's turn. */
static bool
take_turn(Exchange *exchange, bool *newcomer)
{
	const ExchangePolicy *policy = &exchange->policy;

	if (!limiter_acquire(policy->gate, &exchange->gate_ticket, newcomer))
		return false;
	if (limiter_acquire(policy->limiter, &exchange->ticket, newcomer))
		return true;
	limiter_release(policy->gate, &exchange->gate_ticket, false);
	return false;
}

/* Sends what may be sent; EXCHANGE_BYTES if that is so. */
static ExchangeResult
poll_held(Exchange *exchange)
{
	bool		newcomer;

	if (is_held(exchange))
		return EXCHANGE_WAITING;
	exchange->wake = 0;
	if (take_turn(exchange, &newcomer))
	{
		send_request(exchange);
		return EXCHANGE_BYTES;
	}
	return hold_for_window(exchange, newcomer) ? EXCHANGE_WAITING :
		EXCHANGE_RATE_LIMITED;
}

/*
 * What has come of the present try; false if the next one has to tell.
 */
static bool
poll_sent(Exchange *exchange, HttpProgress progress, ExchangeResult *result)
{
	switch (judge(exchange, progress))
	{
		case VERDICT_FINAL:
			*result = result_of(exchange, progress);
			return true;
		case VERDICT_FAILED:
			prepare_retry(exchange, progress);
			return false;
		case VERDICT_REFUSED:
			*result = EXCHANGE_RATE_LIMITED;
			return !prepare_after_refusal(exchange, progress);
	}
	pg_unreachable();
}

/*
 * An interrupt may leave this anywhere.  While an exchange is held nothing is
 * under way; else exchange_stop() cleans up.
 */
ExchangeResult
exchange_poll(Exchange *exchange)
{
	for (;;)
	{
		ExchangeResult result;
		HttpProgress progress;

		if (exchange->stage == STAGE_HELD)
		{
			result = poll_held(exchange);
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

/* Sleeps for the channels of those under way and the first to wake up. */
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

		if (exchange->stage != STAGE_HELD)
			channels[nchannels++] = exchange->channel;
		if (exchange->stage == STAGE_HELD)
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
exchange_is_held(const Exchange *exchange)
{
	return exchange->stage == STAGE_HELD;
}
