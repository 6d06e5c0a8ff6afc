/*
 * response_metadata.c
 *		What stands around the rows of an answer.
 *
 * Source: HiBob's specification and running clients.  The next page's cursor is
 * called "next_cursor" by most, and "cursor" by the specification of the bulk
 * tables.  Employees that were asked for by name and may not be shown come as
 * "errors", in a list of objects with one key each: the employee's id, or the
 * word employeeId.  Columns that may not be shown come as "restricted_columns",
 * beside the rows they are missing from.
 */
#include "postgres.h"

#include "reader/json_doc.h"
#include "remote/remote_error.h"
#include "remote/response.h"
#include "remote/response_metadata.h"

/* So many of HiBob's words are worth repeating. */
#define MAX_REFUSALS 5

/* So many columns may be named as withheld; no table has more. */
#define MAX_NAMES 1600

/* Bytes of a cursor; no more would fit into the address of a request. */
#define MAX_CURSOR 8192

static const char *const restricted_places[] = {
	"restricted_columns",
	"results[].restricted_columns",
	"results[].values[].restricted_columns",
};

/* ------------------------------------------------------------------------
 * What is looked for
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

/* Only the tables of employees have columns to withhold. */
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
	metadata->patience = 1;
}

/* ------------------------------------------------------------------------
 * What HiBob withheld
 * ------------------------------------------------------------------------
 */

/* Adds a text to a list that has it not yet. */
static void
note_text(ResponseFindings *findings, List **list, const char *text)
{
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, *list)
		if (strcmp(lfirst(lc), text) == 0)
			return;
	old = MemoryContextSwitchTo(findings->context);
	*list = lappend(*list, pstrdup(text));
	MemoryContextSwitchTo(old);
}

/* A text of the document, which only lack of memory can keep from being there. */
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
note_names(ResponseFindings *findings, List **list, JsonDoc *names)
{
	for (size_t i = 0; i < json_doc_length(names); i++)
	{
		if (json_doc_element(names, i) == NULL ||
			list_length(*list) >= MAX_NAMES)
			continue;
		note_text(findings, list,
				  error_printable(need_text(json_doc_element_text(names, i))));
	}
}

static void
note_restricted(ResponseFindings *findings, JsonDoc *doc)
{
	note_names(findings, &findings->hidden,
			   json_doc_value(doc, "no_view_permission"));
	note_names(findings, &findings->hidden_history,
			   json_doc_value(doc, "no_view_history_permission"));
}

/* HiBob's words on one employee, whatever they are under. */
static void
note_refusal(ResponseFindings *findings, JsonDoc *refusal)
{
	JsonDoc    *inner = json_doc_first_value(refusal);
	const char *words = NULL;

	if (inner != NULL)
		words = json_doc_text(inner, "message");
	if (words == NULL && inner != NULL)
		words = json_doc_text(inner, "error");
	if (words == NULL)
		words = need_text(json_doc_print(refusal));
	note_text(findings, &findings->refusals, error_printable(words));
}

static void
note_refusals(ResponseFindings *findings, JsonDoc *doc)
{
	for (size_t i = 0; i < json_doc_length(doc); i++)
		if (list_length(findings->refusals) < MAX_REFUSALS)
			note_refusal(findings, json_doc_element(doc, i));
}

/*
 * Parses a value and notes what it says.  The reader has found the value to be
 * valid JSON of no more than that depth, so that only memory can be lacking.
 */
static void
note(ResponseFindings *findings, const JsonOutside *value,
	 void (*take) (ResponseFindings *, JsonDoc *))
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
		take(findings, doc);
	}
	PG_FINALLY();
	{
		json_doc_free(doc);
	}
	PG_END_TRY();
}

/*
 * Looks at what is said of columns, as often as it is said anew: of one
 * employee HiBob may show more than of another.
 */
static void
look_at_restricted(ResponseMetadata *metadata, ResponseFindings *findings)
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
		note(findings, value, note_restricted);
	}
}

/* ------------------------------------------------------------------------
 * Rows and pages
 * ------------------------------------------------------------------------
 */

const char *
response_metadata_read_row(ResponseMetadata *metadata,
						   ResponseFindings *findings, RowGiven *given)
{
	look_at_restricted(metadata, findings);
	for (int i = 0; i < RESOURCE_MAX_GIVEN; i++)
	{
		const JsonOutside *value;

		if (metadata->resource->given[i].source != GIVEN_GROUP)
			continue;
		value = json_reader_outside(metadata->reader, metadata->given[i]);
		if ((value->kind != JSON_STRING && value->kind != JSON_NUMBER) ||
			(value->flags & JSON_ESCAPED) != 0)
			return "a group of rows does not say first which employee it is of";
		given[i].text = value->text;
		given[i].length = value->length;
	}
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
 * Whether a cursor has come before, so that the pages would never end.  Each
 * is compared with one that is kept, and which is replaced after ever more
 * pages: so a circle of any length is found, and no more than one is held.
 */
static bool
comes_again(ResponseMetadata *metadata, const char *cursor)
{
	if (metadata->mark != NULL && strcmp(metadata->mark, cursor) == 0)
		return true;
	if (metadata->pages++ % metadata->patience == 0)
	{
		if (metadata->mark != NULL)
			pfree(metadata->mark);
		metadata->mark = MemoryContextStrdup(metadata->context, cursor);
		metadata->patience *= 2;
		metadata->pages = 1;
	}
	return false;
}

/* A cursor's text; what is escaped in it is resolved. */
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
		return "the cursor of the next page is not a text";
	if ((next->flags & JSON_NUL_ESCAPE) != 0)
		return "the cursor of the next page has a character zero";
	if ((next->flags & JSON_LONE_SURROGATE) != 0)
		return "the cursor of the next page has half a surrogate pair";
	if (next->length > MAX_CURSOR)
		return "the cursor of the next page is longer than 8192 bytes";
	*cursor = cursor_text(next);
	if (comes_again(metadata, *cursor))
		return "the cursor of the next page has come before";
	return NULL;
}

const char *
response_metadata_end(ResponseMetadata *metadata, ResponseFindings *findings,
					  char **cursor)
{
	*cursor = NULL;
	look_at_restricted(metadata, findings);
	if (metadata->resource->paging == PAGING_NONE)
		return NULL;
	if (json_reader_outside(metadata->reader,
							metadata->errors)->kind == JSON_ARRAY)
		note(findings, json_reader_outside(metadata->reader, metadata->errors),
			 note_refusals);
	return find_next_page(metadata, cursor);
}
