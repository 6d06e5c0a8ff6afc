/*
 * status_probe.c
 *		One search for people that tells how it stands with HiBob.
 *
 * It names a field of each category that the catalogue's columns of people
 * need, and counts what comes.  HiBob leaves out what the service user may not
 * view, but shows as null what is merely empty: so a category of which nobody
 * carries anything is one that cannot be read.
 *
 * It goes the ways of a scan, inside of a subtransaction: what would be the
 * error of a query is what the probe has found.
 */
#include "postgres.h"

#include "functions/status.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "remote/response.h"
#include "remote/subtransaction.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

/* What tells a former employee, beside the status. */
#define FIELD_TERMINATION "internal.terminationDate"

typedef struct Probe
{
	MemoryContext context;
	MemoryContext row_context;
	Oid			serverid;
	StatusFindings *findings;
	ErrorSubject subject;
	AcquiredChannel acquired;
	RowMap		map;
	RowColumn  *status;			/* of the map's columns */
	RowColumn  *termination;
	TableOptions options;
	RequestFilter filter;
	ExchangeCounters counters;
	ResponseFindings seen;
	Response   *response;
	instr_time	started;
	const char *today;
} Probe;

/* ------------------------------------------------------------------------
 * What is asked for
 * ------------------------------------------------------------------------
 */

static RowColumn *
add_column(RowMap *map, const char *field)
{
	RowColumn  *column = &map->columns[map->ncolumns++];

	column->field = field;
	column->given = -1;
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
		if (strcmp(category_of(probe, &probe->map.columns[i]), category) == 0)
			return true;
	return false;
}

/* The status, the end, and the first field of each other category. */
static void
choose_fields(Probe *probe)
{
	const Resource *resource = probe->map.resource;

	probe->map.columns = palloc0(sizeof(RowColumn) * (resource->ncolumns + 2));
	probe->status = add_column(&probe->map, RESOURCE_FIELD_STATUS);
	probe->termination = add_column(&probe->map, FIELD_TERMINATION);
	for (int i = 0; i < resource->ncolumns; i++)
	{
		const char *field = resource->columns[i].field;
		const char *category = resource_category(resource, field);

		if (category != NULL && !has_category(probe, category))
			add_column(&probe->map, field);
	}
}

/* ------------------------------------------------------------------------
 * What comes
 * ------------------------------------------------------------------------
 */

/* A value in the present row, or NULL; in UTF-8, which is ASCII here. */
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
 * Not active is also who is on leave or has yet to start, and the lifecycle's
 * words differ from account to account: it is the day in the past that tells
 * who has left.  Dates as ISO writes them compare as text.
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

/* The answer has begun, if it is the first time that somebody says so. */
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

/* Whether a field of a category has come, be it as null. */
static bool
is_carried(const Probe *probe, const char *category)
{
	for (int i = 0; i < probe->map.ncolumns; i++)
	{
		const RowColumn *column = &probe->map.columns[i];

		if (strcmp(category_of(probe, column), category) == 0 &&
			response_has_field(probe->response, column))
			return true;
	}
	return false;
}

static bool
is_listed(const List *texts, const char *text)
{
	ListCell   *lc;

	foreach(lc, texts)
		if (strcmp(lfirst(lc), text) == 0)
			return true;
	return false;
}

/* In the catalogue's order, which is the most important first. */
static List *
unreadable_categories(const Probe *probe)
{
	const Resource *resource = probe->map.resource;
	List	   *unreadable = NIL;

	for (int i = 0; i < resource->ncolumns; i++)
	{
		const char *category = resource_category(resource,
												 resource->columns[i].field);

		if (category != NULL && !is_listed(unreadable, category) &&
			!is_carried(probe, category))
			unreadable = lappend(unreadable, (char *) category);
	}
	return unreadable;
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

/* The session's day, as ISO writes it. */
static char *
today(void)
{
	int			year;
	int			month;
	int			day;

	j2date(GetSQLCurrentDate() + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return psprintf("%04d-%02d-%02d", year, month, day);
}

/*
 * In a memory context of its own, below the present one.
 */
static Probe *
create_probe(const ForeignServer *server, StatusFindings *findings)
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
	probe->findings = findings;
	probe->map.resource = resource_find(RESOURCE_PEOPLE);
	probe->map.table = RESOURCE_PEOPLE;
	probe->subject.resource = probe->map.resource;
	probe->subject.table = probe->map.table;
	probe->options.resource = probe->map.resource;
	probe->options.show_inactive = true;
	probe->seen.context = context;
	return probe;
}

/*
 * What the channel knows of a request before this one is forgotten first: if
 * the credentials were refused lately, there is none.
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
						&probe->map, &probe->counters, &probe->seen, false);
	response_hurry(probe->response);
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
 * Whether an error is about the server's definition, or about HiBob: what else
 * there is (a cancel, no memory, a mistake of ours) is the caller's.
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

/* What the channel and the connection tell, whatever came of it. */
static void
note_answer(Probe *probe)
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
status_probe(const ForeignServer *server)
{
	StatusFindings *findings = palloc0(sizeof(StatusFindings));
	Probe	   *probe = create_probe(server, findings);

	findings->latency = -1;
	findings->error = run_in_subtransaction(run_probe, probe, probe->context);
	if (findings->error != NULL &&
		!is_finding(findings->error, findings->configured))
		ReThrowError(findings->error);
	if (findings->configured)
		note_answer(probe);
	if (findings->error == NULL && findings->people > 0)
		findings->unreadable = unreadable_categories(probe);
	MemoryContextDelete(probe->context);
	return findings;
}
