/*
 * limiter.h
 *		The rate limit of an account's endpoint, and whether HiBob rejected the
 *		account's credentials.
 *
 * Where the library is preloaded, all sessions share the state of a limiter
 * and count down the same requests.  Otherwise each session knows only the
 * responses to its own requests.
 *
 * Times are on the monotonic clock of http_now_ms(), which all processes
 * share: setting the system's clock back does not prolong a wait.
 *
 * Knows nothing of HTTP: the caller passes the values of the headers.
 */
#ifndef HIBOB_SESSION_LIMITER_H
#define HIBOB_SESSION_LIMITER_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct Limiter Limiter;

/* A digest identifies an account; it is no secret. */
#define LIMITER_ACCOUNT_SIZE 32

/* The limit, as the responses described it. */
typedef struct RateLimit
{
	bool		known;
	int			limit;			/* requests in a window; -1 unknown */
	int			remaining;		/* less those sent since; -1 unknown */
	TimestampTz reset;			/* when the window ends; 0 unknown */
} RateLimit;

/* A request that limiter_acquire() has permitted. */
typedef struct LimiterPermit
{
	int64		sent_at;
	uint64		serial;			/* number among the limiter's requests */
	uint64		window;			/* number of the window that it was sent in */
	int			concurrent;		/* other requests that were in flight then */
	bool		verified;		/* there was a response before */
} LimiterPermit;

/* The values of the headers of a response; -1 if absent. */
typedef struct LimiterUpdate
{
	bool		exceeded;		/* the request was beyond the limit (429) */
	int64		limit;
	int64		remaining;
	int64		window_end;		/* in seconds, on the server's clock, */
	int64		reset;			/* and in ms, on ours */
	int64		retry_after;	/* ms */
} LimiterUpdate;

/* The digest of several values, as the identity of an account. */
extern void limiter_digest(uint8 *account, const void *const *values,
						   const size_t *lengths, int n);

/*
 * A limiter for an account and an endpoint, or for all requests with the
 * account's credentials if the endpoint is "".  The handle lies in the current
 * memory context.  Shared state is created with the first request.
 */
extern Limiter *limiter_create(const uint8 *account, const char *endpoint);

/* Changes the account of a handle, after its credentials were replaced. */
extern void limiter_set_account(Limiter *limiter, const uint8 *account);

extern RateLimit limiter_state(Limiter *limiter);

/* The milliseconds during which no request may be sent. */
extern int64 limiter_wait(Limiter *limiter);

/*
 * Permits a request, unless limiter_wait() is not 0 or the first response is
 * pending: as long as there was none, a further request is permitted only every
 * half a second.  With "force" only the latter holds a request back.  A permit
 * is released when the head of its response has arrived, or when nothing waits
 * for the response any longer.
 */
extern bool limiter_acquire(Limiter *limiter, LimiterPermit *permit,
							bool force, bool *response_pending);

/* "responded": there was a response, and the credentials were accepted. */
extern void limiter_release(Limiter *limiter, const LimiterPermit *permit,
							bool responded);

/*
 * Gives back the permit of a request that was not sent.  If it was the first
 * one, the shared state is removed, so that attempts to send take no memory.
 */
extern void limiter_cancel(Limiter *limiter, const LimiterPermit *permit);

/* Learns from the response to a request. */
extern void limiter_update(Limiter *limiter, const LimiterPermit *permit,
						   const LimiterUpdate *update);

/*
 * HiBob blocks an address after fifty responses 401 within ten seconds.  So no
 * session sends rejected credentials again for a minute; then one request is
 * sent first.
 */
extern void limiter_note_rejected(Limiter *limiter);

/* The rest of that minute in ms; 0 if the credentials were not rejected. */
extern int64 limiter_rejected_for(Limiter *limiter);

/*
 * For the limiter of an address: whether credentials that had no response yet
 * may be sent to it.  It limits the number of those that are in flight, or were
 * rejected within ten seconds, so that HiBob does not block the address,
 * whatever tokens users set.  The second function must be called when a
 * response has arrived, unless it rejected the credentials; "since" identifies
 * the ten seconds.
 */
extern bool limiter_acquire_unverified(Limiter *limiter, int64 *since);
extern void limiter_release_unverified(Limiter *limiter, int64 since);

/* Requests shared memory, if the server is starting. */
extern void limiter_init(void);

#endif							/* HIBOB_SESSION_LIMITER_H */
