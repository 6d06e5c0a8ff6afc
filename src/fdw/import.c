/*
 * import.c
 *		IMPORT FOREIGN SCHEMA: the account's resources as foreign tables.
 *
 * The catalogue says what tables there are, and the account's metadata which
 * columns they have beyond its own.  Every column carries its field, so that
 * renaming something in HiBob breaks nothing.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fdw/import.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "options/naming.h"
#include "options/options.h"
#include "remote/metadata.h"
#include "utils/builtins.h"

#define REMOTE_SCHEMA "hibob"

typedef struct Import
{
	ImportForeignSchemaStmt *stmt;
	ImportOptions *options;
	const char *server;
	Oid			serverid;
	Naming	   *tables;			/* names taken */
	List	   *names;			/* of all tables that there are */
	List	   *statements;
	List	   *fields;			/* of MetadataField; */
	bool		has_fields;		/* once they were read */
} Import;

/* A foreign table on its way. */
typedef struct Table
{
	StringInfoData columns;
	int			ncolumns;
	Naming	   *names;
} Table;

/* How a column shows a field of some type. */
typedef struct TypeRule
{
	const char *type;			/* as HiBob calls it */
	const char *sql;
	bool		human;			/* where there is such a form */
	const char *path;			/* into its value, or NULL */
} TypeRule;

static const TypeRule type_rules[] = {
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

/* What all other types are: text, an employee's id, an address of a picture. */
static const TypeRule text_rule = {NULL, "text", false, NULL};

static const TypeRule *
rule_of_type(const char *type)
{
	for (size_t i = 0; i < lengthof(type_rules); i++)
		if (strcmp(type_rules[i].type, type) == 0)
			return &type_rules[i];
	return &text_rule;
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

static void
begin_table(Table *table)
{
	static const char *const system_columns[] = {"tableoid", "cmax", "xmax",
		"cmin", "xmin", "ctid"};

	initStringInfo(&table->columns);
	table->ncolumns = 0;
	table->names = naming_create();
	for (size_t i = 0; i < lengthof(system_columns); i++)
		naming_reserve(table->names, system_columns[i]);
}

/*
 * A type by a name that no search_path leads elsewhere: it is a word of the
 * grammar, or gets its schema.
 */
static const char *
sure_type(const char *type)
{
	static const char *const words[] = {"bigint", "boolean", "integer",
		"interval", "numeric", "timestamp"};

	for (size_t i = 0; i < lengthof(words); i++)
		if (strcmp(words[i], type) == 0)
			return type;
	return psprintf("pg_catalog.%s", type);
}

/* One column, with a name that is taken already. */
static void
add_column(Table *table, const char *name, const char *type,
		   const char *field, bool human, const char *path, bool not_null)
{
	StringInfo	columns = &table->columns;

	appendStringInfo(columns, "%s\n  %s %s OPTIONS (field %s",
					 table->ncolumns++ > 0 ? "," : "", quote_identifier(name),
					 sure_type(type), quote_literal_cstr(field));
	if (human)
		appendStringInfoString(columns, ", value 'human'");
	if (path != NULL)
		appendStringInfo(columns, ", path %s", quote_literal_cstr(path));
	appendStringInfo(columns, ")%s", not_null ? " NOT NULL" : "");
}

/* The catalogue's columns; without the whole row where others show its parts. */
static void
add_catalog_columns(Table *table, const Resource *resource,
					bool whole_row)
{
	for (int i = 0; i < resource->ncolumns; i++)
	{
		const ResourceColumn *column = &resource->columns[i];

		if (strcmp(column->field, RESOURCE_WHOLE_ROW) == 0 && !whole_row)
			continue;
		naming_reserve(table->names, column->name);
		add_column(table, column->name, column->type, column->field,
				   column->form == FORM_HUMAN, column->path,
				   column->not_null);
	}
}

/* A field of the metadata that gets a column. */
typedef struct Addition
{
	const MetadataField *field;
	const char *shown_field;	/* where a row has it */
	const TypeRule *rule;
	bool		human;
	const char *name;
	const char *currency_name;	/* of the second column, or NULL */
} Addition;

/*
 * When something was made, as its id tells: "work.custom.field_1667499206086"
 * has the time in it, and reports are numbered.  0 for fields of HiBob's own.
 */
static int64
birth_of_id(const char *id)
{
	const char *underscore = strrchr(id, '_');

	return strtoll(underscore != NULL ? underscore + 1 : id, NULL, 10);
}

/*
 * Names are given in the order in which things were made, whatever order HiBob
 * sends: so a name stays with its thing when others are added.
 */
static int
compare_ids(const char *a, const char *b)
{
	int64		birth_a = birth_of_id(a);
	int64		birth_b = birth_of_id(b);

	if (birth_a != birth_b)
		return birth_a < birth_b ? -1 : 1;
	return strcmp(a, b);
}

static int
compare_additions(const void *a, const void *b)
{
	return compare_ids((*(Addition *const *) a)->field->id,
					   (*(Addition *const *) b)->field->id);
}

static void
name_additions(Table *table, List *additions)
{
	int			n = list_length(additions);
	Addition  **sorted = palloc(sizeof(Addition *) * Max(n, 1));

	for (int i = 0; i < n; i++)
		sorted[i] = list_nth(additions, i);
	qsort(sorted, n, sizeof(Addition *), compare_additions);
	for (int i = 0; i < n; i++)
	{
		const MetadataField *field = sorted[i]->field;

		sorted[i]->name = naming_choose(table->names, field->name,
										field->category, field->id);
		if (strcmp(field->type, "currency") == 0)
			sorted[i]->currency_name =
				naming_derive(table->names, sorted[i]->name, "_currency");
	}
}

static void
add_additions(Table *table, List *additions)
{
	ListCell   *lc;

	name_additions(table, additions);
	foreach(lc, additions)
	{
		Addition   *addition = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		add_column(table, addition->name, addition->rule->sql,
				   addition->shown_field, addition->human,
				   addition->rule->path, false);
		if (addition->currency_name != NULL)
			add_column(table, addition->currency_name, "text",
					   addition->shown_field, false, "currency", false);
	}
}

/* An id as an option has it. */
static char *
option_text(const char *id)
{
	char	   *text = naming_to_server(id);

	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("a field's id in HiBob has characters that the encoding of the database does not"),
				 errhint("Leave its table out by EXCEPT, or use a database with the encoding UTF8.")));
	return text;
}

static Addition *
make_addition(const MetadataField *field, const char *shown_field,
			  const Resource *resource)
{
	Addition   *addition = palloc0(sizeof(Addition));

	addition->field = field;
	addition->shown_field = option_text(shown_field);
	addition->rule = rule_of_type(field->type);
	addition->human = addition->rule->human && resource->human != NULL;
	return addition;
}

/* ------------------------------------------------------------------------
 * Metadata
 * ------------------------------------------------------------------------
 */

static List *
fields_of_account(Import *import)
{
	if (!import->has_fields)
		import->fields = metadata_fields(import->serverid);
	import->has_fields = true;
	return import->fields;
}

/* Whether a column of the catalogue shows a field in the same form. */
static bool
is_in_catalog(const Resource *resource, const Addition *addition)
{
	for (int i = 0; i < resource->ncolumns; i++)
	{
		const ResourceColumn *column = &resource->columns[i];

		if (strcmp(column->field, addition->shown_field) == 0 &&
			(column->form == FORM_HUMAN || !addition->human))
			return true;
	}
	return false;
}

/* The columns that people have beyond those of the catalogue. */
static void
add_people_fields(Import *import, Table *table,
				  const Resource *resource)
{
	List	   *additions = NIL;
	ListCell   *lc;

	if (!import->options->custom_fields && !import->options->all_fields)
		return;
	foreach(lc, fields_of_account(import))
	{
		MetadataField *field = lfirst(lc);
		bool		custom = resource_is_custom_field(field->id);
		Addition   *addition;

		if (custom ? !import->options->custom_fields :
			!import->options->all_fields)
			continue;
		addition = make_addition(field, field->id, resource);
		if (!is_in_catalog(resource, addition))
			additions = lappend(additions, addition);
	}
	add_additions(table, additions);
}

/* The custom columns of one of HiBob's own tables. */
static void
add_custom_columns(Import *import, Table *table,
				   const Resource *resource)
{
	const char *prefix = resource->custom_columns;
	List	   *additions = NIL;
	ListCell   *lc;

	if (!import->options->custom_fields)
		return;
	foreach(lc, fields_of_account(import))
	{
		MetadataField *field = lfirst(lc);

		if (strncmp(field->id, prefix, strlen(prefix)) == 0)
			additions = lappend(
				additions, make_addition(field,
										 psprintf(RESOURCE_CUSTOM_COLUMNS "%s",
												  field->id + strlen(prefix)),
										 resource));
	}
	add_additions(table, additions);
}

/* ------------------------------------------------------------------------
 * Tables
 * ------------------------------------------------------------------------
 */

/* Whether the statement's list of tables has a name. */
static bool
is_listed(const Import *import, const char *name)
{
	ListCell   *lc;

	foreach(lc, import->stmt->table_list)
		if (strcmp(((RangeVar *) lfirst(lc))->relname, name) == 0)
			return true;
	return false;
}

static bool
is_wanted(const Import *import, const char *name)
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
check_number_of_columns(const Import *import, const char *name, int ncolumns)
{
	if (ncolumns > MaxHeapAttributeNumber)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("foreign table \"%s\" would have %d columns", name,
						ncolumns),
				 errdetail("A table can have %d.", MaxHeapAttributeNumber),
				 errhint("Import with OPTIONS (fields 'core') or (custom_fields 'false'), and add the columns that you need by ALTER FOREIGN TABLE.")));
}

/* The table's statement.  "id" is that of its id_option, or NULL. */
static void
end_table(Import *import, const Table *table, const char *name,
		  const Resource *resource, const char *id)
{
	StringInfoData statement;

	check_number_of_columns(import, name, table->ncolumns);
	initStringInfo(&statement);
	appendStringInfo(&statement,
					 "CREATE FOREIGN TABLE %s (%s\n) SERVER %s\nOPTIONS (resource %s",
					 quote_identifier(name), table->columns.data,
					 quote_identifier(import->server),
					 quote_literal_cstr(resource->name));
	if (id != NULL)
		appendStringInfo(&statement, ", %s %s", resource->id_option,
						 quote_literal_cstr(id));
	appendStringInfoString(&statement, ");");
	import->statements = lappend(import->statements, statement.data);
}

static void
import_resource(Import *import, const Resource *resource)
{
	Table		table;

	import->names = lappend(import->names, (char *) resource->name);
	naming_reserve(import->tables, resource->name);
	if (!is_wanted(import, resource->name))
		return;
	begin_table(&table);
	add_catalog_columns(&table, resource, true);
	if (resource->form == ROW_EMPLOYEE)
		add_people_fields(import, &table, resource);
	if (resource->custom_columns != NULL)
		add_custom_columns(import, &table, resource);
	end_table(import, &table, resource->name, resource, NULL);
}

static void
import_resources(Import *import)
{
	const Resource *resource;

	for (int i = 0; (resource = resource_at(i)) != NULL; i++)
		if (resource->id_option == NULL)
			import_resource(import, resource);
}

static void
import_custom_table(Import *import, const MetadataTable *metadata,
					const char *name)
{
	const Resource *resource = resource_find("custom_table");
	List	   *additions = NIL;
	Table		table;
	ListCell   *lc;

	begin_table(&table);
	add_catalog_columns(&table, resource, false);
	foreach(lc, metadata->columns)
	{
		MetadataField *column = lfirst(lc);

		additions = lappend(additions,
							make_addition(column, column->id, resource));
	}
	add_additions(&table, additions);
	end_table(import, &table, name, resource, metadata->id);
}

static int
compare_tables(const ListCell *a, const ListCell *b)
{
	return compare_ids(((MetadataTable *) lfirst(a))->id,
					   ((MetadataTable *) lfirst(b))->id);
}

/* Whether tables beyond the catalogue's may be wanted. */
static bool
wants_more(const Import *import)
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
import_custom_tables(Import *import)
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
		char	   *name = naming_choose(import->tables, metadata->name,
										 "custom_table", metadata->id);

		import->names = lappend(import->names, name);
		if (is_wanted(import, name))
			import_custom_table(import, metadata, name);
	}
}

static void
warn_of_label(const MetadataReport *report, int column)
{
	ereport(WARNING,
			(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
			 errmsg("column %d of report %s is left out", column, report->id),
			 errdetail("Its label has characters that the encoding of the database does not."),
			 errhint("Rename the column in HiBob, or use a database with the encoding UTF8.")));
}

/* All text: a report's dates and numbers are written for its readers. */
static void
import_report(Import *import, const MetadataReport *report, const char *name)
{
	Table		table;
	ListCell   *lc;

	begin_table(&table);
	foreach(lc, metadata_report_labels(import->serverid, name, report->id))
	{
		const char *label = lfirst(lc);
		char	   *field = naming_to_server(label);

		if (field == NULL)
		{
			warn_of_label(report, table.ncolumns + 1);
			continue;
		}
		add_column(&table,
				   naming_choose(table.names, label[0] == '#' ? NULL : label,
								 NULL, psprintf("column %d",
												table.ncolumns + 1)),
				   "text", field, false, NULL, false);
	}
	end_table(import, &table, name, resource_find("report"), report->id);
}

static int
compare_reports(const ListCell *a, const ListCell *b)
{
	return compare_ids(((MetadataReport *) lfirst(a))->id,
					   ((MetadataReport *) lfirst(b))->id);
}

static void
import_reports(Import *import)
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
		char	   *name = naming_choose(import->tables, report->name,
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
			 errhint("Use IMPORT FOREIGN SCHEMA " REMOTE_SCHEMA " FROM SERVER ... INTO ...")));
}

static void
report_no_table(const Import *import, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no table \"%s\"", wanted),
			 resource_find(wanted) != NULL ?
			 errdetail("The resource \"%s\" is one of many such things: each is a table with a name of its own.",
					   wanted) :
			 errdetail("Custom tables and saved reports are there only with the options custom_tables and reports."),
			 errhint("%s", hint_from_names("table", wanted, import->names,
										   "Tables are"))));
}

/* The server would skip in silence what there is not. */
static void
check_listed(const Import *import)
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
	Import		import = {0};

	check_schema(stmt->remote_schema);
	import.stmt = stmt;
	import.options = import_options(stmt->options);
	import.serverid = serverid;
	import.server = GetForeignServer(serverid)->servername;
	import.tables = naming_create();
	import_resources(&import);
	import_custom_tables(&import);
	import_reports(&import);
	check_listed(&import);
	return import.statements;
}
