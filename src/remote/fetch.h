/*
 * metadata_fetch.h
 *		Rows out of many answers: pages, or one answer for each of many
 *		employees.
 *
 * A few lanes read at once, each over a channel of its own; what they have read
 * ahead waits in a tuplestore.  The rows' order means nothing.
 */
#ifndef HIBOB_REMOTE_FETCH_H
#define HIBOB_REMOTE_FETCH_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "remote/response.h"
#include "row/row.h"
#include "session/connection.h"
#include "utils/tuplestore.h"

#define FETCH_STREAMS 4

/*
 * Zeroed before it is used.  It and its lanes lie in memory that outlives an
 * error, so that fetch_release() can be called then.
 */
typedef struct ParallelFetch
{
	const ErrorSubject *subject;
	Request    *request;
	RowMap	   *map;
	ExchangeCounters *counters;
	ResponseFindings *findings;
	AcquiredChannel acquired[FETCH_STREAMS];
	Response   *streams[FETCH_STREAMS];
	bool		ended[FETCH_STREAMS];
	int			nstreams;
	Tuplestorestate *rows;		/* read ahead */
	bool		has_rows;		/* it may have some */
	MemoryContext context;		/* of the lanes */
	MemoryContext row_context;	/* of a row that is being read */
	TupleTableSlot *slot;		/* virtual, for rows on their way in */
} ParallelFetch;

/*
 * Starts; "slot" is a virtual one.  The lanes live in the present memory
 * context.  The first lane's lease is taken from the caller.
 */
extern void fetch_start(ParallelFetch *fetch, AcquiredChannel *acquired,
						TupleTableSlot *slot);

/*
 * Stores the next row in a slot for minimal tuples.  Only if it may "sleep" it
 * never returns RESPONSE_WAIT; RESPONSE_PAGE it never does.
 */
extern ResponseResult fetch_next(ParallelFetch *fetch, TupleTableSlot *slot,
								 bool sleep);

extern bool fetch_has_field(const ParallelFetch *fetch,
							const RowColumn *column);

/* Gives all back, the rows too. */
extern void fetch_stop(ParallelFetch *fetch);

/*
 * Ends what is under way and gives the channels back: all that has to happen
 * when an error has ended the query.  Never raises an error.
 */
extern void fetch_release(ParallelFetch *fetch);

#endif							/* HIBOB_REMOTE_FETCH_H */
