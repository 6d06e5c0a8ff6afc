/*
 * import.c
 *		IMPORT FOREIGN SCHEMA: the account's resources as foreign tables.
 *
 * The resource table has the tables and their columns; the account's metadata
 * adds columns, custom tables and saved reports.  Every column names its field,
 * so that a new display name in HiBob breaks nothing.
 *
 * A field, report or table that the extension could not read is skipped with a
 * warning, so that a scan can read everything that IMPORT creates.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fdw/import.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "options/naming.h"
#include "options/options.h"
#include "remote/metadata.h"
#include "remote/remote_error.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define REMOTE_SCHEMA "hibob"

/* A running IMPORT FOREIGN SCHEMA command. */
typedef struct ImportState
{
	ImportForeignSchemaStmt *stmt;
	ImportOptions *options;
	const char *server;
	Oid			serverid;
	Naming	   *naming;			/* of tables */
	List	   *names;			/* of all tables in HiBob */
	List	   *statements;		/* the result */
	List	   *fields;			/* of MetadataField, */
	bool		has_fields;		/* if they have been read */
} ImportState;

/* A CREATE FOREIGN TABLE statement that is being built. */
typedef struct TableBuilder
{
	const char *name;
	const Resource *resource;
	StringInfoData columns;
	int			ncolumns;
	Naming	   *naming;			/* of columns */
} TableBuilder;

/* The column for a field of a type. */
typedef struct ColumnType
{
	const char *type;			/* as HiBob calls it */
	const char *sql;
	bool		human;			/* in the human-readable form, if there is one */
	const char *path;			/* into its value, or NULL */
} ColumnType;

static const ColumnType column_types[] = {
	{"list", "text", true, NULL},
	{"list_id", "text", true, NULL},
	{"hierarchy-list", "text", true, NULL},
	{"multi-list", "text[]", false, NULL},
	{"number", "numeric", false, NULL},
	{"date", "date", false, NULL},
	{"short-date", "text", false, NULL},
	{"time", "timestamp", false, NULL},
	{"boolean", "boolean", false, NULL},
	{"currency", "numeric", false, "value"},
	{"period", "interval", false, "periodISO"},
	{"employee", "jsonb", false, NULL},
	{"duration_with_unit", "jsonb", false, NULL},
	{"working_pattern", "jsonb", false, NULL},
};

/* All other types: text, the id of an employee, the URL of a picture. */
static const ColumnType text_column = {NULL, "text", false, NULL};

static const ColumnType *
find_column_type(const char *type)
{
	for (size_t i = 0; i < lengthof(column_types); i++)
		if (strcmp(column_types[i].type, type) == 0)
			return &column_types[i];
	return &text_column;
}

/* ------------------------------------------------------------------------
 * Texts of HiBob
 * ------------------------------------------------------------------------
 */

/*
 * A text of HiBob for a message.  Question marks replace control characters and
 * characters that the database's encoding lacks.
 */
static char *
printable(const char *text)
{
	char	   *result = naming_to_server(text);

	if (result == NULL)
	{
		result = pstrdup(text);
		for (char *c = result; *c != '\0'; c++)
			if (IS_HIGHBIT_SET(*c))
				*c = '?';
	}
	for (char *c = result; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = '?';
	return result;
}

/*
 * Warns if the display name of a field, report or table is not text: then the
 * name in the database is made from the id.
 */
static void
check_display_name(const ImportState *import, const char *name, const char *id)
{
	if (import->options->by_id ||
		pg_verify_mbstr(PG_UTF8, name, (int) strlen(name), true))
		return;
	ereport(WARNING,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("ignoring the display name of \"%s\"", printable(id)),
			 errdetail("The name contains \\u0000 or is not valid UTF-8."),
			 errhint("Change the name in HiBob.")));
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

static void
begin_table(TableBuilder *table, const char *name, const Resource *resource,
			bool by_id)
{
	static const char *const system_columns[] = {"tableoid", "cmax", "xmax",
		"cmin", "xmin", "ctid"};

	table->name = name;
	table->resource = resource;
	initStringInfo(&table->columns);
	table->ncolumns = 0;
	table->naming = naming_create(by_id);
	for (size_t i = 0; i < lengthof(system_columns); i++)
		naming_reserve(table->naming, system_columns[i]);
}

/*
 * A type by a name that does not depend on search_path: a keyword of the
 * grammar, or qualified.
 */
static const char *
qualified_type(const char *type)
{
	static const char *const keywords[] = {"bigint", "boolean", "integer",
		"interval", "numeric", "timestamp"};

	for (size_t i = 0; i < lengthof(keywords); i++)
		if (strcmp(keywords[i], type) == 0)
			return type;
	return psprintf("pg_catalog.%s", type);
}

/* Adds a column; its name is reserved already. */
static void
add_column(TableBuilder *table, const char *name, const char *type,
		   const char *field, bool human, const char *path, bool not_null)
{
	StringInfo	columns = &table->columns;

	appendStringInfo(columns, "%s\n  %s %s OPTIONS (field %s",
					 table->ncolumns++ > 0 ? "," : "", quote_identifier(name),
					 qualified_type(type), quote_literal_cstr(field));
	if (human)
		appendStringInfoString(columns, ", value 'human'");
	if (path != NULL)
		appendStringInfo(columns, ", path %s", quote_literal_cstr(path));
	appendStringInfo(columns, ")%s", not_null ? " NOT NULL" : "");
}

/* Adds the columns of the resource, without the whole row if "parts" follow. */
static void
add_resource_columns(TableBuilder *table, bool parts)
{
	const Resource *resource = table->resource;

	for (int i = 0; i < resource->ncolumns; i++)
	{
		const ResourceColumn *column = &resource->columns[i];

		if (strcmp(column->field, RESOURCE_WHOLE_ROW) == 0 && parts)
			continue;
		naming_reserve(table->naming, column->name);
		add_column(table, column->name, column->type, column->field,
				   column->form == FORM_HUMAN, column->path,
				   column->not_null);
	}
}

/* A column for a field of the metadata. */
typedef struct MetadataColumn
{
	const MetadataField *metadata;
	const char *field;			/* the column's option */
	const ColumnType *type;
	bool		human;
	const char *name;
	const char *currency_name;	/* of the second column, or NULL */
} MetadataColumn;

/*
 * The order of creation of a field, table or report by its id:
 * "work.custom.field_1667499206086" has the time of its creation, and reports
 * are numbered.  0 for built-in fields.
 */
static int64
creation_order(const char *id)
{
	const char *underscore = strrchr(id, '_');

	return strtoll(underscore != NULL ? underscore + 1 : id, NULL, 10);
}

/*
 * Names are assigned in the order of creation, not in the order of the
 * response, so that a name stays with its field when other fields are added.
 */
static int
compare_ids(const char *a, const char *b)
{
	int64		order_a = creation_order(a);
	int64		order_b = creation_order(b);

	if (order_a != order_b)
		return order_a < order_b ? -1 : 1;
	return strcmp(a, b);
}

static int
compare_columns(const void *a, const void *b)
{
	return compare_ids((*(MetadataColumn *const *) a)->metadata->id,
					   (*(MetadataColumn *const *) b)->metadata->id);
}

static void
name_columns(const ImportState *import, TableBuilder *table, List *columns)
{
	int			n = list_length(columns);
	MetadataColumn **sorted = palloc(sizeof(MetadataColumn *) * Max(n, 1));

	for (int i = 0; i < n; i++)
		sorted[i] = list_nth(columns, i);
	qsort(sorted, n, sizeof(MetadataColumn *), compare_columns);
	for (int i = 0; i < n; i++)
	{
		const MetadataField *metadata = sorted[i]->metadata;

		check_display_name(import, metadata->name, metadata->id);
		sorted[i]->name = naming_choose(table->naming, metadata->name,
										metadata->category, metadata->id);
		if (strcmp(metadata->type, "currency") == 0)
			sorted[i]->currency_name =
				naming_derive(table->naming, sorted[i]->name, "_currency");
	}
}

static void
add_metadata_columns(const ImportState *import, TableBuilder *table,
					 List *columns)
{
	ListCell   *lc;

	name_columns(import, table, columns);
	foreach(lc, columns)
	{
		MetadataColumn *column = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		add_column(table, column->name, column->type->sql, column->field,
				   column->human, column->type->path, false);
		if (column->currency_name != NULL)
			add_column(table, column->currency_name, "text", column->field,
					   false, "currency", false);
	}
}

/* ------------------------------------------------------------------------
 * Skipped objects
 * ------------------------------------------------------------------------
 */

/*
 * Converts an id or label to the value of an option.  NULL if it cannot be one:
 * sets the reason, a sentence.
 */
static char *
convert_id(const char *id, const char **defect)
{
	char	   *result = naming_to_server(id);

	if (result == NULL)
		*defect = pg_verify_mbstr(PG_UTF8, id, (int) strlen(id), true) ?
			"It has characters that the encoding of the database lacks." :
			"It contains \\u0000 or is not valid UTF-8.";
	return result;
}

static char *
convert_field(const Resource *resource, const char *field,
			  const char **defect)
{
	char	   *result = convert_id(field, defect);

	if (result != NULL)
		*defect = field_option_defect(resource, result);
	return *defect == NULL ? result : NULL;
}

/*
 * A field's id as the option of a column; NULL, with a warning, if it cannot be
 * one.
 */
static char *
field_option(const TableBuilder *table, const char *field)
{
	const char *defect = NULL;
	char	   *result = convert_field(table->resource, field, &defect);

	if (result == NULL)
		ereport(WARNING,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("skipping field \"%s\" of foreign table \"%s\"",
						printable(field), table->name),
				 errdetail("The id of the field cannot be the value of option \"field\". %s",
						   defect)));
	return result;
}

/* The same for the label of a report's column. */
static char *
label_option(const TableBuilder *table, const char *label)
{
	const char *defect = NULL;
	char	   *result = convert_field(table->resource, label, &defect);

	if (result == NULL)
		ereport(WARNING,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("skipping column \"%s\" of foreign table \"%s\"",
						printable(label), table->name),
				 errdetail("The label of the column cannot be the value of option \"field\". %s",
						   defect),
				 errhint("Rename the column in HiBob.")));
	return result;
}

/*
 * The id of a report or custom table as the option of a table; NULL, with a
 * warning, if it cannot be.
 */
static char *
id_option(const Resource *resource, const char *id, const char *name)
{
	const char *defect = NULL;
	char	   *result = convert_id(id, &defect);

	if (result != NULL)
		defect = id_option_defect(resource, result);
	if (defect == NULL)
		return result;
	ereport(WARNING,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("skipping foreign table \"%s\"", name),
			 errdetail("The id \"%s\" cannot be the value of option \"%s\". %s",
					   printable(id), resource->id_option, defect)));
	return NULL;
}

/* NULL, with a warning, if the column could not be read. */
static MetadataColumn *
make_column(const TableBuilder *table, const MetadataField *metadata,
			const char *field)
{
	MetadataColumn *column = palloc0(sizeof(MetadataColumn));

	column->metadata = metadata;
	column->field = field_option(table, field);
	if (column->field == NULL)
		return NULL;
	column->type = find_column_type(metadata->type);
	column->human = column->type->human && table->resource->human != NULL;
	return column;
}

/* ------------------------------------------------------------------------
 * Metadata
 * ------------------------------------------------------------------------
 */

static List *
account_fields(ImportState *import)
{
	if (!import->has_fields)
		import->fields = metadata_fields(import->serverid);
	import->has_fields = true;
	return import->fields;
}

/* Whether a column of the resource shows the field in the same form. */
static bool
is_resource_column(const Resource *resource, const MetadataColumn *column)
{
	for (int i = 0; i < resource->ncolumns; i++)
	{
		const ResourceColumn *own = &resource->columns[i];

		if (strcmp(own->field, column->field) == 0 &&
			(own->form == FORM_HUMAN || !column->human))
			return true;
	}
	return false;
}

/* Adds the fields of employees beyond the columns of the resource. */
static void
add_people_fields(ImportState *import, TableBuilder *table)
{
	List	   *columns = NIL;
	ListCell   *lc;

	if (!import->options->custom_fields && !import->options->all_fields)
		return;
	foreach(lc, account_fields(import))
	{
		MetadataField *field = lfirst(lc);
		bool		custom = resource_is_custom_field(field->id);
		MetadataColumn *column;

		if (custom ? !import->options->custom_fields :
			!import->options->all_fields)
			continue;
		column = make_column(table, field, field->id);
		if (column != NULL && !is_resource_column(table->resource, column))
			columns = lappend(columns, column);
	}
	add_metadata_columns(import, table, columns);
}

/* Adds the custom columns of one of HiBob's own tables. */
static void
add_custom_columns(ImportState *import, TableBuilder *table)
{
	const char *prefix = table->resource->custom_columns;
	List	   *columns = NIL;
	ListCell   *lc;

	if (!import->options->custom_fields)
		return;
	foreach(lc, account_fields(import))
	{
		MetadataField *field = lfirst(lc);
		MetadataColumn *column;

		if (strncmp(field->id, prefix, strlen(prefix)) != 0)
			continue;
		column = make_column(table, field,
							 psprintf(RESOURCE_CUSTOM_COLUMNS "%s",
									  field->id + strlen(prefix)));
		if (column != NULL)
			columns = lappend(columns, column);
	}
	add_metadata_columns(import, table, columns);
}

/* ------------------------------------------------------------------------
 * Tables
 * ------------------------------------------------------------------------
 */

/* Whether the statement's list of tables contains a name. */
static bool
is_listed(const ImportState *import, const char *name)
{
	ListCell   *lc;

	foreach(lc, import->stmt->table_list)
		if (strcmp(((RangeVar *) lfirst(lc))->relname, name) == 0)
			return true;
	return false;
}

static bool
is_wanted(const ImportState *import, const char *name)
{
	switch (import->stmt->list_type)
	{
		case FDW_IMPORT_SCHEMA_LIMIT_TO:
			return is_listed(import, name);
		case FDW_IMPORT_SCHEMA_EXCEPT:
			return !is_listed(import, name);
		default:
			return true;
	}
}

static void
check_number_of_columns(const TableBuilder *table)
{
	if (table->ncolumns > MaxHeapAttributeNumber)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("foreign table \"%s\" would have %d columns",
						table->name, table->ncolumns),
				 errdetail("A table can have at most %d columns.", MaxHeapAttributeNumber),
				 errhint("Import with OPTIONS (fields 'core') or (custom_fields 'false'), and add the columns that you need by ALTER FOREIGN TABLE.")));
}

/* Adds the table's statement.  "id" is the value of the id_option, or NULL. */
static void
end_table(ImportState *import, const TableBuilder *table, const char *id)
{
	const Resource *resource = table->resource;
	StringInfoData statement;

	check_number_of_columns(table);
	initStringInfo(&statement);
	appendStringInfo(&statement,
					 "CREATE FOREIGN TABLE %s (%s\n) SERVER %s\nOPTIONS (resource %s",
					 quote_identifier(table->name), table->columns.data,
					 quote_identifier(import->server),
					 quote_literal_cstr(resource->name));
	if (id != NULL)
		appendStringInfo(&statement, ", %s %s", resource->id_option,
						 quote_literal_cstr(id));
	appendStringInfoString(&statement, ");");
	import->statements = lappend(import->statements, statement.data);
}

static void
import_resource(ImportState *import, const Resource *resource)
{
	TableBuilder table;

	import->names = lappend(import->names, (char *) resource->name);
	naming_reserve(import->naming, resource->name);
	if (!is_wanted(import, resource->name) ||
		(resource->is_on_request && !is_listed(import, resource->name)))
		return;
	begin_table(&table, resource->name, resource, import->options->by_id);
	add_resource_columns(&table, false);
	if (resource->form == ROW_EMPLOYEE)
		add_people_fields(import, &table);
	if (resource->custom_columns != NULL)
		add_custom_columns(import, &table);
	end_table(import, &table, NULL);
}

static void
import_resources(ImportState *import)
{
	const Resource *resource;

	for (int i = 0; (resource = resource_at(i)) != NULL; i++)
		if (resource->id_option == NULL && !resource->is_internal)
			import_resource(import, resource);
}

static void
import_custom_table(ImportState *import, const MetadataTable *metadata,
					const char *name)
{
	const Resource *resource = resource_find("custom_table");
	char	   *id = id_option(resource, metadata->id, name);
	List	   *columns = NIL;
	TableBuilder table;
	ListCell   *lc;

	if (id == NULL)
		return;
	check_display_name(import, metadata->name, metadata->id);
	begin_table(&table, name, resource, import->options->by_id);
	add_resource_columns(&table, true);
	foreach(lc, metadata->columns)
	{
		const MetadataField *field = lfirst(lc);
		MetadataColumn *column = make_column(&table, field, field->id);

		if (column != NULL)
			columns = lappend(columns, column);
	}
	add_metadata_columns(import, &table, columns);
	end_table(import, &table, id);
}

static int
compare_tables(const ListCell *a, const ListCell *b)
{
	return compare_ids(((MetadataTable *) lfirst(a))->id,
					   ((MetadataTable *) lfirst(b))->id);
}

/* Whether custom tables or reports may be wanted. */
static bool
wants_more(const ImportState *import)
{
	ListCell   *lc;

	if (import->stmt->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO)
		return true;
	foreach(lc, import->stmt->table_list)
	{
		const Resource *resource =
			resource_find(((RangeVar *) lfirst(lc))->relname);

		if (resource == NULL || resource->id_option != NULL)
			return true;
	}
	return false;
}

static void
import_custom_tables(ImportState *import)
{
	List	   *tables;
	ListCell   *lc;

	if (!import->options->custom_tables || !wants_more(import))
		return;
	tables = metadata_custom_tables(import->serverid);
	list_sort(tables, compare_tables);
	foreach(lc, tables)
	{
		MetadataTable *metadata = lfirst(lc);
		char	   *name = naming_choose(import->naming, metadata->name,
										 "custom_table", metadata->id);

		import->names = lappend(import->names, name);
		if (is_wanted(import, name))
			import_custom_table(import, metadata, name);
	}
}

/* The header of a report that is being read. */
typedef struct ReportHeader
{
	ImportState *import;
	const MetadataReport *report;
	const char *name;
	List	   *labels;
} ReportHeader;

static void
read_header(void *arg)
{
	ReportHeader *header = arg;

	header->labels = metadata_report_labels(header->import->serverid,
											header->name, header->report->id);
}

/*
 * Whether an error is about one report, which includes a CSV text that ends too
 * early.  Other errors would occur with every report.
 */
static bool
is_about_report(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_FDW_ERROR):
		case ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION):
			return true;
		default:
			return error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE ||
				error->sqlerrcode == ERRCODE_CONNECTION_FAILURE;
	}
}

/*
 * Reads the labels of a report.  False, with a warning, if it cannot be read;
 * an error if the command names it.
 */
static bool
read_labels(ReportHeader *header)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hibob_fdw report",
												  ALLOCSET_SMALL_SIZES);
	ErrorData  *error = run_in_subtransaction(read_header, header, context);

	if (error == NULL)
		return true;
	MemoryContextDelete(context);
	if (!is_about_report(error) ||
		header->import->stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO)
		ReThrowError(error);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("skipping foreign table \"%s\"", header->name),
			 errdetail("Report %s cannot be read: %s.", header->report->id,
					   error->message),
			 error->hint != NULL ? errhint("%s", error->hint) : 0));
	return false;
}

/*
 * All columns are text, because the dates and numbers of a report are formatted
 * for people.  They have no ids.
 */
static void
import_report(ImportState *import, const MetadataReport *report,
			  const char *name)
{
	const Resource *resource = resource_find("report");
	char	   *id = id_option(resource, report->id, name);
	ReportHeader header = {import, report, name, NIL};
	TableBuilder table;
	ListCell   *lc;

	if (id == NULL || !read_labels(&header))
		return;
	check_display_name(import, report->name, report->id);
	begin_table(&table, name, resource, false);
	foreach(lc, header.labels)
	{
		const char *label = lfirst(lc);
		char	   *field = label_option(&table, label);
		char	   *number = psprintf("column %d", table.ncolumns + 1);

		if (field != NULL)
			add_column(&table,
					   naming_choose(table.naming,
									 label[0] == '#' ? NULL : label, NULL,
									 number),
					   "text", field, false, NULL, false);
	}
	end_table(import, &table, id);
}

static int
compare_reports(const ListCell *a, const ListCell *b)
{
	return compare_ids(((MetadataReport *) lfirst(a))->id,
					   ((MetadataReport *) lfirst(b))->id);
}

static void
import_reports(ImportState *import)
{
	List	   *reports;
	ListCell   *lc;

	if (!import->options->reports || !wants_more(import))
		return;
	reports = metadata_reports(import->serverid);
	list_sort(reports, compare_reports);
	foreach(lc, reports)
	{
		MetadataReport *report = lfirst(lc);
		char	   *name = naming_choose(import->naming, report->name,
										 "report",
										 psprintf("report %s", report->id));

		import->names = lappend(import->names, name);
		if (is_wanted(import, name))
			import_report(import, report, name);
	}
}

/* ------------------------------------------------------------------------
 * The statement
 * ------------------------------------------------------------------------
 */

static void
check_schema(const char *schema)
{
	if (strcmp(schema, REMOTE_SCHEMA) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
			 errmsg("HiBob has no schema \"%s\"", schema),
			 errhint("The only schema is \"" REMOTE_SCHEMA "\".")));
}

static void
report_no_table(const ImportState *import, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no table \"%s\"", wanted),
			 resource_find(wanted) != NULL ?
			 errdetail("Resource \"%s\" is imported as one table for each custom table or report, under its own name.",
					   wanted) :
			 errdetail("Custom tables and saved reports are imported only with the options custom_tables and reports."),
			 errhint("%s", hint_from_names("table", wanted, import->names,
										   "Available tables are"))));
}

/* The server would ignore the name of a table that HiBob does not have. */
static void
check_listed(const ImportState *import)
{
	ListCell   *lc;

	if (import->stmt->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO)
		return;
	foreach(lc, import->stmt->table_list)
	{
		const char *wanted = ((RangeVar *) lfirst(lc))->relname;
		ListCell   *name;

		foreach(name, import->names)
			if (strcmp(lfirst(name), wanted) == 0)
				break;
		if (name == NULL)
			report_no_table(import, wanted);
	}
}

List *
hibobImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	ImportState import = {0};

	check_schema(stmt->remote_schema);
	import.stmt = stmt;
	import.options = import_options(stmt->options);
	import.serverid = serverid;
	import.server = GetForeignServer(serverid)->servername;
	import.naming = naming_create(import.options->by_id);
	import_resources(&import);
	import_custom_tables(&import);
	import_reports(&import);
	check_listed(&import);
	return import.statements;
}
