/*
 * shared_scan.h
 *		Scans of one statement that need the same answer: the first one to run
 *		asks, for the columns of all of them, and the others read what it keeps.
 */
#ifndef HIBOB_FDW_SHARED_SCAN_H
#define HIBOB_FDW_SHARED_SCAN_H

#include "postgres.h"

#include "fdw/plan.h"
#include "nodes/execnodes.h"

/* A scan, as far as that is concerned; part of the scan's own struct. */
typedef struct SharedScan
{
	EState	   *estate;
	Oid			relid;
	Oid			userid;
	const ScanPlan *plan;
	List	   *exprs;			/* the values of its clauses */
	List	   *attnums;		/* the columns to ask for: its own, and those of
								 * the others */
	bool		has_others;		/* rows have to be kept for them */
	bool		started;		/* its columns are settled */
	void	   *scan;
} SharedScan;

/*
 * Adds a scan that has not started.  Members that can share with it, and have
 * not started either, get its columns, and it theirs.
 */
extern void shared_scan_join(SharedScan *member);

/* Another member that has started, or NULL. */
extern SharedScan *shared_scan_find_started(const SharedScan *member);

/* Does nothing for one that has not joined.  Never raises an error. */
extern void shared_scan_leave(SharedScan *member);

#endif							/* HIBOB_FDW_SHARED_SCAN_H */
