/*
 * share.c
 *		Scans of one statement that need the same answer.
 *
 * The executor begins all scans of a statement before it runs any of them: so
 * when the first one asks, it is known who else wants the same rows, and which
 * columns of them.
 *
 * Knows plans; nothing of requests, nor of how rows are kept.
 */
#include "postgres.h"

#include "share.h"
#include "utils/memutils.h"

/* Of all statements that are under way in this session. */
static List *members = NIL;

static bool
can_share(const ShareMember *a, const ShareMember *b)
{
	return a->estate == b->estate && a->relid == b->relid &&
		a->userid == b->userid && a->plan->limit == 0 && b->plan->limit == 0 &&
		equal(a->plan->filters, b->plan->filters) &&
		equal(a->plan->comparisons, b->plan->comparisons) &&
		equal(a->exprs, b->exprs);
}

void
share_join(ShareMember *member)
{
	MemoryContext old;
	List	   *attnums = member->attnums;
	ListCell   *lc;

	foreach(lc, members)
	{
		ShareMember *other = lfirst(lc);

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
		ShareMember *other = lfirst(lc);

		if (!other->started && can_share(member, other))
			other->attnums = attnums;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	members = lappend(members, member);
	MemoryContextSwitchTo(old);
}

ShareMember *
share_find_started(const ShareMember *member)
{
	ListCell   *lc;

	if (!member->has_others)
		return NULL;
	foreach(lc, members)
	{
		ShareMember *other = lfirst(lc);

		if (other != member && other->started && can_share(member, other) &&
			list_difference_int(member->attnums, other->attnums) == NIL)
			return other;
	}
	return NULL;
}

void
share_leave(ShareMember *member)
{
	members = list_delete_ptr(members, member);
}
