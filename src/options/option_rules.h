/*
 * option_rules.h
 *		The options that exist, and how each is parsed.
 *
 * Only options.c includes this.
 */
#ifndef HIBOB_OPTIONS_OPTION_RULES_H
#define HIBOB_OPTIONS_OPTION_RULES_H

#include "postgres.h"

#include "catalog/pg_namespace_d.h"
#include "options/options.h"

/*
 * The options of IMPORT FOREIGN SCHEMA belong to no catalog's objects.  The
 * server never calls the validator for this catalog.
 */
#define OPTION_IMPORT NamespaceRelationId

typedef struct OptionRule OptionRule;

/*
 * Parses a value and stores it.  Returns NULL if it is valid, otherwise a
 * sentence for the message's detail, which may be empty and never repeats the
 * value.
 */
typedef const char *(*OptionParser) (const OptionRule *rule,
									 const char *value, void *place);

struct OptionRule
{
	const char *name;
	Oid			catalog;		/* of the objects that it belongs to */
	OptionParser parse;
	size_t		offset;			/* of its member in the struct of options */
	const char *valid;			/* for a hint: continues "Specify " */
	int			min;
	int			max;
	const char *const *words;	/* the valid values, in their enum's order */
	const char *missing_hint;	/* not NULL: the option is required, */
	const char *unless;			/* unless this other one is set */
	bool		superuser;		/* only superusers may set it */
	bool		particular;		/* only some resources have it */
	bool		secret;			/* messages must not repeat the value */
};

/* In the order in which hints list them. */
extern const OptionRule option_rules[];
extern const int option_nrules;

/* Whether the rule's values are resources. */
extern bool option_is_resource(const OptionRule *rule);

/* The defect of a path of keys, as a sentence, or NULL. */
extern const char *option_key_defect(const char *value);

#endif							/* HIBOB_OPTIONS_OPTION_RULES_H */
