/*
 * http.c
 *		libcurl and the latch: an HTTP exchange that never makes a backend deaf.
 *
 * libcurl is driven by curl_multi_socket_action().  It tells its sockets and
 * its timer to a Mux, and the backend sleeps on its own latch and the mux's
 * descriptor; so a cancel, a timeout or the postmaster's death ends a wait in
 * whatever phase the exchange is.
 *
 * Four rules keep that safe:
 *
 * - libcurl calls back only to have bytes copied or a flag set (see
 *   http_callbacks.c).
 * - Interrupts are handled, and errors raised, between calls into libcurl.
 * - Signals are blocked during such calls, because libcurl may start a thread
 *   to resolve a name in, and a thread inherits the mask: no second thread
 *   must ever run one of the backend's signal handlers.
 * - Whatever libcurl opens is counted in PostgreSQL's budget of descriptors,
 *   but for the pair or two that it keeps to wake itself up.
 *
 * Like its header, this file knows nothing of HiBob, user mappings or bodies.
 */
#include "postgres.h"

#include <curl/curl.h>
#include <signal.h>

#include "compat.h"
#include "http_channel.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#if LIBCURL_VERSION_NUM < 0x075800
#error "libcurl 7.88 or later is needed"
#endif

/* How far libcurl may read ahead of the caller before it is held back. */
#define READ_AHEAD (256 * 1024)

/*
 * Seconds after which an idle connection is not used again: servers and
 * balancers commonly close at 60.
 */
#define MAX_IDLE 55

/* CURLE_TOO_LARGE, which libcurl has from 8.6 on. */
#define CODE_TOO_LARGE ((CURLcode) 100)

/* Sockets served at a time: one, or two while IPv6 and IPv4 race. */
#define EVENT_BATCH 4

/* ------------------------------------------------------------------------
 * Time, signals, and libcurl as a whole
 * ------------------------------------------------------------------------
 */

/*
 * Wait events are made when first waited for, not at load time: there is a
 * limited number of them in a cluster.
 */
static uint32
response_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = hibob_new_wait_event("HibobResponse");
	return event;
}

static uint32
backoff_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = hibob_new_wait_event("HibobBackoff");
	return event;
}

/*
 * To be called around whatever may start a thread, without anything between
 * that could jump out.
 */
static void
block_signals(sigset_t *saved)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
}

static void
restore_signals(const sigset_t *saved)
{
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/*
 * Once a backend, and only when needed: never in the postmaster, whose children
 * would share what it sets up.  It is never undone, as other extensions may use
 * libcurl too.
 *
 * There is no other way to keep libcurl from writing down the keys of its TLS
 * connections where that variable says.  It reads it here, once, so if another
 * extension has initialized it before, this is too late.
 */
static void
initialize_curl(void)
{
	static bool done = false;
	CURLcode	code;

	if (done)
		return;
	(void) unsetenv("SSLKEYLOGFILE");
	code = curl_global_init(CURL_GLOBAL_ALL);
	if (code != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("could not initialize libcurl: %s",
						curl_easy_strerror(code))));
	done = true;
}

const char *
http_library_version(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}

int64
http_parse_date(const char *text)
{
	return (int64) curl_getdate(text, NULL);
}

/* ------------------------------------------------------------------------
 * Opening and closing
 * ------------------------------------------------------------------------
 */

/*
 * Setting an option can fail for want of memory, or because a libcurl was
 * built without what it is about.  The first failure is kept, and looked at
 * when all options are set.
 */
static void
note_setup(HttpChannel *channel, bool good, const char *option,
		   const char *text)
{
	if (good || channel->setup_failed)
		return;
	channel->setup_failed = true;
	channel->setup_option = option;
	channel->setup_text = text;
}

#define SET(channel, option, value) \
	do { \
		CURLcode	code_ = curl_easy_setopt((channel)->easy, option, value); \
		\
		note_setup(channel, code_ == CURLE_OK, #option, \
				   curl_easy_strerror(code_)); \
	} while (0)

/* For what need not be set where libcurl does not have it at all. */
#define SET_IF_KNOWN(channel, option, value) \
	do { \
		CURLcode	code_ = curl_easy_setopt((channel)->easy, option, value); \
		\
		note_setup(channel, code_ == CURLE_OK || \
				   code_ == CURLE_NOT_BUILT_IN || \
				   code_ == CURLE_UNKNOWN_OPTION, #option, \
				   curl_easy_strerror(code_)); \
	} while (0)

#define SET_MULTI(channel, option, value) \
	do { \
		CURLMcode	code_; \
		\
		code_ = curl_multi_setopt((channel)->multi, option, value); \
		note_setup(channel, code_ == CURLM_OK, #option, \
				   curl_multi_strerror(code_)); \
	} while (0)

static void
add_header(HttpChannel *channel, struct curl_slist **list, const char *header)
{
	struct curl_slist *longer = curl_slist_append(*list, header);

	note_setup(channel, longer != NULL, header, "out of memory");
	if (longer != NULL)
		*list = longer;
}

/* A header without a value is one that libcurl shall not send by itself. */
static void
make_headers(HttpChannel *channel)
{
	for (int any = 0; any < 2; any++)
	{
		for (int body = 0; body < 2; body++)
		{
			struct curl_slist **list = &channel->headers[any][body];

			add_header(channel, list,
					   any ? "Accept: */*" : "Accept: application/json");
			add_header(channel, list, "Expect:");
			add_header(channel, list, body ? "Content-Type: application/json" :
					   "Content-Type:");
		}
	}
}

/*
 * The callback for closing gets no argument: it may be called for a connection
 * that outlived the request it was made for.  One kept connection suffices, as
 * a channel has one request at a time.
 */
static void
set_callbacks(HttpChannel *channel)
{
	SET_MULTI(channel, CURLMOPT_SOCKETFUNCTION, http_on_watch);
	SET_MULTI(channel, CURLMOPT_SOCKETDATA, channel);
	SET_MULTI(channel, CURLMOPT_TIMERFUNCTION, http_on_timer);
	SET_MULTI(channel, CURLMOPT_TIMERDATA, channel);
	SET_MULTI(channel, CURLMOPT_MAXCONNECTS, 1L);

	SET(channel, CURLOPT_WRITEFUNCTION, http_on_body);
	SET(channel, CURLOPT_WRITEDATA, channel);
	SET(channel, CURLOPT_HEADERFUNCTION, http_on_header);
	SET(channel, CURLOPT_HEADERDATA, channel);
	SET(channel, CURLOPT_PREREQFUNCTION, http_on_connected);
	SET(channel, CURLOPT_PREREQDATA, channel);
	SET(channel, CURLOPT_OPENSOCKETFUNCTION, http_on_open_socket);
	SET(channel, CURLOPT_OPENSOCKETDATA, channel);
	SET(channel, CURLOPT_CLOSESOCKETFUNCTION, http_on_close_socket);
	SET(channel, CURLOPT_ERRORBUFFER, channel->curl_text);
}

/*
 * NOSIGNAL keeps libcurl away from SIGALRM, which is the server's.  QUICK_EXIT
 * lets a handle go without waiting for the thread that resolves its name; the
 * thread ends by itself, and gives back a descriptor that is not counted.
 *
 * HTTP/2 would multiplex what we do not send at once, and costs speed on a
 * single stream.  There is no limit of time for a whole exchange: a large
 * answer may take as long as it keeps coming.
 */
static void
set_behaviour(HttpChannel *channel, const HttpSettings *settings)
{
	SET(channel, CURLOPT_NOSIGNAL, 1L);
	SET(channel, CURLOPT_QUICK_EXIT, 1L);
	SET(channel, CURLOPT_CONNECTTIMEOUT_MS,
		(long) Max(settings->connect_timeout, 1));
	SET(channel, CURLOPT_TCP_NODELAY, 1L);
	SET(channel, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(channel, CURLOPT_MAXAGE_CONN, (long) MAX_IDLE);
	SET(channel, CURLOPT_BUFFERSIZE, (long) RECEIVE_BUFFER);
	SET(channel, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(channel, CURLOPT_USERAGENT, "hibob_fdw/1.0");
	if (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_LIBZ)
		SET(channel, CURLOPT_ACCEPT_ENCODING, "gzip");
}

/*
 * One way out: what is asked is asked of the host in the URL, over TLS that was
 * verified, and nothing in the server's environment has a say in it.  (What
 * libcurl does not let us switch off are the own variables and files of the
 * name resolver and of the TLS library.)
 */
static void
set_safety(HttpChannel *channel, const HttpSettings *settings)
{
	SET(channel, CURLOPT_PROTOCOLS_STR,
		settings->reach == HTTP_REACH_LOOPBACK ? "http" : "https");
	SET(channel, CURLOPT_FOLLOWLOCATION, 0L);
	SET(channel, CURLOPT_PATH_AS_IS, 1L);
	SET(channel, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(channel, CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
	SET(channel, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);

	/* Empty is not the same as unset: unset asks the environment. */
	SET(channel, CURLOPT_PROXY, settings->proxy ? settings->proxy : "");
	SET(channel, CURLOPT_NOPROXY, "");

	SET_IF_KNOWN(channel, CURLOPT_SSL_VERIFYPEER, 1L);
	SET_IF_KNOWN(channel, CURLOPT_SSL_VERIFYHOST, 2L);
	SET_IF_KNOWN(channel, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	SET_IF_KNOWN(channel, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	SET_IF_KNOWN(channel, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
	SET_IF_KNOWN(channel, CURLOPT_PROXY_SSLVERSION,
				 (long) CURL_SSLVERSION_TLSv1_2);
	if (settings->ca_file != NULL)
	{
		/* Whoever names a file trusts it and not a directory besides. */
		SET(channel, CURLOPT_CAINFO, settings->ca_file);
		SET_IF_KNOWN(channel, CURLOPT_CAPATH, NULL);
		SET_IF_KNOWN(channel, CURLOPT_PROXY_CAINFO, settings->ca_file);
		SET_IF_KNOWN(channel, CURLOPT_PROXY_CAPATH, NULL);
	}
}

/*
 * Nothing between the first resource and the last check can raise an error, so
 * that a channel is either whole or closed again.
 */
HttpChannel *
http_channel_open(const HttpSettings *settings)
{
	HttpChannel *channel;

	initialize_curl();
	channel = MemoryContextAllocZero(CacheMemoryContext, sizeof(HttpChannel));
	channel->reach = settings->reach;
	channel->read_timeout = settings->read_timeout;
	channel->timer_due = -1;
	channel->silence_since = -1;

	if (!mux_create(&channel->mux))
	{
		pfree(channel);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not prepare an HTTP connection: %m"),
				 errhint("Raise max_files_per_process, or the operating "
						 "system's limit of open files.")));
	}
	channel->multi = curl_multi_init();
	channel->easy = curl_easy_init();
	if (channel->multi == NULL || channel->easy == NULL)
		note_setup(channel, false, "handle", "out of memory");
	else
	{
		make_headers(channel);
		set_callbacks(channel);
		set_behaviour(channel, settings);
		set_safety(channel, settings);
	}
	if (channel->setup_failed)
	{
		const char *option = channel->setup_option;
		const char *text = channel->setup_text;

		http_channel_close(channel);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("could not prepare an HTTP connection: %s", text),
				 errdetail_internal("libcurl refused %s.", option)));
	}
	return channel;
}

/*
 * libcurl still calls back while its handles go, so what the callbacks use
 * goes after them.
 */
void
http_channel_close(HttpChannel *channel)
{
	sigset_t	saved;

	if (channel->easy != NULL && channel->multi != NULL)
		http_channel_stop(channel);

	block_signals(&saved);
	curl_easy_cleanup(channel->easy);
	(void) curl_multi_cleanup(channel->multi);
	restore_signals(&saved);

	for (int i = 0; i < 4; i++)
		curl_slist_free_all(channel->headers[i / 2][i % 2]);
	mux_close(&channel->mux);
	free(channel->buffer);
	pfree(channel);
}

/* ------------------------------------------------------------------------
 * Failures
 * ------------------------------------------------------------------------
 */

/*
 * Ends the exchange as failed.  The text may have come from anywhere, so only
 * printable characters are kept.
 */
static void
fail(HttpChannel *channel, HttpFailure failure, const char *text)
{
	char	   *copy = channel->failure_text;
	size_t		length;

	channel->state = CHANNEL_DONE;
	channel->failure = failure;
	length = Min(strlen(text), sizeof(channel->failure_text) - 1);
	while (length > 0 && (unsigned char) text[length - 1] <= ' ')
		length--;
	for (size_t i = 0; i < length; i++)
		copy[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	copy[length] = '\0';
}

/* Whether it failed over the version of the protocol; again by libcurl's words. */
static bool
is_outdated(const char *text)
{
	return strstr(text, "unsupported protocol") != NULL ||
		strstr(text, "alert protocol version") != NULL ||
		strstr(text, "wrong version number") != NULL;
}

/*
 * Whether a failed TLS handshake was the network's fault.  libcurl has one code
 * for both, so its words have to tell; where they do not, the peer counts as
 * not trusted, which only means that it is not asked again.
 */
static bool
handshake_was_cut(const char *text)
{
	return strstr(text, "SSL_ERROR_SYSCALL") != NULL ||
		strstr(text, "SSL_ERROR_ZERO_RETURN") != NULL ||
		strstr(text, "unexpected eof") != NULL ||
		strstr(text, strerror(ECONNRESET)) != NULL ||
		strstr(text, strerror(EPIPE)) != NULL;
}

/*
 * What a code of libcurl means to our callers.  What fails before a request
 * could be sent has not reached the peer, whatever broke.
 */
static HttpFailure
failure_of_code(const HttpChannel *channel, CURLcode code, const char *text)
{
	switch (code)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
		case CURLE_COULDNT_CONNECT:
		case CURLE_OPERATION_TIMEDOUT:
		case CURLE_PROXY:
			return HTTP_UNREACHABLE;
		case CURLE_SSL_CONNECT_ERROR:
			return handshake_was_cut(text) ? HTTP_UNREACHABLE :
				is_outdated(text) ? HTTP_OUTDATED : HTTP_UNTRUSTED;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_CRL_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		case CURLE_SSL_CLIENTCERT:
		case CURLE_USE_SSL_FAILED:
			return HTTP_UNTRUSTED;
		case CURLE_PARTIAL_FILE:
		case CURLE_RECV_ERROR:
		case CURLE_SEND_ERROR:
		case CURLE_GOT_NOTHING:
		case CURLE_BAD_CONTENT_ENCODING:
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_SSL_SHUTDOWN_FAILED:
			return channel->sendable ? HTTP_BROKEN : HTTP_UNREACHABLE;
		case CURLE_UNSUPPORTED_PROTOCOL:
			/* of the URL, or of an answer that is not HTTP/1 */
			return channel->sendable ? HTTP_BROKEN : HTTP_INTERNAL;
		default:
			return HTTP_INTERNAL;
	}
}

/*
 * Whether libcurl gave up at a header.  It has a limit of 100 kB for each, and
 * takes what is beyond for a lack of memory, until a code for that came.
 */
static bool
header_too_long(HttpChannel *channel, CURLcode code)
{
	return (code == CURLE_OUT_OF_MEMORY || code == CODE_TOO_LARGE) &&
		channel->sendable && http_channel_received(channel) == 0;
}

/*
 * libcurl is done with the request, in this way.  If no socket was opened at
 * all, we know better than libcurl why.
 */
static void
finish(HttpChannel *channel, CURLcode code)
{
	const char *text = channel->curl_text[0] != '\0' ? channel->curl_text :
		curl_easy_strerror(code);
	HttpFailure failure = failure_of_code(channel, code, text);

	if (code == CURLE_OK)
		channel->state = CHANNEL_DONE;
	else if (channel->too_many_headers)
		fail(channel, HTTP_BROKEN, "the headers of the response are too large");
	else if (header_too_long(channel, code))
		fail(channel, HTTP_BROKEN,
			 "a header of the response is too long, or memory ran out");
	else if (channel->badly_encoded)
		fail(channel, HTTP_BROKEN,
			 "the response has a Content-Encoding that was not asked for");
	else if (failure == HTTP_UNREACHABLE && channel->refusal[0] != '\0' &&
			 !channel->connecting)
		fail(channel, channel->reach_refused ? HTTP_FORBIDDEN :
			 HTTP_UNREACHABLE, channel->refusal);
	else
		fail(channel, failure, text);
}

/* libcurl cannot go on; mostly because a callback could not. */
static void
finish_multi(HttpChannel *channel, CURLMcode code)
{
	char		text[CURL_ERROR_SIZE];

	if (channel->watch_errno != 0)
	{
		errno = channel->watch_errno;
		snprintf(text, sizeof(text), "could not watch a socket: %m");
		fail(channel, HTTP_INTERNAL, text);
	}
	else
		fail(channel, HTTP_INTERNAL, curl_multi_strerror(code));
}

static void
fail_silent(HttpChannel *channel)
{
	char		text[80];

	snprintf(text, sizeof(text), "no data received for %d ms",
			 channel->read_timeout);
	fail(channel, HTTP_SILENT, text);
}

/* ------------------------------------------------------------------------
 * An exchange
 * ------------------------------------------------------------------------
 */

/*
 * libcurl copies all strings but the body.  The body's length is set before the
 * body, which libcurl would otherwise measure itself.
 */
static void
set_request(HttpChannel *channel, const HttpRequest *request)
{
	SET(channel, CURLOPT_URL, request->url);
	SET(channel, CURLOPT_USERNAME, request->user);
	SET(channel, CURLOPT_PASSWORD, request->password);
	if (strcmp(request->method, "POST") == 0)
	{
		const char *body = request->body != NULL ? request->body : "";

		SET(channel, CURLOPT_POST, 1L);
		SET(channel, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(body));
		SET(channel, CURLOPT_POSTFIELDS, body);
	}
	else
		SET(channel, CURLOPT_HTTPGET, 1L);
	SET(channel, CURLOPT_HTTPHEADER,
		channel->headers[request->any_type][request->body != NULL]);
}

/*
 * Adding the handle does no more than to ask for a call at once, by the timer;
 * the name is resolved, and all else done, from http_channel_poll().
 */
void
http_channel_start(HttpChannel *channel, const HttpRequest *request)
{
	sigset_t	saved;
	CURLMcode	code;

	http_channel_reset(channel);
	set_request(channel, request);
	if (channel->setup_failed)
	{
		fail(channel, HTTP_INTERNAL, channel->setup_text);
		return;
	}
	channel->state = CHANNEL_RUNNING;
	block_signals(&saved);
	code = curl_multi_add_handle(channel->multi, channel->easy);
	restore_signals(&saved);
	if (code == CURLM_OK)
		channel->added = true;
	else
		finish_multi(channel, code);
}

/*
 * Taking an unfinished request out of the multi handle closes its connection;
 * a finished one leaves it there for the next.  libcurl frees its copies of
 * the credentials when they are unset, but has no way to have them overwritten.
 */
void
http_channel_stop(HttpChannel *channel)
{
	sigset_t	saved;

	if (channel->added)
	{
		block_signals(&saved);
		(void) curl_multi_remove_handle(channel->multi, channel->easy);
		restore_signals(&saved);
		channel->added = false;
	}
	(void) curl_easy_setopt(channel->easy, CURLOPT_USERNAME, NULL);
	(void) curl_easy_setopt(channel->easy, CURLOPT_PASSWORD, NULL);
	(void) curl_easy_setopt(channel->easy, CURLOPT_POSTFIELDS, NULL);
	http_window_clear(channel);
	channel->state = CHANNEL_IDLE;
}

void
http_channel_reset(HttpChannel *channel)
{
	http_channel_stop(channel);
	channel->setup_failed = false;
	channel->sendable = false;
	channel->header_bytes = 0;
	channel->silence_since = -1;
	channel->out_of_memory = false;
	channel->too_many_headers = false;
	channel->watch_errno = 0;
	channel->connecting = false;
	channel->reach_refused = false;
	channel->encoded = false;
	channel->badly_encoded = false;
	channel->refusal[0] = '\0';
	channel->failure = HTTP_OK;
	channel->failure_text[0] = '\0';
	channel->curl_text[0] = '\0';
	channel->paused = false;
}

/*
 * Lets libcurl do what it can without waiting, and says whether a socket was
 * ready.  The timer of the mux may have been set for our own ends (see
 * prepare_sleep()), so libcurl's due time is looked at here.
 */
static bool
run_curl(HttpChannel *channel)
{
	MuxEvent	events[EVENT_BATCH];
	bool		timer;
	int			nevents;
	int			running;
	CURLMcode	code = CURLM_OK;

	if (channel->paused)
	{
		CURLcode	resumed;

		channel->paused = false;
		resumed = curl_easy_pause(channel->easy, CURLPAUSE_CONT);
		if (resumed != CURLE_OK)
		{
			finish(channel, resumed);
			return false;
		}
	}
	nevents = mux_collect(&channel->mux, events, EVENT_BATCH, &timer);
	for (int i = 0; i < nevents && code == CURLM_OK; i++)
		code = curl_multi_socket_action(channel->multi, events[i].socket,
										(events[i].readable ?
										 CURL_CSELECT_IN : 0) |
										(events[i].writable ?
										 CURL_CSELECT_OUT : 0), &running);
	if (code == CURLM_OK && channel->timer_due >= 0 &&
		http_now_ms() >= channel->timer_due)
	{
		channel->timer_due = -1;
		code = curl_multi_socket_action(channel->multi, CURL_SOCKET_TIMEOUT, 0,
										&running);
	}
	if (code != CURLM_OK)
		finish_multi(channel, code);
	return nevents > 0;
}

/*
 * libcurl counts its time to connect by the clock on the wall, whether it was
 * called or not, and looks at the clock first.  If the peer did its part while
 * nobody called, the time was ours: nothing has been sent yet, so the request
 * begins anew.
 */
static void
begin_anew(HttpChannel *channel)
{
	CURLMcode	code;

	code = curl_multi_remove_handle(channel->multi, channel->easy);
	channel->added = false;
	channel->connecting = false;
	channel->curl_text[0] = '\0';
	if (code == CURLM_OK)
		code = curl_multi_add_handle(channel->multi, channel->easy);
	if (code == CURLM_OK)
		channel->added = true;
	else
		finish_multi(channel, code);
}

/*
 * Has libcurl said that it is done?  It does so in a message that it owns, and
 * that goes with the next call.
 */
static void
take_result(HttpChannel *channel, bool heard)
{
	CURLMsg    *message;
	int			left;

	while (channel->state == CHANNEL_RUNNING &&
		   (message = curl_multi_info_read(channel->multi, &left)) != NULL)
	{
		CURLcode	code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		if (code == CURLE_OPERATION_TIMEDOUT && !channel->sendable && heard)
			begin_anew(channel);
		else
			finish(channel, code);
	}
}

/*
 * Whatever comes from the peer breaks the silence, be it a part of a header
 * line that libcurl has not told us of.  Silence is looked for only after the
 * sockets were, so that a backend which was busy elsewhere does not blame the
 * peer for its own absence.
 */
static void
watch_silence(HttpChannel *channel, bool heard)
{
	int64		now;

	if (!channel->sendable)
	{
		channel->silence_since = -1;
		return;
	}
	now = http_now_ms();
	if (heard || channel->silence_since < 0)
		channel->silence_since = now;
	else if (now - channel->silence_since >= channel->read_timeout)
		fail_silent(channel);
}

/*
 * libcurl is not called while there are bytes that nobody has seen: that is all
 * there is to holding back a peer.  What a single call may bring is limited by
 * the mark, see http_on_body().
 */
bool
http_channel_poll(HttpChannel *channel)
{
	if (channel->state == CHANNEL_RUNNING && !channel->fresh)
	{
		sigset_t	saved;
		bool		heard;

		http_window_compact(channel);
		channel->mark = channel->end - channel->start + READ_AHEAD;
		block_signals(&saved);
		heard = run_curl(channel);
		take_result(channel, heard);
		restore_signals(&saved);
		if (channel->state == CHANNEL_RUNNING && !channel->fresh)
			watch_silence(channel, heard);
	}
	return channel->fresh || channel->state != CHANNEL_RUNNING;
}

/*
 * Prepares to sleep on the mux's descriptor, which becomes readable when the
 * channel is worth polling.  The timer is set to what comes first: when libcurl
 * wants to be called, or when the peer has been silent for too long.  False if
 * there is something to look at already.
 */
static bool
prepare_sleep(HttpChannel *channel)
{
	int64		due = channel->timer_due;

	if (channel->fresh || channel->state != CHANNEL_RUNNING)
		return false;
	if (channel->silence_since >= 0)
	{
		int64		silent = channel->silence_since + channel->read_timeout;

		due = due < 0 ? silent : Min(due, silent);
	}
	if (mux_set_timer(&channel->mux, due < 0 ? -1 :
					  Max(due - http_now_ms(), 0)))
		return true;
	fail(channel, HTTP_INTERNAL, "could not set a timer");
	return false;
}

int
http_channel_descriptor(HttpChannel *channel, int64 milliseconds)
{
	if (!prepare_sleep(channel))
		milliseconds = 0;
	else if (channel->timer_due >= 0)
		milliseconds = Min(milliseconds,
						   Max(channel->timer_due - http_now_ms(), 0));
	if (!mux_set_timer(&channel->mux, milliseconds))
		fail(channel, HTTP_INTERNAL, "could not set a timer");
	return channel->mux.descriptor;
}

/* At most one channel: the server has a function for that. */
static void
sleep_on_one(HttpChannel *const *channels, int n, long milliseconds)
{
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;

	if (n > 0)
		events |= WL_SOCKET_READABLE;
	if (milliseconds >= 0)
		events |= WL_TIMEOUT;
	(void) WaitLatchOrSocket(MyLatch, events,
							 n > 0 ? channels[0]->mux.descriptor :
							 PGINVALID_SOCKET, milliseconds,
							 n > 0 ? response_event() : backoff_event());
}

/*
 * Making the set and freeing it again costs less than the wake-up, and a set
 * that is kept would have to be told of each channel that comes and goes.
 */
static void
sleep_on_many(HttpChannel *const *channels, int n, long milliseconds)
{
	WaitEventSet *set = hibob_create_wait_event_set(n + 2);
	WaitEvent	event;

	(void) AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch,
							 NULL);
	if (IsUnderPostmaster)
		(void) AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET,
								 NULL, NULL);
	for (int i = 0; i < n; i++)
		(void) AddWaitEventToSet(set, WL_SOCKET_READABLE,
								 channels[i]->mux.descriptor, NULL, NULL);
	(void) WaitEventSetWait(set, milliseconds, &event, 1, response_event());
	FreeWaitEventSet(set);
}

/*
 * The latch may be set for reasons of others: then this is one of the early
 * returns that callers are told of.
 */
void
http_wait_any(HttpChannel *const *channels, int n, int64 milliseconds)
{
	/* The server takes a long, but refuses more than an int. */
	long		limit = (long) Min(milliseconds, PG_INT32_MAX);

	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < n; i++)
		if (!prepare_sleep(channels[i]))
			return;
	if (n <= 1)
		sleep_on_one(channels, n, limit);
	else
		sleep_on_many(channels, n, limit);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Interrupts are looked for at each call, so that a peer too fast for us ever
 * to sleep cannot keep a query alive.
 *
 * A failure goes before bytes that came with it: as long as the caller has not
 * seen them, the request can be tried again.
 */
HttpProgress
http_channel_wait(HttpChannel *channel)
{
	CHECK_FOR_INTERRUPTS();
	while (!http_channel_poll(channel))
		http_wait_any(&channel, 1, -1);
	if (channel->out_of_memory)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while receiving an HTTP response.")));
	if (channel->failure != HTTP_OK)
		return HTTP_FAILED;
	if (!channel->fresh)
		return HTTP_END;
	channel->fresh = false;
	channel->silence_since = -1;
	return HTTP_BYTES;
}

/* ------------------------------------------------------------------------
 * What came of it
 * ------------------------------------------------------------------------
 */

/*
 * Until the first header has come, libcurl may still tell of the exchange
 * before.
 */
int
http_channel_status(const HttpChannel *channel)
{
	long		status = 0;

	if (channel->header_bytes == 0)
		return 0;
	(void) curl_easy_getinfo(channel->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int) status;
}

const char *
http_channel_content_type(HttpChannel *channel)
{
	char	   *type = NULL;

	if (channel->header_bytes == 0)
		return NULL;
	(void) curl_easy_getinfo(channel->easy, CURLINFO_CONTENT_TYPE, &type);
	return type;
}

/* Of the last answer, should there be several (100 Continue is one). */
const char *
http_channel_header(HttpChannel *channel, const char *name)
{
	struct curl_header *header;

	if (channel->header_bytes == 0)
		return NULL;
	if (curl_easy_header(channel->easy, name, 0, CURLH_HEADER, -1,
						 &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

HttpFailure
http_channel_failure(const HttpChannel *channel)
{
	return channel->failure;
}

const char *
http_channel_failure_text(const HttpChannel *channel)
{
	return channel->failure_text;
}

HttpReach
http_channel_reach(const HttpChannel *channel)
{
	return channel->reach;
}

uint64
http_channel_received(HttpChannel *channel)
{
	curl_off_t	bytes = 0;

	if (channel->header_bytes == 0)
		return 0;
	(void) curl_easy_getinfo(channel->easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
	return (uint64) bytes;
}
