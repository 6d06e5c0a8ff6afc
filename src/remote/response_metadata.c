/*
 * response_metadata.c
 *		What a response has around its rows.
 *
 * Source: HiBob's specification and existing clients.  Most endpoints call the
 * cursor of the next page "next_cursor"; the specification of the bulk tables
 * says "cursor".  Employees that the request names and that HiBob does not show
 * are in "errors", a list of objects with one key each: the employee's id, or the
 * word employeeId.  Columns that HiBob does not show are in "restricted_columns",
 * beside the rows that lack them.
 */
#include "postgres.h"

#include "reader/json_doc.h"
#include "remote/remote_error.h"
#include "remote/response.h"
#include "remote/response_metadata.h"

/* HiBob's messages that are shown. */
#define MAX_DENIALS 5

/* Names of columns that are kept; no table has more columns. */
#define MAX_NAMES 1600

/* Bytes of a cursor; a longer one would not fit into the URL of a request. */
#define MAX_CURSOR 8192

static const char *const restricted_places[] = {
	"restricted_columns",
	"results[].restricted_columns",
	"results[].values[].restricted_columns",
};

/* ------------------------------------------------------------------------
 * Registration
 * ------------------------------------------------------------------------
 */

static void
want_pages(ResponseMetadata *metadata, JsonReader *reader)
{
	metadata->cursors[0] =
		json_reader_want_outside(reader, "response_metadata.next_cursor");
	metadata->cursors[1] =
		json_reader_want_outside(reader, "response_metadata.cursor");
	metadata->errors = json_reader_want_outside(reader, "errors");
}

/* Only tables of employees have restricted columns. */
static bool
may_restrict(const Resource *resource)
{
	return resource->given[0].field != NULL &&
		resource->given[0].source <= GIVEN_VALUE;
}

void
response_metadata_register(ResponseMetadata *metadata, const Resource *resource,
						   JsonReader *reader)
{
	metadata->resource = resource;
	metadata->reader = reader;
	if (resource->paging != PAGING_NONE)
		want_pages(metadata, reader);
	if (may_restrict(resource))
		for (size_t i = 0; i < lengthof(restricted_places); i++)
			metadata->restricted[i] =
				json_reader_want_lasting(reader, restricted_places[i]);
	for (int i = 0; i < RESOURCE_MAX_GIVEN; i++)
		if (resource->given[i].source == GIVEN_GROUP)
			metadata->given[i] =
				json_reader_want_outside(reader, resource->given[i].place);
}

void
response_metadata_begin(ResponseMetadata *metadata, MemoryContext context)
{
	metadata->context = context;
	metadata->mark = NULL;
	metadata->pages = 0;
	metadata->mark_pages = 1;
}

void
response_metadata_begin_answer(ResponseMetadata *metadata, bool hides)
{
	metadata->hides = hides;
	metadata->names_hidden = false;
}

/* ------------------------------------------------------------------------
 * What HiBob withheld
 * ------------------------------------------------------------------------
 */

/* Adds a text to a list that has it not yet. */
static void
note_text(ResponseSummary *summary, List **list, const char *text)
{
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, *list)
		if (strcmp(lfirst(lc), text) == 0)
			return;
	old = MemoryContextSwitchTo(summary->context);
	*list = lappend(*list, pstrdup(text));
	MemoryContextSwitchTo(old);
}

/* A text of the document; only lack of memory makes it NULL. */
static const char *
need_text(const char *text)
{
	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return text;
}

/* Adds the names in an array of the document. */
static void
note_names(ResponseSummary *summary, List **list, JsonDoc *names)
{
	for (size_t i = 0; i < json_doc_length(names); i++)
	{
		if (json_doc_element(names, i) == NULL ||
			list_length(*list) >= MAX_NAMES)
			continue;
		note_text(summary, list,
				  error_printable(need_text(json_doc_element_text(names, i))));
	}
}

static void
note_restricted(ResponseSummary *summary, JsonDoc *doc)
{
	JsonDoc    *hidden = json_doc_value(doc, "no_view_permission");
	JsonDoc    *history = json_doc_value(doc, "no_view_history_permission");

	note_names(summary, &summary->hidden, hidden);
	note_names(summary, &summary->hidden_history, history);
	if (json_doc_length(hidden) > 0 || json_doc_length(history) > 0)
		summary->restrictions++;
}

/* HiBob's message about one employee. */
static void
note_denial(ResponseSummary *summary, JsonDoc *denial)
{
	JsonDoc    *inner = json_doc_first_value(denial);
	const char *message = NULL;

	if (inner != NULL)
		message = json_doc_text(inner, "message");
	if (message == NULL && inner != NULL)
		message = json_doc_text(inner, "error");
	if (message == NULL)
		message = need_text(json_doc_print(denial));
	note_text(summary, &summary->denials, error_printable(message));
}

static void
note_denials(ResponseSummary *summary, JsonDoc *doc)
{
	for (size_t i = 0; i < json_doc_length(doc); i++)
		if (list_length(summary->denials) < MAX_DENIALS)
			note_denial(summary, json_doc_element(doc, i));
}

/*
 * Parses a value and notes its contents.  The reader has checked that the value
 * is valid JSON of at most that depth, so only lack of memory makes this fail.
 */
static void
note(ResponseSummary *summary, const JsonOutside *value,
	 void (*take) (ResponseSummary *, JsonDoc *))
{
	JsonDoc    *doc = json_doc_parse_value(value->text, value->length,
										   RESPONSE_MAX_DEPTH);

	if (doc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The list of what HiBob withheld could not be read.")));
	PG_TRY();
	{
		take(summary, doc);
	}
	PG_FINALLY();
	{
		json_doc_free(doc);
	}
	PG_END_TRY();
}

/*
 * Notes the restricted columns of each group of rows: HiBob may show more of one
 * employee than of another.
 */
static void
read_restricted(ResponseMetadata *metadata, ResponseSummary *summary)
{
	uint64		before = summary->restrictions;

	if (!may_restrict(metadata->resource))
		return;
	for (size_t i = 0; i < lengthof(restricted_places); i++)
	{
		const JsonOutside *value = json_reader_outside(metadata->reader,
													   metadata->restricted[i]);

		if (value->kind != JSON_OBJECT || value->times == metadata->noted[i])
			continue;
		metadata->noted[i] = value->times;
		note(summary, value, note_restricted);
	}
	metadata->names_hidden |= summary->restrictions > before;
}

/* ------------------------------------------------------------------------
 * Rows and pages
 * ------------------------------------------------------------------------
 */

/*
 * Finds the value that a group of rows has at a place, before or behind the row.
 * JSON_END: nothing.
 */
static JsonResult
read_group(const ResponseMetadata *metadata, int place, HttpWindow window,
		   bool last, RowGiven *given)
{
	const JsonOutside *before = json_reader_outside(metadata->reader, place);
	JsonSlice	behind;
	JsonResult	result;

	if (before->kind != JSON_ABSENT)
	{
		given->text = before->text;
		given->length = before->length;
		return (before->kind == JSON_STRING || before->kind == JSON_NUMBER) &&
			(before->flags & JSON_ESCAPED) == 0 ? JSON_ROW : JSON_END;
	}
	result = json_reader_find_behind(metadata->reader, place, window.data,
									 window.length, last, &behind);
	if (result != JSON_ROW)
		return result;
	given->text = window.data + behind.start;
	given->length = behind.length;
	return (behind.flags & JSON_ESCAPED) == 0 ? JSON_ROW : JSON_END;
}

const char *
response_metadata_read_row(ResponseMetadata *metadata,
						   ResponseSummary *summary, HttpWindow window,
						   bool last, RowGiven *given, bool *more)
{
	*more = false;
	for (int i = 0; i < RESOURCE_MAX_GIVEN; i++)
	{
		if (metadata->resource->given[i].source != GIVEN_GROUP)
			continue;
		switch (read_group(metadata, metadata->given[i], window, last,
						   &given[i]))
		{
			case JSON_ROW:
				break;
			case JSON_MORE:
				*more = true;
				return NULL;
			default:
				return "a group of rows does not have the id of its employee";
		}
	}
	read_restricted(metadata, summary);
	return NULL;
}

/* The next page's cursor, or one of kind JSON_ABSENT or JSON_NULL. */
static const JsonOutside *
find_cursor(const ResponseMetadata *metadata)
{
	const JsonOutside *cursor = json_reader_outside(metadata->reader,
													metadata->cursors[0]);

	return cursor->kind != JSON_ABSENT ? cursor :
		json_reader_outside(metadata->reader, metadata->cursors[1]);
}

/*
 * Whether a cursor is a repetition, so that the pages would never end.  Each
 * cursor is compared with one earlier cursor, which is replaced after 1, 2, 4, 8,
 * ... pages.  That finds a cycle of any length and keeps only one cursor.
 */
static bool
is_repeated(ResponseMetadata *metadata, const char *cursor)
{
	if (metadata->mark != NULL && strcmp(metadata->mark, cursor) == 0)
		return true;
	if (metadata->pages++ % metadata->mark_pages == 0)
	{
		if (metadata->mark != NULL)
			pfree(metadata->mark);
		metadata->mark = MemoryContextStrdup(metadata->context, cursor);
		metadata->mark_pages *= 2;
		metadata->pages = 1;
	}
	return false;
}

/* A cursor's text, with its escapes resolved. */
static char *
cursor_text(const JsonOutside *cursor)
{
	char	   *text = palloc(cursor->length + 1);

	text[json_unescape(cursor->text, cursor->length, text)] = '\0';
	return text;
}

static const char *
find_next_page(ResponseMetadata *metadata, char **cursor)
{
	const JsonOutside *next = find_cursor(metadata);

	if (next->kind == JSON_ABSENT || next->kind == JSON_NULL ||
		(next->kind == JSON_STRING && next->length == 0))
		return NULL;
	if (next->kind != JSON_STRING && next->kind != JSON_NUMBER)
		return "the cursor of the next page is not a string";
	if ((next->flags & JSON_NUL_ESCAPE) != 0)
		return "the cursor of the next page contains \\u0000";
	if ((next->flags & JSON_LONE_SURROGATE) != 0)
		return "the cursor of the next page contains half a surrogate pair";
	if (next->length > MAX_CURSOR)
		return "the cursor of the next page is longer than 8192 bytes";
	*cursor = cursor_text(next);
	if (is_repeated(metadata, *cursor))
		return "the cursor of the next page is that of an earlier page";
	return NULL;
}

const char *
response_metadata_end(ResponseMetadata *metadata, ResponseSummary *summary,
					  char **cursor)
{
	*cursor = NULL;
	read_restricted(metadata, summary);
	if (metadata->resource->paging == PAGING_NONE)
		return NULL;
	if (json_reader_outside(metadata->reader,
							metadata->errors)->kind == JSON_ARRAY)
		note(summary, json_reader_outside(metadata->reader, metadata->errors),
			 note_denials);
	return find_next_page(metadata, cursor);
}
