/*
 * result_checks.c
 *		What can be said of an answer only when it is whole.
 *
 * HiBob leaves out, without a word, a field that does not exist or that the
 * service user may not see; of the tables of employees it names columns and
 * employees that it withholds.  All of that is one thing to a query: something
 * that it asked for is not there.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "remote/result_checks.h"
#include "utils/memutils.h"

static bool
names_text(const List *list, const char *text)
{
	ListCell   *lc;

	foreach(lc, list)
		if (strcmp(lfirst(lc), text) == 0)
			return true;
	return false;
}

/* So many warnings of a statement are remembered. */
#define MAX_REPORTED 100

/* So many names are listed in a message. */
#define MAX_LISTED 20

static char *
join(const List *texts, const char *separator)
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
 * Whether a column's field has to be somewhere in the rows.  Of other things
 * than employees HiBob leaves out keys that have no value: there only a field
 * that we do not know ourselves may be a mistake.
 */
static bool
has_to_be_carried(const RowColumn *column, const Resource *resource)
{
	if (column->given >= 0 || resource->form == ROW_CSV)
		return false;
	if (resource->form == ROW_EMPLOYEE)
		return true;
	return column->options->entry == NULL &&
		strncmp(column->options->field, RESOURCE_CUSTOM_COLUMNS,
				strlen(RESOURCE_CUSTOM_COLUMNS)) != 0;
}

/* The columns whose field no row carried, and what to grant for them. */
static List *
missing_columns(const RowMap *map, FieldPresenceTest carried, const void *arg,
				List **categories)
{
	List	   *columns = NIL;

	for (int i = 0; i < map->ncolumns; i++)
	{
		const RowColumn *column = &map->columns[i];
		const char *category = column->options->category;

		if (!has_to_be_carried(column, map->resource) || carried(column, arg))
			continue;
		columns = lappend(columns, psprintf("%s (field %s)", column->name,
											column->options->field));
		if (category != NULL)
		{
			category = psprintf("\"%s\"", category);
			if (!names_text(*categories, category))
				*categories = lappend(*categories, (char *) category);
		}
	}
	return columns;
}

/*
 * Whether to report something that is missing: an error always, a warning once
 * for each statement of the client, however many scans and lookups it makes.
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
	if (names_text(reported, warning))
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
report_columns(const RowMap *map, int elevel, FieldPresenceTest carried,
			   const void *arg)
{
	List	   *categories = NIL;
	List	   *columns = missing_columns(map, carried, arg, &categories);
	bool		people = map->resource->form == ROW_EMPLOYEE;
	char	   *list;

	if (columns == NIL)
		return;
	list = join(columns, ", ");
	if (!is_to_report(elevel, "missing", map->table, list))
		return;
	ereport(elevel,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 people ?
			 errmsg("HiBob sent no employee with some of the requested fields for foreign table \"%s\"",
					map->table) :
			 errmsg("HiBob sent no row with some of the requested fields for foreign table \"%s\"",
					map->table),
			 errdetail_internal("Columns: %s.", list),
			 categories != NIL ?
			 errhint("In HiBob, give the permission group of the service user view access to the categories %s, or correct the column option \"field\".",
					 join(categories, ", ")) :
			 people ?
			 errhint("In HiBob, give the permission group of the service user view access to the category of the field, or correct the column option \"field\".") :
			 errhint("Correct the column option \"field\".")));
}

/* Whether one key path is another one, or that and more. */
static bool
begins_with_keys(const char *path, const char *start)
{
	size_t		length = strlen(start);

	return strncmp(path, start, length) == 0 &&
		(path[length] == '\0' || path[length] == '.');
}

/*
 * Whether a field is one of those that HiBob names, or is inside of one, or has
 * one inside.  A custom column it may name without saying where it is.
 */
static bool
takes_one_of(const char *field, const List *names)
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
		takes_one_of(field + strlen(custom), names);
}

/* The columns of the query that take one of these fields. */
static List *
columns_of(const RowMap *map, const List *fields)
{
	List	   *columns = NIL;

	for (int i = 0; i < map->ncolumns; i++)
	{
		const char *field = map->columns[i].options->field;

		if (takes_one_of(field, fields))
			columns = lappend(columns, psprintf("%s (field %s)",
												map->columns[i].name, field));
	}
	return columns;
}

static char *
hidden_words(const List *hidden, const List *history)
{
	StringInfoData words;

	initStringInfo(&words);
	if (hidden != NIL)
		appendStringInfo(&words, "Not shown: %s.", join(hidden, ", "));
	if (history != NIL)
		appendStringInfo(&words, "%sShown without their history: %s.",
						 words.len > 0 ? " " : "", join(history, ", "));
	return words.data;
}

static void
report_hidden(const RowMap *map, int elevel, const ResponseFindings *findings)
{
	List	   *hidden = columns_of(map, findings->hidden);
	List	   *history = columns_of(map, findings->hidden_history);
	char	   *words;

	if (hidden == NIL && history == NIL)
		return;
	words = hidden_words(hidden, history);
	if (!is_to_report(elevel, "withheld", map->table, words))
		return;
	ereport(elevel,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("HiBob withheld columns of foreign table \"%s\"",
					map->table),
			 errdetail_internal("%s", words),
			 errhint("In HiBob, give the permission group of the service user view access to %s.",
					 map->resource->permission)));
}

static void
report_refusals(const RowMap *map, int elevel,
				const ResponseFindings *findings)
{
	char	   *words = join(findings->refusals, " ");

	if (findings->refusals == NIL ||
		!is_to_report(elevel, "refused", map->table, words))
		return;
	ereport(elevel,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("HiBob refused to show employees that the query for foreign table \"%s\" named",
					map->table),
			 errdetail("HiBob says: %s", words),
			 errhint("In HiBob, widen \"Access data for\" of the permission group of the service user.")));
}

void
result_check_missing_fields(const TableOptions *options, const RowMap *map,
							const ResponseFindings *findings,
							FieldPresenceTest carried, const void *arg)
{
	int			elevel = options->on_missing_field == MISSING_FIELD_ERROR ?
		ERROR : WARNING;

	if (options->on_missing_field == MISSING_FIELD_IGNORE)
		return;
	report_refusals(map, elevel, findings);
	report_hidden(map, elevel, findings);
	if (findings->rows > 0)
		report_columns(map, elevel, carried, arg);
}

/* The labels that a report does have, for a hint. */
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
	return join(labels, ", ");
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
				 errdetail("Column \"%s\" of the foreign table needs it. The report has: %s.",
						   column->name, list_labels(reader)),
				 errhint("The report was changed in HiBob. Correct the column option \"field\", or import the table again.")));
	}
}

void
result_missing_identity(const RowMap *map)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("HiBob sent an employee without the id by which foreign table \"%s\" is read",
					map->table),
			 errhint("In HiBob, give the permission group of the service user view access to the category \"Basic info\".")));
	pg_unreachable();
}

void
result_too_many_ids(const RowMap *map)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("HiBob shows more employees than foreign table \"%s\" can be read by",
					map->table),
			 errdetail("Their ids are kept in memory, and would take more than 64 MB."),
			 errhint("Name the employees in a condition.")));
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
			 errmsg("HiBob sent fewer rows for foreign table \"%s\" than its option min_rows demands",
					map->table),
			 errdetail(UINT64_FORMAT " came, " INT64_FORMAT " are demanded.",
					   rows, options->min_rows),
			 errhint("Check \"Access data for\" of the permission group of the service user in HiBob; if the company did shrink, lower min_rows.")));
}
