/*
 * url.h
 *		Takes a base URL apart and escapes what is added to it, with the
 *		functions of the library that will call it, so that what was checked is
 *		what is called.
 *
 * Knows the rules for an address that credentials may go to; not who may set
 * one.
 */
#ifndef HIBOB_HTTP_URL_H
#define HIBOB_HTTP_URL_H

#include "postgres.h"

#define URL_MAX_HOST 255		/* what a name in the DNS can have at most */

/* Bytes; servers commonly read addresses of some 8 or 16 kB. */
#define URL_MAX_SEGMENT (64 * 1024)

typedef struct UrlParts
{
	bool		is_https;		/* else http, and then loopback */
	bool		is_loopback;	/* by its literal address, or "localhost" */
	bool		is_fixed;		/* no name server has a say in where it is */
	char		host[URL_MAX_HOST + 1]; /* lower case; IPv6 without brackets */
	const char *defect;			/* a sentence: why it cannot be a base URL */
} UrlParts;

/*
 * Returns whether the URL can be a base URL; if not, only the defect is set.
 * That never repeats the URL, which may hold a password.  Never raises an
 * error.
 */
extern bool url_parse(const char *url, UrlParts *parts);

/*
 * Whether a value can be a segment of a path: libcurl takes dots for steps, and
 * nothing for no step at all.
 */
extern bool url_is_segment(const char *value);

/*
 * A value as one path segment, percent-encoded; palloc'd.  Raises an error if
 * it is longer than any server would read.
 */
extern char *url_escape_segment(const char *value);

/* The value that a segment stands for, palloc'd; NULL if no text can be that. */
extern char *url_unescape_segment(const char *segment);

#endif							/* HIBOB_HTTP_URL_H */
