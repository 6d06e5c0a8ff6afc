/*
 * http_response.c
 *		The response of an exchange: its headers, the bytes of its body, and
 *		whether it is a response at all.
 *
 * libcurl parses the response.  This file rejects responses that libcurl takes
 * for complete although their end is missing, and encodings that libcurl would
 * decode although they were not requested.
 *
 * The callbacks must not raise errors, use palloc, or check for interrupts: a
 * longjmp through libcurl leaves its handles unusable.  Nor does the rest of
 * this file raise errors.
 *
 * Knows nothing of sockets.
 */
#include "postgres.h"

#include <ctype.h>

#include "http/http_channel.h"

/* A window buffer that grew beyond this is freed when an exchange ends. */
#define MAX_IDLE_BUFFER (1024 * 1024)

/*
 * All headers of one response together.  libcurl limits a single line to
 * 100 kB, but only its later versions limit the number of lines.
 */
#define MAX_HEADERS (256 * 1024)

/* What a single read may unpack to.  libcurl 7 has the same limit. */
#define MAX_UNPACKED (64 * 1024 * 1024)

/* CURLE_TOO_LARGE, which libcurl has since 8.6. */
#define CODE_TOO_LARGE ((CURLcode) 100)

/* ------------------------------------------------------------------------
 * The window
 * ------------------------------------------------------------------------
 */

/*
 * Moves the window to the front of its buffer, so that the same memory, which
 * is in the processor's cache, is filled again.  It is moved only if at least
 * as many bytes were dropped before it, so the cost of all moves is linear in
 * the bytes received.
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

/* Makes room for a number of bytes at the end of the window. */
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

/* An idle channel keeps no large buffer. */
void
http_window_clear(HttpChannel *channel)
{
	channel->start = 0;
	channel->end = 0;
	channel->unreported = false;
	if (channel->capacity > MAX_IDLE_BUFFER)
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
 * Callbacks: none may raise an error, use palloc, or check for interrupts
 * ------------------------------------------------------------------------
 */

/*
 * Appends bytes of the body, and pauses libcurl when there are enough of them.
 * Refusing the bytes would also pause libcurl, but it would copy them.
 */
size_t
http_on_body(char *data, size_t size, size_t count, void *arg)
{
	HttpChannel *channel = arg;
	size_t		bytes = size * count;

	if (bytes == 0)
		return 0;
	if (channel->end - channel->start + bytes >
		channel->pause_at + MAX_UNPACKED)
	{
		channel->unpacked_too_much = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (!window_reserve(channel, bytes))
	{
		channel->out_of_memory = true;
		return CURL_WRITEFUNC_ERROR;
	}
	memcpy(channel->buffer + channel->end, data, bytes);
	channel->end += bytes;
	channel->unreported = true;
	if (!channel->paused && channel->end - channel->start >= channel->pause_at)
	{
		channel->paused = true;
		(void) curl_easy_pause(channel->easy, CURLPAUSE_RECV);
	}
	return bytes;
}

/* Whether a word of a given length is one of a list that ends with NULL. */
static bool
is_one_of(const char *word, size_t length, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strlen(*list) == length &&
			pg_strncasecmp(word, *list, length) == 0)
			return true;
	return false;
}

/*
 * Checks a list of codings.  Any number of them may be codings that change
 * nothing.  All headers of that name together may have one other coding, which
 * the request must allow.
 */
static bool
codings_allowed(const char *list, size_t length, const char *const *allowed,
				bool *applied)
{
	static const char *const unchanged[] = {"", "identity", "none", NULL};
	const char *end = list + length;

	while (list <= end)
	{
		const char *comma = memchr(list, ',', end - list);
		const char *next = comma == NULL ? end : comma;
		const char *last = next;

		while (list < last && isspace((unsigned char) *list))
			list++;
		while (list < last && isspace((unsigned char) last[-1]))
			last--;
		if (!is_one_of(list, last - list, unchanged))
		{
			if (*applied || !is_one_of(list, last - list, allowed))
				return false;
			*applied = true;
		}
		list = next + 1;
	}
	return true;
}

/* The value of a header if it has this name, or else NULL. */
static const char *
header_value(const char *header, size_t *length, const char *name)
{
	size_t		name_length = strlen(name);

	if (*length <= name_length || header[name_length] != ':' ||
		pg_strncasecmp(header, name, name_length) != 0)
		return NULL;
	*length -= name_length + 1;
	return header + name_length + 1;
}

/*
 * libcurl decodes every coding that it supports, requested or not.  It also
 * decodes nested codings, which can expand a few bytes to gigabytes in a
 * single call, and transfer codings, where it takes a truncated response for a
 * complete one.  We request gzip, once and for the content, and accept nothing
 * else.
 */
static void
check_encoding(HttpChannel *channel, const char *header, size_t length)
{
	static const char *const gzip[] = {"gzip", "x-gzip", NULL};
	static const char *const chunked[] = {"chunked", NULL};
	size_t		content_length = length;
	size_t		transfer_length = length;
	const char *content = header_value(header, &content_length,
									   "Content-Encoding");
	const char *transfer = header_value(header, &transfer_length,
										"Transfer-Encoding");

	if (content != NULL &&
		!codings_allowed(content, content_length,
						 channel->may_gzip ? gzip : gzip + 2,
						 &channel->encoded))
		channel->bad_encoding = "Content-Encoding";
	if (transfer != NULL &&
		!codings_allowed(transfer, transfer_length, chunked,
						 &channel->chunked))
		channel->bad_encoding = "Transfer-Encoding";
}

static bool
names_protocol(const char *text, size_t length)
{
	return length >= 5 && strncmp(text, "HTTP/", 5) == 0;
}

/*
 * Whether a status line contains another one.  Its first part is then an
 * unterminated line that an earlier response left, which libcurl has not
 * reported yet.
 */
static bool
has_embedded_head(const char *line, size_t length)
{
	for (size_t i = 1; i < length; i++)
		if (names_protocol(line + i, length - i))
			return true;
	return false;
}

/*
 * Whether another head follows: after 1xx, except 101, and while the proxy
 * connects us to the host.
 */
static bool
is_interim(const HttpChannel *channel, const char *line, size_t length)
{
	const char *space = memchr(line, ' ', length);

	if (!channel->connected)
		return true;
	return space != NULL && line + length - space > 4 && space[1] == '1' &&
		strncmp(space, " 101", 4) != 0;
}

/*
 * libcurl itself keeps the headers.  A head that arrived before the request
 * was sent does not belong to it.  libcurl considers headers complete even if
 * the connection was closed within them, so the empty line is noted here.
 */
size_t
http_on_header(char *data, size_t size, size_t count, void *arg)
{
	HttpChannel *channel = arg;
	size_t		bytes = size * count;
	bool		status_line = names_protocol(data, bytes);

	channel->embedded_head = status_line && has_embedded_head(data, bytes);
	if (channel->corked || channel->embedded_head)
	{
		channel->header_bytes = 0;	/* so that its status is not used */
		return CURL_WRITEFUNC_ERROR;
	}
	channel->header_bytes += bytes;
	if (channel->header_bytes > MAX_HEADERS)
	{
		channel->too_many_headers = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (status_line)
	{
		channel->interim_head = is_interim(channel, data, bytes);
		channel->encoded = channel->chunked = channel->head_ended = false;
	}
	else if (bytes <= 2 && data[0] == (bytes == 2 ? '\r' : '\n'))
		channel->head_ended = true;
	else if (!channel->interim_head && !channel->head_ended)
		check_encoding(channel, data, bytes);
	return channel->bad_encoding != NULL ? CURL_WRITEFUNC_ERROR : bytes;
}

/* ------------------------------------------------------------------------
 * Failures
 * ------------------------------------------------------------------------
 */

/*
 * Ends the exchange as failed.  The text may have come from anywhere, so only
 * printable characters are kept.
 */
void
http_fail(HttpChannel *channel, HttpFailure failure, const char *text)
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

/* Whether TLS failed over the version of the protocol, by libcurl's text. */
static bool
is_outdated(const char *text)
{
	return strstr(text, "unsupported protocol") != NULL ||
		strstr(text, "alert protocol version") != NULL ||
		strstr(text, "wrong version number") != NULL;
}

/*
 * Whether a TLS handshake failed because the connection was closed.  libcurl
 * has one code for all failures of a handshake, so its text decides.  Otherwise
 * the peer counts as not trusted, and the request is not tried again.
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
 * Maps a code of libcurl.  What fails before the request could be sent has not
 * reached the peer, so that counts as unreachable.
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
			return channel->connected ? HTTP_BROKEN : HTTP_UNREACHABLE;
		case CURLE_UNSUPPORTED_PROTOCOL:
			/* of the URL, or of a response that is not HTTP/1 */
			return channel->connected ? HTTP_BROKEN : HTTP_INTERNAL;
		default:
			return HTTP_INTERNAL;
	}
}

/*
 * Whether the connection to the proxy failed, or the proxy refused the
 * request.  With a SOCKS proxy, it is not known whether the connection to the
 * host exists, but then every failure except of TLS is the proxy's.
 */
static bool
failed_at_proxy(const HttpChannel *channel, CURLcode code,
				HttpFailure failure)
{
	const char *proxy = channel->settings.proxy;
	long		status = 0;

	if (proxy == NULL || channel->connected)
		return false;
	if (!channel->new_connection || channel->too_many_headers ||
		failure == HTTP_INTERNAL || code == CURLE_RECV_ERROR)
		return true;
	if (pg_strncasecmp(proxy, "socks", 5) == 0)
		return failure == HTTP_UNREACHABLE;
	(void) curl_easy_getinfo(channel->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status / 100 != 2;
}

/*
 * Whether something was too long for libcurl.  Before 8.6 it reports that as a
 * lack of memory.
 */
static bool
was_too_long(const HttpChannel *channel, CURLcode code)
{
	bool		has_code =
		curl_version_info(CURLVERSION_NOW)->version_num >= 0x080600;

	return channel->connected &&
		code == (has_code ? CODE_TOO_LARGE : CURLE_OUT_OF_MEMORY);
}

/*
 * Whether a response has two different lengths, so that its end is not
 * certain.  libcurl uses the last one.
 */
static bool
has_two_lengths(HttpChannel *channel)
{
	const char *name = "Content-Length";
	struct curl_header *header;
	char		first[32];

	if (curl_easy_header(channel->easy, name, 0, CURLH_HEADER, -1,
						 &header) != CURLHE_OK)
		return false;
	strlcpy(first, header->value, sizeof(first));
	for (size_t i = 1, n = header->amount; i < n; i++)
		if (curl_easy_header(channel->easy, name, i, CURLH_HEADER, -1,
							 &header) == CURLHE_OK &&
			strcmp(header->value, first) != 0)
			return true;
	return false;
}

/*
 * libcurl considers the response complete.  The connection that it keeps has
 * replaced the previous one, and can be reused.  Its socket may never have
 * been watched: libcurl reads a quick response without that.
 */
static void
finish_complete(HttpChannel *channel)
{
	channel->state = CHANNEL_DONE;
	channel->socket = CURL_SOCKET_BAD;
	(void) curl_easy_getinfo(channel->easy, CURLINFO_ACTIVESOCKET,
							 &channel->socket);
	if (channel->socket != CURL_SOCKET_BAD)
		channel->force_reconnect = false;
	if (!channel->head_ended)
		http_fail(channel, HTTP_BROKEN,
				  "The connection was closed within the headers");
	else if (has_two_lengths(channel))
		http_fail(channel, HTTP_BROKEN,
				  "The response has two different lengths");
}

/*
 * libcurl has ended the request; what we noted takes precedence over its code.
 */
void
http_finish(HttpChannel *channel, CURLcode code)
{
	const char *text = channel->curl_text[0] != '\0' ? channel->curl_text :
		curl_easy_strerror(code);
	HttpFailure failure = failure_of_code(channel, code, text);
	char		encoding[80];

	if (code == CURLE_OUT_OF_MEMORY)
	{
		channel->damaged = true;
		if (!was_too_long(channel, code))
			channel->out_of_memory = true;
	}
	if (code == CURLE_OK)
		finish_complete(channel);
	else if (failure == HTTP_UNREACHABLE && channel->address_refused &&
			 !channel->new_connection)
		http_fail(channel, HTTP_FORBIDDEN, channel->refusal);
	else if (code != CURLE_OUT_OF_MEMORY &&
			 failed_at_proxy(channel, code, failure))
		http_fail(channel, HTTP_PROXY_FAILED, channel->too_many_headers ?
				  "The headers of the response are too large" : text);
	else if (channel->too_many_headers)
		http_fail(channel, HTTP_BROKEN,
				  "The headers of the response are too large");
	else if (channel->embedded_head)
		http_fail(channel, HTTP_BROKEN,
				  "The response begins within another one");
	else if (was_too_long(channel, code) && http_channel_received(channel) == 0)
		http_fail(channel, HTTP_BROKEN,
				  "A header of the response is too long, or memory ran out");
	else if (channel->unpacked_too_much ||
			 (was_too_long(channel, code) && channel->encoded))
		http_fail(channel, HTTP_INTERNAL,
				  "A small part of the response unpacks to more than 64 MB");
	else if (channel->bad_encoding != NULL)
	{
		snprintf(encoding, sizeof(encoding),
				 "The response has a %s that was not requested",
				 channel->bad_encoding);
		http_fail(channel, HTTP_BROKEN, encoding);
	}
	else
		http_fail(channel, failure, text);
}

/* The multi handle failed, mostly because a socket could not be watched. */
void
http_finish_multi(HttpChannel *channel, CURLMcode code)
{
	char		text[CURL_ERROR_SIZE];

	channel->damaged = true;
	if (code == CURLM_OUT_OF_MEMORY)
		channel->out_of_memory = true;
	if (channel->watch_errno != 0)
	{
		errno = channel->watch_errno;
		snprintf(text, sizeof(text), "Could not watch a socket: %m");
		http_fail(channel, HTTP_INTERNAL, text);
	}
	else
		http_fail(channel, HTTP_INTERNAL, curl_multi_strerror(code));
}

void
http_fail_silent(HttpChannel *channel)
{
	char		text[80];

	snprintf(text, sizeof(text), "No data received for %d ms",
			 channel->settings.read_timeout);
	http_fail(channel, HTTP_SILENT, text);
}

/* ------------------------------------------------------------------------
 * The outcome
 * ------------------------------------------------------------------------
 */

/*
 * Until the first header was read, libcurl may still return values of the
 * previous exchange, or of the proxy.
 */
static bool
has_head(const HttpChannel *channel)
{
	return channel->connected && channel->header_bytes > 0;
}

int
http_channel_status(const HttpChannel *channel)
{
	long		status = 0;

	if (!has_head(channel))
		return 0;
	(void) curl_easy_getinfo(channel->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int) status;
}

const char *
http_channel_content_type(HttpChannel *channel)
{
	char	   *type = NULL;

	if (!has_head(channel))
		return NULL;
	(void) curl_easy_getinfo(channel->easy, CURLINFO_CONTENT_TYPE, &type);
	return type;
}

/* Of the last head, if there were several (100 Continue is one). */
const char *
http_channel_header(HttpChannel *channel, const char *name)
{
	struct curl_header *header;

	if (!has_head(channel))
		return NULL;
	if (curl_easy_header(channel->easy, name, 0, CURLH_HEADER, -1,
						 &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

bool
http_channel_end_is_known(HttpChannel *channel)
{
	return channel->chunked ||
		http_channel_header(channel, "Content-Length") != NULL;
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
	return channel->settings.reach;
}

uint64
http_channel_received(HttpChannel *channel)
{
	curl_off_t	bytes = 0;

	if (!has_head(channel))
		return 0;
	(void) curl_easy_getinfo(channel->easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
	return (uint64) bytes;
}
