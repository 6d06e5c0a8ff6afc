/*
 * remote_error.h
 *		Errors of requests to HiBob, with hints.
 *
 * Knows HiBob's status codes and error bodies.  No message contains a token,
 * the user of a URL, or a value of an employee.
 */
#ifndef HIBOB_REMOTE_REMOTE_ERROR_H
#define HIBOB_REMOTE_REMOTE_ERROR_H

#include "postgres.h"

#include "compat.h"
#include "reader/json_reader.h"
#include "resources/resource.h"
#include "session/connection.h"

/* The scan that failed. */
typedef struct ErrorSubject
{
	Connection *connection;
	const Resource *resource;
	const char *table;			/* the foreign table's name */
} ErrorSubject;

/* A response without rows. */
typedef struct ErrorResponse
{
	int			status;
	const char *content_type;	/* or NULL */
	const char *body;			/* its first bytes */
	size_t		length;
} ErrorResponse;

/* The part of a response that was read. */
typedef struct ErrorProgress
{
	uint64		bytes;
	uint64		rows;
} ErrorProgress;

/* Whether a response is a web page, or JSON, by its content type. */
extern bool error_is_web_page(const ErrorResponse *error);
extern bool error_is_json(const ErrorResponse *error);

/*
 * A status other than success.  "object_name" is the name of the list, report
 * or custom table of the request, or NULL.
 */
hibob_noreturn extern void error_status(const ErrorSubject *subject,
										const ErrorResponse *error,
										const char *object_name);

/* A custom table does not exist; HiBob's message, or NULL. */
hibob_noreturn extern void error_no_custom_table(const ErrorSubject *subject,
												 const char *message,
												 const char *id);

/*
 * A response with status 200 that is not valid, or not of the right structure.
 */
hibob_noreturn extern void error_body(const ErrorSubject *subject,
									  const ErrorResponse *error,
									  const JsonDefect *defect,
									  const ErrorProgress *progress);

/* No response, or an incomplete one. */
hibob_noreturn extern void error_transport(const ErrorSubject *subject,
										   HttpFailure failure,
										   const char *text,
										   const ErrorProgress *progress);

/* HiBob rejected the credentials, now or ("error" is NULL) a short time ago. */
hibob_noreturn extern void error_rejected(const ErrorSubject *subject,
										  const ErrorResponse *error);

/* A text of HiBob for a message: limited, in one line; palloc'd. */
extern char *error_printable(const char *message);

/* The wait for the rate limit would be longer than allowed. */
hibob_noreturn extern void error_rate_limited(const ErrorSubject *subject,
											  const RateLimit *limit);

/*
 * Calls a function in a subtransaction and in a memory context.  Returns the
 * error, in the current memory context, or NULL.  After an error the caller
 * deletes the context, which releases what the function has acquired.
 */
extern ErrorData *run_in_subtransaction(void (*function) (void *), void *arg,
										MemoryContext context);

#endif							/* HIBOB_REMOTE_REMOTE_ERROR_H */
