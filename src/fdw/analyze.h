/*
 * analyze.h
 *		ANALYZE: a random sample of all rows of a foreign table.
 */
#ifndef HIBOB_FDW_ANALYZE_H
#define HIBOB_FDW_ANALYZE_H

#include "postgres.h"

#include "compat.h"
#include "foreign/fdwapi.h"

/*
 * The callback of ANALYZE.  False, so that the server skips the table, for a
 * resource that cannot be read as a whole, and in an autovacuum worker.
 */
extern bool hibobAnalyzeForeignTable(Relation rel, AcquireSampleRowsFunc *func,
									 BlockNumber *totalpages);

#ifdef HIBOB_ANALYZE_PASSES_COLUMNS
/* Notes the columns that ANALYZE names; imports nothing. */
extern bool hibobImportForeignStatistics(Relation rel, List *columns,
										 int elevel);
#endif

#endif							/* HIBOB_FDW_ANALYZE_H */
