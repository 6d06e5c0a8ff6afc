/*
 * fetch.h
 *		Rows of many responses, such as pages or one response for each employee,
 *		which several streams read at the same time.
 *
 * Each stream has a channel of its own.  Rows that are read ahead are in a
 * tuplestore.  The order of the rows is not defined.
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
 * Zeroed before use.  It and its streams must be in memory that lives until an
 * error was handled, because fetch_release() is called then.
 */
typedef struct ParallelFetch
{
	const ErrorSubject *subject;
	Request    *request;
	RowMap	   *map;
	ExchangeCounters *counters;
	ResponseSummary *summary;
	AcquiredChannel acquired[FETCH_STREAMS];
	Response   *streams[FETCH_STREAMS];
	bool		ended[FETCH_STREAMS];
	int			nstreams;
	Tuplestorestate *rows;		/* read ahead */
	bool		has_rows;		/* it may have some */
	MemoryContext context;		/* of the streams */
	MemoryContext row_context;	/* of the values of a row */
	TupleTableSlot *slot;		/* virtual, for rows to be stored */
} ParallelFetch;

/*
 * "slot" is virtual.  The streams live in the current memory context.  The
 * first stream takes over the caller's channel.
 */
extern void fetch_start(ParallelFetch *fetch, AcquiredChannel *acquired,
						TupleTableSlot *slot);

/*
 * Stores the next row in a slot for minimal tuples.  Returns RESPONSE_WAIT
 * only if it may not "sleep", and never RESPONSE_PAGE.
 */
extern ResponseResult fetch_next(ParallelFetch *fetch, TupleTableSlot *slot,
								 bool sleep);

/* Whether any row had the field of a column. */
extern bool fetch_has_field(const ParallelFetch *fetch,
							const RowColumn *column);

/* Ends the exchanges, releases the channels and frees the rows. */
extern void fetch_stop(ParallelFetch *fetch);

/* Ends the exchanges and releases the channels.  Never raises an error. */
extern void fetch_release(ParallelFetch *fetch);

#endif							/* HIBOB_REMOTE_FETCH_H */
