/*
 * request_text.c
 *		The text of a request: its path, its query string, its body.
 *
 * Source of paths and bodies: HiBob's documentation of the search for people,
 * and its specification.  A search for people has at most one filter; an empty
 * list of filters is rejected, so the key is omitted.  A search for positions
 * needs the list.  showInactive is false by default.  humanReadable "APPEND"
 * adds the human-readable values; other endpoints have a flag for that.
 *
 * Text for HiBob is built by StringInfo and escape_json(), which raise an error
 * instead of truncating the text.
 */
#include "postgres.h"

#include "http/url.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "remote/request_text.h"
#include "utils/json.h"

/* ------------------------------------------------------------------------
 * Path and query string
 * ------------------------------------------------------------------------
 */

/*
 * The text for a word in braces: the table's option of that name, or the call's
 * value.
 */
static const char *
placeholder_value(const Request *request, const RequestCall *call,
				  const char *word, size_t length)
{
	const char *option = request->resource->id_option;

	if (option != NULL && strlen(option) == length &&
		strncmp(option, word, length) == 0)
		return pg_server_to_any(request->options->id,
								(int) strlen(request->options->id), PG_UTF8);
	return request->nvalues > 0 ? request->values[call->first] : "";
}

/* Replaces each word in braces by a segment of the path. */
static void
append_path(StringInfo path, const Request *request, const RequestCall *call)
{
	const char *pattern = call->endpoint;
	const char *brace;

	while ((brace = strchr(pattern, '{')) != NULL)
	{
		const char *end = strchr(brace, '}');

		appendBinaryStringInfo(path, pattern, (int) (brace - pattern));
		appendStringInfoString(
			path, url_escape_segment(placeholder_value(request, call, brace + 1,
													   end - brace - 1)));
		pattern = end + 1;
	}
	appendStringInfoString(path, pattern);
}

/* Starts a parameter. */
static void
append_parameter(StringInfo path, bool *first, const char *name)
{
	appendStringInfo(path, "%c%s", *first ? '?' : '&', name);
	*first = false;
}

static void
append_bound(StringInfo path, bool *first, const char *name,
			 const char *value)
{
	if (value == NULL)
		return;
	append_parameter(path, first, name);
	appendStringInfo(path, "=%s", url_escape_segment(value));
}

/* Only the first page may be a short one: see request_expects_one_page(). */
static int
page_entries(const Request *request, const char *cursor)
{
	return cursor == NULL ? request->limit : request->resource->page_limit;
}

/* name=value,value */
static void
append_values(StringInfo path, bool *first, const Request *request,
			  const RequestCall *call)
{
	append_parameter(path, first, request->filter->parameter);
	for (int i = call->first; i < call->next; i++)
		appendStringInfo(path, "%c%s", i == call->first ? '=' : ',',
						 url_escape_segment(request->values[i]));
}

char *
request_path(const Request *request, const RequestCall *call,
			 const char *cursor)
{
	const Resource *resource = request->resource;
	StringInfoData path;
	bool		first = true;

	initStringInfo(&path);
	append_path(&path, request, call);
	if (resource->query != NULL)
		append_parameter(&path, &first, resource->query);
	if (request->options->parameters != NULL)
		append_parameter(&path, &first, request->options->parameters);
	if (request->filter != NULL && request->filter->place == PLACE_QUERY)
		append_values(&path, &first, request, call);
	if (request->argument_filter != NULL)
		append_bound(&path, &first, request->argument_filter->parameter,
					 request->narguments > 0 ?
					 request->arguments[call->argument] : "");
	append_bound(&path, &first, request->day_name, request->day);
	if (request->bounds_place == PLACE_QUERY)
	{
		append_bound(&path, &first, request->lower_name,
					 request->lowers[call->range]);
		append_bound(&path, &first, request->upper_name,
					 request->uppers[call->range]);
	}
	if (request->human && strcmp(resource->method, "GET") == 0)
	{
		append_parameter(&path, &first, resource->human);
		appendStringInfoString(&path, "=true");
	}
	if (resource->paging == PAGING_QUERY)
	{
		append_parameter(&path, &first,
						 psprintf("limit=%d", page_entries(request, cursor)));
		append_bound(&path, &first, "cursor", cursor);
	}
	return path.data;
}

/* ------------------------------------------------------------------------
 * Body
 * ------------------------------------------------------------------------
 */

/* Starts an element of an array or a member of an object. */
static void
append_separator(StringInfo body)
{
	char		last = body->data[body->len - 1];

	if (last != '[' && last != '{')
		appendStringInfoChar(body, ',');
}

/* Starts a member.  Keys are ours: nothing in them needs an escape. */
static void
append_key(StringInfo body, const char *key)
{
	append_separator(body);
	appendStringInfo(body, "\"%s\":", key);
}

static void
append_member(StringInfo body, const char *key, const char *text)
{
	append_key(body, key);
	escape_json(body, text);
}

static void
append_element(StringInfo body, const char *text)
{
	append_separator(body);
	escape_json(body, text);
}

static void
append_fields(StringInfo body, const List *fields)
{
	ListCell   *lc;

	append_key(body, "fields");
	appendStringInfoChar(body, '[');
	foreach(lc, fields)
		append_element(body, lfirst(lc));
	appendStringInfoChar(body, ']');
}

/* Starts an element of "filters". */
static void
append_filter(StringInfo body, const Request *request, const char *name,
			  const char *operator)
{
	append_separator(body);
	appendStringInfoChar(body, '{');
	append_member(body, request->resource->filters_by_id ? "fieldId" :
				  "fieldPath", name);
	append_member(body, "operator", operator);
}

static void
append_value_filter(StringInfo body, const Request *request,
					const RequestCall *call)
{
	append_filter(body, request, request->filter->parameter, "equals");
	append_key(body, "values");
	appendStringInfoChar(body, '[');
	for (int i = call->first; i < call->next; i++)
		append_element(body, request->values[i]);
	appendStringInfoString(body, "]}");
}

/* The filter of a request that has no other. */
static void
append_fixed_filter(StringInfo body, const Request *request)
{
	const char *const *words = request->resource->fixed_filter;

	append_filter(body, request, words[0], "equals");
	append_key(body, "values");
	appendStringInfoChar(body, '[');
	for (int i = 1; words[i] != NULL; i++)
		append_element(body, words[i]);
	appendStringInfoString(body, "]}");
}

/* A bound: the lower one if "is_lower". */
static void
append_bound_filter(StringInfo body, const Request *request, const char *name,
					const char *value, bool is_lower)
{
	if (value == NULL)
		return;
	if (request->resource->filters_by_id)
	{
		append_filter(body, request, name, is_lower ? "from" : "to");
		append_key(body, "values");
		appendStringInfoChar(body, '[');
		append_element(body, value);
		appendStringInfoChar(body, ']');
	}
	else
	{
		append_filter(body, request, name, is_lower ? "greaterThanOrEquals" :
					  "lessThanOrEquals");
		append_member(body, "value", value);
	}
	appendStringInfoChar(body, '}');
}

static void
append_filters(StringInfo body, const Request *request,
			   const RequestCall *call)
{
	bool		has_values = request->filter != NULL &&
		request->filter->place == PLACE_BODY;
	bool		has_bounds = request->bounds_place == PLACE_BODY &&
		(request->lower_name != NULL || request->upper_name != NULL);

	if (!has_values && !has_bounds && !request->resource->needs_filters)
		return;
	append_key(body, "filters");
	appendStringInfoChar(body, '[');
	if (has_values)
		append_value_filter(body, request, call);
	else if (request->resource->fixed_filter != NULL)
		append_fixed_filter(body, request);
	if (has_bounds)
	{
		append_bound_filter(body, request, request->lower_name,
							request->lowers[call->range], true);
		append_bound_filter(body, request, request->upper_name,
							request->uppers[call->range], false);
	}
	appendStringInfoChar(body, ']');
}

static void
append_human(StringInfo body, const Request *request)
{
	const char *key = request->resource->human;

	if (request->resource->form == ROW_EMPLOYEE)
		append_member(body, key, "APPEND");
	else
	{
		append_key(body, key);
		appendStringInfoString(body, "true");
	}
}

/* Adds the size and the cursor of the page, in an object or at the top. */
static void
append_page(StringInfo body, const Request *request, const char *cursor)
{
	bool		nested = request->resource->paging == PAGING_BODY;

	if (nested)
	{
		append_key(body, "pagination");
		appendStringInfoChar(body, '{');
	}
	append_key(body, "limit");
	appendStringInfo(body, "%d", page_entries(request, cursor));
	if (cursor != NULL)
		append_member(body, "cursor", cursor);
	if (nested)
		appendStringInfoChar(body, '}');
}

/* Whether the body selects employees by their status. */
static bool
has_status(const Resource *resource)
{
	for (int i = 0; i < resource->nfilters; i++)
		if (resource->filters[i].place == PLACE_STATUS)
			return true;
	return false;
}

/* The body of a page, or NULL. */
char *
request_body(const Request *request, const RequestCall *call,
			 const char *cursor)
{
	const Resource *resource = request->resource;
	StringInfoData body;

	if (strcmp(resource->method, "POST") != 0)
		return NULL;
	initStringInfo(&body);
	appendStringInfoChar(&body, '{');
	if (request->fields != NIL)
		append_fields(&body, request->fields);
	if (!call->single)
		append_filters(&body, request, call);
	if (!call->single && has_status(resource))
	{
		append_key(&body, "showInactive");
		appendStringInfoString(&body, request->show_inactive ? "true" : "false");
	}
	if (request->human)
		append_human(&body, request);
	if (resource->paging == PAGING_BODY || resource->paging == PAGING_TOP)
		append_page(&body, request, cursor);
	appendStringInfoChar(&body, '}');
	return body.data;
}
