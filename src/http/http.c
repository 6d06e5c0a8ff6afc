/*
 * http.c
 *		Channels: HTTP exchanges that a backend can interrupt at any time.
 *
 * libcurl is driven by curl_multi_socket_action().  It registers its sockets
 * with a Mux, and the backend sleeps on its latch and on the descriptor of the
 * mux.  So a cancel, a timeout or the death of the postmaster ends the wait in
 * every phase of an exchange.
 *
 * Four rules make that safe:
 *
 * - The callbacks of libcurl (in http_connect.c and http_response.c) only copy
 *   bytes and set fields of the channel.
 * - Interrupts are handled, and errors raised, only between calls of libcurl.
 * - Signals are blocked during these calls.  libcurl may start a thread to
 *   resolve a name, and a thread inherits the signal mask: no other thread may
 *   run a signal handler of the backend.
 * - A channel acquires its descriptors from PostgreSQL when it is opened, since
 *   libcurl does not report all sockets that it closes.
 *
 * After running out of memory, libcurl's handles may be inconsistent.  Such a
 * channel makes new ones before its next exchange.
 *
 * Like its header, this file knows nothing of HiBob, user mappings or bodies.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <sys/stat.h>

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

/* How far libcurl may read ahead of the caller. */
#define READ_AHEAD (256 * 1024)

/* A longer gap between two polls, in ms, does not count as connecting. */
#define MAX_POLL_GAP 100

/* Sockets that are served at a time: all attempts to connect, or one. */
#define EVENT_BATCH MAX_ATTEMPTS

/* ------------------------------------------------------------------------
 * Wait events, and libcurl as a whole
 * ------------------------------------------------------------------------
 */

/*
 * Wait events are registered when first used, not at load time: their number in
 * a cluster is limited.
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
 * Once in a backend, when first needed: never in the postmaster, whose children
 * would share what it sets up.  It is never undone, as other extensions may use
 * libcurl too.
 *
 * libcurl writes the keys of its TLS connections to the file that SSLKEYLOGFILE
 * names.  It reads that variable here, once; if another extension initialized
 * libcurl before, it is too late to prevent that.
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
				(errcode(code == CURLE_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY :
						 ERRCODE_FDW_ERROR),
				 errmsg("could not initialize libcurl: %s",
						curl_easy_strerror(code))));
	done = true;
}

const char *
http_library_version(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}

const char *
http_header_version(void)
{
	return LIBCURL_VERSION;
}

/* curl_version_info() does not have all of these libraries. */
const char *
http_library_list(void)
{
	return curl_version();
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

static void
release_descriptors(HttpChannel *channel)
{
	if (channel->has_socket)
		ReleaseExternalFD();
	channel->has_socket = false;
	mux_close(&channel->mux);
}

/* All descriptors or none. */
static bool
acquire_descriptors(HttpChannel *channel)
{
	if (!mux_create(&channel->mux))
		return false;
	channel->has_socket = mux_acquire_descriptor();
	if (!channel->has_socket)
		release_descriptors(channel);
	return channel->has_socket;
}

static HttpChannel *
allocate_channel(const HttpSettings *settings)
{
	HttpChannel *channel;

	channel = MemoryContextAllocZero(CacheMemoryContext, sizeof(HttpChannel));
	channel->settings = *settings;
	channel->settings.connect_timeout = Max(settings->connect_timeout, 1);
	channel->socket = CURL_SOCKET_BAD;
	channel->watched = CURL_SOCKET_BAD;
	channel->connected_socket = -1;
	channel->timer_due = -1;
	channel->silence_since = -1;
	return channel;
}

/*
 * Nothing between the first resource and the last check can raise an error, so
 * a channel is either complete or closed again.
 */
HttpChannel *
http_channel_open(const HttpSettings *settings, bool missing_ok)
{
	HttpChannel *channel;

	initialize_curl();
	channel = allocate_channel(settings);
	if (!acquire_descriptors(channel))
	{
		pfree(channel);
		if (missing_ok)
			return NULL;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not prepare an HTTP connection: %m"),
				 errhint("Raise max_files_per_process, or the limit of open files of the operating system.")));
	}
	http_handles_make(channel);
	if (channel->setup_failed)
	{
		const char *option = channel->setup_option;
		const char *text = channel->setup_text;
		bool		no_memory = channel->out_of_memory;

		http_channel_close(channel);
		ereport(ERROR,
				(errcode(no_memory ? ERRCODE_OUT_OF_MEMORY :
						 ERRCODE_FDW_ERROR),
				 errmsg("could not prepare an HTTP connection: %s", text),
				 errdetail_internal("libcurl refused %s.", option)));
	}
	return channel;
}

void
http_channel_close(HttpChannel *channel)
{
	if (channel->easy != NULL && channel->multi != NULL)
		http_channel_stop(channel);
	http_handles_free(channel);
	release_descriptors(channel);
	free(channel->buffer);
	pfree(channel);
}

/* ------------------------------------------------------------------------
 * An exchange
 * ------------------------------------------------------------------------
 */

/*
 * Whether an idle connection was closed by the peer, or has bytes that were not
 * requested, which would be taken for the next response.  (With TLS they may be
 * a session ticket, and the connection good; but a new one is cheap.)
 */
static bool
has_unrequested_bytes(HttpChannel *channel)
{
	char		byte;

	return channel->socket != CURL_SOCKET_BAD &&
		recv(channel->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/*
 * libcurl would block in opening a FIFO, with signals blocked, and would read a
 * device without end.
 */
static bool
ca_file_is_regular(const HttpChannel *channel)
{
	const char *path = channel->settings.ca_file;
	struct stat info;

	return path == NULL || stat(path, &info) != 0 || S_ISREG(info.st_mode);
}

/*
 * libcurl only sets its timer, to be called at once; http_channel_poll() does
 * everything else.  Signals are blocked.
 */
static void
add_handle(HttpChannel *channel)
{
	CURLMcode	code;

	http_handles_set_connection(channel);
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

/* Signals are blocked. */
static CURLMcode
remove_handle(HttpChannel *channel)
{
	CURLMcode	code;

	if (!channel->added)
		return CURLM_OK;
	channel->added = false;
	code = curl_multi_remove_handle(channel->multi, channel->easy);
	if (code != CURLM_OK)
		channel->damaged = true;
	return code;
}

void
http_channel_start(HttpChannel *channel, const HttpRequest *request)
{
	sigset_t	saved;

	http_channel_reset(channel);
	if (channel->damaged)
		http_handles_replace(channel);
	channel->state = CHANNEL_RUNNING;
	if (!channel->setup_failed)
		http_handles_set_request(channel, request);
	if (channel->setup_failed)
		http_fail(channel, HTTP_INTERNAL, channel->setup_text);
	else if (!ca_file_is_regular(channel))
		http_fail(channel, HTTP_UNTRUSTED,
				  "The option ca_file does not name a regular file");
	else
	{
		if (has_unrequested_bytes(channel))
			channel->force_reconnect = true;
		http_block_signals(&saved);
		add_handle(channel);
		http_restore_signals(&saved);
	}
}

/*
 * Removing an unfinished request from the multi handle closes its connection.
 * libcurl frees its copies of the credentials when they are unset, but cannot
 * overwrite them.
 */
void
http_channel_stop(HttpChannel *channel)
{
	sigset_t	saved;

	channel->paused = false;
	http_block_signals(&saved);
	(void) remove_handle(channel);
	http_restore_signals(&saved);
	if (channel->easy != NULL)
	{
		(void) curl_easy_setopt(channel->easy, CURLOPT_USERNAME, NULL);
		(void) curl_easy_setopt(channel->easy, CURLOPT_PASSWORD, NULL);
		(void) curl_easy_setopt(channel->easy, CURLOPT_POSTFIELDS, NULL);
	}
	http_connect_reset(channel);
	http_window_clear(channel);
	channel->state = CHANNEL_IDLE;
}

void
http_channel_reset(HttpChannel *channel)
{
	http_channel_stop(channel);
	channel->setup_failed = false;
	channel->new_connection = false;
	channel->connected = false;
	channel->corked = false;
	channel->header_bytes = 0;
	channel->interim_head = false;
	channel->head_ended = false;
	channel->last_polled = http_now_ms();
	channel->silence_since = -1;
	channel->handovers = 0;
	channel->out_of_memory = false;
	channel->too_many_headers = false;
	channel->unpacked_too_much = false;
	channel->embedded_head = false;
	channel->watch_errno = 0;
	channel->address_refused = false;
	channel->encoded = false;
	channel->chunked = false;
	channel->bad_encoding = NULL;
	channel->failure = HTTP_OK;
	channel->failure_text[0] = '\0';
	channel->curl_text[0] = '\0';
}

void
http_channel_force_reconnect(HttpChannel *channel)
{
	channel->force_reconnect = true;
}

/* ------------------------------------------------------------------------
 * Progress
 * ------------------------------------------------------------------------
 */

/* Calls libcurl for a socket that is ready, or for its timer. */
static CURLMcode
socket_action(HttpChannel *channel, curl_socket_t socket, int ready)
{
	int			running;

	return curl_multi_socket_action(channel->multi, socket, ready, &running);
}

/* Calls libcurl if its timer is due. */
static CURLMcode
run_timer(HttpChannel *channel)
{
	if (channel->timer_due < 0 || http_now_ms() < channel->timer_due)
		return CURLM_OK;
	channel->timer_due = -1;
	return socket_action(channel, CURL_SOCKET_TIMEOUT, 0);
}

/*
 * Ends a pause: libcurl passes on the bytes that it holds, and sets its timer
 * to continue reading at once.
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
 * Makes libcurl read from a reused connection while the request is corked.
 * Bytes that it reads now are not the response.  The socket is empty, but
 * libcurl leaves bytes after a response in a TLS record to the TLS library,
 * and since 8.15 OpenSSL also reads ahead.
 */
static CURLMcode
read_unrequested(HttpChannel *channel)
{
	if (!channel->corked || channel->socket == CURL_SOCKET_BAD)
		return CURLM_OK;
	return socket_action(channel, channel->socket, CURL_CSELECT_IN);
}

/*
 * Continues with the next address as long as the last one was refused.  Before
 * 8.16, libcurl registers neither a socket nor a timer in this case.
 */
static CURLMcode
visit_addresses(HttpChannel *channel, int open_calls)
{
	CURLMcode	code = CURLM_OK;
	int			running;

	while (code == CURLM_OK && channel->open_calls != open_calls &&
		   channel->phase == CONNECT_RESOLVING)
	{
		open_calls = channel->open_calls;
		code = curl_multi_perform(channel->multi, &running);
	}
	return code;
}

/*
 * Lets libcurl do what is possible without waiting, and returns whether a
 * socket was ready.
 */
static bool
run_curl(HttpChannel *channel, const MuxEvent *events, int nevents)
{
	int			open_calls = channel->open_calls;
	CURLMcode	code = CURLM_OK;

	for (int i = 0; i < nevents && code == CURLM_OK; i++)
		code = socket_action(channel, events[i].socket,
				   (events[i].readable ? CURL_CSELECT_IN : 0) |
				   (events[i].writable ? CURL_CSELECT_OUT : 0));
	if (code == CURLM_OK)
		code = run_timer(channel);
	if (code == CURLM_OK)
		code = read_unrequested(channel);
	if (code == CURLM_OK)
		code = visit_addresses(channel, open_calls);
	if (code != CURLM_OK)
		http_finish_multi(channel, code);
	return nevents > 0;
}

/*
 * Adds up the time in which a connecting channel was neither polled nor waited
 * for.  A short gap, as between the channels of an Append, does not count.
 */
static void
count_unpolled_time(HttpChannel *channel)
{
	int64		now = http_now_ms();

	if (!channel->connected && now - channel->last_polled > MAX_POLL_GAP)
		channel->unpolled += now - channel->last_polled;
	channel->last_polled = now;
}

/* Sends the same request again.  Nothing of its response was used. */
static void
restart(HttpChannel *channel)
{
	CURLMcode	code = remove_handle(channel);

	http_connect_reset(channel);
	channel->new_connection = false;
	channel->connected = false;
	channel->corked = false;
	channel->curl_text[0] = '\0';
	if (code == CURLM_OK)
		add_handle(channel);
	else
		http_finish_multi(channel, code);
}

/* Connects to the addresses that libcurl has named. */
static void
start_connecting(HttpChannel *channel)
{
	CURLMcode	code = remove_handle(channel);

	channel->curl_text[0] = '\0';
	if (code == CURLM_OK)
		http_connect_start(channel);
	else
		http_finish_multi(channel, code);
}

/*
 * libcurl counts connect_timeout from the start, including time in which it is
 * not called, and checks the time before the sockets.  If the backend did not
 * poll for much of that time, the timeout does not count.
 */
static bool
timed_out_unpolled(const HttpChannel *channel, CURLcode code)
{
	return code == CURLE_OPERATION_TIMEDOUT && !channel->connected &&
		channel->unpolled >= channel->settings.connect_timeout / 2;
}

/* Decides what follows when libcurl has ended a request. */
static void
end_request(HttpChannel *channel, CURLcode code)
{
	/* Bytes of an earlier response arrived before the request was sent. */
	if (channel->corked)
		channel->force_reconnect = true;
	if (channel->corked || timed_out_unpolled(channel, code))
		restart(channel);
	else if (code != CURLE_OUT_OF_MEMORY && http_connect_can_start(channel))
		start_connecting(channel);
	else
		http_finish(channel, code);
}

/* Handles libcurl's message that the request has ended, if there is one. */
static void
handle_completion(HttpChannel *channel)
{
	CURLMsg    *message;
	int			left;

	while (channel->state == CHANNEL_RUNNING &&
		   (message = curl_multi_info_read(channel->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			end_request(channel, message->data.result);
	if (channel->corked)
		http_cork(channel, false);
}

/* Continues an exchange; returns whether anything was received. */
static bool
advance(HttpChannel *channel)
{
	MuxEvent	events[EVENT_BATCH];
	bool		timer;
	bool		received = false;
	int			nevents = mux_collect(&channel->mux, events, EVENT_BATCH,
									  &timer);

	if (channel->phase == CONNECT_RACING)
		http_connect_continue(channel, events, nevents);
	else
	{
		received = run_curl(channel, events, nevents);
		handle_completion(channel);
		if (channel->state == CHANNEL_RUNNING && channel->added &&
			http_connect_can_start(channel) &&
			http_now_ms() >= channel->next_attempt)
			start_connecting(channel);
	}
	if (channel->state == CHANNEL_RUNNING && channel->phase == CONNECT_DONE &&
		!channel->added)
		add_handle(channel);
	return received;
}

/*
 * Anything from the peer ends a silence, even a part of a header.  The sockets
 * are checked first, so that time in which the backend was busy elsewhere does
 * not count.
 */
static void
watch_silence(HttpChannel *channel, bool received)
{
	int64		now;

	if (!channel->connected)
	{
		channel->silence_since = -1;
		return;
	}
	now = http_now_ms();
	if (received || channel->silence_since < 0)
		channel->silence_since = now;
	else if (now - channel->silence_since >= channel->settings.read_timeout)
		http_fail_silent(channel);
}

/*
 * libcurl is not called while the window has unreported bytes, so the kernel
 * holds back the peer.  "pause_at" limits what a single call may add: see
 * http_on_body().
 */
bool
http_channel_poll(HttpChannel *channel)
{
	if (channel->state == CHANNEL_RUNNING && !channel->unreported)
	{
		sigset_t	saved;
		bool		received = false;

		count_unpolled_time(channel);
		http_window_compact(channel);
		channel->pause_at = channel->end - channel->start + READ_AHEAD;
		http_block_signals(&saved);
		if (channel->paused)
			resume(channel);
		if (channel->state == CHANNEL_RUNNING && !channel->unreported)
			received = advance(channel);
		else
			handle_completion(channel);
		http_restore_signals(&saved);
		if (channel->state == CHANNEL_RUNNING && !channel->unreported)
			watch_silence(channel, received);
	}
	return channel->unreported || channel->state != CHANNEL_RUNNING;
}

/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */

static int64
earlier(int64 due, int64 other)
{
	return due < 0 ? other : Min(due, other);
}

/*
 * Whether the channel has nothing to do before an event of the mux.  Shortens
 * "milliseconds" (-1: no limit) to the time when libcurl or the connection
 * attempts are due, or the peer has been silent for too long.
 */
static bool
may_sleep(const HttpChannel *channel, int64 *milliseconds)
{
	int64		due = channel->timer_due;

	if (channel->unreported || channel->paused ||
		channel->state != CHANNEL_RUNNING)
		return false;
	if (channel->phase == CONNECT_RACING)
		due = http_connect_due(channel);
	else if (http_connect_can_start(channel))
		due = earlier(due, channel->next_attempt);
	if (channel->silence_since >= 0)
		due = earlier(due, channel->silence_since +
					  channel->settings.read_timeout);
	if (due >= 0)
		*milliseconds = earlier(*milliseconds, Max(due - http_now_ms(), 0));
	return true;
}

int
http_channel_descriptor(HttpChannel *channel, int64 milliseconds)
{
	if (channel->state != CHANNEL_IDLE && !may_sleep(channel, &milliseconds))
		milliseconds = 0;
	if (!mux_set_timer(&channel->mux, milliseconds))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not set a timer: %m"),
				 errhint("Raise max_files_per_process, or the limit of open files of the operating system.")));
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

static void
fill_wait_event_set(WaitEventSet *set, HttpChannel *const *channels, int n)
{
	(void) AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch,
							 NULL);
	if (IsUnderPostmaster)
		(void) AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET,
								 NULL, NULL);
	for (int i = 0; i < n; i++)
		(void) AddWaitEventToSet(set, WL_SOCKET_READABLE,
								 channels[i]->mux.descriptor, NULL, NULL);
}

/*
 * Making a set and freeing it costs less than the wake-up, and a set that is
 * kept would have to follow the channels.  Before 17, nothing else frees its
 * descriptor after an error.
 */
static void
sleep_on_many(HttpChannel *const *channels, int n, long milliseconds)
{
	WaitEventSet *set = hibob_create_wait_event_set(n + 2);
	WaitEvent	event;

	PG_TRY();
	{
		fill_wait_event_set(set, channels, n);
		(void) WaitEventSetWait(set, milliseconds, &event, 1,
								response_event());
	}
	PG_FINALLY();
	{
		FreeWaitEventSet(set);
	}
	PG_END_TRY();
}

/* The latch may be set for other reasons: then this returns early. */
void
http_wait_any(HttpChannel *const *channels, int n, int64 milliseconds)
{
	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < n; i++)
		if (!may_sleep(channels[i], &milliseconds))
			return;
	/* The server takes a long, but refuses more than an int. */
	milliseconds = Min(milliseconds, PG_INT32_MAX);
	if (n <= 1)
		sleep_on_one(channels, n, (long) milliseconds);
	else
		sleep_on_many(channels, n, (long) milliseconds);
	for (int i = 0; i < n; i++)
		channels[i]->last_polled = http_now_ms();
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Each call checks for interrupts and for the postmaster, so that a peer that
 * is too fast for the backend to sleep cannot keep a query alive.
 *
 * A failure is reported before bytes that arrived with it: the request can be
 * tried again as long as the caller has not seen them.
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
				 errdetail("Failed during an HTTP exchange.")));
	if (channel->failure != HTTP_OK)
		return HTTP_FAILED;
	if (!channel->unreported)
		return HTTP_END;
	channel->unreported = false;
	channel->silence_since = -1;
	return HTTP_BYTES;
}
