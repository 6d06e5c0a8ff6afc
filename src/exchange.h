/*
 * exchange.h
 *		One request until it has an answer: tried again when it failed before
 *		anything of it was used, held back when the rate limit says so.
 *
 * Knows HTTP's status codes and headers, but neither HiBob nor what a body
 * means.  It raises no error of its own (only that of a cancel, and those of
 * http_channel_wait()): what came out of the exchange is for the caller to
 * read and to judge.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "http.h"

/*
 * What the last answer of an endpoint said about its rate limit.  It lives as
 * long as the connection, so that a later exchange does not ask in vain.  The
 * reset is by our own clock, whatever the server's shows.
 */
typedef struct RateLimit
{
	bool		known;
	int			limit;			/* requests a window; -1 unknown */
	int			remaining;		/* -1 unknown */
	TimestampTz reset;			/* when the window ends; 0 unknown */
} RateLimit;

typedef struct ExchangeCounters
{
	uint64		requests;
	uint64		bytes_received; /* over the wire */
	uint64		retries;		/* of the requests, those sent again */
	int64		rate_limit_wait;	/* ms slept */
} ExchangeCounters;

typedef struct ExchangePolicy
{
	int			max_retries;
	int			max_rate_limit_wait;	/* ms; what counters->rate_limit_wait
										 * may reach */
	RateLimit  *rate_limit;
	ExchangeCounters *counters; /* added to, across the exchanges of a scan */
} ExchangePolicy;

typedef enum ExchangeResult
{
	EXCHANGE_BYTES,				/* the window has bytes that were not there */
	EXCHANGE_END,				/* the answer is complete */
	EXCHANGE_FAILED,			/* no (whole) answer: see the channel's failure */
	EXCHANGE_RATE_LIMITED		/* waiting for the limit would take too long */
} ExchangeResult;

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
	bool		started;		/* a request is under way or answered */
	bool		judged;			/* the answer's head was looked at */
	int			failures;		/* tries that failed, other than by 429 */
	int			refusals;		/* tries that were answered 429 */
} Exchange;

/*
 * The request's strings, and what the policy points to, must live as long as
 * the exchange; exchange_stop() in the clean-up after an error still uses the
 * counters, so none of it may lie on the stack.  Nothing is sent yet; what the
 * channel knew of an exchange before is gone.
 */
extern void exchange_init(Exchange *exchange, HttpChannel *channel,
						  const HttpRequest *request,
						  const ExchangePolicy *policy);

/*
 * Goes on until there is something new to look at.  The first call sends the
 * request.  A body is handed out as it comes if the status is 2xx or final
 * (one that is not tried again).
 *
 * If the answer is an error for good (not 2xx) and its body breaks off, that
 * is an EXCHANGE_END all the same: the status is the answer then.
 *
 * EXCHANGE_RATE_LIMITED comes without sleeping.  If a 429 was the cause, its
 * status and headers are there to look at; if an earlier answer was, nothing
 * was sent and the status is 0.  policy.rate_limit says when to come back.
 */
extern ExchangeResult exchange_wait(Exchange *exchange);

/*
 * Ends the exchange, wherever it is, and books the bytes received.  Never
 * raises an error; harmless when repeated, or when nothing was sent.
 */
extern void exchange_stop(Exchange *exchange);

#endif							/* EXCHANGE_H */
