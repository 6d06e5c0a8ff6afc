/*
 * share.h
 *		Scans of one statement that need the same answer: the first one to run
 *		asks, for the columns of all of them, and the others read what it keeps.
 */
#ifndef SHARE_H
#define SHARE_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "plan.h"

/* A scan, as far as that is concerned; part of the scan's own struct. */
typedef struct ShareMember
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
} ShareMember;

/*
 * Adds a scan that has not started.  Members that can share with it, and have
 * not started either, get its columns, and it theirs.
 */
extern void share_join(ShareMember *member);

/* Another member that has started, or NULL. */
extern ShareMember *share_find_started(const ShareMember *member);

/* Does nothing for one that has not joined.  Never raises an error. */
extern void share_leave(ShareMember *member);

#endif							/* SHARE_H */
