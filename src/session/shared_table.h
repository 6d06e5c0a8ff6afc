/*
 * shared_table.h
 *		A hash table of fixed size in shared memory.
 *
 * The table exists only if the library was loaded at the server's start.  It
 * never uses more shared memory than was requested then: if the table is full,
 * a new entry replaces the least recently used one.  So a pointer to an entry
 * is valid only while the lock is held.
 */
#ifndef HIBOB_SESSION_SHARED_TABLE_H
#define HIBOB_SESSION_SHARED_TABLE_H

#include "postgres.h"

#include "storage/lwlock.h"
#include "utils/hsearch.h"

/*
 * Rate limits and statistics: some 30 endpoints an account, few of them used.
 */
#define SHARED_TABLE_ENTRIES 1000

typedef struct SharedTable
{
	/* Set by the owner. */
	const char *name;			/* of the table and of its lock */
	Size		keysize;		/* an entry begins with its key; padding is 0 */
	Size		entrysize;
	Size		last_used;		/* offset in an entry of an int64, which is
								 * maintained here */

	/* Private. */
	LWLock	   *lock;
	HTAB	   *hash;
} SharedTable;

/*
 * Requests the shared memory for a table, if the server is starting.  The
 * struct must be static.
 */
extern void shared_table_init(SharedTable *table);

extern bool shared_table_exists(const SharedTable *table);

/*
 * Entries are read and changed under the lock.  None of these functions raises
 * an error.
 */
extern void shared_table_lock(SharedTable *table, LWLockMode mode);
extern void shared_table_unlock(SharedTable *table);

/* The entry of a key, or NULL. */
extern void *shared_table_find(SharedTable *table, const void *key);

/*
 * The entry of a key, which is marked as used now.  A new one has zeros after
 * its key.  Needs the lock in exclusive mode.
 */
extern void *shared_table_enter(SharedTable *table, const void *key,
								bool *found);

/* Removes the entry of a key.  Needs the lock in exclusive mode. */
extern void shared_table_remove(SharedTable *table, const void *key);

extern void shared_table_clear(SharedTable *table);

#endif							/* HIBOB_SESSION_SHARED_TABLE_H */
