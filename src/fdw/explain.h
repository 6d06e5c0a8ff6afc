/*
 * explain.h
 *		EXPLAIN of a foreign scan.
 */
#ifndef HIBOB_FDW_EXPLAIN_H
#define HIBOB_FDW_EXPLAIN_H

#include "postgres.h"

#include "compat.h"

extern void hibobExplainForeignScan(ForeignScanState *node, ExplainState *es);

#endif							/* HIBOB_FDW_EXPLAIN_H */
