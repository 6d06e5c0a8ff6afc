/*
 * status_probe.c
 *		A search for all employees, for hibob_fdw_status().
 *
 * It requests fields of columns and one of each permission category, and counts
 * the rows.  HiBob omits fields that the service user may not view, and returns
 * null for empty ones: a field that no row has cannot be read.
 *
 * The probe runs in a subtransaction, so that an error is a finding.
 */
#include "postgres.h"

#include "functions/status.h"
#include "miscadmin.h"
#include "options/naming.h"
#include "options/text_list.h"
#include "portability/instr_time.h"
#include "remote/response.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

typedef struct Probe
{
	MemoryContext context;
	MemoryContext row_context;
	Oid			serverid;
	const List *fields;			/* of the caller */
	StatusFindings *findings;
	ErrorSubject subject;
	AcquiredChannel acquired;
	RowMap		map;
	RowColumn  *status;			/* of the map's columns */
	RowColumn  *termination;
	TableOptions options;
	RequestFilter filter;
	ExchangeCounters counters;
	ResponseSummary response_findings;
	Response   *response;
	instr_time	started;
	const char *today;
} Probe;

/* ------------------------------------------------------------------------
 * Fields
 * ------------------------------------------------------------------------
 */

static RowColumn *
add_column(RowMap *map, const char *field)
{
	RowColumn  *column = &map->columns[map->ncolumns++];

	column->field = field;
	column->supplied = -1;
	return column;
}

static const char *
category_of(const Probe *probe, const RowColumn *column)
{
	return resource_category(probe->map.resource, column->field);
}

/* Whether a column of the map is of a category. */
static bool
has_category(const Probe *probe, const char *category)
{
	for (int i = 0; i < probe->map.ncolumns; i++)
	{
		const char *other = category_of(probe, &probe->map.columns[i]);

		if (other != NULL && strcmp(other, category) == 0)
			return true;
	}
	return false;
}

static bool
has_field(const RowMap *map, const char *field)
{
	for (int i = 0; i < map->ncolumns; i++)
		if (strcmp(map->columns[i].field, field) == 0)
			return true;
	return false;
}

/*
 * Chooses the status, the termination date, the first field of each other
 * category, and the caller's fields, as many as a request can name.
 */
static void
choose_fields(Probe *probe)
{
	const Resource *resource = probe->map.resource;
	RowMap	   *map = &probe->map;
	ListCell   *lc;

	map->columns = palloc0(sizeof(RowColumn) * RESOURCE_MAX_FIELDS);
	probe->status = add_column(map, RESOURCE_FIELD_STATUS);
	probe->termination = add_column(map, STATUS_FIELD_TERMINATION);
	for (int i = 0; i < resource->ncolumns; i++)
	{
		const char *field = resource->columns[i].field;
		const char *category = resource_category(resource, field);

		if (category != NULL && !has_category(probe, category))
			add_column(map, field);
	}
	foreach(lc, probe->fields)
	{
		const char *field = naming_to_utf8(lfirst(lc));

		if (field != NULL && map->ncolumns < RESOURCE_MAX_FIELDS &&
			!has_field(map, field))
			add_column(map, field);
	}
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

/* A value in the current row, or NULL; in UTF-8, which is ASCII here. */
static const char *
value_of(const RowRecord *record, const RowColumn *column, size_t *length)
{
	for (int i = 0; i < column->nplaces; i++)
	{
		const JsonSlice *slice = row_reader_slice(record->reader,
												  column->places[i]);

		if (slice->kind > JSON_NULL)
			return row_utf8(slice, record->window, length);
	}
	return NULL;
}

static bool
is_active(const Probe *probe, const RowRecord *record)
{
	size_t		length;
	const char *status = value_of(record, probe->status, &length);

	return status != NULL && length == strlen(RESOURCE_STATUS_ACTIVE) &&
		memcmp(status, RESOURCE_STATUS_ACTIVE, length) == 0;
}

/*
 * Employees who are on leave or have not started yet are not active either,
 * and the names of lifecycle states differ between accounts: a termination
 * date in the past identifies former employees.  ISO dates compare as text.
 */
static bool
is_former(const Probe *probe, const RowRecord *record)
{
	size_t		length;
	const char *day = value_of(record, probe->termination, &length);

	return day != NULL && length == strlen(probe->today) &&
		memcmp(day, probe->today, length) < 0;
}

static void
count_person(const Probe *probe)
{
	const RowRecord *record = response_record(probe->response);
	MemoryContext old = MemoryContextSwitchTo(probe->row_context);

	probe->findings->people++;
	if (is_active(probe, record))
		probe->findings->active++;
	else if (is_former(probe, record))
		probe->findings->former++;
	MemoryContextSwitchTo(old);
	MemoryContextReset(probe->row_context);
}

/* The response has begun; only the first call counts. */
static void
note_latency(Probe *probe)
{
	instr_time	now;

	if (probe->findings->latency >= 0)
		return;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, probe->started);
	probe->findings->latency = INSTR_TIME_GET_MILLISEC(now);
}

/* Whether a row had a field of a category, even as null. */
static bool
category_is_present(const Probe *probe, const char *category)
{
	for (int i = 0; i < probe->map.ncolumns; i++)
	{
		const RowColumn *column = &probe->map.columns[i];
		const char *other = category_of(probe, column);

		if (other != NULL && strcmp(other, category) == 0 &&
			response_has_field(probe->response, column))
			return true;
	}
	return false;
}

/* In the order of the resource table, where the most important come first. */
static List *
unreadable_categories(const Probe *probe)
{
	const Resource *resource = probe->map.resource;
	List	   *unreadable = NIL;

	for (int i = 0; i < resource->ncolumns; i++)
	{
		const char *category = resource_category(resource,
												 resource->columns[i].field);

		if (category != NULL && !text_list_has(unreadable, category) &&
			!category_is_present(probe, category))
			unreadable = lappend(unreadable, (char *) category);
	}
	return unreadable;
}

/* Whether a field in UTF-8 was requested and no row had it. */
static bool
is_hidden(const Probe *probe, const char *field)
{
	for (int i = 0; i < probe->map.ncolumns; i++)
		if (strcmp(probe->map.columns[i].field, field) == 0)
			return !response_has_field(probe->response,
									   &probe->map.columns[i]);
	return false;
}

/*
 * Fields of the caller that no row had.  HiBob has none that UTF-8 cannot
 * represent.
 */
static List *
hidden_fields(const Probe *probe)
{
	List	   *hidden = NIL;
	ListCell   *lc;

	foreach(lc, probe->fields)
	{
		const char *field = naming_to_utf8(lfirst(lc));

		if (field == NULL || is_hidden(probe, field))
			hidden = lappend(hidden, lfirst(lc));
	}
	return hidden;
}

/* ------------------------------------------------------------------------
 * The probe
 * ------------------------------------------------------------------------
 */

static void
clean_up(void *arg)
{
	connection_release(&((Probe *) arg)->acquired);
}

/* The date in the session's time zone, in ISO format. */
static char *
today(void)
{
	int			year;
	int			month;
	int			day;

	j2date(GetSQLCurrentDate() + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return psprintf("%04d-%02d-%02d", year, month, day);
}

/* In a memory context of its own, a child of the current one. */
static Probe *
create_probe(const ForeignServer *server, const List *fields,
			 StatusFindings *findings)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hibob_fdw probe",
												  ALLOCSET_DEFAULT_SIZES);
	Probe	   *probe = MemoryContextAllocZero(context, sizeof(Probe));
	MemoryContextCallback *callback =
		MemoryContextAllocZero(context, sizeof(MemoryContextCallback));

	callback->func = clean_up;
	callback->arg = probe;
	MemoryContextRegisterResetCallback(context, callback);
	probe->context = context;
	probe->row_context = AllocSetContextCreate(context, "hibob_fdw probe row",
											   ALLOCSET_SMALL_SIZES);
	probe->serverid = server->serverid;
	probe->fields = fields;
	probe->findings = findings;
	probe->map.resource = resource_find(RESOURCE_PEOPLE);
	probe->map.table = RESOURCE_PEOPLE;
	probe->subject.resource = probe->map.resource;
	probe->subject.table = probe->map.table;
	probe->options.resource = probe->map.resource;
	probe->options.show_inactive = true;
	probe->response_findings.context = context;
	return probe;
}

/*
 * The channel's previous request is reset first, because there will be no new
 * one if the credentials were rejected recently.
 */
static void
open_probe(Probe *probe)
{
	probe->findings->credentials = connection_token_source(GetUserId(),
														   probe->serverid);
	connection_acquire(GetUserId(), probe->serverid, &probe->acquired);
	http_channel_reset(probe->acquired.channel);
	probe->findings->configured = true;
	probe->subject.connection = probe->acquired.connection;
	choose_fields(probe);
	probe->today = today();
	probe->response =
		response_create(&probe->subject, &probe->acquired,
						request_create(&probe->map, &probe->options,
									   &probe->filter),
						&probe->map, &probe->counters, &probe->response_findings, false);
	response_fail_fast(probe->response);
}

static void
run_probe(void *arg)
{
	Probe	   *probe = arg;
	StatusFindings *findings = probe->findings;

	open_probe(probe);
	INSTR_TIME_SET_CURRENT(probe->started);
	while (response_next(probe->response))
	{
		note_latency(probe);
		count_person(probe);
	}
	note_latency(probe);
	if (!response_has_field(probe->response, probe->status))
		findings->active = findings->former = -1;
	if (!response_has_field(probe->response, probe->termination))
		findings->former = -1;
}

/*
 * Whether an error is about the definition of the server or about HiBob.
 * Others, such as a cancel or a lack of memory, are raised.
 */
static bool
is_finding(const ErrorData *error, bool configured)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_FDW_ERROR):
		case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_PRIVILEGE):
			return true;
		case ERRCODE_TO_CATEGORY(ERRCODE_CONNECTION_EXCEPTION):
		case ERRCODE_TO_CATEGORY(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION):
			return configured;
		default:
			return error->sqlerrcode == ERRCODE_INSUFFICIENT_RESOURCES ||
				(configured &&
				 error->sqlerrcode == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED);
	}
}

/* Notes the facts about the response that are known even after an error. */
static void
note_response(Probe *probe)
{
	StatusFindings *findings = probe->findings;

	findings->http_status = http_channel_status(probe->acquired.channel);
	if (findings->http_status != 0)
		note_latency(probe);
	findings->limit =
		limiter_state(connection_limiter(probe->acquired.connection,
										 probe->map.resource->path));
}

StatusFindings *
status_probe(const ForeignServer *server, const List *fields)
{
	StatusFindings *findings = palloc0(sizeof(StatusFindings));
	Probe	   *probe = create_probe(server, fields, findings);

	findings->latency = -1;
	findings->error = run_in_subtransaction(run_probe, probe, probe->context);
	if (findings->error != NULL &&
		!is_finding(findings->error, findings->configured))
		ReThrowError(findings->error);
	if (findings->configured)
		note_response(probe);
	if (findings->error == NULL && findings->people > 0)
	{
		findings->unreadable = unreadable_categories(probe);
		findings->hidden = hidden_fields(probe);
	}
	MemoryContextDelete(probe->context);
	return findings;
}
