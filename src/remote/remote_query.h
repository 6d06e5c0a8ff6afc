/*
 * remote_query.h
 *		What HiBob answers in one run through a table: from conditions with
 *		their present values to rows.
 *
 * An answer may have several readers, scans of one statement that need the
 * same; whoever wants a row that has not come yet makes the answer go on.
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
 * Who asks what.  All that it points to has to live as long as the statement.
 */
typedef struct RemoteQuery
{
	Oid			userid;
	Oid			serverid;
	Oid			relid;
	const TableOptions *options;
	RowMap	   *map;			/* the columns */
	ExchangeCounters *counters; /* added to */
	TupleTableSlot *fetch_slot;	/* virtual, for rows on their way */
	bool	   *has_table;		/* noted: HiBob has shown the custom table */
} RemoteQuery;

typedef struct RemoteResult RemoteResult;

/*
 * Asks, for the first of the readers.  The answer lies in memory of its own
 * below "parent", which cleans up after itself if an error ends the statement.
 * If rows are to be kept, all readers see all of them; and with a key they
 * are published in the session's cache when the last one has come.
 */
extern RemoteResult *remote_result_create(const RemoteQuery *query,
										  const RequestFilter *filter,
										  MemoryContext parent, bool keep,
										  const char *cache_key);

/* A further reader. */
extern void remote_result_attach(RemoteResult *result);

/* Its rows so far and to come, or a reader that is not open: see result_cache.h. */
extern const CacheReader *
remote_result_materialized(const RemoteResult *result);

/*
 * The conditions that it answers: with the values that they had.
 */
extern const RequestFilter *remote_result_filter(const RemoteResult *result);

/*
 * Reads the next row into one of two slots, a virtual one and one for minimal
 * tuples.  NULL after the last; or, unless it may "sleep", if there is none
 * yet: it is not finished then.
 */
extern TupleTableSlot *remote_result_next(RemoteResult *result,
										  TupleTableSlot *slot,
										  TupleTableSlot *gathered, bool sleep);
extern bool remote_result_is_finished(const RemoteResult *result);

/* Of one that is not finished: a channel that tells when to ask again. */
extern HttpChannel *remote_result_channel(const RemoteResult *result);

/* One reader less; the last one ends what is under way. */
extern void remote_result_detach(RemoteResult *result);

/* ------------------------------------------------------------------------
 * Before anything is asked
 * ------------------------------------------------------------------------
 */

/*
 * Whether everybody's ids have to be known first.
 */
extern bool remote_query_needs_ids(const RemoteQuery *query,
								   const RequestFilter *filter);

/* The requests for a filter; of wide rows, those for their first part. */
extern Request *remote_query_requests(const RemoteQuery *query,
									  const RequestFilter *filter);

/*
 * For the session's cache: a key of all that the rows depend on, and the
 * columns that they have, which may be more than somebody needs.
 */
extern const char *remote_query_key(const RemoteQuery *query,
									const RequestFilter *filter);
extern Bitmapset *remote_query_columns(const RemoteQuery *query);

#endif							/* HIBOB_REMOTE_REMOTE_QUERY_H */
