/*
 * scan.c
 *		From a scan plan to tuples: begin, iterate, rescan, end.
 *
 * Begin resolves options and types and makes no request; the first row asks.
 * A scan whose rows may be wanted again keeps them in a store, and asks
 * again only if its filter's values have changed.
 *
 * Knows the executor, and who may answer: HiBob, another scan of the
 * statement, or the session's cache.  How HiBob is asked is in remote_query.c.
 */
#include "postgres.h"

#include "compat.h"
#include "executor/executor.h"
#include "fdw/conditions.h"
#include "fdw/plan.h"
#include "fdw/rescan.h"
#include "fdw/scan.h"
#include "fdw/shared_scan.h"
#include "foreign/foreign.h"
#include "options/options.h"
#include "remote/remote_query.h"
#include "remote/result_cache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

typedef struct HibobFdwScanState
{
	RemoteQuery	query;
	TableOptions *options;
	ScanPlan   *plan;
	RemoteConditions conditions;
	MemoryContext context;		/* of this scan */
	MemoryContext run_context;	/* of one run through the rows */
	MemoryContext statement_context;
	bool		has_table;		/* the custom table, as HiBob has shown */

	/* Runs with values that only the running query can tell. */
	bool		looks_up;
	int			lookups;		/* so far */

	/* Under an Append that reads from several tables at once. */
	bool		async;			/* rather no row than sleep */
	bool		waiting;		/* that was the reason for no row */

	/* The present run. */
	bool		running;
	RequestFilter filter;		/* with the values of this run */
	RemoteResult *result;		/* NULL: the kept rows, if any, are all */

	/* Rows kept for a rescan, for other scans of the statement, or for a time. */
	SharedScan share;
	bool		keep_rows;
	CacheReader kept;
	TupleTableSlot *kept_slot;
	TupleTableSlot *gathered_slot;
	uint64		cache_hits;
} HibobFdwScanState;

/*
 * What has to happen when an error ends the query, too: the answer, which may
 * be gone already, cleans up after itself.
 */
static void
clean_up(void *arg)
{
	HibobFdwScanState  *scan = arg;

	shared_scan_leave(&scan->share);
	cache_close(&scan->kept);
}

/*
 * Makes the scan's own memory, with the clean-up that has to happen even if an
 * error ends the query, before there is anything to clean up.
 */
static HibobFdwScanState *
create_scan(EState *estate)
{
	MemoryContext context = AllocSetContextCreate(estate->es_query_cxt,
												  "hibob_fdw scan",
												  ALLOCSET_DEFAULT_SIZES);
	HibobFdwScanState *scan =
		MemoryContextAllocZero(context, sizeof(HibobFdwScanState));
	MemoryContextCallback *callback =
		MemoryContextAllocZero(context, sizeof(MemoryContextCallback));

	scan->context = context;
	scan->statement_context = estate->es_query_cxt;
	scan->run_context = AllocSetContextCreate(context, "hibob_fdw scan run",
											  ALLOCSET_DEFAULT_SIZES);
	callback->func = clean_up;
	callback->arg = scan;
	MemoryContextRegisterResetCallback(context, callback);
	return scan;
}

/*
 * Offers to share the answer with others.  Not where rows are asked for by
 * values that others do not know.
 */
static void
offer_to_share(HibobFdwScanState *scan, EState *estate, List *exprs)
{
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);

	scan->share.estate = estate;
	scan->share.relid = scan->query.relid;
	scan->share.userid = scan->query.userid;
	scan->share.plan = scan->plan;
	scan->share.exprs = exprs;
	scan->share.attnums = scan->plan->attnums;
	scan->share.scan = scan;
	if (!scan->looks_up)
		shared_scan_join(&scan->share);
	MemoryContextSwitchTo(old);
}

/* The columns to ask for, which are more than our own if others want some. */
static void
settle_columns(HibobFdwScanState *scan, Relation rel)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);
	RowMap	   *map = scan->query.map;

	if (map == NULL || map->ncolumns != list_length(scan->share.attnums))
		scan->query.map = row_map_create(rel, scan->share.attnums,
										 scan->options->resource);
	MemoryContextSwitchTo(old);
}

/*
 * Whether the rows may be wanted a second time.  The executor says so for
 * most; a plan that depends on parameters is run again for each of their
 * values, and some are because of what stands beside them.
 */
static bool
may_rescan(ForeignScanState *node, int eflags)
{
	Plan	   *plan = node->ss.ps.plan;

	return (eflags & EXEC_FLAG_REWIND) != 0 || !bms_is_empty(plan->allParam) ||
		rescan_is_possible(node->ss.ps.state->es_plannedstmt, plan);
}

/* Who asks what, but for the values of the conditions. */
static void
set_question(HibobFdwScanState *scan, ForeignScanState *node)
{
	EState	   *estate = node->ss.ps.state;
	Relation	rel = node->ss.ss_currentRelation;
	ForeignTable *table = GetForeignTable(RelationGetRelid(rel));
	RemoteQuery   *query = &scan->query;

	scan->options = table_options(table, GetForeignServer(table->serverid));
	query->userid = hibob_scan_user((ForeignScan *) node->ss.ps.plan,
									estate);
	query->serverid = table->serverid;
	query->relid = RelationGetRelid(rel);
	query->options = scan->options;
	query->has_table = &scan->has_table;

	/* The end of an answer, which may come after this scan's, counts too. */
	query->counters = MemoryContextAllocZero(estate->es_query_cxt,
											 sizeof(ExchangeCounters));
}

void
hibobBeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState	   *estate = node->ss.ps.state;
	Relation	rel = node->ss.ss_currentRelation;
	HibobFdwScanState  *scan = create_scan(estate);
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	set_question(scan, node);
	scan->plan = scan_plan_of(plan);
	scan->keep_rows = may_rescan(node, eflags);
	scan->conditions.resource = scan->options->resource;
	scan->conditions.plan = scan->plan;
	scan->conditions.values = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	scan->conditions.active_only = !scan->options->show_inactive;
	scan->async = node->ss.ps.async_capable;
	scan->looks_up = conditions_are_parameterized(&scan->conditions);
	MemoryContextSwitchTo(old);
	offer_to_share(scan, estate, plan->fdw_exprs);
	settle_columns(scan, rel);

	/* The executor's own, which it looks at after the scan's end. */
	scan->query.fetch_slot = ExecInitExtraTupleSlot(estate,
													RelationGetDescr(rel),
													&TTSOpsVirtual);
	scan->kept_slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(rel),
											 &TTSOpsMinimalTuple);
	scan->gathered_slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(rel),
												 &TTSOpsMinimalTuple);
	node->fdw_state = scan;
}

/* ------------------------------------------------------------------------
 * Runs
 * ------------------------------------------------------------------------
 */

/* A resource that HiBob shows only for a range of time. */
static void
check_bounds(const HibobFdwScanState *scan)
{
	const Resource *resource = scan->options->resource;

	if ((!resource->needs_lower || scan->filter.has_lower) &&
		(!resource->needs_upper || scan->filter.has_upper))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("foreign table \"%s\" cannot be read without a range of time",
					scan->query.map->table),
			 resource->needs_upper ?
			 errdetail("HiBob shows \"%s\" only from one day to another.",
					   resource->name) :
			 errdetail("HiBob shows \"%s\" only since a time, which may be %d months ago at most.",
					   resource->name, resource->max_months),
			 errhint("Add a condition, such as: WHERE %s.", resource->example)));
}

/*
 * Answers a run from what another scan of the statement has asked for, or goes
 * on to ask for.
 */
static bool
start_from_other(HibobFdwScanState *scan)
{
	SharedScan *member = shared_scan_find_started(&scan->share);
	HibobFdwScanState  *other = member != NULL ? member->scan : NULL;

	if (other == NULL || other->result == NULL || other->kept.entry == NULL ||
		!conditions_equal(&scan->filter, remote_result_filter(other->result)))
		return false;
	scan->result = other->result;
	remote_result_attach(scan->result);
	cache_share(&scan->kept, remote_result_materialized(scan->result));
	scan->cache_hits++;
	return true;
}

/* Answers a run from rows that an earlier statement kept; or by asking. */
static void
start_from_cache(HibobFdwScanState *scan)
{
	const char *key = NULL;

	if (scan->options->cache_ttl > 0)
	{
		key = remote_query_key(&scan->query, &scan->filter);
		if (cache_open(&scan->kept, key, remote_query_columns(&scan->query)))
		{
			scan->cache_hits++;
			return;
		}
	}
	scan->result = remote_result_create(
		&scan->query, &scan->filter, scan->statement_context,
		scan->keep_rows || scan->share.has_others, key);
	if (remote_result_materialized(scan->result)->entry != NULL)
		cache_share(&scan->kept, remote_result_materialized(scan->result));
}

/*
 * The conditions with their present values; but once there were more look-ups
 * than the planner thought worth it, all rows are read, and kept, and the
 * executor picks those it wants.
 */
static RequestFilter
present_filter(HibobFdwScanState *scan, ExprContext *econtext)
{
	RequestFilter filter = conditions_evaluate(&scan->conditions, econtext);

	if (scan->looks_up && scan->lookups >= scan->plan->max_lookups)
	{
		filter.filter = NULL;
		filter.values = NIL;
		filter.limit = 0;		/* it was of the rows of a value */
	}
	return filter;
}

/* Whether the conditions leave anything to ask for. */
static bool
needs_request(const RequestFilter *filter)
{
	return !filter->nothing &&
		(filter->filter == NULL || filter->values != NIL);
}

/*
 * Starts a run with the filter's present values.  They are kept in the run's
 * memory, to be compared with those of a rescan.
 */
static void
start_run(HibobFdwScanState *scan, ExprContext *econtext)
{
	MemoryContext old = MemoryContextSwitchTo(scan->run_context);

	scan->filter = present_filter(scan, econtext);
	if (scan->looks_up && scan->filter.values != NIL)
		scan->lookups++;
	scan->running = true;
	if (needs_request(&scan->filter))
	{
		check_bounds(scan);
		if (!start_from_other(scan))
			start_from_cache(scan);
	}
	scan->share.started = true;
	MemoryContextSwitchTo(old);
}

/* Takes a row that has not come yet, and keeps it for the others. */
static TupleTableSlot *
fetch(HibobFdwScanState *scan, TupleTableSlot *slot)
{
	TupleTableSlot *row;

	CHECK_FOR_INTERRUPTS();
	scan->waiting = false;
	if (scan->result == NULL)
		return ExecClearTuple(slot);
	row = remote_result_next(scan->result, slot, scan->gathered_slot,
							 !scan->async);
	if (row == NULL)
	{
		scan->waiting = !remote_result_is_finished(scan->result);
		return ExecClearTuple(slot);
	}
	if (scan->kept.entry != NULL)
		cache_add(&scan->kept, row);
	return row;
}

TupleTableSlot *
hibobIterateForeignScan(ForeignScanState *node)
{
	HibobFdwScanState  *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (!scan->running)
	{
		settle_columns(scan, node->ss.ss_currentRelation);
		start_run(scan, node->ss.ps.ps_ExprContext);
	}

	/* Rows kept from before come first; those read now are put behind them. */
	if (scan->kept.entry != NULL && cache_read(&scan->kept, scan->kept_slot))
		return scan->kept_slot;
	return fetch(scan, slot);
}

/* Forgets a run, its answer and its rows. */
static void
reset_run(HibobFdwScanState *scan)
{
	ExecClearTuple(scan->kept_slot);
	ExecClearTuple(scan->gathered_slot);
	cache_close(&scan->kept);
	if (scan->result != NULL)
		remote_result_detach(scan->result);
	scan->result = NULL;
	scan->running = false;
	scan->waiting = false;
	MemoryContextReset(scan->run_context);
}

/* Whether the conditions have the same values as in the present run. */
static bool
filter_is_unchanged(HibobFdwScanState *scan, ExprContext *econtext)
{
	MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	RequestFilter filter = present_filter(scan, econtext);
	bool		equal = conditions_equal(&filter, &scan->filter);

	MemoryContextSwitchTo(old);
	return equal;
}

/*
 * Starts from the first row again.  Only a request that would differ from the
 * last one is made.
 */
void
hibobReScanForeignScan(ForeignScanState *node)
{
	HibobFdwScanState  *scan = node->fdw_state;

	if (!scan->running)
		return;
	if ((scan->kept.entry != NULL || scan->result == NULL) &&
		filter_is_unchanged(scan, node->ss.ps.ps_ExprContext))
	{
		if (scan->kept.entry != NULL)
			cache_rewind(&scan->kept);
		return;
	}
	reset_run(scan);
	scan->keep_rows = true;
}

/*
 * The scan's memory goes with the statement's: another scan may still have the
 * answer to its question.
 */
void
hibobEndForeignScan(ForeignScanState *node)
{
	HibobFdwScanState  *scan = node->fdw_state;

	if (scan == NULL)
		return;
	reset_run(scan);
	clean_up(scan);
	node->fdw_state = NULL;
}

/* ------------------------------------------------------------------------
 * Under an asynchronous Append
 * ------------------------------------------------------------------------
 */

bool
scan_is_waiting(const ForeignScanState *node)
{
	return ((HibobFdwScanState *) node->fdw_state)->waiting;
}

bool
scan_has_more(const ForeignScanState *node)
{
	HibobFdwScanState  *scan = node->fdw_state;

	return remote_result_is_finished(scan->result) ||
		(scan->kept.entry != NULL && cache_has_more(&scan->kept));
}

HttpChannel *
scan_channel(const ForeignScanState *node)
{
	return remote_result_channel(
		((HibobFdwScanState *) node->fdw_state)->result);
}

/* ------------------------------------------------------------------------
 * For EXPLAIN
 * ------------------------------------------------------------------------
 */

/* The conditions, as far as they are known by now. */
static RequestFilter
known_filter(ForeignScanState *node, const char *unknown)
{
	HibobFdwScanState  *scan = node->fdw_state;

	return scan->running ? scan->filter :
		conditions_preview(&scan->conditions, node->ss.ps.ps_ExprContext,
						   unknown);
}

bool
scan_first_call(ForeignScanState *node, const char *unknown, RequestCall *call)
{
	HibobFdwScanState  *scan = node->fdw_state;
	RequestFilter filter = known_filter(node, unknown);

	if (!scan->running)
		settle_columns(scan, node->ss.ss_currentRelation);
	if (scan->options->resource->needs_employees && filter.filter == NULL)
		return false;
	return request_next(remote_query_requests(&scan->query, &filter), call);
}

bool
scan_needs_ids(ForeignScanState *node)
{
	HibobFdwScanState  *scan = node->fdw_state;
	RequestFilter filter = known_filter(node, "");

	return !filter.nothing && remote_query_needs_ids(&scan->query, &filter);
}

const Resource *
scan_resource(ForeignScanState *node)
{
	return ((HibobFdwScanState *) node->fdw_state)->options->resource;
}

List *
scan_local_conditions(ForeignScanState *node)
{
	return ((HibobFdwScanState *) node->fdw_state)->plan->local;
}

uint64
scan_cache_hits(ForeignScanState *node)
{
	return ((HibobFdwScanState *) node->fdw_state)->cache_hits;
}

const ExchangeCounters *
scan_counters(ForeignScanState *node)
{
	return ((HibobFdwScanState *) node->fdw_state)->query.counters;
}
