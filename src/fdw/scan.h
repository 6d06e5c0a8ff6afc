/*
 * scan.h
 *		From a scan plan to tuples.
 */
#ifndef HIBOB_FDW_SCAN_H
#define HIBOB_FDW_SCAN_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "remote/request.h"
#include "session/exchange.h"

extern void hibobBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *hibobIterateForeignScan(ForeignScanState *node);
extern void hibobReScanForeignScan(ForeignScanState *node);
extern void hibobEndForeignScan(ForeignScanState *node);

/*
 * Under an asynchronous Append: whether there was no row only because one would
 * have had to be waited for; and a channel that tells when to ask again.
 */
extern bool scan_is_waiting(const ForeignScanState *node);
extern HttpChannel *scan_channel(const ForeignScanState *node);

/* Whether one that is waiting need not any more: others read the same answer. */
extern bool scan_has_more(const ForeignScanState *node);

/*
 * For EXPLAIN: the first request that the scan made or, where it did not run,
 * would make.  False if it needs none.  "unknown" stands for the filter's
 * value if only the running query can tell it.
 */
extern bool scan_first_call(ForeignScanState *node, const char *unknown,
							RequestCall *call);

/* For EXPLAIN: whether the scan starts with a search for everybody's ids. */
extern bool scan_needs_ids(ForeignScanState *node);
extern const Resource *scan_resource(ForeignScanState *node);

/*
 * For EXPLAIN: the indexes of the plan's conditions that HiBob does not get.
 */
extern List *scan_local_conditions(ForeignScanState *node);

/* What the scan took so far, over all its runs. */
extern const ExchangeCounters *scan_counters(ForeignScanState *node);

/* Runs that were answered from rows kept by an earlier statement. */
extern uint64 scan_cache_hits(ForeignScanState *node);

#endif							/* HIBOB_FDW_SCAN_H */
