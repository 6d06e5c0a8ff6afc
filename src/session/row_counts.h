/*
 * row_counts.h
 *		How many rows a foreign table had when this session last read all of it:
 *		what the planner goes by until somebody has run ANALYZE.
 */
#ifndef HIBOB_SESSION_ROW_COUNTS_H
#define HIBOB_SESSION_ROW_COUNTS_H

#include "postgres.h"

extern void row_count_note(Oid relid, double rows);

/* Negative if the table was not read, or was altered since. */
extern double row_count_last(Oid relid);

#endif							/* HIBOB_SESSION_ROW_COUNTS_H */
