/*
 * mux.h
 *		One descriptor that is readable while any of a set of sockets is ready
 *		or a timer has run out.
 *
 * A backend can wait for its latch and one socket, not for its latch and
 * whatever sockets a library happens to have open.  This makes one out of
 * many: epoll with a timerfd on Linux, a kqueue elsewhere.  Nothing in here
 * raises an error or allocates, so all of it may be called from a callback of
 * a foreign library.
 *
 * Knows nothing of HTTP or libcurl.
 */
#ifndef HIBOB_HTTP_MUX_H
#define HIBOB_HTTP_MUX_H

#include "postgres.h"

/* mux_create() fills it in, also where it fails. */
typedef struct Mux
{
	int			descriptor;		/* to wait on; -1 if there is none */
	int			timer;			/* -1 where the timer needs no descriptor */
} Mux;

/*
 * An error or a hang-up makes a socket both readable and writable: whoever
 * then reads or writes learns what it is.
 */
typedef struct MuxEvent
{
	int			socket;
	bool		readable;
	bool		writable;
} MuxEvent;

/*
 * Takes its descriptors from PostgreSQL's budget for those it does not manage
 * itself.  Returns false with errno set if there is none left or the kernel
 * refuses; mux_close() is harmless then.
 */
extern bool mux_create(Mux *mux);
extern void mux_close(Mux *mux);

/*
 * Sets what is watched on a socket, in place of what was; neither reading nor
 * writing forgets the socket.  To be forgotten before it is closed.  Returns
 * false with errno set on failure; forgetting cannot fail.
 */
extern bool mux_watch(Mux *mux, int socket, bool reading, bool writing);

/* Lets the timer run out after this time, at once for 0, never for < 0. */
extern bool mux_set_timer(Mux *mux, int64 milliseconds);

/*
 * Says which sockets are ready, up to max of them, and whether the timer has
 * run out since it was set.  Does not sleep.  Sockets stay ready until what
 * they wait for is done; the timer is reported once.
 */
extern int	mux_collect(Mux *mux, MuxEvent *events, int max, bool *timer);

#endif							/* HIBOB_HTTP_MUX_H */
