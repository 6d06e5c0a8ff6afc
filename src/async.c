/*
 * async.c
 *		Tables that are read at the same time, under an Append.
 *
 * Each table's request is sent when the Append first asks for a row, and none
 * is waited for alone: so several accounts take as long as the slowest.  What
 * cannot be read without sleeping somewhere (ids first, reports) is read at
 * once instead.
 */
#include "postgres.h"

#include "async.h"
#include "executor/execAsync.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "paths.h"
#include "scan.h"
#include "storage/latch.h"

/*
 * The Append's wait does not heed interrupts in all versions, nor our own
 * timers: it is made to look around so often, in ms.
 */
#define TICK 25

bool
async_is_capable(ForeignPath *path)
{
	const RelPlan *plan = path->path.parent->fdw_private;

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
async_request(AsyncRequest *areq)
{
	produce(areq);
}

void
async_configure_wait(AsyncRequest *areq)
{
	ForeignScanState *node = castNode(ForeignScanState, areq->requestee);
	AppendState *append = castNode(AppendState, areq->requestor);
	int			descriptor = http_channel_descriptor(scan_channel(node), TICK);

	AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE, descriptor,
					  NULL, areq);
}

void
async_notify(AsyncRequest *areq)
{
	produce(areq);
}
