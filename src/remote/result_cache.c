/*
 * result_cache.c
 *		Materialized rows of a result, for a statement or for a time.
 *
 * An entry has a memory context of its own below CacheMemoryContext, since it
 * may outlive its statement.  It is freed when its last reader has closed it
 * and it is not, or no longer, a cached result.  That happens in transaction and
 * memory context callbacks, too, so nothing in it can fail.
 *
 * Knows tuples; nothing of requests or connections.
 */
#include "postgres.h"

#include "access/xact.h"
#include "http/http.h"
#include "remote/result_cache.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Cached results; a new one replaces the one that expires first. */
#define MAX_ENTRIES 32

struct CacheEntry
{
	MemoryContext context;
	RowStore   *rows;
	Oid			relid;
	Oid			serverid;
	int			readers;
	bool		stale;			/* to be removed */
	uint64		invalidations_before;	/* number of them at its creation */
	int64		created;		/* by http_now_ms() */

	/* Of a cached result. */
	const char *key;			/* NULL: it is none */
	Bitmapset  *columns;
	int64		expires;		/* likewise */
	bool		all;			/* rows of the table */
};

static CacheEntry *entries[MAX_ENTRIES];
static int	nentries = 0;

/* How often something was altered that rows may depend on. */
static uint64 invalidations = 0;

static void
free_if_unused(CacheEntry *entry)
{
	if (entry->readers == 0 && entry->key == NULL)
		MemoryContextDelete(entry->context);
}

/* Takes an entry out of the array; its readers keep its rows. */
static void
remove_entry(int index)
{
	CacheEntry *entry = entries[index];

	entries[index] = entries[--nentries];
	entry->key = NULL;
	free_if_unused(entry);
}

/*
 * An invalidation may arrive during any catalog access, so it only marks
 * entries.
 */
static void
invalidate_all(Datum arg, int cacheid, uint32 hashvalue)
{
	invalidations++;
	for (int i = 0; i < nentries; i++)
		entries[i]->stale = true;
}

static void
invalidate_table(Datum arg, Oid relid)
{
	invalidations++;
	for (int i = 0; i < nentries; i++)
		if (!OidIsValid(relid) || entries[i]->relid == relid)
			entries[i]->stale = true;
}

/* Removes entries that are invalid or too old. */
static void
remove_stale_entries(void)
{
	int64		now = http_now_ms();

	for (int i = nentries - 1; i >= 0; i--)
		if (entries[i]->stale || entries[i]->expires <= now)
			remove_entry(i);
}

/* A session that runs no further query of ours keeps no stale rows. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		remove_stale_entries();
}

/* The first registration is the only one that can raise an error. */
static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	RegisterXactCallback(at_transaction_end, NULL);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate_all,
								  (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate_all, (Datum) 0);
	CacheRegisterRelcacheCallback(invalidate_table, (Datum) 0);
	registered = true;
}

void
cache_forget(Oid serverid)
{
	for (int i = 0; i < nentries; i++)
		if (!OidIsValid(serverid) || entries[i]->serverid == serverid)
			entries[i]->stale = true;
	remove_stale_entries();
}

static void
open_entry(CacheReader *reader, CacheEntry *entry)
{
	memset(&reader->rows, 0, sizeof(reader->rows));
	reader->entry = entry;
	entry->readers++;
}

bool
cache_open(CacheReader *reader, const char *key, const Bitmapset *columns)
{
	remove_stale_entries();
	for (int i = 0; i < nentries; i++)
	{
		if (strcmp(entries[i]->key, key) != 0 ||
			!bms_is_subset(columns, entries[i]->columns))
			continue;
		open_entry(reader, entries[i]);
		return true;
	}
	return false;
}

void
cache_share(CacheReader *reader, const CacheReader *other)
{
	open_entry(reader, other->entry);
}

void
cache_create(CacheReader *reader, Oid relid, Oid serverid)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hibob_fdw result",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CacheEntry *entry = palloc0(sizeof(CacheEntry));

	register_callbacks();
	entry->context = context;
	entry->relid = relid;
	entry->serverid = serverid;
	entry->invalidations_before = invalidations;
	entry->created = http_now_ms();
	entry->rows = row_store_create();
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	open_entry(reader, entry);
}

/* Makes room for one more entry. */
static void
evict(void)
{
	int			first = 0;

	if (nentries < MAX_ENTRIES)
		return;
	for (int i = 1; i < nentries; i++)
		if (entries[i]->all == entries[first]->all ?
			entries[i]->expires < entries[first]->expires :
			!entries[i]->all)
			first = i;
	remove_entry(first);
}

void
cache_publish(CacheReader *reader, const char *key, const Bitmapset *columns,
			  int ttl, bool all)
{
	CacheEntry *entry = reader->entry;
	int64		expires = entry->created + ttl;
	const char *copy;
	MemoryContext old;

	/* The rows may be those of another server or table by now, or too old. */
	if (entry->invalidations_before != invalidations ||
		expires <= http_now_ms())
		return;
	old = MemoryContextSwitchTo(entry->context);
	copy = pstrdup(key);
	entry->columns = bms_copy(columns);
	MemoryContextSwitchTo(old);

	/* Replace those of the same key with the same or fewer columns. */
	for (int i = nentries - 1; i >= 0; i--)
		if (strcmp(entries[i]->key, key) == 0 &&
			bms_is_subset(entries[i]->columns, columns))
			remove_entry(i);
	evict();
	entry->key = copy;
	entry->expires = expires;
	entry->all = all;
	entries[nentries++] = entry;
}

void
cache_add(CacheReader *reader, TupleTableSlot *slot)
{
	RowStore   *rows = reader->entry->rows;
	bool		at_end = reader->rows.position == row_store_end(rows);

	row_store_add(rows, slot);
	if (at_end)
		reader->rows.position = row_store_end(rows);
}

bool
cache_has_more(const CacheReader *reader)
{
	return reader->rows.position < row_store_end(reader->entry->rows);
}

bool
cache_read(CacheReader *reader, TupleTableSlot *slot)
{
	return row_store_read(reader->entry->rows, &reader->rows, slot);
}

void
cache_rewind(CacheReader *reader)
{
	reader->rows.position = 0;
}

void
cache_close(CacheReader *reader)
{
	CacheEntry *entry = reader->entry;

	if (entry == NULL)
		return;
	reader->entry = NULL;
	row_store_release(&reader->rows);
	entry->readers--;
	free_if_unused(entry);
}
