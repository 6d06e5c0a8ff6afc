/*
 * request.c
 *		Makes HTTP requests from the columns and conditions of a scan.
 *
 * A sequence of requests has three dimensions: the values, a limited number of
 * which one request can name; the arguments, one in each request; and the range
 * of time, of which one request can span a limited number of months or days.
 */
#include "postgres.h"

#include <math.h>

#include "http/url.h"
#include "mb/pg_wchar.h"
#include "options/naming.h"
#include "options/text_list.h"
#include "pgtime.h"
#include "remote/request_text.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* The most ranges of days of one query; a request is made for each. */
#define MAX_RANGES 1000

/* ------------------------------------------------------------------------
 * Fields
 * ------------------------------------------------------------------------
 */

static List *
add_sources(List *list, const ResourceDerived *derived)
{
	for (int i = 0; i < RESOURCE_MAX_SOURCES; i++)
		if (derived->sources[i] != NULL)
			list = text_list_add(list, derived->sources[i]);
	return list;
}

/* The fields of all columns in the resource table. */
static List *
resource_fields(const Resource *resource)
{
	List	   *fields = NIL;

	for (int i = 0; i < resource->ncolumns; i++)
	{
		const char *field = resource->columns[i].field;
		const ResourceDerived *derived = resource_derived(resource, field);

		if (derived != NULL)
			fields = add_sources(fields, derived);
		else if (strcmp(field, RESOURCE_WHOLE_ROW) != 0)
			fields = text_list_add(fields, field);
	}
	return fields;
}

/* The fields of a column with the whole row. */
static List *
whole_row_fields(const Resource *resource)
{
	List	   *fields = NIL;

	if (resource->default_fields == NULL)
		return resource_fields(resource);
	for (const char *const *f = resource->default_fields; *f != NULL; f++)
		fields = text_list_add(fields, *f);
	return fields;
}

/*
 * The fields to request: the row's identity, which messages show, and those of
 * the columns.  A column with the whole row needs the fields that HiBob
 * returns by default, which have to be named only together with others.
 */
static List *
wanted_fields(const RowMap *map)
{
	const Resource *resource = map->resource;
	List	   *fields = resource->identity_field == NULL ? NIL :
		list_make1((char *) resource->identity_field);
	bool		whole_row = false;
	bool		beyond = false;
	List	   *whole = whole_row_fields(resource);
	ListCell   *lc;

	for (int i = 0; i < map->ncolumns; i++)
	{
		const RowColumn *column = &map->columns[i];

		if (strcmp(column->field, RESOURCE_WHOLE_ROW) == 0)
			whole_row = true;
		else if (column->derived != NULL)
			fields = add_sources(fields, column->derived);
		else if (column->supplied < 0)
		{
			beyond |= !text_list_has(whole, column->field);
			fields = text_list_add(fields, column->field);
		}
	}
	if (!whole_row)
		return fields;
	if (!beyond && resource->default_fields != NULL)
		return NIL;
	foreach(lc, whole)
		fields = text_list_add(fields, lfirst(lc));
	return fields;
}

static void
check_number_of_fields(const RowMap *map, const List *fields)
{
	int			max = map->resource->max_fields;

	if (list_length(fields) > max)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_TOO_MANY_HANDLES),
				 errmsg("too many fields for one request to HiBob"),
				 errdetail("The query needs %d fields of foreign table \"%s\", and the limit is %d.",
						   list_length(fields), map->table, max),
				 errhint("Select only the columns that you need.")));
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

static int
compare_values(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool
is_id(const char *value)
{
	return value[0] != '\0' && strspn(value, "0123456789") == strlen(value);
}

/* Whether HiBob accepts the value and could have it. */
static bool
is_possible_value(const ResourceFilter *filter, const char *value)
{
	if (filter->digits)
		return is_id(value);
	return filter->place != PLACE_PATH || url_is_segment(value);
}

/* The distinct values that HiBob could have.  Sets their number. */
static char **
sort_values(const ResourceFilter *filter, const List *values, int *number)
{
	char	  **sorted = palloc(sizeof(char *) * Max(list_length(values), 1));
	ListCell   *lc;
	int			n = 0;
	int			distinct = 0;

	foreach(lc, values)
	{
		char	   *value = is_possible_value(filter, lfirst(lc)) ?
			naming_to_utf8(lfirst(lc)) : NULL;

		if (value != NULL)
			sorted[n++] = value;
	}
	qsort(sorted, n, sizeof(char *), compare_values);
	for (int i = 0; i < n; i++)
		if (i == 0 || strcmp(sorted[i], sorted[distinct - 1]) != 0)
			sorted[distinct++] = sorted[i];
	*number = distinct;
	return sorted;
}

static void
set_values(Request *request, const ResourceFilter *filter, const List *values)
{
	request->values = sort_values(filter, values, &request->nvalues);
	request->nothing |= request->nvalues == 0;
}

static char **
utf8_texts(const List *texts)
{
	char	  **result = palloc(sizeof(char *) * Max(list_length(texts), 1));

	for (int i = 0; i < list_length(texts); i++)
	{
		char	   *text = list_nth(texts, i);

		result[i] = pg_server_to_any(text, (int) strlen(text), PG_UTF8);
	}
	return result;
}

/* Sets the values, in their order, and the origin of each, if it has one. */
static void
set_unchecked_values(Request *request, const RequestFilter *filter)
{
	int			n = list_length(filter->values);

	request->values = utf8_texts(filter->values);
	if (filter->origins != NIL)
		request->origins = utf8_texts(filter->origins);
	request->nvalues = n;
	request->nothing |= n == 0;
}

static void
set_arguments(Request *request, const RequestFilter *filter)
{
	request->narguments = 1;
	if (filter->argument_filter == NULL)
		return;
	request->argument_filter = filter->argument_filter;
	request->arguments = sort_values(filter->argument_filter,
									 filter->arguments,
									 &request->narguments);
	request->nothing |= request->narguments == 0;
}

/* The number of values that one request can name. */
static int
values_per_request(const Resource *resource, const ResourceFilter *filter)
{
	if (filter->place == PLACE_PATH)
		return 1;
	return resource->max_values > 0 ? resource->max_values : REQUEST_BATCH;
}

static void
set_batches(Request *request, const RequestFilter *filter)
{
	request->filter = filter->filter;
	request->found_values = filter->found_values;
	request->derived_values = filter->derived_values;
	request->batch_size = filter->batch_size > 0 ? filter->batch_size :
		values_per_request(request->resource, filter->filter);
	if (filter->origins != NIL || filter->is_preview)
		set_unchecked_values(request, filter);
	else
		set_values(request, filter->filter, filter->values);
}

double
request_count_of_values(const Resource *resource, double nvalues)
{
	double		requests = ceil(nvalues /
								values_per_request(resource,
												   &resource->filters[0]));

	if (resource->paging != PAGING_NONE)
		requests = Max(requests, ceil(nvalues * ROWS_PER_EMPLOYEE /
									  resource->page_limit));
	return requests;
}

/* ------------------------------------------------------------------------
 * Ranges of time
 * ------------------------------------------------------------------------
 */

/* A time in UTC, truncated to a number of fractional digits. */
static char *
time_text(TimestampTz time, int digits)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(time, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	for (int i = digits; i < 6; i++)
		fsec /= 10;
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d.%0*dZ", tm.tm_year,
					tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
					digits, (int) fsec);
}

/* The day of a time by the session's time zone. */
static DateADT
day_of(TimestampTz time)
{
	return DatumGetDateADT(DirectFunctionCall1(timestamptz_date,
											   TimestampTzGetDatum(time)));
}

static char *
date_text(DateADT date)
{
	int			year;
	int			month;
	int			day;

	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return psprintf("%04d-%02d-%02d", year, month, day);
}

/* Whether a field is a date, without a time of day. */
static bool
is_date_field(const Resource *resource, const char *field)
{
	for (int i = 0; i < resource->ncolumns; i++)
		if (strcmp(resource->columns[i].field, field) == 0)
			return strcmp(resource->columns[i].type, "date") == 0;
	return false;
}

/* Limits a time to the years 1 to 9999. */
static TimestampTz
clamp_time(TimestampTz time)
{
	const TimestampTz first = (date2j(1, 1, 2) - POSTGRES_EPOCH_JDATE) *
		USECS_PER_DAY;
	const TimestampTz last = (date2j(9999, 12, 30) - POSTGRES_EPOCH_JDATE) *
		USECS_PER_DAY;

	return Max(first, Min(last, time));
}

/* A bound in the form of the field. */
static char *
bound_text(const Request *request, const ResourceFilter *filter,
		   TimestampTz time)
{
	time = clamp_time(time);
	return is_date_field(request->resource, filter->field) ? date_text(day_of(time)) :
		time_text(time, 3);
}

/* In UTC, as HiBob does: daylight saving time does not change a month. */
static TimestampTz
add_months(TimestampTz time, int months)
{
	Interval	interval = {.month = months};

	return DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
												 TimestampGetDatum(time),
												 IntervalPGetDatum(&interval)));
}

/*
 * The number of ranges of the maximum length.  Ranges that begin in the future
 * are omitted, because an upper bound such as 9999-12-31 would make thousands
 * of them; a day is added because clocks differ.
 */
static int
count_ranges(int months, TimestampTz lower, TimestampTz upper)
{
	TimestampTz end = Min(upper, GetCurrentTimestamp() + USECS_PER_DAY);
	int			n = 1;

	while (add_months(lower, n * months) < end)
		n++;
	return n;
}

/* Sets the lower bounds: each range begins where the previous one ends. */
static void
set_lowers(Request *request, const RequestFilter *filter, TimestampTz lower)
{
	const ResourceFilter *bound = filter->lower_filter;

	request->lower_name = bound->parameter;
	request->bounds_place = bound->place;
	for (int i = 0; i < request->nranges; i++)
		request->lowers[i] =
			bound_text(request, bound,
					   add_months(lower, i * request->resource->max_months));
}

static void
set_uppers(Request *request, const RequestFilter *filter, TimestampTz lower,
		   TimestampTz upper)
{
	const ResourceFilter *bound = filter->upper_filter;
	int			months = request->resource->max_months;

	request->upper_name = bound->role == FILTER_BOUNDS ? bound->upper :
		bound->parameter;
	request->bounds_place = bound->place;
	for (int i = 0; i < request->nranges; i++)
	{
		TimestampTz end = filter->has_lower && months > 0 ?
			Min(upper, add_months(lower, (i + 1) * months)) : upper;

		request->uppers[i] = bound_text(request, bound, end);
	}
}

/* A bound such as 9999-12-31 would use up the rate limit for hours. */
static void
check_number_of_ranges(const RowMap *map, int days, int nranges)
{
	if (nranges <= MAX_RANGES)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the range of time for foreign table \"%s\" is too long",
					map->table),
			 errdetail("It takes %d requests of %d days each, and the limit is %d.",
					   nranges, days, MAX_RANGES),
			 errhint("Use bounds that are closer together.")));
}

/* Sets disjoint ranges of days: a request's range includes both of its ends. */
static void
set_day_ranges(Request *request, const RowMap *map,
			   const RequestFilter *filter)
{
	int			days = request->resource->max_days;
	DateADT		first = day_of(clamp_time(filter->lower));
	DateADT		last = day_of(clamp_time(filter->upper));

	request->lower_name = filter->lower_filter->parameter;
	request->upper_name = filter->upper_filter->upper;
	request->bounds_place = filter->lower_filter->place;
	request->nranges = Max((last - first) / days + 1, 1);
	check_number_of_ranges(map, days, request->nranges);
	request->lowers = palloc0(request->nranges * sizeof(char *));
	request->uppers = palloc0(request->nranges * sizeof(char *));
	for (int i = 0; i < request->nranges; i++)
	{
		DateADT		begin = first + i * days;

		request->lowers[i] = date_text(begin);
		request->uppers[i] = date_text(Min(begin + days - 1, last));
	}
}

/* The millisecond that a time is in. */
static TimestampTz
to_milliseconds(TimestampTz time)
{
	TimestampTz rest = time % 1000;

	return time - (rest < 0 ? rest + 1000 : rest);
}

/* HiBob's times have milliseconds, so the bounds are rounded outwards. */
static void
set_ranges(Request *request, const RowMap *map, const RequestFilter *filter)
{
	TimestampTz lower = to_milliseconds(clamp_time(filter->lower));
	TimestampTz upper = clamp_time(filter->upper);
	int			months = request->resource->max_months;

	if (request->resource->max_days > 0 && filter->has_lower &&
		filter->has_upper)
	{
		set_day_ranges(request, map, filter);
		return;
	}
	if (filter->has_upper &&
		!is_date_field(request->resource, filter->upper_filter->field))
		upper = to_milliseconds(upper + 999);
	request->nranges = months > 0 && filter->has_lower && filter->has_upper ?
		count_ranges(months, lower, upper) : 1;
	request->lowers = palloc0(request->nranges * sizeof(char *));
	request->uppers = palloc0(request->nranges * sizeof(char *));
	if (filter->has_lower)
		set_lowers(request, filter, lower);
	if (filter->has_upper)
		set_uppers(request, filter, lower, upper);
}

static SuppliedValue
supplied_text(const char *text)
{
	SuppliedValue supplied = {text, text != NULL ? strlen(text) : 0};

	return supplied;
}

/*
 * Sets the day of the request.  If the resource requires one and the query has
 * no condition, it is today by UTC.
 */
static void
set_day(Request *request, const RequestFilter *filter)
{
	const ResourceFilter *day = resource_filter(request->resource, FILTER_DAY);

	if (filter->has_day)
		request->day = date_text(day_of(filter->day));
	else if (request->resource->needs_day && !filter->hides_day)
		request->day = pnstrdup(time_text(GetCurrentTimestamp(), 0), 10);
	if (request->day != NULL)
		request->day_name = day->parameter;
}

/* Sets the values of columns that show the bounds and the day. */
static void
set_supplied_bounds(Request *request, const RequestFilter *filter)
{
	for (int i = 0; i < RESOURCE_MAX_SUPPLIED; i++)
	{
		SuppliedSource source = request->resource->supplied[i].source;

		if (source == SUPPLIED_LOWER && filter->has_lower)
			request->supplied[i] = supplied_text(time_text(filter->lower, 6));
		if (source == SUPPLIED_UPPER && filter->has_upper)
			request->supplied[i] = supplied_text(time_text(filter->upper, 6));
		if (source == SUPPLIED_DAY)
			request->supplied[i] = supplied_text(request->day);
	}
}

/* ------------------------------------------------------------------------
 * The sequence
 * ------------------------------------------------------------------------
 */

Request *
request_create(const RowMap *map, const TableOptions *options,
			   const RequestFilter *filter)
{
	Request    *request = palloc0(sizeof(Request));
	const Resource *resource = map->resource;

	request->resource = resource;
	request->options = options;
	request->nothing = filter->nothing;
	request->show_inactive = !filter->active_only;
	request->human = row_map_is_human(map);
	if (resource->max_fields > 0)
	{
		request->fields = wanted_fields(map);
		check_number_of_fields(map, request->fields);
	}
	if (filter->filter != NULL)
		set_batches(request, filter);
	set_arguments(request, filter);
	set_ranges(request, map, filter);
	set_day(request, filter);
	set_supplied_bounds(request, filter);
	if (resource->paging != PAGING_NONE)
		request->one_page = filter->limit > 0 &&
			filter->limit <= resource->page_limit;
	request->limit = request->one_page ? (int) filter->limit :
		resource->page_limit;
	return request;
}

/*
 * Whether the values go into the path, one in each request.  Where that is
 * optional, only a single id does, and only if employees of any status are
 * requested.  An e-mail address does not: two employees may have the same one,
 * and the endpoint would return one of them.
 */
static bool
is_single(const Request *request)
{
	if (request->resource->single_path == NULL || request->filter == NULL)
		return false;
	if (request->filter->place == PLACE_PATH)
		return true;
	return request->nvalues == 1 && request->show_inactive &&
		strcmp(request->filter->field, RESOURCE_FIELD_ID) == 0 &&
		is_id(request->values[0]);
}

/*
 * Takes the next values; after the last ones, the first values with the next
 * argument; after the last argument, the next range.
 */
static void
next_part(Request *request, RequestCall *call)
{
	call->range = request->range;
	call->argument = request->argument;
	if (request->filter != NULL)
	{
		call->first = request->next;
		call->next = Min(call->first + request->batch_size, request->nvalues);
		request->next = call->next;
	}
	if (request->filter == NULL || request->next == request->nvalues)
	{
		request->next = 0;
		if (++request->argument < request->narguments)
			return;
		request->argument = 0;
		request->range++;
		request->done = request->range == request->nranges;
	}
}

static const char *
choose_endpoint(const Request *request, bool single)
{
	if (single)
		return request->resource->single_path;
	return request->options->report_async ? RESOURCE_REPORT_ASYNC :
		request->resource->path;
}

/* Sets the values of columns that the call's rows do not have. */
static void
set_supplied(const Request *request, RequestCall *call)
{
	memcpy(call->supplied, request->supplied, sizeof(call->supplied));
	for (int i = 0; i < RESOURCE_MAX_SUPPLIED; i++)
	{
		SuppliedSource source = request->resource->supplied[i].source;

		if (source == SUPPLIED_VALUE && request->nvalues > 0)
			call->supplied[i] = supplied_text(request->values[call->first]);
		if (source == SUPPLIED_ORIGIN && request->origins != NULL)
			call->supplied[i] = supplied_text(request->origins[call->first]);
		if (source == SUPPLIED_ARGUMENT && request->arguments != NULL)
			call->supplied[i] =
				supplied_text(request->arguments[call->argument]);
	}
}

/*
 * Sets the meaning of status 404: the object of the table does not exist, or
 * the employee does not and has no rows.  For a custom table the status does
 * not show which, unless HiBob has just returned the ids of the employees.  A
 * named list that the query names must exist.  A name from a join or a subquery
 * need not exist, because the success of a query must not depend on its plan.
 */
static void
set_not_found(const Request *request, RequestCall *call)
{
	const Resource *resource = request->resource;
	bool		by_value = call->single || request->origins != NULL ||
		(request->filter != NULL && request->filter->place == PLACE_PATH);
	const char *value = by_value ? request->values[call->first] : NULL;

	call->not_found = resource->fallback != NULL ? NOT_FOUND_UNSUPPORTED :
		NOT_FOUND_ERROR;
	if (resource->id_option != NULL)
		call->object_name = request->options->id;
	if (resource->is_lists)
		call->list = value;
	if (by_value && resource->is_lists && !request->derived_values)
		call->object_name = pg_any_to_server(value, (int) strlen(value), PG_UTF8);
	else if (by_value && request->found_values)
		call->not_found = NOT_FOUND_DELETED;
	else if (by_value)
		call->not_found = resource->id_option != NULL ? NOT_FOUND_AMBIGUOUS :
			NOT_FOUND_EMPTY;
}

bool
request_next(Request *request, RequestCall *call)
{
	const Resource *resource = request->resource;

	if (request->done || request->nothing)
		return false;
	memset(call, 0, sizeof(*call));
	next_part(request, call);
	call->single = is_single(request);
	call->method = resource->method;
	call->endpoint = choose_endpoint(request, call->single);
	call->rows = call->single ? resource->single_rows : resource->rows;
	set_supplied(request, call);
	set_not_found(request, call);
	call->path = request_path(request, call, NULL);
	call->body = request_body(request, call, NULL);
	return true;
}

void
request_set_page(const Request *request, RequestCall *call,
				  const char *cursor)
{
	call->path = request_path(request, call, cursor);
	call->body = request_body(request, call, cursor);
}

void
request_cancel(Request *request)
{
	request->done = true;
}

bool
request_has_more(const Request *request)
{
	return !request->done && !request->nothing;
}

bool
request_has_batches(const Request *request)
{
	return request->filter != NULL && request->filter->place == PLACE_BODY &&
		request->resource->form != ROW_ITEMS &&
		request->nvalues > request->batch_size;
}

bool
request_has_many_responses(const Request *request)
{
	return request->resource->paging != PAGING_NONE ||
		resource_needs_values(request->resource) ||
		request->narguments > 1 ||
		(request->filter != NULL && !request->resource->is_lists &&
		 request->nvalues > request->batch_size);
}

bool
request_expects_one_page(const Request *request)
{
	return request->one_page;
}

const char *
request_filter_field(const Request *request)
{
	return request->filter->field;
}

bool
request_has_value(const Request *request, const RequestCall *call,
			   const char *value, size_t length)
{
	int			low = call->first;
	int			high = call->next;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		const char *candidate = request->values[middle];
		int			order = strncmp(value, candidate, length);

		if (order == 0 && candidate[length] != '\0')
			order = -1;
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}
