/*
 * run_cache.h
 *		The rows of earlier runs of a scan, by the values of its conditions.
 *
 * As with Memoize, a run with the values of an earlier one needs no request.
 * The rows take up to work_mem; then those of the oldest runs are freed.
 */
#ifndef HIBOB_FDW_RUN_CACHE_H
#define HIBOB_FDW_RUN_CACHE_H

#include "postgres.h"

#include "remote/request.h"
#include "remote/result_cache.h"

/* All zero, but for the context, is empty. */
typedef struct RunCache
{
	MemoryContext context;		/* of the cache */
	List	   *runs;			/* the oldest first */
	Size		memory;
} RunCache;

/* Opens the rows of the run with equal conditions, if there is one. */
extern bool run_cache_open(const RunCache *cache, const RequestFilter *filter,
						   CacheReader *rows);

/*
 * Adds a complete run.  The cache takes over the memory context that the values
 * of the filter are in; if the run does not fit, it returns false and changes
 * nothing.
 */
extern bool run_cache_add(RunCache *cache, const RequestFilter *filter,
						  MemoryContext filter_context,
						  const CacheReader *rows);

/* Releases the rows.  Never raises an error. */
extern void run_cache_close(RunCache *cache);

#endif							/* HIBOB_FDW_RUN_CACHE_H */
