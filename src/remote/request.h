/*
 * request.h
 *		A scan's columns and conditions become HTTP requests: endpoint, path
 *		and body, one after the other.
 *
 * Knows what HiBob's endpoints take.  It sends nothing.
 */
#ifndef HIBOB_REMOTE_REQUEST_H
#define HIBOB_REMOTE_REQUEST_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "row/row.h"

/* The most values in one filter. */
#define REQUEST_BATCH RESOURCE_MAX_FILTER_VALUES

/* The estimated rows of an employee in the tables of employees. */
#define ROWS_PER_EMPLOYEE 3

/* What a scan's conditions let HiBob evaluate. */
typedef struct RequestFilter
{
	const ResourceFilter *filter;	/* of the values; NULL: none */
	List	   *values;			/* of char *, in the database's encoding */
	bool		nothing;		/* no row can meet the conditions */
	bool		active_only;
	bool		has_lower;
	bool		has_upper;
	TimestampTz lower;
	TimestampTz upper;
	const ResourceFilter *lower_filter;	/* whose parameter it is */
	const ResourceFilter *upper_filter;
	int			batch_size;		/* values a request; 0: as HiBob likes them */
	int64		limit;			/* the expected number of rows that are needed; 0:
								 * all */
	bool		found_values;	/* the values are what HiBob itself has named, */
	bool		derived_values; /* or the running query has found elsewhere */
} RequestFilter;

/* What status 404 means. */
typedef enum RequestAbsence
{
	ABSENT_REFUSED,				/* what the table shows is not there */
	ABSENT_EMPTY,				/* there are no such rows */
	ABSENT_UNSURE,				/* one of the two */
	ABSENT_GONE					/* no such rows any more, if others have some:
								 * HiBob has named them just before */
} RequestAbsence;

/* One request of the sequence. */
typedef struct RequestCall
{
	const char *method;
	const char *endpoint;		/* the path as documented, for rate limits */
	const char *path;			/* below the base URL, with its query string */
	const char *body;			/* or NULL */
	const char *const *rows;	/* where the answer's rows lie */
	RequestAbsence absence;
	const char *thing;			/* the list, report or custom table, or NULL */
	const char *list;			/* the named list that it requests, in UTF-8;
								 * NULL: all */
	RowGiven	given[RESOURCE_MAX_GIVEN];	/* what its rows do not tell */

	/* which part of the sequence it is */
	bool		single;
	int			first;			/* of the values, */
	int			next;			/* and the one behind the last */
	int			range;
} RequestCall;

typedef struct Request Request;

/*
 * For a map's columns.  All that is given has to live as long as the request.
 */
extern Request *request_create(const RowMap *map, const TableOptions *options,
							   const RequestFilter *filter);

/* The estimated number of requests for the rows of so many values. */
extern double request_count_of_values(const Resource *resource, double nvalues);

/* The next request, or false after the last. */
extern bool request_next(Request *request, RequestCall *call);

/* Turns a call into the one for the next page of the same rows. */
extern void request_turn_page(const Request *request, RequestCall *call,
							  const char *cursor);

/* Whether there is a call that request_next() has not returned yet. */
extern bool request_has_more(const Request *request);

/*
 * Whether the filters of several requests have to be kept apart: see
 * request_covers().
 */
extern bool request_has_batches(const Request *request);

/*
 * Whether there are many answers: pages, batches, or one for each of many
 * employees.
 */
extern bool request_is_scattered(const Request *request);

/*
 * Whether the first page is expected to have all rows that are needed.  It has
 * only so many then; further ones have full size.
 */
extern bool request_is_short(const Request *request);

/*
 * Whether a row with this value in the filter's field was asked for by the
 * call.  HiBob may match more than the bytes that were sent, and the same row
 * must not come with two batches.
 */
extern bool request_covers(const Request *request, const RequestCall *call,
						   const char *value, size_t length);
extern const char *request_filter_field(const Request *request);

#endif							/* HIBOB_REMOTE_REQUEST_H */
