/*
 * row_counts.h
 *		How many rows a foreign table had when this session last read all of it.
 *
 * The planner uses that until the table has statistics.
 */
#ifndef HIBOB_SESSION_ROW_COUNTS_H
#define HIBOB_SESSION_ROW_COUNTS_H

#include "postgres.h"

/* Registers callbacks.  May be called again after an error. */
extern void row_counts_init(void);

extern void row_count_note(Oid relid, double rows);

/*
 * Negative if the table was not read, or was altered since, or if many other
 * tables were read since.
 */
extern double row_count_last(Oid relid);

#endif							/* HIBOB_SESSION_ROW_COUNTS_H */
