/*
 * rescan.h
 *		Whether the executor may run a part of a plan more than once.
 */
#ifndef HIBOB_FDW_RESCAN_H
#define HIBOB_FDW_RESCAN_H

#include "postgres.h"

#include "nodes/plannodes.h"

/*
 * Whether a node may be run again although nothing of its own has changed, and
 * the executor does not say so beforehand (by EXEC_FLAG_REWIND): because it
 * stands beside something that depends on parameters.
 */
extern bool rescan_is_possible(const PlannedStmt *statement,
							   const Plan *sought);

#endif							/* HIBOB_FDW_RESCAN_H */
