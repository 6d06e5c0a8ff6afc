/*
 * session.c
 *		SQL functions for the state of a session: hibob_fdw_get_connections(),
 *		hibob_fdw_disconnect() and the like for its connections, and
 *		hibob_fdw_statistics() and the like for the statistics of requests, of
 *		the session and of all sessions.
 *
 * The results have neither credentials nor addresses.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "compat.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "remote/result_cache.h"
#include "session/connection.h"
#include "session/stats.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

HIBOB_FUNCTION_INFO_V1(hibob_fdw_get_connections);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_disconnect);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_disconnect_all);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_statistics);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_statistics_reset);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_cluster_statistics);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_cluster_statistics_reset);

/* Columns of a connection, and those that both kinds of statistics have. */
#define NCONNECTION_COLUMNS 6
#define NFIGURES 13

/* ------------------------------------------------------------------------
 * Connections
 * ------------------------------------------------------------------------
 */

/*
 * hibob_fdw_get_connections() returns setof record
 *
 * A row for each connection of the session: server and role of the user
 * mapping, whether they have not been altered since, the number of open
 * channels and of those in use, and the time until which rejected credentials
 * are not sent again, null if they were not rejected.
 */
Datum
hibob_fdw_get_connections(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	hibob_init_materialized_srf(fcinfo);
	foreach(lc, connection_list())
	{
		ConnectionInfo *info = lfirst(lc);
		Datum		values[NCONNECTION_COLUMNS];
		bool		nulls[NCONNECTION_COLUMNS] = {false};

		values[0] = DirectFunctionCall1(namein,
										CStringGetDatum(info->server_name));
		values[1] = DirectFunctionCall1(namein,
										CStringGetDatum(info->user_name));
		values[2] = BoolGetDatum(info->valid);
		values[3] = Int32GetDatum(info->idle + info->acquired);
		values[4] = Int32GetDatum(info->acquired);
		values[5] = TimestampTzGetDatum(info->rejected_until);
		nulls[5] = info->rejected_until == 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

/* Whether at least one connection was closed; warns about those in use. */
static bool
close_connections(const char *server_name)
{
	int			in_use;
	int			closed = connection_close(server_name, &in_use);

	if (in_use > 0)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg_plural("%d connection to HiBob is still in use and was not closed",
							   "%d connections to HiBob are still in use and were not closed",
							   in_use, in_use)));
	return closed > 0;
}

/*
 * hibob_fdw_disconnect(server name) returns boolean
 *
 * Closes the session's connections of a server and discards its cached results.
 * True if at least one was closed.  An error if there is no such server.
 */
Datum
hibob_fdw_disconnect(PG_FUNCTION_ARGS)
{
	ForeignServer *server =
		GetForeignServerByName(NameStr(*PG_GETARG_NAME(0)), false);

	cache_forget(server->serverid);
	PG_RETURN_BOOL(close_connections(server->servername));
}

/*
 * hibob_fdw_disconnect_all() returns boolean
 *
 * The same for all servers.
 */
Datum
hibob_fdw_disconnect_all(PG_FUNCTION_ARGS)
{
	cache_forget(InvalidOid);
	PG_RETURN_BOOL(close_connections(NULL));
}

/* ------------------------------------------------------------------------
 * Statistics
 * ------------------------------------------------------------------------
 */

/* The columns that both functions have, from "values" on. */
static void
put_figures(Datum *values, bool *nulls, const NameData *server,
			const char *endpoint, const StatsFigures *figures,
			TimestampTz since)
{
	Interval   *wait = palloc0(sizeof(Interval));

	wait->time = Max(figures->wait_ms, 0) * INT64CONST(1000);
	values[0] = NameGetDatum(server);
	values[1] = CStringGetTextDatum(endpoint);
	values[2] = Int64GetDatum(figures->requests);
	values[3] = Int64GetDatum(figures->rows);
	values[4] = Int64GetDatum(figures->bytes);
	values[5] = Int64GetDatum(figures->retries);
	values[6] = Int64GetDatum(figures->waits);
	values[7] = IntervalPGetDatum(wait);
	values[8] = Int64GetDatum(figures->errors);
	values[9] = CStringGetTextDatum(figures->last_error);
	nulls[9] = figures->last_error[0] == '\0';
	values[10] = TimestampTzGetDatum(figures->last_failure);
	nulls[10] = figures->last_failure == 0;
	values[11] = TimestampTzGetDatum(figures->last_success);
	nulls[11] = figures->last_success == 0;
	values[12] = TimestampTzGetDatum(since);
}

/* Whether nothing was counted, or nothing since the last reset. */
static bool
is_empty(const StatsFigures *figures)
{
	return figures->requests == 0 && figures->rows == 0 && figures->errors == 0;
}

/*
 * hibob_fdw_statistics() returns setof record
 *
 * A row for each server and endpoint that this session sent requests to: name,
 * text, counts as bigint, the time slept for the rate limit as interval, the
 * last error as text, times as timestamptz.
 */
Datum
hibob_fdw_statistics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	hibob_init_materialized_srf(fcinfo);
	foreach(lc, stats_list())
	{
		const StatsEntry *entry = lfirst(lc);
		StatsFigures figures = stats_figures(entry);
		Datum		values[NFIGURES];
		bool		nulls[NFIGURES] = {false};

		if (is_empty(&figures))
			continue;
		put_figures(values, nulls, &entry->server, entry->key.endpoint,
					&figures, entry->since);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * hibob_fdw_statistics_reset() returns void
 *
 * Resets the statistics of this session.
 */
Datum
hibob_fdw_statistics_reset(PG_FUNCTION_ARGS)
{
	stats_reset();
	PG_RETURN_VOID();
}

/*
 * A server name of another database may be in another encoding.  If it is not
 * valid in this one, question marks replace its non-ASCII bytes.
 */
static void
replace_invalid(NameData *name)
{
	if (pg_verifymbstr(NameStr(*name), (int) strlen(NameStr(*name)), true))
		return;
	for (char *c = NameStr(*name); *c != '\0'; c++)
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
}

static void
require_cluster(void)
{
	if (!stats_cluster_exists())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("statistics of all sessions are not available"),
				 errhint("Add hibob_fdw to shared_preload_libraries and restart the server. The view hibob_fdw_statistics shows the requests of this session.")));
}

/*
 * hibob_fdw_cluster_statistics() returns setof record
 *
 * The same for all sessions since the server started, with the database as
 * name in front, null if it was dropped.  Raises an error if the library was
 * not loaded at the server's start.
 */
Datum
hibob_fdw_cluster_statistics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ClusterStatsEntry *copies;
	int			n;

	require_cluster();
	hibob_init_materialized_srf(fcinfo);
	copies = stats_cluster_copy(&n);
	for (int i = 0; i < n; i++)
	{
		ClusterStatsEntry *entry = &copies[i];
		const char *database = get_database_name(entry->key.database);
		Datum		values[1 + NFIGURES];
		bool		nulls[1 + NFIGURES] = {false};

		values[0] = database == NULL ? (Datum) 0 :
			DirectFunctionCall1(namein, CStringGetDatum(database));
		nulls[0] = database == NULL;
		replace_invalid(&entry->server);
		put_figures(values + 1, nulls + 1, &entry->server,
					entry->key.endpoint.endpoint, &entry->figures,
					entry->since);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * hibob_fdw_cluster_statistics_reset() returns void
 *
 * Resets the statistics of all sessions, but not each session's own statistics.
 */
Datum
hibob_fdw_cluster_statistics_reset(PG_FUNCTION_ARGS)
{
	require_cluster();
	stats_cluster_reset();
	PG_RETURN_VOID();
}
