/*
 * result_cache.c
 *		Rows of an answer, kept for a statement or for a time.
 *
 * An entry is a tuplestore under work_mem, in memory of its own below
 * CacheMemoryContext: it may outlive its statement, and it is freed when the
 * last user has closed it and it is not, or no longer, to be found.
 *
 * Knows tuples; nothing of requests or connections.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "remote/result_cache.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* Answers kept for a time; the one that ends first goes for a new one. */
#define MAX_ENTRIES 32

struct CacheEntry
{
	MemoryContext context;
	Tuplestorestate *store;
	Oid			relid;
	Oid			serverid;
	int			users;
	bool		stale;			/* never to be found again */
	uint64		born;			/* value of "invalidations" then */
	TimestampTz created;

	/* Once published. */
	const char *key;			/* NULL: not published */
	Bitmapset  *columns;
	TimestampTz expires;
};

static CacheEntry *entries[MAX_ENTRIES];
static int	nentries = 0;

/* How often something was altered that rows may depend on. */
static uint64 invalidations = 0;

static void
destroy(CacheEntry *entry)
{
	tuplestore_end(entry->store);
	MemoryContextDelete(entry->context);
}

/* Takes an entry out of the table; it goes with its last user. */
static void
remove_entry(int index)
{
	CacheEntry *entry = entries[index];

	entries[index] = entries[--nentries];
	entry->key = NULL;
	if (entry->users == 0)
		destroy(entry);
}

/*
 * Invalidation may come at any catalog access, so it only marks; the sweep
 * follows with the next look-up.
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

static void
sweep(void)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = nentries - 1; i >= 0; i--)
		if (entries[i]->stale || entries[i]->expires <= now)
			remove_entry(i);
}

/* What was altered or dropped goes with the end of the transaction. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		sweep();
}

static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate_all,
								  (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate_all, (Datum) 0);
	CacheRegisterRelcacheCallback(invalidate_table, (Datum) 0);
	RegisterXactCallback(at_transaction_end, NULL);
	registered = true;
}

void
cache_forget(Oid serverid)
{
	for (int i = 0; i < nentries; i++)
		if (!OidIsValid(serverid) || entries[i]->serverid == serverid)
			entries[i]->stale = true;
	sweep();
}

bool
cache_open(CacheReader *reader, const char *key, const Bitmapset *columns)
{
	sweep();
	for (int i = 0; i < nentries; i++)
	{
		CacheEntry *entry = entries[i];

		if (strcmp(entry->key, key) != 0 ||
			!bms_is_subset(columns, entry->columns))
			continue;
		if (entry->users == 0)
			reader->pointer = 0;
		else
			reader->pointer =
				tuplestore_alloc_read_pointer(entry->store,
											  EXEC_FLAG_REWIND);
		entry->users++;
		reader->entry = entry;
		cache_rewind(reader);
		return true;
	}
	return false;
}

void
cache_share(CacheReader *reader, const CacheReader *other)
{
	CacheEntry *entry = other->entry;

	reader->pointer = tuplestore_alloc_read_pointer(entry->store,
													EXEC_FLAG_REWIND);
	entry->users++;
	reader->entry = entry;
	cache_rewind(reader);
}

void
cache_create(CacheReader *reader, Oid relid, Oid serverid)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hibob_fdw cache entry",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CacheEntry *entry = palloc0(sizeof(CacheEntry));

	register_callbacks();
	entry->context = context;
	entry->relid = relid;
	entry->serverid = serverid;
	entry->users = 1;
	entry->born = invalidations;
	entry->created = GetCurrentTimestamp();
	entry->store = tuplestore_begin_heap(true, true, work_mem);
	tuplestore_set_eflags(entry->store, EXEC_FLAG_REWIND);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	reader->entry = entry;
	reader->pointer = 0;
}

/* Makes room for one more entry. */
static void
evict(void)
{
	int			first = 0;

	if (nentries < MAX_ENTRIES)
		return;
	for (int i = 1; i < nentries; i++)
		if (entries[i]->expires < entries[first]->expires)
			first = i;
	remove_entry(first);
}

void
cache_publish(CacheReader *reader, const char *key, const Bitmapset *columns,
			  int ttl)
{
	CacheEntry *entry = reader->entry;
	TimestampTz expires = TimestampTzPlusMilliseconds(entry->created, ttl);
	const char *copy;
	MemoryContext old;

	/* Its rows may be those of another server or table by now, or too old. */
	if (entry->born != invalidations || expires <= GetCurrentTimestamp())
		return;
	old = MemoryContextSwitchTo(entry->context);
	copy = pstrdup(key);
	entry->columns = bms_copy(columns);
	MemoryContextSwitchTo(old);

	/* Those with fewer columns, or that others asked for meanwhile. */
	for (int i = nentries - 1; i >= 0; i--)
		if (strcmp(entries[i]->key, key) == 0 &&
			bms_is_subset(entries[i]->columns, columns))
			remove_entry(i);
	evict();
	entry->key = copy;
	entry->expires = expires;
	entries[nentries++] = entry;
}

void
cache_add(CacheReader *reader, TupleTableSlot *slot)
{
	tuplestore_select_read_pointer(reader->entry->store, reader->pointer);
	tuplestore_puttupleslot(reader->entry->store, slot);
}

bool
cache_has_more(const CacheReader *reader)
{
	tuplestore_select_read_pointer(reader->entry->store, reader->pointer);
	return !tuplestore_ateof(reader->entry->store);
}

bool
cache_read(CacheReader *reader, TupleTableSlot *slot)
{
	Tuplestorestate *store = reader->entry->store;
	MemoryContext old;
	bool		found;

	tuplestore_select_read_pointer(store, reader->pointer);
	if (tuplestore_ateof(store))
		return false;

	/* The slot frees the row it has: it must not lie in a row's memory. */
	old = MemoryContextSwitchTo(slot->tts_mcxt);
	found = tuplestore_gettupleslot(store, true, true, slot);
	MemoryContextSwitchTo(old);
	return found;
}

void
cache_rewind(CacheReader *reader)
{
	tuplestore_select_read_pointer(reader->entry->store, reader->pointer);
	tuplestore_rescan(reader->entry->store);
}

void
cache_close(CacheReader *reader)
{
	CacheEntry *entry = reader->entry;

	if (entry == NULL)
		return;
	reader->entry = NULL;
	if (--entry->users == 0 && entry->key == NULL)
		destroy(entry);
}
