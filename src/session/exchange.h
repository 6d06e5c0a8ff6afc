/*
 * exchange.h
 *		One request until it has a response: retried if it failed before the
 *		caller used any of the response, and delayed if the rate limit requires
 *		it.
 *
 * Any number of exchanges may be in progress at once, each on a channel of its
 * own.  They proceed only while they are polled or waited for: nothing is sent
 * when a back-off ends before the next poll.
 *
 * Knows HTTP's status codes and headers, but neither HiBob nor what a body
 * means.  It raises no errors of its own, only that of a cancel and those of
 * http_channel_wait(): the caller reads the outcome and judges it.
 */
#ifndef HIBOB_SESSION_EXCHANGE_H
#define HIBOB_SESSION_EXCHANGE_H

#include "postgres.h"

#include "http/http.h"
#include "session/connection.h"
#include "session/limiter.h"

typedef struct ExchangeCounters
{
	uint64		requests;
	uint64		bytes_received; /* over the wire */
	uint64		retries;		/* of the requests, those sent again */
	uint64		rate_limit_waits;	/* how often a request was delayed */
	int64		rate_limit_wait;	/* ms; simultaneous waits count once */
	int64		charged_until;	/* private: on the clock of http_now_ms() */
} ExchangeCounters;

typedef struct ExchangePolicy
{
	int			max_retries;
	int			max_rate_limit_wait;	/* ms; the most that
										 * counters->rate_limit_wait may reach */
	bool		ignore_rate_limit;	/* send even if the limit is known to be
									 * used up */
	Connection *connection;		/* for its credentials */
	Limiter    *limiter;		/* of the endpoint */
	ExchangeCounters *counters; /* added to, across the exchanges of a scan */
	ExchangeCounters *totals;	/* the same, across those of an endpoint */
} ExchangePolicy;

typedef enum ExchangeResult
{
	EXCHANGE_BYTES,				/* the window has new bytes */
	EXCHANGE_END,				/* the response is complete */
	EXCHANGE_FAILED,			/* no (complete) response: see the channel's
								 * failure */
	EXCHANGE_RATE_LIMITED,		/* waiting for the limit would take too long */
	EXCHANGE_WAITING			/* nothing new without sleeping */
} ExchangeResult;

typedef enum ExchangeStage
{
	STAGE_UNSENT,				/* not in flight, and not sent before "wake" */
	STAGE_SENT,					/* a request is in flight, or has a response */
	STAGE_DISCARDING			/* the rest of a response that is not used */
} ExchangeStage;

typedef struct Exchange
{
	HttpChannel *channel;
	HttpRequest request;
	ExchangePolicy policy;
	int			attempt;		/* from 0; if it changes, the caller has to read
								 * the body from its start */
	bool		committed;		/* set by the caller: part of the response was
								 * used, so no retry */
	/* private */
	ExchangeStage stage;
	int64		wake;			/* by http_now_ms(); 0: not delayed */
	bool		charged;		/* the delay counts as rate_limit_wait */
	bool		for_window;		/* the delay ends when the rate limit allows */
	bool		head_done;		/* the response's head was dealt with */
	uint64		received;		/* bytes counted, and */
	size_t		discarded;		/* thrown away, of the current response */
	int			failures;		/* tries that failed, other than by 429 */
	int			rate_limited;	/* tries with the response 429 */
	int64		discard_until;	/* by http_now_ms() */
	bool		renewed;		/* the credentials were read again */
	uint64		credentials_version;	/* of the current try */
	bool		unverified;		/* ... which had no response yet */
	int64		unverified_since;	/* see limiter_release_unverified() */
	LimiterPermit permit;		/* of the current try, for the endpoint, */
	LimiterPermit credentials_permit;	/* and for the credentials */
} Exchange;

/*
 * The request's strings and what the policy points to must live as long as the
 * exchange.  exchange_stop() in the clean-up after an error still uses the
 * limiters, so none of it may lie on the stack.  Nothing is sent yet; the
 * channel forgets its previous exchange.  Events are counted as they happen,
 * so that the counters are right after an error, too.
 */
extern void exchange_init(Exchange *exchange, HttpChannel *channel,
						  const HttpRequest *request,
						  const ExchangePolicy *policy);

/*
 * Proceeds as far as it can without sleeping.  The first call sends the
 * request, if it may be sent.  Handles interrupts.  A body is passed on as it
 * arrives if the status is 2xx or final (one that is not retried).
 *
 * If the response is a final error (not 2xx) and its body is incomplete, the
 * result is EXCHANGE_END nevertheless: the status is the response then.
 *
 * EXCHANGE_RATE_LIMITED is returned without sleeping.  If a 429 was the cause,
 * its status and headers are available; if an earlier response was, nothing was
 * sent and the status is 0.  policy.limiter has the time to wait.
 *
 * After EXCHANGE_WAITING, as after any other result, the attempt may have
 * changed; then the window's bytes are not valid.  Each call continues to read,
 * at most about 256 kB beyond the window's content: while a caller that needs
 * no more bytes does not call, the server has to wait.
 */
extern ExchangeResult exchange_poll(Exchange *exchange);

/* Whether a request still has to be sent, for the first time or again. */
extern bool exchange_is_unsent(const Exchange *exchange);

/*
 * Sleeps until at least one of the exchanges is worth polling again; each has
 * returned EXCHANGE_WAITING before.  Handles interrupts.  May return earlier.
 */
extern void exchange_wait_any(Exchange *const *exchanges, int n);

/*
 * Ends the exchange in any stage.  Never raises an error; harmless if repeated,
 * or if nothing was sent.  If it is not called after an error, the limiter
 * counts the request as in flight until the window ends, and permits fewer
 * requests.
 */
extern void exchange_stop(Exchange *exchange);

#endif							/* HIBOB_SESSION_EXCHANGE_H */
