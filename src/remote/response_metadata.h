/*
 * response_metadata.h
 *		The metadata around the rows of a response: the cursor of the next page,
 *		the employee that a group of rows belongs to, what HiBob withheld.
 */
#ifndef HIBOB_REMOTE_RESPONSE_METADATA_H
#define HIBOB_REMOTE_RESPONSE_METADATA_H

#include "postgres.h"

#include "http/http.h"
#include "reader/json_reader.h"
#include "resources/resource.h"
#include "row/row.h"

struct ResponseSummary;

typedef struct ResponseMetadata
{
	const Resource *resource;
	const JsonReader *reader;

	/* numbers of values outside of rows, see json_reader_want_outside() */
	int			cursors[2];
	int			errors;
	int			restricted[3];
	int			supplied[RESOURCE_MAX_SUPPLIED];

	bool		describes_rows;	/* there are such values for rows */
	uint32		noted[3];		/* the last noted value of "restricted" */
	bool		hides;			/* the header of the current response says that
								 * columns are restricted, */
	bool		names_hidden;	/* and its body lists them */

	/* to detect a cursor that is repeated */
	MemoryContext context;
	char	   *mark;			/* an earlier cursor */
	uint64		pages;			/* since the mark was set */
	uint64		mark_pages;		/* pages until it is set again */
} ResponseMetadata;

/* Requests the metadata of a resource from a new reader. */
extern void response_metadata_register(ResponseMetadata *metadata,
									   const Resource *resource,
									   JsonReader *reader);

/* Begins a sequence of pages; the context lives as long as the sequence. */
extern void response_metadata_begin(ResponseMetadata *metadata,
									MemoryContext context);

/* Begins a response; "hides" is whether its header says so. */
extern void response_metadata_begin_response(ResponseMetadata *metadata,
											 bool hides);

/*
 * Call it for each row if it "describes_rows": sets the values that the row's
 * group has.  Returns NULL, or a description of a defect.  Sets "more" if the
 * window needs more bytes; then call it again.
 */
extern const char *response_metadata_read_row(ResponseMetadata *metadata,
											  struct ResponseSummary *summary,
											  HttpWindow window, bool last,
											  SuppliedValue *supplied,
											  bool *more);

/*
 * Call it at the end of a response.  Sets the cursor of the next page,
 * palloc'd, or NULL.  Returns NULL, or a description of a defect.
 */
extern const char *response_metadata_end(ResponseMetadata *metadata,
										 struct ResponseSummary *summary,
										 char **cursor);

#endif							/* HIBOB_REMOTE_RESPONSE_METADATA_H */
