/*
 * remote_query.c
 *		A remote query and its result, from conditions to rows.
 *
 * The result holds a channel and credentials while it is read.  If an error
 * ends the query, the callback of its memory context releases them.
 *
 * Knows requests, responses and materialized rows; nothing of the executor's
 * plans.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "reader/json_walk.h"
#include "remote/fetch.h"
#include "remote/field_split.h"
#include "remote/remote_error.h"
#include "remote/remote_query.h"
#include "remote/response.h"
#include "remote/result_checks.h"
#include "session/stats.h"
#include "utils/guc.h"
#include "utils/memutils.h"

/* Memory for the ids of all employees: enough for some 750,000. */
#define MAX_IDS (64 * 1024 * 1024)

/* The memory of an id in addition to its characters. */
#define ID_OVERHEAD 64

struct RemoteResult
{
	MemoryContext context;
	RemoteQuery	query;
	ErrorSubject subject;
	AcquiredChannel acquired;
	RequestFilter filter;		/* of the query */
	RequestFilter sent_filter;	/* of the requests */
	Request    *request;
	Response   *response;		/* one of these three is used: */
	FieldSplit *split;
	ParallelFetch fetch;
	ResponseSummary summary;
	bool		has_returned;	/* a row */
	bool		finished;		/* after the last row */
	int			readers;
	CacheReader materialized;	/* not open: the rows are not materialized */
	const char *cache_key;		/* NULL: the result is not cached */
};

/* The clean-up after an error, which never raises one. */
static void
clean_up(void *arg)
{
	RemoteResult *result = arg;

	connection_release(&result->acquired);
	fetch_release(&result->fetch);
	cache_close(&result->materialized);
}

/* Registers the clean-up before there is anything to clean up. */
static RemoteResult *
allocate_result(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "hibob_fdw remote result",
												  ALLOCSET_DEFAULT_SIZES);
	RemoteResult *result =
		MemoryContextAllocZero(context, sizeof(RemoteResult));
	MemoryContextCallback *callback =
		MemoryContextAllocZero(context, sizeof(MemoryContextCallback));

	result->context = context;
	result->readers = 1;
	callback->func = clean_up;
	callback->arg = result;
	MemoryContextRegisterResetCallback(context, callback);
	return result;
}

/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------
 */

bool
remote_query_needs_ids(const RemoteQuery *query, const RequestFilter *filter)
{
	const TableOptions *options = query->options;

	return filter->filter == NULL &&
		(resource_needs_values(options->resource) || options->batch_size > 0 ||
		 field_split_is_needed(query->map));
}

Request *
remote_query_requests(const RemoteQuery *query, const RequestFilter *filter)
{
	return request_create(field_split_is_needed(query->map) ?
						  field_split_first_part(query->map) : query->map,
						  query->options, filter);
}

Bitmapset *
remote_query_columns(const RemoteQuery *query)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < query->map->ncolumns; i++)
		columns = bms_add_member(columns, query->map->columns[i].attnum);
	return columns;
}

static void
append_filter(StringInfo key, const RequestFilter *filter)
{
	ListCell   *lc;

	appendStringInfo(key, "\n%d %d", filter->active_only,
					 filter->derived_values);
	if (filter->has_lower)
		appendStringInfo(key, " %s >= " INT64_FORMAT,
						 filter->lower_filter->field, filter->lower);
	if (filter->has_upper)
		appendStringInfo(key, " %s <= " INT64_FORMAT,
						 filter->upper_filter->field, filter->upper);
	if (filter->has_day)
		appendStringInfo(key, " day " INT64_FORMAT, filter->day);
	foreach(lc, filter->arguments)
		appendStringInfo(key, "\n%zu %s", strlen(lfirst(lc)),
						 (char *) lfirst(lc));
	if (filter->filter != NULL)
		appendStringInfo(key, "\n%s", filter->filter->field);
	foreach(lc, filter->values)
		appendStringInfo(key, "\n%zu %s", strlen(lfirst(lc)),
						 (char *) lfirst(lc));
}

/*
 * What rows depend on besides their query: the credentials, which are those of
 * one user mapping, and the settings for dates and times.
 */
static char *
key_prefix(uint64 credentials_version)
{
	return psprintf(UINT64_FORMAT " %s %s %s\n", credentials_version,
					GetConfigOption("TimeZone", false, false),
					GetConfigOption("DateStyle", false, false),
					GetConfigOption("IntervalStyle", false, false));
}

/*
 * A column with the whole row depends on which fields were requested.  The
 * table's options are not in the key, since altering them invalidates its
 * entries.
 */
const char *
remote_query_key(const RemoteQuery *query, const RequestFilter *filter,
				 uint64 credentials_version)
{
	StringInfoData key;

	initStringInfo(&key);
	appendStringInfo(&key, "%s%u", key_prefix(credentials_version),
					 query->relid);
	append_filter(&key, filter);
	if (row_map_has_whole_row(query->map))
		for (int i = 0; i < query->map->ncolumns; i++)
			appendStringInfo(&key, " %d",
							 query->map->columns[i].attnum);
	return key.data;
}

/*
 * Whether the key of a result is still right.  While the rows were read, the
 * credentials or the settings may have changed.
 */
static bool
key_is_current(const RemoteResult *result)
{
	const Connection *connection = result->subject.connection;
	const char *prefix = key_prefix(connection_credentials_version(connection));

	return strncmp(result->cache_key, prefix, strlen(prefix)) == 0;
}

/* A scalar as a C string in the database's encoding. */
static char *
read_id(const JsonSlice *slice, const char *window)
{
	size_t		length;
	const char *text = row_utf8(slice, window, &length);

	return pg_any_to_server(pnstrdup(text, length), (int) length, PG_UTF8);
}

/* The scalars in a JSON array as C strings. */
static List *
read_names(const JsonSlice *array, const char *window)
{
	JsonSlice	name;
	size_t		offset = 0;
	List	   *names = NIL;

	while (json_walk_next(window, array, &offset, NULL, &name))
		if (name.kind != JSON_NULL)
			names = lappend(names, read_id(&name, window));
	return names;
}

/* Reads the ids of the rows of a resource, as a list of strings. */
static List *
read_ids(RemoteResult *result, const char *resource,
		 const RequestFilter *filter)
{
	static const TableOptions plain = {.show_inactive = true};
	RowMap	   *map = palloc0(sizeof(RowMap));
	ErrorSubject *subject = palloc(sizeof(ErrorSubject));
	ResponseSummary summary = {.context = CurrentMemoryContext};
	Response   *response;
	List	   *ids = NIL;
	size_t		memory = 0;

	*subject = result->subject;
	subject->resource = resource_find(resource);
	map->resource = subject->resource;
	map->table = result->query.map->table;
	response = response_create(subject, &result->acquired,
							   request_create(map, &plain, filter), map,
							   result->query.counters, &summary, false);
	while (response_next(response))
	{
		const RowRecord *record = response_record(response);
		const JsonSlice *id = row_field_value(&map->identity, record->reader);

		if (id == NULL && subject->resource->form == ROW_EMPLOYEE)
			result_missing_identity(result->query.map);
		if (id == NULL)
			continue;
		memory += id->length + ID_OVERHEAD;
		if (memory > MAX_IDS)
			result_too_many_ids(result->query.map);
		if (id->kind == JSON_ARRAY)
			ids = list_concat(ids, read_names(id, record->window));
		else
			ids = lappend(ids, read_id(id, record->window));
	}
	return ids;
}

/*
 * Replaces each value by those that HiBob lists for it: policy types by their
 * policies.  "origins" gets the original value of each.
 */
static List *
expand_values(RemoteResult *result, const char *resource, List *values,
			  List **origins)
{
	const Resource *lister = resource_find(resource);
	List	   *expanded = NIL;
	ListCell   *lc;

	foreach(lc, values)
	{
		RequestFilter filter = {.filter = &lister->filters[0],
			.values = list_make1(lfirst(lc))};
		List	   *names = read_ids(result, resource, &filter);

		for (int i = 0; i < list_length(names); i++)
			*origins = lappend(*origins, lfirst(lc));
		expanded = list_concat(expanded, names);
	}
	return expanded;
}

/* Adds the values that the query does not name, as HiBob lists them. */
static void
add_listed_values(RemoteResult *result, RequestFilter *filter)
{
	const TableOptions *options = result->query.options;
	RequestFilter all = {.active_only = filter->active_only};
	const ResourceFilter *values = resource_filter(options->resource,
												   FILTER_VALUES);

	filter->values = read_ids(result, values->source != NULL ?
							  values->source : RESOURCE_PEOPLE, &all);
	filter->filter = values;
	filter->batch_size = options->batch_size;
	filter->found_values = true;
}

/* Likewise the arguments. */
static void
add_listed_arguments(RemoteResult *result, RequestFilter *filter)
{
	const RequestFilter all = {0};
	const ResourceFilter *argument =
		resource_filter(result->query.options->resource, FILTER_ARGUMENT);

	if (argument == NULL || filter->argument_filter != NULL)
		return;
	filter->arguments = read_ids(result, argument->source, &all);
	filter->argument_filter = argument;
}

/*
 * The filter of the requests.  If employees are requested one by one or in
 * batches, the ids of all employees are read first.  HiBob recommends batches
 * for companies that are too large for one response.  An employee is returned
 * once, even if others are added or deleted meanwhile.
 */
static RequestFilter
request_filter(RemoteResult *result)
{
	const Resource *resource = result->query.options->resource;
	RequestFilter filter = result->filter;

	if (remote_query_needs_ids(&result->query, &filter))
		add_listed_values(result, &filter);
	else if (resource->needs_employees)
		filter.batch_size = result->query.options->batch_size;
	add_listed_arguments(result, &filter);
	if (resource->expand != NULL)
	{
		filter.values = expand_values(result, resource->expand, filter.values,
									  &filter.origins);
		filter.found_values = true;
	}
	return filter;
}

static void
acquire_channel(RemoteResult *result)
{
	connection_acquire(result->query.userid, result->query.serverid,
					   &result->acquired);
	result->subject.connection = result->acquired.connection;
}

/* Reads several responses in parallel. */
static void
start_parallel_fetch(RemoteResult *result)
{
	ParallelFetch *fetch = &result->fetch;

	fetch->subject = &result->subject;
	fetch->request = result->request;
	fetch->map = result->query.map;
	fetch->counters = result->query.counters;
	fetch->summary = &result->summary;
	fetch_start(fetch, &result->acquired, result->query.fetch_slot);
}

/* ------------------------------------------------------------------------
 * Fallback
 *
 * A resource may have another one that reads the same rows with more requests,
 * for accounts that lack its endpoint.
 * ------------------------------------------------------------------------
 */

/* Whether an earlier response has shown that the query needs the fallback. */
static bool
needs_fallback(const RemoteResult *result)
{
	const Connection *connection = result->acquired.connection;

	return result->query.options->resource->fallback != NULL &&
		(connection_lacks(connection, UNSUPPORTED_ENDPOINT) ||
		 (connection_lacks(connection, UNSUPPORTED_HUMAN) &&
		  row_map_is_human(result->query.map)));
}

/* Makes the query read the fallback. */
static void
use_fallback(RemoteResult *result)
{
	const Resource *fallback =
		resource_find(result->query.options->resource->fallback);
	TableOptions *options = palloc(sizeof(TableOptions));
	RowMap	   *map = palloc(sizeof(RowMap));

	*options = *result->query.options;
	options->resource = fallback;
	*map = *result->query.map;
	map->resource = fallback;
	result->query.options = options;
	result->query.map = map;
	result->subject.resource = fallback;
	*result->query.has_fallen_back = true;
	if (result->filter.filter != NULL)
		result->filter.filter = resource_filter(fallback, FILTER_VALUES);
}

/* Chooses one of the three ways to read. */
static void
start_requests(RemoteResult *result)
{
	const RemoteQuery *query = &result->query;

	if (field_split_is_needed(query->map))
	{
		result->split = field_split_create(&result->subject, &result->acquired,
										   query->map, query->options,
										   &result->sent_filter, query->counters,
										   &result->summary);
		return;
	}
	result->request = request_create(query->map, query->options,
									 &result->sent_filter);
	if (request_has_many_responses(result->request))
		start_parallel_fetch(result);
	else
		result->response = response_create(&result->subject, &result->acquired,
										   result->request, query->map,
										   query->counters,
										   &result->summary, false);
}

static List *
copy_values(const List *values)
{
	List	   *copy = NIL;
	ListCell   *lc;

	foreach(lc, values)
		copy = lappend(copy, pstrdup(lfirst(lc)));
	return copy;
}

/* Whether a condition other than that on the status limits the rows. */
static bool
is_limited(const RequestFilter *filter)
{
	return filter->filter != NULL || filter->has_lower || filter->has_upper ||
		filter->argument_filter != NULL || filter->has_day;
}

/* Whether the rows are only those of active employees of a table of all. */
static bool
is_limited_to_active(const RequestFilter *filter, const TableOptions *options)
{
	return filter->active_only && options->show_inactive;
}

RemoteResult *
remote_result_create(const RemoteQuery *query, const RequestFilter *filter,
					 MemoryContext parent, bool materialize,
					 const char *cache_key)
{
	RemoteResult *result = allocate_result(parent);
	MemoryContext old = MemoryContextSwitchTo(result->context);

	result->query = *query;
	result->filter = *filter;
	result->filter.values = copy_values(filter->values);
	result->filter.arguments = copy_values(filter->arguments);
	result->cache_key = cache_key != NULL ? pstrdup(cache_key) : NULL;
	result->summary.context = result->context;
	result->summary.named = filter->filter != NULL;
	result->subject.resource = query->options->resource;
	result->subject.table = pstrdup(query->map->table);
	if (materialize || cache_key != NULL)
		cache_create(&result->materialized, query->relid, query->serverid);
	acquire_channel(result);
	if (needs_fallback(result))
		use_fallback(result);
	result->sent_filter = request_filter(result);
	start_requests(result);
	MemoryContextSwitchTo(old);
	return result;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

static bool
is_present(const RowColumn *column, const void *arg)
{
	const RemoteResult *result = arg;

	if (result->split != NULL)
		return field_split_has_field(result->split, column);
	return result->response != NULL ?
		response_has_field(result->response, column) :
		fetch_has_field(&result->fetch, column);
}

/* Raises an error if the custom table does not exist. */
static void
find_custom_table(RemoteResult *result)
{
	const RequestFilter all = {0};
	const char *id = result->query.options->id;
	bool	   *has_table = result->query.has_table;
	List	   *tables = read_ids(result, RESOURCE_CUSTOM_TABLES, &all);
	ListCell   *lc;

	foreach(lc, tables)
		*has_table |= strcmp(lfirst(lc),
							 pg_server_to_any(id, (int) strlen(id),
											  PG_UTF8)) == 0;
	if (!*has_table)
		error_no_custom_table(&result->subject, NULL, id);
}

/*
 * Checks that the custom table exists if HiBob knows none of the requested
 * employees, or does not know the table: the responses do not show which.
 */
static void
check_custom_table(RemoteResult *result)
{
	MemoryContext old;

	*result->query.has_table |= result->summary.responses > 0;
	if (*result->query.has_table || result->summary.ambiguous == 0)
		return;
	old = MemoryContextSwitchTo(result->context);
	acquire_channel(result);
	find_custom_table(result);
	connection_release(&result->acquired);
	MemoryContextSwitchTo(old);
}

/* Once for each connection and reason. */
static void
report_fallback(const RemoteResult *result, ResponseUnsupported reason)
{
	ereport(NOTICE,
			(reason == UNSUPPORTED_ENDPOINT ?
			 errmsg("this account of HiBob has no bulk endpoint for custom tables") :
			 errmsg("the bulk endpoint of HiBob for custom tables returns no names of list items"),
			 errdetail("Foreign table \"%s\" is read with a request for each employee, as are all custom tables in this session%s.",
					   result->subject.table,
					   reason == UNSUPPORTED_ENDPOINT ? "" :
					   " with columns that show names"),
			 errhint("Use conditions on employee_id, the option cache_ttl or a materialized view to make fewer requests.")));
}

/* Starts again, with the fallback.  No row has been returned yet. */
static void
start_fallback(RemoteResult *result)
{
	MemoryContext old = MemoryContextSwitchTo(result->context);
	ResponseUnsupported reason = result->summary.unsupported;

	fetch_stop(&result->fetch);
	memset(&result->fetch, 0, sizeof(ParallelFetch));
	memset(&result->summary, 0, sizeof(ResponseSummary));
	result->summary.context = result->context;
	result->summary.named = result->filter.filter != NULL;
	acquire_channel(result);
	if (reason == UNSUPPORTED_ENDPOINT)
		find_custom_table(result);
	if (connection_note_lack(result->acquired.connection, reason))
		report_fallback(result, reason);
	use_fallback(result);
	result->sent_filter = request_filter(result);
	start_requests(result);
	MemoryContextSwitchTo(old);
}

/* Checks and caches the complete result, after the last row. */
static void
finish(RemoteResult *result)
{
	const RemoteQuery *query = &result->query;
	bool		cache = result->cache_key != NULL && key_is_current(result);

	result->finished = true;
	connection_release(&result->acquired);
	fetch_release(&result->fetch);
	check_custom_table(result);
	result_check_missing_fields(query->options, query->map, &result->summary,
								is_present, result);
	if (!is_limited(&result->filter))
		result_check_min_rows(query->options, query->map,
							  result->summary.rows);
	if (!is_limited(&result->filter) &&
		!is_limited_to_active(&result->filter, query->options))
		stats_note_rows(query->relid, (double) result->summary.rows);
	if (cache)
		cache_publish(&result->materialized, result->cache_key,
					  remote_query_columns(query),
					  query->options->cache_ttl, !is_limited(&result->filter));
}

/* Reads the next row of the only response. */
static ResponseResult
advance(RemoteResult *result, TupleTableSlot *slot, bool sleep)
{
	bool		first = result->summary.rows == 0;
	ResponseResult outcome = response_advance(result->response, sleep);

	if (first && outcome != RESPONSE_WAIT &&
		response_csv(result->response) != NULL)
		result_check_labels(result->query.map,
							response_csv(result->response));
	if (outcome == RESPONSE_ROW)
		row_map_store(result->query.map, response_record(result->response),
					  slot);
	return outcome;
}

/* The next row of several requests at once. */
static ResponseResult
fetch_row(RemoteResult *result, TupleTableSlot *slot, bool sleep)
{
	ResponseResult outcome = fetch_next(&result->fetch, slot, sleep);

	if (result->summary.unsupported == SUPPORTED)
		return outcome;
	if (result->has_returned)
		result_missing_human(result->query.map);
	start_fallback(result);
	return fetch_next(&result->fetch, slot, sleep);
}

TupleTableSlot *
remote_result_next(RemoteResult *result, TupleTableSlot *slot,
				   TupleTableSlot *fetched_slot, bool sleep)
{
	ResponseResult outcome;

	if (result->finished)
		return NULL;
	if (result->split != NULL)
		outcome =
			field_split_next(result->split, slot) ? RESPONSE_ROW : RESPONSE_END;
	else if (result->response != NULL)
		outcome = advance(result, slot, sleep);
	else
	{
		outcome = fetch_row(result, fetched_slot, sleep);
		slot = fetched_slot;
	}
	if (outcome == RESPONSE_END)
		finish(result);
	result->has_returned |= outcome == RESPONSE_ROW;
	return outcome == RESPONSE_ROW ? slot : NULL;
}

/* ------------------------------------------------------------------------
 * Readers
 * ------------------------------------------------------------------------
 */

void
remote_result_attach(RemoteResult *result)
{
	result->readers++;
}

void
remote_result_detach(RemoteResult *result)
{
	if (--result->readers > 0)
		return;
	if (result->response != NULL)
		response_stop(result->response);
	connection_release(&result->acquired);
	fetch_stop(&result->fetch);
	MemoryContextDelete(result->context);
}

const CacheReader *
remote_result_materialized(const RemoteResult *result)
{
	return &result->materialized;
}

const RequestFilter *
remote_result_filter(const RemoteResult *result)
{
	return &result->filter;
}

bool
remote_result_is_finished(const RemoteResult *result)
{
	return result->finished;
}

bool
remote_result_is_last_response(const RemoteResult *result)
{
	return result->request != NULL && !request_has_more(result->request) &&
		result->query.options->resource->paging == PAGING_NONE;
}

HttpChannel *
remote_result_channel(const RemoteResult *result)
{
	return result->response != NULL ? result->acquired.channel :
		result->fetch.acquired[0].channel;
}
