/*
 * async.c
 *		Asynchronous execution under an Append: several tables are read at the
 *		same time.
 *
 * Each table's request is sent when the Append first wants a row of it, and the
 * Append waits for all of them together: several accounts take as long as the
 * slowest.  A table that cannot be read without sleeping (it needs ids first, or
 * is a report) is read synchronously.
 *
 * Scans that share a result wait for one channel.  The first of them is woken;
 * the others check for materialized rows the next time that the Append would
 * wait.
 */
#include "postgres.h"

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "fdw/async.h"
#include "fdw/plan.h"
#include "fdw/scan.h"
#include "nodes/execnodes.h"
#include "storage/latch.h"

/*
 * The Append's wait does not check for interrupts in all versions, nor for our
 * timers: it is woken at this interval, in ms.
 */
#define WAKE_INTERVAL 25

bool
hibobIsForeignPathAsyncCapable(ForeignPath *path)
{
	const HibobFdwRelationInfo *fpinfo = path->path.parent->fdw_private;

	return fpinfo->async_capable;
}

/*
 * Returns the next row to the Append, or tells it that the table waits.  The
 * node's own function is called, so that it checks the conditions and projects.
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

/* Returns a row that another reader of the same result has received. */
static void
produce_shared(AsyncRequest *areq)
{
	areq->callback_pending = false;
	produce(areq);
	ExecAsyncResponse(areq);
	if (areq->requestee->instrument != NULL && areq->request_complete &&
		!TupIsNull(areq->result))
		InstrUpdateTupleCount(areq->requestee->instrument, 1);
}

/* Whether the Append already waits for the channel, for another scan. */
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
		produce_shared(areq);
	if (!areq->callback_pending)
		return;
	channel = scan_channel(node);
	if (is_waited_for(areq, channel))
		return;
	AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE,
					  http_channel_descriptor(channel, WAKE_INTERVAL), NULL, areq);
}

void
hibobForeignAsyncNotify(AsyncRequest *areq)
{
	produce(areq);
}
