/*
 * request_text.h
 *		The text of a request: its path, its query string, its body.
 *
 * Private to request.c, which decides what a request contains.
 */
#ifndef HIBOB_REMOTE_REQUEST_TEXT_H
#define HIBOB_REMOTE_REQUEST_TEXT_H

#include "postgres.h"

#include "remote/request.h"

struct Request
{
	const Resource *resource;
	const TableOptions *options;
	List	   *fields;			/* of char *; NIL: the default fields */
	bool		human;
	bool		show_inactive;
	bool		nothing;		/* no row can meet the conditions */
	bool		found_values;
	bool		derived_values;
	const ResourceFilter *filter;	/* of the values; NULL: unfiltered */
	char	  **values;			/* sorted, distinct, UTF-8 */
	int			nvalues;
	int			batch_size;
	const ResourceFilter *argument_filter;	/* NULL: there is none */
	char	  **arguments;		/* as values; a request for each */
	int			narguments;
	char	  **origins;		/* of the values, or NULL */
	const char *day_name;		/* NULL: no day */
	const char *day;
	const char *lower_name;		/* of the parameter; NULL: no such bound */
	const char *upper_name;
	FilterPlace bounds_place;
	const char **lowers;		/* the bounds of each range, as sent; */
	const char **uppers;		/* NULL: open */
	int			nranges;		/* at least 1 */
	SuppliedValue supplied[RESOURCE_MAX_SUPPLIED]; /* the bounds and the day */
	int			limit;			/* entries of the first page; 0: no pages */
	bool		one_page;		/* that is expected to be enough */
	int			next;			/* of the values, for the next call */
	int			argument;		/* of the next call */
	int			range;			/* of the next call */
	bool		done;
};

/* The path with its query string, and the body or NULL, of a page of a call. */
extern char *request_path(const Request *request, const RequestCall *call,
						  const char *cursor);
extern char *request_body(const Request *request, const RequestCall *call,
						  const char *cursor);

#endif							/* HIBOB_REMOTE_REQUEST_TEXT_H */
