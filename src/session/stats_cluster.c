/*
 * stats_cluster.c
 *		The figures of all sessions, in shared memory.
 *
 * A hash table of fixed size under one lock: an answer of HiBob takes so much
 * longer than adding it up that more would be for nothing.  When the table is
 * full, the entry that was left alone for longest makes room.
 *
 * It runs in the postmaster, too: nothing here may come near libcurl.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "session/stats_cluster.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

/* Some 30 endpoints a server. */
#define MAX_ENTRIES 1000

#define TRANCHE "hibob_fdw"

static LWLock *lock = NULL;
static HTAB *table = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* ------------------------------------------------------------------------
 * The server's start
 * ------------------------------------------------------------------------
 */

static void
request_memory(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(hash_estimate_size(MAX_ENTRIES,
											  sizeof(ClusterEntry)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
set_up_memory(void)
{
	HASHCTL		ctl;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	ctl.keysize = sizeof(ClusterKey);
	ctl.entrysize = sizeof(ClusterEntry);
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	table = hibob_shmem_init_hash("hibob_fdw statistics", MAX_ENTRIES, &ctl,
								  HASH_ELEM | HASH_BLOBS);
	lock = &GetNamedLWLockTranche(TRANCHE)->lock;
	LWLockRelease(AddinShmemInitLock);
}

void
stats_cluster_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = set_up_memory;
}

bool
stats_cluster_is_there(void)
{
	return table != NULL;
}

/* ------------------------------------------------------------------------
 * Adding up
 * ------------------------------------------------------------------------
 */

static void
evict(void)
{
	HASH_SEQ_STATUS seq;
	ClusterEntry *entry;
	ClusterEntry *oldest = NULL;

	hash_seq_init(&seq, table);
	while ((entry = hash_seq_search(&seq)) != NULL)
		if (oldest == NULL || entry->used < oldest->used)
			oldest = entry;
	if (oldest != NULL)
		hash_search(table, &oldest->key, HASH_REMOVE, NULL);
}

/* NULL if there is no room. */
static ClusterEntry *
find_entry(const StatsEntry *of)
{
	ClusterKey	key;
	ClusterEntry *entry;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.database = MyDatabaseId;
	key.endpoint = of->key;
	if (hash_search(table, &key, HASH_FIND, NULL) == NULL &&
		hash_get_num_entries(table) >= MAX_ENTRIES)
		evict();
	entry = hash_search(table, &key, HASH_ENTER_NULL, &found);
	if (entry == NULL)
		return NULL;
	if (!found)
	{
		entry->since = GetCurrentTimestamp();
		memset(&entry->figures, 0, sizeof(StatsFigures));
	}
	entry->used = GetCurrentTimestamp();
	entry->server = of->server;
	return entry;
}

static void
add(StatsFigures *sum, const StatsFigures *figures)
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

void
stats_cluster_add(const StatsEntry *entry, const StatsFigures *figures)
{
	ClusterEntry *sum;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	sum = find_entry(entry);
	if (sum != NULL)
		add(&sum->figures, figures);
	LWLockRelease(lock);
}

ClusterEntry *
stats_cluster_copy(int *n)
{
	ClusterEntry *copies = palloc(MAX_ENTRIES * sizeof(ClusterEntry));
	HASH_SEQ_STATUS seq;
	ClusterEntry *entry;

	*n = 0;
	LWLockAcquire(lock, LW_SHARED);
	hash_seq_init(&seq, table);
	while ((entry = hash_seq_search(&seq)) != NULL)
		copies[(*n)++] = *entry;
	LWLockRelease(lock);
	return copies;
}

void
stats_cluster_reset(void)
{
	HASH_SEQ_STATUS seq;
	ClusterEntry *entry;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	hash_seq_init(&seq, table);
	while ((entry = hash_seq_search(&seq)) != NULL)
		hash_search(table, &entry->key, HASH_REMOVE, NULL);
	LWLockRelease(lock);
}
