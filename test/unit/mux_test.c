/*
 * mux_test.c
 *		Unit tests of the multiplexer of sockets; prints TAP.
 *
 * It needs the server's headers, not the server: the server functions that
 * mux.c calls are below.  With -DMUX_KQUEUE and a library that has kqueue it
 * tests the other half of mux.c.
 */
#include "postgres.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/mux.h"
#include "storage/fd.h"

/* The server's versions are not linked. */
#undef printf
#undef sprintf

static int	checks = 0;
static int	failures = 0;
static int	budget = 100;		/* descriptors that the server allows */

bool
AcquireExternalFD(void)
{
	if (budget == 0)
	{
		errno = EMFILE;
		return false;
	}
	budget--;
	return true;
}

void
ReleaseExternalFD(void)
{
	budget++;
}

static void
check(bool good, const char *name)
{
	checks++;
	failures += good ? 0 : 1;
	printf("%sok %d - %s\n", good ? "" : "not ", checks, name);
}

/* Whether the multiplexer wakes a backend within this time. */
static bool
wakes(Mux *mux, int milliseconds)
{
	struct pollfd descriptor = {mux->descriptor, POLLIN, 0};

	return poll(&descriptor, 1, milliseconds) == 1;
}

/* The result of mux_collect(): "t", "r1", "w2", "rw1", in the order of sockets. */
static const char *
collect(Mux *mux, const int *sockets, int nsockets)
{
	static char result[100];
	bool		readable[4] = {false};
	bool		writable[4] = {false};
	MuxEvent	events[4];
	bool		timer;
	int			nevents = mux_collect(mux, events, 4, &timer);
	char	   *out = result;

	out += sprintf(out, "%s", timer ? "t" : "");
	for (int i = 0; i < nevents; i++)
	{
		for (int n = 0; n < nsockets; n++)
		{
			if (events[i].socket == sockets[n])
			{
				readable[n] |= events[i].readable;
				writable[n] |= events[i].writable;
			}
		}
	}
	for (int n = 0; n < nsockets; n++)
	{
		if (readable[n] || writable[n])
			out += sprintf(out, "%s%s%d", readable[n] ? "r" : "",
						   writable[n] ? "w" : "", n);
	}
	return result;
}

static void
check_collect(Mux *mux, const int *sockets, const char *expected,
			  const char *name)
{
	const char *got = collect(mux, sockets, 2);

	check(strcmp(got, expected) == 0, name);
	if (strcmp(got, expected) != 0)
		printf("#      got: %s\n# expected: %s\n", got, expected);
}

/* A timer may need its own descriptor when it is set. */
static void
test_timer_budget(void)
{
	Mux			mux;
	int			before = budget;

	budget = 1;
	errno = 0;
	check(!mux_create(&mux) && errno == EMFILE && budget == 1,
		  "the last descriptor stays free");
	budget = 2;
	check(mux_create(&mux) && budget == 1, "... one more is enough");
	check(mux_set_timer(&mux, -1), "... without a timer");
#ifndef MUX_KQUEUE
	errno = 0;
	check(!mux_set_timer(&mux, 10) && errno == EMFILE, "... not for a timer");
	check(!wakes(&mux, 0) && budget == 1, "... which changes nothing");
	budget = 2;
#endif
	check(mux_set_timer(&mux, 0) && wakes(&mux, 5000), "... which then works");
	mux_close(&mux);
#ifndef MUX_KQUEUE
	budget--;
#endif
	check(budget == 2, "... all descriptors are released");
	budget = before;
}

static void
test_budget(void)
{
	Mux			mux;
	int			before = budget;

	budget = 0;
	errno = 0;
	check(!mux_create(&mux) && errno == EMFILE, "no descriptors left");
	mux_close(&mux);
	check(budget == 0, "... none is released");
	budget = before;
	check(mux_create(&mux), "create");
	check(budget < before, "... acquires descriptors");
	mux_close(&mux);
	check(budget == before, "close releases them");
	mux_close(&mux);
	check(budget == before, "... only once");
	test_timer_budget();
}

static void
test_timer(Mux *mux, const int *sockets)
{
	check(!wakes(mux, 0), "without a timer it does not wake");
	check(mux_set_timer(mux, 0) && wakes(mux, 60000), "a timer of 0 ms");
	check_collect(mux, sockets, "t", "... is collected");
	check_collect(mux, sockets, "", "... only once");
	check(!wakes(mux, 0), "... and does not wake again");
	check(mux_set_timer(mux, 60000) && !wakes(mux, 0), "a timer of a minute");
	check(mux_set_timer(mux, 50) && wakes(mux, 60000), "one of 50 ms expires");
	check(mux_set_timer(mux, 60000), "an expired timer is set again");
	check_collect(mux, sockets, "", "... nothing is collected");
	check(!wakes(mux, 0), "... and it does not wake");
	check(mux_set_timer(mux, 10) && mux_set_timer(mux, -1) && !wakes(mux, 50),
		  "a timer is cancelled");
	check(mux_set_timer(mux, -1), "... twice");
}

static void
test_sockets(Mux *mux, const int *sockets, int peer)
{
	char		byte = 'x';

	check(mux_watch(mux, sockets[0], true, false), "watch for reading");
	check(!wakes(mux, 0), "... nothing to read");
	check(write(peer, &byte, 1) == 1 && wakes(mux, 60000), "... a byte to read");
	check_collect(mux, sockets, "r0", "... the socket is readable");
	check_collect(mux, sockets, "r0", "... until the byte is read");
	check(mux_watch(mux, sockets[0], true, true), "watch for both");
	check_collect(mux, sockets, "rw0", "... the socket is ready for both");
	check(mux_watch(mux, sockets[0], false, true), "watch for writing");
	check_collect(mux, sockets, "w0", "... the socket is writable");
	check(mux_watch(mux, sockets[1], false, true), "watch a second socket");
	check_collect(mux, sockets, "w0w1", "... both are writable");
	check(mux_set_timer(mux, 0) && wakes(mux, 60000) &&
		  usleep(20000) == 0, "sockets and a timer");
	check_collect(mux, sockets, "tw0w1", "... all are collected");
	check(mux_watch(mux, sockets[0], false, false), "stop watching a socket");
	check(mux_watch(mux, sockets[0], false, false), "... twice");
	check_collect(mux, sockets, "w1", "... the other one is watched");
	check(mux_watch(mux, sockets[1], false, false) && !wakes(mux, 0),
		  "stop watching the last socket");
}

/* The descriptor of a closed socket is reused by another one. */
static void
test_hang_up(Mux *mux)
{
	int			first[2];
	int			second[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, first) != 0)
		exit(2);
	check(mux_watch(mux, first[0], true, false), "a peer");
	close(first[1]);
	check(wakes(mux, 60000), "... hangs up");
	check(strchr(collect(mux, first, 1), 'r') != NULL,
		  "... the socket is readable");
	close(first[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, second) != 0)
		exit(2);
	check(second[0] == first[0] || second[1] == first[0],
		  "another socket has its descriptor");
	check(mux_watch(mux, first[0], false, true), "... and is watched");
	check(strcmp(collect(mux, first, 1), "w0") == 0,
		  "... without events of the old one");
	close(second[0]);
	close(second[1]);
}

int
main(void)
{
	Mux			mux;
	int			one[2];
	int			two[2];
	int			sockets[2];

	setvbuf(stdout, NULL, _IOLBF, 0);
	test_budget();
	if (!mux_create(&mux) ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, one) != 0 ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, two) != 0)
		return 2;
	sockets[0] = one[0];
	sockets[1] = two[0];
	test_timer(&mux, sockets);
	test_sockets(&mux, sockets, one[1]);
	test_hang_up(&mux);
	mux_close(&mux);
	check(budget == 100, "all descriptors are released");
	printf("1..%d\n", checks);
	return failures == 0 ? 0 : 1;
}
