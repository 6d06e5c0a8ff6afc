/*
 * metadata.c
 *		The metadata of an account's fields, custom tables and reports.
 *
 * Metadata is read with the user mapping of the current role, by the code that
 * reads rows.  So the same errors, retries and rate limit apply, and it can be
 * cancelled.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "reader/json_walk.h"
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
	connection_release(&((MetadataFetch *) arg)->acquired);
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
 * Starts to read a resource.  "table" is the name for messages.  Switches to
 * the memory context of the fetch.
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
	column->supplied = -1;
	return column;
}

/* ------------------------------------------------------------------------
 * Fields, custom tables and reports
 * ------------------------------------------------------------------------
 */

/*
 * Makes an entry of a list from a row; NULL if it has no id.  Adds the parts of
 * the entry that were omitted, since they have no id, to "skipped".
 */
typedef void *(*MetadataReader) (const JsonSlice *row, const char *window,
								 int *skipped);

/*
 * Entries without an id, which nothing could read, are skipped with a warning.
 * If no entry of the list has one, the structure of the metadata has changed.
 */
static void
check_skipped(int skipped, const List *entries, const char *resource)
{
	if (skipped == 0)
		return;
	if (entries == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("the metadata of HiBob does not have the expected structure"),
				 errdetail("No entry of \"%s\" has an id.", resource)));
	ereport(WARNING,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg_plural("skipping %d entry of the metadata of HiBob",
						   "skipping %d entries of the metadata of HiBob",
						   skipped, skipped),
			 errdetail_plural("An entry of \"%s\" has no id.",
							  "Entries of \"%s\" have no id.", skipped,
							  resource)));
}

/* A copy of a text; NULL if the row does not have it. */
static const char *
copy_text(const JsonSlice *row, const char *window, const char *key)
{
	JsonSlice	value = json_walk_member(window, row, key);

	return row_metadata_text(&value, window);
}

/* The name, or the id if there is no name. */
static const char *
copy_name(const JsonSlice *row, const char *window)
{
	const char *name = copy_text(row, window, "name");

	return name != NULL ? name : copy_text(row, window, "id");
}

static void *
read_field(const JsonSlice *row, const char *window, int *skipped)
{
	MetadataField *field = palloc0(sizeof(MetadataField));
	JsonSlice	type_data = json_walk_member(window, row, "typeData");

	field->id = copy_text(row, window, "id");
	if (field->id == NULL)
		return NULL;
	field->name = copy_name(row, window);
	field->type = copy_text(row, window, "type");
	if (field->type == NULL)
		field->type = "text";
	field->category = copy_text(row, window, "categoryDisplayName");
	field->list = copy_text(&type_data, window, "listId");
	return field;
}

static void *
read_table(const JsonSlice *row, const char *window, int *skipped)
{
	MetadataTable *table = palloc0(sizeof(MetadataTable));
	JsonSlice	columns = json_walk_member(window, row, "columns");
	JsonSlice	part;
	size_t		offset = 0;

	table->id = copy_text(row, window, "id");
	if (table->id == NULL)
		return NULL;
	table->name = copy_name(row, window);
	while (json_walk_next(window, &columns, &offset, NULL, &part))
	{
		MetadataField *column = read_field(&part, window, skipped);

		if (column != NULL)
			table->columns = lappend(table->columns, column);
		else
			(*skipped)++;
	}
	return table;
}

static void *
read_report(const JsonSlice *row, const char *window, int *skipped)
{
	MetadataReport *report = palloc0(sizeof(MetadataReport));

	report->id = copy_text(row, window, "id");
	report->name = copy_name(row, window);
	return report->id != NULL ? report : NULL;
}

/* Limits the size of all rows, since the entries are kept in memory. */
static void
count_bytes(size_t *total, const JsonSlice *row, const char *resource)
{
	*total += row->length;
	if (*total > RESPONSE_MAX_ROW)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("the metadata of HiBob is larger than allowed"),
				 errdetail("\"%s\" has more than %d MB.", resource,
						   RESPONSE_MAX_ROW / (1024 * 1024))));
}

static List *
read_all(Oid serverid, const char *resource, MetadataReader reader)
{
	MemoryContext caller = CurrentMemoryContext;
	MetadataFetch *fetch = open_fetch(serverid, resource, resource, NULL);
	size_t		total = 0;
	int			skipped = 0;
	List	   *entries = NIL;

	fetch->map.columns = whole_row_column();
	fetch->map.ncolumns = 1;
	while (response_next(fetch->response))
	{
		const RowRecord *record = response_record(fetch->response);
		const JsonSlice *row =
			row_reader_slice(record->reader, fetch->map.columns->places[0]);
		void	   *entry;

		CHECK_FOR_INTERRUPTS();
		count_bytes(&total, row, resource);
		MemoryContextSwitchTo(caller);
		entry = reader(row, record->window, &skipped);
		if (entry != NULL)
			entries = lappend(entries, entry);
		else
			skipped++;
		MemoryContextSwitchTo(fetch->context);
	}
	check_skipped(skipped, entries, resource);
	close_fetch(fetch, caller);
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
