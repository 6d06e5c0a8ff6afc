/*
 * status.c
 *		hibob_fdw_status(): how it stands with HiBob, a row a server.
 *
 * Says of each server in a word what came of the probe, and what to do about
 * it.  The words of an error are those that a query would have got.
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
#include "resources/resource.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

HIBOB_FUNCTION_INFO_V1(hibob_fdw_status);

/* So many columns are listed in the detail. */
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

/* A server in words. */
typedef struct Verdict
{
	const char *status;
	StringInfoData detail;
	StringInfoData hint;
} Verdict;

/* ------------------------------------------------------------------------
 * Words
 * ------------------------------------------------------------------------
 */

/* Adds a sentence; a message, which is none, gets its capital and full stop. */
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
 * A web page, a redirect, no JSON or a 5xx: somebody answered, but it was not
 * HiBob as we know it, and not one row can be read.
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
judge_error(Verdict *verdict, const ForeignServer *server,
			const StatusFindings *findings)
{
	const ErrorData *error = findings->error;

	verdict->status = status_of_error(findings);
	add_sentence(&verdict->detail, error->message);
	add_sentence(&verdict->detail, error->detail);
	if (error->hint != NULL)
		add_sentence(&verdict->hint, error->hint);
	else if (error->sqlerrcode == ERRCODE_UNDEFINED_OBJECT)
	{
		const char *role = GetUserNameFromId(GetUserId(), false);

		appendStringInfo(&verdict->hint,
						 "CREATE USER MAPPING FOR %s SERVER %s OPTIONS (service_user_id 'SERVICE-...', token '...');",
						 quote_identifier(role),
						 quote_identifier(server->servername));
	}
	else if (strcmp(verdict->status, "unreachable") == 0)
		appendStringInfo(&verdict->hint,
						 "Somebody other than HiBob may have answered. Check base_url of server \"%s\", and the proxy if there is one.",
						 server->servername);
}

static void
append_listed(StringInfo text, int *n, const char *column)
{
	if (*n < MAX_LISTED)
		appendStringInfo(text, "%s%s", *n > 0 ? ", " : "", column);
	(*n)++;
}

static bool
is_unreadable(const StatusFindings *findings, const Resource *resource,
			  const char *field)
{
	const char *category = resource_category(resource, field);
	ListCell   *lc;

	foreach(lc, findings->unreadable)
		if (category != NULL && strcmp(lfirst(lc), category) == 0)
			return true;
	return false;
}

/* The columns of a foreign table that are of such a category. */
static void
append_table(StringInfo text, int *n, const StatusFindings *findings,
			 const InventoryTable *table)
{
	const char *name = quote_qualified_identifier(table->schema, table->name);
	ListCell   *lc;

	foreach(lc, inventory_columns(table))
	{
		const InventoryColumn *column = lfirst(lc);

		if (is_unreadable(findings, table->resource, column->field))
			append_listed(text, n, psprintf("%s.%s", name,
											quote_identifier(column->name)));
	}
}

/* False, too, if it is gone. */
static bool
may_read(const InventoryTable *table)
{
	bool		missing = false;

	return pg_class_aclcheck_ext(table->relid, GetUserId(), ACL_SELECT,
								 &missing) == ACLCHECK_OK && !missing;
}

/* Those of the tables that the role may read; returns how many. */
static int
append_tables(StringInfo text, const StatusFindings *findings, Oid serverid)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, inventory_tables(serverid, InvalidOid))
	{
		const InventoryTable *table = lfirst(lc);

		if (table->resource->form == ROW_EMPLOYEE && may_read(table))
			append_table(text, &n, findings, table);
	}
	return n;
}

/* Those that a table would have. */
static int
append_catalog(StringInfo text, const StatusFindings *findings)
{
	const Resource *resource = resource_find(RESOURCE_PEOPLE);
	int			n = 0;

	for (int i = 0; i < resource->ncolumns; i++)
		if (is_unreadable(findings, resource, resource->columns[i].field))
			append_listed(text, &n,
						  psprintf("%s.%s", resource->name,
								   resource->columns[i].name));
	return n;
}

static void
judge_categories(Verdict *verdict, const StatusFindings *findings,
				 Oid serverid)
{
	StringInfoData names;
	StringInfoData columns;
	ListCell   *lc;
	int			n;

	if (findings->unreadable == NIL)
		return;
	initStringInfo(&names);
	foreach(lc, findings->unreadable)
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "",
						 (char *) lfirst(lc));
	initStringInfo(&columns);
	n = append_tables(&columns, findings, serverid);
	if (n == 0)
		n = append_catalog(&columns, findings);
	if (n > MAX_LISTED)
		appendStringInfo(&columns, " and %d more", n - MAX_LISTED);
	verdict->status = "degraded";
	add_sentence(&verdict->detail,
				 psprintf("HiBob shows nothing of the categories %s, so these columns stay empty: %s",
						  names.data, columns.data));
	add_sentence(&verdict->hint,
				 psprintf("In HiBob, give the permission group of the service user view access to the categories %s",
						  names.data));
}

/*
 * HiBob says nothing of people beyond "Access data for", which of a new group
 * is those employed.
 */
static void
judge_people(Verdict *verdict, const StatusFindings *findings)
{
	if (findings->people == 0)
	{
		verdict->status = "degraded";
		add_sentence(&verdict->detail,
					 "HiBob shows the service user no employee at all");
		add_sentence(&verdict->hint,
					 psprintf("In HiBob, put the service user into a permission group that has view access to %s, and whose \"Access data for\" is everyone",
							  resource_find(RESOURCE_PEOPLE)->permission));
	}
	else if (findings->former == 0)
	{
		verdict->status = "degraded";
		add_sentence(&verdict->detail,
					 "HiBob shows the service user no former employee");
		add_sentence(&verdict->hint,
					 "In HiBob, widen \"Access data for\" of the permission group of the service user: remove the condition Lifecycle status = Employed. If nobody has left the company yet, there is nothing to do");
	}
}

static void
judge(Verdict *verdict, const ForeignServer *server,
	  const StatusFindings *findings)
{
	initStringInfo(&verdict->detail);
	initStringInfo(&verdict->hint);
	verdict->status = "healthy";
	if (findings->error != NULL)
		judge_error(verdict, server, findings);
	else
	{
		judge_categories(verdict, findings, server->serverid);
		judge_people(verdict, findings);
	}
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

/* A row that is being put together. */
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

/* A number that is not negative, which stands for what is not known. */
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

/* Of a window that has passed only its size is still true. */
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
	StatusFindings *findings = status_probe(server);
	Verdict		verdict;
	Row			row;
	NameData	name;

	judge(&verdict, server, findings);
	memset(row.nulls, true, sizeof(row.nulls));
	namestrcpy(&name, server->servername);
	put(&row, COLUMN_SERVER, NameGetDatum(&name));
	put_text(&row, COLUMN_STATUS, verdict.status);
	put_text(&row, COLUMN_DETAIL, verdict.detail.data);
	put_text(&row, COLUMN_HINT, verdict.hint.data);
	put_findings(&row, findings);
	if (findings->credentials != NULL)
		put_text(&row, COLUMN_CREDENTIALS, findings->credentials);
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
 * A row for the server, or for each that the role may use if it is null.
 */
Datum
hibob_fdw_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			function = fcinfo->flinfo->fn_oid;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	if (!PG_ARGISNULL(0))
	{
		put_server(result, inventory_usable_server(function,
												   NameStr(*PG_GETARG_NAME(0))));
		return (Datum) 0;
	}
	foreach(lc, inventory_servers(function))
	{
		const ForeignServer *server = lfirst(lc);

		/* It may have gone while others were asked. */
		if (GetForeignServerExtended(server->serverid,
									 FSV_MISSING_OK) != NULL &&
			inventory_may_use(server))
			put_server(result, server);
	}
	return (Datum) 0;
}
