/*
 * http_channel.h
 *		The inside of a channel, shared by http.c, http_connect.c and
 *		http_response.c.
 *
 * http.c drives libcurl and calls the other two.  They do not call it, nor
 * each other, except that http_connect.c reports failures through
 * http_response.c.  No other file includes this one.
 */
#ifndef HIBOB_HTTP_HTTP_CHANNEL_H
#define HIBOB_HTTP_HTTP_CHANNEL_H

#include "postgres.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <signal.h>

#include "http/http.h"
#include "http/mux.h"

/*
 * The size of libcurl's reads.  libcurl passes on all of a read, so the window
 * can exceed READ_AHEAD by this, or by what it unpacks to.  Small reads cost
 * more, since each makes the kernel announce new room to the peer.
 */
#define RECEIVE_BUFFER (256 * 1024)

/* Addresses of one host that are tried, and connections tried at a time. */
#define MAX_ADDRESSES 16
#define MAX_ATTEMPTS 6

/*
 * A channel that is DONE still holds libcurl's request, and with it the
 * headers and, if it failed, the connection.  http_channel_stop() frees them.
 */
typedef enum ChannelState
{
	CHANNEL_IDLE,
	CHANNEL_RUNNING,
	CHANNEL_DONE				/* complete or failed */
} ChannelState;

/* How a new connection is made: see http_connect.c. */
typedef enum ConnectPhase
{
	CONNECT_RESOLVING,			/* libcurl resolves the name, or reuses a
								 * connection */
	CONNECT_RACING,				/* we connect to the addresses */
	CONNECT_DONE				/* libcurl uses the socket that we connected */
} ConnectPhase;

typedef struct HttpAddress
{
	union
	{
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	}			address;
	socklen_t	length;
	bool		tried;
} HttpAddress;

typedef struct ConnectAttempt
{
	int			socket;
	const HttpAddress *address;
} ConnectAttempt;

/*
 * Only one backend uses a channel.  Some fields are written by the callbacks,
 * that is, within libcurl: those are flags, numbers and the malloc'ed buffer.
 */
struct HttpChannel
{
	CURLM	   *multi;
	CURL	   *easy;
	struct curl_slist *headers[2][2];	/* by any_type, and by having a body */
	Mux			mux;
	bool		has_socket;		/* a descriptor for a socket is acquired */
	curl_socket_t socket;		/* of the idle connection, if there is one */
	curl_socket_t watched;		/* the last one that libcurl had us watch, */
	int			watched_for;	/* and the events, in libcurl's terms */
	HttpSettings settings;

	/* The first option that libcurl refused. */
	bool		setup_failed;
	const char *setup_option;
	const char *setup_text;

	bool		force_reconnect;	/* do not reuse the idle connection */
	bool		damaged;		/* libcurl's handles may be inconsistent */

	/* The exchange. */
	ChannelState state;
	bool		added;			/* the easy handle is in the multi handle */
	bool		new_connection; /* since the exchange began */
	bool		connected;		/* the request is being sent, or was */
	bool		corked;			/* it stays in the kernel for now */
	size_t		header_bytes;
	bool		interim_head;	/* the current head is 1xx or the proxy's */
	bool		head_ended;		/* the empty line after the headers was read */
	int64		timer_due;		/* when libcurl must be called; -1 never */
	int64		silence_since;	/* start of the current silence; -1 none */
	int64		last_polled;
	int64		unpolled;		/* ms of connecting without a poll */

	/* The new connection. */
	ConnectPhase phase;
	int64		connect_begun;	/* resolving included */
	int64		next_attempt;	/* when another address is tried; -1 never */
	int			open_calls;		/* of libcurl, for a socket */
	int			handovers;		/* sockets given to libcurl */
	HttpAddress addresses[MAX_ADDRESSES];
	int			naddresses;
	ConnectAttempt attempts[MAX_ATTEMPTS];	/* oldest first */
	int			nattempts;
	int			connected_socket;	/* for libcurl; -1 none */
	int			connect_errno;	/* of the last attempt that failed, */
	const HttpAddress *failed_address;	/* and its address */

	/* What the callbacks found; http.c acts on it when libcurl returns. */
	bool		out_of_memory;
	bool		too_many_headers;
	bool		unpacked_too_much;	/* at once */
	bool		embedded_head;	/* a status line contains another one */
	int			watch_errno;	/* why a socket is not watched */
	bool		address_refused;	/* some address was not allowed */
	char		refusal[160];	/* which one, and why */
	bool		may_gzip;		/* the request allows it */
	bool		encoded;		/* by the current headers, the content is, */
	bool		chunked;		/* or the transfer */
	const char *bad_encoding;	/* the header with a coding not requested */

	/* The outcome. */
	HttpFailure failure;
	char		failure_text[CURL_ERROR_SIZE];
	char		curl_text[CURL_ERROR_SIZE]; /* libcurl writes here */

	/* The window lies at [start, end) of a malloc'ed buffer. */
	char	   *buffer;
	size_t		capacity;
	size_t		start;
	size_t		end;
	size_t		pause_at;		/* length of the window */
	bool		unreported;		/* it has bytes that the caller does not know */
	bool		paused;			/* until the next poll */
};

/* ------------------------------------------------------------------------
 * http_handles.c
 * ------------------------------------------------------------------------
 */

/*
 * Called around everything that may start a thread.  Nothing in between may
 * raise an error.
 */
extern void http_block_signals(sigset_t *saved);
extern void http_restore_signals(const sigset_t *saved);

/*
 * Makes the handles, or replaces damaged ones.  Failures are in the setup
 * fields.
 */
extern void http_handles_make(HttpChannel *channel);
extern void http_handles_replace(HttpChannel *channel);
extern void http_handles_free(HttpChannel *channel);

/* The options of a request, and those of how it is connected. */
extern void http_handles_set_request(HttpChannel *channel,
									 const HttpRequest *request);
extern void http_handles_set_connection(HttpChannel *channel);

/* ------------------------------------------------------------------------
 * http_connect.c
 * ------------------------------------------------------------------------
 */

/* Resets the state of an earlier exchange, and closes its sockets. */
extern void http_connect_reset(HttpChannel *channel);

/* Milliseconds of connect_timeout that are left, or not positive. */
extern int64 http_connect_time_left(const HttpChannel *channel);

/*
 * Whether libcurl, which has ended the request or is still resolving, has
 * named addresses to connect to.
 */
extern bool http_connect_can_start(const HttpChannel *channel);

/* Begins to connect, or continues; libcurl does not have the request. */
extern void http_connect_start(HttpChannel *channel);
extern void http_connect_continue(HttpChannel *channel, const MuxEvent *events,
								  int nevents);

/* When http_connect_continue() is due even without an event. */
extern int64 http_connect_due(const HttpChannel *channel);

/* Makes the kernel hold back what is sent over a reused connection, or not. */
extern void http_cork(HttpChannel *channel, bool corked);

/* ------------------------------------------------------------------------
 * http_response.c
 * ------------------------------------------------------------------------
 */

extern void http_window_clear(HttpChannel *channel);

/* To be called before libcurl adds to the window. */
extern void http_window_compact(HttpChannel *channel);

/*
 * Ends the exchange: as libcurl reports, as its multi handle does, as failed,
 * or because no data came for read_timeout.
 */
extern void http_finish(HttpChannel *channel, CURLcode code);
extern void http_finish_multi(HttpChannel *channel, CURLMcode code);
extern void http_fail(HttpChannel *channel, HttpFailure failure,
					  const char *text);
extern void http_fail_silent(HttpChannel *channel);

/* ------------------------------------------------------------------------
 * Callbacks of libcurl, of both files; "arg" is the channel
 * ------------------------------------------------------------------------
 */

extern size_t http_on_body(char *data, size_t size, size_t count, void *arg);
extern size_t http_on_header(char *data, size_t size, size_t count, void *arg);
extern int	http_on_connected(void *arg, char *peer_ip, char *local_ip,
							  int peer_port, int local_port);
extern int	http_on_watch(CURL *easy, curl_socket_t socket, int what, void *arg,
						  void *socket_arg);
extern int	http_on_timer(CURLM *multi, long milliseconds, void *arg);
extern curl_socket_t http_on_open_socket(void *arg, curlsocktype purpose,
										 struct curl_sockaddr *address);
extern int	http_on_socket_opened(void *arg, curl_socket_t socket,
								  curlsocktype purpose);
extern int	http_on_close_socket(void *arg, curl_socket_t socket);

#endif							/* HIBOB_HTTP_HTTP_CHANNEL_H */
