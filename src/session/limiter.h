/*
 * limiter.h
 *		What is known of a rate limit, and whose turn it is to ask.
 *
 * A limit is by endpoint and account.  Where the library is preloaded, all
 * sessions share what they know of it, and count down the same requests; else
 * each session is on its own, and learns from the answers that it gets.
 *
 * Knows nothing of HTTP: what an answer's headers say comes as a notice.
 */
#ifndef HIBOB_SESSION_LIMITER_H
#define HIBOB_SESSION_LIMITER_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct Limiter Limiter;

/* Tells one account from another: a digest, not a secret. */
#define LIMITER_ACCOUNT_SIZE 32

/*
 * What the answers said.  The reset is by our own clock, whatever the server's
 * shows.
 */
typedef struct RateLimit
{
	bool		known;
	int			limit;			/* requests a window; -1 unknown */
	int			remaining;		/* less what was sent since; -1 unknown */
	TimestampTz reset;			/* when the window ends; 0 unknown */
} RateLimit;

/* A request that was sent. */
typedef struct LimiterTicket
{
	TimestampTz sent_at;
	uint64		serial;			/* among the limit's requests */
	uint64		turn;			/* the window that it was sent in */
	int			rivals;			/* requests that were under way then */
} LimiterTicket;

/* What an answer says; -1 for what it does not. */
typedef struct LimiterUpdate
{
	bool		refused;		/* by the limit */
	int64		limit;
	int64		remaining;
	int64		window;			/* its end as the server wrote it, in s, */
	TimestampTz reset;			/* and by our clock */
	int64		retry_after;	/* ms */
} LimiterUpdate;

/*
 * The limit of an account's endpoint.  What is not shared lies in the present
 * memory context; what is shared stays.  So ask once and remember.
 */
extern Limiter *limiter_find(const uint8 *account, const char *endpoint);

extern RateLimit limiter_state(Limiter *limiter);

/* For how long, in ms, no request may be sent. */
extern int64 limiter_wait(Limiter *limiter);

/*
 * A request may go out: then the ticket is filled in, and true.  Else what
 * limiter_wait() says has changed, or somebody else asks for the first time:
 * nothing is known before that is answered, and for a little while it is worth
 * the wait ("newcomer").  A ticket is given back when its answer's head is
 * there, or when nobody waits for it any more.
 */
extern bool limiter_acquire(Limiter *limiter, LimiterTicket *ticket,
							bool *newcomer);
extern void limiter_release(Limiter *limiter, const LimiterTicket *ticket,
							bool answered);

/* Learns from the answer to a request. */
extern void limiter_update(Limiter *limiter, const LimiterTicket *ticket,
						   const LimiterUpdate *notice);

/*
 * When the credentials were refused last, by an answer to whatever session; 0 if
 * never.  That is remembered for whoever asks, and changes nothing here.
 */
extern void limiter_note_refused(Limiter *limiter);
extern TimestampTz limiter_refused_at(Limiter *limiter);

/* Asks the server for shared memory, if it is about to start. */
extern void limiter_init(void);

#endif							/* HIBOB_SESSION_LIMITER_H */
