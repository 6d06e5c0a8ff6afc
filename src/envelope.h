/*
 * envelope.h
 *		What stands around the rows of an answer: the cursor of the next page,
 *		the employee that a group of rows belongs to, what HiBob withheld.
 */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include "postgres.h"

#include "catalog.h"
#include "json_reader.h"
#include "row.h"

struct ResponseFindings;

typedef struct Envelope
{
	const CatalogResource *resource;
	const JsonReader *reader;

	/* places, as numbers of the reader; -1: not wanted */
	int			cursors[2];
	int			errors;
	int			restricted[3];
	int			given[CATALOG_MAX_GIVEN];

	uint32		noted[3];		/* which values of "restricted" were noted */

	/* to find a cursor that comes again */
	MemoryContext context;
	char	   *mark;
	uint64		pages;			/* since the mark was set */
	uint64		patience;		/* pages until it is set anew */
} Envelope;

/* Asks a new reader for what a resource has around its rows. */
extern void envelope_register(Envelope *envelope,
							  const CatalogResource *resource,
							  JsonReader *reader);

/* A new sequence of pages begins, and will last no longer than a context. */
extern void envelope_begin(Envelope *envelope, MemoryContext context);

/*
 * A row has come: adds what its group says to what is given already.  Returns
 * NULL, or what is wrong.
 */
extern const char *envelope_take_row(Envelope *envelope,
									 struct ResponseFindings *findings,
									 RowGiven *given);

/*
 * The answer has ended.  Sets the cursor of the next page, palloc'd, or NULL.
 * Returns NULL, or what is wrong.
 */
extern const char *envelope_end(Envelope *envelope,
								struct ResponseFindings *findings,
								char **cursor);

#endif							/* ENVELOPE_H */
