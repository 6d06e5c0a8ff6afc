/*
 * fields.c
 *		hibob_fdw_columns() and hibob_fdw_metadata(): the fields of the columns
 *		of foreign tables, and their descriptions in HiBob.
 *
 * hibob_fdw_columns() reads the system catalogs and the resource table and
 * makes no request.  hibob_fdw_metadata() reads the metadata of an account.
 * The column "described_in" of the first is an argument of the second.
 * hibob_fdw_comment_columns(), in the extension script, makes comments from
 * both.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "functions/inventory.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "options/naming.h"
#include "remote/metadata.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

HIBOB_FUNCTION_INFO_V1(hibob_fdw_columns);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_metadata);

/* The columns of hibob_fdw_columns(). */
enum
{
	COLUMNS_SERVER,
	COLUMNS_TABLE,
	COLUMNS_NUMBER,
	COLUMNS_RESOURCE,
	COLUMNS_RESOURCE_ID,
	COLUMNS_FIELD,
	COLUMNS_PATH,
	COLUMNS_VALUE,
	COLUMNS_CATEGORY,
	COLUMNS_ABOUT,
	COLUMNS_DESCRIBED_IN,
	COLUMNS_DESCRIBED_AS,
	COLUMNS_COUNT
};

/* The columns of hibob_fdw_metadata(). */
enum
{
	METADATA_TABLE,
	METADATA_FIELD,
	METADATA_NAME,
	METADATA_CATEGORY,
	METADATA_TYPE,
	METADATA_LIST,
	METADATA_COUNT
};

/* Adds a row to the result. */
static void
put_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* A text that is NULL becomes null. */
static void
set_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text != NULL)
		values[column] = CStringGetTextDatum(text);
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

/*
 * The resource in which HiBob describes the fields of a table: "fields" for
 * employees and for custom columns of HiBob's own tables, and "custom_tables".
 * Sets the field's id there.  NULL if HiBob does not describe the field.
 */
static const char *
described_in(const InventoryTable *table, const char *field, const char **id)
{
	const Resource *resource = table->resource;
	size_t		prefix = strlen(RESOURCE_CUSTOM_COLUMNS);

	*id = field;
	if (resource->form == ROW_EMPLOYEE)
		return RESOURCE_FIELDS;
	if (resource->custom_columns != NULL)
	{
		if (strncmp(field, RESOURCE_CUSTOM_COLUMNS, prefix) != 0)
			return NULL;
		*id = psprintf("%s%s", resource->custom_columns, field + prefix);
		return RESOURCE_FIELDS;
	}
	return table->id != NULL && resource->form != ROW_CSV ?
		RESOURCE_CUSTOM_TABLES : NULL;
}

/* A row for a column, or for the table itself if that is NULL. */
static void
put_column(FunctionCallInfo fcinfo, const InventoryTable *table,
		   const InventoryColumn *column)
{
	Datum		values[COLUMNS_COUNT];
	bool		nulls[COLUMNS_COUNT] = {false};
	const Resource *resource = table->resource;
	const char *field = column != NULL ? column->field : NULL;
	const char *where = NULL;
	const char *id = NULL;

	if (field != NULL)
		where = described_in(table, field, &id);
	else if (table->id != NULL && resource->form != ROW_CSV)
		where = RESOURCE_CUSTOM_TABLES;
	set_text(values, nulls, COLUMNS_SERVER,
			 GetForeignServer(table->serverid)->servername);
	values[COLUMNS_TABLE] = ObjectIdGetDatum(table->relid);
	values[COLUMNS_NUMBER] = Int16GetDatum(column != NULL ? column->attnum : 0);
	set_text(values, nulls, COLUMNS_RESOURCE, resource->name);
	set_text(values, nulls, COLUMNS_RESOURCE_ID, table->id);
	set_text(values, nulls, COLUMNS_FIELD, field);
	set_text(values, nulls, COLUMNS_PATH,
			 column != NULL ? column->path : NULL);
	if (column != NULL)
		set_text(values, nulls, COLUMNS_VALUE,
				 column->human ? "human" : "machine");
	else
		nulls[COLUMNS_VALUE] = true;
	set_text(values, nulls, COLUMNS_CATEGORY,
			 field != NULL ? resource_category(resource, field) : NULL);
	set_text(values, nulls, COLUMNS_ABOUT,
			 column == NULL ? resource->about : column->about);
	set_text(values, nulls, COLUMNS_DESCRIBED_IN, where);
	set_text(values, nulls, COLUMNS_DESCRIBED_AS, id);
	put_row(fcinfo, values, nulls);
}

/*
 * hibob_fdw_columns(schema name) returns setof record
 *
 * A row for each foreign table of the extension in a schema, with column 0, and
 * for each of its columns that names a field.
 */
Datum
hibob_fdw_columns(PG_FUNCTION_ARGS)
{
	Oid			schema = LookupExplicitNamespace(NameStr(*PG_GETARG_NAME(0)),
												 false);
	ListCell   *lc;

	hibob_init_materialized_srf(fcinfo);
	foreach(lc, inventory_tables(InvalidOid, schema))
	{
		const InventoryTable *table = lfirst(lc);
		ForeignServer *server = GetForeignServerExtended(table->serverid,
														 FSV_MISSING_OK);
		ListCell   *column;

		CHECK_FOR_INTERRUPTS();
		if (server == NULL ||
			!inventory_has_server(fcinfo->flinfo->fn_oid, server))
			continue;
		put_column(fcinfo, table, NULL);
		foreach(column, inventory_columns(table))
			put_column(fcinfo, table, lfirst(column));
	}
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * Metadata
 * ------------------------------------------------------------------------
 */

/*
 * A row for a field of a custom table, or of employees if the table is NULL.  A
 * field whose id does not exist in the database's encoding is omitted, because
 * no foreign table can name it.
 */
static void
put_field(FunctionCallInfo fcinfo, const char *table,
		  const MetadataField *field)
{
	Datum		values[METADATA_COUNT];
	bool		nulls[METADATA_COUNT] = {false};
	const char *id = naming_to_server(field->id);

	if (id == NULL)
		return;
	set_text(values, nulls, METADATA_TABLE, table);
	set_text(values, nulls, METADATA_FIELD, id);
	set_text(values, nulls, METADATA_NAME, naming_to_server(field->name));
	set_text(values, nulls, METADATA_CATEGORY,
			 naming_to_server(field->category));
	set_text(values, nulls, METADATA_TYPE, naming_to_server(field->type));
	set_text(values, nulls, METADATA_LIST, naming_to_server(field->list));
	put_row(fcinfo, values, nulls);
}

/* A row for a custom table, without a field, and for each of its columns. */
static void
put_custom_table(FunctionCallInfo fcinfo, const MetadataTable *table)
{
	Datum		values[METADATA_COUNT];
	bool		nulls[METADATA_COUNT];
	const char *id = naming_to_server(table->id);
	ListCell   *lc;

	if (id == NULL)
		return;
	memset(nulls, true, sizeof(nulls));
	set_text(values, nulls, METADATA_TABLE, id);
	set_text(values, nulls, METADATA_NAME, naming_to_server(table->name));
	put_row(fcinfo, values, nulls);
	foreach(lc, table->columns)
		put_field(fcinfo, id, lfirst(lc));
}

/*
 * hibob_fdw_metadata(server name, resource text) returns setof record
 *
 * The account's metadata, with the caller's user mapping: of the resource
 * "fields" a row for each field of employees, of "custom_tables" a row for each
 * table and for each of its columns.
 */
Datum
hibob_fdw_metadata(PG_FUNCTION_ARGS)
{
	ForeignServer *server =
		inventory_usable_server(fcinfo->flinfo->fn_oid,
								NameStr(*PG_GETARG_NAME(0)));
	char	   *resource = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ListCell   *lc;

	hibob_init_materialized_srf(fcinfo);
	if (strcmp(resource, RESOURCE_FIELDS) == 0)
		foreach(lc, metadata_fields(server->serverid))
			put_field(fcinfo, NULL, lfirst(lc));
	else if (strcmp(resource, RESOURCE_CUSTOM_TABLES) == 0)
		foreach(lc, metadata_custom_tables(server->serverid))
			put_custom_table(fcinfo, lfirst(lc));
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("resource \"%s\" has no metadata", resource),
				 errhint("Use \"" RESOURCE_FIELDS "\" or \"" RESOURCE_CUSTOM_TABLES "\".")));
	return (Datum) 0;
}
