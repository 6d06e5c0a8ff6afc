/*
 * http_callbacks.c
 *		What libcurl calls: bytes of an answer, sockets and timers to watch,
 *		addresses to connect to.
 *
 * None of it may raise an error, allocate by palloc, or look for interrupts:
 * a longjmp through libcurl ruins its handles for good.  What goes wrong is
 * noted in the channel, for http.c to deal with when libcurl has returned.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/address.h"
#include "http/http_channel.h"

/* A window that grew beyond this is given back when an exchange ends. */
#define WINDOW_KEPT (1024 * 1024)

/*
 * All headers of one answer together.  libcurl limits a single line to 100 kB,
 * but only its later versions limit how many there are.
 */
#define MAX_HEADERS (256 * 1024)

/* What a single read may unpack to.  libcurl 7 has the same limit. */
#define MAX_UNPACKED (64 * 1024 * 1024)

/* ------------------------------------------------------------------------
 * The window
 * ------------------------------------------------------------------------
 */

/*
 * Moves the window to the front of its buffer, so that the same memory, which
 * the processor's cache holds, is filled over and over.  Only if at least as
 * many bytes were dropped before it: then all the moving together stays linear
 * in what was received.
 */
void
http_window_compact(HttpChannel *channel)
{
	size_t		length = channel->end - channel->start;

	if (channel->start < length || channel->start == 0)
		return;
	memmove(channel->buffer, channel->buffer + channel->start, length);
	channel->start = 0;
	channel->end = length;
}

/* Makes room for so many bytes at the window's end. */
static bool
window_reserve(HttpChannel *channel, size_t bytes)
{
	size_t		capacity = Max(channel->capacity, 2 * RECEIVE_BUFFER);
	char	   *buffer;

	if (channel->capacity - channel->end >= bytes)
		return true;
	while (capacity - channel->end < bytes)
	{
		if (capacity > SIZE_MAX / 2)
			return false;
		capacity *= 2;
	}
	buffer = realloc(channel->buffer, capacity);
	if (buffer == NULL)
		return false;
	channel->buffer = buffer;
	channel->capacity = capacity;
	return true;
}

/* Empties the window, and does not let a kept channel sit on a big one. */
void
http_window_clear(HttpChannel *channel)
{
	channel->start = 0;
	channel->end = 0;
	channel->fresh = false;
	if (channel->capacity > WINDOW_KEPT)
	{
		free(channel->buffer);
		channel->buffer = NULL;
		channel->capacity = 0;
	}
}

HttpWindow
http_channel_window(const HttpChannel *channel)
{
	HttpWindow	window;

	window.data = channel->buffer == NULL ? "" :
		channel->buffer + channel->start;
	window.length = channel->end - channel->start;
	return window;
}

void
http_channel_drop(HttpChannel *channel, size_t bytes)
{
	Assert(bytes <= channel->end - channel->start);
	channel->start += bytes;
	if (channel->start == channel->end)
		channel->start = channel->end = 0;
}

/* ------------------------------------------------------------------------
 * Holding a request back
 * ------------------------------------------------------------------------
 */

/*
 * What is sent stays in the kernel, but for what fills a segment: so the peer
 * does not have all of the request, and cannot answer it.  A system that does
 * not know how lets it go; a peer that answers at once is then taken for one
 * that was not asked, which costs a connection and loses nothing.
 */
void
http_hold_back(HttpChannel *channel, bool held_back)
{
#ifdef TCP_CORK
	int			on = held_back;

	if (channel->socket != CURL_SOCKET_BAD)
		(void) setsockopt(channel->socket, IPPROTO_TCP, TCP_CORK, &on,
						  sizeof(on));
#endif
	channel->held_back = held_back;
}

/* ------------------------------------------------------------------------
 * Callbacks: none may raise an error, allocate by palloc, or be interrupted
 * ------------------------------------------------------------------------
 */

/*
 * Takes bytes of the body, and tells libcurl to read no more of them when there
 * are enough.  To refuse them would have the same effect, but libcurl would
 * have to copy what it holds.
 */
size_t
http_on_body(char *data, size_t size, size_t count, void *arg)
{
	HttpChannel *channel = arg;
	size_t		bytes = size * count;

	if (bytes == 0)
		return 0;
	if (channel->end - channel->start + bytes > channel->mark + MAX_UNPACKED)
	{
		channel->too_much = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (!window_reserve(channel, bytes))
	{
		channel->out_of_memory = true;
		return CURL_WRITEFUNC_ERROR;
	}
	memcpy(channel->buffer + channel->end, data, bytes);
	channel->end += bytes;
	channel->fresh = true;
	if (!channel->paused && channel->end - channel->start >= channel->mark)
	{
		channel->paused = true;
		(void) curl_easy_pause(channel->easy, CURLPAUSE_RECV);
	}
	return bytes;
}

/*
 * Looks at a header for how the body is encoded.  libcurl undoes whatever it
 * was built to undo, and several codings one upon the other, by which a few
 * bytes become gigabytes in a single call: gzip, once, is all that we ask for,
 * and so is all that we take.
 */
static void
note_encoding(HttpChannel *channel, const char *header, size_t length)
{
	static const char name[] = "Content-Encoding:";
	static const char *const codings[] = {"identity", "gzip", "x-gzip"};
	size_t		ncodings = channel->may_gzip ? lengthof(codings) : 1;

	if (length < strlen(name) ||
		pg_strncasecmp(header, name, strlen(name)) != 0)
		return;
	header += strlen(name);
	length -= strlen(name);
	while (length > 0 && isspace((unsigned char) *header))
		header++, length--;
	while (length > 0 && isspace((unsigned char) header[length - 1]))
		length--;
	channel->badly_encoded = channel->encoded;
	channel->encoded = true;
	for (size_t i = 0; i < ncodings; i++)
		if (strlen(codings[i]) == length &&
			pg_strncasecmp(header, codings[i], length) == 0)
			return;
	channel->badly_encoded = true;
}

static bool
names_protocol(const char *text, size_t length)
{
	return length >= 5 && strncmp(text, "HTTP/", 5) == 0;
}

/*
 * Whether a status line goes on with another one: the first was left of
 * another answer, without its end, and so libcurl had not told of it yet.
 */
static bool
names_protocol_again(const char *line, size_t length)
{
	for (size_t i = 1; i < length; i++)
		if (names_protocol(line + i, length - i))
			return true;
	return false;
}

/*
 * Only looks, but for an answer to what was not asked yet, which is none of
 * ours: libcurl keeps the headers itself.  To libcurl headers have ended,
 * too, where the connection was closed amid them, so the empty line is looked
 * for here.  There may be several answers, of which only the last one counts:
 * 100 Continue is one.
 */
size_t
http_on_header(char *data, size_t size, size_t count, void *arg)
{
	HttpChannel *channel = arg;
	size_t		bytes = size * count;

	channel->two_heads =
		names_protocol(data, bytes) && names_protocol_again(data, bytes);
	if (channel->held_back || channel->two_heads)
	{
		channel->header_bytes = 0;	/* its status is not to be asked for */
		return CURL_WRITEFUNC_ERROR;
	}
	channel->header_bytes += bytes;
	if (channel->header_bytes > MAX_HEADERS)
	{
		channel->too_many_headers = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (names_protocol(data, bytes))
		channel->encoded = channel->head_ended = false;
	else if (bytes <= 2 && data[0] == (bytes == 2 ? '\r' : '\n'))
		channel->head_ended = true;
	note_encoding(channel, data, bytes);
	return channel->badly_encoded ? CURL_WRITEFUNC_ERROR : bytes;
}

/*
 * The connection stands, TLS and all, be it new or kept, and the request is
 * about to be sent: from here on silence counts, and no longer the connect
 * timeout.
 */
int
http_on_connected(void *arg, char *peer_ip, char *local_ip, int peer_port,
			 int local_port)
{
	HttpChannel *channel = arg;

	channel->sendable = true;
	if (!channel->connecting)
		http_hold_back(channel, true);
	return CURL_PREREQFUNC_OK;
}

/*
 * libcurl wants to know of a socket, or no more.  It says so before it closes
 * one, so the mux never holds a number that has become something else.  A -1
 * makes libcurl give up the request.
 *
 * A pause ends before anybody sleeps, so the socket stays where it is.
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
 * libcurl wants to be called after this time; it has one timer at most, and
 * tells only of changes.  It does so several times for a single answer, so the
 * mux learns of it when somebody is about to sleep.  Nothing is called from in
 * here, which libcurl would not stand.
 */
int
http_on_timer(CURLM *multi, long milliseconds, void *arg)
{
	HttpChannel *channel = arg;

	channel->timer_due = milliseconds < 0 ? -1 : http_now_ms() + milliseconds;
	return 0;
}

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
refusal_words(HttpReach reach)
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

static bool
is_internet(const struct curl_sockaddr *address)
{
	return address->family == AF_INET || address->family == AF_INET6;
}

/* The name is the user's, but the address may be news, so it is named. */
static void
note_refused_address(HttpChannel *channel, const struct curl_sockaddr *address)
{
	char		text[INET6_ADDRSTRLEN] = "?";

	if (address->family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)
							 &address->addr)->sin_addr, text, sizeof(text));
	else if (address->family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)
							  &address->addr)->sin6_addr, text, sizeof(text));
	channel->reach_refused = true;
	snprintf(channel->refusal, sizeof(channel->refusal), "address %s is %s",
			 text, refusal_words(channel->reach));
}

/*
 * The one place where a name has become an address and nothing has been sent
 * to it: what is refused here cannot be reached by a clever name server.
 * libcurl may go on with the name's next address.
 */
curl_socket_t
http_on_open_socket(void *arg, curlsocktype purpose,
					struct curl_sockaddr *address)
{
	HttpChannel *channel = arg;
	int			fd;

	channel->sendable = false;
	channel->held_back = false;
	if (!is_internet(address) ||
		!address_allowed(channel->reach, address_kind(&address->addr)))
	{
		note_refused_address(channel, address);
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype, address->protocol);
	if (fd < 0)
	{
		snprintf(channel->refusal, sizeof(channel->refusal),
				 "could not create socket: %m");
		return CURL_SOCKET_BAD;
	}
	(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	channel->connecting = true;
	return fd;
}

/*
 * Not called for all of them: a socket that never came to be connected is closed
 * by libcurl itself.
 */
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
