/*
 * status.c
 *		hibob_fdw_status(): the state of each server, and hints to correct it.
 *
 * The requests are in status_probe.c.  An error of the probe is described by
 * the messages that a query would have raised.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "functions/inventory.h"
#include "functions/status.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "options/text_list.h"
#include "resources/resource.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

HIBOB_FUNCTION_INFO_V1(hibob_fdw_status);

/* The most columns that the detail lists. */
#define MAX_LISTED 20

typedef enum StatusColumn
{
	COLUMN_SERVER,
	COLUMN_STATUS,
	COLUMN_HTTP_STATUS,
	COLUMN_DETAIL,
	COLUMN_HINT,
	COLUMN_PEOPLE,
	COLUMN_ACTIVE,
	COLUMN_FORMER,
	COLUMN_UNREADABLE,
	COLUMN_LIMIT,
	COLUMN_REMAINING,
	COLUMN_RESET,
	COLUMN_LATENCY,
	COLUMN_CHECKED,
	COLUMN_CREDENTIALS,
	NCOLUMNS
} StatusColumn;

/* The texts of a row. */
typedef struct StatusText
{
	const char *status;
	StringInfoData detail;
	StringInfoData hint;
} StatusText;

/* A column that shows a field of employees. */
typedef struct PeopleColumn
{
	const char *name;			/* qualified with its table's name */
	const char *field;
	const char *category;		/* NULL: of a custom field */
	bool		needed;			/* by the function itself only */
} PeopleColumn;

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

static bool
has_field(const List *columns, const char *field)
{
	ListCell   *lc;

	foreach(lc, columns)
		if (strcmp(((PeopleColumn *) lfirst(lc))->field, field) == 0)
			return true;
	return false;
}

static List *
add_people_column(List *columns, const Resource *resource, const char *name,
				  const char *field, bool needed)
{
	PeopleColumn *column;

	if (strcmp(field, RESOURCE_WHOLE_ROW) == 0)
		return columns;
	column = palloc(sizeof(PeopleColumn));
	column->name = name;
	column->field = field;
	column->category = resource_category(resource, field);
	column->needed = needed;
	return lappend(columns, column);
}

static bool
may_read(const InventoryTable *table)
{
	bool		missing = false;

	return pg_class_aclcheck_ext(table->relid, GetUserId(), ACL_SELECT,
								 &missing) == ACLCHECK_OK && !missing;
}

/*
 * The columns of the foreign tables for employees that the role may read,
 * except tables where missing fields are ignored.
 */
static List *
table_columns(Oid serverid)
{
	List	   *columns = NIL;
	ListCell   *table_cell;

	foreach(table_cell, inventory_tables(serverid, InvalidOid))
	{
		const InventoryTable *table = lfirst(table_cell);
		const char *name = quote_qualified_identifier(table->schema,
													  table->name);
		ListCell   *lc;

		if (table->resource->form != ROW_EMPLOYEE ||
			table->ignores_missing_fields || !may_read(table))
			continue;
		foreach(lc, inventory_columns(table))
		{
			const InventoryColumn *column = lfirst(lc);

			columns = add_people_column(
				columns, table->resource,
				psprintf("%s.%s", name, quote_identifier(column->name)),
				column->field, false);
		}
	}
	return columns;
}

/* The columns that IMPORT would create. */
static List *
resource_columns(void)
{
	const Resource *resource = resource_find(RESOURCE_PEOPLE);
	List	   *columns = NIL;

	for (int i = 0; i < resource->ncolumns; i++)
		columns = add_people_column(columns, resource,
									psprintf("%s.%s", resource->name,
											 resource->columns[i].name),
									resource->columns[i].field, false);
	return columns;
}

/*
 * The columns whose fields the probe requests: those of the role's tables, or
 * of the resource if there are none, and those that identify former employees.
 */
static List *
people_columns(Oid serverid)
{
	const Resource *resource = resource_find(RESOURCE_PEOPLE);
	List	   *columns = table_columns(serverid);

	if (columns == NIL)
		return resource_columns();
	for (int i = 0; i < resource->ncolumns; i++)
	{
		const char *field = resource->columns[i].field;

		if ((strcmp(field, RESOURCE_FIELD_STATUS) == 0 ||
			 strcmp(field, STATUS_FIELD_TERMINATION) == 0) &&
			!has_field(columns, field))
			columns = add_people_column(columns, resource,
										psprintf("%s.%s", resource->name,
												 resource->columns[i].name),
										field, true);
	}
	return columns;
}

static List *
column_fields(const List *columns)
{
	List	   *fields = NIL;
	ListCell   *lc;

	foreach(lc, columns)
		fields = lappend(fields,
						 unconstify(char *,
									((PeopleColumn *) lfirst(lc))->field));
	return fields;
}

/* ------------------------------------------------------------------------
 * Texts
 * ------------------------------------------------------------------------
 */

/* Adds a sentence; a message gets a capital letter and a period. */
static void
add_sentence(StringInfo text, const char *sentence)
{
	int			start;

	if (sentence == NULL || sentence[0] == '\0')
		return;
	if (text->len > 0)
		appendStringInfoChar(text, ' ');
	start = text->len;
	appendStringInfoString(text, sentence);
	text->data[start] = pg_ascii_toupper((unsigned char) text->data[start]);
	if (strchr(".;", text->data[text->len - 1]) == NULL)
		appendStringInfoChar(text, '.');
}

/*
 * A web page, a redirect, a text that is not JSON and a 5xx count as
 * unreachable, too: no row can be read.
 */
static const char *
status_of_error(const StatusFindings *findings)
{
	if (findings->error->sqlerrcode == ERRCODE_INSUFFICIENT_RESOURCES)
		return "unreachable";	/* no descriptor left for a connection */
	if (!findings->configured)
		return "not configured";
	switch (findings->error->sqlerrcode)
	{
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
			return "invalid credentials";
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return "forbidden";
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:
			return "rate limited";
		default:
			return "unreachable";
	}
}

static void
describe_error(StatusText *text, const ForeignServer *server,
			const StatusFindings *findings)
{
	const ErrorData *error = findings->error;

	text->status = status_of_error(findings);
	add_sentence(&text->detail, error->message);
	add_sentence(&text->detail, error->detail);
	if (error->hint != NULL)
		add_sentence(&text->hint, error->hint);
	else if (error->sqlerrcode == ERRCODE_UNDEFINED_OBJECT)
	{
		const char *role = GetUserNameFromId(GetUserId(), false);

		appendStringInfo(&text->hint,
						 "CREATE USER MAPPING FOR %s SERVER %s OPTIONS (service_user_id 'SERVICE-...', token '...');",
						 quote_identifier(role),
						 quote_identifier(server->servername));
	}
	else if (strcmp(text->status, "unreachable") == 0)
		appendStringInfo(&text->hint,
						 "The response may not come from HiBob. Check base_url of server \"%s\", and the proxy if there is one.",
						 server->servername);
}

/*
 * The names of columns that stay empty: because their category cannot be read,
 * or because only their field is missing.  NULL if there are none.
 */
static char *
empty_columns(const List *columns, const StatusFindings *findings,
			  bool by_category)
{
	StringInfoData text;
	int			n = 0;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, columns)
	{
		const PeopleColumn *column = lfirst(lc);
		bool		unreadable = column->category != NULL &&
			text_list_has(findings->unreadable, column->category);

		if (by_category ? !unreadable || column->needed :
			unreadable || !text_list_has(findings->hidden, column->field))
			continue;
		if (n++ < MAX_LISTED)
			appendStringInfo(&text, "%s%s", n > 1 ? ", " : "", column->name);
	}
	if (n > MAX_LISTED)
		appendStringInfo(&text, " and %d more", n - MAX_LISTED);
	return n > 0 ? text.data : NULL;
}

static void
describe_categories(StatusText *text, const StatusFindings *findings,
					const List *columns)
{
	StringInfoData names;
	const char *empty;
	ListCell   *lc;

	if (findings->unreadable == NIL)
		return;
	initStringInfo(&names);
	foreach(lc, findings->unreadable)
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "",
						 (char *) lfirst(lc));
	empty = empty_columns(columns, findings, true);
	if (empty == NULL)
		empty = empty_columns(resource_columns(), findings, true);
	text->status = "degraded";
	add_sentence(&text->detail,
				 psprintf("HiBob returns no field of the categories %s, so these columns stay empty: %s",
						  names.data, empty));
	add_sentence(&text->hint,
				 psprintf("In HiBob, give the permission group of the service user view access to the categories %s",
						  names.data));
}

/* Fields that are missing although others of their category are present. */
static void
describe_fields(StatusText *text, const StatusFindings *findings,
				const List *columns)
{
	const char *empty = empty_columns(columns, findings, false);

	if (empty == NULL)
		return;
	text->status = "degraded";
	add_sentence(&text->detail,
				 psprintf("HiBob returns the fields of these columns for no employee, so they stay empty: %s",
						  empty));
	add_sentence(&text->hint,
				 "In HiBob, give the permission group of the service user view access to these fields, or correct the column option \"field\" where the account has no such field");
}

/*
 * HiBob omits employees outside of "Access data for"; that of a new group
 * includes only employed ones.
 */
static void
describe_people(StatusText *text, const StatusFindings *findings)
{
	if (findings->people == 0)
	{
		text->status = "degraded";
		add_sentence(&text->detail,
					 "HiBob returns no employee to the service user");
		add_sentence(&text->hint,
					 psprintf("In HiBob, put the service user into a permission group that has view access to %s, and whose \"Access data for\" is everyone",
							  resource_find(RESOURCE_PEOPLE)->permission));
	}
	else if (findings->former == 0)
	{
		text->status = "degraded";
		add_sentence(&text->detail,
					 "HiBob returns no former employee to the service user");
		add_sentence(&text->hint,
					 "In HiBob, widen \"Access data for\" of the permission group of the service user: remove the condition Lifecycle status = Employed. If nobody has left the company yet, there is nothing to do");
	}
}

static void
init_text(StatusText *text, const char *status)
{
	text->status = status;
	initStringInfo(&text->detail);
	initStringInfo(&text->hint);
}

static void
describe_findings(StatusText *text, const ForeignServer *server,
				  const StatusFindings *findings, const List *columns)
{
	init_text(text, "healthy");
	if (findings->error != NULL)
		describe_error(text, server, findings);
	else
	{
		describe_categories(text, findings, columns);
		describe_fields(text, findings, columns);
		describe_people(text, findings);
	}
}

/* A role without USAGE makes no request. */
static void
describe_no_usage(StatusText *text, const ForeignServer *server)
{
	init_text(text, "not permitted");
	add_sentence(&text->detail,
				 psprintf(_("permission denied for foreign server %s"),
						  server->servername));
	appendStringInfo(&text->hint,
					 "GRANT USAGE ON FOREIGN SERVER %s TO %s;",
					 quote_identifier(server->servername),
					 quote_identifier(GetUserNameFromId(GetUserId(), false)));
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

/* A row of the result. */
typedef struct Row
{
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS];
} Row;

static void
put(Row *row, StatusColumn column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

static void
put_text(Row *row, StatusColumn column, const char *text)
{
	if (text[0] != '\0')
		put(row, column, CStringGetTextDatum(text));
}

/* A negative number is unknown. */
static void
put_count(Row *row, StatusColumn column, int64 count)
{
	if (count >= 0)
		put(row, column, Int64GetDatum(count));
}

static void
put_number(Row *row, StatusColumn column, int number)
{
	if (number >= 0)
		put(row, column, Int32GetDatum(number));
}

static Datum
text_array(const List *texts)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(texts), 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, texts)
		elements[n++] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* After the window of a rate limit has passed, only its size is valid. */
static void
put_limit(Row *row, const RateLimit *limit)
{
	if (!limit->known)
		return;
	put_number(row, COLUMN_LIMIT, limit->limit);
	if (limit->reset != 0 && limit->reset <= GetCurrentTimestamp())
		return;
	put_number(row, COLUMN_REMAINING, limit->remaining);
	if (limit->reset != 0)
		put(row, COLUMN_RESET, TimestampTzGetDatum(limit->reset));
}

static void
put_findings(Row *row, const StatusFindings *findings)
{
	if (findings->http_status != 0)
		put_number(row, COLUMN_HTTP_STATUS, findings->http_status);
	if (findings->error == NULL)
	{
		put_count(row, COLUMN_PEOPLE, findings->people);
		put_count(row, COLUMN_ACTIVE, findings->active);
		put_count(row, COLUMN_FORMER, findings->former);
	}
	if (findings->error == NULL && findings->people > 0)
		put(row, COLUMN_UNREADABLE, text_array(findings->unreadable));
	put_limit(row, &findings->limit);
	if (findings->credentials != NULL)
		put_text(row, COLUMN_CREDENTIALS, findings->credentials);
	if (findings->latency >= 0)
	{
		Interval   *latency = palloc0(sizeof(Interval));

		latency->time = (TimeOffset) (findings->latency * 1000);
		put(row, COLUMN_LATENCY, IntervalPGetDatum(latency));
	}
}

static void
put_server(ReturnSetInfo *result, const ForeignServer *server)
{
	StatusFindings *findings = NULL;
	StatusText	text;
	Row			row;
	NameData	name;

	memset(row.nulls, true, sizeof(row.nulls));
	if (inventory_may_use(server))
	{
		List	   *columns = people_columns(server->serverid);

		findings = status_probe(server, column_fields(columns));
		describe_findings(&text, server, findings, columns);
		put_findings(&row, findings);
	}
	else
		describe_no_usage(&text, server);
	namestrcpy(&name, server->servername);
	put(&row, COLUMN_SERVER, NameGetDatum(&name));
	put_text(&row, COLUMN_STATUS, text.status);
	put_text(&row, COLUMN_DETAIL, text.detail.data);
	put_text(&row, COLUMN_HINT, text.hint.data);
	put(&row, COLUMN_CHECKED, TimestampTzGetDatum(GetCurrentTimestamp()));
	tuplestore_putvalues(result->setResult, result->setDesc, row.values,
						 row.nulls);
}

/* ------------------------------------------------------------------------
 * The function
 * ------------------------------------------------------------------------
 */

/*
 * hibob_fdw_status(server name) returns setof record
 *
 * A row for the server, or for every server of the extension if it is null.
 */
Datum
hibob_fdw_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			function = fcinfo->flinfo->fn_oid;
	ListCell   *lc;

	hibob_init_materialized_srf(fcinfo);
	if (!PG_ARGISNULL(0))
	{
		put_server(result,
				   inventory_usable_server(function,
										   NameStr(*PG_GETARG_NAME(0))));
		return (Datum) 0;
	}
	foreach(lc, inventory_servers(function))
	{
		const ForeignServer *server = lfirst(lc);

		/* It may have been dropped during the requests to other servers. */
		if (GetForeignServerExtended(server->serverid,
									 FSV_MISSING_OK) != NULL)
			put_server(result, server);
	}
	return (Datum) 0;
}
