/*
 * scan.c
 *		From a scan plan to tuples: begin, iterate, rescan, end.
 *
 * Begin resolves options and types and makes no request; the first row asks.
 * A scan whose rows may be wanted again keeps them in a store, and asks
 * again only if its filter's values have changed.  Channel and credentials are
 * borrowed while an answer is read, and given back by a callback of the scan's
 * memory context if an error cuts it short.
 */
#include "postgres.h"

#include "cache.h"
#include "compat.h"
#include "error.h"
#include "executor/executor.h"
#include "filter.h"
#include "foreign/foreign.h"
#include "options.h"
#include "plan.h"
#include "response.h"
#include "scan.h"
#include "utils/memutils.h"
#include "utils/rel.h"

typedef struct HibobScan
{
	Oid			userid;
	Oid			serverid;
	Oid			relid;
	TableOptions *options;
	ScanPlan   *plan;
	RowMap	   *map;
	ExprState  *filter_value;	/* NULL: none */
	ExprState  *status_value;	/* NULL: none */
	ExchangeCounters counters;
	ConnectionLease lease;
	MemoryContext context;		/* of this scan */
	MemoryContext run_context;	/* of one run through the rows */
	ErrorSubject subject;

	/* The present run. */
	bool		running;		/* the request is made */
	bool		finished;		/* all rows were read */
	RequestFilter filter;		/* with the values of this run */
	bool		narrowed;		/* by a condition of the query */
	Request    *request;
	Response   *response;

	/* Rows kept for a rescan, or for a time. */
	bool		keep_rows;
	CacheReader kept;
	TupleTableSlot *kept_slot;
	const char *cache_key;		/* NULL: not kept for a time */
	uint64		cache_hits;
} HibobScan;

/* What has to happen when an error ends the query, too. */
static void
clean_up(void *arg)
{
	HibobScan  *scan = arg;

	connection_return(&scan->lease);
	cache_close(&scan->kept);
}

/*
 * Whether the rows may be wanted a second time.  The executor says so for
 * most; a plan that depends on parameters is run again for each of their
 * values.
 */
static bool
may_rescan(ForeignScan *plan, int eflags)
{
	return (eflags & EXEC_FLAG_REWIND) != 0 ||
		!bms_is_empty(plan->scan.plan.allParam);
}

static void
init_values(HibobScan *scan, ForeignScanState *node, List *exprs)
{
	ListCell   *lc = list_head(exprs);

	if (scan->plan->filter_field != NULL)
	{
		scan->filter_value = ExecInitExpr(lfirst(lc), &node->ss.ps);
		lc = lnext(exprs, lc);
	}
	if (scan->plan->has_status)
		scan->status_value = ExecInitExpr(lfirst(lc), &node->ss.ps);
}

/*
 * Makes the scan's own memory, with the clean-up that has to happen even if an
 * error ends the query, before there is anything to clean up.
 */
static HibobScan *
create_scan(EState *estate)
{
	MemoryContext context = AllocSetContextCreate(estate->es_query_cxt,
												  "hibob_fdw scan",
												  ALLOCSET_DEFAULT_SIZES);
	HibobScan  *scan = MemoryContextAllocZero(context, sizeof(HibobScan));
	MemoryContextCallback *callback =
		MemoryContextAllocZero(context, sizeof(MemoryContextCallback));

	scan->context = context;
	scan->run_context = AllocSetContextCreate(context, "hibob_fdw scan run",
											  ALLOCSET_DEFAULT_SIZES);
	callback->func = clean_up;
	callback->arg = scan;
	MemoryContextRegisterResetCallback(context, callback);
	return scan;
}

void
scan_begin(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState	   *estate = node->ss.ps.state;
	Relation	rel = node->ss.ss_currentRelation;
	ForeignTable *table = GetForeignTable(RelationGetRelid(rel));
	HibobScan  *scan = create_scan(estate);
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	scan->userid = hibob_scan_user(plan, estate);
	scan->serverid = table->serverid;
	scan->relid = RelationGetRelid(rel);
	scan->options = table_options(table, GetForeignServer(table->serverid));
	scan->plan = scan_plan_of(plan);
	scan->map = row_map_create(rel, scan->plan->attnums,
							   scan->options->resource);
	scan->keep_rows = may_rescan(plan, eflags);
	scan->subject.resource = scan->options->resource;
	scan->subject.table = pstrdup(RelationGetRelationName(rel));
	init_values(scan, node, plan->fdw_exprs);
	scan->kept_slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(rel),
											  &TTSOpsMinimalTuple);
	MemoryContextSwitchTo(old);
	node->fdw_state = scan;
}

/*
 * What the conditions come to with the present values.
 */
static RequestFilter
evaluate_filter(HibobScan *scan, ExprContext *econtext)
{
	RequestFilter filter = {0};
	List	   *status;

	filter.active_only = !scan->options->show_inactive;
	if (scan->filter_value != NULL)
	{
		filter.field = scan->plan->filter_field;
		filter.values = filter_evaluate(scan->filter_value, econtext,
										scan->plan->filter_kind);
	}
	if (scan->status_value != NULL)
	{
		status = filter_evaluate(scan->status_value, econtext, FILTER_EQUALS);
		if (status == NIL)
			filter.nothing = true;
		else if (strcmp(linitial(status), CATALOG_STATUS_ACTIVE) == 0)
			filter.active_only = true;
	}
	return filter;
}

static bool
same_values(const List *a, const List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
		if (strcmp(lfirst(la), lfirst(lb)) != 0)
			return false;
	return true;
}

static bool
same_filter(const RequestFilter *a, const RequestFilter *b)
{
	return a->nothing == b->nothing && a->active_only == b->active_only &&
		same_values(a->values, b->values);
}

/*
 * Reads the ids of all employees, so that they can be asked for in batches:
 * HiBob's own advice for companies whose people do not fit into one answer.
 * Each id comes once, whoever joins or leaves in between.
 */
static List *
read_ids(HibobScan *scan)
{
	RowMap		map = {.resource = scan->map->resource,
		.table = scan->map->table};
	Request    *request = request_create(&map, &scan->filter);
	Response   *response = response_create(&scan->subject, &scan->lease,
										   request, &map, &scan->counters);
	List	   *ids = NIL;

	while (response_next(response))
	{
		const JsonSlice *id = json_reader_slice(response_reader(response),
												map.identity);

		CHECK_FOR_INTERRUPTS();
		if (id->kind > JSON_NULL)
			ids = lappend(ids, pnstrdup(response_window(response) + id->start,
										id->length));
	}
	return ids;
}

/*
 * The filter that the requests are made with: the conditions', or, where the
 * table wants batches and nothing else narrows it, everybody's ids.
 */
static RequestFilter
request_filter(HibobScan *scan)
{
	RequestFilter filter = scan->filter;

	if (scan->options->batch_size > 0 && !filter.nothing &&
		filter.field == NULL)
	{
		filter.values = read_ids(scan);
		filter.field = CATALOG_FIELD_ID;
		filter.batch_size = scan->options->batch_size;
	}
	return filter;
}

/* Whether the conditions leave anything to ask for. */
static bool
needs_request(const RequestFilter *filter)
{
	return !filter->nothing &&
		(filter->field == NULL || filter->values != NIL);
}

/*
 * What the rows of a run depend on: who asks, for which columns of which
 * table, and what.  The table's options have no place here, since altering
 * them forgets its entries.
 */
static const char *
make_cache_key(HibobScan *scan)
{
	Request    *request = request_create(scan->map, &scan->filter);
	UserMapping *mapping = GetUserMapping(scan->userid, scan->serverid);
	RequestCall call;
	StringInfoData key;

	initStringInfo(&key);
	appendStringInfo(&key, "%u %u", mapping->umid, scan->relid);
	for (int i = 0; i < scan->map->ncolumns; i++)
		appendStringInfo(&key, " %d", scan->map->columns[i].attnum);
	while (request_next(request, &call))
		appendStringInfo(&key, "\n%s %s", call.path,
						 call.body != NULL ? call.body : "");
	return key.data;
}

/* Answers a run from rows that an earlier statement kept. */
static bool
start_from_cache(HibobScan *scan)
{
	if (scan->options->cache_ttl == 0)
		return false;
	scan->cache_key = make_cache_key(scan);
	if (!cache_open(&scan->kept, scan->cache_key))
		return false;
	scan->finished = true;
	scan->cache_hits++;
	return true;
}

static void
start_requests(HibobScan *scan)
{
	RequestFilter filter;

	connection_borrow(scan->userid, scan->serverid, &scan->lease);
	scan->subject.connection = scan->lease.connection;
	filter = request_filter(scan);
	scan->request = request_create(scan->map, &filter);
	scan->response = response_create(&scan->subject, &scan->lease,
									 scan->request, scan->map,
									 &scan->counters);
	if (scan->keep_rows || scan->cache_key != NULL)
		cache_create(&scan->kept, scan->relid);
}

/*
 * Starts a run with the filter's present values.  They are kept in the run's
 * memory, to be compared with those of a rescan.
 */
static void
start_run(HibobScan *scan, ExprContext *econtext)
{
	MemoryContext old = MemoryContextSwitchTo(scan->run_context);

	scan->filter = evaluate_filter(scan, econtext);
	scan->narrowed = scan->filter.nothing || scan->filter.field != NULL ||
		(scan->filter.active_only && scan->options->show_inactive);
	scan->running = true;
	if (!needs_request(&scan->filter))
		scan->finished = true;
	else if (!start_from_cache(scan))
		start_requests(scan);
	MemoryContextSwitchTo(old);
}

/* The columns whose field no employee carried, and what to grant for them. */
static bool
missing_columns(const HibobScan *scan, StringInfo columns, StringInfo categories)
{
	List	   *named = NIL;

	for (int i = 0; i < scan->map->ncolumns; i++)
	{
		const RowColumn *column = &scan->map->columns[i];
		const char *category = column->options->category;
		ListCell   *lc;

		if (response_carried(scan->response, column))
			continue;
		appendStringInfo(columns, "%s%s (field %s)",
						 columns->len > 0 ? ", " : "", column->name,
						 column->options->field);
		foreach(lc, named)
			if (category != NULL && strcmp(category, lfirst(lc)) == 0)
				category = NULL;
		if (category != NULL)
		{
			appendStringInfo(categories, "%s\"%s\"",
							 categories->len > 0 ? ", " : "", category);
			named = lappend(named, (char *) category);
		}
	}
	return columns->len > 0;
}

/*
 * HiBob leaves out, without a word, a field that does not exist or that the
 * service user may not see.
 */
static void
report_missing(const HibobScan *scan)
{
	StringInfoData columns;
	StringInfoData categories;

	if (scan->options->on_missing_field == MISSING_FIELD_IGNORE ||
		!scan->options->resource->has_fields ||
		response_rows(scan->response) == 0)
		return;
	initStringInfo(&columns);
	initStringInfo(&categories);
	if (!missing_columns(scan, &columns, &categories))
		return;
	ereport(scan->options->on_missing_field == MISSING_FIELD_ERROR ?
			ERROR : WARNING,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("HiBob sent no employee with some of the requested fields for foreign table \"%s\"",
					scan->map->table),
			 errdetail_internal("Columns: %s.", columns.data),
			 categories.len > 0 ?
			 errhint("In HiBob, give the permission group of the service user view access to the categories %s, or correct the column option \"field\".",
					 categories.data) :
			 errhint("In HiBob, give the permission group of the service user view access to the category of the field, or correct the column option \"field\".")));
}

static void
check_min_rows(const HibobScan *scan)
{
	uint64		rows = response_rows(scan->response);

	if (scan->narrowed || rows >= (uint64) scan->options->min_rows)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("HiBob sent fewer rows for foreign table \"%s\" than its option min_rows demands",
					scan->map->table),
			 errdetail(UINT64_FORMAT " came, " INT64_FORMAT " are demanded.",
					   rows, scan->options->min_rows),
			 errhint("Check \"Access data for\" of the permission group of the service user in HiBob; if the company did shrink, lower min_rows.")));
}

/* After the last row: what can only be said now. */
static void
finish_run(HibobScan *scan)
{
	scan->finished = true;
	connection_return(&scan->lease);
	report_missing(scan);
	check_min_rows(scan);
	if (scan->cache_key != NULL)
		cache_publish(&scan->kept, scan->cache_key,
					  scan->options->cache_ttl);
}

static bool
fetch(HibobScan *scan, TupleTableSlot *slot)
{
	CHECK_FOR_INTERRUPTS();
	if (scan->finished)
		return false;
	if (!response_next(scan->response))
	{
		finish_run(scan);
		return false;
	}
	row_map_store(scan->map, response_reader(scan->response),
				  response_window(scan->response), slot);
	if (scan->kept.entry != NULL)
		cache_add(&scan->kept, slot);
	return true;
}

TupleTableSlot *
scan_iterate(ForeignScanState *node)
{
	HibobScan  *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (!scan->running)
		start_run(scan, node->ss.ps.ps_ExprContext);

	/* Rows kept from before come first; those read now are put behind them. */
	if (scan->kept.entry != NULL && cache_read(&scan->kept, scan->kept_slot))
		return scan->kept_slot;
	if (!fetch(scan, slot))
		return ExecClearTuple(slot);
	return slot;
}

/* Forgets a run, its answer and its rows. */
static void
reset_run(HibobScan *scan)
{
	if (scan->response != NULL && !scan->finished)
		response_stop(scan->response);
	ExecClearTuple(scan->kept_slot);
	connection_return(&scan->lease);
	cache_close(&scan->kept);
	scan->cache_key = NULL;
	scan->response = NULL;
	scan->request = NULL;
	scan->running = false;
	scan->finished = false;
	MemoryContextReset(scan->run_context);
}

/* Whether the conditions have the same values as in the present run. */
static bool
filter_is_unchanged(HibobScan *scan, ExprContext *econtext)
{
	MemoryContext old =
		MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	RequestFilter filter = evaluate_filter(scan, econtext);
	bool		result = same_filter(&filter, &scan->filter);

	MemoryContextSwitchTo(old);
	return result;
}

/*
 * Starts from the first row again.  Only a request that would differ from the
 * last one is made.
 */
void
scan_rescan(ForeignScanState *node)
{
	HibobScan  *scan = node->fdw_state;

	if (!scan->running)
		return;
	if ((scan->kept.entry != NULL || scan->response == NULL) &&
		filter_is_unchanged(scan, node->ss.ps.ps_ExprContext))
	{
		if (scan->kept.entry != NULL)
			cache_rewind(&scan->kept);
		return;
	}
	reset_run(scan);
	scan->keep_rows = true;
}

void
scan_end(ForeignScanState *node)
{
	HibobScan  *scan = node->fdw_state;

	if (scan == NULL)
		return;
	reset_run(scan);
	MemoryContextDelete(scan->context);
	node->fdw_state = NULL;
}

/* What is known of the conditions before the query runs. */
static RequestFilter
planned_filter(HibobScan *scan, ExprContext *econtext, const char *unknown)
{
	HibobScan	known = *scan;
	RequestFilter filter;

	if (known.filter_value != NULL &&
		!filter_is_known(known.filter_value->expr))
		known.filter_value = NULL;
	if (known.status_value != NULL &&
		!filter_is_known(known.status_value->expr))
		known.status_value = NULL;
	filter = evaluate_filter(&known, econtext);
	if (known.filter_value != scan->filter_value)
	{
		filter.field = scan->plan->filter_field;
		filter.values = list_make1(pstrdup(unknown));
	}
	return filter;
}

bool
scan_first_call(ForeignScanState *node, const char *unknown,
				RequestCall *call)
{
	HibobScan  *scan = node->fdw_state;
	RequestFilter filter = scan->running ? scan->filter :
		planned_filter(scan, node->ss.ps.ps_ExprContext, unknown);

	return request_next(request_create(scan->map, &filter), call);
}

const CatalogResource *
scan_resource(ForeignScanState *node)
{
	return ((HibobScan *) node->fdw_state)->options->resource;
}

uint64
scan_cache_hits(ForeignScanState *node)
{
	return ((HibobScan *) node->fdw_state)->cache_hits;
}

ExchangeCounters
scan_counters(ForeignScanState *node)
{
	HibobScan  *scan = node->fdw_state;
	ExchangeCounters counters = scan->counters;

	if (scan->response != NULL && !scan->finished)
		counters.bytes_received += response_unbooked_bytes(scan->response);
	return counters;
}
