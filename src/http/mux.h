/*
 * mux.h
 *		A multiplexer: one descriptor that is readable while any of a set of
 *		sockets is ready, or a timer has expired.
 *
 * A backend can wait for its latch and one socket, but not for all sockets that
 * a library has open.  A mux represents them by one descriptor: epoll with a
 * timerfd on Linux, a kqueue elsewhere.  Nothing here raises errors or uses
 * palloc, so all of it may be called from callbacks of a library.
 *
 * Knows nothing of HTTP or libcurl.
 */
#ifndef HIBOB_HTTP_MUX_H
#define HIBOB_HTTP_MUX_H

#include "postgres.h"

/* mux_create() fills it in, even if it fails. */
typedef struct Mux
{
	int			descriptor;		/* to wait on; -1 if there is none */
	int			timer;			/* -1 until the timer needs a descriptor */
} Mux;

/*
 * An error or a hang-up makes a socket both readable and writable: reading or
 * writing then returns the error.
 */
typedef struct MuxEvent
{
	int			socket;
	bool		readable;
	bool		writable;
} MuxEvent;

/*
 * Acquires a descriptor from PostgreSQL, except the last one, which the wait
 * event set of a sleep needs.  Returns false with errno set.  The caller
 * releases it with ReleaseExternalFD().
 */
extern bool mux_acquire_descriptor(void);

/*
 * Acquires its descriptor from PostgreSQL, which limits those that it does not
 * manage itself.  Returns false with errno set if there is none left or the
 * kernel refuses; mux_close() is harmless then.
 */
extern bool mux_create(Mux *mux);
extern void mux_close(Mux *mux);

/*
 * Sets the events of a socket, in place of earlier ones.  Neither reading nor
 * writing removes the socket, which must be done before it is closed.  Returns
 * false with errno set on failure; removing cannot fail.
 */
extern bool mux_watch(Mux *mux, int socket, bool reading, bool writing);

/*
 * Makes the timer expire after this time, at once for 0, and never for < 0.
 * The first time, this may acquire another descriptor.  Returns false with
 * errno set on failure; < 0 cannot fail.
 */
extern bool mux_set_timer(Mux *mux, int64 milliseconds);

/*
 * Returns the sockets that are ready, up to max of them, and whether the timer
 * has expired since it was set.  Does not sleep.  A socket is reported as long
 * as it is ready, the timer once.
 */
extern int	mux_collect(Mux *mux, MuxEvent *events, int max, bool *timer);

#endif							/* HIBOB_HTTP_MUX_H */
