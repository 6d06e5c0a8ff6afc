/*
 * analyze.h
 *		ANALYZE: a sample of all rows that HiBob sends.
 */
#ifndef HIBOB_FDW_ANALYZE_H
#define HIBOB_FDW_ANALYZE_H

#include "postgres.h"

#include "foreign/fdwapi.h"

/*
 * The callback of ANALYZE.  False for a resource that cannot be read as a
 * whole, which the server skips with a warning.
 */
extern bool hibobAnalyzeForeignTable(Relation rel, AcquireSampleRowsFunc *func,
									 BlockNumber *totalpages);

#endif							/* HIBOB_FDW_ANALYZE_H */
