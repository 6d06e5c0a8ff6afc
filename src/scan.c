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
#include "complete.h"
#include "conditions.h"
#include "error.h"
#include "executor/executor.h"
#include "foreign/foreign.h"
#include "gather.h"
#include "mb/pg_wchar.h"
#include "options.h"
#include "plan.h"
#include "response.h"
#include "scan.h"
#include "seen.h"
#include "share.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "wide.h"

/* Memory for the ids of all employees, of whom it can be some 750,000. */
#define MAX_IDS (64 * 1024 * 1024)

/* What an id takes beside its characters, in the list and on the way there. */
#define ID_OVERHEAD 64

typedef struct HibobScan
{
	Oid			userid;
	Oid			serverid;
	Oid			relid;
	TableOptions *options;
	ScanPlan   *plan;
	RowMap	   *map;
	Conditions	conditions;
	ExchangeCounters counters;
	ConnectionLease lease;
	MemoryContext context;		/* of this scan */
	MemoryContext run_context;	/* of one run through the rows */
	ErrorSubject subject;

	bool		has_table;		/* the custom table, as HiBob has shown */

	/* Runs with values that only the running query can tell. */
	bool		looks_up;
	int			lookups;		/* so far */

	/* Under an Append that reads from several tables at once. */
	bool		async;			/* rather no row than sleep */
	bool		waiting;		/* that was the reason for no row */

	/* The present run. */
	bool		running;		/* the request is made */
	bool		finished;		/* all rows were read */
	RequestFilter filter;		/* with the values of this run */
	bool		narrowed;		/* by a condition of the query */
	Request    *request;
	RequestFilter asked;		/* the filter that the requests are made with */
	Response   *response;		/* NULL if the answers are put together: */
	Wide	   *wide;			/* as parts of rows; or else */
	RowGather	gather;			/* as rows */
	ResponseFindings findings;

	/* Rows kept for a rescan, for other scans of the statement, or for a time. */
	ShareMember share;
	bool		keep_rows;
	CacheReader kept;
	TupleTableSlot *kept_slot;
	TupleTableSlot *gather_slot;
	TupleTableSlot *gathered_slot;
	const char *cache_key;		/* NULL: not kept for a time */
	uint64		cache_hits;
} HibobScan;

/* What has to happen when an error ends the query, too. */
static void
clean_up(void *arg)
{
	HibobScan  *scan = arg;

	share_leave(&scan->share);
	connection_return(&scan->lease);
	gather_release(&scan->gather);
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

/*
 * Offers to share the answer with others.  Not where rows are asked for as they
 * can be had, or by values that others do not know.
 */
static void
offer_to_share(HibobScan *scan, EState *estate, List *exprs)
{
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);

	scan->share.estate = estate;
	scan->share.relid = scan->relid;
	scan->share.userid = scan->userid;
	scan->share.plan = scan->plan;
	scan->share.exprs = exprs;
	scan->share.attnums = scan->plan->attnums;
	scan->share.scan = scan;
	if (!scan->async && !scan->looks_up)
		share_join(&scan->share);
	MemoryContextSwitchTo(old);
}

/* The columns to ask for, which are more than our own if others want some. */
static void
settle_columns(HibobScan *scan, Relation rel)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	if (scan->map == NULL ||
		scan->map->ncolumns != list_length(scan->share.attnums))
		scan->map = row_map_create(rel, scan->share.attnums,
								   scan->options->resource);
	MemoryContextSwitchTo(old);
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
	scan->keep_rows = may_rescan(plan, eflags);
	scan->subject.resource = scan->options->resource;
	scan->subject.table = pstrdup(RelationGetRelationName(rel));
	scan->conditions.resource = scan->options->resource;
	scan->conditions.plan = scan->plan;
	scan->conditions.values = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	scan->conditions.active_only = !scan->options->show_inactive;
	scan->async = node->ss.ps.async_capable;
	scan->looks_up = conditions_look_up(&scan->conditions);
	MemoryContextSwitchTo(old);
	offer_to_share(scan, estate, plan->fdw_exprs);
	settle_columns(scan, rel);

	/* The executor's own, which it looks at after the scan's end. */
	scan->kept_slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(rel),
											 &TTSOpsMinimalTuple);
	scan->gathered_slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(rel),
												 &TTSOpsMinimalTuple);
	scan->gather_slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(rel),
											   &TTSOpsVirtual);
	node->fdw_state = scan;
}

/*
 * Reads what tells the rows of a resource from one another, beside the scan's
 * own rows.
 */
static List *
read_ids(HibobScan *scan, const char *resource, const RequestFilter *filter)
{
	static const TableOptions plain = {.show_inactive = true};
	RowMap	   *map = palloc0(sizeof(RowMap));
	ErrorSubject *subject = palloc(sizeof(ErrorSubject));
	ResponseFindings findings = {.context = CurrentMemoryContext};
	Response   *response;
	List	   *ids = NIL;
	size_t		memory = 0;

	*subject = scan->subject;
	subject->resource = catalog_resource(resource);
	map->resource = subject->resource;
	map->table = scan->map->table;
	response = response_create(subject, &scan->lease,
							   request_create(map, &plain, filter), map,
							   &scan->counters, &findings, false);
	while (response_next(response))
	{
		const RowRecord *record = response_record(response);
		const JsonSlice *id = row_reader_slice(record->reader, map->identity);

		if (id->kind <= JSON_NULL && subject->resource->form == ROW_EMPLOYEE)
			complete_no_identity(scan->map);
		if (id->kind <= JSON_NULL)
			continue;
		memory += id->length + ID_OVERHEAD;
		if (memory > MAX_IDS)
			complete_too_many_ids(scan->map);
		ids = lappend(ids, pnstrdup(record->window + id->start, id->length));
	}
	return ids;
}

/* The filter that takes ids of employees. */
static const CatalogFilter *
employee_filter(const CatalogResource *resource)
{
	for (int i = 0; i < resource->nfilters; i++)
		if (resource->filters[i].role == FILTER_VALUES)
			return &resource->filters[i];
	return NULL;
}

/*
 * Whether everybody's ids have to be known first: where requests have to name
 * employees, or the table wants batches, or a row is put together from parts,
 * and the conditions do not say whose.
 */
static bool
needs_ids(const HibobScan *scan, const RequestFilter *filter)
{
	return filter->filter == NULL &&
		(scan->options->resource->needs_employees ||
		 scan->options->batch_size > 0 || wide_is_needed(scan->map));
}

/*
 * The filter that the requests are made with.  Everybody's ids come first where
 * employees are asked for one by one, or in batches: the latter is HiBob's own
 * advice for companies whose people do not fit into one answer.  Each id comes
 * once, whoever joins or leaves in between.
 */
static RequestFilter
request_filter(HibobScan *scan)
{
	RequestFilter filter = scan->filter;
	RequestFilter everybody = {.active_only = filter.active_only};

	if (!needs_ids(scan, &filter))
		return filter;
	filter.values = read_ids(scan, CATALOG_PEOPLE, &everybody);
	filter.filter = employee_filter(scan->options->resource);
	filter.batch_size = scan->options->batch_size;
	filter.found_values = true;
	return filter;
}

/* Whether the conditions leave anything to ask for. */
static bool
needs_request(const RequestFilter *filter)
{
	return !filter->nothing &&
		(filter->filter == NULL || filter->values != NIL);
}

/* A resource that HiBob shows only for a range of time. */
static void
check_bounds(const HibobScan *scan)
{
	const CatalogResource *resource = scan->options->resource;

	if ((!resource->needs_lower || scan->filter.has_lower) &&
		(!resource->needs_upper || scan->filter.has_upper))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("foreign table \"%s\" cannot be read without a range of time",
					scan->map->table),
			 resource->needs_upper ?
			 errdetail("HiBob shows \"%s\" only from one day to another.",
					   resource->name) :
			 errdetail("HiBob shows \"%s\" only since a time, which may be %d months ago at most.",
					   resource->name, resource->max_months),
			 errhint("Add a condition, such as: WHERE %s.", resource->example)));
}

/* The requests for a filter; of wide rows, those for their first part. */
static Request *
requests_of(const HibobScan *scan, const RequestFilter *filter)
{
	return request_create(wide_is_needed(scan->map) ?
						  wide_first_part(scan->map) : scan->map,
						  scan->options, filter);
}

/*
 * What the rows of a run depend on: who asks, for which columns of which
 * table, and what; and how dates and times are read.  The table's options have no place here, since altering
 * them forgets its entries.
 */
static const char *
make_cache_key(HibobScan *scan)
{
	Request    *request = requests_of(scan, &scan->filter);
	UserMapping *mapping = GetUserMapping(scan->userid, scan->serverid);
	RequestCall call;
	StringInfoData key;

	initStringInfo(&key);
	appendStringInfo(&key, "%u %u %s %s %s", mapping->umid, scan->relid,
					 GetConfigOption("TimeZone", false, false),
					 GetConfigOption("DateStyle", false, false),
					 GetConfigOption("IntervalStyle", false, false));
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

/* Reads from several answers at once. */
static void
start_gathering(HibobScan *scan)
{
	RowGather  *gather = &scan->gather;

	memset(gather, 0, sizeof(RowGather));
	gather->subject = &scan->subject;
	gather->request = scan->request;
	gather->map = scan->map;
	gather->counters = &scan->counters;
	gather->findings = &scan->findings;
	gather_start(gather, &scan->lease, scan->gather_slot);
}

/* Chooses how the answers become rows. */
static void
start_answers(HibobScan *scan)
{
	if (wide_is_needed(scan->map))
	{
		scan->wide = wide_create(&scan->subject, &scan->lease, scan->map,
								 scan->options, &scan->asked, &scan->counters,
								 &scan->findings);
		return;
	}
	scan->request = request_create(scan->map, scan->options, &scan->asked);
	if (request_is_scattered(scan->request))
		start_gathering(scan);
	else
		scan->response = response_create(&scan->subject, &scan->lease,
										 scan->request, scan->map,
										 &scan->counters, &scan->findings,
										 false);
}

static void
start_requests(HibobScan *scan)
{
	connection_borrow(scan->userid, scan->serverid, &scan->lease);
	scan->subject.connection = scan->lease.connection;
	scan->findings = (ResponseFindings) {.context = scan->run_context};
	scan->asked = request_filter(scan);
	start_answers(scan);
	if (scan->keep_rows || scan->share.has_others || scan->cache_key != NULL)
		cache_create(&scan->kept, scan->relid, scan->serverid);
}

static bool
is_carried(const RowColumn *column, const void *arg)
{
	const HibobScan *scan = arg;

	if (scan->wide != NULL)
		return wide_carried(scan->wide, column);
	return scan->response != NULL ? response_carried(scan->response, column) :
		gather_carried(&scan->gather, column);
}

/*
 * Sees to it that the custom table is there if HiBob knows none of the employees
 * who were named, or does not know it: the answers do not say which.
 */
static void
check_custom_table(HibobScan *scan)
{
	const RequestFilter all = {0};
	const char *id = scan->options->id;
	MemoryContext old;
	List	   *tables;
	ListCell   *lc;

	scan->has_table |= scan->findings.answers > 0;
	if (scan->has_table || scan->findings.unsure == 0)
		return;
	old = MemoryContextSwitchTo(scan->run_context);
	connection_borrow(scan->userid, scan->serverid, &scan->lease);
	scan->subject.connection = scan->lease.connection;
	tables = read_ids(scan, CATALOG_CUSTOM_TABLES, &all);
	connection_return(&scan->lease);
	foreach(lc, tables)
		scan->has_table |= strcmp(lfirst(lc),
								  pg_server_to_any(id, (int) strlen(id),
												   PG_UTF8)) == 0;
	if (!scan->has_table)
		error_no_custom_table(&scan->subject, NULL, id);
	MemoryContextSwitchTo(old);
}

/* After the last row: what can only be said now. */
static void
finish_run(HibobScan *scan)
{
	scan->finished = true;
	connection_return(&scan->lease);
	gather_release(&scan->gather);
	check_custom_table(scan);
	complete_report_missing(scan->options, scan->map, &scan->findings,
							is_carried, scan);
	if (!scan->narrowed)
	{
		complete_check_min_rows(scan->options, scan->map, scan->findings.rows);
		seen_note(scan->relid, (double) scan->findings.rows);
	}
	if (scan->cache_key != NULL)
		cache_publish(&scan->kept, scan->cache_key,
					  scan->options->cache_ttl);
}

/*
 * Reads the next row into one of two slots, a virtual one and one for minimal
 * tuples; NULL after the last.
 */
static TupleTableSlot *
read_row(HibobScan *scan, TupleTableSlot *slot, TupleTableSlot *gathered)
{
	bool		first = scan->findings.rows == 0;
	ResponseResult result;

	if (scan->wide != NULL)
		return wide_next(scan->wide, slot) ? slot : NULL;
	if (scan->response == NULL)
	{
		result = gather_next(&scan->gather, gathered, !scan->async);
		scan->waiting = result == RESPONSE_WAIT;
		return result == RESPONSE_ROW ? gathered : NULL;
	}
	result = response_advance(scan->response, !scan->async);
	scan->waiting = result == RESPONSE_WAIT;
	if (first && !scan->waiting && response_csv(scan->response) != NULL)
		complete_check_labels(scan->map, response_csv(scan->response));
	if (result != RESPONSE_ROW)
		return NULL;
	row_map_store(scan->map, response_record(scan->response), slot);
	return slot;
}

static TupleTableSlot *
fetch(HibobScan *scan, TupleTableSlot *slot)
{
	TupleTableSlot *row;

	CHECK_FOR_INTERRUPTS();
	if (scan->finished)
		return ExecClearTuple(slot);
	row = read_row(scan, slot, scan->gathered_slot);
	if (row == NULL && !scan->waiting)
		finish_run(scan);
	if (row == NULL)
		return ExecClearTuple(slot);
	if (scan->kept.entry != NULL)
		cache_add(&scan->kept, row);
	return row;
}

/*
 * Reads all that is left of another scan's answer, behind what it has kept.
 * Its own slots may be in use: rows go through those of this scan.
 */
static void
read_rest(HibobScan *scan, HibobScan *other)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hibob_fdw shared row",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	while (!other->finished)
	{
		TupleTableSlot *row;

		CHECK_FOR_INTERRUPTS();
		row = read_row(other, scan->gather_slot, scan->gathered_slot);
		if (row == NULL)
			finish_run(other);
		else
			cache_add(&scan->kept, row);
		MemoryContextReset(context);
	}
	ExecClearTuple(scan->gather_slot);
	ExecClearTuple(scan->gathered_slot);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Answers a run from what another scan of the statement asks for. */
static bool
start_from_other(HibobScan *scan)
{
	ShareMember *member = share_find_started(&scan->share);
	HibobScan  *other = member != NULL ? member->scan : NULL;

	if (other == NULL || !other->running || other->kept.entry == NULL ||
		!conditions_same(&scan->filter, &other->filter))
		return false;
	cache_share(&scan->kept, &other->kept);
	read_rest(scan, other);
	scan->finished = true;
	scan->cache_hits++;
	return true;
}

/*
 * The conditions with their present values; but once there were more look-ups
 * than the planner thought worth it, all rows are read, and kept, and the
 * executor picks those it wants.
 */
static RequestFilter
present_filter(HibobScan *scan, ExprContext *econtext)
{
	RequestFilter filter = conditions_evaluate(&scan->conditions, econtext);

	if (scan->looks_up && scan->lookups >= scan->plan->max_lookups)
	{
		filter.filter = NULL;
		filter.values = NIL;
	}
	return filter;
}

/*
 * Starts a run with the filter's present values.  They are kept in the run's
 * memory, to be compared with those of a rescan.
 */
static void
start_run(HibobScan *scan, ExprContext *econtext)
{
	MemoryContext old = MemoryContextSwitchTo(scan->run_context);

	scan->filter = present_filter(scan, econtext);
	if (scan->looks_up && scan->filter.filter != NULL)
		scan->lookups++;
	scan->narrowed = scan->filter.nothing || scan->filter.filter != NULL ||
		scan->filter.has_lower || scan->filter.has_upper ||
		(scan->filter.active_only && scan->options->show_inactive);
	scan->running = true;
	scan->finished = !needs_request(&scan->filter);
	if (!scan->finished)
		check_bounds(scan);
	if (!scan->finished && !start_from_other(scan) && !start_from_cache(scan))
		start_requests(scan);
	scan->share.started = true;
	MemoryContextSwitchTo(old);
}

TupleTableSlot *
scan_iterate(ForeignScanState *node)
{
	HibobScan  *scan = node->fdw_state;
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
reset_run(HibobScan *scan)
{
	if (scan->response != NULL && !scan->finished)
		response_stop(scan->response);
	ExecClearTuple(scan->kept_slot);
	ExecClearTuple(scan->gathered_slot);
	connection_return(&scan->lease);
	gather_stop(&scan->gather);
	cache_close(&scan->kept);
	scan->cache_key = NULL;
	scan->response = NULL;
	scan->wide = NULL;
	scan->request = NULL;
	scan->running = false;
	scan->finished = false;
	scan->waiting = false;
	MemoryContextReset(scan->run_context);
}

/* Whether the conditions have the same values as in the present run. */
static bool
filter_is_unchanged(HibobScan *scan, ExprContext *econtext)
{
	MemoryContext old =
		MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	RequestFilter filter = present_filter(scan, econtext);
	bool		result = conditions_same(&filter, &scan->filter);

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
	if ((scan->kept.entry != NULL ||
		 (scan->request == NULL && scan->wide == NULL)) &&
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

/* The conditions, as far as they are known by now. */
static RequestFilter
known_filter(ForeignScanState *node, const char *unknown)
{
	HibobScan  *scan = node->fdw_state;

	return scan->running ? scan->filter :
		conditions_foresee(&scan->conditions, node->ss.ps.ps_ExprContext,
						   unknown);
}

bool
scan_first_call(ForeignScanState *node, const char *unknown,
				RequestCall *call)
{
	HibobScan  *scan = node->fdw_state;
	RequestFilter filter = known_filter(node, unknown);

	if (scan->options->resource->needs_employees && filter.filter == NULL)
		return false;
	return request_next(requests_of(scan, &filter), call);
}

bool
scan_needs_ids(ForeignScanState *node)
{
	RequestFilter filter = known_filter(node, "");

	return !filter.nothing && needs_ids(node->fdw_state, &filter);
}

bool
scan_is_waiting(const ForeignScanState *node)
{
	return ((HibobScan *) node->fdw_state)->waiting;
}

HttpChannel *
scan_channel(const ForeignScanState *node)
{
	HibobScan  *scan = node->fdw_state;

	return scan->response != NULL ? scan->lease.channel :
		scan->gather.leases[0].channel;
}

const CatalogResource *
scan_resource(ForeignScanState *node)
{
	return ((HibobScan *) node->fdw_state)->options->resource;
}

List *
scan_local_conditions(ForeignScanState *node)
{
	return ((HibobScan *) node->fdw_state)->plan->local;
}

uint64
scan_cache_hits(ForeignScanState *node)
{
	return ((HibobScan *) node->fdw_state)->cache_hits;
}

const ExchangeCounters *
scan_counters(ForeignScanState *node)
{
	return &((HibobScan *) node->fdw_state)->counters;
}
