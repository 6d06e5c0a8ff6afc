/*
 * scan.c
 *		Execution of a foreign scan: begin, iterate, rescan, end; and
 *		asynchronous execution under an Append.
 *
 * Begin resolves options and types and makes no request; the first row does.  A
 * scan that may be run again materializes its rows, and makes new requests only
 * if the values of its conditions have changed.
 *
 * Scans of one statement with the same remote conditions share a result.  The
 * executor begins all scans before it runs any of them, so the first one that
 * runs knows which columns the others need.
 *
 * Under an asynchronous Append several tables are read at the same time.  Each
 * table's request is sent when the Append first requests a row of it, and the
 * Append waits for all of them together: several accounts take as long as the
 * slowest.  A table that cannot be read without sleeping (it needs ids first,
 * or is a report) is read synchronously.
 *
 * Scans that share a result wait for one channel.  The first of them is woken;
 * the others check for materialized rows the next time that the Append would
 * wait.
 *
 * Knows the executor; how a remote query is run is in remote_query.c.
 */
#include "postgres.h"

#include "compat.h"
#include "executor/execAsync.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "fdw/conditions.h"
#include "fdw/generated.h"
#include "fdw/plan.h"
#include "fdw/plan_tree.h"
#include "fdw/run_cache.h"
#include "fdw/scan.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/pg_list.h"
#include "options/options.h"
#include "remote/remote_query.h"
#include "remote/result_cache.h"
#include "session/connection.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/*
 * The Append's wait does not check for interrupts in all versions, nor for our
 * timers: it is woken at this interval, in ms.
 */
#define WAKE_INTERVAL 25

/* The most rows that are read only because the next run may need them. */
#define MAX_REST 1000

typedef struct HibobFdwScanState
{
	RemoteQuery query;
	TableOptions *options;
	ScanPlan   *plan;
	List	   *exprs;			/* of the plan: values of its conditions */
	RemoteConditions conditions;
	EState	   *estate;
	MemoryContext context;		/* of this scan */
	MemoryContext run_context;	/* of one run */
	bool		has_table;		/* HiBob has shown that it has the custom
								 * table */
	bool		has_fallen_back;	/* rows are read by the fallback, for which
									 * the plan's number of requests is wrong */

	ConditionScope scope;		/* the conditions that are sent */

	/* Under an asynchronous Append. */
	bool		async;			/* return no row rather than wait */
	bool		waiting;		/* that is why there was no row */

	/* The current run. */
	bool		running;
	bool		from_earlier;	/* its rows are those of one in "earlier" */
	RequestFilter filter;		/* with this run's values */
	RemoteResult *result;		/* NULL: only materialized rows, if any */

	/* Sharing with other scans of the statement. */
	List	   *attnums;		/* to request: ours and theirs */
	bool		shared;			/* there are others */
	bool		started;		/* "attnums" and "scope" are final */

	/* Rows for a rescan, for other scans, or of an earlier statement. */
	bool		materialize;
	CacheReader materialized;
	TupleTableSlot *materialized_slot;
	TupleTableSlot *fetched_slot;
	uint64		cache_hits;
	RunCache	earlier;		/* complete runs with other values */

	GeneratedColumns *generated;	/* NULL: none are needed */
} HibobFdwScanState;

static HibobFdwScanState *
scan_of(const ForeignScanState *node)
{
	return node->fdw_state;
}

/* ------------------------------------------------------------------------
 * Scans that share a result
 * ------------------------------------------------------------------------
 */

/* The scans of this session that were begun and not ended. */
static List *scans = NIL;

/* Whether two scans read the same table in the same statement. */
static bool
is_related(const HibobFdwScanState *a, const HibobFdwScanState *b)
{
	return a->estate == b->estate && a->query.relid == b->query.relid &&
		a->query.userid == b->query.userid;
}

/* The conditions that a scan sends, as lists that equal() can compare. */
static List *
sent_conditions(const HibobFdwScanState *scan)
{
	List	   *result = NIL;

	for (int i = 0; i < list_length(scan->exprs); i++)
		if (conditions_include(&scan->conditions, i, scan->scope))
			result = lappend(result,
							 list_make2(list_make2_int(
											list_nth_int(scan->plan->filters, i),
											list_nth_int(scan->plan->comparisons,
														 i)),
										list_nth(scan->exprs, i)));
	return result;
}

/* Whether two related scans send the same conditions to HiBob. */
static bool
can_share(const HibobFdwScanState *a, const HibobFdwScanState *b)
{
	return a == b ||
		(!conditions_vary(&a->conditions, a->scope) &&
		 !conditions_vary(&b->conditions, b->scope) &&
		 equal(sent_conditions(a), sent_conditions(b)));
}

/* Whether one request certainly has all rows, whatever the conditions are. */
static bool
is_read_at_once(const HibobFdwScanState *scan)
{
	const Resource *resource = scan->options->resource;

	return resource->paging == PAGING_NONE && !resource->needs_employees &&
		!resource->needs_lower && !resource->needs_upper &&
		!resource->is_lists && !resource_needs_values(resource) &&
		resource_filter(resource, FILTER_DAY) == NULL &&
		scan->options->batch_size == 0;
}

/*
 * If reading all rows takes fewer requests than the results that the scans of a
 * group need, they share one with all rows.
 */
static void
choose_scope(const List *group)
{
	const HibobFdwScanState *first = linitial(group);
	int			results = 0;

	if (!is_read_at_once(first))
		return;
	for (int i = 0; i < list_length(group); i++)
	{
		bool		distinct = true;

		for (int j = 0; j < i && distinct; j++)
			distinct = !can_share(list_nth(group, i), list_nth(group, j));
		results += distinct;
	}
	if (results > 1 && results > first->plan->all_requests)
	{
		ListCell   *lc;

		foreach(lc, group)
			((HibobFdwScanState *) lfirst(lc))->scope = SCOPE_NONE;
	}
}

/* Gives the scans of a group that share a result each other's columns. */
static void
share_columns(const List *group)
{
	ListCell   *a;
	ListCell   *b;

	foreach(a, group)
	{
		HibobFdwScanState *scan = lfirst(a);

		foreach(b, group)
		{
			HibobFdwScanState *other = lfirst(b);

			if (other != scan && can_share(scan, other))
			{
				scan->attnums = list_union_int(scan->attnums, other->attnums);
				list_sort(scan->attnums, list_int_cmp);
				scan->shared = true;
			}
		}
	}
}

/* Registers a scan with the others of its statement. */
static void
register_scan(HibobFdwScanState *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->estate->es_query_cxt);
	List	   *group = list_make1(scan);
	ListCell   *lc;

	scan->attnums = scan->plan->attnums;
	foreach(lc, scans)
	{
		HibobFdwScanState *other = lfirst(lc);

		if (!other->started && is_related(scan, other))
			group = lappend(group, other);
	}
	choose_scope(group);
	share_columns(group);
	MemoryContextSwitchTo(TopMemoryContext);
	scans = lappend(scans, scan);
	MemoryContextSwitchTo(old);
}

/* Another scan that has started and has all columns, or NULL. */
static HibobFdwScanState *
find_started(const HibobFdwScanState *scan)
{
	ListCell   *lc;

	foreach(lc, scans)
	{
		HibobFdwScanState *other = lfirst(lc);

		if (other != scan && other->started && other->result != NULL &&
			other->materialized.entry != NULL && is_related(scan, other) &&
			conditions_equal(&scan->filter,
							 remote_result_filter(other->result)) &&
			list_difference_int(scan->attnums, other->attnums) == NIL)
			return other;
	}
	return NULL;
}

/* ------------------------------------------------------------------------
 * Begin
 * ------------------------------------------------------------------------
 */

/*
 * Releases the resources of a scan, also when an error ends the query.  The
 * result, which may no longer exist, releases its own.  Never raises an error.
 */
static void
release_scan(void *arg)
{
	HibobFdwScanState *scan = arg;

	scans = list_delete_ptr(scans, scan);
	cache_close(&scan->materialized);
	run_cache_close(&scan->earlier);
}

static MemoryContext
create_run_context(MemoryContext parent)
{
	return AllocSetContextCreate(parent, "hibob_fdw scan run",
								 ALLOCSET_SMALL_SIZES);
}

/*
 * Creates the scan in a memory context of its own, with the callback that
 * releases it, before there is anything to release.
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
	scan->estate = estate;
	scan->run_context = create_run_context(context);
	scan->earlier.context = context;
	callback->func = release_scan;
	callback->arg = scan;
	MemoryContextRegisterResetCallback(context, callback);
	return scan;
}

/* Resolves the columns to request: our own, and those that other scans need. */
static void
resolve_columns(HibobFdwScanState *scan, Relation rel)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);
	RowMap	   *map = scan->query.map;

	if (map == NULL || map->ncolumns != list_length(scan->attnums))
		scan->query.map = row_map_create(rel, scan->attnums,
										 scan->options->resource);
	MemoryContextSwitchTo(old);
}

/*
 * Whether the rows may be needed again.  The executor announces most rescans,
 * but not those that depend on parameters of this node or of a node beside it.
 */
static bool
may_rescan(ForeignScanState *node, int eflags)
{
	Plan	   *plan = node->ss.ps.plan;

	return (eflags & EXEC_FLAG_REWIND) != 0 || !bms_is_empty(plan->allParam) ||
		plan_tree_may_rescan(node->ss.ps.state->es_plannedstmt, plan);
}

/* Sets up the remote query, without the values of the conditions. */
static void
init_query(HibobFdwScanState *scan, ForeignScanState *node)
{
	Relation	rel = node->ss.ss_currentRelation;
	ForeignTable *table = GetForeignTable(RelationGetRelid(rel));
	RemoteQuery *query = &scan->query;

	scan->options = table_options(table, GetForeignServer(table->serverid));
	query->userid = hibob_scan_user((ForeignScan *) node->ss.ps.plan,
									scan->estate);
	query->serverid = table->serverid;
	query->relid = RelationGetRelid(rel);
	query->options = scan->options;
	query->has_table = &scan->has_table;
	query->has_fallen_back = &scan->has_fallen_back;

	/* A shared result may outlive this scan, and continues to count. */
	query->counters = MemoryContextAllocZero(scan->estate->es_query_cxt,
											 sizeof(ExchangeCounters));
}

/*
 * The conditions to send.  Those with values from other tables are not sent if
 * the planner expects so many runs that reading all rows once is cheaper.
 */
static ConditionScope
initial_scope(const HibobFdwScanState *scan, ForeignScanState *node)
{
	double		requests = scan->plan->all_requests;
	double		runs;

	if (!conditions_vary(&scan->conditions, SCOPE_ALL))
		return SCOPE_ALL;
	runs = plan_tree_expected_runs(scan->estate->es_plannedstmt,
								   node->ss.ps.plan);
	if (scan->options->resource->needs_employees)
		requests *= PARALLEL_REQUEST_COST;
	return runs > requests ? SCOPE_FIXED : SCOPE_ALL;
}

/* The executor owns the slots and uses them after the end of the scan. */
static void
init_slots(HibobFdwScanState *scan, TupleDesc desc)
{
	scan->query.fetch_slot = ExecInitExtraTupleSlot(scan->estate, desc,
													&TTSOpsVirtual);
	scan->materialized_slot = ExecInitExtraTupleSlot(scan->estate, desc,
													 &TTSOpsMinimalTuple);
	scan->fetched_slot = ExecInitExtraTupleSlot(scan->estate, desc,
												&TTSOpsMinimalTuple);
}

void
hibobBeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState	   *estate = node->ss.ps.state;
	Relation	rel = node->ss.ss_currentRelation;
	HibobFdwScanState *scan = create_scan(estate);
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	init_query(scan, node);
	scan->plan = scan_plan_of(plan);
	scan->exprs = plan->fdw_exprs;
	scan->materialize = may_rescan(node, eflags);
	scan->conditions.resource = scan->options->resource;
	scan->conditions.plan = scan->plan;
	scan->conditions.values = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	scan->conditions.active_only = !scan->options->show_inactive;
	scan->async = node->ss.ps.async_capable;
	scan->scope = initial_scope(scan, node);
	MemoryContextSwitchTo(old);
	register_scan(scan);
	resolve_columns(scan, rel);
	init_slots(scan, RelationGetDescr(rel));
	scan->generated = generated_create(rel, scan->plan->generated, estate);
	node->fdw_state = scan;
}

/* ------------------------------------------------------------------------
 * Runs
 * ------------------------------------------------------------------------
 */

/* The table's name for a statement in a hint. */
static char *
quoted_table(const HibobFdwScanState *scan)
{
	Oid			relid = scan->query.relid;

	return quote_qualified_identifier(
		get_namespace_name_or_temp(get_rel_namespace(relid)),
		get_rel_name(relid));
}

/* Checks the range of time that some resources need. */
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
			 errdetail("HiBob returns \"%s\" only for a range of days.",
					   resource->name) :
			 errdetail("HiBob returns \"%s\" only from a start time on, which can be at most %d months ago.",
					   resource->name, resource->max_months),
			 errhint("Add a condition, such as: WHERE %s. In a join, the condition can name columns of the other table: FROM other o, LATERAL (SELECT * FROM %s WHERE ...) t.",
					 resource->example, quoted_table(scan))));
}

/* Checks that the day that the query compares is the one of the request. */
static void
check_day(const HibobFdwScanState *scan)
{
	const Resource *resource = scan->options->resource;

	if (!scan->plan->lacks_day)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("foreign table \"%s\" cannot be read without a single day",
					scan->query.map->table),
			 errdetail("HiBob returns \"%s\" as of one day, and cannot evaluate how the query compares that day.",
					   resource->name),
			 errhint("Add a condition, such as: WHERE %s. The day can be a column of another table: FROM other o, LATERAL (SELECT * FROM %s WHERE ... = o.day) t.",
					 resource->example, quoted_table(scan))));
}

/* Starts a run with the rows of an earlier one with the same values. */
static bool
start_from_earlier(HibobFdwScanState *scan)
{
	scan->from_earlier = run_cache_open(&scan->earlier, &scan->filter,
										&scan->materialized);
	scan->cache_hits += scan->from_earlier;
	return scan->from_earlier;
}

/* Starts a run with the result of another scan of the statement. */
static bool
start_from_other(HibobFdwScanState *scan)
{
	HibobFdwScanState *other = find_started(scan);

	if (other == NULL)
		return false;
	scan->result = other->result;
	remote_result_attach(scan->result);
	cache_share(&scan->materialized, remote_result_materialized(scan->result));
	scan->cache_hits++;
	return true;
}

/* Opens the cached result of an earlier statement. */
static bool
open_cached(HibobFdwScanState *scan, const char *key, uint64 credentials)
{
	RequestFilter all = {.active_only = scan->conditions.active_only};
	Bitmapset  *columns = remote_query_columns(&scan->query);

	if (cache_open(&scan->materialized, key, columns))
		return true;

	/* One with all people has the rows that any condition selects. */
	return scan->options->resource->form == ROW_EMPLOYEE &&
		cache_open(&scan->materialized,
				   remote_query_key(&scan->query, &all, credentials), columns);
}

/* Starts a run with a cached result or a request. */
static void
start_from_cache(HibobFdwScanState *scan)
{
	const char *key = NULL;

	if (scan->options->cache_ttl > 0)
	{
		uint64		credentials =
			connection_current_credentials(scan->query.userid,
										   scan->query.serverid);

		key = remote_query_key(&scan->query, &scan->filter, credentials);
		if (open_cached(scan, key, credentials))
		{
			scan->cache_hits++;
			return;
		}
	}
	scan->result = remote_result_create(&scan->query, &scan->filter,
										scan->estate->es_query_cxt,
										scan->materialize || scan->shared,
										key);
	if (remote_result_materialized(scan->result)->entry != NULL)
		cache_share(&scan->materialized,
					remote_result_materialized(scan->result));
}

/* Whether any row can meet the conditions. */
static bool
needs_request(const RequestFilter *filter)
{
	return !filter->nothing &&
		(filter->filter == NULL || filter->values != NIL);
}

/* The conditions with their current values. */
static RequestFilter
current_filter(HibobFdwScanState *scan, ExprContext *econtext)
{
	RequestFilter filter = conditions_evaluate(&scan->conditions, scan->scope,
											   econtext);

	if (scan->shared)
		filter.limit = 0;
	return filter;
}

/*
 * Chooses the conditions of a new run.  After as many requests as reading all
 * rows takes, conditions with values from other tables are no longer sent: all
 * rows are read once and materialized.  A run that needs no row, because a
 * value is null, does not change that.
 */
static void
choose_filter(HibobFdwScanState *scan, ExprContext *econtext)
{
	scan->filter = conditions_evaluate(&scan->conditions, SCOPE_ALL, econtext);
	if (!needs_request(&scan->filter))
		return;
	if (scan->scope == SCOPE_ALL && !scan->has_fallen_back &&
		conditions_vary(&scan->conditions, SCOPE_ALL) &&
		scan->query.counters->requests >= (uint64) scan->plan->max_requests)
		scan->scope = SCOPE_FIXED;
	scan->filter = current_filter(scan, econtext);
}

/*
 * Starts a run.  The filter stays in the run's memory, to be compared with the
 * one of a rescan.
 */
static void
start_run(HibobFdwScanState *scan, ExprContext *econtext)
{
	MemoryContext old = MemoryContextSwitchTo(scan->run_context);

	choose_filter(scan, econtext);
	scan->running = true;
	if (needs_request(&scan->filter))
	{
		check_bounds(scan);
		check_day(scan);
		if (!start_from_earlier(scan) && !start_from_other(scan))
			start_from_cache(scan);
	}
	scan->started = true;
	MemoryContextSwitchTo(old);
}

/* Fetches the next row of the result, and materializes it. */
static TupleTableSlot *
fetch(HibobFdwScanState *scan, TupleTableSlot *slot)
{
	TupleTableSlot *row;

	CHECK_FOR_INTERRUPTS();
	scan->waiting = false;
	if (scan->result == NULL)
		return ExecClearTuple(slot);
	row = remote_result_next(scan->result, slot, scan->fetched_slot,
							 !scan->async);
	if (row == NULL)
	{
		scan->waiting = !remote_result_is_finished(scan->result);
		return ExecClearTuple(slot);
	}
	if (scan->materialized.entry != NULL)
		cache_add(&scan->materialized, row);
	return row;
}

/* The next row without generated columns, or an empty slot. */
static TupleTableSlot *
next_row(HibobFdwScanState *scan, ForeignScanState *node)
{
	if (!scan->running)
	{
		resolve_columns(scan, node->ss.ss_currentRelation);
		start_run(scan, node->ss.ps.ps_ExprContext);
	}

	/* Materialized rows come first; new ones are added after them. */
	if (scan->materialized.entry != NULL &&
		cache_read(&scan->materialized, scan->materialized_slot))
		return scan->materialized_slot;
	return fetch(scan, node->ss.ss_ScanTupleSlot);
}

TupleTableSlot *
hibobIterateForeignScan(ForeignScanState *node)
{
	HibobFdwScanState *scan = node->fdw_state;
	TupleTableSlot *row = next_row(scan, node);

	return scan->generated == NULL || TupIsNull(row) ? row :
		generated_compute(scan->generated, row);
}

/*
 * Reads the rest of a run that LIMIT or EXISTS ended early, if it takes no
 * further request, and few rows that need no file.
 */
static void
complete_run(HibobFdwScanState *scan, ForeignScanState *node)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	Size		limit = (Size) work_mem * 1024 / 2;
	MemoryContext old;
	int			n = 0;

	if (scan->result == NULL || !remote_result_is_last_response(scan->result))
		return;
	old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	while (n++ < MAX_REST && cache_memory(&scan->materialized) < limit &&
		   !TupIsNull(fetch(scan, node->ss.ss_ScanTupleSlot)))
		ResetExprContext(econtext);
	MemoryContextSwitchTo(old);
}

/*
 * Keeps the rows of a run that is complete, or can be completed: a nested loop
 * or a correlated subquery may have the same values again.
 */
static void
keep_run(HibobFdwScanState *scan, ForeignScanState *node)
{
	if (scan->materialized.entry == NULL || scan->from_earlier ||
		!conditions_vary(&scan->conditions, scan->scope))
		return;
	complete_run(scan, node);
	if (scan->result != NULL && !remote_result_is_finished(scan->result))
		return;
	if (run_cache_add(&scan->earlier, &scan->filter, scan->run_context,
					  &scan->materialized))
		scan->run_context = create_run_context(scan->context);
}

/* Ends a run. */
static void
reset_run(HibobFdwScanState *scan)
{
	ExecClearTuple(scan->materialized_slot);
	ExecClearTuple(scan->fetched_slot);
	cache_close(&scan->materialized);
	if (scan->result != NULL)
		remote_result_detach(scan->result);
	scan->result = NULL;
	scan->running = false;
	scan->from_earlier = false;
	scan->waiting = false;
	MemoryContextReset(scan->run_context);
}

/* Whether the conditions have the same values as in the current run. */
static bool
filter_is_unchanged(HibobFdwScanState *scan, ExprContext *econtext)
{
	MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	RequestFilter filter = current_filter(scan, econtext);
	bool		equal = conditions_equal(&filter, &scan->filter);

	MemoryContextSwitchTo(old);
	return equal;
}

/* Starts again, with new requests only if they would differ. */
void
hibobReScanForeignScan(ForeignScanState *node)
{
	HibobFdwScanState *scan = node->fdw_state;

	if (!scan->running)
		return;
	if ((scan->materialized.entry != NULL || scan->result == NULL) &&
		filter_is_unchanged(scan, node->ss.ps.ps_ExprContext))
	{
		if (scan->materialized.entry != NULL)
			cache_rewind(&scan->materialized);
		return;
	}
	keep_run(scan, node);
	reset_run(scan);
	scan->materialize = true;
}

/*
 * The scan's memory stays until the end of the statement: another scan may use
 * its result.
 */
void
hibobEndForeignScan(ForeignScanState *node)
{
	HibobFdwScanState *scan = node->fdw_state;

	if (scan == NULL)
		return;
	reset_run(scan);
	release_scan(scan);
	node->fdw_state = NULL;
}

/* ------------------------------------------------------------------------
 * Under an asynchronous Append
 * ------------------------------------------------------------------------
 */

bool
hibobIsForeignPathAsyncCapable(ForeignPath *path)
{
	const HibobFdwRelationInfo *fpinfo = path->path.parent->fdw_private;

	return fpinfo->async_capable;
}

/*
 * Returns the next row to the Append, or reports that the table waits.  The
 * node's own function is called, so that it checks the conditions and
 * projects.
 */
static void
produce(AsyncRequest *areq)
{
	ForeignScanState *node = castNode(ForeignScanState, areq->requestee);
	TupleTableSlot *slot = node->ss.ps.ExecProcNodeReal(&node->ss.ps);

	if (TupIsNull(slot) && scan_of(node)->waiting)
		ExecAsyncRequestPending(areq);
	else
		ExecAsyncRequestDone(areq, slot);
}

void
hibobForeignAsyncRequest(AsyncRequest *areq)
{
	produce(areq);
}

/* The channel to wait for. */
static HttpChannel *
waiting_channel(const ForeignScanState *node)
{
	return remote_result_channel(scan_of(node)->result);
}

/* Whether a waiting scan can continue, because another reader received rows. */
static bool
can_continue(const HibobFdwScanState *scan)
{
	return remote_result_is_finished(scan->result) ||
		(scan->materialized.entry != NULL &&
		 cache_has_more(&scan->materialized));
}

/* Returns a row that another reader of the same result has fetched. */
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
			waiting_channel(node) == channel)
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

	if (can_continue(scan_of(node)))
		produce_shared(areq);
	if (!areq->callback_pending)
		return;
	channel = waiting_channel(node);
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

/* ------------------------------------------------------------------------
 * For EXPLAIN
 * ------------------------------------------------------------------------
 */

/* The conditions as far as they are known now. */
static RequestFilter
known_filter(ForeignScanState *node, const char *unknown)
{
	HibobFdwScanState *scan = node->fdw_state;

	return scan->running ? scan->filter :
		conditions_preview(&scan->conditions, scan->scope,
						   node->ss.ps.ps_ExprContext, unknown);
}

/*
 * Hides the values of a run in its call.  If they determine the endpoint, they
 * are in the path and not in the body.
 */
static void
hide_values(HibobFdwScanState *scan, const char *unknown, RequestCall *call)
{
	RequestFilter filter = scan->filter;
	RequestCall other;

	if (!conditions_hide(&scan->conditions, scan->scope, unknown, &filter))
		return;
	if (!request_next(remote_query_requests(&scan->query, &filter), &other))
		call->path = call->body = NULL;
	else if (strcmp(other.endpoint, call->endpoint) == 0)
		*call = other;
	else
		call->path = NULL;
}

bool
scan_first_call(ForeignScanState *node, const char *unknown, RequestCall *call)
{
	HibobFdwScanState *scan = node->fdw_state;
	RequestFilter filter = known_filter(node, unknown);

	if (!scan->running)
		resolve_columns(scan, node->ss.ss_currentRelation);
	if (scan->options->resource->expand != NULL ||
		(resource_needs_values(scan->options->resource) &&
		 filter.filter == NULL))
		return false;
	if (!request_next(remote_query_requests(&scan->query, &filter), call))
		return false;
	if (scan->running)
		hide_values(scan, unknown, call);
	return true;
}

bool
scan_needs_ids(ForeignScanState *node)
{
	HibobFdwScanState *scan = node->fdw_state;
	RequestFilter filter = known_filter(node, "");

	return !filter.nothing && remote_query_needs_ids(&scan->query, &filter);
}

const Resource *
scan_resource(ForeignScanState *node)
{
	return scan_of(node)->options->resource;
}

List *
scan_local_conditions(ForeignScanState *node)
{
	return scan_of(node)->plan->local;
}

uint64
scan_cache_hits(ForeignScanState *node)
{
	return scan_of(node)->cache_hits;
}

const ExchangeCounters *
scan_counters(ForeignScanState *node)
{
	return scan_of(node)->query.counters;
}
