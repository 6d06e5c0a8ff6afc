/*
 * stats.h
 *		What a session's requests came to, by server and endpoint; and the sum
 *		of all sessions, where the library was loaded at the server's start.
 *
 * Counts and times, and of an error a few words of our own: nothing of a user,
 * of credentials, of a condition's values or of what HiBob sent.
 */
#ifndef HIBOB_SESSION_STATS_H
#define HIBOB_SESSION_STATS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "session/exchange.h"

#define STATS_ENDPOINT_SIZE 96
#define STATS_ERROR_SIZE 96

/* Zero but for what it is filled with, since it is compared by its bytes. */
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
	int64		waits;			/* times held back by the rate limit */
	int64		wait_ms;
	int64		errors;
	TimestampTz last_success;	/* 0: there was none */
	TimestampTz last_failure;
	char		last_error[STATS_ERROR_SIZE];	/* empty: there was none */
} StatsFigures;

/* Of an endpoint, in this session; it stays until the session ends. */
typedef struct StatsEntry
{
	StatsKey	key;
	NameData	server;
	TimestampTz since;			/* when counting began */
	ExchangeCounters counters;	/* for ExchangePolicy.totals */
	StatsFigures figures;		/* those that are not among the counters */
	StatsFigures told;			/* what the sum of all sessions has of it */
} StatsEntry;

/* The entry of an endpoint: method and documented path.  Made if need be. */
extern StatsEntry *stats_entry(Oid serverid, const char *server,
							   const char *method, const char *path);

/* An answer was whole. */
extern void stats_note_success(StatsEntry *entry);

/* There was none, or not one with rows; "words" have no data of anybody. */
extern void stats_note_error(StatsEntry *entry, const char *words);

#endif							/* HIBOB_SESSION_STATS_H */
