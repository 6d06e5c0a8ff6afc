/*
 * gather.h
 *		Rows out of many answers: pages, or one answer for each of many
 *		employees.
 *
 * A few lanes read at once, each over a channel of its own; what they have read
 * ahead waits in a tuplestore.  The rows' order means nothing.
 */
#ifndef GATHER_H
#define GATHER_H

#include "postgres.h"

#include "connection.h"
#include "executor/tuptable.h"
#include "response.h"
#include "row.h"
#include "utils/tuplestore.h"

#define GATHER_LANES 4

/*
 * Zeroed before it is used.  It and its lanes lie in memory that outlives an
 * error, so that gather_release() can be called then.
 */
typedef struct RowGather
{
	const ErrorSubject *subject;
	Request    *request;
	RowMap	   *map;
	ExchangeCounters *counters;
	ResponseFindings *findings;
	ConnectionLease leases[GATHER_LANES];
	Response   *lanes[GATHER_LANES];
	bool		ended[GATHER_LANES];
	int			nlanes;
	Tuplestorestate *rows;		/* read ahead */
	bool		has_rows;		/* it may have some */
	MemoryContext context;		/* of the lanes */
	MemoryContext row_context;	/* of a row that is being read */
	TupleTableSlot *slot;		/* virtual, for rows on their way in */
} RowGather;

/*
 * Starts; "slot" is a virtual one.  The lanes live in the present memory
 * context.  The first lane's lease is taken from the caller.
 */
extern void gather_start(RowGather *gather, ConnectionLease *lease,
						 TupleTableSlot *slot);

/*
 * Stores the next row in a slot for minimal tuples.  Only if it may "sleep" it
 * never returns RESPONSE_WAIT; RESPONSE_PAGE it never does.
 */
extern ResponseResult gather_next(RowGather *gather, TupleTableSlot *slot,
								  bool sleep);

extern bool gather_carried(const RowGather *gather, const RowColumn *column);

/* Gives all back, the rows too. */
extern void gather_stop(RowGather *gather);

/*
 * Ends what is under way and gives the channels back: all that has to happen
 * when an error has ended the query.  Never raises an error.
 */
extern void gather_release(RowGather *gather);

#endif							/* GATHER_H */
