/*
 * limiter.c
 *		What is known of a rate limit, and whose turn it is to ask.
 *
 * A limiter is a little arithmetic under a spinlock, in shared memory or not.
 * Those that are shared lie in a hash table of fixed size, and are never taken
 * out of it, so that they can be pointed to; when it is full, sessions are on
 * their own again.
 *
 * It runs in the postmaster, too: nothing here may come near libcurl.
 */
#include "postgres.h"

#include <limits.h>

#include "compat.h"
#include "miscadmin.h"
#include "session/limiter.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

/* Some 30 endpoints an account, of which few are used. */
#define MAX_SHARED 1000

/* The longest path that HiBob documents has half of that. */
#define MAX_ENDPOINT 96

#define TRANCHE "hibob_fdw limits"

/* By how much the end of one window may differ between answers; in s. */
#define WINDOW_TOLERANCE 2

/* How long the first answer of all is waited for before others ask, in ms. */
#define NEWCOMER_MS 500

struct Limiter
{
	slock_t		mutex;			/* of what follows */
	RateLimit	state;
	int64		window;			/* its end as the server wrote it; -1 unknown */
	bool		rolled;			/* that has passed, and nothing came since */
	bool		answered;		/* something came, at some time */
	uint64		turns;			/* how many windows have ended */
	uint64		sent;			/* requests so far */
	int			under_way;		/* of them, those without an answer */
	TimestampTz busy_since;		/* there are such */
	TimestampTz refused_at;		/* the credentials; 0: not */
};

typedef struct LimiterKey
{
	uint8		account[LIMITER_ACCOUNT_SIZE];
	char		endpoint[MAX_ENDPOINT]; /* padded with zeros */
} LimiterKey;

typedef struct SharedLimiter
{
	LimiterKey	key;
	Limiter		limiter;
} SharedLimiter;

static LWLock *lock = NULL;
static HTAB *shared = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* ------------------------------------------------------------------------
 * The server's start
 * ------------------------------------------------------------------------
 */

static void
request_memory(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(hash_estimate_size(MAX_SHARED,
											  sizeof(SharedLimiter)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
set_up_memory(void)
{
	HASHCTL		ctl;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	ctl.keysize = sizeof(LimiterKey);
	ctl.entrysize = sizeof(SharedLimiter);
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = hibob_shmem_init_hash("hibob_fdw limits", MAX_SHARED, &ctl,
								   HASH_ELEM | HASH_BLOBS);
	lock = &GetNamedLWLockTranche(TRANCHE)->lock;
	LWLockRelease(AddinShmemInitLock);
}

void
limiter_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = set_up_memory;
}

/* ------------------------------------------------------------------------
 * Finding
 * ------------------------------------------------------------------------
 */

static void
initialize(Limiter *limiter)
{
	memset(limiter, 0, sizeof(Limiter));
	SpinLockInit(&limiter->mutex);
	limiter->state.limit = limiter->state.remaining = -1;
	limiter->window = -1;
}

/* NULL if nothing is shared, or there is no room. */
static Limiter *
find_shared(const uint8 *account, const char *endpoint)
{
	LimiterKey	key;
	SharedLimiter *entry;
	bool		found;

	if (shared == NULL || strlen(endpoint) >= MAX_ENDPOINT)
		return NULL;
	memset(&key, 0, sizeof(key));
	memcpy(key.account, account, LIMITER_ACCOUNT_SIZE);
	strlcpy(key.endpoint, endpoint, MAX_ENDPOINT);
	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = hash_search(shared, &key, HASH_ENTER_NULL, &found);
	if (entry != NULL && !found)
		initialize(&entry->limiter);
	LWLockRelease(lock);
	return entry != NULL ? &entry->limiter : NULL;
}

Limiter *
limiter_find(const uint8 *account, const char *endpoint)
{
	Limiter    *limiter = find_shared(account, endpoint);

	if (limiter == NULL)
	{
		limiter = palloc(sizeof(Limiter));
		initialize(limiter);
	}
	return limiter;
}

RateLimit
limiter_state(Limiter *limiter)
{
	RateLimit	state;

	SpinLockAcquire(&limiter->mutex);
	state = limiter->state;
	SpinLockRelease(&limiter->mutex);
	return state;
}

void
limiter_note_refused(Limiter *limiter)
{
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&limiter->mutex);
	limiter->refused_at = now;
	SpinLockRelease(&limiter->mutex);
}

TimestampTz
limiter_refused_at(Limiter *limiter)
{
	TimestampTz refused_at;

	SpinLockAcquire(&limiter->mutex);
	refused_at = limiter->refused_at;
	SpinLockRelease(&limiter->mutex);
	return refused_at;
}

/* ------------------------------------------------------------------------
 * The window.  What follows, up to the next heading, is done under the lock,
 * with times that were looked up before.
 * ------------------------------------------------------------------------
 */

/*
 * The window has ended.  The next one is taken to have as many requests as this
 * one; the answer to the first of them will tell.
 */
static void
begin_window(Limiter *limiter)
{
	limiter->rolled = true;
	limiter->turns++;
	limiter->under_way = 0;
	limiter->state.remaining =
		limiter->state.limit > 0 ? limiter->state.limit : -1;
}

static int64
wait_for_window(Limiter *limiter, TimestampTz now)
{
	RateLimit  *state = &limiter->state;
	int64		wait;

	if (!state->known)
		return 0;
	wait = state->reset == 0 ? 0 :
		TimestampDifferenceMilliseconds(now, state->reset);
	if (wait > 0)
		return state->remaining == 0 ? wait : 0;
	if (state->reset != 0 && !limiter->rolled)
		begin_window(limiter);
	else if (state->remaining == 0)
		state->remaining = -1;	/* nobody said until when */
	return 0;
}

/* Whether the first answer of all is waited for. */
static bool
awaits_first(const Limiter *limiter, TimestampTz now)
{
	return !limiter->answered && limiter->under_way > 0 &&
		TimestampDifferenceMilliseconds(limiter->busy_since, now) < NEWCOMER_MS;
}

static void
send(Limiter *limiter, LimiterTicket *ticket, TimestampTz now)
{
	if (limiter->under_way == 0)
		limiter->busy_since = now;
	ticket->sent_at = now;
	ticket->serial = ++limiter->sent;
	ticket->turn = limiter->turns;
	ticket->rivals = limiter->under_way++;
	if (limiter->state.known && limiter->state.remaining > 0)
		limiter->state.remaining--;
}

/*
 * Is an answer about a window that has passed?  Answers come in any order.  A
 * server that works the window's end out anew each time may be a little off.
 */
static bool
is_stale(const Limiter *limiter, int64 window)
{
	if (limiter->window < 0 || window < 0)
		return false;
	return limiter->rolled ? window <= limiter->window :
		window < limiter->window - WINDOW_TOLERANCE;
}

/*
 * An answer said how many requests were left when the server wrote it.  That is
 * too many now by those the server had not counted then: those sent after this
 * one, and perhaps those that were under way when it was sent.  Our own count
 * knows better, unless others are using up the limit, too.
 */
static void
note_remaining(Limiter *limiter, const LimiterTicket *ticket, int64 remaining)
{
	RateLimit  *state = &limiter->state;
	int64		least;

	if (remaining < state->remaining)
		least = remaining - limiter->under_way;
	else
		least = Max(state->remaining, remaining - ticket->rivals -
					(int64) (limiter->sent - ticket->serial));
	state->remaining = (int) Max(least, 0);
}

/*
 * Not all answers say something of the limit.  A refusal does so by itself, and
 * may name the time in another way.
 */
static void
note(Limiter *limiter, const LimiterTicket *ticket,
	 const LimiterUpdate *notice, TimestampTz now)
{
	RateLimit  *state = &limiter->state;
	bool		stale = is_stale(limiter, notice->window);

	if (stale && (!notice->refused || notice->retry_after < 0))
		return;
	state->known = true;
	if (notice->limit >= 0)
		state->limit = notice->limit > INT_MAX ? -1 : (int) notice->limit;
	if (notice->refused)
		state->remaining = 0;
	else if (notice->remaining >= 0 && notice->remaining <= INT_MAX)
		note_remaining(limiter, ticket, notice->remaining);
	if (notice->window >= 0 && !stale)
	{
		limiter->window = notice->window;
		state->reset = notice->reset;
		limiter->rolled = false;
	}
	else if (notice->refused && notice->retry_after >= 0)
	{
		state->reset = TimestampTzPlusMilliseconds(now, notice->retry_after);
		limiter->rolled = false;
	}
}

/* ------------------------------------------------------------------------
 * Asking
 * ------------------------------------------------------------------------
 */

int64
limiter_wait(Limiter *limiter)
{
	TimestampTz now = GetCurrentTimestamp();
	int64		wait;

	SpinLockAcquire(&limiter->mutex);
	wait = wait_for_window(limiter, now);
	SpinLockRelease(&limiter->mutex);
	return wait;
}

bool
limiter_acquire(Limiter *limiter, LimiterTicket *ticket, bool *newcomer)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		taken;

	SpinLockAcquire(&limiter->mutex);
	*newcomer = awaits_first(limiter, now);
	taken = !*newcomer && wait_for_window(limiter, now) == 0;
	if (taken)
		send(limiter, ticket, now);
	SpinLockRelease(&limiter->mutex);
	return taken;
}

void
limiter_release(Limiter *limiter, const LimiterTicket *ticket,
				bool answered)
{
	SpinLockAcquire(&limiter->mutex);
	if (ticket->turn == limiter->turns && limiter->under_way > 0)
		limiter->under_way--;
	if (answered)
		limiter->answered = true;
	SpinLockRelease(&limiter->mutex);
}

void
limiter_update(Limiter *limiter, const LimiterTicket *ticket,
			   const LimiterUpdate *notice)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!notice->refused && notice->limit < 0 && notice->remaining < 0 &&
		notice->window < 0)
		return;
	SpinLockAcquire(&limiter->mutex);
	note(limiter, ticket, notice, now);
	SpinLockRelease(&limiter->mutex);
}
