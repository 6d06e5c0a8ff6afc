/*
 * result_cache.h
 *		Rows of an answer, kept for a rescan of the statement or, if the table
 *		wants it, for a time in the session.
 *
 * What is kept for a time is found by a key that names all that the rows
 * depend on, such as the user mapping, the table and the conditions, and by the
 * columns that somebody needs of them.  Altering a server, a mapping or the
 * table forgets it.
 */
#ifndef HIBOB_REMOTE_RESULT_CACHE_H
#define HIBOB_REMOTE_RESULT_CACHE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/bitmapset.h"

typedef struct CacheEntry CacheEntry;

/* A user's place in an entry. */
typedef struct CacheReader
{
	CacheEntry *entry;			/* NULL: not open */
	int			pointer;		/* the tuplestore's */
} CacheReader;

/*
 * Opens an entry of this key whose rows have these columns, if one is fresh.
 * Whatever was opened has to be closed, also after an error.
 */
extern bool cache_open(CacheReader *reader, const char *key,
					   const Bitmapset *columns);

/* Opens a new, empty entry that nobody else finds. */
extern void cache_create(CacheReader *reader, Oid relid, Oid serverid);

/* Forgets what is kept of a server, or all if that is InvalidOid. */
extern void cache_forget(Oid serverid);

/* Opens an entry that somebody else has open, at its first row. */
extern void cache_share(CacheReader *reader, const CacheReader *other);

/*
 * Lets others find it until some milliseconds after it was created, which was
 * before its rows were asked for; all of them are in it.  Does nothing if
 * something was altered since.
 */
extern void cache_publish(CacheReader *reader, const char *key,
						  const Bitmapset *columns, int ttl);

/*
 * Adds a row at the end.  A reader that was there stays behind it; all others
 * have it to read.
 */
extern void cache_add(CacheReader *reader, TupleTableSlot *slot);

/*
 * Stores the next row in a slot for minimal tuples.  False at the end.
 */
extern bool cache_read(CacheReader *reader, TupleTableSlot *slot);
extern void cache_rewind(CacheReader *reader);

/*
 * Whether rows may have been added since cache_read() last found the end.
 */
extern bool cache_has_more(const CacheReader *reader);

/* Does nothing for a reader that is not open.  Never raises an error. */
extern void cache_close(CacheReader *reader);

#endif							/* HIBOB_REMOTE_RESULT_CACHE_H */
