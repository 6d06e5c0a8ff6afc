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
 * - A channel has its share in PostgreSQL's budget of descriptors, whatever
 *   libcurl makes of it: it does not tell of all sockets that it closes.
 *
 * Like its header, this file knows nothing of HiBob, user mappings or bodies.
 */
#include "postgres.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/socket.h>

#include "compat.h"
#include "http/http_channel.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
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

/*
 * What a channel is counted for besides its mux: a connection, and another one
 * that races it, or takes its place.
 */
#define CHANNEL_SOCKETS 2

/* Who has not looked for so many ms was elsewhere. */
#define ABSENCE 100

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
 * One kept connection suffices, as a channel has one request at a time.  It may
 * outlive the request that it was made for, but not the channel.
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
	SET(channel, CURLOPT_CLOSESOCKETDATA, channel);
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
		(long) channel->connect_timeout);
	SET(channel, CURLOPT_TCP_NODELAY, 1L);
	SET(channel, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(channel, CURLOPT_MAXAGE_CONN, (long) MAX_IDLE);
	SET(channel, CURLOPT_BUFFERSIZE, (long) RECEIVE_BUFFER);
	SET(channel, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(channel, CURLOPT_USERAGENT, "hibob_fdw/1.0");
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

/* Takes the channel's share of descriptors; all of it or nothing. */
static bool
acquire_descriptors(HttpChannel *channel)
{
	if (!mux_create(&channel->mux))
		return false;
	while (channel->descriptors < CHANNEL_SOCKETS && AcquireExternalFD())
		channel->descriptors++;
	return channel->descriptors == CHANNEL_SOCKETS;
}

/* Keeps errno. */
static void
release_descriptors(HttpChannel *channel)
{
	while (channel->descriptors > 0)
	{
		ReleaseExternalFD();
		channel->descriptors--;
	}
	mux_close(&channel->mux);
}

/*
 * Nothing between the first resource and the last check can raise an error, so
 * that a channel is either whole or closed again.
 */
HttpChannel *
http_channel_open(const HttpSettings *settings, bool missing_ok)
{
	HttpChannel *channel;

	initialize_curl();
	channel = MemoryContextAllocZero(CacheMemoryContext, sizeof(HttpChannel));
	channel->reach = settings->reach;
	channel->connect_timeout = Max(settings->connect_timeout, 1);
	channel->read_timeout = settings->read_timeout;
	channel->socket = CURL_SOCKET_BAD;
	channel->watched = CURL_SOCKET_BAD;
	channel->timer_due = -1;
	channel->silence_since = -1;

	if (!acquire_descriptors(channel))
	{
		release_descriptors(channel);
		pfree(channel);
		if (missing_ok)
			return NULL;
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
	release_descriptors(channel);
	free(channel->buffer);
	pfree(channel);
}

/* ------------------------------------------------------------------------
 * An exchange
 * ------------------------------------------------------------------------
 */

/*
 * Whether a kept connection has something to read, which nobody has asked for:
 * its end, or bytes behind the last answer.  The latter would be taken for the
 * next answer, and every answer for the one after it: balancers send a 408 to
 * whom they wait for in vain, and so may anybody who has miscounted a length.
 * (With TLS it may be a ticket, and the connection good; there will be another.)
 */
static bool
has_unasked_bytes(HttpChannel *channel)
{
	char		byte;

	return channel->socket != CURL_SOCKET_BAD &&
		recv(channel->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

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
	channel->may_gzip = !request->plain &&
		(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_LIBZ) != 0;
	SET(channel, CURLOPT_ACCEPT_ENCODING, channel->may_gzip ? "gzip" : NULL);
}

/*
 * Adding the handle does no more than to ask for a call at once, by the timer;
 * the name is resolved, and all else done, from http_channel_poll().  Signals
 * are blocked.
 */
static void
add_handle(HttpChannel *channel)
{
	CURLMcode	code;

	SET(channel, CURLOPT_FRESH_CONNECT, channel->distrusted ? 1L : 0L);
	if (channel->setup_failed)
	{
		http_fail(channel, HTTP_INTERNAL, channel->setup_text);
		return;
	}
	code = curl_multi_add_handle(channel->multi, channel->easy);
	if (code == CURLM_OK)
		channel->added = true;
	else
		http_finish_multi(channel, code);
}

void
http_channel_start(HttpChannel *channel, const HttpRequest *request)
{
	sigset_t	saved;

	http_channel_reset(channel);
	set_request(channel, request);
	channel->distrusted = channel->distrusted || has_unasked_bytes(channel);
	channel->state = CHANNEL_RUNNING;
	block_signals(&saved);
	add_handle(channel);
	restore_signals(&saved);
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

	channel->paused = false;
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
	channel->held_back = false;
	channel->header_bytes = 0;
	channel->head_ended = false;
	channel->seen = http_now_ms();
	channel->unseen = 0;
	channel->silence_since = -1;
	channel->out_of_memory = false;
	channel->too_many_headers = false;
	channel->too_much = false;
	channel->two_heads = false;
	channel->watch_errno = 0;
	channel->connecting = false;
	channel->reach_refused = false;
	channel->encoded = false;
	channel->badly_encoded = false;
	channel->refusal[0] = '\0';
	channel->failure = HTTP_OK;
	channel->failure_text[0] = '\0';
	channel->curl_text[0] = '\0';
}

void
http_channel_distrust(HttpChannel *channel)
{
	channel->distrusted = true;
}

/* Has libcurl do what it can for a socket that is ready, or for its timer. */
static CURLMcode
act(HttpChannel *channel, curl_socket_t socket, int ready)
{
	int			running;

	return curl_multi_socket_action(channel->multi, socket, ready, &running);
}

/* Calls libcurl if it wants to be called by now. */
static CURLMcode
run_timer(HttpChannel *channel)
{
	if (channel->timer_due < 0 || http_now_ms() < channel->timer_due)
		return CURLM_OK;
	channel->timer_due = -1;
	return act(channel, CURL_SOCKET_TIMEOUT, 0);
}

/*
 * Ends a pause: libcurl hands out what it holds, and asks to be called at once
 * to read on.
 */
static void
resume(HttpChannel *channel)
{
	CURLcode	resumed;
	CURLMcode	code = CURLM_OK;

	channel->paused = false;
	resumed = curl_easy_pause(channel->easy, CURLPAUSE_CONT);
	if (resumed != CURLE_OK)
		http_finish(channel, resumed);
	else if (!channel->paused)
		code = run_timer(channel);
	if (code != CURLM_OK)
		http_finish_multi(channel, code);
}

/*
 * Has libcurl read from a kept connection, if the request is held back by it:
 * what comes now would be taken for its answer and is none.  The socket was
 * empty, but more may have been taken from it than an answer's length told
 * libcurl to use: a record of TLS, of which it leaves the rest to the TLS
 * library, or what that has read ahead, as OpenSSL does with libcurl 8.15 and
 * later.
 */
static CURLMcode
read_unasked(HttpChannel *channel)
{
	if (!channel->held_back || channel->socket == CURL_SOCKET_BAD)
		return CURLM_OK;
	return act(channel, channel->socket, CURL_CSELECT_IN);
}

/*
 * Lets libcurl do what it can without waiting, and says whether a socket was
 * ready.
 */
static bool
run_curl(HttpChannel *channel)
{
	MuxEvent	events[EVENT_BATCH];
	bool		timer;
	int			nevents;
	CURLMcode	code = CURLM_OK;

	nevents = mux_collect(&channel->mux, events, EVENT_BATCH, &timer);
	for (int i = 0; i < nevents && code == CURLM_OK; i++)
		code = act(channel, events[i].socket,
				   (events[i].readable ? CURL_CSELECT_IN : 0) |
				   (events[i].writable ? CURL_CSELECT_OUT : 0));
	if (code == CURLM_OK)
		code = run_timer(channel);
	if (code == CURLM_OK)
		code = read_unasked(channel);
	if (code != CURLM_OK)
		http_finish_multi(channel, code);
	return nevents > 0;
}

/*
 * For how long nobody has looked, or slept for, a channel that is connecting.
 * An Append that is about to look at all its channels in turn does not count.
 */
static void
note_absence(HttpChannel *channel)
{
	int64		now = http_now_ms();

	if (!channel->sendable && now - channel->seen > ABSENCE)
		channel->unseen += now - channel->seen;
	channel->seen = now;
}

/* The same request once more; nothing of an answer to it has been seen. */
static void
begin_anew(HttpChannel *channel)
{
	CURLMcode	code;

	code = curl_multi_remove_handle(channel->multi, channel->easy);
	channel->added = false;
	channel->sendable = false;
	channel->held_back = false;
	channel->unseen = 0;
	channel->connecting = false;
	channel->curl_text[0] = '\0';
	if (code == CURLM_OK)
		add_handle(channel);
	else
		http_finish_multi(channel, code);
}

/*
 * libcurl counts its time to connect by the clock on the wall, whether it was
 * called or not, and looks at the clock first.  If much of that time nobody
 * called, it was ours, and nothing has been sent yet.
 */
static bool
was_our_absence(const HttpChannel *channel, CURLcode code)
{
	return code == CURLE_OPERATION_TIMEDOUT && !channel->sendable &&
		channel->unseen >= channel->connect_timeout / 2;
}

/*
 * Has libcurl said that it is done?  It does so in a message that it owns, and
 * that goes with the next call.  A request that was still held back then met
 * what was left of another answer, and begins anew over a new connection.
 */
static void
take_result(HttpChannel *channel)
{
	CURLMsg    *message;
	int			left;

	while (channel->state == CHANNEL_RUNNING &&
		   (message = curl_multi_info_read(channel->multi, &left)) != NULL)
	{
		CURLcode	code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		channel->distrusted = channel->distrusted || channel->held_back;
		if (channel->held_back || was_our_absence(channel, code))
			begin_anew(channel);
		else
			http_finish(channel, code);
	}
	if (channel->held_back)
		http_hold_back(channel, false);
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
		http_fail_silent(channel);
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
		bool		heard = false;

		note_absence(channel);
		http_window_compact(channel);
		channel->mark = channel->end - channel->start + READ_AHEAD;
		block_signals(&saved);
		if (channel->paused)
			resume(channel);
		if (channel->state == CHANNEL_RUNNING && !channel->fresh)
			heard = run_curl(channel);
		take_result(channel);
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

	if (channel->fresh || channel->paused ||
		channel->state != CHANNEL_RUNNING)
		return false;
	if (channel->silence_since >= 0)
	{
		int64		silent = channel->silence_since + channel->read_timeout;

		due = due < 0 ? silent : Min(due, silent);
	}
	if (mux_set_timer(&channel->mux, due < 0 ? -1 :
					  Max(due - http_now_ms(), 0)))
		return true;
	http_fail(channel, HTTP_INTERNAL, "could not set a timer");
	return false;
}

int
http_channel_descriptor(HttpChannel *channel, int64 milliseconds)
{
	if (channel->state != CHANNEL_IDLE && !prepare_sleep(channel))
		milliseconds = 0;
	else if (channel->timer_due >= 0)
		milliseconds = Min(milliseconds,
						   Max(channel->timer_due - http_now_ms(), 0));
	if (!mux_set_timer(&channel->mux, milliseconds))
		http_fail(channel, HTTP_INTERNAL, "could not set a timer");
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
 * Before version 17, nothing but this function closes the set's descriptor
 * after an error.
 */
static void
sleep_on_many(HttpChannel *const *channels, int n, long milliseconds)
{
	WaitEventSet *set = hibob_create_wait_event_set(n + 2);
	WaitEvent	event;

	PG_TRY();
	{
		(void) AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch,
								 NULL);
		if (IsUnderPostmaster)
			(void) AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH,
									 PGINVALID_SOCKET, NULL, NULL);
		for (int i = 0; i < n; i++)
			(void) AddWaitEventToSet(set, WL_SOCKET_READABLE,
									 channels[i]->mux.descriptor, NULL, NULL);
		(void) WaitEventSetWait(set, milliseconds, &event, 1,
								response_event());
	}
	PG_FINALLY();
	{
		FreeWaitEventSet(set);
	}
	PG_END_TRY();
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
	for (int i = 0; i < n; i++)
		channels[i]->seen = http_now_ms();
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Interrupts are looked for at each call, and so is the postmaster, so that a
 * peer too fast for us ever to sleep cannot keep a query alive.
 *
 * A failure goes before bytes that came with it: as long as the caller has not
 * seen them, the request can be tried again.
 */
HttpProgress
http_channel_wait(HttpChannel *channel)
{
	CHECK_FOR_INTERRUPTS();
	if (IsUnderPostmaster && !PostmasterIsAlive())
		proc_exit(1);
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
