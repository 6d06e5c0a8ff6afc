/*
 * scan.h
 *		Execution of a foreign scan, including asynchronous execution under an
 *		Append.
 */
#ifndef HIBOB_FDW_SCAN_H
#define HIBOB_FDW_SCAN_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "remote/request.h"
#include "session/exchange.h"

extern void hibobBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *hibobIterateForeignScan(ForeignScanState *node);
extern void hibobReScanForeignScan(ForeignScanState *node);
extern void hibobEndForeignScan(ForeignScanState *node);

/* Asynchronous execution under an Append. */
extern bool hibobIsForeignPathAsyncCapable(ForeignPath *path);
extern void hibobForeignAsyncRequest(AsyncRequest *areq);
extern void hibobForeignAsyncConfigureWait(AsyncRequest *areq);
extern void hibobForeignAsyncNotify(AsyncRequest *areq);

/*
 * For EXPLAIN: the first request that the scan made or, if it did not run,
 * would make.  False if it needs none.  "unknown" stands for the value of a
 * condition that depends on the running query.
 */
extern bool scan_first_call(ForeignScanState *node, const char *unknown,
							RequestCall *call);

/* For EXPLAIN: whether the scan first reads the ids of all employees. */
extern bool scan_needs_ids(ForeignScanState *node);
extern const Resource *scan_resource(ForeignScanState *node);

/*
 * For EXPLAIN: the indexes of the conditions in the plan's qual that are not
 * sent to HiBob.
 */
extern List *scan_local_conditions(ForeignScanState *node);

/* The counters of all runs so far. */
extern const ExchangeCounters *scan_counters(ForeignScanState *node);

/* Runs that read rows of another scan, or of an earlier statement. */
extern uint64 scan_cache_hits(ForeignScanState *node);

#endif							/* HIBOB_FDW_SCAN_H */
