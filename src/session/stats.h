/*
 * stats.h
 *		Statistics of requests by server and endpoint: those of the session, and
 *		those of all sessions if the library was loaded at the server's start;
 *		and the numbers of rows of foreign tables.
 *
 * They contain counts, times and, for an error, a fixed text.  They contain no
 * names of users, credentials, values of conditions or data from HiBob.
 */
#ifndef HIBOB_SESSION_STATS_H
#define HIBOB_SESSION_STATS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "session/exchange.h"

#define STATS_ENDPOINT_SIZE 96
#define STATS_ERROR_SIZE 96

/* Padded with zeros, since keys are compared by their bytes. */
typedef struct StatsKey
{
	Oid			serverid;
	char		endpoint[STATS_ENDPOINT_SIZE];	/* "POST /people/search" */
} StatsKey;

typedef struct StatsFigures
{
	int64		requests;
	int64		rows;
	int64		bytes;
	int64		retries;
	int64		waits;			/* delays by the rate limit */
	int64		wait_ms;
	int64		errors;
	TimestampTz last_success;	/* 0: none */
	TimestampTz last_failure;
	char		last_error[STATS_ERROR_SIZE];	/* empty: none */
} StatsFigures;

/* An endpoint in this session; the entry stays until the session ends. */
typedef struct StatsEntry
{
	StatsKey	key;
	NameData	server;			/* its latest name */
	TimestampTz since;			/* when counting began */
	ExchangeCounters counters;	/* for ExchangePolicy.totals */
	StatsFigures figures;		/* those that are not among the counters */
	StatsFigures reported;		/* what the cluster's statistics include */
} StatsEntry;

/* An endpoint of a server in one of the cluster's databases. */
typedef struct ClusterStatsKey
{
	Oid			database;
	StatsKey	endpoint;
} ClusterStatsKey;

typedef struct ClusterStatsEntry
{
	ClusterStatsKey key;
	NameData	server;			/* its latest name */
	TimestampTz since;			/* when counting began */
	int64		last_used;
	StatsFigures figures;
} ClusterStatsEntry;

/*
 * Registers callbacks and, if the server is starting, requests shared memory.
 * May be called again after an error.
 */
extern void stats_init(void);

/*
 * The entry of an endpoint (method and documented path), created if it does
 * not exist.  A session has a thousand entries; further endpoints share the
 * last one.
 */
extern StatsEntry *stats_entry(Oid serverid, const char *server,
							   const char *method, const char *path);

/* A response was complete. */
extern void stats_note_success(StatsEntry *entry);

/*
 * There was no response, or none with rows.  The text must not contain
 * personal data.
 */
extern void stats_note_error(StatsEntry *entry, const char *text);

/* The session's entries, as a list, and all figures of one. */
extern List *stats_list(void);
extern StatsFigures stats_figures(const StatsEntry *entry);

/* Sets all figures of the session to zero.  Entries stay: scans use them. */
extern void stats_reset(void);

/*
 * The number of rows of a foreign table when this session last read all of it.
 * The planner uses it until the table has statistics.  It is negative if the
 * table was not read, or was altered since, or if many other tables were read
 * since.
 */
extern void stats_note_rows(Oid relid, double rows);
extern double stats_last_rows(Oid relid);

/*
 * The statistics of all sessions.  They exist only if the library was loaded
 * at the server's start; only then the other functions may be called.
 */
extern bool stats_cluster_exists(void);

/* A copy of all entries: an array, palloc'd. */
extern ClusterStatsEntry *stats_cluster_copy(int *n);

extern void stats_cluster_reset(void);

#endif							/* HIBOB_SESSION_STATS_H */
