/*
 * response.h
 *		The rows of a request's answers, out of bytes that are still coming.
 *
 * Puts together the request, the exchange and the reader, and sees to it that
 * an answer is either whole or an error.  Knows nothing of datums.  Several
 * responses can share one request: each takes the next part of it when it is
 * done with one.
 */
#ifndef HIBOB_REMOTE_RESPONSE_H
#define HIBOB_REMOTE_RESPONSE_H

#include "postgres.h"

#include "remote/remote_error.h"
#include "remote/request.h"
#include "row/row.h"
#include "session/exchange.h"

/* The largest row or small document, and the deepest nesting. */
/* Also what a document may have that is held as a whole. */
#define RESPONSE_MAX_ROW (16 * 1024 * 1024)
#define RESPONSE_MAX_DEPTH 256

/*
 * Rows bound what is read of an answer: they are what the query wants.  What
 * comes without bringing any has bounds of its own, so that no answer lasts
 * for ever: bytes, and pages one after the other.
 */
#define RESPONSE_MAX_BARREN_BYTES (64 * 1024 * 1024)
#define RESPONSE_MAX_BARREN_PAGES 5000

typedef struct Response Response;

typedef enum ResponseResult
{
	RESPONSE_ROW,				/* see response_record() */
	RESPONSE_PAGE,				/* a page has ended, and there is another one */
	RESPONSE_WAIT,				/* there is nothing more without sleeping */
	RESPONSE_END				/* every answer was complete */
} ResponseResult;

/*
 * What the answers of a scan said beside their rows.  HiBob leaves out what
 * the service user may not see, and in some places says so.
 */
typedef struct ResponseFindings
{
	MemoryContext context;		/* of the lists */
	uint64		rows;
	uint64		answers;		/* that were complete */
	uint64		absent;			/* answers 404 with ABSENT_GONE, */
	uint64		unsure;			/* and with ABSENT_UNSURE */
	List	   *refusals;		/* its words on employees that were named; each
								 * once, and only the first few */
	List	   *hidden;			/* names of fields of which nothing is shown, */
	List	   *hidden_history; /* and those without their history */
} ResponseFindings;

/*
 * Starts with the next request of the sequence, at the first advance.  It lives
 * in the present memory context, and all that is given has to live as long.
 * With "prefetch" the next page is asked for as soon as it can be named.
 */
extern Response *response_create(const ErrorSubject *subject,
								 AcquiredChannel *acquired, Request *request,
								 RowMap *map, ExchangeCounters *counters,
								 ResponseFindings *findings, bool prefetch);

/*
 * For who wants to know how it stands rather than have the rows: the rate limit
 * is not waited for, and what fails is tried once more at most.
 */
extern void response_hurry(Response *response);

/* Goes on.  Only if it may "sleep" it never returns RESPONSE_WAIT. */
extern ResponseResult response_advance(Response *response, bool sleep);

/* Goes to the next row, sleeping where it has to.  False after the last one. */
extern bool response_next(Response *response);

/* The present row, until the response goes on. */
extern const RowRecord *response_record(const Response *response);

/* What to sleep for after RESPONSE_WAIT: see exchange_wait_any(). */
extern Exchange *response_exchange(Response *response);

/* Whether HiBob has answered anything yet. */
extern bool response_was_answered(const Response *response);

/* Stops an answer that is still coming. */
extern void response_stop(Response *response);

/*
 * Whether any row carried a column's field, be it as null.  HiBob leaves out
 * what the service user may not see.
 */
extern bool response_has_field(const Response *response,
							   const RowColumn *column);

/* The reader of CSV, if that is what comes; NULL before the first answer. */
extern const CsvReader *response_csv(const Response *response);

#endif							/* HIBOB_REMOTE_RESPONSE_H */
