/*
 * request.h
 *		A scan's columns and filter values become HTTP requests: endpoint, path
 *		and JSON body, one after the other.
 *
 * Knows what HiBob's endpoints take.  It sends nothing.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "postgres.h"

#include "row.h"

/* The most values in one filter, and the most filters worth asking. */
#define REQUEST_BATCH CATALOG_MAX_FILTER_VALUES
#define REQUEST_MAX_BATCHES 10

/* What a scan's conditions let HiBob evaluate. */
typedef struct RequestFilter
{
	const char *field;			/* CATALOG_FIELD_ID or _EMAIL; NULL: none */
	List	   *values;			/* of char *, in the database's encoding */
	bool		nothing;		/* no row can meet the conditions */
	bool		active_only;
	int			batch_size;		/* values a request; 0: as HiBob likes them */
} RequestFilter;

/* One request of the sequence. */
typedef struct RequestCall
{
	const char *method;
	const char *endpoint;		/* the path as documented, for rate limits */
	const char *path;			/* below the base URL */
	const char *body;			/* or NULL */
	const char *const *rows;	/* where the answer's rows lie */
	bool		absent_is_empty;	/* status 404 means: no such row */
} RequestCall;

typedef struct Request
{
	const CatalogResource *resource;
	List	   *fields;			/* of char *; NIL: HiBob's default */
	bool		human;
	bool		show_inactive;
	bool		nothing;		/* no row can meet the conditions */
	const char *filter_field;	/* NULL: unfiltered */
	char	  **values;			/* sorted, distinct, UTF-8 */
	int			nvalues;
	int			batch_size;
	int			first;			/* of the present batch */
	int			next;			/* of the next one */
	bool		done;
} Request;

extern Request *request_create(const RowMap *map, const RequestFilter *filter);

/* The next request, or false after the last. */
extern bool request_next(Request *request, RequestCall *call);

/* Whether several answers have to be put together. */
extern bool request_has_batches(const Request *request);

/*
 * Whether a row with this value in the filter's field was asked for by the
 * present batch.  HiBob may match more than the bytes that were sent, and the
 * same row must not come with two batches.
 */
extern bool request_covers(const Request *request, const char *value,
						   size_t length);

#endif							/* REQUEST_H */
