/*
 * metadata_fetch.c
 *		What IMPORT reads of HiBob.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "remote/metadata_fetch.h"
#include "remote/response.h"
#include "utils/memutils.h"

/* A reading outside of a scan; it lies in a memory context of its own. */
typedef struct MetadataFetch
{
	MemoryContext context;
	ErrorSubject subject;
	AcquiredChannel acquired;
	RowMap		map;
	TableOptions options;
	RequestFilter filter;
	ExchangeCounters counters;
	ResponseFindings findings;
	Response   *response;
	ErrorContextCallback error_context;
} MetadataFetch;

static void
clean_up(void *arg)
{
	connection_release(&((MetadataFetch *) arg)->acquired);
}

/* What is read has no foreign table, or none yet. */
static void
describe_fetch(void *arg)
{
	const MetadataFetch *fetch = arg;

	if (fetch->options.id != NULL)
		errcontext("reading the header of report %s", fetch->options.id);
	else
		errcontext("reading metadata from resource \"%s\"",
				   fetch->map.resource->name);
}

static void
push_error_context(MetadataFetch *fetch)
{
	fetch->error_context.callback = describe_fetch;
	fetch->error_context.arg = fetch;
	fetch->error_context.previous = error_context_stack;
	error_context_stack = &fetch->error_context;
}

/*
 * Starts to read a resource for a table.  The current memory context is the
 * fetch's own then.
 */
static MetadataFetch *
open_fetch(Oid serverid, const char *table, const char *resource,
		   const char *id)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hibob_fdw fetch",
												  ALLOCSET_DEFAULT_SIZES);
	MetadataFetch *fetch =
		MemoryContextAllocZero(context, sizeof(MetadataFetch));
	MemoryContextCallback *callback =
		MemoryContextAllocZero(context, sizeof(MemoryContextCallback));

	callback->func = clean_up;
	callback->arg = fetch;
	MemoryContextRegisterResetCallback(context, callback);
	MemoryContextSwitchTo(context);

	fetch->context = context;
	fetch->map.resource = resource_find(resource);
	fetch->map.table = table;
	fetch->options.resource = fetch->map.resource;
	fetch->options.id = id;
	fetch->subject.resource = fetch->map.resource;
	fetch->subject.table = table;
	fetch->findings.context = context;
	push_error_context(fetch);
	connection_acquire(GetUserId(), serverid, &fetch->acquired);
	fetch->subject.connection = fetch->acquired.connection;
	fetch->response =
		response_create(&fetch->subject, &fetch->acquired,
						request_create(&fetch->map, &fetch->options,
									   &fetch->filter),
						&fetch->map, &fetch->counters, &fetch->findings,
						false);
	return fetch;
}

static void
close_fetch(MetadataFetch *fetch, MemoryContext caller)
{
	response_stop(fetch->response);
	error_context_stack = fetch->error_context.previous;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(fetch->context);
}

/* A column that takes the whole row. */
static RowColumn *
whole_row_column(void)
{
	RowColumn  *column = palloc0(sizeof(RowColumn));

	column->field = RESOURCE_WHOLE_ROW;
	column->given = -1;
	return column;
}

char *
metadata_fetch_document(Oid serverid, const char *resource, size_t *length)
{
	MemoryContext caller = CurrentMemoryContext;
	MetadataFetch *fetch = open_fetch(serverid, resource, resource, NULL);
	StringInfoData document;

	fetch->map.columns = whole_row_column();
	fetch->map.ncolumns = 1;
	MemoryContextSwitchTo(caller);
	initStringInfo(&document);
	while (response_next(fetch->response))
	{
		const RowRecord *record = response_record(fetch->response);
		const JsonSlice *row =
			row_reader_slice(record->reader, fetch->map.columns->places[0]);

		if (document.len + row->length > RESPONSE_MAX_ROW)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_ERROR),
					 errmsg("the metadata of HiBob is larger than allowed"),
					 errdetail("\"%s\" has more than %d MB.", resource,
							   RESPONSE_MAX_ROW / (1024 * 1024))));
		appendStringInfoChar(&document, document.len == 0 ? '[' : ',');
		appendBinaryStringInfo(&document, record->window + row->start,
							   (int) row->length);
	}
	appendStringInfoString(&document, document.len == 0 ? "[]" : "]");
	close_fetch(fetch, caller);
	*length = document.len;
	return document.data;
}

/* How many labels before this one are the same. */
static int
count_before(const CsvReader *reader, int index)
{
	int			n = 0;

	for (int i = 0; i < index; i++)
		if (strcmp(csv_reader_label(reader, i),
				   csv_reader_label(reader, index)) == 0)
			n++;
	return n;
}

static bool
is_label(const CsvReader *reader, const char *text)
{
	for (int i = 0; i < csv_reader_nlabels(reader); i++)
		if (strcmp(csv_reader_label(reader, i), text) == 0)
			return true;
	return false;
}

/*
 * What csv_reader_want() knows a column by, palloc'd; NULL if another column
 * is labelled so.
 */
static char *
wanted_label(const CsvReader *reader, int index)
{
	const char *label = csv_reader_label(reader, index);
	int			before = count_before(reader, index);
	char	   *numbered;

	if (before == 0 && label[0] != '\0')
		return pstrdup(label);
	numbered = psprintf("%s#%d", label, before + 1);
	return is_label(reader, numbered) ? NULL : numbered;
}

List *
metadata_report_labels(Oid serverid, const char *table, const char *report_id)
{
	MemoryContext caller = CurrentMemoryContext;
	MetadataFetch *fetch = open_fetch(serverid, table, "report", report_id);
	const CsvReader *reader;
	List	   *labels = NIL;

	(void) response_next(fetch->response);
	reader = response_csv(fetch->response);
	MemoryContextSwitchTo(caller);
	for (int i = 0; i < csv_reader_nlabels(reader); i++)
	{
		char	   *label = wanted_label(reader, i);

		if (label != NULL)
			labels = lappend(labels, label);
		else
			ereport(WARNING,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column %d of report %s is left out", i + 1,
							report_id),
					 errdetail("Its label is that of another column."),
					 errhint("Rename the column in HiBob.")));
	}
	close_fetch(fetch, caller);
	return labels;
}
