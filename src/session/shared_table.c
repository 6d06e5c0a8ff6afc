/*
 * shared_table.c
 *		A hash table of fixed size in shared memory.
 *
 * One lock protects a table.  Finer locks would gain nothing, because a request
 * to HiBob takes much longer than an access.
 *
 * This runs in the postmaster, too: it must not call libcurl.
 */
#include "postgres.h"

#include "compat.h"
#include "http/http.h"
#include "miscadmin.h"
#include "session/shared_table.h"
#include "storage/ipc.h"

#define MAX_TABLES 2

static SharedTable *tables[MAX_TABLES];
static int	ntables = 0;

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
	for (int i = 0; i < ntables; i++)
	{
		RequestAddinShmemSpace(hash_estimate_size(SHARED_TABLE_ENTRIES,
												  tables[i]->entrysize));
		RequestNamedLWLockTranche(tables[i]->name, 1);
	}
}

static void
create_tables(void)
{
	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < ntables; i++)
	{
		SharedTable *table = tables[i];
		HASHCTL		ctl = {.keysize = table->keysize,
		.entrysize = table->entrysize};

		table->hash = hibob_shmem_init_hash(table->name, SHARED_TABLE_ENTRIES,
											&ctl, HASH_ELEM | HASH_BLOBS |
											HASH_FIXED_SIZE);
		table->lock = &GetNamedLWLockTranche(table->name)->lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

void
shared_table_init(SharedTable *table)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	if (ntables == 0)
	{
		previous_request_hook = shmem_request_hook;
		shmem_request_hook = request_memory;
		previous_startup_hook = shmem_startup_hook;
		shmem_startup_hook = create_tables;
	}
	Assert(ntables < MAX_TABLES);
	tables[ntables++] = table;
}

bool
shared_table_exists(const SharedTable *table)
{
	return table->hash != NULL;
}

/* ------------------------------------------------------------------------
 * Entries
 * ------------------------------------------------------------------------
 */

void
shared_table_lock(SharedTable *table, LWLockMode mode)
{
	LWLockAcquire(table->lock, mode);
}

void
shared_table_unlock(SharedTable *table)
{
	LWLockRelease(table->lock);
}

void *
shared_table_find(SharedTable *table, const void *key)
{
	return hash_search(table->hash, key, HASH_FIND, NULL);
}

/* When an entry was used last, on the clock of http_now_ms(). */
static int64 *
last_used(const SharedTable *table, void *entry)
{
	return (int64 *) ((char *) entry + table->last_used);
}

static void
evict_least_recently_used(SharedTable *table)
{
	HASH_SEQ_STATUS seq;
	void	   *entry;
	void	   *oldest = NULL;

	hash_seq_init(&seq, table->hash);
	while ((entry = hash_seq_search(&seq)) != NULL)
		if (oldest == NULL ||
			*last_used(table, entry) < *last_used(table, oldest))
			oldest = entry;
	if (oldest != NULL)
		hash_search(table->hash, oldest, HASH_REMOVE, NULL);
}

void *
shared_table_enter(SharedTable *table, const void *key, bool *found)
{
	void	   *entry = shared_table_find(table, key);

	*found = entry != NULL;
	if (!*found)
	{
		if (hash_get_num_entries(table->hash) >= SHARED_TABLE_ENTRIES)
			evict_least_recently_used(table);
		/* There is room now, so this does not fail. */
		entry = hash_search(table->hash, key, HASH_ENTER, NULL);
		memset((char *) entry + table->keysize, 0,
			   table->entrysize - table->keysize);
	}
	*last_used(table, entry) = http_now_ms();
	return entry;
}

void
shared_table_remove(SharedTable *table, const void *key)
{
	hash_search(table->hash, key, HASH_REMOVE, NULL);
}

void
shared_table_clear(SharedTable *table)
{
	HASH_SEQ_STATUS seq;
	void	   *entry;

	hash_seq_init(&seq, table->hash);
	while ((entry = hash_seq_search(&seq)) != NULL)
		hash_search(table->hash, entry, HASH_REMOVE, NULL);
}
