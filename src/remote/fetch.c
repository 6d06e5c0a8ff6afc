/*
 * fetch.c
 *		Rows of many responses.
 *
 * A page is read to its end before its first row is returned: the next page is
 * then requested while the query processes this one.  A page has at most 200
 * entries, so few rows are buffered.
 *
 * Until the first response arrives there is only one stream: the response shows
 * how many requests the rate limit leaves, and errors that concern all
 * requests.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "remote/fetch.h"
#include "utils/memutils.h"

/* Rows that a stream reads before they are returned; a page has fewer. */
#define ROUND_ROWS 500

void
fetch_start(ParallelFetch *fetch, AcquiredChannel *acquired,
			TupleTableSlot *slot)
{
	fetch->context = CurrentMemoryContext;
	fetch->row_context = AllocSetContextCreate(CurrentMemoryContext,
											   "hibob_fdw fetched row",
											   ALLOCSET_DEFAULT_SIZES);
	fetch->slot = slot;
	fetch->rows = tuplestore_begin_heap(false, false, work_mem);
	fetch->acquired[0] = *acquired;
	acquired->connection = NULL;
	acquired->channel = NULL;
}

/*
 * Adds a stream.  False if there is no channel for it; only the first stream,
 * whose channel comes from the caller, is required.
 */
static bool
add_stream(ParallelFetch *fetch)
{
	AcquiredChannel *acquired = &fetch->acquired[fetch->nstreams];
	MemoryContext old;

	if (acquired->connection == NULL &&
		!connection_acquire_another(&fetch->acquired[0], acquired))
		return false;
	old = MemoryContextSwitchTo(fetch->context);
	fetch->streams[fetch->nstreams] =
		response_create(fetch->subject, acquired, fetch->request, fetch->map,
						fetch->counters, fetch->summary,
						!request_expects_one_page(fetch->request));
	fetch->ended[fetch->nstreams] = false;
	fetch->nstreams++;
	MemoryContextSwitchTo(old);
	return true;
}

/* Adds a stream if there are requests for it.  False if there are none. */
static bool
try_add_stream(ParallelFetch *fetch)
{
	if (fetch->nstreams > 0 &&
		(fetch->nstreams == FETCH_STREAMS ||
		 !response_has_begun(fetch->streams[0]) ||
		 !request_has_more(fetch->request)))
		return false;
	return add_stream(fetch);
}

static void
store_row(ParallelFetch *fetch, const Response *stream)
{
	MemoryContext old = MemoryContextSwitchTo(fetch->row_context);

	row_map_store(fetch->map, response_record(stream), fetch->slot);
	tuplestore_puttupleslot(fetch->rows, fetch->slot);
	ExecClearTuple(fetch->slot);
	MemoryContextSwitchTo(old);
	MemoryContextReset(fetch->row_context);
	fetch->has_rows = true;
}

/*
 * Reads the bytes that have arrived for a stream.  Stops at the end of a page,
 * so that its rows are returned before the next page is read, and after
 * ROUND_ROWS rows of many short responses.
 */
static ResponseResult
read_stream(ParallelFetch *fetch, Response *stream)
{
	ResponseResult result;

	for (int n = 0; n < ROUND_ROWS; n++)
	{
		result = response_advance(stream, false);
		if (result != RESPONSE_ROW)
			return result;
		store_row(fetch, stream);
	}
	return RESPONSE_PAGE;
}

/* The result of reading all streams once. */
typedef struct Round
{
	bool		paged;			/* some stream is at the end of a page */
	Exchange   *waiting[FETCH_STREAMS];	/* of the streams that have to sleep */
	int			nwaiting;
} Round;

static void
read_streams(ParallelFetch *fetch, Round *round)
{
	round->paged = false;
	round->nwaiting = 0;
	for (int i = 0; i < fetch->nstreams; i++)
	{
		if (fetch->ended[i])
			continue;
		switch (read_stream(fetch, fetch->streams[i]))
		{
			case RESPONSE_WAIT:
				round->waiting[round->nwaiting++] =
					response_exchange(fetch->streams[i]);
				break;
			case RESPONSE_END:
				fetch->ended[i] = true;
				break;
			default:
				round->paged = true;
				break;
		}
	}
}

/* Returns a row that was read ahead. */
static bool
next_stored_row(ParallelFetch *fetch, TupleTableSlot *slot)
{
	MemoryContext old;
	bool		found;

	if (!fetch->has_rows)
		return false;

	/* The slot frees its tuple, so that is allocated in the slot's memory. */
	old = MemoryContextSwitchTo(slot->tts_mcxt);
	found = tuplestore_gettupleslot(fetch->rows, true, true, slot);
	MemoryContextSwitchTo(old);
	if (!found)
	{
		tuplestore_clear(fetch->rows);
		fetch->has_rows = false;
	}
	return found;
}

/*
 * Reads until rows can be returned: at the end of a page or, with several
 * streams, as soon as there are any.
 */
static ResponseResult
read_ahead(ParallelFetch *fetch, bool sleep)
{
	for (;;)
	{
		Round		round;

		CHECK_FOR_INTERRUPTS();
		read_streams(fetch, &round);
		if (fetch->has_rows && (round.paged || fetch->nstreams > 1))
			return RESPONSE_ROW;
		if (try_add_stream(fetch))
			continue;
		if (round.nwaiting == 0 && !round.paged)
			return fetch->has_rows ? RESPONSE_ROW : RESPONSE_END;
		if (!round.paged && !sleep)
			return RESPONSE_WAIT;
		if (!round.paged)
			exchange_wait_any(round.waiting, round.nwaiting);
	}
}

ResponseResult
fetch_next(ParallelFetch *fetch, TupleTableSlot *slot, bool sleep)
{
	ResponseResult result = RESPONSE_ROW;

	while (result == RESPONSE_ROW && !next_stored_row(fetch, slot))
		result = read_ahead(fetch, sleep);
	return result;
}

bool
fetch_has_field(const ParallelFetch *fetch, const RowColumn *column)
{
	for (int i = 0; i < fetch->nstreams; i++)
		if (response_has_field(fetch->streams[i], column))
			return true;
	return false;
}

void
fetch_stop(ParallelFetch *fetch)
{
	fetch_release(fetch);
	fetch->nstreams = 0;
	if (fetch->rows != NULL)
		tuplestore_end(fetch->rows);
	fetch->rows = NULL;
}

void
fetch_release(ParallelFetch *fetch)
{
	for (int i = 0; i < fetch->nstreams; i++)
		response_stop(fetch->streams[i]);
	for (int i = 0; i < FETCH_STREAMS; i++)
		connection_release(&fetch->acquired[i]);
}
