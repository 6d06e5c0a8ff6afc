/*
 * result_cache.c
 *		Materialized rows of a result, for a statement or for some time.
 *
 * Rows are minimal tuples in the order in which they were added, one after the
 * other, without padding: in a buffer up to work_mem, then in a temporary file.
 * If there is a file, it has the first rows, and the buffer has the others.  A
 * position counts the bytes of both.  Any number of readers can read them.
 *
 * A tuplestore would not do: tuplestore_end() writes out its buffer, so it can
 * fail, and its file belongs to a transaction or to no resource owner.  Here
 * the memory context's callback closes the file.  FileClose() writes nothing;
 * if closing or removing the file fails, it logs that and continues.
 *
 * An entry has a memory context of its own below CacheMemoryContext, since it
 * may outlive its statement.  It is freed when its last reader has closed it
 * and it is not, or no longer, a cached result.  That happens in transaction
 * and memory context callbacks, too, so nothing in it can fail.
 *
 * Knows tuples and files; nothing of requests or connections.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "http/http.h"
#include "miscadmin.h"
#include "remote/result_cache.h"
#include "storage/fd.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

/* The sizes of a write to the file and of a read from it. */
#define WRITE_BUFFER_SIZE (64 * 1024)
#define READ_BUFFER_SIZE (32 * 1024)

/* The first size of the buffer. */
#define INITIAL_SIZE (8 * 1024)

typedef struct RowStore
{
	MemoryContext context;
	char	   *buffer;			/* the rows after those of the file */
	Size		length;
	Size		size;
	Size		limit;			/* of the length */
	File		file;			/* -1: none */
	int64		file_length;
} RowStore;

static void
close_file(void *arg)
{
	RowStore   *store = arg;

	if (store->file >= 0)
		FileClose(store->file);
	store->file = -1;
}

/*
 * An empty store.  It and the buffers of its readers live in the current memory
 * context, whose reset closes the file.
 */
static RowStore *
row_store_create(void)
{
	RowStore   *store = palloc0(sizeof(RowStore));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	store->context = CurrentMemoryContext;
	store->buffer = palloc(INITIAL_SIZE);
	store->size = INITIAL_SIZE;
	store->limit = (Size) work_mem * 1024;
	store->file = -1;
	callback->func = close_file;
	callback->arg = store;
	MemoryContextRegisterResetCallback(store->context, callback);
	return store;
}

/* The position after the last row. */
static int64
row_store_end(const RowStore *store)
{
	return store->file_length + (int64) store->length;
}

/* Appends the buffer to the file.  If that fails, the store is unchanged. */
static void
write_buffer(RowStore *store)
{
	Size		done = 0;

	if (store->file < 0)
		store->file = OpenTemporaryFile(true);
	while (done < store->length)
	{
		int			part = (int) Min(store->length - done, WRITE_BUFFER_SIZE);

		CHECK_FOR_INTERRUPTS();
		if (FileWrite(store->file, store->buffer + done, part,
					  (off_t) (store->file_length + (int64) done),
					  WAIT_EVENT_BUFFILE_WRITE) != part)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write file \"%s\": %m",
							FilePathName(store->file))));
		done += part;
	}
	store->file_length += (int64) store->length;
	store->length = 0;
}

/* Limits the buffer to the size of a write. */
static void
shrink_buffer(RowStore *store)
{
	store->limit = WRITE_BUFFER_SIZE;
	if (store->size <= store->limit)
		return;
	store->buffer = repalloc_huge(store->buffer, store->limit);
	store->size = store->limit;
}

/*
 * Makes room in the buffer.  It doubles up to the limit; only a row that is
 * larger than that gets more.
 */
static void
reserve(RowStore *store, Size length)
{
	Size		size;

	if (store->length > 0 && store->length + length > store->limit)
	{
		write_buffer(store);
		shrink_buffer(store);
	}
	if (store->length + length <= store->size)
		return;
	size = Max(Min(store->size * 2, store->limit), store->length + length);
	store->buffer = repalloc_huge(store->buffer, size);
	store->size = size;
}

static void
row_store_add(RowStore *store, TupleTableSlot *slot)
{
	bool		should_free;
	MinimalTuple tuple = ExecFetchSlotMinimalTuple(slot, &should_free);

	reserve(store, tuple->t_len);
	memcpy(store->buffer + store->length, tuple, tuple->t_len);
	store->length += tuple->t_len;
	if (should_free)
		pfree(tuple);
}

/* Reads the part of the file that begins at a position into the buffer. */
static void
fill_buffer(const RowStore *store, RowStoreReader *reader, int64 position)
{
	int			length = (int) Min(READ_BUFFER_SIZE,
								   store->file_length - position);
	int			nread;

	if (reader->buffer == NULL)
		reader->buffer = MemoryContextAlloc(store->context, READ_BUFFER_SIZE);
	reader->buffer_length = 0;
	nread = (int) FileRead(store->file, reader->buffer, length,
						   (off_t) position, WAIT_EVENT_BUFFILE_READ);
	if (nread < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m",
						FilePathName(store->file))));
	if (nread != length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("could not read file \"%s\": read %d of %d",
						FilePathName(store->file), nread, length)));
	reader->buffer_start = position;
	reader->buffer_length = length;
}

/* Copies bytes of the file. */
static void
read_file(const RowStore *store, RowStoreReader *reader, int64 position,
		  char *out, Size length)
{
	while (length > 0)
	{
		int64		offset = position - reader->buffer_start;
		Size		part;

		if (offset < 0 || offset >= reader->buffer_length)
		{
			fill_buffer(store, reader, position);
			offset = 0;
		}
		part = Min(length, (Size) (reader->buffer_length - offset));
		memcpy(out, reader->buffer + offset, part);
		out += part;
		position += (int64) part;
		length -= part;
	}
}

/* Copies bytes of a row, which is either in the file or in the buffer. */
static inline void
read_bytes(const RowStore *store, RowStoreReader *reader, int64 position,
		   void *out, Size length)
{
	if (position >= store->file_length)
		memcpy(out, store->buffer + (position - store->file_length), length);
	else
		read_file(store, reader, position, out, length);
}

/* Stores the next row in a slot for minimal tuples.  False at the end. */
static bool
row_store_read(const RowStore *store, RowStoreReader *reader,
			   TupleTableSlot *slot)
{
	uint32		length;
	MinimalTuple tuple;

	if (reader->position >= row_store_end(store))
		return false;

	/* A tuple begins with its length.  The slot frees the one it has. */
	read_bytes(store, reader, reader->position, &length, sizeof(length));
	tuple = MemoryContextAlloc(slot->tts_mcxt, length);
	read_bytes(store, reader, reader->position, tuple, length);
	ExecStoreMinimalTuple(tuple, slot, true);
	reader->position += length;
	return true;
}

/* Frees the buffer of a reader. */
static void
row_store_release(RowStoreReader *reader)
{
	if (reader->buffer != NULL)
		pfree(reader->buffer);
	reader->buffer = NULL;
	reader->buffer_length = 0;
}

/* ------------------------------------------------------------------------
 * Entries
 * ------------------------------------------------------------------------
 */

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
	const char *key;			/* NULL: not a cached result */
	Bitmapset  *columns;
	int64		expires;		/* likewise */
	bool		all;			/* rows of the table */
};

static CacheEntry *entries[MAX_ENTRIES];
static int	nentries = 0;

/* Counts alterations of objects that rows may depend on, and cache_forget(). */
static uint64 invalidations = 0;

static void
free_if_unused(CacheEntry *entry)
{
	if (entry->readers == 0 && entry->key == NULL)
		MemoryContextDelete(entry->context);
}

/* Removes an entry from the array; its readers keep its rows. */
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

/* A session that runs no other query of the extension keeps no stale rows. */
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
	invalidations++;
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

	/*
	 * The rows may be too old, or those of an earlier definition of the table.
	 */
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

Size
cache_memory(const CacheReader *reader)
{
	return MemoryContextMemAllocated(reader->entry->context, true);
}
