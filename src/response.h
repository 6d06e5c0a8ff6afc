/*
 * response.h
 *		The rows of a request's answers, out of bytes that are still coming.
 *
 * Puts together the request, the exchange and the reader, and sees to it that
 * an answer is either whole or an error.  Knows nothing of datums.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include "postgres.h"

#include "error.h"
#include "exchange.h"
#include "json_reader.h"
#include "request.h"
#include "row.h"

/* The largest row, and the deepest nesting in it. */
#define RESPONSE_MAX_ROW (16 * 1024 * 1024)
#define RESPONSE_MAX_DEPTH 256

typedef struct Response Response;

/*
 * Starts with the first request of the sequence, at the first response_next().
 * It lives in the present memory context, and all that is given has to live as
 * long.
 */
extern Response *response_create(const ErrorSubject *subject,
								 ConnectionLease *lease, Request *request,
								 RowMap *map, ExchangeCounters *counters);

/*
 * Goes to the next row.  False after the last row of the last answer; every
 * answer was complete then.
 */
extern bool response_next(Response *response);

/* The present row, until the next response_next(). */
extern const JsonReader *response_reader(const Response *response);
extern const char *response_window(const Response *response);

/* Rows that came. */
extern uint64 response_rows(const Response *response);

/* Bytes of an answer that is still coming, which no counter has yet. */
extern uint64 response_unbooked_bytes(const Response *response);

/* Stops an answer that is still coming. */
extern void response_stop(Response *response);

/*
 * Whether any row carried a column's field, be it as null.  HiBob leaves out
 * what the service user may not see.
 */
extern bool response_carried(const Response *response,
							 const RowColumn *column);

#endif							/* RESPONSE_H */
