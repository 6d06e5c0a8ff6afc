/*
 * hints.h
 *		What was perhaps meant by a name that is none, and what there is.
 */
#ifndef HIBOB_OPTIONS_HINTS_H
#define HIBOB_OPTIONS_HINTS_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* The one of the valid names that is nearest to a wrong one, or NULL. */
extern const char *hint_closest_name(const char *name, List *valid);

/* "a, b, c" */
extern char *hint_join_names(List *names);

/*
 * A hint out of a list: what was perhaps meant, and what there is.  "what"
 * names the kind of thing; the introduction goes before the list.
 */
extern char *hint_from_names(const char *what, const char *name, List *valid,
							 const char *introduction);

#endif							/* HIBOB_OPTIONS_HINTS_H */
