/*
 * analyze.c
 *		ANALYZE: a sample of all rows that HiBob sends.
 *
 * HiBob has no way to ask for some of the rows, so all of them are read, by a
 * query like any other: with the table's options, its errors and its warnings,
 * as the table's owner, and cancellable.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fdw/analyze.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "options/options.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"

/* Rows taken from the query at once. */
#define FETCH_ROWS 200

/* A sample that is being taken (Vitter's algorithm Z). */
typedef struct Sample
{
	Relation	rel;
	HeapTuple  *rows;
	int			nrows;
	int			room;
	double		seen;
	double		to_skip;		/* -1: not determined yet */
	ReservoirStateData state;
	MemoryContext context;		/* of the rows */
} Sample;

/*
 * A row of the query as one of the table: the query does not have the dropped
 * columns.
 */
static HeapTuple
row_of_table(const Sample *sample, HeapTuple row, TupleDesc query)
{
	TupleDesc	desc = RelationGetDescr(sample->rel);
	Datum	   *values = palloc0(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(desc->natts);
	MemoryContext old;
	HeapTuple	result;
	int			n = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		nulls[i] = true;
		if (!TupleDescAttr(desc, i)->attisdropped)
			values[i] = SPI_getbinval(row, query, ++n, &nulls[i]);
	}
	old = MemoryContextSwitchTo(sample->context);
	result = heap_form_tuple(desc, values, nulls);
	MemoryContextSwitchTo(old);
	pfree(values);
	pfree(nulls);
	return result;
}

/* The first rows fill the sample; each later one may replace one of them. */
static void
take_row(Sample *sample, HeapTuple row, TupleDesc query)
{
	int			place;

	if (sample->nrows < sample->room)
		sample->rows[sample->nrows++] = row_of_table(sample, row, query);
	else
	{
		if (sample->to_skip < 0)
			sample->to_skip = reservoir_get_next_S(&sample->state,
												   sample->seen, sample->room);
		if (sample->to_skip <= 0)
		{
			place = (int) (sample->room *
						   sampler_random_fract(&sample->state.randstate));
			heap_freetuple(sample->rows[place]);
			sample->rows[place] = row_of_table(sample, row, query);
		}
		sample->to_skip--;
	}
	sample->seen++;
}

static void
read_rows(Sample *sample)
{
	char *query =
		psprintf("SELECT * FROM ONLY %s",
				 quote_qualified_identifier(
					 get_namespace_name(RelationGetNamespace(sample->rel)),
					 RelationGetRelationName(sample->rel)));
	Portal		portal;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	portal = SPI_cursor_parse_open(NULL, query, &(SPIParseOpenOptions)
								   {
									   .read_only = true
								   });
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		for (uint64 i = 0; i < SPI_processed; i++)
			take_row(sample, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
}

static int
acquire_rows(Relation rel, int elevel, HeapTuple *rows, int targrows,
			 double *totalrows, double *totaldeadrows)
{
	Sample		sample = {
		.rel = rel,
		.rows = rows,
		.room = targrows,
		.to_skip = -1,
		.context = CurrentMemoryContext,
	};

	reservoir_init_selection_state(&sample.state, targrows);
	read_rows(&sample);
	*totalrows = sample.seen;
	*totaldeadrows = 0;
	ereport(elevel,
			(errmsg("\"%s\": HiBob sent %.0f rows; %d rows in sample",
					RelationGetRelationName(rel), sample.seen,
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

	if (options->resource->needs_lower || options->resource->needs_upper)
		return false;
	*func = acquire_rows;
	*totalpages = 1;			/* unknown, and nothing is costed by pages */
	return true;
}
