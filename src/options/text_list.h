/*
 * text_list.h
 *		Lists of C strings: membership, and lists without duplicates.
 */
#ifndef HIBOB_OPTIONS_TEXT_LIST_H
#define HIBOB_OPTIONS_TEXT_LIST_H

#include "postgres.h"

#include "nodes/pg_list.h"

static inline bool
text_list_has(const List *list, const char *text)
{
	ListCell   *lc;

	foreach(lc, list)
		if (strcmp((const char *) lfirst(lc), text) == 0)
			return true;
	return false;
}

/* Appends a text, which is not copied, unless the list has it. */
static inline List *
text_list_add(List *list, const char *text)
{
	return text_list_has(list, text) ? list :
		lappend(list, unconstify(char *, text));
}

/* For list_sort(). */
static inline int
text_list_compare(const ListCell *a, const ListCell *b)
{
	return strcmp((const char *) lfirst(a), (const char *) lfirst(b));
}

/* A sorted copy, with each text once. */
static inline List *
text_list_distinct(const List *list)
{
	List	   *sorted = list_copy(list);
	List	   *result = NIL;
	ListCell   *lc;

	list_sort(sorted, text_list_compare);
	foreach(lc, sorted)
		if (result == NIL || strcmp((const char *) llast(result),
									(const char *) lfirst(lc)) != 0)
			result = lappend(result, lfirst(lc));
	list_free(sorted);
	return result;
}

#endif							/* HIBOB_OPTIONS_TEXT_LIST_H */
