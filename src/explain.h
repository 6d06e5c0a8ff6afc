/*
 * explain.h
 *		What EXPLAIN says about a scan.
 */
#ifndef HIBOB_EXPLAIN_H
#define HIBOB_EXPLAIN_H

#include "postgres.h"

#include "compat.h"

extern void explain_scan(ForeignScanState *node, ExplainState *es);

#endif							/* HIBOB_EXPLAIN_H */
