/*
 * connections.c
 *		hibob_fdw_get_connections(), hibob_fdw_disconnect() and
 *		hibob_fdw_disconnect_all(): lists and closes the session's connections.
 *
 * The result has neither credentials nor addresses.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "remote/result_cache.h"
#include "session/connection.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

HIBOB_FUNCTION_INFO_V1(hibob_fdw_get_connections);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_disconnect);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_disconnect_all);

#define NCOLUMNS 6

/*
 * hibob_fdw_get_connections() returns setof record
 *
 * A row for each connection of the session: server and role of the user mapping,
 * whether they have not been altered since, the number of open channels and of
 * those in use, and the time until which rejected credentials are not sent
 * again, null if they were not rejected.
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
		Datum		values[NCOLUMNS];
		bool		nulls[NCOLUMNS] = {false};

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

/* Whether at least one was closed; warns about those in use. */
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
