/*
 * naming.h
 *		Names of columns and tables, made from display names or ids in HiBob.
 *
 * Names are in snake_case, with the letters of any language, and unique.  The
 * first of two equal names gets the simple form, so a caller that proceeds in
 * the order of ids gets the same names each time.
 */
#ifndef HIBOB_OPTIONS_NAMING_H
#define HIBOB_OPTIONS_NAMING_H

#include "postgres.h"

typedef struct Naming Naming;

/*
 * A set of names, empty at first, in the current memory context.  With "by_id",
 * naming_choose() makes names from ids.
 */
extern Naming *naming_create(bool by_id);

/* Marks a name as taken. */
extern void naming_reserve(Naming *naming, const char *name);

/*
 * Chooses and reserves the name for a display name.  If the name is taken, it
 * gets its category as a prefix; if that is taken, too, a number is appended.
 * The name is made from the id if the display name has no letter or digit.  A
 * name by id is ASCII, with a number appended if it is taken.  Arguments are
 * UTF-8; the result, palloc'd, is in the database's encoding.
 */
extern char *naming_choose(Naming *naming, const char *display,
						   const char *category, const char *id);

/*
 * A text from HiBob in the database's encoding.  NULL if the text is NULL or
 * not valid UTF-8, or if the encoding lacks one of its characters.
 */
extern char *naming_to_server(const char *text);

/* A text of the database in UTF-8; NULL if UTF-8 lacks one of its characters. */
extern char *naming_to_utf8(const char *text);

/* Chooses and reserves a name with an ending appended. */
extern char *naming_derive(Naming *naming, const char *name,
						   const char *ending);

#endif							/* HIBOB_OPTIONS_NAMING_H */
