/*
 * limiter.c
 *		The rate limit of an account's endpoint, and whether HiBob rejected the
 *		account's credentials.
 *
 * A limiter calculates with state in shared memory or in its handle.  A shared
 * entry may be replaced by another account's at any time.  Then its state is
 * lost, and the next request starts with a new one.
 *
 * This runs in the postmaster, too: it must not call libcurl.
 */
#include "postgres.h"

#include <limits.h>

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "http/http.h"
#include "session/limiter.h"
#include "session/shared_table.h"
#include "utils/timestamp.h"

/* The longest path that HiBob documents is half as long. */
#define MAX_ENDPOINT 96

/* By how much the end of one window may differ between responses; in s. */
#define WINDOW_TOLERANCE 2

/* How long a request waits for the first response to an earlier one, in ms. */
#define FIRST_RESPONSE_MS 500

/* For how long rejected credentials are not sent again, in ms. */
#define REJECTED_MS (60 * 1000)

/*
 * HiBob blocks an address after fifty responses 401 within ten seconds.  Two
 * such periods can meet, so each has fewer than half of that.
 */
#define UNVERIFIED_PERIOD (10 * 1000)	/* ms */
#define MAX_UNVERIFIED 20

typedef struct LimiterKey
{
	uint8		account[LIMITER_ACCOUNT_SIZE];
	char		endpoint[MAX_ENDPOINT]; /* padded with zeros */
} LimiterKey;

/* Zeros are the state before the first request. */
typedef struct LimiterState
{
	bool		known;			/* a response described the limit */
	bool		expired;		/* the window has ended, no response since */
	bool		verified;		/* there was a response */
	int			limit;			/* -1 unknown */
	int			remaining;		/* -1 unknown */
	int			in_flight;		/* requests without a response */
	int64		reset;			/* when the window ends; 0 unknown */
	int64		updated;		/* when a response described it */
	int64		window_end;		/* as the server wrote it; -1 unknown */
	uint64		window;			/* number of the window, never that of a
								 * predecessor in the table */
	uint64		sent;			/* requests so far */
	int64		last_sent;
	int64		rejected;		/* when the credentials were; 0: never */
	int64		unverified_since;	/* of an address: the period, and in it */
	int			unverified;		/* the requests in flight or rejected */
} LimiterState;

typedef struct LimiterEntry
{
	LimiterKey	key;
	int64		last_used;
	LimiterState state;
} LimiterEntry;

struct Limiter
{
	LimiterKey	key;
	bool		can_share;		/* the key is not truncated */
	LimiterState own;			/* if it is not shared */
};

static SharedTable shared = {
	.name = "hibob_fdw limits",
	.keysize = sizeof(LimiterKey),
	.entrysize = sizeof(LimiterEntry),
	.last_used = offsetof(LimiterEntry, last_used),
};

void
limiter_init(void)
{
	shared_table_init(&shared);
}

/* ------------------------------------------------------------------------
 * Handles
 * ------------------------------------------------------------------------
 */

void
limiter_digest(uint8 *account, const void *const *values, const size_t *lengths,
			   int n)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	bool		good = pg_cryptohash_init(context) >= 0;

	for (int i = 0; i < n && good; i++)
		good = pg_cryptohash_update(context, values[i], lengths[i]) >= 0;
	good = good &&
		pg_cryptohash_final(context, account, LIMITER_ACCOUNT_SIZE) >= 0;
	pg_cryptohash_free(context);
	if (!good)
		elog(ERROR, "could not compute a digest");
}

static void
initialize(LimiterState *state)
{
	memset(state, 0, sizeof(LimiterState));
	state->limit = state->remaining = -1;
	state->window_end = -1;
	state->window = (uint64) GetCurrentTimestamp();
}

Limiter *
limiter_create(const uint8 *account, const char *endpoint)
{
	Limiter    *limiter = palloc0(sizeof(Limiter));

	strlcpy(limiter->key.endpoint, endpoint, MAX_ENDPOINT);
	limiter->can_share = shared_table_exists(&shared) &&
		strlen(endpoint) < MAX_ENDPOINT;
	limiter_set_account(limiter, account);
	return limiter;
}

void
limiter_set_account(Limiter *limiter, const uint8 *account)
{
	memcpy(limiter->key.account, account, LIMITER_ACCOUNT_SIZE);
	initialize(&limiter->own);
}

/*
 * The state, locked.  If there is none in shared memory, it is created, or else
 * the handle's own state is returned, which is that before the first request.
 */
static LimiterState *
lock_state(Limiter *limiter, bool create)
{
	LimiterEntry *entry;
	bool		found = true;

	if (!limiter->can_share)
		return &limiter->own;
	shared_table_lock(&shared, LW_EXCLUSIVE);
	if (create)
		entry = shared_table_enter(&shared, &limiter->key, &found);
	else
		entry = shared_table_find(&shared, &limiter->key);
	if (!found)
		initialize(&entry->state);
	return entry != NULL ? &entry->state : &limiter->own;
}

static void
unlock_state(const Limiter *limiter)
{
	if (limiter->can_share)
		shared_table_unlock(&shared);
}

/* ------------------------------------------------------------------------
 * The window.  The functions up to the next heading work on locked state.
 * ------------------------------------------------------------------------
 */

/*
 * The window has ended.  The next one is assumed to permit as many requests as
 * this one; the response to the first of them has the real number.
 */
static void
begin_window(LimiterState *state)
{
	state->expired = true;
	state->window++;
	state->in_flight = 0;
	state->remaining = state->limit > 0 ? state->limit : -1;
}

/* The milliseconds during which no request may be sent. */
static int64
window_wait(LimiterState *state, int64 now)
{
	if (!state->known)
		return 0;
	if (now < state->reset)
		return state->remaining == 0 ? state->reset - now : 0;
	if (state->reset != 0 && !state->expired)
		begin_window(state);
	else if (state->remaining == 0)
		state->remaining = -1;	/* no response had the end of the window */
	return 0;
}

/* Whether a request should wait for the response to an earlier one. */
static bool
is_response_pending(const LimiterState *state, int64 now)
{
	return !state->verified && state->in_flight > 0 &&
		now < state->last_sent + FIRST_RESPONSE_MS;
}

static void
note_sent(LimiterState *state, LimiterPermit *permit, int64 now)
{
	permit->sent_at = now;
	permit->serial = ++state->sent;
	permit->window = state->window;
	permit->concurrent = state->in_flight++;
	permit->verified = state->verified;
	state->last_sent = now;
	if (state->known && state->remaining > 0)
		state->remaining--;
}

/*
 * Whether a response describes a window that has passed: responses arrive in
 * any order.  A server that computes the window's end for each response may be
 * a little off.  The response to a request that was sent after the last update
 * is newer than that, whatever its values are.
 */
static bool
is_stale(const LimiterState *state, const LimiterPermit *permit,
		 int64 window_end)
{
	if (state->window_end < 0 || window_end < 0)
		return false;
	if (state->expired)
		return window_end <= state->window_end;
	return window_end < state->window_end - WINDOW_TOLERANCE &&
		permit->sent_at <= state->updated;
}

/*
 * A response has the number of requests that remained when the server wrote it.
 * The requests that the server had not counted then are subtracted: those sent
 * after this one, and perhaps those that were in flight when it was sent.  Our
 * own count is better, unless other programs use up the limit, too.
 */
static void
update_remaining(LimiterState *state, const LimiterPermit *permit,
				 int64 remaining)
{
	int64		later = (int64) (state->sent - permit->serial);
	int64		least;

	if (remaining < state->remaining)
		least = remaining - state->in_flight;
	else
		least = Max(state->remaining,
					remaining - permit->concurrent - Max(later, 0));
	state->remaining = (int) Max(least, 0);
}

/*
 * Not all responses describe the limit.  A 429 does so by its status, and may
 * name the time in another way.
 */
static void
update_state(LimiterState *state, const LimiterPermit *permit,
			 const LimiterUpdate *update, int64 now)
{
	bool		stale = is_stale(state, permit, update->window_end);

	if (stale && (!update->exceeded || update->retry_after < 0))
		return;
	state->known = true;
	if (update->limit >= 0)
		state->limit = update->limit > INT_MAX ? -1 : (int) update->limit;
	if (update->exceeded)
		state->remaining = 0;
	else if (update->remaining >= 0 && update->remaining <= INT_MAX)
		update_remaining(state, permit, update->remaining);
	if (update->window_end >= 0 && !stale)
	{
		state->window_end = update->window_end;
		state->reset = update->reset;
		state->expired = false;
	}
	else if (update->exceeded && update->retry_after >= 0)
	{
		state->reset = now + update->retry_after;
		state->expired = false;
	}
	state->updated = now;
}

/* ------------------------------------------------------------------------
 * Requests and responses
 * ------------------------------------------------------------------------
 */

RateLimit
limiter_state(Limiter *limiter)
{
	LimiterState state = *lock_state(limiter, false);
	RateLimit	result = {.known = state.known, .limit = state.limit,
	.remaining = state.remaining};

	unlock_state(limiter);
	if (state.reset != 0)
		result.reset = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												   state.reset - http_now_ms());
	return result;
}

int64
limiter_wait(Limiter *limiter)
{
	int64		wait = window_wait(lock_state(limiter, false), http_now_ms());

	unlock_state(limiter);
	return wait;
}

bool
limiter_acquire(Limiter *limiter, LimiterPermit *permit, bool force,
				bool *response_pending)
{
	LimiterState *state = lock_state(limiter, true);
	int64		now = http_now_ms();
	int64		wait = window_wait(state, now);
	bool		permitted;

	*response_pending = is_response_pending(state, now);
	permitted = !*response_pending && (wait == 0 || force);
	if (permitted)
		note_sent(state, permit, now);
	unlock_state(limiter);
	return permitted;
}

void
limiter_release(Limiter *limiter, const LimiterPermit *permit, bool responded)
{
	LimiterState *state = lock_state(limiter, false);

	/* Not if the window has ended, or the entry was replaced. */
	if (permit->window == state->window)
	{
		state->in_flight = Max(state->in_flight - 1, 0);
		state->verified |= responded;
	}
	unlock_state(limiter);
}

void
limiter_cancel(Limiter *limiter, const LimiterPermit *permit)
{
	LimiterState *state = lock_state(limiter, false);

	if (permit->window == state->window)
	{
		state->in_flight = Max(state->in_flight - 1, 0);
		state->sent--;
		if (state != &limiter->own && state->sent == 0 &&
			state->rejected == 0)
			shared_table_remove(&shared, &limiter->key);
	}
	unlock_state(limiter);
}

void
limiter_update(Limiter *limiter, const LimiterPermit *permit,
			   const LimiterUpdate *update)
{
	if (!update->exceeded && update->limit < 0 && update->remaining < 0 &&
		update->window_end < 0)
		return;
	update_state(lock_state(limiter, true), permit, update, http_now_ms());
	unlock_state(limiter);
}

void
limiter_note_rejected(Limiter *limiter)
{
	LimiterState *state = lock_state(limiter, true);

	state->rejected = http_now_ms();
	state->verified = false;
	unlock_state(limiter);
}

int64
limiter_rejected_for(Limiter *limiter)
{
	int64		rejected = lock_state(limiter, false)->rejected;

	unlock_state(limiter);
	return rejected == 0 ? 0 : Max(rejected + REJECTED_MS - http_now_ms(), 0);
}

bool
limiter_acquire_unverified(Limiter *limiter, int64 *since)
{
	LimiterState *state = lock_state(limiter, true);
	int64		now = http_now_ms();
	bool		permitted;

	if (now >= state->unverified_since + UNVERIFIED_PERIOD)
	{
		state->unverified_since = now;
		state->unverified = 0;
	}
	permitted = state->unverified < MAX_UNVERIFIED;
	if (permitted)
		state->unverified++;
	*since = state->unverified_since;
	unlock_state(limiter);
	return permitted;
}

void
limiter_release_unverified(Limiter *limiter, int64 since)
{
	LimiterState *state = lock_state(limiter, false);

	if (state->unverified_since == since && state->unverified > 0)
		state->unverified--;
	unlock_state(limiter);
}
