/*
 * row_fuzz.c
 *		A fuzz harness of the code after the readers: metadata of responses and
 *		datums.
 *
 * The first bytes of the input choose a foreign table of server_fuzz.sql, and
 * one or all of its columns; the rest is a response.  Its rows are converted to
 * datums and printed.  It runs inside a server; see server_fuzz.c.
 */
#include "server_fuzz.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "remote/response_metadata.h"
#include "executor/tuptable.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "options/options.h"
#include "remote/response.h"
#include "row/row.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define HEAD 2
#define MAX_COLUMNS 32

static const char *const tables[] = {
	"people", "salaries", "positions", "report", "lists"
};

/* The state of one table; lives as long as the process. */
typedef struct Subject
{
	Relation	rel;
	const Resource *resource;
	RowMap	   *maps[MAX_COLUMNS + 1]; /* of all columns, and of each */
	int			nmaps;
	TupleTableSlot *slot;
} Subject;

/* The response that is being read. */
typedef struct RemoteResult
{
	Subject	   *subject;
	RowMap	   *map;
	RowReader	reader;
	ResponseMetadata metadata;
	ResponseSummary findings;
	RowRecord	record;
	const char *text;
	size_t		length;
} RemoteResult;

static Subject subjects[lengthof(tables)];

static void
add_map(Subject *subject, const List *attnums)
{
	require(subject->nmaps <= MAX_COLUMNS);
	subject->maps[subject->nmaps++] =
		row_map_create(subject->rel, attnums, subject->resource);
}

static void
open_subject(Subject *subject, const char *name)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	Oid			relid = RelnameGetRelid(name);
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);
	List	   *all = NIL;
	int			i;

	subject->rel = table_open(relid, AccessShareLock);
	subject->resource = table_options(table, server)->resource;
	for (i = 1; i <= RelationGetNumberOfAttributes(subject->rel); i++)
		all = lappend_int(all, i);
	add_map(subject, all);
	for (i = 1; i <= list_length(all); i++)
		add_map(subject, list_make1_int(i));
	subject->slot = MakeSingleTupleTableSlot(RelationGetDescr(subject->rel),
											 &TTSOpsVirtual);
	MemoryContextSwitchTo(old);
}

static void *
zeroed(size_t size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
open_answer(RemoteResult *answer)
{
	const Resource *resource = answer->subject->resource;
	JsonShape	shape = {
		.rows = resource->rows,
		.max_row = RESPONSE_MAX_ROW,
		.max_depth = RESPONSE_MAX_DEPTH
	};

	if (resource->form == ROW_CSV)
		answer->reader.csv = csv_reader_create(RESPONSE_MAX_ROW, zeroed);
	else
	{
		answer->reader.json = json_reader_create(&shape, zeroed);
		response_metadata_register(&answer->metadata, resource,
								   answer->reader.json);
		response_metadata_begin(&answer->metadata, CurrentMemoryContext);
	}
	answer->findings.context = CurrentMemoryContext;
	row_map_register(answer->map, &answer->reader, true);
	answer->record.reader = &answer->reader;
}

/* Each value can be printed, and is valid text in the database. */
static void
print_row(const Subject *subject)
{
	TupleDesc	desc = RelationGetDescr(subject->rel);
	Oid			output;
	bool		varlena;
	char	   *text;
	int			i;

	slot_getallattrs(subject->slot);
	for (i = 0; i < desc->natts; i++)
	{
		if (subject->slot->tts_isnull[i])
			continue;
		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &output, &varlena);
		text = OidOutputFunctionCall(output, subject->slot->tts_values[i]);
		require(pg_verifymbstr(text, (int) strlen(text), true));
		if (TupleDescAttr(desc, i)->atttypid == TEXTOID)
			require((int32) strlen(text) == DatumGetInt32(
				DirectFunctionCall1(textoctetlen, subject->slot->tts_values[i])));
	}
}

static void
store_row(void *argument)
{
	RemoteResult *answer = argument;
	Subject	   *subject = answer->subject;

	row_map_store(answer->map, &answer->record, subject->slot);
	print_row(subject);
	ExecClearTuple(subject->slot);
}

/* Reads the values around a row; returns false if they are invalid. */
static bool
take_row(RemoteResult *answer)
{
	HttpWindow	window = {answer->text, answer->length};
	bool		more = false;
	const char *defect;

	if (answer->reader.json == NULL)
		return true;
	defect = response_metadata_read_row(&answer->metadata, &answer->findings,
										window, true, answer->record.supplied,
										&more);
	require(!more);
	return defect == NULL;
}

static void
read_rows(void *argument)
{
	RemoteResult *answer = argument;
	JsonResult	result;
	char	   *cursor = NULL;
	int			errors = 0;

	answer->record.window = answer->text;
	while ((result = row_reader_next(&answer->reader, answer->text,
									 answer->length, true)) == JSON_ROW)
	{
		if (!take_row(answer))
			return;
		errors += (fuzz_attempt(store_row, answer) != NULL);
		if (errors > 4)
			return;
	}
	require(result == JSON_END || result == JSON_BAD);
	if (result == JSON_END && answer->reader.json != NULL)
		response_metadata_end(&answer->metadata, &answer->findings, &cursor);
	if (cursor != NULL)
		require(cursor[0] != '\0');
}

int
row_fuzz(const uint8_t *data, size_t size)
{
	RemoteResult answer = {.subject = NULL};
	Subject	   *subject;

	if (size < HEAD || size > 65536)
		return 0;
	subject = &subjects[data[0] % lengthof(subjects)];
	if (subject->rel == NULL)
		open_subject(subject, tables[data[0] % lengthof(subjects)]);
	answer.subject = subject;
	answer.map = subject->maps[data[1] % subject->nmaps];
	answer.length = size - HEAD;
	answer.text = memcpy(palloc(answer.length + 1), data + HEAD,
						 answer.length);
	open_answer(&answer);
	(void) fuzz_attempt(read_rows, &answer);
	return 0;
}
