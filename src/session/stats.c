/*
 * stats.c
 *		Statistics of requests by server and endpoint, and the numbers of rows
 *		of foreign tables.
 *
 * Figures belong to the session, not to a transaction: a rollback does not
 * undo a request.  They are added to the cluster's when a response is
 * complete, and the rest at the end of the transaction.
 *
 * Those of the cluster are in shared memory, in a table of fixed size.
 *
 * This runs in the postmaster, too: it must not call libcurl.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "session/shared_table.h"
#include "session/stats.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/timestamp.h"

/* The most entries of a session; the last one is for all other endpoints. */
#define MAX_ENTRIES 1000

#define OTHER_ENDPOINTS "other endpoints"

static HTAB *entries = NULL;

static SharedTable cluster = {
	.name = "hibob_fdw statistics",
	.keysize = sizeof(ClusterStatsKey),
	.entrysize = sizeof(ClusterStatsEntry),
	.last_used = offsetof(ClusterStatsEntry, last_used),
};

/* ------------------------------------------------------------------------
 * The cluster's statistics
 * ------------------------------------------------------------------------
 */

static ClusterStatsEntry *
cluster_entry(const StatsEntry *entry)
{
	ClusterStatsKey key;
	ClusterStatsEntry *result;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.database = MyDatabaseId;
	key.endpoint = entry->key;
	result = shared_table_enter(&cluster, &key, &found);
	if (!found)
		result->since = GetCurrentTimestamp();
	result->server = entry->server;
	return result;
}

static void
add_figures(StatsFigures *sum, const StatsFigures *figures)
{
	sum->requests += figures->requests;
	sum->rows += figures->rows;
	sum->bytes += figures->bytes;
	sum->retries += figures->retries;
	sum->waits += figures->waits;
	sum->wait_ms += figures->wait_ms;
	sum->errors += figures->errors;
	sum->last_success = Max(sum->last_success, figures->last_success);
	if (figures->errors > 0 && figures->last_failure >= sum->last_failure)
	{
		sum->last_failure = figures->last_failure;
		memcpy(sum->last_error, figures->last_error, STATS_ERROR_SIZE);
	}
}

/* The figures since the last report. */
static StatsFigures
unreported_figures(const StatsEntry *entry)
{
	const StatsFigures *reported = &entry->reported;
	StatsFigures figures = stats_figures(entry);

	figures.requests -= reported->requests;
	figures.rows -= reported->rows;
	figures.bytes -= reported->bytes;
	figures.retries -= reported->retries;
	figures.waits -= reported->waits;
	figures.wait_ms -= reported->wait_ms;
	figures.errors -= reported->errors;
	return figures;
}

static void
report_entry(StatsEntry *entry)
{
	StatsFigures figures = unreported_figures(entry);

	if (!stats_cluster_exists() ||
		(figures.requests == 0 && figures.rows == 0 && figures.bytes == 0 &&
		 figures.wait_ms == 0 && figures.errors == 0 &&
		 figures.last_success == entry->reported.last_success))
		return;
	shared_table_lock(&cluster, LW_EXCLUSIVE);
	add_figures(&cluster_entry(entry)->figures, &figures);
	shared_table_unlock(&cluster);
	entry->reported = stats_figures(entry);
}

/* Adds all that the session has counted to the cluster's statistics. */
static void
report_all(void)
{
	HASH_SEQ_STATUS seq;
	StatsEntry *entry;

	if (entries == NULL)
		return;
	hash_seq_init(&seq, entries);
	while ((entry = hash_seq_search(&seq)) != NULL)
		report_entry(entry);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		report_all();
}

bool
stats_cluster_exists(void)
{
	return shared_table_exists(&cluster);
}

ClusterStatsEntry *
stats_cluster_copy(int *n)
{
	ClusterStatsEntry *copies =
		palloc(SHARED_TABLE_ENTRIES * sizeof(ClusterStatsEntry));
	HASH_SEQ_STATUS seq;
	ClusterStatsEntry *entry;

	report_all();
	*n = 0;
	shared_table_lock(&cluster, LW_SHARED);
	hash_seq_init(&seq, cluster.hash);
	while ((entry = hash_seq_search(&seq)) != NULL)
		copies[(*n)++] = *entry;
	shared_table_unlock(&cluster);
	return copies;
}

void
stats_cluster_reset(void)
{
	report_all();
	shared_table_lock(&cluster, LW_EXCLUSIVE);
	shared_table_clear(&cluster);
	shared_table_unlock(&cluster);
}

/* ------------------------------------------------------------------------
 * Numbers of rows
 * ------------------------------------------------------------------------
 */

#define MAX_ROW_COUNTS 256

typedef struct RowCount
{
	Oid			relid;			/* InvalidOid: unused */
	double		rows;
} RowCount;

/* The oldest entry makes room for a new one. */
static RowCount row_counts[MAX_ROW_COUNTS];
static int	next_row_count = 0;

static RowCount *
find_row_count(Oid relid)
{
	for (int i = 0; i < MAX_ROW_COUNTS; i++)
		if (row_counts[i].relid == relid)
			return &row_counts[i];
	return NULL;
}

/* The table's options may have changed, or it was dropped. */
static void
forget_row_count(Datum arg, Oid relid)
{
	RowCount   *entry = OidIsValid(relid) ? find_row_count(relid) : NULL;

	if (!OidIsValid(relid))
		memset(row_counts, 0, sizeof(row_counts));
	else if (entry != NULL)
		entry->relid = InvalidOid;
}

void
stats_note_rows(Oid relid, double rows)
{
	RowCount   *entry = find_row_count(relid);

	if (entry == NULL)
	{
		entry = &row_counts[next_row_count];
		next_row_count = (next_row_count + 1) % MAX_ROW_COUNTS;
	}
	entry->relid = relid;
	entry->rows = rows;
}

double
stats_last_rows(Oid relid)
{
	const RowCount *entry = find_row_count(relid);

	return entry == NULL ? -1 : entry->rows;
}

/* ------------------------------------------------------------------------
 * The session's statistics
 * ------------------------------------------------------------------------
 */

void
stats_init(void)
{
	static int	done = 0;

	if (done < 1)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		done = 1;
	}
	if (done < 2)
	{
		CacheRegisterRelcacheCallback(forget_row_count, (Datum) 0);
		shared_table_init(&cluster);
		done = 2;
	}
}

static void
create_table(void)
{
	HASHCTL		ctl = {.keysize = sizeof(StatsKey),
	.entrysize = sizeof(StatsEntry)};

	entries = hash_create("hibob_fdw statistics", 32, &ctl,
						  HASH_ELEM | HASH_BLOBS);
}

StatsEntry *
stats_entry(Oid serverid, const char *server, const char *method,
			const char *path)
{
	StatsKey	key;
	StatsEntry *entry;
	bool		found;

	if (entries == NULL)
		create_table();
	memset(&key, 0, sizeof(key));
	key.serverid = serverid;
	snprintf(key.endpoint, sizeof(key.endpoint), "%s %s", method, path);
	entry = hash_search(entries, &key, HASH_FIND, NULL);
	if (entry == NULL && hash_get_num_entries(entries) >= MAX_ENTRIES - 1)
	{
		memset(&key, 0, sizeof(key));
		strlcpy(key.endpoint, OTHER_ENDPOINTS, sizeof(key.endpoint));
		server = "";
	}
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
	report_entry(entry);
}

void
stats_note_error(StatsEntry *entry, const char *text)
{
	entry->figures.errors++;
	entry->figures.last_failure = GetCurrentTimestamp();
	snprintf(entry->figures.last_error, STATS_ERROR_SIZE, "%s", text);
}

List *
stats_list(void)
{
	HASH_SEQ_STATUS seq;
	StatsEntry *entry;
	List	   *list = NIL;

	if (entries == NULL)
		return NIL;
	hash_seq_init(&seq, entries);
	while ((entry = hash_seq_search(&seq)) != NULL)
		list = lappend(list, entry);
	return list;
}

StatsFigures
stats_figures(const StatsEntry *entry)
{
	StatsFigures figures = entry->figures;

	figures.requests = (int64) entry->counters.requests;
	figures.bytes = (int64) entry->counters.bytes_received;
	figures.retries = (int64) entry->counters.retries;
	figures.waits = (int64) entry->counters.rate_limit_waits;
	figures.wait_ms = entry->counters.rate_limit_wait;
	return figures;
}

void
stats_reset(void)
{
	ListCell   *lc;

	report_all();
	foreach(lc, stats_list())
	{
		StatsEntry *entry = lfirst(lc);

		memset(&entry->counters, 0, sizeof(entry->counters));
		memset(&entry->figures, 0, sizeof(entry->figures));
		memset(&entry->reported, 0, sizeof(entry->reported));
		entry->since = GetCurrentTimestamp();
	}
}
