/*
 * gather.c
 *		Rows out of many answers.
 *
 * A page is read to its end before its first row is handed out: then the next
 * one is already asked for while the query still works on this one.  A page
 * has at most 200 entries, so that is little to hold.
 *
 * Until HiBob has answered once, only one lane asks: its answer tells how many
 * requests are left, and whether asking makes sense at all.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "gather.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* More than a page has; what is read ahead is to be little. */
#define ROUND_ROWS 500

void
gather_start(RowGather *gather, ConnectionLease *lease, TupleTableSlot *slot)
{
	gather->context = CurrentMemoryContext;
	gather->row_context = AllocSetContextCreate(CurrentMemoryContext,
												"hibob_fdw gathered row",
												ALLOCSET_DEFAULT_SIZES);
	gather->slot = slot;
	gather->rows = tuplestore_begin_heap(false, false, work_mem);
	gather->leases[0] = *lease;
	lease->connection = NULL;
	lease->channel = NULL;
}

/* A further lane; the first one has its lease already. */
static void
add_lane(RowGather *gather)
{
	MemoryContext old = MemoryContextSwitchTo(gather->context);
	ConnectionLease *lease = &gather->leases[gather->nlanes];

	if (lease->connection == NULL)
		connection_borrow_another(&gather->leases[0], lease);
	gather->lanes[gather->nlanes] =
		response_create(gather->subject, lease, gather->request, gather->map,
						gather->counters, gather->findings,
						!request_is_short(gather->request));
	gather->ended[gather->nlanes] = false;
	gather->nlanes++;
	MemoryContextSwitchTo(old);
}

/* Whether a lane was added. */
static bool
may_add_lane(RowGather *gather)
{
	if (gather->nlanes > 0 &&
		(gather->nlanes == GATHER_LANES ||
		 !response_was_answered(gather->lanes[0]) ||
		 !request_has_more(gather->request)))
		return false;
	add_lane(gather);
	return true;
}

static void
keep_row(RowGather *gather, const Response *lane)
{
	MemoryContext old = MemoryContextSwitchTo(gather->row_context);

	row_map_store(gather->map, response_record(lane), gather->slot);
	tuplestore_puttupleslot(gather->rows, gather->slot);
	ExecClearTuple(gather->slot);
	MemoryContextSwitchTo(old);
	MemoryContextReset(gather->row_context);
	gather->has_rows = true;
}

/*
 * Reads what has come for a lane.  Returns how that ended: at a page's end it
 * stops, so that the page's rows are handed out before the next one is read;
 * and it does as if one had ended where answers are short and many.
 */
static ResponseResult
read_lane(RowGather *gather, Response *lane)
{
	ResponseResult result;

	for (int n = 0; n < ROUND_ROWS; n++)
	{
		result = response_advance(lane, false);
		if (result != RESPONSE_ROW)
			return result;
		keep_row(gather, lane);
	}
	return RESPONSE_PAGE;
}

/* How reading what has come for all lanes ended. */
typedef struct Round
{
	bool		paged;			/* some lane is at the end of a page */
	Exchange   *waiting[GATHER_LANES];	/* of the lanes that have to sleep */
	int			nwaiting;
} Round;

static void
read_lanes(RowGather *gather, Round *round)
{
	round->paged = false;
	round->nwaiting = 0;
	for (int i = 0; i < gather->nlanes; i++)
	{
		if (gather->ended[i])
			continue;
		switch (read_lane(gather, gather->lanes[i]))
		{
			case RESPONSE_WAIT:
				round->waiting[round->nwaiting++] =
					response_exchange(gather->lanes[i]);
				break;
			case RESPONSE_END:
				gather->ended[i] = true;
				break;
			default:
				round->paged = true;
				break;
		}
	}
}

/* Takes a row that was read ahead. */
static bool
take_row(RowGather *gather, TupleTableSlot *slot)
{
	MemoryContext old;
	bool		found;

	if (!gather->has_rows)
		return false;

	/* The slot frees the row it has: it must not lie in a row's memory. */
	old = MemoryContextSwitchTo(slot->tts_mcxt);
	found = tuplestore_gettupleslot(gather->rows, true, true, slot);
	MemoryContextSwitchTo(old);
	if (!found)
	{
		tuplestore_clear(gather->rows);
		gather->has_rows = false;
	}
	return found;
}

/*
 * Reads until rows can be handed out: at the end of a page, or whenever there
 * are any if several lanes read.
 */
static ResponseResult
read_ahead(RowGather *gather, bool sleep)
{
	for (;;)
	{
		Round		round;

		CHECK_FOR_INTERRUPTS();
		read_lanes(gather, &round);
		if (gather->has_rows && (round.paged || gather->nlanes > 1))
			return RESPONSE_ROW;
		if (may_add_lane(gather))
			continue;
		if (round.nwaiting == 0 && !round.paged)
			return gather->has_rows ? RESPONSE_ROW : RESPONSE_END;
		if (!round.paged && !sleep)
			return RESPONSE_WAIT;
		if (!round.paged)
			exchange_wait_any(round.waiting, round.nwaiting);
	}
}

ResponseResult
gather_next(RowGather *gather, TupleTableSlot *slot, bool sleep)
{
	ResponseResult result = RESPONSE_ROW;

	while (result == RESPONSE_ROW && !take_row(gather, slot))
		result = read_ahead(gather, sleep);
	return result;
}

bool
gather_carried(const RowGather *gather, const RowColumn *column)
{
	for (int i = 0; i < gather->nlanes; i++)
		if (response_carried(gather->lanes[i], column))
			return true;
	return false;
}

void
gather_stop(RowGather *gather)
{
	gather_release(gather);
	gather->nlanes = 0;
	if (gather->rows != NULL)
		tuplestore_end(gather->rows);
	gather->rows = NULL;
}

void
gather_release(RowGather *gather)
{
	for (int i = 0; i < gather->nlanes; i++)
		response_stop(gather->lanes[i]);
	for (int i = 0; i < GATHER_LANES; i++)
		connection_return(&gather->leases[i]);
}
