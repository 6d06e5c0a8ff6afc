/*
 * hibob_fdw.c
 *		The handler of the foreign data wrapper, settings, and the version.
 *
 * fdw/plan.c plans a query and fdw/scan.c runs it.  The wrapper is read only,
 * so it has no callbacks that modify rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "compat.h"
#include "fdw/analyze.h"
#include "fdw/explain.h"
#include "fdw/import.h"
#include "fdw/plan.h"
#include "fdw/scan.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "funcapi.h"
#include "http/http.h"
#include "session/connection.h"
#include "session/limiter.h"
#include "session/stats.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#define HIBOB_FDW_VERSION "1.0"

HIBOB_MODULE_MAGIC("hibob_fdw", HIBOB_FDW_VERSION);

extern PGDLLEXPORT void _PG_init(void);

HIBOB_FUNCTION_INFO_V1(hibob_fdw_handler);
HIBOB_FUNCTION_INFO_V1(hibob_fdw_version);

/*
 * May run in the postmaster: libcurl is set up when it is first needed.  If a
 * step fails, for lack of memory, the server calls this again with the next
 * attempt to load the library; so each step is done once.
 */
void
_PG_init(void)
{
	static bool prefix_reserved = false;

	connection_init();
	stats_init();
	limiter_init();
	if (!prefix_reserved)
		MarkGUCPrefixReserved("hibob_fdw");
	prefix_reserved = true;
}

Datum
hibob_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = hibobGetForeignRelSize;
	routine->GetForeignPaths = hibobGetForeignPaths;
	routine->GetForeignPlan = hibobGetForeignPlan;
	routine->BeginForeignScan = hibobBeginForeignScan;
	routine->IterateForeignScan = hibobIterateForeignScan;
	routine->ReScanForeignScan = hibobReScanForeignScan;
	routine->EndForeignScan = hibobEndForeignScan;
	routine->ExplainForeignScan = hibobExplainForeignScan;
	routine->IsForeignPathAsyncCapable = hibobIsForeignPathAsyncCapable;
	routine->ForeignAsyncRequest = hibobForeignAsyncRequest;
	routine->ForeignAsyncConfigureWait = hibobForeignAsyncConfigureWait;
	routine->ForeignAsyncNotify = hibobForeignAsyncNotify;
	routine->ImportForeignSchema = hibobImportForeignSchema;
	routine->AnalyzeForeignTable = hibobAnalyzeForeignTable;
#ifdef HIBOB_ANALYZE_PASSES_COLUMNS
	routine->ImportForeignStatistics = hibobImportForeignStatistics;
#endif
	PG_RETURN_POINTER(routine);
}

/*
 * hibob_fdw_version() returns record
 *
 * The versions of the library and of libcurl, as text.
 */
Datum
hibob_fdw_version(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(HIBOB_FDW_VERSION);
	values[1] = CStringGetTextDatum(http_library_version());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													   values, nulls)));
}
