/*
 * run_cache.c
 *		The rows of earlier runs of a scan, by the values of its conditions.
 *
 * Knows conditions and materialized rows; nothing of the executor.
 */
#include "postgres.h"

#include "fdw/conditions.h"
#include "fdw/run_cache.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct CachedRun
{
	RequestFilter filter;
	MemoryContext filter_context;
	CacheReader rows;
	Size		memory;
} CachedRun;

bool
run_cache_open(const RunCache *cache, const RequestFilter *filter,
			   CacheReader *rows)
{
	ListCell   *lc;

	foreach(lc, cache->runs)
	{
		CachedRun  *run = lfirst(lc);

		if (!conditions_equal(filter, &run->filter))
			continue;
		cache_share(rows, &run->rows);
		return true;
	}
	return false;
}

static void
remove_oldest(RunCache *cache)
{
	CachedRun  *run = linitial(cache->runs);

	cache->runs = list_delete_first(cache->runs);
	cache->memory -= run->memory;
	cache_close(&run->rows);
	MemoryContextDelete(run->filter_context);
	pfree(run);
}

bool
run_cache_add(RunCache *cache, const RequestFilter *filter,
			  MemoryContext filter_context, const CacheReader *rows)
{
	Size		limit = (Size) work_mem * 1024;
	Size		memory = cache_memory(rows) +
		MemoryContextMemAllocated(filter_context, true);
	MemoryContext old;
	CachedRun  *run;

	if (memory > limit)
		return false;
	while (cache->memory + memory > limit)
		remove_oldest(cache);
	old = MemoryContextSwitchTo(cache->context);
	run = palloc0(sizeof(CachedRun));
	cache->runs = lappend(cache->runs, run);
	MemoryContextSwitchTo(old);
	cache->memory += memory;
	run->filter = *filter;
	run->filter_context = filter_context;
	run->memory = memory;
	cache_share(&run->rows, rows);
	return true;
}

void
run_cache_close(RunCache *cache)
{
	ListCell   *lc;

	foreach(lc, cache->runs)
		cache_close(&((CachedRun *) lfirst(lc))->rows);
}
