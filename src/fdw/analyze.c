/*
 * analyze.c
 *		ANALYZE: a random sample of all rows of a foreign table.
 *
 * HiBob cannot send a sample of the rows, so all of them are read.  The scan
 * does not use an SQL query, which planner hooks of other extensions could
 * change.  It runs as the owner of the foreign table.  The server would switch
 * to the owner of the parent if the table is a partition or a child.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_inherits.h"
#include "compat.h"
#include "executor/executor.h"
#include "fdw/analyze.h"
#include "fdw/generated.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "options/options.h"
#include "remote/remote_query.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"
#include "utils/syscache.h"

/* A sample that is being taken (Vitter's algorithm Z). */
typedef struct Sample
{
	HeapTuple  *rows;
	int			nrows;
	int			max_rows;
	double		rows_read;
	double		to_skip;		/* -1: not determined yet */
	ReservoirStateData state;
	MemoryContext context;		/* of the rows */
} Sample;

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

/*
 * Columns that an ANALYZE command names; "relid" is invalid if it names none.
 */
typedef struct NamedColumns
{
	Oid			relid;
	Bitmapset  *attnums;
} NamedColumns;

/*
 * The columns for the next call of hibobAnalyzeForeignTable(), and those for
 * the sample after it.
 */
static NamedColumns announced;
static NamedColumns named;

static void
clear_names(NamedColumns *columns)
{
	columns->relid = InvalidOid;
	bms_free(columns->attnums);
	columns->attnums = NULL;
}

#ifdef HIBOB_ANALYZE_PASSES_COLUMNS
/*
 * The server offers to import statistics before it takes a sample, and passes
 * the columns that the command names.  There is nothing to import.
 */
bool
hibobImportForeignStatistics(Relation rel, List *columns, int elevel)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	ListCell   *lc;

	clear_names(&announced);
	foreach(lc, columns)
		announced.attnums =
			bms_add_member(announced.attnums,
						   get_attnum(RelationGetRelid(rel), strVal(lfirst(lc))));
	if (columns != NIL)
		announced.relid = RelationGetRelid(rel);
	MemoryContextSwitchTo(old);
	return false;
}
#endif

/* Whether ANALYZE computes statistics of a column: its target is not 0. */
static bool
has_statistics_target(Relation rel, AttrNumber attnum)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM,
										ObjectIdGetDatum(RelationGetRelid(rel)),
										Int16GetDatum(attnum));
	bool		is_default;
	Datum		target;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	target = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget,
							 &is_default);
	result = is_default || DatumGetInt16(target) != 0;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Whether the sample needs columns beyond those with statistics of their own:
 * expressions of extended statistics, or the statistics of a parent, can use
 * any column.
 */
static bool
needs_all_columns(Relation rel)
{
	return RelationGetStatExtList(rel) != NIL ||
		has_superclass(RelationGetRelid(rel));
}

/* The columns that the sample needs, ascending. */
static List *
sample_columns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		all = needs_all_columns(rel);
	List	   *attnums = NIL;

	for (int attnum = 1; attnum <= desc->natts; attnum++)
	{
		if (TupleDescAttr(desc, attnum - 1)->attisdropped)
			continue;
		if (!all && named.relid == RelationGetRelid(rel) &&
			!bms_is_member(attnum, named.attnums))
			continue;
		if (all || has_statistics_target(rel, attnum))
			attnums = lappend_int(attnums, attnum);
	}
	return attnums;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

static HeapTuple
copy_row(const Sample *sample, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(sample->context);
	HeapTuple	row = ExecCopySlotHeapTuple(slot);

	MemoryContextSwitchTo(old);
	return row;
}

/* The first rows fill the sample; each later one may replace one of them. */
static void
sample_row(Sample *sample, TupleTableSlot *slot)
{
	if (sample->nrows < sample->max_rows)
		sample->rows[sample->nrows++] = copy_row(sample, slot);
	else
	{
		if (sample->to_skip < 0)
			sample->to_skip = reservoir_get_next_S(&sample->state,
												   sample->rows_read,
												   sample->max_rows);
		if (sample->to_skip <= 0)
		{
			int			place =
				(int) (sample->max_rows *
					   sampler_random_fract(&sample->state.randstate));

			heap_freetuple(sample->rows[place]);
			sample->rows[place] = copy_row(sample, slot);
		}
		sample->to_skip--;
	}
	sample->rows_read++;
}

/* Reads a result to its end. */
static void
read_result(RemoteResult *result, Sample *sample, GeneratedColumns *computed,
			TupleTableSlot *slot, TupleTableSlot *fetched)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "hibob_fdw sample row",
							  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TupleTableSlot *row;

	while ((row = remote_result_next(result, slot, fetched, true)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		sample_row(sample, computed == NULL ? row :
				   generated_compute(computed, row));
		ExecClearTuple(row);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
}

/* Samples all rows of the table, as a scan without conditions reads them. */
static void
read_rows(Relation rel, Sample *sample)
{
	ForeignTable *table = GetForeignTable(RelationGetRelid(rel));
	TableOptions *options =
		table_options(table, GetForeignServer(table->serverid));
	ExchangeCounters counters = {0};
	List	   *generated;
	List	   *attnums = generated_base_columns(rel, sample_columns(rel),
												 &generated);
	bool		has_table = false;
	bool		has_fallen_back = false;
	RequestFilter filter = {.active_only = !options->show_inactive};
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel),
													&TTSOpsVirtual);
	TupleTableSlot *fetched = MakeSingleTupleTableSlot(RelationGetDescr(rel),
													   &TTSOpsMinimalTuple);
	RemoteQuery query = {
		.userid = GetUserId(),
		.serverid = table->serverid,
		.relid = RelationGetRelid(rel),
		.options = options,
		.map = row_map_create(rel, attnums, options->resource),
		.counters = &counters,
		.fetch_slot = MakeSingleTupleTableSlot(RelationGetDescr(rel),
											   &TTSOpsVirtual),
		.has_table = &has_table,
		.has_fallen_back = &has_fallen_back,
	};
	RemoteResult *result = remote_result_create(&query, &filter,
												CurrentMemoryContext, false,
												NULL);
	EState	   *estate = CreateExecutorState();
	GeneratedColumns *computed = generated_create(rel, generated, estate);

	read_result(result, sample, computed, slot, fetched);
	remote_result_detach(result);
	ExecResetTupleTable(estate->es_tupleTable, false);
	FreeExecutorState(estate);
	ExecDropSingleTupleTableSlot(slot);
	ExecDropSingleTupleTableSlot(fetched);
	ExecDropSingleTupleTableSlot(query.fetch_slot);
}

/*
 * The input functions of column types may belong to the table's owner, so they
 * run with the owner's privileges.  After an error, the end of the transaction
 * restores the user.
 */
static void
read_rows_as_owner(Relation rel, Sample *sample)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hibob_fdw sample",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Oid			userid;
	int			security;

	GetUserIdAndSecContext(&userid, &security);
	SetUserIdAndSecContext(rel->rd_rel->relowner,
						   security | SECURITY_RESTRICTED_OPERATION);
	read_rows(rel, sample);
	SetUserIdAndSecContext(userid, security);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static int
acquire_sample_rows(Relation rel, int elevel, HeapTuple *rows, int targrows,
					double *totalrows, double *totaldeadrows)
{
	Sample		sample = {
		.rows = rows,
		.max_rows = targrows,
		.to_skip = -1,
		.context = CurrentMemoryContext,
	};

	reservoir_init_selection_state(&sample.state, targrows);
	read_rows_as_owner(rel, &sample);
	*totalrows = sample.rows_read;
	*totaldeadrows = 0;
	ereport(elevel,
			(errmsg("\"%s\": HiBob returned %.0f rows; %d rows in sample",
					RelationGetRelationName(rel), sample.rows_read,
					sample.nrows)));
	return sample.nrows;
}

bool
hibobAnalyzeForeignTable(Relation rel, AcquireSampleRowsFunc *func,
						 BlockNumber *totalpages)
{
	ForeignTable *table = GetForeignTable(RelationGetRelid(rel));
	TableOptions *options = table_options(table,
										  GetForeignServer(table->serverid));

	clear_names(&named);
	named = announced;
	announced = (NamedColumns) {0};
	if (MyBackendType == B_AUTOVAC_WORKER ||
		options->resource->needs_lower || options->resource->needs_upper)
		return false;
	*func = acquire_sample_rows;
	*totalpages = 1;			/* unknown, and no cost depends on pages */
	return true;
}
