/*
 * url.h
 *		Checks a base URL, and escapes what is added to it.
 *
 * This uses the functions of libcurl, which sends the requests, so that the URL
 * that is checked is the one that is used.
 *
 * Knows to which URLs credentials may be sent, but not which roles may set
 * one.
 */
#ifndef HIBOB_HTTP_URL_H
#define HIBOB_HTTP_URL_H

#include "postgres.h"

#define URL_MAX_HOST 255		/* the limit of the DNS */

/* Bytes; servers commonly accept URLs of 8 or 16 kB. */
#define URL_MAX_SEGMENT (64 * 1024)

typedef struct UrlParts
{
	bool		is_https;		/* otherwise http to loopback */
	bool		is_loopback;	/* a literal address, or "localhost" */
	bool		is_fixed;		/* its address does not depend on the DNS */
	char		host[URL_MAX_HOST + 1]; /* lower case; IPv6 without brackets */
	const char *defect;			/* a sentence: why it cannot be a base URL */
} UrlParts;

/*
 * Returns whether the URL can be a base URL; if not, only the defect is set.
 * That never repeats the URL, which may contain a password.  Raises an error
 * only if memory runs out.
 */
extern bool url_parse(const char *url, UrlParts *parts);

/* Whether a value can be a segment of a path: neither empty nor dots. */
extern bool url_is_segment(const char *value);

/*
 * A value as one path segment, percent-encoded; palloc'd.  Raises an error if
 * it is too long for any server.
 */
extern char *url_escape_segment(const char *value);

/* The value of a segment, palloc'd; NULL if it contains a null byte. */
extern char *url_unescape_segment(const char *segment);

#endif							/* HIBOB_HTTP_URL_H */
