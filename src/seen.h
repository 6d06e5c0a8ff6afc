/*
 * seen.h
 *		How many rows a foreign table had when this session last read all of it:
 *		what the planner goes by until somebody has run ANALYZE.
 */
#ifndef SEEN_H
#define SEEN_H

#include "postgres.h"

extern void seen_note(Oid relid, double rows);

/* Negative if the table was not read, or was altered since. */
extern double seen_rows(Oid relid);

#endif							/* SEEN_H */
