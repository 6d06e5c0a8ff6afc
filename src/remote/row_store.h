/*
 * row_store.h
 *		Rows in the order they came, for any number of readers: in memory up to
 *		work_mem, then in a temporary file.
 *
 * Why not a tuplestore: tuplestore_end() writes out what it has buffered, so it
 * can fail, and the owner of its file is a transaction or nobody.  A row store
 * goes with its memory context, in callbacks too, and that never fails.
 */
#ifndef HIBOB_REMOTE_ROW_STORE_H
#define HIBOB_REMOTE_ROW_STORE_H

#include "postgres.h"

#include "executor/tuptable.h"

typedef struct RowStore RowStore;

/* Where a reader is; all zero is the first row. */
typedef struct RowStoreReader
{
	int64		position;
	char	   *buffer;			/* a part of the file; NULL: none yet */
	int64		buffer_start;
	int			buffer_length;
} RowStoreReader;

/*
 * An empty store.  It and the buffers of its readers live in the current memory
 * context, whose reset closes the file.
 */
extern RowStore *row_store_create(void);

/* Adds a row at the end. */
extern void row_store_add(RowStore *store, TupleTableSlot *slot);

/* The position behind the last row. */
extern int64 row_store_end(const RowStore *store);

/* Stores the next row in a slot for minimal tuples.  False at the end. */
extern bool row_store_read(const RowStore *store, RowStoreReader *reader,
						   TupleTableSlot *slot);

/* Frees what a reader holds.  Never raises an error. */
extern void row_store_release(RowStoreReader *reader);

#endif							/* HIBOB_REMOTE_ROW_STORE_H */
