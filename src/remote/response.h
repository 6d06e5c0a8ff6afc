/*
 * response.h
 *		The rows of the responses to a sequence of requests, read while the
 *		bytes arrive.
 *
 * Connects the request, the exchange and the reader, and guarantees that a
 * response is either complete or an error.  Knows nothing of datums.  Several
 * Responses can share one Request: each takes the next call when it has read
 * the previous one.
 */
#ifndef HIBOB_REMOTE_RESPONSE_H
#define HIBOB_REMOTE_RESPONSE_H

#include "postgres.h"

#include "remote/remote_error.h"
#include "remote/request.h"
#include "row/row.h"
#include "session/exchange.h"

/* The largest row, or document that is held as a whole; the deepest nesting. */
#define RESPONSE_MAX_ROW (16 * 1024 * 1024)
#define RESPONSE_MAX_DEPTH 256

/*
 * Bytes, and consecutive pages, without a row.  Without these limits a response
 * could last for ever; the number of rows has no limit.
 */
#define RESPONSE_MAX_BYTES_WITHOUT_ROW (64 * 1024 * 1024)
#define RESPONSE_MAX_PAGES_WITHOUT_ROW 5000

typedef struct Response Response;

typedef enum ResponseResult
{
	RESPONSE_ROW,				/* see response_record() */
	RESPONSE_PAGE,				/* a page has ended, and there is another one */
	RESPONSE_WAIT,				/* no more rows without sleeping */
	RESPONSE_END				/* every response was complete */
} ResponseResult;

/* Why the rows have to be read by the resource's fallback. */
typedef enum ResponseUnsupported
{
	SUPPORTED,
	UNSUPPORTED_ENDPOINT,		/* the account lacks the endpoint */
	UNSUPPORTED_HUMAN			/* the endpoint does not send human forms */
} ResponseUnsupported;

/*
 * What the responses of a scan contain besides rows.  HiBob omits data that the
 * service user has no permission for, and reports some of these omissions.
 */
typedef struct ResponseSummary
{
	MemoryContext context;		/* of the lists */
	uint64		rows;
	uint64		responses;		/* that were complete */
	uint64		deleted;		/* responses 404 with NOT_FOUND_DELETED, */
	uint64		ambiguous;		/* and with NOT_FOUND_AMBIGUOUS */
	ResponseUnsupported unsupported;	/* then no more rows come */
	bool		has_human;		/* a row had a human-readable value */
	bool		named;			/* the query names employees */
	List	   *denials;		/* HiBob's messages about employees that it does
								 * not show; distinct, the first few */
	List	   *hidden;			/* names of fields that HiBob does not show, */
	List	   *hidden_history; /* and those that it shows without history */
	Bitmapset  *maybe_hidden;	/* numbers of the map's columns that had a null
								 * in a response that does not list what is hidden */
} ResponseSummary;

/*
 * The first call of response_advance() sends the next request of the sequence.
 * The result lives in the current memory context, whose reset stops it; the
 * arguments have to live as long.  With "prefetch" the next page is requested as
 * soon as its cursor is known.
 */
extern Response *response_create(const ErrorSubject *subject,
								 AcquiredChannel *acquired, Request *request,
								 RowMap *map, ExchangeCounters *counters,
								 ResponseSummary *summary, bool prefetch);

/* Does not wait for the rate limit, and retries once at most. */
extern void response_fail_fast(Response *response);

/* Continues to read.  Returns RESPONSE_WAIT only if it may not "sleep". */
extern ResponseResult response_advance(Response *response, bool sleep);

/* Reads the next row; sleeps if necessary.  False after the last row. */
extern bool response_next(Response *response);

/* The current row.  Valid until the next call that reads. */
extern const RowRecord *response_record(const Response *response);

/* The exchange to wait for after RESPONSE_WAIT: see exchange_wait_any(). */
extern Exchange *response_exchange(Response *response);

/* Whether a byte of any response has arrived. */
extern bool response_has_begun(const Response *response);

/* Ends the exchange, if one is in progress.  Never raises an error. */
extern void response_stop(Response *response);

/* Whether any row had the field of a column, with a value or null. */
extern bool response_has_field(const Response *response,
							   const RowColumn *column);

/* The reader of a CSV response; NULL for JSON, or before the first response. */
extern const CsvReader *response_csv(const Response *response);

#endif							/* HIBOB_REMOTE_RESPONSE_H */
