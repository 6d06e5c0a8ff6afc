/*
 * request.c
 *		A scan's columns and filter values become HTTP requests.
 *
 * Source: HiBob's contract for reading people.  At most one filter, on root.id
 * or root.email with "equals"; an empty filter list is refused, so the key is
 * left out; showInactive is false by default; humanReadable "APPEND" adds the
 * forms for people.  A single employee has an endpoint of its own, which also
 * finds inactive ones.
 */
#include "postgres.h"

#include "json_doc.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "request.h"
#include "url.h"

static bool
list_has(const List *list, const char *text)
{
	ListCell   *lc;

	foreach(lc, list)
		if (strcmp((char *) lfirst(lc), text) == 0)
			return true;
	return false;
}

static List *
add_distinct(List *list, const char *text)
{
	return list_has(list, text) ? list : lappend(list, (char *) text);
}

static bool
is_default_field(const CatalogResource *resource, const char *field)
{
	for (const char *const *f = resource->default_fields; *f != NULL; f++)
		if (strcmp(*f, field) == 0)
			return true;
	return false;
}

/*
 * The fields to ask for: the row's identity, which messages name, and those of
 * the columns.  A column that takes the whole row wants what HiBob sends by
 * itself, and that has to be spelled out only beside fields that it does not.
 */
static List *
wanted_fields(const RowMap *map)
{
	const CatalogResource *resource = map->resource;
	List	   *fields = list_make1((char *) resource->identity_field);
	bool		whole_row = false;
	bool		beyond_default = false;

	for (int i = 0; i < map->ncolumns; i++)
	{
		const char *field = map->columns[i].options->field;

		if (strcmp(field, CATALOG_WHOLE_ROW) == 0)
			whole_row = true;
		else
		{
			beyond_default |= !is_default_field(resource, field);
			fields = add_distinct(fields, field);
		}
	}
	if (!whole_row)
		return fields;
	if (!beyond_default)
		return NIL;
	for (const char *const *f = resource->default_fields; *f != NULL; f++)
		fields = add_distinct(fields, *f);
	return fields;
}

static bool
wants_human(const RowMap *map)
{
	for (int i = 0; i < map->ncolumns; i++)
		if (map->columns[i].human)
			return true;
	return false;
}

static int
compare_values(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/*
 * A value for a JSON document: as UTF-8, and checked where the database does
 * not know its own encoding.
 */
static char *
to_utf8(char *value)
{
	int			length = (int) strlen(value);
	char	   *result = pg_server_to_any(value, length, PG_UTF8);

	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		pg_verify_mbstr(PG_UTF8, result, (int) strlen(result), false);
	return result;
}

static void
set_values(Request *request, const RequestFilter *filter)
{
	ListCell   *lc;
	int			n = 0;
	int			distinct = 0;

	request->values = palloc(sizeof(char *) *
							 Max(list_length(filter->values), 1));
	foreach(lc, filter->values)
		request->values[n++] = to_utf8(lfirst(lc));
	qsort(request->values, n, sizeof(char *), compare_values);
	for (int i = 0; i < n; i++)
		if (i == 0 ||
			strcmp(request->values[i], request->values[distinct - 1]) != 0)
			request->values[distinct++] = request->values[i];
	request->nvalues = distinct;
	request->nothing |= distinct == 0;
}

static void
check_number_of_fields(const RowMap *map, const List *fields)
{
	if (list_length(fields) > CATALOG_MAX_FIELDS)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_TOO_MANY_HANDLES),
				 errmsg("too many fields for one request to HiBob"),
				 errdetail("The query needs %d fields of foreign table \"%s\"; one request may name %d.",
						   list_length(fields), map->table,
						   CATALOG_MAX_FIELDS),
				 errhint("Name the columns that you need instead of selecting all.")));
}

Request *
request_create(const RowMap *map, const RequestFilter *filter)
{
	Request    *request = palloc0(sizeof(Request));

	request->resource = map->resource;
	request->nothing = filter->nothing;
	request->show_inactive = !filter->active_only;
	request->batch_size = filter->batch_size > 0 ? filter->batch_size :
		REQUEST_BATCH;
	if (map->resource->has_fields)
	{
		request->fields = wanted_fields(map);
		check_number_of_fields(map, request->fields);
		request->human = wants_human(map);
	}
	if (filter->field != NULL)
	{
		set_values(request, filter);

		/* Beyond some batches, asking for everybody is cheaper. */
		if (filter->batch_size > 0 ||
			request->nvalues <= REQUEST_BATCH * REQUEST_MAX_BATCHES)
			request->filter_field = filter->field;
	}
	return request;
}

static bool
is_id(const char *value)
{
	return value[0] != '\0' && strspn(value, "0123456789") == strlen(value);
}

/*
 * Whether a value has the form of an e-mail address, strictly enough that it
 * cannot be taken for another path.
 */
static bool
is_email(const char *value)
{
	static const char letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t		local;
	size_t		domain;
	const char *at = strchr(value, '@');
	char		allowed[sizeof(letters) + 8];

	if (at == NULL)
		return false;
	snprintf(allowed, sizeof(allowed), "%s%s", letters, "._%+'-");
	local = strspn(value, allowed);
	if (local == 0 || value + local != at)
		return false;
	snprintf(allowed, sizeof(allowed), "%s%s", letters, ".-");
	domain = strspn(at + 1, allowed);
	return domain > 0 && at[1 + domain] == '\0';
}

/*
 * Whether the one value can be looked up by the endpoint for one employee.
 * Each field only by its own kind of identifier: an e-mail column is not
 * searched by an id.
 */
static bool
is_single(const Request *request)
{
	if (request->resource->single_path == NULL ||
		request->filter_field == NULL || request->nvalues != 1 ||
		!request->show_inactive)
		return false;
	return strcmp(request->filter_field, CATALOG_FIELD_ID) == 0 ?
		is_id(request->values[0]) : is_email(request->values[0]);
}

/* Puts an identifier into "/people/{identifier}". */
static char *
single_path(const Request *request)
{
	const char *pattern = request->resource->single_path;
	const char *brace = strchr(pattern, '{');

	return psprintf("%.*s%s", (int) (brace - pattern), pattern,
					url_escape_segment(request->values[0]));
}

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
put_filter(JsonDoc *body, const Request *request)
{
	JsonDoc    *filters = json_doc_put_array(body, "filters");
	JsonDoc    *filter = json_doc_append_object(filters);
	JsonDoc    *values;
	bool		ok;

	ok = json_doc_put_text(filter, "fieldPath", request->filter_field) &&
		json_doc_put_text(filter, "operator", "equals");
	values = json_doc_put_array(filter, "values");
	for (int i = request->first; i < request->next; i++)
		ok = ok && json_doc_append_text(values, request->values[i]);
	return ok && values != NULL;
}

static bool
fill_body(JsonDoc *body, const Request *request, bool single)
{
	bool		ok = true;

	if (request->fields != NIL)
		ok = put_texts(body, "fields", request->fields);
	if (!single)
	{
		if (request->filter_field != NULL)
			ok = ok && put_filter(body, request);
		ok = ok && json_doc_put_flag(body, "showInactive",
									 request->show_inactive);
	}
	if (request->human)
		ok = ok && json_doc_put_text(body, "humanReadable", "APPEND");
	return ok;
}

static char *
make_body(const Request *request, bool single)
{
	JsonDoc    *body = json_doc_new();
	char	   *volatile result = NULL;

	PG_TRY();
	{
		const char *text = NULL;

		if (body != NULL && fill_body(body, request, single))
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

bool
request_next(Request *request, RequestCall *call)
{
	const CatalogResource *resource = request->resource;
	bool		single = is_single(request);

	if (request->done || request->nothing)
		return false;
	memset(call, 0, sizeof(*call));
	request->first = request->next;
	request->next = request->filter_field == NULL ? 0 :
		Min(request->first + request->batch_size, request->nvalues);
	request->done = request->filter_field == NULL ||
		request->next == request->nvalues;

	call->method = resource->method;
	call->endpoint = single ? resource->single_path : resource->path;
	call->path = single ? single_path(request) : resource->path;
	call->rows = single ? resource->single_rows : resource->rows;
	call->absent_is_empty = single;
	if (resource->has_fields)
		call->body = make_body(request, single);
	return true;
}

bool
request_has_batches(const Request *request)
{
	return request->filter_field != NULL &&
		request->nvalues > request->batch_size;
}

bool
request_covers(const Request *request, const char *value, size_t length)
{
	int			low = request->first;
	int			high = request->next;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		const char *candidate = request->values[middle];
		int			order = strncmp(value, candidate, length);

		if (order == 0 && candidate[length] != '\0')
			order = -1;
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}
