/*
 * field_split.c
 *		Employees with more fields than one request can name.
 *
 * The columns are cut into parts, each with no more fields than a request
 * takes.  For some people at a time, named by the filter, each part is asked
 * for, and what came for one id becomes one row.  Who is in one answer and not
 * in another has joined or left the service user's sight in between, and is
 * left out: a row is all of an employee or nothing.  Who is found by two
 * addresses that differ in case only, in two batches, comes with the first.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "remote/field_split.h"
#include "remote/result_checks.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* A row on its way: the parts fill in their columns. */
typedef struct SplitRow
{
	Datum	   *values;
	bool	   *nulls;
	int			parts;			/* that have it */
} SplitRow;

#define MAX_ID 128

typedef struct SplitEntry
{
	char		id[MAX_ID];		/* hash key, padded with zeros */
	SplitRow    *row;
} SplitEntry;

struct FieldSplit
{
	const ErrorSubject *subject;
	AcquiredChannel *acquired;
	const TableOptions *options;
	const RequestFilter *filter;
	List	   *values;			/* of it, each once */
	ExchangeCounters *counters;
	ResponseFindings *findings;
	RowMap	   *parts;
	int			nparts;
	bool	   *carried;		/* by attribute number */
	int			next;			/* of the filter's values */
	MemoryContext context;		/* of the present people */
	HTAB	   *by_id;
	HTAB	   *seen;			/* ids of all batches; NULL: batches are of ids */
	List	   *rows;			/* of SplitRow, in the order they came */
	int			next_row;
};

/* ------------------------------------------------------------------------
 * Parts
 * ------------------------------------------------------------------------
 */

/* The part that names the column's field already, or -1. */
static int
part_of_field(const RowMap *parts, int nparts, const char *field)
{
	for (int p = 0; p < nparts; p++)
		for (int i = 0; i < parts[p].ncolumns; i++)
			if (strcmp(parts[p].columns[i].field, field) == 0)
				return p;
	return -1;
}

/* How many different fields a map's columns have. */
static int
count_fields(const RowMap *map)
{
	int			n = 0;

	for (int i = 0; i < map->ncolumns; i++)
	{
		const RowMap before = {.columns = map->columns, .ncolumns = i};

		if (part_of_field(&before, 1, map->columns[i].field) < 0)
			n++;
	}
	return n;
}

static bool
has_whole_row(const RowMap *map)
{
	for (int i = 0; i < map->ncolumns; i++)
		if (strcmp(map->columns[i].field, RESOURCE_WHOLE_ROW) == 0)
			return true;
	return false;
}

/* A whole row cannot be put together from parts. */
bool
field_split_is_needed(const RowMap *map)
{
	return map->resource->form == ROW_EMPLOYEE &&
		map->ncolumns >= map->resource->max_fields && !has_whole_row(map) &&
		count_fields(map) >= map->resource->max_fields;
}

/* Each part names the identity, too.  Returns how many parts there are. */
static int
cut_into_parts(RowMap *parts, const RowMap *map)
{
	int			room = map->resource->max_fields - 1;
	int			nparts = 0;
	int			nfields = 0;

	for (int i = 0; i < map->ncolumns; i++)
	{
		int			p = part_of_field(parts, nparts, map->columns[i].field);
		RowMap	   *part;

		if (p < 0 && nfields++ % room == 0)
		{
			part = &parts[nparts++];
			*part = *map;
			part->columns = palloc(sizeof(RowColumn) * map->ncolumns);
			part->ncolumns = 0;
		}
		part = &parts[p < 0 ? nparts - 1 : p];
		part->columns[part->ncolumns++] = map->columns[i];
	}
	return nparts;
}

static RowMap *
allocate_parts(const RowMap *map)
{
	return palloc0(sizeof(RowMap) *
				   (map->ncolumns / (map->resource->max_fields - 1) + 1));
}

RowMap *
field_split_first_part(const RowMap *map)
{
	RowMap	   *parts = allocate_parts(map);

	(void) cut_into_parts(parts, map);
	return parts;
}

static int
compare_values(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Each value once: one that came with two batches would give two rows. */
static List *
distinct_values(const List *values)
{
	List	   *sorted = list_copy(values);
	List	   *distinct = NIL;
	ListCell   *lc;

	list_sort(sorted, compare_values);
	foreach(lc, sorted)
		if (distinct == NIL || strcmp(llast(distinct), lfirst(lc)) != 0)
			distinct = lappend(distinct, lfirst(lc));
	return distinct;
}

static HTAB *
create_hash(MemoryContext context)
{
	HASHCTL		ctl;

	ctl.keysize = MAX_ID;
	ctl.entrysize = sizeof(SplitEntry);
	ctl.hcxt = context;
	return hash_create("hibob_fdw wide rows", REQUEST_BATCH, &ctl,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

FieldSplit *
field_split_create(const ErrorSubject *subject, AcquiredChannel *acquired,
				   const RowMap *map, const TableOptions *options,
				   const RequestFilter *filter, ExchangeCounters *counters,
				   ResponseFindings *findings)
{
	FieldSplit *split = palloc0(sizeof(FieldSplit));

	split->subject = subject;
	split->acquired = acquired;
	split->options = options;
	split->filter = filter;
	split->values = distinct_values(filter->values);
	split->counters = counters;
	split->findings = findings;
	split->carried = palloc0(MaxAttrNumber + 1);
	split->context = AllocSetContextCreate(CurrentMemoryContext,
										   "hibob_fdw wide rows",
										   ALLOCSET_DEFAULT_SIZES);
	split->parts = allocate_parts(map);
	split->nparts = cut_into_parts(split->parts, map);
	if (strcmp(filter->filter->field, RESOURCE_FIELD_ID) != 0)
		split->seen = create_hash(CurrentMemoryContext);
	return split;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

/* Whether an employee came with an earlier batch of other values than ids. */
static bool
came_before(FieldSplit *split, const char *id)
{
	bool		found = false;

	if (split->seen != NULL)
		(void) hash_search(split->seen, id, HASH_ENTER, &found);
	return found;
}

/* The row of an id; only the first part begins one. */
static SplitRow *
row_of(FieldSplit *split, const RowRecord *record, const RowField *identity,
	   bool first, TupleTableSlot *slot)
{
	const JsonSlice *slice = row_field_value(identity, record->reader);
	int			natts = slot->tts_tupleDescriptor->natts;
	char		id[MAX_ID] = {0};
	SplitEntry  *entry;
	bool		found;

	if (slice == NULL || slice->length >= MAX_ID)
		result_missing_identity(&split->parts[0]);
	memcpy(id, record->window + slice->start, slice->length);
	if (first && came_before(split, id))
		return NULL;
	entry = hash_search(split->by_id, id, first ? HASH_ENTER : HASH_FIND,
						&found);
	if (entry == NULL || found)
		return entry != NULL && !first ? entry->row : NULL;
	entry->row = palloc(sizeof(SplitRow));
	entry->row->values = palloc0(sizeof(Datum) * natts);
	entry->row->nulls = palloc(natts);
	memset(entry->row->nulls, true, natts);
	entry->row->parts = 0;
	split->rows = lappend(split->rows, entry->row);
	return entry->row;
}

static void
add_part(SplitRow *row, const RowMap *part, const TupleTableSlot *slot)
{
	for (int i = 0; i < part->ncolumns; i++)
	{
		int			index = part->columns[i].attnum - 1;

		row->values[index] = slot->tts_values[index];
		row->nulls[index] = slot->tts_isnull[index];
	}
	row->parts++;
}

static void
note_carried(FieldSplit *split, const RowMap *part, const Response *response)
{
	for (int i = 0; i < part->ncolumns; i++)
		if (response_has_field(response, &part->columns[i]))
			split->carried[part->columns[i].attnum] = true;
}

/* Asks for one part of the people that a filter names. */
static void
read_part(FieldSplit *split, int p, const RequestFilter *filter,
		  TupleTableSlot *slot)
{
	RowMap	   *part = &split->parts[p];
	/* Who cannot be found one by one has gone. */
	ResponseFindings findings = {.context = split->context, .answers = 1};
	Response   *response =
		response_create(split->subject, split->acquired,
						request_create(part, split->options, filter), part,
						split->counters, &findings, false);

	while (response_next(response))
	{
		const RowRecord *record = response_record(response);
		SplitRow    *row = row_of(split, record, &part->identity, p == 0, slot);

		if (row == NULL || row->parts != p)
			continue;
		row_map_store(part, record, slot);
		add_part(row, part, slot);
	}
	note_carried(split, part, response);
}

/* Reads the next people.  False if there are none. */
static bool
read_batch(FieldSplit *split, TupleTableSlot *slot)
{
	RequestFilter filter = *split->filter;
	int			size = filter.batch_size > 0 ? filter.batch_size :
		REQUEST_BATCH;
	MemoryContext old;

	if (split->next >= list_length(split->values))
		return false;
	MemoryContextReset(split->context);
	old = MemoryContextSwitchTo(split->context);
	filter.values = list_copy_tail(split->values, split->next);
	filter.values = list_truncate(filter.values, size);
	split->next += size;
	split->rows = NIL;
	split->next_row = 0;
	split->by_id = create_hash(split->context);
	for (int p = 0; p < split->nparts; p++)
		read_part(split, p, &filter, slot);
	MemoryContextSwitchTo(old);
	return true;
}

bool
field_split_next(FieldSplit *split, TupleTableSlot *slot)
{
	int			natts = slot->tts_tupleDescriptor->natts;

	for (;;)
	{
		ExecClearTuple(slot);
		while (split->next_row < list_length(split->rows))
		{
			SplitRow    *row = list_nth(split->rows, split->next_row++);

			if (row->parts < split->nparts)
				continue;
			memcpy(slot->tts_values, row->values, sizeof(Datum) * natts);
			memcpy(slot->tts_isnull, row->nulls, natts);
			ExecStoreVirtualTuple(slot);
			split->findings->rows++;
			return true;
		}
		if (!read_batch(split, slot))
			return false;
	}
}

bool
field_split_has_field(const FieldSplit *split, const RowColumn *column)
{
	return split->carried[column->attnum];
}
