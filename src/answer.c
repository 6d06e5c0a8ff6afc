/*
 * answer.c
 *		What HiBob answers in one run through a table, from conditions to rows.
 *
 * Channel and credentials are borrowed while an answer is read, and given back
 * by a callback of the answer's memory context if an error cuts it short.
 *
 * Knows requests, answers and where rows are kept; nothing of the executor's
 * plans.
 */
#include "postgres.h"

#include "answer.h"
#include "complete.h"
#include "error.h"
#include "foreign/foreign.h"
#include "gather.h"
#include "mb/pg_wchar.h"
#include "response.h"
#include "seen.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "wide.h"

/* Memory for the ids of all employees, of whom it can be some 750,000. */
#define MAX_IDS (64 * 1024 * 1024)

/* What an id takes beside its characters, in the list and on the way there. */
#define ID_OVERHEAD 64

struct Answer
{
	MemoryContext context;
	Question	question;
	ErrorSubject subject;
	ConnectionLease lease;
	RequestFilter filter;		/* as the query wants it */
	bool		narrowed;		/* by a condition of the query */
	RequestFilter asked;		/* as the requests are made */
	Request    *request;
	Response   *response;		/* NULL if the answers are put together: */
	Wide	   *wide;			/* as parts of rows; or else */
	RowGather	gather;			/* as rows */
	ResponseFindings findings;
	bool		finished;
	int			readers;
	CacheReader kept;
	const char *cache_key;		/* NULL: not kept for a time */
};

/*
 * Ends what is under way: otherwise the rate limit would go on to count it.  The
 * response lies in the answer's own memory.
 */
static void
stop_response(Answer *answer)
{
	if (answer->response != NULL && !answer->finished)
		response_stop(answer->response);
	answer->response = NULL;
}

/* What has to happen when an error ends the query, too. */
static void
clean_up(void *arg)
{
	Answer	   *answer = arg;

	stop_response(answer);
	connection_return(&answer->lease);
	gather_release(&answer->gather);
	cache_close(&answer->kept);
}

/*
 * Makes the answer's own memory, with the clean-up that has to happen even if
 * an error ends the query, before there is anything to clean up.
 */
static Answer *
allocate_answer(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "hibob_fdw answer",
												  ALLOCSET_DEFAULT_SIZES);
	Answer	   *answer = MemoryContextAllocZero(context, sizeof(Answer));
	MemoryContextCallback *callback =
		MemoryContextAllocZero(context, sizeof(MemoryContextCallback));

	answer->context = context;
	answer->readers = 1;
	callback->func = clean_up;
	callback->arg = answer;
	MemoryContextRegisterResetCallback(context, callback);
	return answer;
}

/* ------------------------------------------------------------------------
 * What is asked
 * ------------------------------------------------------------------------
 */

bool
answer_needs_ids(const Question *question, const RequestFilter *filter)
{
	const TableOptions *options = question->options;

	return filter->filter == NULL &&
		(options->resource->needs_employees || options->batch_size > 0 ||
		 wide_is_needed(question->map));
}

Request *
answer_requests(const Question *question, const RequestFilter *filter)
{
	return request_create(wide_is_needed(question->map) ?
						  wide_first_part(question->map) : question->map,
						  question->options, filter);
}

static bool
has_whole_row(const RowMap *map)
{
	for (int i = 0; i < map->ncolumns; i++)
		if (strcmp(map->columns[i].field, CATALOG_WHOLE_ROW) == 0)
			return true;
	return false;
}

Bitmapset *
answer_columns(const Question *question)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < question->map->ncolumns; i++)
		columns = bms_add_member(columns, question->map->columns[i].attnum);
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
	if (filter->filter != NULL)
		appendStringInfo(key, "\n%s", filter->filter->field);
	foreach(lc, filter->values)
		appendStringInfo(key, "\n%zu %s", strlen(lfirst(lc)),
						 (char *) lfirst(lc));
}

/*
 * The user mapping, the table, what is asked of it; and how dates and times are
 * read.  What stands for a whole row shows which columns were asked for.  The
 * table's options have no place here, since altering them forgets its entries.
 */
const char *
answer_key(const Question *question, const RequestFilter *filter)
{
	UserMapping *mapping = GetUserMapping(question->userid,
										  question->serverid);
	StringInfoData key;

	initStringInfo(&key);
	appendStringInfo(&key, "%u %u %s %s %s", mapping->umid, question->relid,
					 GetConfigOption("TimeZone", false, false),
					 GetConfigOption("DateStyle", false, false),
					 GetConfigOption("IntervalStyle", false, false));
	append_filter(&key, filter);
	if (has_whole_row(question->map))
		for (int i = 0; i < question->map->ncolumns; i++)
			appendStringInfo(&key, " %d",
							 question->map->columns[i].attnum);
	return key.data;
}

/*
 * Reads what tells the rows of a resource from one another, beside the answer's
 * own rows.
 */
static List *
read_ids(Answer *answer, const char *resource, const RequestFilter *filter)
{
	static const TableOptions plain = {.show_inactive = true};
	RowMap	   *map = palloc0(sizeof(RowMap));
	ErrorSubject *subject = palloc(sizeof(ErrorSubject));
	ResponseFindings findings = {.context = CurrentMemoryContext};
	Response   *response;
	List	   *ids = NIL;
	size_t		memory = 0;

	*subject = answer->subject;
	subject->resource = catalog_resource(resource);
	map->resource = subject->resource;
	map->table = answer->question.map->table;
	response = response_create(subject, &answer->lease,
							   request_create(map, &plain, filter), map,
							   answer->question.counters, &findings, false);
	while (response_next(response))
	{
		const RowRecord *record = response_record(response);
		const JsonSlice *id = row_reader_slice(record->reader, map->identity);

		if (id->kind <= JSON_NULL && subject->resource->form == ROW_EMPLOYEE)
			complete_no_identity(answer->question.map);
		if (id->kind <= JSON_NULL)
			continue;
		memory += id->length + ID_OVERHEAD;
		if (memory > MAX_IDS)
			complete_too_many_ids(answer->question.map);
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
 * The filter that the requests are made with.  Everybody's ids come first where
 * employees are asked for one by one, or in batches: the latter is HiBob's own
 * advice for companies whose people do not fit into one answer.  Each id comes
 * once, whoever joins or leaves in between.
 */
static RequestFilter
request_filter(Answer *answer)
{
	const TableOptions *options = answer->question.options;
	RequestFilter filter = answer->filter;
	RequestFilter everybody = {.active_only = filter.active_only};

	if (!answer_needs_ids(&answer->question, &filter))
		return filter;
	filter.values = read_ids(answer, CATALOG_PEOPLE, &everybody);
	filter.filter = employee_filter(options->resource);
	filter.batch_size = options->batch_size;
	filter.found_values = true;
	return filter;
}

static void
borrow(Answer *answer)
{
	connection_borrow(answer->question.userid, answer->question.serverid,
					  &answer->lease);
	answer->subject.connection = answer->lease.connection;
}

/* Reads from several answers at once. */
static void
start_gathering(Answer *answer)
{
	RowGather  *gather = &answer->gather;

	gather->subject = &answer->subject;
	gather->request = answer->request;
	gather->map = answer->question.map;
	gather->counters = answer->question.counters;
	gather->findings = &answer->findings;
	gather_start(gather, &answer->lease, answer->question.gather_slot);
}

/* Chooses how the answers become rows. */
static void
start_answers(Answer *answer)
{
	const Question *question = &answer->question;

	if (wide_is_needed(question->map))
	{
		answer->wide = wide_create(&answer->subject, &answer->lease,
								   question->map, question->options,
								   &answer->asked, question->counters,
								   &answer->findings);
		return;
	}
	answer->request = request_create(question->map, question->options,
									 &answer->asked);
	if (request_is_scattered(answer->request))
		start_gathering(answer);
	else
		answer->response = response_create(&answer->subject, &answer->lease,
										   answer->request, question->map,
										   question->counters,
										   &answer->findings, false);
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

/* Whether a condition of the query keeps rows away. */
static bool
is_narrowed(const RequestFilter *filter, const TableOptions *options)
{
	return filter->filter != NULL || filter->has_lower || filter->has_upper ||
		(filter->active_only && options->show_inactive);
}

Answer *
answer_create(const Question *question, const RequestFilter *filter,
			  MemoryContext parent, bool keep, const char *cache_key)
{
	Answer	   *answer = allocate_answer(parent);
	MemoryContext old = MemoryContextSwitchTo(answer->context);

	answer->question = *question;
	answer->filter = *filter;
	answer->filter.values = copy_values(filter->values);
	answer->cache_key = cache_key != NULL ? pstrdup(cache_key) : NULL;
	answer->narrowed = is_narrowed(filter, question->options);
	answer->findings.context = answer->context;
	answer->subject.resource = question->options->resource;
	answer->subject.table = pstrdup(question->map->table);
	if (keep || cache_key != NULL)
		cache_create(&answer->kept, question->relid, question->serverid);
	borrow(answer);
	answer->asked = request_filter(answer);
	start_answers(answer);
	MemoryContextSwitchTo(old);
	return answer;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

static bool
is_carried(const RowColumn *column, const void *arg)
{
	const Answer *answer = arg;

	if (answer->wide != NULL)
		return wide_carried(answer->wide, column);
	return answer->response != NULL ?
		response_carried(answer->response, column) :
		gather_carried(&answer->gather, column);
}

/*
 * Sees to it that the custom table is there if HiBob knows none of the employees
 * who were named, or does not know it: the answers do not say which.
 */
static void
check_custom_table(Answer *answer)
{
	const RequestFilter all = {0};
	const char *id = answer->question.options->id;
	bool	   *has_table = answer->question.has_table;
	MemoryContext old;
	List	   *tables;
	ListCell   *lc;

	*has_table |= answer->findings.answers > 0;
	if (*has_table || answer->findings.unsure == 0)
		return;
	old = MemoryContextSwitchTo(answer->context);
	borrow(answer);
	tables = read_ids(answer, CATALOG_CUSTOM_TABLES, &all);
	connection_return(&answer->lease);
	foreach(lc, tables)
		*has_table |= strcmp(lfirst(lc),
							 pg_server_to_any(id, (int) strlen(id),
											  PG_UTF8)) == 0;
	if (!*has_table)
		error_no_custom_table(&answer->subject, NULL, id);
	MemoryContextSwitchTo(old);
}

/* After the last row: what can only be said now. */
static void
finish(Answer *answer)
{
	const Question *question = &answer->question;

	answer->finished = true;
	connection_return(&answer->lease);
	gather_release(&answer->gather);
	check_custom_table(answer);
	complete_report_missing(question->options, question->map, &answer->findings,
							is_carried, answer);
	if (!answer->narrowed)
	{
		complete_check_min_rows(question->options, question->map,
								answer->findings.rows);
		seen_note(question->relid, (double) answer->findings.rows);
	}
	if (answer->cache_key != NULL)
		cache_publish(&answer->kept, answer->cache_key,
					  answer_columns(question),
					  question->options->cache_ttl);
}

/* The next row of the only response. */
static ResponseResult
advance(Answer *answer, TupleTableSlot *slot, bool sleep)
{
	bool		first = answer->findings.rows == 0;
	ResponseResult result = response_advance(answer->response, sleep);

	if (first && result != RESPONSE_WAIT &&
		response_csv(answer->response) != NULL)
		complete_check_labels(answer->question.map,
							  response_csv(answer->response));
	if (result == RESPONSE_ROW)
		row_map_store(answer->question.map, response_record(answer->response),
					  slot);
	return result;
}

TupleTableSlot *
answer_next(Answer *answer, TupleTableSlot *slot, TupleTableSlot *gathered,
			bool sleep)
{
	ResponseResult result;

	if (answer->finished)
		return NULL;
	if (answer->wide != NULL)
		result = wide_next(answer->wide, slot) ? RESPONSE_ROW : RESPONSE_END;
	else if (answer->response != NULL)
		result = advance(answer, slot, sleep);
	else
	{
		result = gather_next(&answer->gather, gathered, sleep);
		slot = gathered;
	}
	if (result == RESPONSE_END)
		finish(answer);
	return result == RESPONSE_ROW ? slot : NULL;
}

/* ------------------------------------------------------------------------
 * Readers
 * ------------------------------------------------------------------------
 */

void
answer_join(Answer *answer)
{
	answer->readers++;
}

void
answer_leave(Answer *answer)
{
	if (--answer->readers > 0)
		return;
	stop_response(answer);
	connection_return(&answer->lease);
	gather_stop(&answer->gather);
	MemoryContextDelete(answer->context);
}

const CacheReader *
answer_kept(const Answer *answer)
{
	return &answer->kept;
}

const RequestFilter *
answer_filter(const Answer *answer)
{
	return &answer->filter;
}

bool
answer_is_finished(const Answer *answer)
{
	return answer->finished;
}

HttpChannel *
answer_channel(const Answer *answer)
{
	return answer->response != NULL ? answer->lease.channel :
		answer->gather.leases[0].channel;
}
