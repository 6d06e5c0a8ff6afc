/*
 * row.c
 *		A row's values become datums.
 *
 * HiBob sends a field of people in up to three places of an employee (see
 * "Response, machine mode" and "APPEND" in its people contract):
 *
 *		"work": {"title": "209192163"}					nested
 *		"/work/title": {"value": "209192163"}			by slash key
 *		"humanReadable": {"work": {"title": "Chef"}}	for people
 *
 * The nested one counts; the slash key is the fallback where it is absent; a
 * human column takes the third, and the machine's form where there is none.
 * Rows of other resources have one place for each value.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "json_doc.h"
#include "mb/pg_wchar.h"
#include "row.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

typedef enum ConversionKind
{
	CONVERT_TEXT,				/* a scalar's text as it is */
	CONVERT_JSON,				/* any value as JSON */
	CONVERT_INPUT,				/* a scalar's text through the input function */
	CONVERT_ARRAY				/* each element through one of the above */
} ConversionKind;

typedef struct RowConversion
{
	ConversionKind kind;
	FmgrInfo	input;
	Oid			typioparam;
	int32		typmod;
	Oid			type;

	/* CONVERT_ARRAY */
	struct RowConversion *element;
	Oid			element_type;
} RowConversion;

/* What an error inside a conversion is about. */
typedef struct ConversionContext
{
	const RowMap *map;
	const RowColumn *column;
	const JsonReader *reader;
	const char *window;
} ConversionContext;

/*
 * How a type takes values.  Text is stored without a detour; a domain, or a
 * type with a length, goes through its input function, which checks.
 */
static RowConversion *
conversion_create(Oid type, int32 typmod)
{
	RowConversion *conversion = palloc0(sizeof(RowConversion));
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);
	Oid			input;

	conversion->type = type;
	conversion->typmod = typmod;
	if (OidIsValid(element))
	{
		conversion->kind = CONVERT_ARRAY;
		conversion->element_type = element;
		conversion->element = conversion_create(element, typmod);
	}
	else if ((type == TEXTOID || type == VARCHAROID) && typmod < 0)
		conversion->kind = CONVERT_TEXT;
	else if (base == JSONOID || base == JSONBOID)
		conversion->kind = CONVERT_JSON;
	else
		conversion->kind = CONVERT_INPUT;

	getTypeInputInfo(type, &input, &conversion->typioparam);
	fmgr_info(input, &conversion->input);
	return conversion;
}

/*
 * Dates, booleans and numbers have a human form in the reader's locale, which
 * no type can be read from: only text takes it.
 */
static bool
can_be_human(Oid type)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(getBaseType(type), &category, &preferred);
	return category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM;
}

RowMap *
row_map_create(Relation rel, const List *attnums,
			   const CatalogResource *resource)
{
	RowMap	   *map = palloc0(sizeof(RowMap));
	TupleDesc	desc = RelationGetDescr(rel);
	ListCell   *lc;

	map->resource = resource;
	map->table = RelationGetRelationName(rel);
	map->columns = palloc0(Max(list_length(attnums), 1) * sizeof(RowColumn));
	foreach(lc, attnums)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, lfirst_int(lc) - 1);
		RowColumn  *column = &map->columns[map->ncolumns++];

		column->attnum = attr->attnum;
		column->name = NameStr(attr->attname);
		column->options = column_options(RelationGetRelid(rel), attr->attnum,
										 column->name, resource);
		column->human = resource->has_fields &&
			column->options->form == FORM_HUMAN &&
			column->options->path == NULL && can_be_human(attr->atttypid);
		column->conversion = conversion_create(attr->atttypid,
											   attr->atttypmod);
	}
	return map;
}

/*
 * A path of keys, put together from dotted parts.
 */
typedef struct KeyPath
{
	const char **keys;
	int			nkeys;
} KeyPath;

static void
key_path_add(KeyPath *path, const char *key)
{
	if (path->keys == NULL)
		path->keys = palloc(sizeof(char *) * 8);
	else if (path->nkeys >= 8 && (path->nkeys & (path->nkeys - 1)) == 0)
		path->keys = repalloc(path->keys, sizeof(char *) * path->nkeys * 2);
	path->keys[path->nkeys++] = key;
}

static void
key_path_add_dotted(KeyPath *path, const char *dotted)
{
	while (dotted != NULL)
	{
		const char *dot = strchr(dotted, '.');

		key_path_add(path, dot ? pnstrdup(dotted, dot - dotted) : dotted);
		dotted = dot ? dot + 1 : NULL;
	}
}

/*
 * Adds where a field's nested value lies: its id, but for the category "root",
 * whose fields lie at the top (the metadata's jsonPath has no exception).
 */
static void
key_path_add_field(KeyPath *path, const char *field)
{
	if (strncmp(field, "root.", 5) == 0)
		field += 5;
	key_path_add_dotted(path, field);
}

/* The key under which a row has the field's value by its id. */
static char *
slash_key(const char *field)
{
	char	   *key = psprintf("/%s", field);

	for (char *c = key; *c != '\0'; c++)
		if (*c == '.')
			*c = '/';
	return key;
}

static int
want(JsonReader *reader, const KeyPath *path)
{
	return json_reader_want(reader, path->keys, path->nkeys);
}

static void
add_place(RowColumn *column, JsonReader *reader, const KeyPath *path)
{
	Assert(column->nplaces < ROW_MAX_PLACES);
	column->places[column->nplaces++] = want(reader, path);
}

/*
 * The human form: nested as HiBob's guide and a live capture have it, or by
 * slash key as others have met it.
 */
static void
add_human_places(RowColumn *column, JsonReader *reader)
{
	KeyPath		nested = {0};
	KeyPath		slash = {0};

	key_path_add(&nested, "humanReadable");
	key_path_add_field(&nested, column->options->field);
	add_place(column, reader, &nested);

	key_path_add(&slash, "humanReadable");
	key_path_add(&slash, slash_key(column->options->field));
	add_place(column, reader, &slash);
	key_path_add(&slash, "value");
	add_place(column, reader, &slash);
}

static void
add_machine_places(RowColumn *column, JsonReader *reader)
{
	KeyPath		nested = {0};
	KeyPath		slash = {0};

	key_path_add_field(&nested, column->options->field);
	column->witnesses[column->nwitnesses++] = want(reader, &nested);
	key_path_add_dotted(&nested, column->options->path);
	add_place(column, reader, &nested);

	key_path_add(&slash, slash_key(column->options->field));
	column->witnesses[column->nwitnesses++] = want(reader, &slash);
	key_path_add(&slash, "value");
	key_path_add_dotted(&slash, column->options->path);
	add_place(column, reader, &slash);
}

static void
register_column(RowColumn *column, JsonReader *reader, bool has_fields)
{
	const ColumnOptions *options = column->options;
	KeyPath		path = {0};

	column->nplaces = 0;
	column->nwitnesses = 0;
	if (strcmp(options->field, CATALOG_WHOLE_ROW) == 0)
	{
		key_path_add_dotted(&path, options->path);
		add_place(column, reader, &path);
	}
	else if (!has_fields)
	{
		key_path_add_dotted(&path, options->field);
		column->witnesses[column->nwitnesses++] = want(reader, &path);
		key_path_add_dotted(&path, options->path);
		add_place(column, reader, &path);
	}
	else
	{
		if (column->human)
			add_human_places(column, reader);
		add_machine_places(column, reader);
	}
}

int
row_map_want_field(JsonReader *reader, const char *field)
{
	KeyPath		path = {0};

	key_path_add_field(&path, field);
	return want(reader, &path);
}

void
row_map_register(RowMap *map, JsonReader *reader)
{
	for (int i = 0; i < map->ncolumns; i++)
		register_column(&map->columns[i], reader, map->resource->has_fields);
	map->identity = row_map_want_field(reader, map->resource->identity_field);
}

/*
 * Resolves a string's escapes.  PostgreSQL's text can hold neither the
 * character zero nor half a surrogate pair, and nothing is put in their place
 * in silence.
 */
static char *
unescape(const JsonSlice *slice, const char *window, size_t *length)
{
	char	   *out;
	long		decoded;

	if (slice->flags & JSON_NUL_ESCAPE)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("unsupported Unicode escape sequence"),
				 errdetail("\\u0000 cannot be converted to text.")));
	if (slice->flags & JSON_LONE_SURROGATE)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("unsupported Unicode escape sequence"),
				 errdetail("Half a surrogate pair is not a character.")));

	out = palloc(slice->length + 1);
	decoded = json_doc_unescape(window + slice->start - 1, slice->length + 2,
								out);
	if (decoded < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	out[decoded] = '\0';
	*length = (size_t) decoded;
	return out;
}

/* JSON comes as UTF-8; checked, and converted where the database is not. */
static const char *
to_server(const char *text, size_t *length)
{
	char	   *result = pg_any_to_server(text, (int) *length, PG_UTF8);

	if (result != text)
		*length = strlen(result);
	return result;
}

const char *
row_utf8(const JsonSlice *slice, const char *window, size_t *length)
{
	if (slice->flags & JSON_ESCAPED)
		return unescape(slice, window, length);
	*length = slice->length;
	return window + slice->start;
}

/* A scalar's text, or an object's or array's JSON. */
static const char *
row_text(const JsonSlice *slice, const char *window, size_t *length)
{
	const char *text = row_utf8(slice, window, length);

	return to_server(text, length);
}

/* A value as JSON, a string with its quotes. */
static const char *
row_json(const JsonSlice *slice, const char *window, size_t *length)
{
	int			quote = slice->kind == JSON_STRING ? 1 : 0;

	*length = slice->length + 2 * quote;
	return to_server(window + slice->start - quote, length);
}

static Datum
convert_input(const RowConversion *conversion, const char *text,
			  size_t length)
{
	char	   *cstring = pnstrdup(text, length);
	Datum		result;

	result = InputFunctionCall((FmgrInfo *) &conversion->input, cstring,
							   conversion->typioparam, conversion->typmod);
	pfree(cstring);
	return result;
}

static Datum convert_array(const RowConversion *conversion,
						   const JsonSlice *slice, const char *window);

static Datum
convert_value(const RowConversion *conversion, const JsonSlice *slice,
			  const char *window)
{
	const char *text;
	size_t		length;

	if (conversion->kind == CONVERT_ARRAY && slice->kind != JSON_OBJECT)
		return convert_array(conversion, slice, window);
	if (conversion->kind == CONVERT_JSON)
		text = row_json(slice, window, &length);
	else
		text = row_text(slice, window, &length);
	if (conversion->kind == CONVERT_TEXT)
		return PointerGetDatum(cstring_to_text_with_len(text, (int) length));
	return convert_input(conversion, text, length);
}

/* Null, which some domains refuse. */
static void
convert_null(const RowConversion *conversion)
{
	if (!conversion->input.fn_strict)
		InputFunctionCall((FmgrInfo *) &conversion->input, NULL,
						  conversion->typioparam, conversion->typmod);
}

/* An element as the text that its type's input function takes. */
static char *
element_text(JsonbValue *value, bool as_json)
{
	if (value->type == jbvBinary)
		return JsonbToCString(NULL, value->val.binary.data,
							  value->val.binary.len);
	if (as_json)
	{
		Jsonb	   *json = JsonbValueToJsonb(value);

		return JsonbToCString(NULL, &json->root, VARSIZE(json));
	}
	if (value->type == jbvBool)
		return pstrdup(value->val.boolean ? "true" : "false");
	if (value->type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(value->val.numeric)));
	Assert(value->type == jbvString);
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/*
 * Each element through the element type's input function.  The server's own
 * parser takes the value apart: arrays are small and few.  A scalar, which
 * HiBob sends for some lists, is an array of one.
 */
static Datum
convert_array(const RowConversion *conversion, const JsonSlice *slice,
			  const char *window)
{
	size_t		length;
	const char *text = row_json(slice, window, &length);
	Jsonb	   *json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														  CStringGetDatum(pnstrdup(text, length))));
	const RowConversion *element = conversion->element;
	ArrayBuildState *state;
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	Datum		result;

	state = initArrayResult(conversion->element_type, CurrentMemoryContext,
							false);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_ELEM)
	{
		bool		null = value.type == jbvNull;
		char	   *input = null ? NULL :
			element_text(&value, element->kind == CONVERT_JSON);

		accumArrayResult(state, null ? (Datum) 0 :
						 convert_input(element, input, strlen(input)),
						 null, conversion->element_type,
						 CurrentMemoryContext);
	}
	Assert(token == WJB_END_ARRAY);
	result = makeArrayResult(state, CurrentMemoryContext);
	if (conversion->type != getBaseType(conversion->type))
		domain_check(result, false, conversion->type, NULL, NULL);
	return result;
}

/* The row's identity for a message: HiBob's ids are digits. */
static const char *
identity_text(const ConversionContext *context)
{
	const JsonSlice *slice = json_reader_slice(context->reader,
											   context->map->identity);
	char	   *text = pnstrdup(context->window + slice->start,
								Min(slice->length, 64));

	if (slice->kind <= JSON_NULL || text[0] == '\0' ||
		strspn(text, "0123456789") != strlen(text))
		return "unknown";
	return text;
}

/* Says which column of whom could not be converted, but not its value. */
static void
conversion_callback(void *arg)
{
	ConversionContext *context = arg;

	errcontext("column \"%s\" of foreign table \"%s\", field \"%s\", employee %s",
			   context->column->name, context->map->table,
			   context->column->options->field, identity_text(context));
}

/*
 * The value that a column takes: the first place that has one.  A human form
 * that is null counts as none.
 */
static const JsonSlice *
find_value(const RowColumn *column, const JsonReader *reader)
{
	const JsonSlice *slice = NULL;
	int			human = column->human ? column->nplaces - 2 : 0;

	for (int i = 0; i < column->nplaces; i++)
	{
		slice = json_reader_slice(reader, column->places[i]);
		if (slice->kind > JSON_NULL ||
			(slice->kind == JSON_NULL && i >= human))
			break;
	}
	return slice;
}

void
row_map_store(const RowMap *map, const JsonReader *reader,
			  const char *window, TupleTableSlot *slot)
{
	ConversionContext context = {map, map->columns, reader, window};
	ErrorContextCallback callback;

	callback.callback = conversion_callback;
	callback.arg = &context;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true,
		   slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < map->ncolumns; i++)
	{
		const RowColumn *column = &map->columns[i];
		const JsonSlice *slice = find_value(column, reader);
		int			index = column->attnum - 1;

		context.column = column;
		if (slice->kind <= JSON_NULL)
			convert_null(column->conversion);
		else
		{
			slot->tts_values[index] = convert_value(column->conversion, slice,
													window);
			slot->tts_isnull[index] = false;
		}
	}
	ExecStoreVirtualTuple(slot);
	error_context_stack = callback.previous;
}
