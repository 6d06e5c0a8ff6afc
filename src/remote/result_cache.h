/*
 * result_cache.h
 *		Materialized rows of a result: for a rescan or another scan of the
 *		statement and, if the table has cache_ttl, for later statements of the
 *		session.
 *
 * A cached result is found by a key and by the columns that a scan needs.  The
 * key contains everything that the rows depend on, such as the user mapping,
 * the table and the conditions.  Altering the server, the user mapping or the
 * table invalidates it.
 */
#ifndef HIBOB_REMOTE_RESULT_CACHE_H
#define HIBOB_REMOTE_RESULT_CACHE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/bitmapset.h"

typedef struct CacheEntry CacheEntry;

/* A position in materialized rows; all zero is the first row. */
typedef struct RowStoreReader
{
	int64		position;
	char	   *buffer;			/* a part of the file; NULL: none yet */
	int64		buffer_start;
	int			buffer_length;
} RowStoreReader;

/* A scan's position in the rows of an entry. */
typedef struct CacheReader
{
	CacheEntry *entry;			/* NULL: not open */
	RowStoreReader rows;
} CacheReader;

/*
 * Opens the cached result of this key whose rows have these columns, if there
 * is one.  It has to be closed, even after an error.
 */
extern bool cache_open(CacheReader *reader, const char *key,
					   const Bitmapset *columns);

/* Opens a new, empty entry that no other scan finds. */
extern void cache_create(CacheReader *reader, Oid relid, Oid serverid);

/*
 * Removes the cached results of a server, or all if that is InvalidOid.  Entries
 * that are not complete yet will not become cached results.
 */
extern void cache_forget(Oid serverid);

/* Opens the entry of another reader, at its first row. */
extern void cache_share(CacheReader *reader, const CacheReader *other);

/*
 * Makes a complete entry a cached result.  It is valid for "ttl" milliseconds
 * from its creation, which was before the first request.  Does nothing if any
 * table, server or user mapping was altered since then.  If there are too many
 * cached results, those of "all" rows are removed last.
 */
extern void cache_publish(CacheReader *reader, const char *key,
						  const Bitmapset *columns, int ttl, bool all);

/*
 * Adds a row at the end.  If this reader was at the end, it moves past the row;
 * all other readers will read it.
 */
extern void cache_add(CacheReader *reader, TupleTableSlot *slot);

/* Stores the next row in a slot for minimal tuples.  False at the end. */
extern bool cache_read(CacheReader *reader, TupleTableSlot *slot);
extern void cache_rewind(CacheReader *reader);

/* Whether cache_read() would return a row. */
extern bool cache_has_more(const CacheReader *reader);

/* Does nothing for a reader that is not open.  Never raises an error. */
extern void cache_close(CacheReader *reader);

/* The memory that the rows take; that of a file does not count. */
extern Size cache_memory(const CacheReader *reader);

#endif							/* HIBOB_REMOTE_RESULT_CACHE_H */
