/*
 * remote_query.h
 *		A remote query and its result: from conditions with their current values
 *		to rows.
 *
 * A result may have several readers, scans of one statement with the same
 * conditions.  A reader fetches the rows that it needs and that no other reader
 * has fetched yet.
 */
#ifndef HIBOB_REMOTE_REMOTE_QUERY_H
#define HIBOB_REMOTE_REMOTE_QUERY_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
#include "options/options.h"
#include "remote/request.h"
#include "remote/result_cache.h"
#include "row/row.h"
#include "session/exchange.h"

/*
 * The rows that a scan reads, and the user who reads them.  Everything that it
 * points to has to live as long as the statement.
 */
typedef struct RemoteQuery
{
	Oid			userid;
	Oid			serverid;
	Oid			relid;
	const TableOptions *options;
	RowMap	   *map;			/* the columns */
	ExchangeCounters *counters; /* of the scan */
	TupleTableSlot *fetch_slot; /* virtual, for rows to be stored */
	bool	   *has_table;		/* set when the custom table was found */
	bool	   *has_fallen_back;	/* set when the resource's fallback is read */
} RemoteQuery;

typedef struct RemoteResult RemoteResult;

/*
 * Starts a remote query, for one reader.  The result lives in a memory context
 * of its own below "parent", whose callback cleans up after an error.  With
 * "materialize" all readers get all rows.  With a key the complete result is
 * added to the session's cache.
 */
extern RemoteResult *remote_result_create(const RemoteQuery *query,
										  const RequestFilter *filter,
										  MemoryContext parent,
										  bool materialize,
										  const char *cache_key);

/* Adds a reader. */
extern void remote_result_attach(RemoteResult *result);

/* The materialized rows; not open if there are none (see result_cache.h). */
extern const CacheReader *
remote_result_materialized(const RemoteResult *result);

/* The conditions of the query, with the values that they had. */
extern const RequestFilter *remote_result_filter(const RemoteResult *result);

/*
 * Stores the next row in one of two slots, a virtual one and one for minimal
 * tuples, and returns that slot.  NULL after the last row; or, if it may not
 * "sleep", when there is no row yet, in which case the result is not finished.
 */
extern TupleTableSlot *remote_result_next(RemoteResult *result,
										  TupleTableSlot *slot,
										  TupleTableSlot *fetched_slot,
										  bool sleep);
extern bool remote_result_is_finished(const RemoteResult *result);

/* Whether the rest of the rows takes no further request. */
extern bool remote_result_is_last_response(const RemoteResult *result);

/*
 * A channel that becomes readable when there may be a row.  The result must not
 * be finished.
 */
extern HttpChannel *remote_result_channel(const RemoteResult *result);

/* Removes a reader; the last one ends the exchanges and frees the result. */
extern void remote_result_detach(RemoteResult *result);

/* ------------------------------------------------------------------------
 * Without a request
 * ------------------------------------------------------------------------
 */

/* Whether the query starts with a search for the ids of all employees. */
extern bool remote_query_needs_ids(const RemoteQuery *query,
								   const RequestFilter *filter);

/* The requests for a filter; of a field split, those for the first part. */
extern Request *remote_query_requests(const RemoteQuery *query,
									  const RequestFilter *filter);

/*
 * For the session's cache: a key of everything that the rows depend on, with the
 * version of the credentials, and the columns of the rows.
 */
extern const char *remote_query_key(const RemoteQuery *query,
									const RequestFilter *filter,
									uint64 credentials_version);
extern Bitmapset *remote_query_columns(const RemoteQuery *query);

#endif							/* HIBOB_REMOTE_REMOTE_QUERY_H */
