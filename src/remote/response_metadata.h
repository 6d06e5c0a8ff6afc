/*
 * response_metadata.h
 *		What stands around the rows of an answer: the cursor of the next page,
 *		the employee that a group of rows belongs to, what HiBob withheld.
 */
#ifndef HIBOB_REMOTE_RESPONSE_METADATA_H
#define HIBOB_REMOTE_RESPONSE_METADATA_H

#include "postgres.h"

#include "reader/json_reader.h"
#include "resources/resource.h"
#include "row/row.h"

struct ResponseFindings;

typedef struct ResponseMetadata
{
	const Resource *resource;
	const JsonReader *reader;

	/* places, as numbers of the reader; -1: not wanted */
	int			cursors[2];
	int			errors;
	int			restricted[3];
	int			given[RESOURCE_MAX_GIVEN];

	uint32		noted[3];		/* which values of "restricted" were noted */

	/* to find a cursor that comes again */
	MemoryContext context;
	char	   *mark;
	uint64		pages;			/* since the mark was set */
	uint64		patience;		/* pages until it is set anew */
} ResponseMetadata;

/* Asks a new reader for what a resource has around its rows. */
extern void response_metadata_register(ResponseMetadata *metadata,
									   const Resource *resource,
									   JsonReader *reader);

/* A new sequence of pages begins, and will last no longer than a context. */
extern void response_metadata_begin(ResponseMetadata *metadata,
									MemoryContext	  context);

/*
 * A row has come: adds what its group says to what is given already.  Returns
 * NULL, or what is wrong.
 */
extern const char *response_metadata_read_row(ResponseMetadata *metadata,
											  struct ResponseFindings *findings,
											  RowGiven *given);

/*
 * The answer has ended.  Sets the cursor of the next page, palloc'd, or NULL.
 * Returns NULL, or what is wrong.
 */
extern const char *response_metadata_end(ResponseMetadata *metadata,
										 struct ResponseFindings *findings,
										 char **cursor);

#endif							/* HIBOB_REMOTE_RESPONSE_METADATA_H */
