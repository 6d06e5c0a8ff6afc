/*
 * http_outcome.c
 *		How an exchange ended, in our own words: what libcurl's codes mean, what
 *		it takes for an end and is none, and what it keeps of the answer's head.
 *
 * Nothing here raises an error or calls libcurl but to ask.
 */
#include "postgres.h"

#include <curl/curl.h>

#include "http/http_channel.h"

/* CURLE_TOO_LARGE, which libcurl has from 8.6 on. */
#define CODE_TOO_LARGE ((CURLcode) 100)

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
 * Whether something was too long for libcurl, which takes that for a lack of
 * memory, until a code for it came.
 */
static bool
was_too_long(const HttpChannel *channel, CURLcode code)
{
	return (code == CURLE_OUT_OF_MEMORY || code == CODE_TOO_LARGE) &&
		channel->sendable;
}

/*
 * Whether an answer announced its length more than once, and not the same: then
 * nobody can say where it ends.  libcurl takes the last one's word.
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
 * libcurl has a whole answer, as it thinks.  A connection that is kept takes the
 * place of the one before it: only then a distrusted one is gone.  Which socket
 * it has is to be asked: libcurl watches others, too, and may have read a quick
 * answer without watching any.
 */
static void
finish_well(HttpChannel *channel)
{
	channel->state = CHANNEL_DONE;
	channel->socket = CURL_SOCKET_BAD;
	(void) curl_easy_getinfo(channel->easy, CURLINFO_ACTIVESOCKET,
							 &channel->socket);
	if (channel->socket != CURL_SOCKET_BAD)
		channel->distrusted = false;
	if (!channel->head_ended)
		http_fail(channel, HTTP_BROKEN, "the connection was closed amid the headers");
	else if (has_two_lengths(channel))
		http_fail(channel, HTTP_BROKEN, "the response has two different lengths");
}

/*
 * libcurl is done with the request, in this way.  If no socket was opened at
 * all, we know better than libcurl why.
 */
void
http_finish(HttpChannel *channel, CURLcode code)
{
	const char *text = channel->curl_text[0] != '\0' ? channel->curl_text :
		curl_easy_strerror(code);
	HttpFailure failure = failure_of_code(channel, code, text);

	if (code == CURLE_OK)
		finish_well(channel);
	else if (channel->too_many_headers)
		http_fail(channel, HTTP_BROKEN, "the headers of the response are too large");
	else if (channel->two_heads)
		http_fail(channel, HTTP_BROKEN, "the response begins within another one");
	else if (was_too_long(channel, code) && http_channel_received(channel) == 0)
		http_fail(channel, HTTP_BROKEN,
				  "a header of the response is too long, or memory ran out");
	else if (channel->too_much ||
			 (was_too_long(channel, code) && channel->encoded))
		http_fail(channel, HTTP_INTERNAL,
				  "a small part of the response unpacks to more than 64 MB");
	else if (channel->badly_encoded)
		http_fail(channel, HTTP_BROKEN,
			 "the response has a Content-Encoding that was not asked for");
	else if (failure == HTTP_UNREACHABLE && channel->refusal[0] != '\0' &&
			 !channel->connecting)
		http_fail(channel, channel->reach_refused ? HTTP_FORBIDDEN :
			 HTTP_UNREACHABLE, channel->refusal);
	else
		http_fail(channel, failure, text);
}

/* libcurl cannot go on; mostly because a callback could not. */
void
http_finish_multi(HttpChannel *channel, CURLMcode code)
{
	char		text[CURL_ERROR_SIZE];

	if (channel->watch_errno != 0)
	{
		errno = channel->watch_errno;
		snprintf(text, sizeof(text), "could not watch a socket: %m");
		http_fail(channel, HTTP_INTERNAL, text);
	}
	else
		http_fail(channel, HTTP_INTERNAL, curl_multi_strerror(code));
}

void
http_fail_silent(HttpChannel *channel)
{
	char		text[80];

	snprintf(text, sizeof(text), "no data received for %d ms",
			 channel->read_timeout);
	http_fail(channel, HTTP_SILENT, text);
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
