/*
 * hints.c
 *		What was perhaps meant by a name that is none, and what there is.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "options/hints.h"
#include "utils/varlena.h"

/*
 * Near is what differs by at most four characters, and by no more than half of
 * the name: of a short name, everything would be near.
 */
const char *
hint_closest_name(const char *name, List *valid)
{
	int			length = strlen(name);
	const char *closest = NULL;
	int			allowed = Min(4, length / 2);
	ListCell   *cell;

	/* the distance takes time and space by the product of the lengths */
	if (length >= NAMEDATALEN * MAX_MULTIBYTE_CHAR_LEN)
		return NULL;

	foreach(cell, valid)
	{
		const char *candidate = lfirst(cell);
		int			distance;

		distance = varstr_levenshtein_less_equal(name, length, candidate,
												 strlen(candidate), 1, 1, 1,
												 allowed, true);
		if (distance <= allowed)
		{
			closest = candidate;
			allowed = distance - 1; /* only a nearer one replaces it */
		}
		if (allowed < 0)
			break;
	}
	return closest;
}

char *
hint_join_names(List *names)
{
	StringInfoData buffer;
	ListCell   *cell;

	initStringInfo(&buffer);
	foreach(cell, names)
	{
		if (buffer.len > 0)
			appendStringInfoString(&buffer, ", ");
		appendStringInfoString(&buffer, lfirst(cell));
	}
	return buffer.data;
}

char *
hint_from_names(const char *what, const char *name, List *valid,
				const char *introduction)
{
	const char *closest = hint_closest_name(name, valid);
	StringInfoData hint;

	initStringInfo(&hint);
	if (closest != NULL)
		appendStringInfo(&hint, "Perhaps you meant the %s \"%s\". ", what,
						 closest);
	appendStringInfo(&hint, "%s: %s.", introduction, hint_join_names(valid));
	return hint.data;
}
