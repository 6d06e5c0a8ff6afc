/*
 * shared_scan.c
 *		Scans of one statement that need the same answer.
 *
 * The executor begins all scans of a statement before it runs any of them: so
 * when the first one asks, it is known who else wants the same rows, and which
 * columns of them.
 *
 * Knows plans; nothing of requests, nor of how rows are kept.
 */
#include "postgres.h"

#include "fdw/shared_scan.h"
#include "utils/memutils.h"

/* Of all statements that are under way in this session. */
static List *members = NIL;

static bool
can_share(const SharedScan *a, const SharedScan *b)
{
	return a->estate == b->estate && a->relid == b->relid &&
		a->userid == b->userid && a->plan->limit == 0 && b->plan->limit == 0 &&
		equal(a->plan->filters, b->plan->filters) &&
		equal(a->plan->comparisons, b->plan->comparisons) &&
		equal(a->exprs, b->exprs);
}

void
shared_scan_join(SharedScan *member)
{
	MemoryContext old;
	List	   *attnums = member->attnums;
	ListCell   *lc;

	foreach(lc, members)
	{
		SharedScan *other = lfirst(lc);

		if (!other->started && can_share(member, other))
		{
			attnums = list_union_int(attnums, other->attnums);
			other->has_others = true;
			member->has_others = true;
		}
	}
	member->attnums = attnums;
	foreach(lc, members)
	{
		SharedScan *other = lfirst(lc);

		if (!other->started && can_share(member, other))
			other->attnums = attnums;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	members = lappend(members, member);
	MemoryContextSwitchTo(old);
}

SharedScan *
shared_scan_find_started(const SharedScan *member)
{
	ListCell   *lc;

	if (!member->has_others)
		return NULL;
	foreach(lc, members)
	{
		SharedScan *other = lfirst(lc);

		if (other != member && other->started && can_share(member, other) &&
			list_difference_int(member->attnums, other->attnums) == NIL)
			return other;
	}
	return NULL;
}

void
shared_scan_leave(SharedScan *member)
{
	members = list_delete_ptr(members, member);
}
