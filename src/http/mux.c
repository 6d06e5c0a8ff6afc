/*
 * mux.c
 *		One descriptor for many sockets and a timer.
 *
 * There are two implementations.  The one for kqueue uses what all systems with
 * kqueue have in common, and is tested less: on Linux, MUX_KQUEUE selects it
 * for the unit test, with a library that emulates kqueue.
 */
#include "postgres.h"

#include <unistd.h>
#if defined(__linux__) && !defined(MUX_KQUEUE)
#define MUX_EPOLL
#endif
#ifdef MUX_EPOLL
#include <sys/epoll.h>
#include <sys/timerfd.h>
#else
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>
#include <fcntl.h>
#endif

#include "http/mux.h"
#include "storage/fd.h"

/* Events in one pass: a few sockets and the timer. */
#define MUX_BATCH 8

bool
mux_acquire_descriptor(void)
{
	if (!AcquireExternalFD())
		return false;
	if (AcquireExternalFD())
	{
		ReleaseExternalFD();
		return true;
	}
	ReleaseExternalFD();
	errno = EMFILE;
	return false;
}

/* Closes and releases a descriptor; keeps errno. */
static void
close_descriptor(int *descriptor)
{
	int			saved = errno;

	if (*descriptor >= 0)
	{
		close(*descriptor);
		ReleaseExternalFD();
	}
	*descriptor = -1;
	errno = saved;
}

void
mux_close(Mux *mux)
{
	close_descriptor(&mux->timer);
	close_descriptor(&mux->descriptor);
}

#ifdef MUX_EPOLL

bool
mux_create(Mux *mux)
{
	mux->descriptor = -1;
	mux->timer = -1;

	if (!mux_acquire_descriptor())
		return false;
	mux->descriptor = epoll_create1(EPOLL_CLOEXEC);
	if (mux->descriptor < 0)
		ReleaseExternalFD();
	return mux->descriptor >= 0;
}

static bool
create_timer(Mux *mux)
{
	struct epoll_event interest = {0};

	if (!mux_acquire_descriptor())
		return false;
	mux->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (mux->timer < 0)
	{
		ReleaseExternalFD();
		return false;
	}
	interest.events = EPOLLIN;
	interest.data.fd = mux->timer;
	if (epoll_ctl(mux->descriptor, EPOLL_CTL_ADD, mux->timer, &interest) == 0)
		return true;
	close_descriptor(&mux->timer);
	return false;
}

/*
 * A socket with this number may still be registered or not, so modifying is
 * tried before adding.
 */
bool
mux_watch(Mux *mux, int socket, bool reading, bool writing)
{
	struct epoll_event interest = {0};

	if (!reading && !writing)
	{
		(void) epoll_ctl(mux->descriptor, EPOLL_CTL_DEL, socket, &interest);
		return true;
	}
	interest.events = (reading ? EPOLLIN : 0) | (writing ? EPOLLOUT : 0);
	interest.data.fd = socket;
	if (epoll_ctl(mux->descriptor, EPOLL_CTL_MOD, socket, &interest) == 0)
		return true;
	return errno == ENOENT &&
		epoll_ctl(mux->descriptor, EPOLL_CTL_ADD, socket, &interest) == 0;
}

/* Setting it again also forgets that it had expired. */
bool
mux_set_timer(Mux *mux, int64 milliseconds)
{
	struct itimerspec when = {{0, 0}, {0, 0}};

	if (mux->timer < 0 && (milliseconds < 0 || !create_timer(mux)))
		return milliseconds < 0;
	if (milliseconds > 0)
	{
		when.it_value.tv_sec = milliseconds / 1000;
		when.it_value.tv_nsec = (milliseconds % 1000) * 1000000;
	}
	else if (milliseconds == 0)
		when.it_value.tv_nsec = 1;	/* all zero would be "never" */
	return timerfd_settime(mux->timer, 0, &when, NULL) == 0;
}

int
mux_collect(Mux *mux, MuxEvent *events, int max, bool *timer)
{
	struct epoll_event ready[MUX_BATCH];
	int			nready;
	int			nevents = 0;

	/* One more than requested, since the timer may take one. */
	nready = epoll_wait(mux->descriptor, ready, Min(max + 1, MUX_BATCH), 0);
	*timer = false;
	for (int i = 0; i < nready; i++)
	{
		MuxEvent   *event = &events[nevents];
		bool		broken;

		if (ready[i].data.fd == mux->timer)
		{
			uint64		expirations;

			*timer = read(mux->timer, &expirations,
						  sizeof(expirations)) == sizeof(expirations);
			continue;
		}
		if (nevents == max)
			continue;			/* still ready in the next call */
		broken = (ready[i].events & (EPOLLERR | EPOLLHUP)) != 0;
		event->socket = ready[i].data.fd;
		event->readable = broken || (ready[i].events & EPOLLIN) != 0;
		event->writable = broken || (ready[i].events & EPOLLOUT) != 0;
		nevents++;
	}
	return nevents;
}

#else							/* kqueue */

/* The identifier of the timer. */
#define MUX_TIMER 1

bool
mux_create(Mux *mux)
{
	mux->descriptor = -1;
	mux->timer = -1;

	if (!mux_acquire_descriptor())
		return false;
	mux->descriptor = kqueue();
	if (mux->descriptor < 0)
	{
		ReleaseExternalFD();
		return false;
	}
	(void) fcntl(mux->descriptor, F_SETFD, FD_CLOEXEC);
	return true;
}

/*
 * Makes one change.  Removing an event that is not registered is no failure.
 */
static bool
change(Mux *mux, uintptr_t ident, int filter, int flags, int64 data)
{
	struct kevent interest;

	EV_SET(&interest, ident, filter, flags, 0, data, NULL);
	return kevent(mux->descriptor, &interest, 1, NULL, 0, NULL) >= 0 ||
		(flags == EV_DELETE && errno == ENOENT);
}

/* Reading and writing are separate events here. */
bool
mux_watch(Mux *mux, int socket, bool reading, bool writing)
{
	bool		done;

	done = change(mux, socket, EVFILT_READ, reading ? EV_ADD : EV_DELETE, 0);
	if (!change(mux, socket, EVFILT_WRITE, writing ? EV_ADD : EV_DELETE, 0))
		done = false;
	return done || (!reading && !writing);
}

/*
 * A timer that has expired but was not collected would still be reported after
 * it is added again, so it is removed first.  Systems differ on the meaning of
 * 0 ms, so the minimum is 1.
 */
bool
mux_set_timer(Mux *mux, int64 milliseconds)
{
	(void) change(mux, MUX_TIMER, EVFILT_TIMER, EV_DELETE, 0);
	if (milliseconds < 0)
		return true;
	return change(mux, MUX_TIMER, EVFILT_TIMER, EV_ADD | EV_ONESHOT,
				  Max(milliseconds, 1));
}

/*
 * A kqueue may be readable for an event that is over by now.  Collecting makes
 * it check again, so an empty result after a wake-up is normal.
 */
int
mux_collect(Mux *mux, MuxEvent *events, int max, bool *timer)
{
	struct kevent ready[MUX_BATCH];
	struct timespec now = {0, 0};
	int			nready;
	int			nevents = 0;

	nready = kevent(mux->descriptor, NULL, 0, ready, Min(max, MUX_BATCH),
					&now);
	*timer = false;
	for (int i = 0; i < nready; i++)
	{
		MuxEvent   *event = &events[nevents];
		bool		broken;

		if (ready[i].filter == EVFILT_TIMER)
		{
			*timer = true;
			continue;
		}
		broken = (ready[i].flags & (EV_ERROR | EV_EOF)) != 0;
		event->socket = (int) ready[i].ident;
		event->readable = broken || ready[i].filter == EVFILT_READ;
		event->writable = broken || ready[i].filter == EVFILT_WRITE;
		nevents++;
	}
	return nevents;
}

#endif
