/*
 * exchange.h
 *		One request until it has an answer: tried again when it failed before
 *		anything of it was used, held back when the rate limit says so.
 *
 * Any number of exchanges may be under way at once, each on a channel of its
 * own.  They go on when they are polled, or waited for, and only then: a
 * back-off that has ended while nobody asked has done no more than to end.
 *
 * Knows HTTP's status codes and headers, but neither HiBob nor what a body
 * means.  It raises no error of its own (only that of a cancel, and those of
 * http_channel_wait()): what came out of the exchange is for the caller to
 * read and to judge.
 */
#ifndef HIBOB_SESSION_EXCHANGE_H
#define HIBOB_SESSION_EXCHANGE_H

#include "postgres.h"

#include "http/http.h"
#include "session/limiter.h"

typedef struct ExchangeCounters
{
	uint64		requests;
	uint64		bytes_received; /* over the wire */
	uint64		retries;		/* of the requests, those sent again */
	uint64		rate_limit_waits;	/* times that something was held back */
	int64		rate_limit_wait;	/* ms slept; once, where several did */
	int64		booked_until;	/* private: on the clock of http_now_ms() */
} ExchangeCounters;

typedef struct ExchangePolicy
{
	int			max_retries;
	int			max_rate_limit_wait;	/* ms; what counters->rate_limit_wait
										 * may reach */
	Limiter    *limiter;		/* of the endpoint, */
	Limiter    *gate;			/* and of all that the credentials ask */
	ExchangeCounters *counters; /* added to, across the exchanges of a scan */
	ExchangeCounters *totals;	/* the same, across those of an endpoint */
} ExchangePolicy;

typedef enum ExchangeResult
{
	EXCHANGE_BYTES,				/* the window has bytes that were not there */
	EXCHANGE_END,				/* the answer is complete */
	EXCHANGE_FAILED,			/* no (whole) answer: see the channel's failure */
	EXCHANGE_RATE_LIMITED,		/* waiting for the limit would take too long */
	EXCHANGE_WAITING			/* there is nothing new without sleeping */
} ExchangeResult;

typedef enum ExchangeStage
{
	STAGE_HELD,					/* nothing under way, nor before "wake" */
	STAGE_SENT,					/* a request is under way, or answered */
	STAGE_DISCARDING			/* the rest of a try that comes to nothing */
} ExchangeStage;

typedef struct Exchange
{
	HttpChannel *channel;
	HttpRequest request;
	ExchangePolicy policy;
	int			attempt;		/* from 0; a caller that sees it change has to
								 * read the body from its start */
	bool		committed;		/* set by the caller: something of the answer
								 * was used, so no retry */
	/* private */
	ExchangeStage stage;
	int64		wake;			/* by http_now_ms(); 0: nothing holds it back */
	bool		booked;			/* ... and that is booked */
	bool		for_window;		/* ... and over when the rate limit allows */
	bool		judged;			/* the answer's head was looked at */
	uint64		received;		/* bytes that are counted already, */
	size_t		discarded;		/* and thrown away, of the present answer */
	int			failures;		/* tries that failed, other than by 429 */
	int			refusals;		/* tries that were answered 429 */
	int64		discard_until;	/* by http_now_ms() */
	LimiterTicket ticket;		/* of the present try */
	LimiterTicket gate_ticket;
} Exchange;

/*
 * The request's strings, and what the policy points to, must live as long as
 * the exchange; exchange_stop() in the clean-up after an error still uses the
 * rate limit, so none of it may lie on the stack.  Nothing is sent yet; what the
 * channel knew of an exchange before is gone.  What happens is counted when it
 * does, so that the counters are true after an error, too.
 */
extern void exchange_init(Exchange *exchange, HttpChannel *channel,
						  const HttpRequest *request,
						  const ExchangePolicy *policy);

/*
 * Goes on as far as it can without sleeping.  The first call sends the request,
 * if it may be sent.  Handles interrupts.  A body is handed out as it comes if
 * the status is 2xx or final (one that is not tried again).
 *
 * If the answer is an error for good (not 2xx) and its body breaks off, that
 * is an EXCHANGE_END all the same: the status is the answer then.
 *
 * EXCHANGE_RATE_LIMITED comes without sleeping.  If a 429 was the cause, its
 * status and headers are there to look at; if an earlier answer was, nothing
 * was sent and the status is 0.  policy.limiter knows when to come back.
 *
 * After EXCHANGE_WAITING the attempt may have changed as after any other
 * result, and the window's bytes count only if it has not.  Each call reads on,
 * at most about 256 kB beyond what the window holds: whoever has enough for now
 * does not call, and the server has to wait.
 */
extern ExchangeResult exchange_poll(Exchange *exchange);

/* Whether a request has still to be sent, for the first time or again. */
extern bool exchange_is_held(const Exchange *exchange);

/*
 * Sleeps until at least one of them is worth polling again; each has returned
 * EXCHANGE_WAITING before.  Handles interrupts.  May return earlier.
 */
extern void exchange_wait_any(Exchange *const *exchanges, int n);

/*
 * Ends the exchange, wherever it is.  Never raises an error; harmless when
 * repeated, or when nothing was sent.  If it is never called, after an error,
 * the rate limit takes the request for one under way until the window ends, and
 * is the more cautious.
 */
extern void exchange_stop(Exchange *exchange);

#endif							/* HIBOB_SESSION_EXCHANGE_H */
