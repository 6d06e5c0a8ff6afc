/*
 * http_handles.c
 *		The libcurl handles of a channel, and their options.
 *
 * This file decides which features of libcurl are used.  It raises no errors:
 * a failure is noted in the channel.
 */
#include "postgres.h"

#include <signal.h>

#include "http/http_channel.h"

/*
 * Seconds after which an idle connection is not reused: servers and load
 * balancers commonly close connections after 60.
 */
#define MAX_CONNECTION_IDLE 55

void
http_block_signals(sigset_t *saved)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
}

void
http_restore_signals(const sigset_t *saved)
{
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/* ------------------------------------------------------------------------
 * Options of libcurl
 * ------------------------------------------------------------------------
 */

/*
 * Setting an option can fail because memory runs out, or because libcurl was
 * built without a feature.  The first failure is kept, and reported when all
 * options are set.
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

static void
note_no_memory(HttpChannel *channel, const char *option)
{
	channel->out_of_memory = true;
	note_setup(channel, false, option, "out of memory");
}

static void
note_option(HttpChannel *channel, CURLcode code, bool optional,
			const char *option)
{
	if (code == CURLE_OUT_OF_MEMORY)
		note_no_memory(channel, option);
	note_setup(channel, code == CURLE_OK ||
			   (optional && (code == CURLE_NOT_BUILT_IN ||
							 code == CURLE_UNKNOWN_OPTION)),
			   option, curl_easy_strerror(code));
}

#define SET(channel, option, value) \
	note_option(channel, curl_easy_setopt((channel)->easy, option, value), \
				false, #option)

/* For options of features that libcurl may have been built without. */
#define SET_IF_KNOWN(channel, option, value) \
	note_option(channel, curl_easy_setopt((channel)->easy, option, value), \
				true, #option)

#define SET_MULTI(channel, option, value) \
	note_setup(channel, curl_multi_setopt((channel)->multi, option, value) == \
			   CURLM_OK, #option, "not accepted")

static void
add_header(HttpChannel *channel, struct curl_slist **list, const char *header)
{
	struct curl_slist *longer = curl_slist_append(*list, header);

	if (longer == NULL)
		note_no_memory(channel, header);
	else
		*list = longer;
}

/* A header without a value is one that libcurl does not send. */
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

/* One idle connection is enough, as a channel has one exchange at a time. */
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
	SET(channel, CURLOPT_SOCKOPTFUNCTION, http_on_socket_opened);
	SET(channel, CURLOPT_CLOSESOCKETFUNCTION, http_on_close_socket);
	SET(channel, CURLOPT_CLOSESOCKETDATA, channel);
	SET(channel, CURLOPT_ERRORBUFFER, channel->curl_text);
}

/*
 * NOSIGNAL keeps libcurl from using SIGALRM, which belongs to the server.
 * QUICK_EXIT frees a handle without waiting for the thread that resolves its
 * name.  The thread then ends by itself, and closes a descriptor that is not
 * counted.
 *
 * HTTP/2 would multiplex requests that we do not send at once, and is slower
 * for a single one.  An exchange has no time limit: a large response may take
 * as long as data keeps coming.
 */
static void
set_behaviour(HttpChannel *channel)
{
	SET(channel, CURLOPT_NOSIGNAL, 1L);
	SET(channel, CURLOPT_QUICK_EXIT, 1L);
	SET(channel, CURLOPT_TCP_NODELAY, 1L);
	SET(channel, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(channel, CURLOPT_MAXAGE_CONN, (long) MAX_CONNECTION_IDLE);
	SET(channel, CURLOPT_BUFFERSIZE, (long) RECEIVE_BUFFER);
	SET(channel, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(channel, CURLOPT_USERAGENT, "hibob_fdw/1.0");
}

/*
 * A request goes to the host of the URL and no other, over verified TLS, and
 * the environment of the server does not influence it.  (libcurl cannot switch
 * off the variables and files that the name resolver and the TLS library use.)
 */
static void
set_safety(HttpChannel *channel)
{
	const HttpSettings *settings = &channel->settings;

	SET(channel, CURLOPT_PROTOCOLS_STR,
		settings->reach == HTTP_REACH_LOOPBACK ? "http" : "https");
	SET(channel, CURLOPT_FOLLOWLOCATION, 0L);
	SET(channel, CURLOPT_PATH_AS_IS, 1L);
	SET(channel, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(channel, CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
	SET(channel, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);

	/* If unset, libcurl would use the environment. */
	SET(channel, CURLOPT_PROXY, settings->proxy ? settings->proxy : "");
	SET(channel, CURLOPT_NOPROXY, "");

	/* 7.88 frees an entry of the cache twice if memory runs out. */
	SET_IF_KNOWN(channel, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET_IF_KNOWN(channel, CURLOPT_SSL_VERIFYPEER, 1L);
	SET_IF_KNOWN(channel, CURLOPT_SSL_VERIFYHOST, 2L);
	SET_IF_KNOWN(channel, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	SET_IF_KNOWN(channel, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	SET_IF_KNOWN(channel, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
	SET_IF_KNOWN(channel, CURLOPT_PROXY_SSLVERSION,
				 (long) CURL_SSLVERSION_TLSv1_2);
	if (settings->ca_file != NULL)
	{
		/* Only the file is trusted, and not a directory as well. */
		SET(channel, CURLOPT_CAINFO, settings->ca_file);
		SET_IF_KNOWN(channel, CURLOPT_CAPATH, NULL);
		SET_IF_KNOWN(channel, CURLOPT_PROXY_CAINFO, settings->ca_file);
		SET_IF_KNOWN(channel, CURLOPT_PROXY_CAPATH, NULL);
	}
}

/* ------------------------------------------------------------------------
 * Handles
 * ------------------------------------------------------------------------
 */

void
http_handles_make(HttpChannel *channel)
{
	channel->multi = curl_multi_init();
	channel->easy = curl_easy_init();
	if (channel->multi == NULL || channel->easy == NULL)
	{
		note_no_memory(channel, "handle");
		return;
	}
	make_headers(channel);
	set_callbacks(channel);
	set_behaviour(channel);
	set_safety(channel);
}

/* libcurl still calls the callbacks, so the channel must still be valid. */
void
http_handles_free(HttpChannel *channel)
{
	sigset_t	saved;

	http_block_signals(&saved);
	curl_easy_cleanup(channel->easy);
	(void) curl_multi_cleanup(channel->multi);
	http_restore_signals(&saved);
	channel->easy = NULL;
	channel->multi = NULL;
	for (int i = 0; i < 4; i++)
	{
		curl_slist_free_all(channel->headers[i / 2][i % 2]);
		channel->headers[i / 2][i % 2] = NULL;
	}
	channel->socket = CURL_SOCKET_BAD;
	channel->watched = CURL_SOCKET_BAD;
	channel->timer_due = -1;
}

void
http_handles_replace(HttpChannel *channel)
{
	http_handles_free(channel);
	channel->damaged = false;
	http_handles_make(channel);
	if (channel->setup_failed)
		channel->damaged = true;
}

/*
 * libcurl copies all strings except the body.  The length of the body is set
 * first, or else libcurl would measure it.
 */
void
http_handles_set_request(HttpChannel *channel, const HttpRequest *request)
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

void
http_handles_set_connection(HttpChannel *channel)
{
	SET(channel, CURLOPT_CONNECTTIMEOUT_MS,
		(long) Max(http_connect_time_left(channel), 1));
	SET(channel, CURLOPT_FRESH_CONNECT,
		channel->force_reconnect || channel->connected_socket >= 0 ? 1L : 0L);
}
