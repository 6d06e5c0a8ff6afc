/*
 * field_split.c
 *		Employees with more fields than one request can name.
 *
 * The columns are split into parts, each with no more fields than a request may
 * name.  The filter's values are split into batches.  Each batch takes one
 * request for each part, and the results are joined by id.  An employee who is
 * missing in one of them was added or deleted between the requests and is
 * omitted, so every row is complete.  An employee who matches the values of two
 * batches, which happens with e-mail addresses that differ only in case, is
 * returned once.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "options/text_list.h"
#include "remote/field_split.h"
#include "remote/result_checks.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* A row that is being assembled. */
typedef struct SplitRow
{
	Datum	   *values;
	bool	   *nulls;
	int			parts;			/* that are filled in */
} SplitRow;

#define MAX_ID 128

typedef struct SplitEntry
{
	char		id[MAX_ID];		/* hash key, padded with zeros */
	SplitRow   *row;
} SplitEntry;

struct FieldSplit
{
	const ErrorSubject *subject;
	AcquiredChannel *acquired;
	const TableOptions *options;
	const RequestFilter *filter;
	List	   *values;			/* of the filter, distinct */
	ExchangeCounters *counters;
	ResponseSummary *summary;
	RowMap	   *parts;
	int			nparts;
	bool	   *present;		/* fields, by attribute number */
	int			next;			/* of the filter's values */
	MemoryContext context;		/* of the current batch */
	HTAB	   *by_id;
	HTAB	   *ids;			/* of all batches; NULL: the values are ids */
	List	   *rows;			/* of SplitRow, in the order of HiBob */
	int			next_row;
};

/* ------------------------------------------------------------------------
 * Parts
 * ------------------------------------------------------------------------
 */

/* The part that already has the field, or -1. */
static int
part_of_field(const RowMap *parts, int nparts, const char *field)
{
	for (int p = 0; p < nparts; p++)
		for (int i = 0; i < parts[p].ncolumns; i++)
			if (strcmp(parts[p].columns[i].field, field) == 0)
				return p;
	return -1;
}

/* The number of distinct fields of a map. */
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

/* A column with the whole row cannot be assembled from parts. */
bool
field_split_is_needed(const RowMap *map)
{
	return map->resource->form == ROW_EMPLOYEE &&
		map->ncolumns >= map->resource->max_fields &&
		!row_map_has_whole_row(map) &&
		count_fields(map) >= map->resource->max_fields;
}

/* Leaves room for the id in each part.  Returns the number of parts. */
static int
split_into_parts(RowMap *parts, const RowMap *map)
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

	(void) split_into_parts(parts, map);
	return parts;
}

static HTAB *
create_hash(MemoryContext context)
{
	HASHCTL		ctl;

	ctl.keysize = MAX_ID;
	ctl.entrysize = sizeof(SplitEntry);
	ctl.hcxt = context;
	return hash_create("hibob_fdw field split", REQUEST_BATCH, &ctl,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

FieldSplit *
field_split_create(const ErrorSubject *subject, AcquiredChannel *acquired,
				   const RowMap *map, const TableOptions *options,
				   const RequestFilter *filter, ExchangeCounters *counters,
				   ResponseSummary *summary)
{
	FieldSplit *split = palloc0(sizeof(FieldSplit));

	split->subject = subject;
	split->acquired = acquired;
	split->options = options;
	split->filter = filter;
	/* A duplicate would give a row for each batch that has it. */
	split->values = text_list_distinct(filter->values);
	split->counters = counters;
	split->summary = summary;
	split->present = palloc0(MaxAttrNumber + 1);
	split->context = AllocSetContextCreate(CurrentMemoryContext,
										   "hibob_fdw field split",
										   ALLOCSET_DEFAULT_SIZES);
	split->parts = allocate_parts(map);
	split->nparts = split_into_parts(split->parts, map);
	if (strcmp(filter->filter->field, RESOURCE_FIELD_ID) != 0)
		split->ids = create_hash(CurrentMemoryContext);
	return split;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

/* Whether an earlier batch returned the employee. */
static bool
is_duplicate(FieldSplit *split, const char *id)
{
	bool		found = false;

	if (split->ids != NULL)
		(void) hash_search(split->ids, id, HASH_ENTER, &found);
	return found;
}

/* The row of an id; only the first part adds rows. */
static SplitRow *
find_row(FieldSplit *split, const RowRecord *record, const RowField *identity,
	   bool first, TupleTableSlot *slot)
{
	const JsonSlice *slice = row_field_value(identity, record->reader);
	int			natts = slot->tts_tupleDescriptor->natts;
	char		id[MAX_ID] = {0};
	SplitEntry *entry;
	bool		found;

	if (slice == NULL || slice->length >= MAX_ID)
		result_missing_identity(&split->parts[0]);
	memcpy(id, record->window + slice->start, slice->length);
	if (first && is_duplicate(split, id))
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
note_present(FieldSplit *split, const RowMap *part, const Response *response)
{
	for (int i = 0; i < part->ncolumns; i++)
		if (response_has_field(response, &part->columns[i]))
			split->present[part->columns[i].attnum] = true;
}

/* Reads one part of a batch. */
static void
read_part(FieldSplit *split, int p, const RequestFilter *filter,
		  TupleTableSlot *slot)
{
	RowMap	   *part = &split->parts[p];
	/* Not the first response: an employee may be deleted meanwhile. */
	ResponseSummary summary = {.context = split->context, .responses = 1};
	Response   *response =
		response_create(split->subject, split->acquired,
						request_create(part, split->options, filter), part,
						split->counters, &summary, false);

	while (response_next(response))
	{
		const RowRecord *record = response_record(response);
		SplitRow   *row = find_row(split, record, &part->identity, p == 0, slot);

		if (row == NULL || row->parts != p)
			continue;
		row_map_store(part, record, slot);
		add_part(row, part, slot);
	}
	note_present(split, part, response);
}

/* Reads the next batch.  False if there is none. */
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
			SplitRow   *row = list_nth(split->rows, split->next_row++);

			if (row->parts < split->nparts)
				continue;
			memcpy(slot->tts_values, row->values, sizeof(Datum) * natts);
			memcpy(slot->tts_isnull, row->nulls, natts);
			ExecStoreVirtualTuple(slot);
			split->summary->rows++;
			return true;
		}
		if (!read_batch(split, slot))
			return false;
	}
}

bool
field_split_has_field(const FieldSplit *split, const RowColumn *column)
{
	return split->present[column->attnum];
}
