/*
 * stats_cluster.h
 *		The figures of all sessions, in shared memory.
 *
 * It is there only if the library was loaded at the server's start; otherwise
 * nothing is added up, and that is no error.
 */
#ifndef HIBOB_SESSION_STATS_CLUSTER_H
#define HIBOB_SESSION_STATS_CLUSTER_H

#include "postgres.h"

#include "session/stats.h"

/* An endpoint of a server in one of the cluster's databases. */
typedef struct ClusterKey
{
	Oid			database;
	StatsKey	endpoint;
} ClusterKey;

typedef struct ClusterEntry
{
	ClusterKey	key;
	NameData	server;			/* as it was called last */
	TimestampTz since;			/* when counting began */
	TimestampTz used;			/* when something was added last */
	StatsFigures figures;
} ClusterEntry;

/* Asks for shared memory, if the server is starting. */
extern void stats_cluster_init(void);

extern bool stats_cluster_is_there(void);

/*
 * Adds figures of this session to those of the database.  Raises no error; it
 * is called at the end of transactions, also of those that failed.
 */
extern void stats_cluster_add(const StatsEntry *entry,
							  const StatsFigures *figures);

/* A copy of all entries: an array, palloc'd. */
extern ClusterEntry *stats_cluster_copy(int *n);

extern void stats_cluster_reset(void);

#endif							/* HIBOB_SESSION_STATS_CLUSTER_H */
