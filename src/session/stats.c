/*
 * stats.c
 *		What the session's requests came to, and the views that show it.
 *
 * Figures belong to the session, not to a transaction: a rollback takes no
 * request back.  They are told to the cluster, where that adds up, with the end
 * of an answer, and with the end of the transaction what is left.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "session/stats.h"
#include "session/stats_cluster.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

HIBOB_FUNCTION_INFO_V1(hibob_fdw_statistics);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_statistics_reset);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_cluster_statistics);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_cluster_statistics_reset);

static HTAB *entries = NULL;

/* ------------------------------------------------------------------------
 * Counting
 * ------------------------------------------------------------------------
 */

/* All figures of an entry. */
static StatsFigures
figures_of(const StatsEntry *entry)
{
	StatsFigures figures = entry->figures;

	figures.requests = (int64) entry->counters.requests;
	figures.bytes = (int64) entry->counters.bytes_received;
	figures.retries = (int64) entry->counters.retries;
	figures.waits = (int64) entry->counters.rate_limit_waits;
	figures.wait_ms = entry->counters.rate_limit_wait;
	return figures;
}

/* What came since the cluster was told. */
static StatsFigures
news_of(const StatsEntry *entry)
{
	StatsFigures news = figures_of(entry);

	news.requests -= entry->told.requests;
	news.rows -= entry->told.rows;
	news.bytes -= entry->told.bytes;
	news.retries -= entry->told.retries;
	news.waits -= entry->told.waits;
	news.wait_ms -= entry->told.wait_ms;
	news.errors -= entry->told.errors;
	return news;
}

static void
tell_cluster(StatsEntry *entry)
{
	StatsFigures news = news_of(entry);

	if (!stats_cluster_is_there() ||
		(news.requests == 0 && news.rows == 0 && news.bytes == 0 &&
		 news.wait_ms == 0 && news.errors == 0 &&
		 news.last_success == entry->told.last_success))
		return;
	stats_cluster_add(entry, &news);
	entry->told = figures_of(entry);
}

static void
tell_all(void)
{
	HASH_SEQ_STATUS seq;
	StatsEntry *entry;

	hash_seq_init(&seq, entries);
	while ((entry = hash_seq_search(&seq)) != NULL)
		tell_cluster(entry);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		tell_all();
}

static void
make_table(void)
{
	HASHCTL		ctl;

	ctl.keysize = sizeof(StatsKey);
	ctl.entrysize = sizeof(StatsEntry);
	entries = hash_create("hibob_fdw statistics", 32, &ctl,
						  HASH_ELEM | HASH_BLOBS);
	RegisterXactCallback(at_transaction_end, NULL);
}

StatsEntry *
stats_entry(Oid serverid, const char *server, const char *method,
			const char *path)
{
	StatsKey	key;
	StatsEntry *entry;
	bool		found;

	if (entries == NULL)
		make_table();
	memset(&key, 0, sizeof(key));
	key.serverid = serverid;
	snprintf(key.endpoint, sizeof(key.endpoint), "%s %s", method, path);
	entry = hash_search(entries, &key, HASH_ENTER, &found);
	if (!found)
	{
		memset(entry, 0, sizeof(StatsEntry));
		entry->key = key;
		entry->since = GetCurrentTimestamp();
	}
	namestrcpy(&entry->server, server);
	return entry;
}

void
stats_note_success(StatsEntry *entry)
{
	entry->figures.last_success = GetCurrentTimestamp();
	tell_cluster(entry);
}

void
stats_note_error(StatsEntry *entry, const char *words)
{
	entry->figures.errors++;
	entry->figures.last_failure = GetCurrentTimestamp();
	snprintf(entry->figures.last_error, STATS_ERROR_SIZE, "%s", words);
}

/* ------------------------------------------------------------------------
 * Showing
 * ------------------------------------------------------------------------
 */

#define NFIGURES 13

/* The columns that both views have; they start with "values". */
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

/* Nothing has happened, or not since it was reset. */
static bool
is_blank(const StatsFigures *figures)
{
	return figures->requests == 0 && figures->rows == 0 && figures->errors == 0;
}

/*
 * hibob_fdw_statistics() returns setof record
 *
 * A row for each server and endpoint that this session has asked: name, text,
 * counts as bigint, the time slept for the rate limit as interval, the last
 * error as text, times as timestamptz.
 */
Datum
hibob_fdw_statistics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	HASH_SEQ_STATUS seq;
	StatsEntry *entry;

	hibob_init_materialized_srf(fcinfo);
	if (entries == NULL)
		return (Datum) 0;
	hash_seq_init(&seq, entries);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		StatsFigures figures = figures_of(entry);
		Datum		values[NFIGURES];
		bool		nulls[NFIGURES] = {false};

		if (is_blank(&figures))
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
 * Starts anew in this session.  An entry stays: a cursor may be counting on it.
 */
Datum
hibob_fdw_statistics_reset(PG_FUNCTION_ARGS)
{
	HASH_SEQ_STATUS seq;
	StatsEntry *entry;

	if (entries == NULL)
		PG_RETURN_VOID();
	tell_all();
	hash_seq_init(&seq, entries);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		memset(&entry->counters, 0, sizeof(entry->counters));
		memset(&entry->figures, 0, sizeof(entry->figures));
		memset(&entry->told, 0, sizeof(entry->told));
		entry->since = GetCurrentTimestamp();
	}
	PG_RETURN_VOID();
}

/*
 * A name of another database may be in another encoding: what cannot be shown
 * in this one's becomes question marks.
 */
static void
make_legible(NameData *name)
{
	if (pg_verifymbstr(NameStr(*name), (int) strlen(NameStr(*name)), true))
		return;
	for (char *c = NameStr(*name); *c != '\0'; c++)
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
}

static void
need_cluster(void)
{
	if (!stats_cluster_is_there())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the requests of all sessions are not counted"),
				 errhint("Add hibob_fdw to shared_preload_libraries and restart the server. The view hibob_fdw_statistics shows the requests of this session.")));
}

/*
 * hibob_fdw_cluster_statistics() returns setof record
 *
 * The same of all sessions since the server started, with the database as name
 * in front, null if it was dropped.  Raises an error if the library was not
 * loaded at the server's start.
 */
Datum
hibob_fdw_cluster_statistics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ClusterEntry *copies;
	int			n;

	need_cluster();
	hibob_init_materialized_srf(fcinfo);
	if (entries != NULL)
		tell_all();
	copies = stats_cluster_copy(&n);
	for (int i = 0; i < n; i++)
	{
		ClusterEntry *entry = &copies[i];
		const char *database = get_database_name(entry->key.database);
		Datum		values[1 + NFIGURES];
		bool		nulls[1 + NFIGURES] = {false};

		values[0] = database == NULL ? (Datum) 0 :
			DirectFunctionCall1(namein, CStringGetDatum(database));
		nulls[0] = database == NULL;
		make_legible(&entry->server);
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
 * Starts anew for all sessions; what this one counts for itself stays.
 */
Datum
hibob_fdw_cluster_statistics_reset(PG_FUNCTION_ARGS)
{
	need_cluster();
	if (entries != NULL)
		tell_all();
	stats_cluster_reset();
	PG_RETURN_VOID();
}
