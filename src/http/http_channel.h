/*
 * http_channel.h
 *		The inside of a channel, between http.c, which drives libcurl,
 *		http_callbacks.c, which libcurl calls, and http_outcome.c, which says
 *		what came of it.
 *
 * Nobody else includes this.
 */
#ifndef HIBOB_HTTP_HTTP_CHANNEL_H
#define HIBOB_HTTP_HTTP_CHANNEL_H

#include "postgres.h"

#include <curl/curl.h>

#include "http/http.h"
#include "http/mux.h"

/*
 * libcurl reads so much at once, and hands all of it over: so much, or what it
 * unpacks to, can go past READ_AHEAD.  Small reads cost more, since each tells
 * the peer that there is room again.
 */
#define RECEIVE_BUFFER (256 * 1024)

/*
 * A channel that is DONE still holds libcurl's request, and with it the
 * headers and, if it failed, the connection; http_channel_stop() lets go.
 */
typedef enum ChannelState
{
	CHANNEL_IDLE,
	CHANNEL_RUNNING,
	CHANNEL_DONE				/* complete or failed */
} ChannelState;

/*
 * All of it is written by the one backend it belongs to, but some of it from
 * within libcurl: those parts are plain flags, numbers and the malloc'ed
 * buffer.
 */
struct HttpChannel
{
	CURLM	   *multi;
	CURL	   *easy;
	struct curl_slist *headers[2][2];	/* by any_type, and with a body or not */
	Mux			mux;
	int			descriptors;	/* counted for its sockets */
	curl_socket_t socket;		/* of the kept connection, if there is one */
	curl_socket_t watched;		/* the last one that the mux was told of, */
	int			watched_for;	/* and what for, in libcurl's terms */
	HttpReach	reach;
	int			connect_timeout;
	int			read_timeout;

	/* The first thing that libcurl did not let us set. */
	bool		setup_failed;
	const char *setup_option;
	const char *setup_text;

	bool		distrusted;		/* the kept connection is */

	/* The exchange. */
	ChannelState state;
	bool		added;			/* the easy handle is in the multi handle */
	bool		sendable;		/* connected: it is the peer's turn or ours */
	bool		held_back;		/* the request is, by a kept connection */
	size_t		header_bytes;
	bool		head_ended;		/* the empty line behind the headers has come */
	int64		timer_due;		/* when libcurl wants to be called; -1 never */
	int64		silence_since;	/* since when we wait in vain; -1 we do not */
	int64		seen;			/* when it was last looked at */
	int64		unseen;			/* ms of the connecting in which nobody did */

	/* What the callbacks found; they cannot do more about it than tell. */
	bool		out_of_memory;
	bool		too_many_headers;
	bool		too_much;		/* was unpacked at once */
	bool		two_heads;		/* a status line has another one in it */
	int			watch_errno;	/* why a socket is not watched */
	bool		connecting;		/* a socket was opened */
	bool		reach_refused;	/* an address was not allowed */
	bool		may_gzip;		/* the request says so */
	bool		encoded;		/* the present headers name a coding */
	bool		badly_encoded;	/* one not asked for, or more than one */
	char		refusal[160];	/* why a socket was not opened */

	/* The outcome. */
	HttpFailure failure;
	char		failure_text[CURL_ERROR_SIZE];
	char		curl_text[CURL_ERROR_SIZE]; /* libcurl writes here */

	/* The window lies at [start, end) of a malloc'ed buffer. */
	char	   *buffer;
	size_t		capacity;
	size_t		start;
	size_t		end;
	size_t		mark;			/* pause when the window is so long */
	bool		fresh;			/* it has bytes not yet reported */
	bool		paused;			/* until the next poll */
};

/* Empties the window. */
extern void http_window_clear(HttpChannel *channel);

/* To be called before it is filled again. */
extern void http_window_compact(HttpChannel *channel);

/* Has a kept connection hold back what is sent, or send it. */
extern void http_hold_back(HttpChannel *channel, bool held_back);

/*
 * Ends the exchange: as libcurl says, as its multi handle does, as failed, or
 * because nothing has come for too long.
 */
extern void http_finish(HttpChannel *channel, CURLcode code);
extern void http_finish_multi(HttpChannel *channel, CURLMcode code);
extern void http_fail(HttpChannel *channel, HttpFailure failure,
					  const char *text);
extern void http_fail_silent(HttpChannel *channel);

/* What libcurl calls, as it wants to see it; "arg" is the channel. */
extern size_t http_on_body(char *data, size_t size, size_t count, void *arg);
extern size_t http_on_header(char *data, size_t size, size_t count, void *arg);
extern int	http_on_connected(void *arg, char *peer_ip, char *local_ip,
							  int peer_port, int local_port);
extern int	http_on_watch(CURL *easy, curl_socket_t socket, int what, void *arg,
						  void *socket_arg);
extern int	http_on_timer(CURLM *multi, long milliseconds, void *arg);
extern curl_socket_t http_on_open_socket(void *arg, curlsocktype purpose,
										 struct curl_sockaddr *address);
extern int	http_on_close_socket(void *arg, curl_socket_t socket);

#endif							/* HIBOB_HTTP_HTTP_CHANNEL_H */
