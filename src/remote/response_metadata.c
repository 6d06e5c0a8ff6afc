/*
 * response_metadata.c
 *		The metadata around the rows of a response.
 *
 * Source: HiBob's specification and existing clients.  Most endpoints call the
 * cursor of the next page "next_cursor"; the specification of the bulk tables
 * says "cursor".  Employees that the request names and that HiBob does not show
 * are in "errors", a list of objects with one key each: the employee's id, or
 * the word employeeId.  Columns that HiBob does not show are in
 * "restricted_columns", next to the rows that lack them.
 */
#include "postgres.h"

#include "reader/json_walk.h"
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
	return resource->supplied[0].field != NULL &&
		resource->supplied[0].source <= SUPPLIED_VALUE;
}

void
response_metadata_register(ResponseMetadata *metadata, const Resource *resource,
						   JsonReader *reader)
{
	metadata->resource = resource;
	metadata->reader = reader;
	if (resource->paging != PAGING_NONE)
		want_pages(metadata, reader);
	metadata->describes_rows = may_restrict(resource);
	if (may_restrict(resource))
		for (size_t i = 0; i < lengthof(restricted_places); i++)
			metadata->restricted[i] =
				json_reader_want_lasting(reader, restricted_places[i]);
	for (int i = 0; i < RESOURCE_MAX_SUPPLIED; i++)
		if (resource->supplied[i].source == SUPPLIED_GROUP)
		{
			metadata->describes_rows = true;
			metadata->supplied[i] =
				json_reader_want_outside(reader, resource->supplied[i].place);
		}
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
response_metadata_begin_response(ResponseMetadata *metadata, bool hides)
{
	metadata->hides = hides;
	metadata->names_hidden = false;
}

/* ------------------------------------------------------------------------
 * What HiBob withheld
 * ------------------------------------------------------------------------
 */

/* Adds a text to a list unless the list has it. */
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

/* A value outside of rows as a slice of its text. */
static JsonSlice
whole_value(const JsonOutside *value)
{
	JsonSlice	slice = {.length = value->length, .kind = value->kind};

	return slice;
}

/* Adds the names in an array; false if it has no element. */
static bool
note_names(ResponseSummary *summary, List **list, const char *text,
		   const JsonSlice *names)
{
	JsonSlice	name;
	size_t		offset = 0;

	while (json_walk_next(text, names, &offset, NULL, &name))
		if (name.kind != JSON_NULL && list_length(*list) < MAX_NAMES)
			note_text(summary, list,
					  error_printable(row_metadata_text(&name, text)));
	return offset > 0;
}

/* False if nothing is restricted. */
static bool
note_restricted(ResponseSummary *summary, const JsonOutside *value)
{
	JsonSlice	object = whole_value(value);
	JsonSlice	hidden =
		json_walk_member(value->text, &object, "no_view_permission");
	JsonSlice	history =
		json_walk_member(value->text, &object, "no_view_history_permission");
	bool		any = note_names(summary, &summary->hidden, value->text,
								 &hidden);

	return note_names(summary, &summary->hidden_history, value->text,
					  &history) || any;
}

/* HiBob's message about one employee. */
static void
note_denial(ResponseSummary *summary, const char *text, const JsonSlice *denial)
{
	JsonSlice	inner = {0};
	JsonSlice	value;
	size_t		offset = 0;
	char	   *message;

	if (denial->kind == JSON_OBJECT)
		(void) json_walk_next(text, denial, &offset, NULL, &inner);
	value = json_walk_member(text, &inner, "message");
	if (value.kind <= JSON_NULL)
		value = json_walk_member(text, &inner, "error");
	if (value.kind <= JSON_NULL)
		value = *denial;
	message = row_metadata_text(&value, text);
	note_text(summary, &summary->denials,
			  error_printable(message != NULL ? message : "null"));
}

static void
note_denials(ResponseSummary *summary, const JsonOutside *value)
{
	JsonSlice	denials = whole_value(value);
	JsonSlice	denial;
	size_t		offset = 0;

	while (list_length(summary->denials) < MAX_DENIALS &&
		   json_walk_next(value->text, &denials, &offset, NULL, &denial))
		note_denial(summary, value->text, &denial);
}

/*
 * Notes the restricted columns of each group of rows: HiBob may show more of
 * one employee than of another.
 */
static void
read_restricted(ResponseMetadata *metadata, ResponseSummary *summary)
{
	if (!may_restrict(metadata->resource))
		return;
	for (size_t i = 0; i < lengthof(restricted_places); i++)
	{
		const JsonOutside *value = json_reader_outside(metadata->reader,
													   metadata->restricted[i]);

		if (value->kind != JSON_OBJECT || value->times == metadata->noted[i])
			continue;
		metadata->noted[i] = value->times;
		metadata->names_hidden |= note_restricted(summary, value);
	}
}

/* ------------------------------------------------------------------------
 * Rows and pages
 * ------------------------------------------------------------------------
 */

/*
 * Finds the value that a group of rows has at a place, before or after the
 * row.  JSON_END: nothing.
 */
static JsonResult
read_group(const ResponseMetadata *metadata, int place, HttpWindow window,
		   bool last, SuppliedValue *supplied)
{
	const JsonOutside *before = json_reader_outside(metadata->reader, place);
	JsonSlice	after;
	JsonResult	result;

	if (before->kind != JSON_ABSENT)
	{
		supplied->text = before->text;
		supplied->length = before->length;
		return (before->kind == JSON_STRING || before->kind == JSON_NUMBER) &&
			(before->flags & JSON_ESCAPED) == 0 ? JSON_ROW : JSON_END;
	}
	result = json_reader_find_after(metadata->reader, place, window.data,
									window.length, last, &after);
	if (result != JSON_ROW)
		return result;
	supplied->text = window.data + after.start;
	supplied->length = after.length;
	return (after.flags & JSON_ESCAPED) == 0 ? JSON_ROW : JSON_END;
}

const char *
response_metadata_read_row(ResponseMetadata *metadata,
						   ResponseSummary *summary, HttpWindow window,
						   bool last, SuppliedValue *supplied, bool *more)
{
	*more = false;
	for (int i = 0; i < RESOURCE_MAX_SUPPLIED; i++)
	{
		if (metadata->resource->supplied[i].source != SUPPLIED_GROUP)
			continue;
		switch (read_group(metadata, metadata->supplied[i], window, last,
						   &supplied[i]))
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
 * cursor is compared with one earlier cursor, which is replaced after 1, 2, 4,
 * 8, ... pages.  That finds a cycle of any length and keeps only one cursor.
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
	note_denials(summary,
				 json_reader_outside(metadata->reader, metadata->errors));
	return find_next_page(metadata, cursor);
}
