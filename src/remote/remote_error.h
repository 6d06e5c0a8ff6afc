/*
 * remote_error.h
 *		What went wrong between the database and HiBob, as an error that says
 *		what to do about it.
 *
 * Knows HiBob's status codes and error bodies.  Nothing here shows a token, a
 * URL's user, or a value of an employee.
 */
#ifndef HIBOB_REMOTE_REMOTE_ERROR_H
#define HIBOB_REMOTE_REMOTE_ERROR_H

#include "postgres.h"

#include "compat.h"
#include "reader/json_reader.h"
#include "resources/resource.h"
#include "session/connection.h"

/* What a message can say about the scan that failed. */
typedef struct ErrorSubject
{
	Connection *connection;
	const Resource *resource;
	const char *table;			/* the foreign table's name */
} ErrorSubject;

/* An answer that is not the rows asked for. */
typedef struct ErrorResponse
{
	int			status;
	const char *content_type;	/* or NULL */
	const char *body;			/* its first bytes */
	size_t		length;
} ErrorResponse;

/* How far a response had come. */
typedef struct ErrorProgress
{
	uint64		bytes;
	uint64		rows;
} ErrorProgress;

/*
 * A status that is not a success.  "thing" is the list, report or custom table
 * that was asked for, or NULL.
 */
hibob_noreturn extern void error_status(const ErrorSubject *subject,
										const ErrorResponse *answer,
										const char *thing);

/* A custom table that HiBob does not have; its words on that, or NULL. */
hibob_noreturn extern void error_no_custom_table(const ErrorSubject *subject,
												 const char *words,
												 const char *id);

/* A success that is not JSON, or not with rows where they belong. */
hibob_noreturn extern void error_body(const ErrorSubject *subject,
									  const ErrorResponse *answer,
									  const JsonDefect *defect,
									  const ErrorProgress *progress);

/* No answer, or not a whole one. */
hibob_noreturn extern void error_transport(const ErrorSubject *subject,
										   HttpFailure failure,
										   const char *text,
										   const ErrorProgress *progress);

/* Credentials that HiBob refused, now or less than a minute ago. */
hibob_noreturn extern void error_refused(const ErrorSubject *subject,
										 const ErrorResponse *answer);

/* HiBob's words, fit to be shown: bounded, in one line; palloc'd. */
extern char *error_printable(const char *words);

/* Waiting for the rate limit would take longer than allowed. */
hibob_noreturn extern void error_rate_limited(const ErrorSubject *subject,
											  const RateLimit *limit);

#endif							/* HIBOB_REMOTE_REMOTE_ERROR_H */
