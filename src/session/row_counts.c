/*
 * row_counts.c
 *		How many rows a foreign table had when this session last read all of it.
 */
#include "postgres.h"

#include "session/row_counts.h"
#include "utils/inval.h"

#define MAX_TABLES 256

typedef struct RowCount
{
	Oid			relid;			/* InvalidOid: unused */
	double		rows;
} RowCount;

/* The oldest entry makes room for a new one. */
static RowCount counts[MAX_TABLES];
static int	next_entry = 0;

static RowCount *
find_entry(Oid relid)
{
	for (int i = 0; i < MAX_TABLES; i++)
		if (counts[i].relid == relid)
			return &counts[i];
	return NULL;
}

/* The table's options may have changed, or it was dropped. */
static void
invalidate(Datum arg, Oid relid)
{
	RowCount   *entry = OidIsValid(relid) ? find_entry(relid) : NULL;

	if (!OidIsValid(relid))
		memset(counts, 0, sizeof(counts));
	else if (entry != NULL)
		entry->relid = InvalidOid;
}

void
row_counts_init(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
	registered = true;
}

void
row_count_note(Oid relid, double rows)
{
	RowCount   *entry = find_entry(relid);

	if (entry == NULL)
	{
		entry = &counts[next_entry];
		next_entry = (next_entry + 1) % MAX_TABLES;
	}
	entry->relid = relid;
	entry->rows = rows;
}

double
row_count_last(Oid relid)
{
	const RowCount *entry = find_entry(relid);

	return entry == NULL ? -1 : entry->rows;
}
