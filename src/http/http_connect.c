/*
 * http_connect.c
 *		Connects a channel: which addresses are allowed, and to which of them
 *		the connection is made.
 *
 * libcurl resolves the name of the host or the proxy, but we connect.  Before
 * 8.16, libcurl tries the addresses of a family one after the other, waits
 * half of the connect timeout for each, and with curl_multi_socket_action()
 * does not even start the next one.  So we refuse each socket that libcurl
 * opens, and note its address.  When there are no more addresses, we start
 * connections to them CONNECT_DELAY apart, as in RFC 8305 (Happy Eyeballs),
 * whatever their family.  Then libcurl gets the same request again, and with it
 * the first socket that connected.
 *
 * The callbacks must not raise errors, use palloc, or check for interrupts: a
 * longjmp through libcurl leaves its handles unusable.  They only note what
 * went wrong, in the channel, for http.c to act on when libcurl has returned.
 *
 * Knows nothing of requests and responses.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/address.h"
#include "http/http_channel.h"
#include "storage/fd.h"

/*
 * Milliseconds between two attempts to connect.  They are fewer if the connect
 * timeout is too short to try all addresses.
 */
#define CONNECT_DELAY 250

/*
 * How long libcurl may look for further addresses after the first one, in ms.
 * Newer versions pass on IPv4 addresses while IPv6 is still being resolved.
 */
#define RESOLUTION_DELAY 50

/* libcurl needs one socket for an exchange, or two if it tries again. */
#define MAX_HANDOVERS 8

/* ------------------------------------------------------------------------
 * Addresses
 * ------------------------------------------------------------------------
 */

static bool
address_allowed(HttpReach reach, AddressKind kind)
{
	switch (reach)
	{
		case HTTP_REACH_PUBLIC:
			return kind == ADDRESS_PUBLIC;
		case HTTP_REACH_NETWORK:
			return kind == ADDRESS_PUBLIC || kind == ADDRESS_PRIVATE;
		case HTTP_REACH_LOOPBACK:
			return kind == ADDRESS_LOOPBACK;
		case HTTP_REACH_ANY:
			return true;
	}
	return false;
}

static const char *
refusal_reason(HttpReach reach)
{
	switch (reach)
	{
		case HTTP_REACH_PUBLIC:
			return "not a public address";
		case HTTP_REACH_NETWORK:
			return "a loopback or link-local address";
		case HTTP_REACH_LOOPBACK:
			return "not a loopback address";
		case HTTP_REACH_ANY:
			break;
	}
	return "not an Internet address";
}

/* Writes an address as text, and returns its port. */
static int
format_address(const struct sockaddr *address, char *text, size_t size)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *) address;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *) address;

	if (address->sa_family == AF_INET &&
		inet_ntop(AF_INET, &ipv4->sin_addr, text, size) != NULL)
		return ntohs(ipv4->sin_port);
	if (address->sa_family == AF_INET6 &&
		inet_ntop(AF_INET6, &ipv6->sin6_addr, text, size) != NULL)
		return ntohs(ipv6->sin6_port);
	strlcpy(text, "?", size);
	return 0;
}

/* The user knows the name, but perhaps not its address. */
static void
note_refused_address(HttpChannel *channel, const struct sockaddr *address)
{
	char		text[INET6_ADDRSTRLEN];

	(void) format_address(address, text, sizeof(text));
	channel->address_refused = true;
	snprintf(channel->refusal, sizeof(channel->refusal),
			 "The address %s is %s", text,
			 refusal_reason(channel->settings.reach));
}

static void
add_address(HttpChannel *channel, const struct curl_sockaddr *from)
{
	HttpAddress *address;

	if (channel->naddresses == MAX_ADDRESSES)
		return;
	if (channel->naddresses == 0)
		channel->next_attempt = http_now_ms() + RESOLUTION_DELAY;
	address = &channel->addresses[channel->naddresses++];
	address->length = from->family == AF_INET ? sizeof(struct sockaddr_in) :
		sizeof(struct sockaddr_in6);
	memcpy(&address->address, &from->addr, address->length);
	address->tried = false;
}

/* The next address to try: of the other family, if there is one. */
static HttpAddress *
next_address(HttpChannel *channel)
{
	HttpAddress *next = NULL;
	int			last = AF_UNSPEC;

	if (channel->nattempts > 0)
		last = channel->attempts[channel->nattempts - 1].address->
			address.any.sa_family;
	for (int i = channel->naddresses - 1; i >= 0; i--)
	{
		HttpAddress *address = &channel->addresses[i];

		if (!address->tried &&
			(next == NULL || address->address.any.sa_family != last ||
			 next->address.any.sa_family == last))
			next = address;
	}
	return next;
}

/* ------------------------------------------------------------------------
 * Attempts
 * ------------------------------------------------------------------------
 */

/*
 * The channel has a descriptor for one socket.  Those of further attempts are
 * acquired and released with them.
 */
static void
remove_attempt(HttpChannel *channel, int n)
{
	(void) mux_watch(&channel->mux, channel->attempts[n].socket, false, false);
	if (channel->nattempts > 1)
		ReleaseExternalFD();
	channel->nattempts--;
	memmove(&channel->attempts[n], &channel->attempts[n + 1],
			(channel->nattempts - n) * sizeof(ConnectAttempt));
}

static void
close_attempt(HttpChannel *channel, int n)
{
	int			fd = channel->attempts[n].socket;

	remove_attempt(channel, n);
	close(fd);
}

/* After a failure, the next address is tried at once. */
static void
note_failure(HttpChannel *channel, const HttpAddress *address, int error)
{
	channel->connect_errno = error;
	channel->failed_address = address;
	channel->next_attempt = http_now_ms();
}

static void
fail_attempt(HttpChannel *channel, int n, int error)
{
	note_failure(channel, channel->attempts[n].address, error);
	close_attempt(channel, n);
}

/* The first connection wins, and the others are closed. */
static void
use_attempt(HttpChannel *channel, int n)
{
	channel->connected_socket = channel->attempts[n].socket;
	remove_attempt(channel, n);
	while (channel->nattempts > 0)
		close_attempt(channel, channel->nattempts - 1);
	channel->phase = CONNECT_DONE;
}

/* Opens a socket that does not block and is not inherited; -1 with errno. */
static int
open_socket(int family)
{
	int			fd = socket(family, SOCK_STREAM, IPPROTO_TCP);

	if (fd >= 0 && (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
					fcntl(fd, F_SETFL, O_NONBLOCK) < 0))
	{
		int			saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/*
 * Starts to connect to an address.  If no socket can be opened or watched, the
 * attempt fails like any other.
 */
static void
start_attempt(HttpChannel *channel, HttpAddress *address)
{
	int			n = channel->nattempts;
	int			fd = open_socket(address->address.any.sa_family);

	address->tried = true;
	if (fd < 0)
	{
		note_failure(channel, address, errno);
		if (n > 0)
			ReleaseExternalFD();
		return;
	}
	channel->attempts[n].socket = fd;
	channel->attempts[n].address = address;
	channel->nattempts++;
	if (connect(fd, &address->address.any, address->length) == 0)
		use_attempt(channel, n);
	else if (errno != EINPROGRESS ||
			 !mux_watch(&channel->mux, fd, false, true))
		fail_attempt(channel, n, errno);
}

/*
 * Starts the attempts that are due.  Each attempt beyond the first needs
 * another descriptor, and is postponed if there is none.
 */
static void
start_due_attempts(HttpChannel *channel)
{
	HttpAddress *address;

	while (channel->phase == CONNECT_RACING &&
		   (channel->nattempts == 0 ||
			http_now_ms() >= channel->next_attempt) &&
		   (address = next_address(channel)) != NULL)
	{
		channel->next_attempt = http_now_ms() +
			Min(CONNECT_DELAY, channel->settings.connect_timeout /
				(channel->naddresses + 1));
		if (channel->nattempts == MAX_ATTEMPTS)
			close_attempt(channel, 0);
		if (channel->nattempts > 0 && !mux_acquire_descriptor())
			break;
		start_attempt(channel, address);
	}
}

static void
check_attempt(HttpChannel *channel, int fd)
{
	int			error = 0;
	socklen_t	length = sizeof(error);

	for (int i = 0; i < channel->nattempts; i++)
	{
		if (channel->attempts[i].socket != fd)
			continue;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
			error = errno;
		if (error == 0)
			use_attempt(channel, i);
		else
			fail_attempt(channel, i, error);
		break;
	}
}

static void
fail_unreachable(HttpChannel *channel, const char *text)
{
	http_fail(channel, channel->settings.proxy != NULL ? HTTP_PROXY_FAILED :
			  HTTP_UNREACHABLE, text);
}

static void
fail_to_connect(HttpChannel *channel)
{
	char		address[INET6_ADDRSTRLEN];
	char		others[64] = "";
	char		text[CURL_ERROR_SIZE];
	int			port = format_address(&channel->failed_address->address.any,
									  address, sizeof(address));

	if (channel->naddresses > 1)
		snprintf(others, sizeof(others), ", the last of %d addresses",
				 channel->naddresses);
	errno = channel->connect_errno;
	snprintf(text, sizeof(text), "Could not connect to %s port %d%s: %m",
			 address, port, others);
	fail_unreachable(channel, text);
}

static void
fail_late(HttpChannel *channel)
{
	char		text[80];

	snprintf(text, sizeof(text), "Could not connect within %d ms",
			 channel->settings.connect_timeout);
	fail_unreachable(channel, text);
}

bool
http_connect_can_start(const HttpChannel *channel)
{
	return channel->phase == CONNECT_RESOLVING && channel->naddresses > 0 &&
		channel->handovers < MAX_HANDOVERS;
}

void
http_connect_start(HttpChannel *channel)
{
	channel->phase = CONNECT_RACING;
	http_connect_continue(channel, NULL, 0);
}

/*
 * Sockets are checked before the clock, so that a backend that was busy
 * elsewhere does not miss an established connection.
 */
void
http_connect_continue(HttpChannel *channel, const MuxEvent *events,
					  int nevents)
{
	for (int i = 0; i < nevents; i++)
		check_attempt(channel, events[i].socket);
	start_due_attempts(channel);
	if (channel->phase != CONNECT_RACING)
		return;
	if (channel->nattempts == 0)
		fail_to_connect(channel);
	else if (http_connect_time_left(channel) <= 0)
		fail_late(channel);
}

int64
http_connect_time_left(const HttpChannel *channel)
{
	int64		elapsed = http_now_ms() - channel->connect_begun -
		channel->unpolled;

	return channel->settings.connect_timeout - elapsed;
}

int64
http_connect_due(const HttpChannel *channel)
{
	int64		deadline = http_now_ms() + http_connect_time_left(channel);

	for (int i = 0; i < channel->naddresses; i++)
		if (!channel->addresses[i].tried)
			return Min(channel->next_attempt, deadline);
	return deadline;
}

void
http_connect_reset(HttpChannel *channel)
{
	while (channel->nattempts > 0)
		close_attempt(channel, channel->nattempts - 1);
	if (channel->connected_socket >= 0)
		close(channel->connected_socket);
	channel->connected_socket = -1;
	channel->phase = CONNECT_RESOLVING;
	channel->connect_begun = http_now_ms();
	channel->next_attempt = -1;
	channel->naddresses = 0;
	channel->unpolled = 0;
}

/* ------------------------------------------------------------------------
 * Callbacks: none may raise an error, use palloc, or check for interrupts
 * ------------------------------------------------------------------------
 */

/*
 * libcurl calls this when it knows an address and has sent nothing to it, so
 * that no name server can lead it to an address that is not allowed.  A
 * refused socket makes libcurl try the next address, or end the request.
 */
curl_socket_t
http_on_open_socket(void *arg, curlsocktype purpose,
					struct curl_sockaddr *address)
{
	HttpChannel *channel = arg;
	int			fd = channel->connected_socket;

	channel->open_calls++;
	if (channel->connected)
		http_connect_reset(channel);	/* the reused connection was closed */
	channel->connected = false;
	channel->corked = false;
	if (fd >= 0)
	{
		channel->connected_socket = -1;
		channel->watched = CURL_SOCKET_BAD;
		channel->new_connection = true;
		channel->handovers++;
		return fd;
	}
	channel->phase = CONNECT_RESOLVING;
	if ((address->family == AF_INET || address->family == AF_INET6) &&
		address_allowed(channel->settings.reach, address_kind(&address->addr)))
		add_address(channel, address);
	else
		note_refused_address(channel, &address->addr);
	return CURL_SOCKET_BAD;
}

/*
 * Tells libcurl not to connect the socket.  7.88 calls connect() nevertheless,
 * but on Linux the first such call after a connection was made in the
 * background succeeds.
 */
int
http_on_socket_opened(void *arg, curl_socket_t socket, curlsocktype purpose)
{
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

int
http_on_close_socket(void *arg, curl_socket_t socket)
{
	HttpChannel *channel = arg;

	if (channel->socket == socket)
		channel->socket = CURL_SOCKET_BAD;
	if (channel->watched == socket)
		channel->watched = CURL_SOCKET_BAD;
	close(socket);
	return 0;
}

/*
 * A reused connection may hold bytes that belong to no request of ours.  They
 * cannot be a response while the peer does not have the request.  So the
 * request stays in the kernel, except for full segments, until libcurl has
 * read those bytes.  Without TCP_CORK the request leaves at once, and the
 * response of a very fast peer counts as unrequested, which costs another
 * connection.
 */
void
http_cork(HttpChannel *channel, bool corked)
{
#ifdef TCP_CORK
	int			on = corked;

	if (channel->socket != CURL_SOCKET_BAD)
		(void) setsockopt(channel->socket, IPPROTO_TCP, TCP_CORK, &on,
						  sizeof(on));
#endif
	channel->corked = corked;
}

/*
 * The connection is established, including TLS, and the request is about to be
 * sent.  From here on read_timeout counts, and not connect_timeout.
 */
int
http_on_connected(void *arg, char *peer_ip, char *local_ip, int peer_port,
				  int local_port)
{
	HttpChannel *channel = arg;

	channel->connected = true;
	if (!channel->new_connection)
		http_cork(channel, true);
	return CURL_PREREQFUNC_OK;
}

/*
 * libcurl starts or stops watching a socket.  It calls this before it closes a
 * socket, so the mux never holds a descriptor that now belongs to another
 * file.  -1 makes libcurl end the request.
 *
 * A pause ends before anything sleeps, so the socket stays watched meanwhile.
 */
int
http_on_watch(CURL *easy, curl_socket_t socket, int what, void *arg,
			  void *socket_arg)
{
	HttpChannel *channel = arg;
	bool		reading = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
	bool		writing = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;

	if (socket == channel->watched &&
		(what == channel->watched_for || channel->paused))
		return 0;
	channel->watched = socket;
	channel->watched_for = what;
	if (mux_watch(&channel->mux, socket, reading, writing))
		return 0;
	channel->watch_errno = errno;
	return -1;
}

/*
 * libcurl has one timer, and reports each change of it.  A callback must not
 * call libcurl's multi interface.
 */
int
http_on_timer(CURLM *multi, long milliseconds, void *arg)
{
	HttpChannel *channel = arg;

	channel->timer_due = milliseconds < 0 ? -1 : http_now_ms() + milliseconds;
	return 0;
}
