/*
 * request.h
 *		Makes HTTP requests from the columns and conditions of a scan: method,
 *		path and body, one after the other.
 *
 * Knows what HiBob's endpoints accept.  It sends nothing.
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

/* The conditions of a scan that HiBob evaluates. */
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
	const ResourceFilter *argument_filter;	/* of FILTER_ARGUMENT; NULL: none */
	List	   *arguments;		/* its values, of char *, as above */
	bool		has_day;		/* of FILTER_DAY */
	TimestampTz day;
	bool		hides_day;		/* there is one that EXPLAIN does not show */
	List	   *origins;		/* for each of the values that the resource's
								 * "expand" gave, the value that it is from */
	int			batch_size;		/* values a request; 0: HiBob's recommendation */
	int64		limit;			/* the expected number of rows that are needed; 0:
								 * all */
	bool		is_preview;		/* the values are expressions, for EXPLAIN */
	bool		found_values;	/* the values come from HiBob, */
	bool		derived_values; /* or, of lists, from other tables of the query:
								 * an unknown one is no error */
} RequestFilter;

/* The meaning of status 404. */
typedef enum RequestNotFound
{
	NOT_FOUND_ERROR,			/* the object of the table does not exist */
	NOT_FOUND_EMPTY,			/* there are no rows */
	NOT_FOUND_AMBIGUOUS,		/* one of the two */
	NOT_FOUND_DELETED,			/* the employee was deleted after HiBob has
								 * returned the id, if others are found */
	NOT_FOUND_UNSUPPORTED		/* the account may lack the endpoint, and the
								 * resource has a fallback */
} RequestNotFound;

/* One request of the sequence. */
typedef struct RequestCall
{
	const char *method;
	const char *endpoint;		/* the path as documented, for rate limits */
	const char *path;			/* below the base URL, with its query string */
	const char *body;			/* or NULL */
	const char *const *rows;	/* the paths of the rows in the response */
	RequestNotFound not_found;
	const char *object_name;	/* of the list, report or custom table, or NULL */
	const char *list;			/* the named list that it requests, in UTF-8;
								 * NULL: all */
	SuppliedValue supplied[RESOURCE_MAX_SUPPLIED]; /* for its rows */

	/* its part of the sequence */
	bool		single;			/* of one value, by the resource's single_path */
	int			first;			/* index of the first value, */
	int			next;			/* and of the one after the last */
	int			argument;		/* index of the argument */
	int			range;
} RequestCall;

typedef struct Request Request;

/* For a map's columns.  The arguments have to live as long as the request. */
extern Request *request_create(const RowMap *map, const TableOptions *options,
							   const RequestFilter *filter);

/* The estimated number of requests for the rows of a number of values. */
extern double request_count_of_values(const Resource *resource, double nvalues);

/* The next request, or false after the last. */
extern bool request_next(Request *request, RequestCall *call);

/* Changes a call to the one for the next page. */
extern void request_set_page(const Request *request, RequestCall *call,
							  const char *cursor);

/* Drops the rest of the sequence. */
extern void request_cancel(Request *request);

/* Whether there is a call that request_next() has not returned yet. */
extern bool request_has_more(const Request *request);

/* Whether the rows of a response have to be checked by request_has_value(). */
extern bool request_has_batches(const Request *request);

/*
 * Whether there may be many responses: pages, batches, one for each employee.
 */
extern bool request_has_many_responses(const Request *request);

/*
 * Whether the first page is expected to have all rows that are needed.  Then it
 * has only that number of entries; further pages have full size.
 */
extern bool request_expects_one_page(const Request *request);

/*
 * Whether a row with this value in the filter's field belongs to the call.
 * HiBob may match more than the exact value, and two batches must not return
 * the same row.
 */
extern bool request_has_value(const Request *request, const RequestCall *call,
						   const char *value, size_t length);
extern const char *request_filter_field(const Request *request);

#endif							/* HIBOB_REMOTE_REQUEST_H */
