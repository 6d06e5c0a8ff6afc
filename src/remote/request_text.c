/*
 * request_text.c
 *		How a request is spelled: its path, its query string, its body.
 *
 * Source: HiBob's contract for reading people, and its specification.  A
 * search for people has at most one filter, and an empty list of filters is
 * refused, so the key is left out; a search for positions has to have the
 * list.  showInactive is false by default; humanReadable "APPEND" adds the
 * forms for people, where other endpoints have a flag for that.
 */
#include "postgres.h"

#include "http/url.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "reader/json_doc.h"
#include "remote/request_text.h"

/* ------------------------------------------------------------------------
 * Path and query string
 * ------------------------------------------------------------------------
 */

/* What a word in braces stands for: the thing of an option, or the value. */
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

/* Fills in the words in braces, each as a segment of the path. */
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

/* Begins a further parameter. */
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
		append_parameter(&path, &first, psprintf("limit=%d", request->limit));
		append_bound(&path, &first, "cursor", cursor);
	}
	return path.data;
}

/* ------------------------------------------------------------------------
 * Body
 *
 * Each function says whether there was memory enough.
 * ------------------------------------------------------------------------
 */

static bool
put_texts(JsonDoc *object, const char *key, const List *texts)
{
	JsonDoc    *array = json_doc_put_array(object, key);
	ListCell   *lc;
	bool		ok = array != NULL;

	foreach(lc, texts)
		ok = ok && json_doc_append_text(array, lfirst(lc));
	return ok;
}

static bool
put_values(JsonDoc *filters, const Request *request, const RequestCall *call)
{
	JsonDoc    *filter = json_doc_append_object(filters);
	JsonDoc    *values;
	bool		ok;

	ok = json_doc_put_text(filter, "fieldPath", request->filter->parameter) &&
		json_doc_put_text(filter, "operator", "equals");
	values = json_doc_put_array(filter, "values");
	for (int i = call->first; i < call->next; i++)
		ok = ok && json_doc_append_text(values, request->values[i]);
	return ok && values != NULL;
}

static bool
put_bound(JsonDoc *filters, const char *name, const char *operator,
		  const char *value)
{
	JsonDoc    *filter;

	if (value == NULL)
		return true;
	filter = json_doc_append_object(filters);
	return json_doc_put_text(filter, "fieldPath", name) &&
		json_doc_put_text(filter, "operator", operator) &&
		json_doc_put_text(filter, "value", value);
}

static bool
put_filters(JsonDoc *body, const Request *request, const RequestCall *call)
{
	bool		has_values = request->filter != NULL &&
		request->filter->place == PLACE_BODY;
	bool		has_bounds = request->bounds_place == PLACE_BODY &&
		(request->lower_name != NULL || request->upper_name != NULL);
	JsonDoc    *filters;
	bool		ok = true;

	if (!has_values && !has_bounds && !request->resource->needs_filters)
		return true;
	filters = json_doc_put_array(body, "filters");
	if (has_values)
		ok = put_values(filters, request, call);
	if (has_bounds)
		ok = ok && put_bound(filters, request->lower_name,
							 "greaterThanOrEquals",
							 request->lowers[call->range]) &&
			put_bound(filters, request->upper_name, "lessThanOrEquals",
					  request->uppers[call->range]);
	return ok && filters != NULL;
}

static bool
put_page(JsonDoc *body, const Request *request, const char *cursor)
{
	JsonDoc    *page;

	if (request->resource->paging != PAGING_BODY)
		return true;
	page = json_doc_put_object(body, "pagination");
	return json_doc_put_number(page, "limit", request->limit) &&
		(cursor == NULL || json_doc_put_text(page, "cursor", cursor));
}

static bool
put_human(JsonDoc *body, const Request *request)
{
	const char *key = request->resource->human;

	if (!request->human)
		return true;
	return request->resource->form == ROW_EMPLOYEE ?
		json_doc_put_text(body, key, "APPEND") :
		json_doc_put_flag(body, key, true);
}

/* Whether the body says which people by their status. */
static bool
has_status(const Resource *resource)
{
	for (int i = 0; i < resource->nfilters; i++)
		if (resource->filters[i].place == PLACE_STATUS)
			return true;
	return false;
}

static bool
fill_body(JsonDoc *body, const Request *request, const RequestCall *call,
		  const char *cursor)
{
	bool		ok = true;

	if (request->fields != NIL)
		ok = put_texts(body, "fields", request->fields);
	if (!call->single)
	{
		ok = ok && put_filters(body, request, call);
		if (has_status(request->resource))
			ok = ok && json_doc_put_flag(body, "showInactive",
										 request->show_inactive);
	}
	return ok && put_human(body, request) && put_page(body, request, cursor);
}

char *
request_body(const Request *request, const RequestCall *call,
			 const char *cursor)
{
	JsonDoc    *body;
	char	   *volatile result = NULL;

	if (strcmp(request->resource->method, "POST") != 0)
		return NULL;
	body = json_doc_new();
	PG_TRY();
	{
		const char *text = NULL;

		if (body != NULL && fill_body(body, request, call, cursor))
			text = json_doc_print(body);
		if (text == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
		result = pstrdup(text);
	}
	PG_FINALLY();
	{
		json_doc_free(body);
	}
	PG_END_TRY();
	return result;
}
