/*
 * row_store.c
 *		Rows in the order they came, for any number of readers.
 *
 * Rows are minimal tuples, one behind the other, without padding.  The first
 * of them are in the file, if there is one, the others in a buffer.  A position
 * counts the bytes of both.
 *
 * The file belongs to no resource owner: a cached result outlives transactions.
 * FileClose(), which the memory context's callback calls, writes nothing; if
 * closing or removing the file fails, it logs that and goes on.
 *
 * Knows tuples and files; nothing of requests.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "remote/row_store.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

/* What is collected before it is written, and what a reader reads at once. */
#define WRITE_BUFFER_SIZE (64 * 1024)
#define READ_BUFFER_SIZE (32 * 1024)

/* The first size of the buffer. */
#define INITIAL_SIZE (8 * 1024)

struct RowStore
{
	MemoryContext context;
	char	   *buffer;			/* the rows behind those of the file */
	Size		length;
	Size		size;
	Size		limit;			/* of the length */
	File		file;			/* -1: none */
	int64		file_length;
};

static void
close_file(void *arg)
{
	RowStore   *store = arg;

	if (store->file >= 0)
		FileClose(store->file);
	store->file = -1;
}

RowStore *
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

int64
row_store_end(const RowStore *store)
{
	return store->file_length + (int64) store->length;
}

/*
 * Writes the buffer behind what is in the file.  If that fails, the store is
 * as it was before.
 */
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

/* From now on, the buffer only collects what is written at once. */
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

void
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

bool
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

void
row_store_release(RowStoreReader *reader)
{
	if (reader->buffer != NULL)
		pfree(reader->buffer);
	reader->buffer = NULL;
	reader->buffer_length = 0;
}
