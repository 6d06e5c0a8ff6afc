/*
 * result_checks.c
 *		Checks of the rows of a response and of a complete result.
 *
 * HiBob silently omits a field that does not exist or that the service user
 * has no permission for.  In the tables of employees it lists the columns and
 * employees that it withholds.  For a query all of these mean that requested
 * data is missing.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "options/text_list.h"
#include "remote/result_checks.h"
#include "utils/memutils.h"

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

/* Whether a row has no value in a slot. */
static bool
lacks(const RowReader *reader, int slot)
{
	return row_reader_slice(reader, slot)->kind <= JSON_NULL;
}

/* Whether the response as a whole is the row. */
static bool
is_document(const RowMap *map, const RequestCall *call)
{
	return map->resource->form == ROW_KEYS && call->rows[0][0] == '\0';
}

/*
 * An employee that the request named must have an id.  Otherwise any object,
 * such as an error, would be an employee without values, which no condition
 * matches.  A row that is the whole response must have a key that is always
 * present.
 */
const char *
result_row_defect(const RowMap *map, const RowReader *reader,
				  const RequestCall *call, bool has_batches)
{
	const RowField *identity = &map->identity;

	if (map->resource->form == ROW_EMPLOYEE && (call->single || has_batches) &&
		row_field_value(identity, reader) == NULL)
		return "an employee has no id";
	if (is_document(map, call) && identity->nplaces > 0 &&
		row_reader_slice(reader, identity->places[0])->kind == JSON_ABSENT)
		return "the row lacks a required key";
	return NULL;
}

/* Whether a row has a value without the human form that a column needs. */
static bool
lacks_human(const RowReader *reader, const RowColumn *column)
{
	return column->human && lacks(reader, column->places[0]) &&
		!lacks(reader, column->places[column->nplaces - 1]);
}

/* This is checked until HiBob has sent one: the parameter is not documented. */
bool
result_has_human_forms(const RowMap *map, const RowReader *reader,
					   ResponseSummary *summary)
{
	if (map->resource->fallback == NULL || summary->has_human)
		return true;
	for (int i = 0; i < map->ncolumns; i++)
	{
		if (lacks_human(reader, &map->columns[i]))
			return false;
		if (map->columns[i].human && !lacks(reader, map->columns[i].places[0]))
			summary->has_human = true;
	}
	return true;
}

void
result_note_nulls(const RowMap *map, const RowReader *reader,
				  const ResponseSummary *summary, Bitmapset **nulls)
{
	MemoryContext old = MemoryContextSwitchTo(summary->context);

	for (int i = 0; i < map->ncolumns; i++)
	{
		const RowColumn *column = &map->columns[i];
		bool		lacking = column->supplied < 0;

		for (int j = 0; j < column->nplaces; j++)
			lacking = lacking && lacks(reader, column->places[j]);
		if (lacking)
			*nulls = bms_add_member(*nulls, i);
	}
	MemoryContextSwitchTo(old);
}

void
result_add_nulls(ResponseSummary *summary, Bitmapset **nulls, bool names_hidden)
{
	MemoryContext old = MemoryContextSwitchTo(summary->context);

	if (!names_hidden)
		summary->maybe_hidden = bms_add_members(summary->maybe_hidden, *nulls);
	bms_free(*nulls);
	*nulls = NULL;
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------------------
 * Complete results
 * ------------------------------------------------------------------------
 */

/* The number of a statement's warnings that are remembered. */
#define MAX_REPORTED 100

/* The number of names that a message lists. */
#define MAX_LISTED 20

static char *
join_texts(const List *texts, const char *separator)
{
	StringInfoData buf;
	int			n = list_length(texts);

	initStringInfo(&buf);
	for (int i = 0; i < Min(n, MAX_LISTED); i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? separator : "",
						 (char *) list_nth(texts, i));
	if (n > MAX_LISTED)
		appendStringInfo(&buf, "%sand %d more", separator, n - MAX_LISTED);
	return buf.data;
}

/*
 * Whether some row should have the field of a column.  In objects other than
 * employees HiBob omits keys without a value, so that only a field that is not
 * in the resource table may be a mistake.
 */
static bool
must_be_present(const RowColumn *column, const Resource *resource)
{
	if (column->supplied >= 0 || resource->form == ROW_CSV)
		return false;
	if (resource->form == ROW_EMPLOYEE)
		return true;
	return column->options->entry == NULL &&
		strncmp(column->options->field, RESOURCE_CUSTOM_COLUMNS,
				strlen(RESOURCE_CUSTOM_COLUMNS)) != 0;
}

/* The columns whose field no row had, and the categories to grant. */
static List *
missing_columns(const RowMap *map, FieldPresenceTest is_present, const void *arg,
				List **categories)
{
	List	   *columns = NIL;

	for (int i = 0; i < map->ncolumns; i++)
	{
		const RowColumn *column = &map->columns[i];
		const char *category = column->options->category;

		if (!must_be_present(column, map->resource) || is_present(column, arg))
			continue;
		columns = lappend(columns, psprintf("%s (field %s)", column->name,
											column->options->field));
		if (category != NULL)
		{
			category = psprintf("\"%s\"", category);
			*categories = text_list_add(*categories, category);
		}
	}
	return columns;
}

/*
 * Whether to report that data is missing.  An error is always reported, a
 * warning once for each statement of the client, however many scans and lookups
 * it makes.
 */
static bool
is_to_report(int elevel, const char *what, const char *table,
			 const char *detail)
{
	static MemoryContext context = NULL;
	static List *reported = NIL;
	static TimestampTz statement = 0;
	char	   *warning = psprintf("%s %s %s", what, table, detail);
	MemoryContext old;

	if (elevel >= ERROR)
		return true;
	if (context == NULL)
		context = AllocSetContextCreate(CacheMemoryContext,
										"hibob_fdw warnings",
										ALLOCSET_SMALL_SIZES);
	if (statement != GetCurrentStatementStartTimestamp())
	{
		MemoryContextReset(context);
		reported = NIL;
		statement = GetCurrentStatementStartTimestamp();
	}
	if (text_list_has(reported, warning))
		return false;
	if (list_length(reported) < MAX_REPORTED)
	{
		old = MemoryContextSwitchTo(context);
		reported = lappend(reported, pstrdup(warning));
		MemoryContextSwitchTo(old);
	}
	return true;
}

static void
report_columns(const RowMap *map, int elevel, FieldPresenceTest is_present,
			   const void *arg)
{
	List	   *categories = NIL;
	List	   *columns = missing_columns(map, is_present, arg, &categories);
	bool		people = map->resource->form == ROW_EMPLOYEE;
	char	   *list;

	if (columns == NIL)
		return;
	list = join_texts(columns, ", ");
	if (!is_to_report(elevel, "missing", map->table, list))
		return;
	ereport(elevel,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 people ?
			 errmsg("HiBob returned no value of some fields of foreign table \"%s\" for any employee",
					map->table) :
			 errmsg("HiBob returned no value of some fields of foreign table \"%s\" in any row",
					map->table),
			 errdetail_internal("Columns: %s.", list),
			 categories != NIL ?
			 errhint("In HiBob, give the permission group of the service user view access to the categories %s, or to these fields, or correct the column option \"field\".",
					 join_texts(categories, ", ")) :
			 people ?
			 errhint("In HiBob, give the permission group of the service user view access to the fields or their category, or correct the column option \"field\".") :
			 errhint("Correct the column option \"field\".")));
}

/* Whether one key path is, or starts with, another one. */
static bool
begins_with_keys(const char *path, const char *start)
{
	size_t		length = strlen(start);

	return strncmp(path, start, length) == 0 &&
		(path[length] == '\0' || path[length] == '.');
}

/*
 * Whether a field is one of the fields that HiBob names, or contains one, or is
 * part of one.  HiBob may name a custom column without the key that it is in.
 */
static bool
is_affected(const char *field, const List *names)
{
	const char *custom = RESOURCE_CUSTOM_COLUMNS;
	ListCell   *lc;

	if (strcmp(field, RESOURCE_WHOLE_ROW) == 0)
		return names != NIL;
	foreach(lc, names)
		if (begins_with_keys(field, lfirst(lc)) ||
			begins_with_keys(lfirst(lc), field))
			return true;
	return strncmp(field, custom, strlen(custom)) == 0 &&
		is_affected(field + strlen(custom), names);
}

/* The columns of the query that need one of these fields. */
static List *
affected_columns(const RowMap *map, const List *fields)
{
	List	   *columns = NIL;

	for (int i = 0; i < map->ncolumns; i++)
	{
		const char *field = map->columns[i].options->field;

		if (is_affected(field, fields))
			columns = lappend(columns, psprintf("%s (field %s)",
												map->columns[i].name, field));
	}
	return columns;
}

static char *
hidden_detail(const List *hidden, const List *history)
{
	StringInfoData words;

	initStringInfo(&words);
	if (hidden != NIL)
		appendStringInfo(&words, "Not shown: %s.", join_texts(hidden, ", "));
	if (history != NIL)
		appendStringInfo(&words, "%sShown without their history: %s.",
						 words.len > 0 ? " " : "", join_texts(history, ", "));
	return words.data;
}

static void
report_hidden(const RowMap *map, int elevel, const ResponseSummary *summary)
{
	List	   *hidden = affected_columns(map, summary->hidden);
	List	   *history = affected_columns(map, summary->hidden_history);
	char	   *words;

	if (hidden == NIL && history == NIL)
		return;
	words = hidden_detail(hidden, history);
	if (!is_to_report(elevel, "withheld", map->table, words))
		return;
	ereport(elevel,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("HiBob withheld columns of foreign table \"%s\"",
					map->table),
			 errdetail_internal("%s", words),
			 errhint("In HiBob, give the permission group of the service user view access to %s, or to these fields.",
					 map->resource->permission)));
}

/* Reports columns that may be hidden: HiBob does not name the hidden ones. */
static void
report_maybe_hidden(const RowMap *map, int elevel,
					const ResponseSummary *summary)
{
	List	   *columns = NIL;
	char	   *list;
	int			i = -1;

	while ((i = bms_next_member(summary->maybe_hidden, i)) >= 0)
		columns = lappend(columns, psprintf("%s (field %s)",
											map->columns[i].name,
											map->columns[i].options->field));
	if (columns == NIL)
		return;
	list = join_texts(columns, ", ");
	if (!is_to_report(elevel, "maybe withheld", map->table, list))
		return;
	ereport(elevel,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("HiBob withheld unspecified columns of foreign table \"%s\"",
					map->table),
			 errdetail("Columns with nulls: %s.", list),
			 errhint("In HiBob, give the permission group of the service user view access to %s, or to the fields of these columns.",
					 map->resource->permission)));
}

static void
report_denials(const RowMap *map, int elevel,
				const ResponseSummary *summary)
{
	char	   *words = join_texts(summary->denials, " ");

	if (summary->denials == NIL ||
		!is_to_report(elevel, "refused", map->table, words))
		return;
	ereport(elevel,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 summary->named ?
			 errmsg("HiBob denied access to employees that the query on foreign table \"%s\" names",
					map->table) :
			 errmsg("HiBob withheld employees of foreign table \"%s\" that the query does not name",
					map->table),
			 errdetail("HiBob reported: %s", words),
			 errhint("In HiBob, widen \"Access data for\" of the permission group of the service user.")));
}

void
result_check_missing_fields(const TableOptions *options, const RowMap *map,
							const ResponseSummary *summary,
							FieldPresenceTest is_present, const void *arg)
{
	int			elevel = options->on_missing_field == MISSING_FIELD_ERROR ?
		ERROR : WARNING;

	if (options->on_missing_field == MISSING_FIELD_IGNORE)
		return;
	report_denials(map, elevel, summary);
	report_hidden(map, elevel, summary);
	report_maybe_hidden(map, elevel, summary);
	if (summary->rows > 0)
		report_columns(map, elevel, is_present, arg);
}

/* The labels of a report, for a message. */
static char *
list_labels(const CsvReader *reader)
{
	List	   *labels = NIL;

	for (int i = 0; i < csv_reader_nlabels(reader); i++)
	{
		const char *label = csv_reader_label(reader, i);

		labels = lappend(labels,
						 psprintf("\"%s\"",
								  pg_any_to_server(label, (int) strlen(label),
												   PG_UTF8)));
	}
	return join_texts(labels, ", ");
}

void
result_check_labels(const RowMap *map, const CsvReader *reader)
{
	for (int i = 0; i < map->ncolumns; i++)
	{
		const RowColumn *column = &map->columns[i];

		if (column->npresence_slots == 0 ||
			csv_reader_has_label(reader, column->presence_slots[0]))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
				 errmsg("the report of foreign table \"%s\" has no column \"%s\"",
						map->table, column->options->field),
				 errdetail("Column \"%s\" of the foreign table needs it. The columns of the report are: %s.",
						   column->name, list_labels(reader)),
				 errhint("The report was changed in HiBob. Correct the column option \"field\", or import the table again.")));
	}
}

void
result_missing_identity(const RowMap *map)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("HiBob returned an employee without an id for foreign table \"%s\"",
					map->table),
			 errhint("In HiBob, give the permission group of the service user view access to the category \"Basic info\".")));
	pg_unreachable();
}

void
result_missing_human(const RowMap *map)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("HiBob returned ids without names for foreign table \"%s\"",
					map->table),
			 errhint("Run the query again, or show the ids: ALTER FOREIGN TABLE ... ALTER COLUMN ... OPTIONS (SET value 'machine').")));
	pg_unreachable();
}

void
result_too_many_ids(const RowMap *map)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("too many employees to read foreign table \"%s\" by id",
					map->table),
			 errdetail("The ids would take more than 64 MB of memory."),
			 errhint("Add a condition on the ids of the employees.")));
	pg_unreachable();
}

void
result_check_min_rows(const TableOptions *options, const RowMap *map,
					  uint64 rows)
{
	if (rows >= (uint64) options->min_rows)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("HiBob returned fewer rows for foreign table \"%s\" than its option min_rows requires",
					map->table),
			 errdetail("HiBob returned " UINT64_FORMAT " rows, and min_rows is " INT64_FORMAT ".",
					   rows, options->min_rows),
			 errhint("Check \"Access data for\" of the permission group of the service user in HiBob. If the company has fewer employees now, lower min_rows.")));
}
