/*
 * status.h
 *		The parts of hibob_fdw_status(): the probe makes the requests, and
 *		status.c describes its findings.
 */
#ifndef HIBOB_FUNCTIONS_STATUS_H
#define HIBOB_FUNCTIONS_STATUS_H

#include "postgres.h"

#include "foreign/foreign.h"
#include "nodes/pg_list.h"
#include "session/exchange.h"

/* With the status, identifies former employees. */
#define STATUS_FIELD_TERMINATION "internal.terminationDate"

/* The result of a probe. */
typedef struct StatusFindings
{
	ErrorData  *error;			/* NULL: the response was complete */
	bool		configured;		/* the options sufficed for a request */
	int			http_status;	/* 0: no response */
	double		latency;		/* ms until the response began; -1: none */
	RateLimit	limit;
	const char *credentials;	/* the option that has the token, or NULL */

	/* If the response was complete. */
	int64		people;
	int64		active;			/* -1: unknown */
	int64		former;
	List	   *unreadable;		/* categories without any field in the rows */
	List	   *hidden;			/* requested fields that no row had */
} StatusFindings;

/*
 * Searches for all employees, with the user mapping of the current role, and
 * requests some fields, a list of char * in the database's encoding.  A failure
 * is tried again once.  Errors about the server or HiBob are findings; others,
 * such as a cancel, are raised.  The result is in the current memory context.
 */
extern StatusFindings *status_probe(const ForeignServer *server,
									const List *fields);

#endif							/* HIBOB_FUNCTIONS_STATUS_H */
