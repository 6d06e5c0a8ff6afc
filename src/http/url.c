/*
 * url.c
 *		Checks base URLs, and escapes what is added to them.
 *
 * libcurl parses the URL.  Rules that are stricter than libcurl's are checked
 * on the characters first.  Errors are raised, and palloc is called, only while
 * nothing allocated by libcurl is left to free.
 */
#include "postgres.h"

#include "http/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

/*
 * Only characters that a URL can contain unescaped: others, and escapes, could
 * be rewritten on the way, and differently in different places.  A user, a
 * query and a fragment are found by their separators, even if they are empty.
 */
static const char *
check_characters(const char *url)
{
	for (const char *c = url; *c != '\0'; c++)
	{
		if (*c <= ' ' || *c >= 0x7f || strchr("\"%<>\\^`{|}", *c) != NULL)
			return "It has a character that is not allowed in a URL.";
	}
	if (strchr(url, '@') != NULL)
		return "It must not have a user name or password.";
	if (strchr(url, '?') != NULL)
		return "It must not have a query.";
	if (strchr(url, '#') != NULL)
		return "It must not have a fragment.";
	if (strstr(url, ":///") != NULL)
		return "It has no host.";	/* libcurl would accept the third slash */
	return NULL;
}

/*
 * Whether the host is an address, or the one name that always means this
 * machine.  libcurl has normalized an IPv4 address before.
 */
static void
classify_host(UrlParts *parts)
{
	struct in_addr v4;
	struct in6_addr v6;

	parts->is_fixed = true;
	if (inet_pton(AF_INET, parts->host, &v4) == 1)
		parts->is_loopback = (ntohl(v4.s_addr) >> 24) == IN_LOOPBACKNET;
	else if (inet_pton(AF_INET6, parts->host, &v6) == 1)
		parts->is_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
	else
		parts->is_fixed = parts->is_loopback =
			strcmp(parts->host, "localhost") == 0;
}

/* Whether a segment of the path is "." or "..". */
static bool
has_dot_segment(const char *path)
{
	while (path != NULL)
	{
		size_t		length;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		if ((length == 1 || length == 2) && strspn(path, ".") >= length)
			return true;
		path = strchr(path, '/');
	}
	return false;
}

/* Copies in lower case, without the brackets of an IPv6 address. */
static bool
copy_host(const char *host, char *to)
{
	size_t		length = strlen(host);

	if (length > 1 && host[0] == '[' && host[length - 1] == ']')
	{
		host++;
		length -= 2;
	}
	if (length == 0 || length > URL_MAX_HOST)
		return false;
	for (size_t i = 0; i < length; i++)
		to[i] = pg_ascii_tolower((unsigned char) host[i]);
	to[length] = '\0';
	return true;
}

/* Checks what libcurl has parsed. */
static const char *
check_parts(const char *scheme, const char *host, const char *path,
			UrlParts *parts)
{
	if (!copy_host(host, parts->host))
		return "Its host name is empty or too long.";
	parts->is_https = strcmp(scheme, "https") == 0;
	classify_host(parts);

	if (!parts->is_https && strcmp(scheme, "http") != 0)
		return "It must begin with https://.";
	if (!parts->is_https && !parts->is_loopback)
		return "Plain http would send the credentials unencrypted.";
	if (has_dot_segment(path))
		return "Its path has a segment \".\" or \"..\".";
	return NULL;
}

/* After everything that libcurl allocated was freed. */
static void
raise_out_of_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("Failed while parsing a URL.")));
}

/* Has libcurl parse the URL, and frees everything that it allocates. */
static const char *
check_structure(const char *url, UrlParts *parts)
{
	unsigned int flags = CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME |
		CURLU_PATH_AS_IS;
	CURLU	   *parser = curl_url();
	char	   *scheme = NULL;
	char	   *host = NULL;
	char	   *path = NULL;
	const char *defect = "It is not a whole URL with scheme and host.";
	CURLUcode	code = CURLUE_OUT_OF_MEMORY;

	if (parser != NULL)
		code = curl_url_set(parser, CURLUPART_URL, url, flags);
	if (code == CURLUE_OK)
		code = curl_url_get(parser, CURLUPART_SCHEME, &scheme, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(parser, CURLUPART_HOST, &host, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(parser, CURLUPART_PATH, &path, 0);
	if (code == CURLUE_OK)
		defect = check_parts(scheme, host, path, parts);

	curl_free(scheme);
	curl_free(host);
	curl_free(path);
	curl_url_cleanup(parser);
	if (code == CURLUE_OUT_OF_MEMORY)
		raise_out_of_memory();
	return defect;
}

bool
url_parse(const char *url, UrlParts *parts)
{
	parts->defect = check_characters(url);
	if (parts->defect == NULL)
		parts->defect = check_structure(url, parts);
	return parts->defect == NULL;
}

bool
url_is_segment(const char *value)
{
	return value[0] != '\0' && strcmp(value, ".") != 0 &&
		strcmp(value, "..") != 0;
}

char *
url_escape_segment(const char *value)
{
	size_t		length = strlen(value);
	char	   *result;
	char	   *escaped;

	if (length > URL_MAX_SEGMENT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a value of %zu bytes is too long for the URL of a request",
						length),
				 errhint("Such a value can have at most %d bytes.",
						 URL_MAX_SEGMENT)));

	/* First palloc, which may raise an error; then libcurl allocates. */
	result = palloc(3 * length + 1);
	escaped = curl_easy_escape(NULL, value, (int) length);
	if (escaped == NULL)
		raise_out_of_memory();
	strcpy(result, escaped);
	curl_free(escaped);
	return result;
}

char *
url_unescape_segment(const char *segment)
{
	char	   *result = palloc(strlen(segment) + 1);
	int			length = 0;
	char	   *unescaped = curl_easy_unescape(NULL, segment,
											   (int) strlen(segment), &length);
	bool		is_text;

	if (unescaped == NULL)
		raise_out_of_memory();
	is_text = strlen(unescaped) == (size_t) length;
	strcpy(result, unescaped);
	curl_free(unescaped);
	return is_text ? result : NULL;
}
