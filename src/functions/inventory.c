/*
 * inventory.c
 *		The servers, foreign tables and columns of this extension.
 *
 * Options are read as they are stored: the functions of options.c raise an
 * error for the first invalid option, but a status has to include all other
 * objects.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_proc.h"
#include "commands/defrem.h"
#include "compat.h"
#include "functions/inventory.h"
#include "miscadmin.h"
#include "options/options.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* ------------------------------------------------------------------------
 * Servers
 * ------------------------------------------------------------------------
 */

bool
inventory_has_server(Oid function, const ForeignServer *server)
{
	Oid			handler = GetForeignDataWrapper(server->fdwid)->fdwhandler;
	Oid			extension = getExtensionOfObject(ProcedureRelationId, function);

	return OidIsValid(handler) && OidIsValid(extension) &&
		getExtensionOfObject(ProcedureRelationId, handler) == extension;
}

bool
inventory_may_use(const ForeignServer *server)
{
	return hibob_server_aclcheck(server->serverid, GetUserId()) == ACLCHECK_OK;
}

ForeignServer *
inventory_usable_server(Oid function, const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, false);

	if (!inventory_may_use(server))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, name);
	if (!inventory_has_server(function, server))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" does not belong to the foreign data wrapper of hibob_fdw",
						name)));
	return server;
}

static int
compare_servers(const ListCell *a, const ListCell *b)
{
	return strcmp(((ForeignServer *) lfirst(a))->servername,
				  ((ForeignServer *) lfirst(b))->servername);
}

List *
inventory_servers(Oid function)
{
	Relation	rel = table_open(ForeignServerRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0,
										  NULL);
	HeapTuple	tuple;
	List	   *servers = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			oid = ((Form_pg_foreign_server) GETSTRUCT(tuple))->oid;
		ForeignServer *server = GetForeignServerExtended(oid, FSV_MISSING_OK);

		if (server != NULL && inventory_has_server(function, server))
			servers = lappend(servers, server);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	list_sort(servers, compare_servers);
	return servers;
}

/* ------------------------------------------------------------------------
 * Tables
 * ------------------------------------------------------------------------
 */

static List *
stored_options(HeapTuple tuple, Relation rel)
{
	bool		isnull;
	Datum		options = heap_getattr(tuple, Anum_pg_foreign_table_ftoptions,
									   RelationGetDescr(rel), &isnull);

	return isnull ? NIL : untransformRelOptions(options);
}

/* A table's own option overrides its server's. */
static bool
ignores_missing_fields(List *options, Oid serverid)
{
	const char *word = option_value(options, "on_missing_field");
	ForeignServer *server;

	if (word == NULL)
	{
		server = GetForeignServerExtended(serverid, FSV_MISSING_OK);
		word = server != NULL ?
			option_value(server->options, "on_missing_field") : NULL;
	}
	return word != NULL && strcmp(word, "ignore") == 0;
}

/* NULL if the table has no resource, or has been dropped. */
static InventoryTable *
make_table(Oid relid, Oid serverid, List *options)
{
	const char *word = option_value(options, "resource");
	const Resource *resource =
		word != NULL ? resource_find(word) : NULL;
	const char *name = get_rel_name(relid);
	InventoryTable *table;

	if (resource == NULL || name == NULL)
		return NULL;
	table = palloc0(sizeof(InventoryTable));
	table->relid = relid;
	table->serverid = serverid;
	table->schema = get_namespace_name(get_rel_namespace(relid));
	table->name = name;
	table->resource = resource;
	if (resource->id_option != NULL)
		table->id = option_value(options, resource->id_option);
	table->ignores_missing_fields = ignores_missing_fields(options, serverid);
	return table->schema != NULL ? table : NULL;
}

static int
compare_tables(const ListCell *a, const ListCell *b)
{
	const InventoryTable *table_a = lfirst(a);
	const InventoryTable *table_b = lfirst(b);
	int			schemas = strcmp(table_a->schema, table_b->schema);

	return schemas != 0 ? schemas : strcmp(table_a->name, table_b->name);
}

List *
inventory_tables(Oid serverid, Oid schema)
{
	Relation	rel = table_open(ForeignTableRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0,
										  NULL);
	HeapTuple	tuple;
	List	   *tables = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_table form = (Form_pg_foreign_table) GETSTRUCT(tuple);
		InventoryTable *table;

		if (OidIsValid(serverid) ? form->ftserver != serverid :
			get_rel_namespace(form->ftrelid) != schema)
			continue;
		table = make_table(form->ftrelid, form->ftserver,
						   stored_options(tuple, rel));
		if (table != NULL)
			tables = lappend(tables, table);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	list_sort(tables, compare_tables);
	return tables;
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

/*
 * NULL if the column is generated, or if neither its options nor its name
 * determine a field.
 */
static InventoryColumn *
make_column(HeapTuple tuple, const Resource *resource)
{
	Form_pg_attribute form = (Form_pg_attribute) GETSTRUCT(tuple);
	InventoryColumn *column = palloc0(sizeof(InventoryColumn));
	const ResourceColumn *entry;
	const char *value;
	bool		isnull;
	Datum		stored = SysCacheGetAttr(ATTNUM, tuple,
										 Anum_pg_attribute_attfdwoptions,
										 &isnull);
	List	   *options = isnull ? NIL : untransformRelOptions(stored);

	if (form->attgenerated != '\0')
		return NULL;
	column->attnum = form->attnum;
	column->name = pstrdup(NameStr(form->attname));
	column->type = format_type_be(form->atttypid);
	column->field = option_value(options, "field");
	column->path = option_value(options, "path");
	value = option_value(options, "value");
	column->human = value != NULL && strcmp(value, "human") == 0;
	entry = resource_column(resource, column->name);
	if (entry == NULL ||
		(column->field != NULL && strcmp(column->field, entry->field) != 0))
		return column->field != NULL ? column : NULL;
	column->field = entry->field;
	if (column->path == NULL)
		column->path = entry->path;
	if (value == NULL)
		column->human = entry->form == FORM_HUMAN;
	if (entry->about[0] != '\0' &&
		column->human == (entry->form == FORM_HUMAN) &&
		strcmp(column->path != NULL ? column->path : "",
			   entry->path != NULL ? entry->path : "") == 0)
		column->about = entry->about;
	return column;
}

/* Including dropped columns; 0 if the table has been dropped. */
static AttrNumber
number_of_columns(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	AttrNumber	natts = 0;

	if (HeapTupleIsValid(tuple))
	{
		natts = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;
		ReleaseSysCache(tuple);
	}
	return natts;
}

List *
inventory_columns(const InventoryTable *table)
{
	AttrNumber	natts = number_of_columns(table->relid);
	List	   *columns = NIL;

	for (AttrNumber attnum = 1; attnum <= natts; attnum++)
	{
		HeapTuple	tuple = SearchSysCacheAttNum(table->relid, attnum);
		InventoryColumn *column;

		if (!HeapTupleIsValid(tuple))
			continue;			/* dropped */
		column = make_column(tuple, table->resource);
		if (column != NULL)
			columns = lappend(columns, column);
		ReleaseSysCache(tuple);
	}
	return columns;
}
