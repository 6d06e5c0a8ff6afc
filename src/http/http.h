/*
 * http.h
 *		HTTP exchanges over persistent connections, driven by libcurl, in a
 *		backend that can be cancelled in every phase.
 *
 * A channel has one connection and runs one exchange at a time; several at once
 * need several channels.  A channel reads only when its caller waits or polls:
 * otherwise the kernel holds back the peer.  Other channels are not affected.
 *
 * A caller with one channel uses http_channel_wait().  A caller with several,
 * or with other work than waiting, uses http_channel_poll() for each, and
 * http_wait_any() when none has anything new.
 *
 * Knows nothing of HiBob, of user mappings, or of the contents of a body.
 */
#ifndef HIBOB_HTTP_HTTP_H
#define HIBOB_HTTP_HTTP_H

#include "postgres.h"

#include <time.h>

typedef struct HttpChannel HttpChannel;

/*
 * The addresses that a channel may connect to: with a proxy, those of the
 * proxy.  See address.h for the kinds of addresses.
 */
typedef enum HttpReach
{
	HTTP_REACH_PUBLIC,			/* the Internet only */
	HTTP_REACH_NETWORK,			/* not this machine, and not its link */
	HTTP_REACH_LOOPBACK,		/* this machine only: requires plain http */
	HTTP_REACH_ANY
} HttpReach;

typedef struct HttpSettings
{
	int			connect_timeout;	/* ms, including resolving and TLS */
	int			read_timeout;	/* ms without data */
	const char *proxy;			/* NULL: none, not even the environment's */
	const char *ca_file;		/* NULL: libcurl's default; else only this */
	HttpReach	reach;
} HttpSettings;

typedef struct HttpRequest
{
	const char *method;			/* "GET" or "POST" */
	const char *url;
	const char *user;			/* Basic credentials; NULL for none */
	const char *password;
	const char *body;			/* JSON; NULL: no Content-Type is sent */
	bool		any_type;		/* accept any content type, not only JSON */
	bool		plain;			/* uncompressed: libcurl does not notice that
								 * a compressed body is truncated */
} HttpRequest;

typedef enum HttpFailure
{
	HTTP_OK = 0,
	HTTP_UNREACHABLE,			/* not resolved, or not connected */
	HTTP_PROXY_FAILED,			/* the proxy: not reached, or it refused */
	HTTP_FORBIDDEN,				/* an address that is not allowed */
	HTTP_UNTRUSTED,				/* TLS: the certificate of the peer */
	HTTP_OUTDATED,				/* TLS: the version of the protocol */
	HTTP_BROKEN,				/* reset, or ended before its announced end */
	HTTP_SILENT,				/* no data for read_timeout */
	HTTP_INTERNAL				/* any other failure of libcurl */
} HttpFailure;

typedef enum HttpProgress
{
	HTTP_BYTES,					/* the window has new bytes */
	HTTP_END,					/* the body is complete; nothing new */
	HTTP_FAILED					/* see http_channel_failure() */
} HttpProgress;

/* The bytes of the body that were received and not yet dropped, decoded. */
typedef struct HttpWindow
{
	const char *data;
	size_t		length;
} HttpWindow;

/*
 * Makes a channel, without connecting it.  The caller must close it.  The
 * strings of the settings must live as long as the channel.
 *
 * A channel needs two descriptors (three once http_channel_descriptor() was
 * called).  If there are none left, returns NULL if missing_ok, so that the
 * caller can close idle channels and try again, or do without.  Otherwise, and
 * if memory runs out, raises an error, and leaves nothing behind.
 */
extern HttpChannel *http_channel_open(const HttpSettings *settings,
									  bool missing_ok);
extern void http_channel_close(HttpChannel *channel);

/*
 * Begins an exchange, and ends the previous one.  Returns at once and raises
 * no error: http_channel_wait() reports failures.  The next poll or wait sends
 * the request.  The body must stay valid until http_channel_stop(); the other
 * strings are copied.
 */
extern void http_channel_start(HttpChannel *channel,
							   const HttpRequest *request);

/*
 * Sleeps until the window has new bytes, the body is complete, or the exchange
 * fails.  Handles interrupts, so it may raise the error of a cancel; the
 * channel can be stopped or closed afterwards.  A failure is reported first,
 * even if unreported bytes arrived before it.
 *
 * By the rules of HTTP, a server may end a response by closing the connection:
 * see http_channel_end_is_known().
 */
extern HttpProgress http_channel_wait(HttpChannel *channel);

/*
 * Does what is possible without sleeping.  True if http_channel_wait() would
 * return at once; call it to learn the reason.  Raises no error and does not
 * check for interrupts.  Also true for a channel without an exchange.
 *
 * Time in which a channel is not polled does not count against the timeouts.
 */
extern bool http_channel_poll(HttpChannel *channel);

/*
 * Sleeps until one of the channels should be polled, or for the given
 * milliseconds (-1: no limit).  Handles interrupts like http_channel_wait().
 * May return earlier, so it belongs in a loop around the polls.  Without
 * channels (n is 0) it sleeps for a back-off.
 */
extern void http_wait_any(HttpChannel *const *channels, int n,
						  int64 milliseconds);

/*
 * A descriptor for a wait event set of the caller.  It becomes readable when
 * the channel should be polled, and at the latest after the given
 * milliseconds.  It is valid for one wait.  Raises an error if there is no
 * descriptor left.
 */
extern int	http_channel_descriptor(HttpChannel *channel, int64 milliseconds);

/*
 * Ends the exchange.  The connection is kept for the next one if the response
 * was read to its end, and otherwise closed.  Raises no error and does not
 * wait, so it may be called while an error is handled.  Removes the
 * credentials and the window.  Status, headers, counts and failure remain
 * until the next start, or until http_channel_reset(), which also ends the
 * exchange.
 */
extern void http_channel_stop(HttpChannel *channel);
extern void http_channel_reset(HttpChannel *channel);

/*
 * Makes the next exchange use a new connection, because the response of this
 * one may belong to another request.
 */
extern void http_channel_force_reconnect(HttpChannel *channel);

/* The window moves with each wait and drop: offsets last, pointers do not. */
extern HttpWindow http_channel_window(const HttpChannel *channel);
extern void http_channel_drop(HttpChannel *channel, size_t bytes);

/* Valid when http_channel_wait() has returned; 0 and NULL if absent. */
extern int	http_channel_status(const HttpChannel *channel);
extern const char *http_channel_content_type(HttpChannel *channel);
extern const char *http_channel_header(HttpChannel *channel, const char *name);

/*
 * Whether the headers define where the body ends.  If not, HTTP_END may also
 * mean that the connection was cut, and only its syntax shows whether the body
 * is complete.
 */
extern bool http_channel_end_is_known(HttpChannel *channel);

/* The text is a sentence without its period. */
extern HttpFailure http_channel_failure(const HttpChannel *channel);
extern const char *http_channel_failure_text(const HttpChannel *channel);

/* The setting that the channel was opened with. */
extern HttpReach http_channel_reach(const HttpChannel *channel);

/* Bytes of the current body as received, before decoding. */
extern uint64 http_channel_received(HttpChannel *channel);

/*
 * Milliseconds on a monotonic clock that all sessions share.  CLOCK_MONOTONIC
 * is named here because since PostgreSQL 19 a session can choose the clock of
 * instr_time.
 */
static inline int64
http_now_ms(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A date in HTTP's format, in seconds since 1970; -1 if it is invalid. */
extern int64 http_parse_date(const char *text);

/* libcurl's version, as text, and that of the headers. */
extern const char *http_library_version(void);
extern const char *http_header_version(void);

/* libcurl and the libraries that it uses, as curl_version() lists them. */
extern const char *http_library_list(void);

#endif							/* HIBOB_HTTP_HTTP_H */
