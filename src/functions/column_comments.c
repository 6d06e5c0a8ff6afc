/*
 * column_comments.c
 *		hibob_fdw_comment_columns(): what HiBob says of tables and columns, as
 *		their comments.
 *
 * The catalogue and the account's metadata say what is what.  Every comment
 * has words in it by which it is known again later: what has other words is
 * somebody's own, and stays.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/comment.h"
#include "compat.h"
#include "fmgr.h"
#include "functions/inventory.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "options/naming.h"
#include "remote/metadata.h"
#include "utils/builtins.h"

HIBOB_FUNCTION_INFO_V1(hibob_fdw_comment_columns);

/* The words that make a comment ours. */
#define COLUMN_WORDS "; HiBob field "
#define TABLE_WORDS "; HiBob resource "

/* What a server's account says of itself; each is asked for once. */
typedef struct Account
{
	Oid			serverid;
	bool		has_server;		/* of the extension; */
	bool		has_fields;		/* and once they were read: */
	bool		has_tables;
	List	   *fields;			/* of MetadataField */
	List	   *tables;			/* of MetadataTable */
} Account;

/* ------------------------------------------------------------------------
 * The account
 * ------------------------------------------------------------------------
 */

static Account *
account_of(List **accounts, Oid serverid, Oid function)
{
	Account    *account;
	ListCell   *lc;

	foreach(lc, *accounts)
	{
		account = lfirst(lc);
		if (account->serverid == serverid)
			return account;
	}
	account = palloc0(sizeof(Account));
	account->serverid = serverid;
	account->has_server = inventory_has_server(function,
											   GetForeignServer(serverid));
	*accounts = lappend(*accounts, account);
	return account;
}

static const MetadataField *
find_field(const List *fields, const char *id)
{
	ListCell   *lc;

	foreach(lc, fields)
		if (strcmp(((MetadataField *) lfirst(lc))->id, id) == 0)
			return lfirst(lc);
	return NULL;
}

static const MetadataTable *
find_table(const Account *account, const char *id)
{
	ListCell   *lc;

	foreach(lc, account->tables)
		if (strcmp(((MetadataTable *) lfirst(lc))->id, id) == 0)
			return lfirst(lc);
	return NULL;
}

/*
 * Reads the metadata that a table's columns need, before the table is locked:
 * people have the account's fields, and so do the custom columns of HiBob's
 * own tables.
 */
static void
read_metadata(Account *account, const InventoryTable *table)
{
	const Resource *resource = table->resource;

	if (resource->form == ROW_EMPLOYEE || resource->custom_columns != NULL)
	{
		if (!account->has_fields)
			account->fields = metadata_fields(account->serverid);
		account->has_fields = true;
	}
	else if (table->id != NULL && resource->form != ROW_CSV)
	{
		if (!account->has_tables)
			account->tables = metadata_custom_tables(account->serverid);
		account->has_tables = true;
	}
}

/* What the metadata says of a table's field, which is in UTF-8; or NULL. */
static const MetadataField *
metadata_of(const Account *account, const InventoryTable *table,
			const MetadataTable *custom, const char *field)
{
	const Resource *resource = table->resource;
	size_t		length = strlen(RESOURCE_CUSTOM_COLUMNS);

	if (resource->form == ROW_EMPLOYEE)
		return find_field(account->fields, field);
	if (custom != NULL)
		return find_field(custom->columns, field);
	if (resource->custom_columns != NULL &&
		strncmp(field, RESOURCE_CUSTOM_COLUMNS, length) == 0)
		return find_field(account->fields,
						  psprintf("%s%s", resource->custom_columns,
								   field + length));
	return NULL;
}

/* ------------------------------------------------------------------------
 * Texts
 * ------------------------------------------------------------------------
 */

/* NULL where there is none, or the database's encoding has no such letters. */
static char *
to_server(const char *text)
{
	return text == NULL ? NULL : naming_to_server(text);
}

static char *
to_utf8(const char *text)
{
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

/* A column's name, as words. */
static char *
words_of(const char *name)
{
	char	   *words = pstrdup(name);

	for (char *c = words; *c != '\0'; c++)
		if (*c == '_')
			*c = ' ';
	words[0] = pg_ascii_toupper((unsigned char) words[0]);
	return words;
}

/*
 * Job title; HiBob field work.title (category Work), list title
 *
 * What the metadata does not know has the names and types of SQL.
 */
static char *
column_text(const InventoryTable *table, const InventoryColumn *column,
			const MetadataField *field)
{
	char	   *name = field != NULL ? to_server(field->name) : NULL;
	const char *category = field != NULL ? to_server(field->category) : NULL;
	StringInfoData text;

	if (category == NULL)
		category = resource_category(table->resource, column->field);
	initStringInfo(&text);
	appendStringInfo(&text, "%s%s%s",
					 name != NULL ? name : words_of(column->name),
					 COLUMN_WORDS, column->field);
	if (category != NULL)
		appendStringInfo(&text, " (category %s)", category);
	appendStringInfo(&text, ", %s", field != NULL ? field->type :
					 column->type);
	if (field != NULL && to_server(field->list) != NULL)
		appendStringInfo(&text, " %s", to_server(field->list));
	if (column->path != NULL)
		appendStringInfo(&text, ", its %s", column->path);
	return text.data;
}

/*
 * One row an employee, former and future ones included; HiBob resource people
 */
static char *
table_text(const InventoryTable *table, const MetadataTable *custom)
{
	char	   *name = custom != NULL ? to_server(custom->name) : NULL;
	char	   *about = name != NULL ? name : pstrdup(table->resource->about);
	size_t		length = strlen(about);

	if (name == NULL && length > 0 && about[length - 1] == '.')
		about[length - 1] = '\0';
	return psprintf("%s%s%s%s%s", about, TABLE_WORDS, table->resource->name,
					table->id != NULL ? " " : "",
					table->id != NULL ? table->id : "");
}

/* ------------------------------------------------------------------------
 * Comments
 * ------------------------------------------------------------------------
 */

/*
 * Comments a column, or with 0 the table, unless somebody else has.  Returns
 * whether it has our comment now.
 */
static bool
set_comment(Oid relid, AttrNumber attnum, const char *text, const char *words)
{
	char	   *present = GetComment(relid, RelationRelationId, attnum);

	if (present != NULL && strstr(present, words) == NULL)
		return false;
	if (present == NULL || strcmp(present, text) != 0)
		CreateComments(relid, RelationRelationId, attnum, text);
	return true;
}

static int
comment_columns(const Account *account, const InventoryTable *table,
				const MetadataTable *custom)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, inventory_columns(table))
	{
		const InventoryColumn *column = lfirst(lc);
		const MetadataField *field = metadata_of(account, table, custom,
												 to_utf8(column->field));

		CHECK_FOR_INTERRUPTS();
		if (set_comment(table->relid, column->attnum,
						column_text(table, column, field), COLUMN_WORDS))
			n++;
	}
	return n;
}

/* Locks it as COMMENT does.  False if it is gone, or no longer the role's. */
static bool
lock_table(const InventoryTable *table)
{
	Relation	rel = try_relation_open(table->relid,
										ShareUpdateExclusiveLock);

	if (rel == NULL)
		return false;
	relation_close(rel, NoLock);
	return hibob_owns_table(table->relid, GetUserId());
}

static int
comment_table(Account *account, const InventoryTable *table)
{
	const MetadataTable *custom = NULL;

	read_metadata(account, table);
	if (!lock_table(table))
		return 0;
	if (table->id != NULL)
		custom = find_table(account, to_utf8(table->id));
	(void) set_comment(table->relid, 0, table_text(table, custom),
					   TABLE_WORDS);
	return comment_columns(account, table, custom);
}

/*
 * hibob_fdw_comment_columns(schema name) returns integer
 *
 * Comments the extension's foreign tables in a schema that the role owns, and
 * their columns; returns how many columns have such a comment now.
 */
Datum
hibob_fdw_comment_columns(PG_FUNCTION_ARGS)
{
	Oid			schema = LookupExplicitNamespace(NameStr(*PG_GETARG_NAME(0)),
												 false);
	List	   *accounts = NIL;
	int32		n = 0;
	ListCell   *lc;

	PreventCommandIfReadOnly("hibob_fdw_comment_columns()");
	foreach(lc, inventory_tables(InvalidOid, schema))
	{
		const InventoryTable *table = lfirst(lc);
		Account    *account = account_of(&accounts, table->serverid,
										 fcinfo->flinfo->fn_oid);

		if (account->has_server &&
			hibob_owns_table(table->relid, GetUserId()))
			n += comment_table(account, table);
	}
	PG_RETURN_INT32(n);
}
