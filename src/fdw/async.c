/*
 * async.c
 *		Tables that are read at the same time, under an Append.
 *
 * Each table's request is sent when the Append first asks for a row, and none
 * is waited for alone: so several accounts take as long as the slowest.  What
 * cannot be read without sleeping somewhere (ids first, reports) is read at
 * once instead.
 *
 * Scans that share an answer wait for one channel: the first of them is woken,
 * and the others look for what it has kept the next time that the Append would
 * sleep.
 */
#include "postgres.h"

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "fdw/async.h"
#include "fdw/paths.h"
#include "fdw/scan.h"
#include "nodes/execnodes.h"
#include "storage/latch.h"

/*
 * The Append's wait does not heed interrupts in all versions, nor our own
 * timers: it is made to look around so often, in ms.
 */
#define TICK 25

bool
hibobIsForeignPathAsyncCapable(ForeignPath *path)
{
	const HibobFdwRelationInfo *plan = path->path.parent->fdw_private;

	return plan->async_capable;
}

/*
 * Hands out the next row, or says that the table waits.  The node's own
 * function is called, so that conditions and targets are seen to.
 */
static void
produce(AsyncRequest *areq)
{
	ForeignScanState *node = castNode(ForeignScanState, areq->requestee);
	TupleTableSlot *slot = node->ss.ps.ExecProcNodeReal(&node->ss.ps);

	if (TupIsNull(slot) && scan_is_waiting(node))
		ExecAsyncRequestPending(areq);
	else
		ExecAsyncRequestDone(areq, slot);
}

void
hibobForeignAsyncRequest(AsyncRequest *areq)
{
	produce(areq);
}

/* Looks for what has come by another reader of the same answer. */
static void
look_again(AsyncRequest *areq)
{
	Instrumentation *instrument = areq->requestee->instrument;

	areq->callback_pending = false;
	produce(areq);
	ExecAsyncResponse(areq);
	if (instrument != NULL && areq->request_complete &&
		!TupIsNull(areq->result))
		InstrUpdateTupleCount(instrument, 1);
}

/* Whether the Append waits for the channel already, for another scan. */
static bool
is_waited_for(const AsyncRequest *areq, const HttpChannel *channel)
{
	const AppendState *append = castNode(AppendState, areq->requestor);
	int			i = -1;

	while ((i = bms_next_member(append->as_asyncplans, i)) >= 0)
	{
		const AsyncRequest *other = append->as_asyncrequests[i];
		const ForeignScanState *node = (ForeignScanState *) other->requestee;

		if (other == areq)
			break;
		if (other->callback_pending && IsA(node, ForeignScanState) &&
			node->fdwroutine->ForeignAsyncConfigureWait ==
			hibobForeignAsyncConfigureWait &&
			scan_channel(node) == channel)
			return true;
	}
	return false;
}

void
hibobForeignAsyncConfigureWait(AsyncRequest *areq)
{
	ForeignScanState *node = castNode(ForeignScanState, areq->requestee);
	AppendState *append = castNode(AppendState, areq->requestor);
	HttpChannel *channel;

	if (scan_has_more(node))
		look_again(areq);
	if (!areq->callback_pending)
		return;
	channel = scan_channel(node);
	if (is_waited_for(areq, channel))
		return;
	AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE,
					  http_channel_descriptor(channel, TICK), NULL, areq);
}

void
hibobForeignAsyncNotify(AsyncRequest *areq)
{
	produce(areq);
}
