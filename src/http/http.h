/*
 * http.h
 *		HTTP exchanges over kept connections, driven by libcurl, in a backend
 *		that stays cancellable in every phase.
 *
 * A channel is an easy handle in a multi handle of its own, with all its
 * sockets and its timer gathered in one descriptor.  It has one exchange at a
 * time; for several at once there are several channels.  What one channel
 * reads never waits for, or fills the memory of, another: if the caller does
 * not ask for more, libcurl is not called and the kernel holds the peer back.
 *
 * Who has one channel calls http_channel_wait().  Who has several, or something
 * better to do than to sleep, calls http_channel_poll() for each, and
 * http_wait_any() when there is nothing left to do.
 *
 * Knows nothing of HiBob, of user mappings, or of what a body means.
 */
#ifndef HIBOB_HTTP_HTTP_H
#define HIBOB_HTTP_HTTP_H

#include "postgres.h"

#include "portability/instr_time.h"

typedef struct HttpChannel HttpChannel;

/*
 * Which addresses a name may resolve to; with a proxy it is the proxy's
 * address that counts.  What is what, says address.h.
 */
typedef enum HttpReach
{
	HTTP_REACH_PUBLIC,			/* the Internet only */
	HTTP_REACH_NETWORK,			/* neither this machine nor its link */
	HTTP_REACH_LOOPBACK,		/* this machine only: the one way to plain http */
	HTTP_REACH_ANY
} HttpReach;

typedef struct HttpSettings
{
	int			connect_timeout;	/* ms, resolving and TLS included */
	int			read_timeout;	/* ms of silence */
	const char *proxy;			/* NULL: none, whatever the environment says */
	const char *ca_file;		/* NULL: libcurl's own; else only this one */
	HttpReach	reach;
} HttpSettings;

typedef struct HttpRequest
{
	const char *method;			/* "GET" or "POST" */
	const char *url;
	const char *user;			/* Basic credentials; NULL for none */
	const char *password;
	const char *body;			/* JSON, or NULL: then no Content-Type is sent */
	bool		any_type;		/* accept any content type, not only JSON */
	bool		plain;			/* not compressed: libcurl does not tell a
								 * compressed body that was cut from a whole one */
} HttpRequest;

typedef enum HttpFailure
{
	HTTP_OK = 0,
	HTTP_UNREACHABLE,			/* not resolved, or not connected */
	HTTP_FORBIDDEN,				/* by our own rules about addresses */
	HTTP_UNTRUSTED,				/* TLS: the peer's certificate, or */
	HTTP_OUTDATED,				/* its protocol */
	HTTP_BROKEN,				/* reset, or ended before its announced end */
	HTTP_SILENT,				/* no byte for read_timeout */
	HTTP_INTERNAL				/* anything else libcurl says */
} HttpFailure;

typedef enum HttpProgress
{
	HTTP_BYTES,					/* the window has bytes that were not there */
	HTTP_END,					/* the body is complete; nothing new */
	HTTP_FAILED					/* see http_channel_failure() */
} HttpProgress;

/* Received and not yet dropped bytes of the body, decoded. */
typedef struct HttpWindow
{
	const char *data;
	size_t		length;
} HttpWindow;

/*
 * Makes a channel without connecting it; the caller must close it.  The
 * settings' strings must live as long as the channel.  Raises an error if
 * there are no descriptors or memory left; nothing is left behind then.  With
 * "missing_ok" it returns NULL if there are no descriptors.
 */
extern HttpChannel *http_channel_open(const HttpSettings *settings,
									  bool missing_ok);
extern void http_channel_close(HttpChannel *channel);

/*
 * Begins with a request, in place of one under way.  Returns at once and raises
 * no error; failures show in http_channel_wait().  It is the next poll or wait
 * that sends it: over a kept connection the first poll does.  The body must
 * stay where it is until http_channel_stop(); the other strings may go.
 */
extern void http_channel_start(HttpChannel *channel,
							   const HttpRequest *request);

/*
 * Sleeps until bytes beyond those in the window have come, or the end, or a
 * failure.  Handles interrupts, so it may raise the error of a cancel; the
 * channel stays fit for http_channel_stop() or http_channel_close() then.  A
 * failure is reported at once, even if bytes came before it unseen.
 *
 * A server that ends its answer by closing the connection, without having
 * announced a length, has ended it by HTTP's rules: only the reader of the
 * body can tell whether it is whole.
 */
extern HttpProgress http_channel_wait(HttpChannel *channel);

/*
 * Does what can be done without sleeping; true if http_channel_wait() would
 * return at once, which is then the way to learn why.  Raises no error and
 * looks for no interrupts.  True for a channel without a request, too.
 *
 * A channel may be left alone for any time between two polls: the peer is not
 * blamed for what it did meanwhile and nobody looked at.
 */
extern bool http_channel_poll(HttpChannel *channel);

/*
 * Sleeps until one of the channels is worth polling, or for so many
 * milliseconds (-1: no limit).  Handles interrupts like http_channel_wait().
 * May return earlier, so it belongs in a loop around the polls.  Without any
 * channel (n is 0) it is what a back-off sleeps by.
 */
extern void http_wait_any(HttpChannel *const *channels, int n,
						  int64 milliseconds);

/*
 * A descriptor for somebody else's wait: it becomes readable when the channel
 * is worth polling, and after so many milliseconds in any case.  Good for one
 * wait.
 */
extern int	http_channel_descriptor(HttpChannel *channel, int64 milliseconds);

/*
 * Ends the exchange.  The connection is kept if the answer was read to its
 * end, and closed if not.  Never raises an error and does not wait, so it may
 * be called while one is being handled.  Forgets the credentials and the
 * window; status, headers, counts and failure stay until the next start, or
 * until http_channel_reset(), which ends the exchange too.
 */
extern void http_channel_stop(HttpChannel *channel);
extern void http_channel_reset(HttpChannel *channel);

/*
 * What came is not what was asked for, perhaps another one's answer: the next
 * request goes over a new connection.
 */
extern void http_channel_distrust(HttpChannel *channel);

/* The window moves with each wait and drop: offsets last, pointers do not. */
extern HttpWindow http_channel_window(const HttpChannel *channel);
extern void http_channel_drop(HttpChannel *channel, size_t bytes);

/* Known once http_channel_wait() has returned; 0 and NULL where absent. */
extern int	http_channel_status(const HttpChannel *channel);
extern const char *http_channel_content_type(HttpChannel *channel);
extern const char *http_channel_header(HttpChannel *channel, const char *name);

extern HttpFailure http_channel_failure(const HttpChannel *channel);
extern const char *http_channel_failure_text(const HttpChannel *channel);

/* How far the channel was opened to reach. */
extern HttpReach http_channel_reach(const HttpChannel *channel);

/* Bytes of the present body as they came over the wire. */
extern uint64 http_channel_received(HttpChannel *channel);

/* Milliseconds on a clock that nobody sets. */
static inline int64
http_now_ms(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}

/* A date as HTTP writes it, in seconds since 1970; -1 if it is none. */
extern int64 http_parse_date(const char *text);

/* libcurl's version, for people. */
extern const char *http_library_version(void);

#endif							/* HIBOB_HTTP_HTTP_H */
