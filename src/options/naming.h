/*
 * naming.h
 *		Names of columns and tables, made of the names that people see in HiBob.
 *
 * In snake_case, with the letters of any language; no two alike.  Which of two
 * equal names gets the simple form depends on who asks first: whoever asks in
 * the order of ids gets the same names each time.
 */
#ifndef HIBOB_OPTIONS_NAMING_H
#define HIBOB_OPTIONS_NAMING_H

#include "postgres.h"

typedef struct Naming Naming;

/* Nothing is taken yet.  It lives in the present memory context. */
extern Naming *naming_create(void);

/* Takes a name, so that nothing else gets it. */
extern void naming_reserve(Naming *naming, const char *name);

/*
 * Takes a name for something that is displayed so, in UTF-8; one with its
 * category in front if that is taken; then one with a number.  A thing whose
 * display name has no letter or digit is called by its id.
 */
extern char *naming_choose(Naming *naming, const char *display,
						   const char *category, const char *id);

/*
 * A text from HiBob in the database's encoding.  NULL if there is no text, it
 * is not valid UTF-8, or the encoding lacks one of its characters.
 */
extern char *naming_to_server(const char *text);

/* Takes a name that is another one with an ending. */
extern char *naming_derive(Naming *naming, const char *name,
						   const char *ending);

#endif							/* HIBOB_OPTIONS_NAMING_H */
