/*
 * metadata.c
 *		What HiBob tells about an account's fields, custom tables and reports.
 *
 * Metadata is read with the user mapping of the current role, by the code that
 * reads rows: with its errors, retries and rate limit, and it can be cancelled.
 */
#include "postgres.h"

#include "compat.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "reader/json_doc.h"
#include "remote/metadata.h"
#include "remote/response.h"
#include "utils/memutils.h"

/* ------------------------------------------------------------------------
 * Reading a resource outside of a scan
 * ------------------------------------------------------------------------
 */

/* It lies in a memory context of its own. */
typedef struct MetadataFetch
{
	MemoryContext context;
	ErrorSubject subject;
	AcquiredChannel acquired;
	RowMap		map;
	TableOptions options;
	RequestFilter filter;
	ExchangeCounters counters;
	ResponseSummary summary;
	Response   *response;
	ErrorContextCallback error_context;
} MetadataFetch;

static void
clean_up(void *arg)
{
	MetadataFetch *fetch = arg;

	if (fetch->response != NULL)
		response_stop(fetch->response);
	connection_release(&fetch->acquired);
}

/* There is no foreign table, or not yet. */
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
 * Starts to read a resource.  "table" is the name for messages.  Switches to the
 * memory context of the fetch.
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
	fetch->summary.context = context;
	push_error_context(fetch);
	connection_acquire(GetUserId(), serverid, &fetch->acquired);
	fetch->subject.connection = fetch->acquired.connection;
	fetch->response =
		response_create(&fetch->subject, &fetch->acquired,
						request_create(&fetch->map, &fetch->options,
									   &fetch->filter),
						&fetch->map, &fetch->counters, &fetch->summary,
						false);
	return fetch;
}

static void
close_fetch(MetadataFetch *fetch, MemoryContext caller)
{
	error_context_stack = fetch->error_context.previous;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(fetch->context);
}

/* A column with the whole row. */
static RowColumn *
whole_row_column(void)
{
	RowColumn  *column = palloc0(sizeof(RowColumn));

	column->field = RESOURCE_WHOLE_ROW;
	column->given = -1;
	return column;
}

/*
 * The rows of a resource as one JSON array in UTF-8, palloc'd, whatever HiBob has
 * put around them.
 */
static char *
fetch_document(Oid serverid, const char *resource, size_t *length)
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

/* ------------------------------------------------------------------------
 * Fields, custom tables and reports
 * ------------------------------------------------------------------------
 */

/* Makes an entry of a list from its document; NULL if it has no id. */
typedef void *(*MetadataReader) (JsonDoc *doc);

hibob_noreturn static void
bad_metadata(const char *resource)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("the metadata of HiBob does not have the expected structure"),
			 errdetail("An entry of \"%s\" has no id.", resource)));
	pg_unreachable();
}

/* A copy of a text; NULL if the document does not have it. */
static const char *
copy_text(JsonDoc *doc, const char *key)
{
	const char *text = json_doc_text(doc, key);

	return text != NULL ? pstrdup(text) : NULL;
}

/* Without a name, the id stands for it. */
static const char *
copy_name(JsonDoc *doc)
{
	const char *name = copy_text(doc, "name");

	return name != NULL ? name : copy_text(doc, "id");
}

static MetadataField *
read_column(JsonDoc *doc)
{
	MetadataField *field = palloc0(sizeof(MetadataField));

	field->id = copy_text(doc, "id");
	if (field->id == NULL)
		return NULL;
	field->name = copy_name(doc);
	field->type = copy_text(doc, "type");
	if (field->type == NULL)
		field->type = "text";
	field->category = copy_text(doc, "categoryDisplayName");
	field->list = copy_text(json_doc_value(doc, "typeData"), "listId");
	return field;
}

static void *
read_field(JsonDoc *doc)
{
	return read_column(doc);
}

static void *
read_table(JsonDoc *doc)
{
	MetadataTable *table = palloc0(sizeof(MetadataTable));
	JsonDoc    *columns = json_doc_value(doc, "columns");

	table->id = copy_text(doc, "id");
	table->name = copy_name(doc);
	for (size_t i = 0; i < json_doc_length(columns); i++)
	{
		MetadataField *column = read_column(json_doc_element(columns, i));

		if (column == NULL)
			return NULL;
		table->columns = lappend(table->columns, column);
	}
	return table->id != NULL ? table : NULL;
}

static void *
read_report(JsonDoc *doc)
{
	MetadataReport *report = palloc0(sizeof(MetadataReport));

	report->id = copy_text(doc, "id");
	report->name = copy_name(doc);
	return report->id != NULL ? report : NULL;
}

static List *
read_entries(JsonDoc *doc, const char *resource, MetadataReader reader)
{
	List	   *entries = NIL;

	for (size_t i = 0; i < json_doc_length(doc); i++)
	{
		void	   *entry;

		CHECK_FOR_INTERRUPTS();
		entry = reader(json_doc_element(doc, i));
		if (entry == NULL)
			bad_metadata(resource);
		entries = lappend(entries, entry);
	}
	return entries;
}

static List *
read_all(Oid serverid, const char *resource, MetadataReader reader)
{
	size_t		length;
	char	   *text = fetch_document(serverid, resource, &length);
	JsonDoc    *doc = json_doc_parse_any(text, length);
	List	   *volatile entries = NIL;

	if (doc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("could not read the metadata of HiBob"),
				 errdetail("The list of \"%s\" is nested too deeply or does not fit into memory.",
						   resource)));
	PG_TRY();
	{
		entries = read_entries(doc, resource, reader);
	}
	PG_FINALLY();
	{
		json_doc_free(doc);
	}
	PG_END_TRY();
	return entries;
}

List *
metadata_fields(Oid serverid)
{
	return read_all(serverid, RESOURCE_FIELDS, read_field);
}

List *
metadata_custom_tables(Oid serverid)
{
	return read_all(serverid, RESOURCE_CUSTOM_TABLES, read_table);
}

List *
metadata_reports(Oid serverid)
{
	return read_all(serverid, "reports", read_report);
}

/* ------------------------------------------------------------------------
 * The header of a report
 * ------------------------------------------------------------------------
 */

/* The number of equal labels before this one. */
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
 * The label under which csv_reader_want() finds a column, palloc'd; NULL if
 * another column has it.
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
					 errmsg("skipping column %d of report %s", i + 1,
							report_id),
					 errdetail("Another column has the same label."),
					 errhint("Rename the column in HiBob.")));
	}
	close_fetch(fetch, caller);
	return labels;
}
