/*
 * rerun.h
 *		Whether the executor may run a part of a plan more than once.
 */
#ifndef RERUN_H
#define RERUN_H

#include "postgres.h"

#include "nodes/plannodes.h"

/*
 * Whether a node may be run again although nothing of its own has changed, and
 * the executor does not say so beforehand (by EXEC_FLAG_REWIND): because it
 * stands beside something that depends on parameters.
 */
extern bool rerun_is_possible(const PlannedStmt *statement, const Plan *sought);

#endif							/* RERUN_H */
