/*
 * status.h
 *		hibob_fdw_status(): how it stands with HiBob, a row a server.
 *
 * The probe asks HiBob and is in status_probe.c; what the function says of it
 * is in status.c.
 */
#ifndef HIBOB_FUNCTIONS_STATUS_H
#define HIBOB_FUNCTIONS_STATUS_H

#include "postgres.h"

#include "foreign/foreign.h"
#include "nodes/pg_list.h"
#include "session/exchange.h"

/* What came of a look at a server. */
typedef struct StatusFindings
{
	ErrorData  *error;			/* NULL: the answer was whole */
	bool		configured;		/* there was enough to make a request with */
	int			http_status;	/* 0: no answer */
	double		latency;		/* ms until the answer began; -1: no answer */
	RateLimit	limit;
	const char *credentials;	/* the option that they come from, or NULL */

	/* If the answer was whole. */
	int64		people;
	int64		active;			/* -1: cannot be told */
	int64		former;
	List	   *unreadable;		/* the categories that nobody carried */
} StatusFindings;

/*
 * Asks HiBob once, or twice if the first request fails, with the present
 * role's user mapping.  Raises only those errors that are not about the server
 * or about HiBob, such as that of a cancel; the others are findings.  The
 * result lies in the present memory context.
 */
extern StatusFindings *status_probe(const ForeignServer *server);

#endif							/* HIBOB_FUNCTIONS_STATUS_H */
