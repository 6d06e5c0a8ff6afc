/*
 * row_counts.c
 *		How many rows a foreign table had when this session last read all of it.
 */
#include "postgres.h"

#include "session/row_counts.h"
#include "utils/hsearch.h"
#include "utils/inval.h"

typedef struct RowCountEntry
{
	Oid			relid;			/* hash key */
	double		rows;			/* negative: not any more */
} RowCountEntry;

static HTAB *tables = NULL;

/* The table's options may have changed, or it is gone. */
static void
forget(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS seq;
	RowCountEntry  *table;

	hash_seq_init(&seq, tables);
	while ((table = hash_seq_search(&seq)) != NULL)
		if (!OidIsValid(relid) || table->relid == relid)
			table->rows = -1;
}

static void
make_table(void)
{
	HASHCTL ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(RowCountEntry)};

	tables = hash_create("hibob_fdw tables seen", 32, &ctl,
						 HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(forget, (Datum) 0);
}

void
row_count_note(Oid relid, double rows)
{
	RowCountEntry  *table;

	if (tables == NULL)
		make_table();
	table = hash_search(tables, &relid, HASH_ENTER, NULL);
	table->rows = rows;
}

double
row_count_last(Oid relid)
{
	RowCountEntry  *table = tables == NULL ? NULL :
		hash_search(tables, &relid, HASH_FIND, NULL);

	return table == NULL ? -1 : table->rows;
}
