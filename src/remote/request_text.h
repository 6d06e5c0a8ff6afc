/*
 * request_text.h
 *		How a request is spelled: its path, its query string, its body.
 *
 * The lower half of request.c, which alone includes this.
 */
#ifndef HIBOB_REMOTE_REQUEST_TEXT_H
#define HIBOB_REMOTE_REQUEST_TEXT_H

#include "remote/request.h"

struct Request
{
	const Resource *resource;
	const TableOptions *options;
	List	   *fields;			/* of char *; NIL: names none */
	bool		human;
	bool		show_inactive;
	bool		nothing;		/* no row can meet the conditions */
	bool		found_values;
	bool		derived_values;
	const ResourceFilter *filter;	/* of the values; NULL: unfiltered */
	char	  **values;			/* sorted, distinct, UTF-8 */
	int			nvalues;
	int			batch_size;
	const char *lower_name;		/* of the parameter; NULL: no such bound */
	const char *upper_name;
	FilterPlace bounds_place;
	const char **lowers;		/* the bounds of each range, as HiBob has them; */
	const char **uppers;		/* NULL: open */
	int			nranges;		/* at least 1 */
	RowGiven	given[RESOURCE_MAX_GIVEN];	/* the bounds, as rows show them */
	int			limit;			/* entries a page; 0: no pages */
	bool		is_short;
	int			next;			/* of the values, for the next call */
	int			range;			/* of the next call */
	bool		done;
};

/* The path with its query string, and the body or NULL, of a call's page. */
extern char *request_path(const Request *request, const RequestCall *call,
						  const char *cursor);
extern char *request_body(const Request *request, const RequestCall *call,
						  const char *cursor);

#endif							/* HIBOB_REMOTE_REQUEST_TEXT_H */
