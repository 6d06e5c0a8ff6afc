/*
 * row.c
 *		Converts the values of a row to datums.
 *
 * HiBob sends a field in up to three places of an employee (see "Response,
 * machine mode" and "APPEND" in its people contract):
 *
 *		"work": {"title": "209192163"}					nested
 *		"/work/title": {"value": "209192163"}			by slash key
 *		"humanReadable": {"work": {"title": "Chef"}}	human-readable
 *
 * A column takes the nested value or, where that is absent, the one by slash
 * key.  A human column takes the third, or the machine form where there is
 * none.  Rows of other resources have one place for each value, and some of
 * them another one for its human-readable form.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "reader/json_walk.h"
#include "row/convert.h"
#include "row/row.h"
#include "utils/array.h"
#include "utils/builtins.h"
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
	FastConversion fast;		/* tried first, or NULL */
	FmgrInfo	input;
	Oid			typioparam;
	int32		typmod;
	Oid			type;
	Oid			base_type;

	bool		is_domain;
	struct RowConversion *element;	/* of CONVERT_ARRAY */
} RowConversion;

/* The value that is converted, for the context of an error. */
typedef struct ConversionContext
{
	const RowMap *map;
	const RowColumn *column;
	const RowRecord *record;
} ConversionContext;

/*
 * The conversion to a type.  Text is stored directly; a domain, or a type with
 * a length, needs its input function, which checks the value.  A value that
 * does not come from JSON is always text.
 */
static RowConversion *
conversion_create(Oid type, int32 typmod, bool is_json)
{
	RowConversion *conversion = palloc0(sizeof(RowConversion));
	int32		base_typmod = typmod;
	Oid			base = getBaseTypeAndTypmod(type, &base_typmod);
	Oid			element = get_element_type(base);
	Oid			input;

	conversion->type = type;
	conversion->base_type = base;
	conversion->typmod = typmod;
	conversion->is_domain = base != type;
	conversion->fast = convert_fast(type, typmod);
	if ((type == TEXTOID || type == VARCHAROID) && typmod < 0)
		conversion->kind = CONVERT_TEXT;
	else if (!is_json)
		conversion->kind = CONVERT_INPUT;
	else if (OidIsValid(element))
	{
		conversion->kind = CONVERT_ARRAY;
		conversion->element = conversion_create(element, base_typmod, true);
	}
	else if (base == JSONOID || base == JSONBOID)
		conversion->kind = CONVERT_JSON;
	else
		conversion->kind = CONVERT_INPUT;

	getTypeInputInfo(type, &input, &conversion->typioparam);
	fmgr_info(input, &conversion->input);
	return conversion;
}

/*
 * The human form of a list with several items is one text, so an array would
 * get the ids instead.
 */
static void
check_human(const RowMap *map, const RowColumn *column, Oid type)
{
	if (!OidIsValid(get_element_type(getBaseType(type))))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
			 errmsg("column \"%s\" of foreign table \"%s\" is an array and cannot have the option \"value\" 'human'",
					column->name, map->table),
			 errdetail("HiBob's human-readable form of a list with several items is one text, such as \"German,English\"."),
			 errhint("Declare the column as text and use string_to_array(%s, ','), or set the option to 'machine' and look up the names of the ids in the resource \"named_lists\".",
					 quote_identifier(column->name))));
}

/*
 * Whether a column of a type can have the human form.  Dates, booleans and
 * numbers have one in the reader's locale, which only text can hold.
 */
static bool
can_be_human(Oid type)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(getBaseType(type), &category, &preferred);
	return category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM;
}

/* NULL remains NULL. */
static const char *
to_utf8(const char *text)
{
	return text == NULL ? NULL :
		pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

/* The index among the fields that a row does not have itself, or -1. */
static int
supplied_index(const Resource *resource, const char *field)
{
	for (int i = 0; i < RESOURCE_MAX_SUPPLIED; i++)
		if (resource->supplied[i].field != NULL &&
			strcmp(resource->supplied[i].field, field) == 0)
			return i;
	return -1;
}

RowMap *
row_map_create(Relation rel, const List *attnums,
			   const Resource *resource)
{
	RowMap	   *map = palloc0(sizeof(RowMap));
	TupleDesc	desc = RelationGetDescr(rel);
	ListCell   *lc;

	map->resource = resource;
	map->table =
		psprintf("%s.%s", get_namespace_name_or_temp(RelationGetNamespace(rel)),
				 RelationGetRelationName(rel));
	map->only_counts = attnums == NIL;
	map->columns = palloc0(Max(list_length(attnums), 1) * sizeof(RowColumn));
	foreach(lc, attnums)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, lfirst_int(lc) - 1);
		RowColumn  *column = &map->columns[map->ncolumns++];

		column->attnum = attr->attnum;
		column->name = NameStr(attr->attname);
		column->options = column_options(RelationGetRelid(rel), attr->attnum,
										 column->name, resource);
		column->field = to_utf8(column->options->field);
		column->path = to_utf8(column->options->path);
		column->human = resource->human != NULL &&
			column->options->form == FORM_HUMAN &&
			column->options->path == NULL;
		if (column->human)
			check_human(map, column, attr->atttypid);
		column->human &= can_be_human(attr->atttypid);
		column->supplied = supplied_index(resource, column->options->field);
		column->derived = resource_derived(resource, column->options->field);
		column->conversion =
			conversion_create(attr->atttypid, attr->atttypmod,
							  resource->form != ROW_CSV &&
							  column->supplied < 0);
	}
	return map;
}

bool
row_map_has_whole_row(const RowMap *map)
{
	for (int i = 0; i < map->ncolumns; i++)
		if (strcmp(map->columns[i].field, RESOURCE_WHOLE_ROW) == 0)
			return true;
	return false;
}

bool
row_map_is_human(const RowMap *map)
{
	for (int i = 0; i < map->ncolumns; i++)
		if (map->columns[i].human)
			return true;
	return false;
}

/* A path of keys. */
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
 * Adds the path of a field's nested value: its id, except for the category
 * "root", whose fields are at the top (as in the metadata's jsonPath).  The
 * name of an item of the account is one key, even if it has dots:
 * "payroll.variable.Bonus v1.5.amount".
 */
static void
key_path_add_field(KeyPath *path, const char *field)
{
	const char *item = field + resource_item_prefix(field);
	const char *last = strrchr(item, '.');

	if (strncmp(field, "root.", 5) == 0)
		field += 5;
	else if (item > field && last != NULL)
	{
		key_path_add_dotted(path, pnstrdup(field, item - field - 1));
		key_path_add(path, pnstrdup(item, last - item));
		field = last + 1;
	}
	key_path_add_dotted(path, field);
}

/* The slash key of a field. */
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
want(RowReader *reader, const KeyPath *path)
{
	return json_reader_want(reader->json, path->keys, path->nkeys);
}

static void
add_place(RowColumn *column, RowReader *reader, const KeyPath *path)
{
	Assert(column->nplaces < ROW_MAX_PLACES);
	column->places[column->nplaces++] = want(reader, path);
}

static void
add_human_place(RowColumn *column, RowReader *reader, const KeyPath *path)
{
	add_place(column, reader, path);
	column->nnullable++;
}

static void
add_presence_place(RowColumn *column, RowReader *reader, const KeyPath *path)
{
	column->presence_slots[column->npresence_slots++] = want(reader, path);
}

/*
 * The human-readable form of an employee's field: nested, as in HiBob's guide
 * and a live capture, or by slash key, as in the tests of another client.
 */
static void
add_employee_human(RowColumn *column, RowReader *reader)
{
	KeyPath		nested = {0};
	KeyPath		slash = {0};

	key_path_add(&nested, "humanReadable");
	key_path_add_field(&nested, column->field);
	add_human_place(column, reader, &nested);

	key_path_add(&slash, "humanReadable");
	key_path_add(&slash, slash_key(column->field));
	key_path_add(&slash, "value");
	add_human_place(column, reader, &slash);
	slash.nkeys--;
	add_human_place(column, reader, &slash);
	column->scalar_place = column->nplaces - 1;
}

static void
add_employee_places(RowColumn *column, RowReader *reader)
{
	KeyPath		nested = {0};
	KeyPath		slash = {0};

	if (column->human)
		add_employee_human(column, reader);

	key_path_add_field(&nested, column->field);
	add_presence_place(column, reader, &nested);
	key_path_add_dotted(&nested, column->path);
	add_place(column, reader, &nested);

	key_path_add(&slash, slash_key(column->field));
	add_presence_place(column, reader, &slash);
	key_path_add(&slash, "value");
	key_path_add_dotted(&slash, column->path);
	add_place(column, reader, &slash);
}

static void
add_key_places(RowColumn *column, RowReader *reader)
{
	KeyPath		human = {0};
	KeyPath		path = {0};

	if (column->human)
	{
		key_path_add(&human, "humanReadable");
		key_path_add_dotted(&human, column->field);
		add_human_place(column, reader, &human);
	}
	key_path_add_dotted(&path, column->field);
	add_presence_place(column, reader, &path);
	key_path_add_dotted(&path, column->path);
	add_place(column, reader, &path);
}

/* "/position/name": {"value": ..., "humanReadable": ...} */
static void
add_object_places(RowColumn *column, RowReader *reader)
{
	KeyPath		human = {0};
	KeyPath		path = {0};

	key_path_add(&human, column->field);
	add_presence_place(column, reader, &human);
	key_path_add(&human, "humanReadable");
	if (column->human)
		add_human_place(column, reader, &human);

	key_path_add(&path, column->field);
	key_path_add(&path, "value");
	key_path_add_dotted(&path, column->path);
	add_place(column, reader, &path);
}

/*
 * "/skill/name": "SQL", or {"value": "SQL"}; or either in "fields".  A value
 * that is an object may have a key "value" itself, so a JSON column takes it
 * unchanged.
 */
static void
add_item_places(RowColumn *column, RowReader *reader, const char *field)
{
	KeyPath		inner = {0};
	KeyPath		wrapped = {0};
	KeyPath		plain = {0};

	key_path_add(&inner, "fields");
	key_path_add(&inner, field);
	if (column->derived == NULL)
		add_presence_place(column, reader, &inner);
	key_path_add(&inner, "value");
	key_path_add_dotted(&inner, column->path);
	add_place(column, reader, &inner);

	key_path_add(&plain, field);
	if (column->derived == NULL)
		add_presence_place(column, reader, &plain);
	if (column->conversion->kind != CONVERT_JSON)
	{
		key_path_add(&wrapped, field);
		key_path_add(&wrapped, "value");
		key_path_add_dotted(&wrapped, column->path);
		add_place(column, reader, &wrapped);
	}
	key_path_add_dotted(&plain, column->path);
	add_place(column, reader, &plain);
}

/* The places of all keys that a derived field takes its value from. */
static void
add_derived_places(RowColumn *column, RowReader *reader, RowForm form)
{
	for (int i = 0; i < RESOURCE_MAX_SOURCES; i++)
	{
		const char *source = column->derived->sources[i];
		KeyPath		path = {0};

		if (source == NULL)
			break;
		if (form == ROW_ITEMS)
			add_item_places(column, reader, source);
		else
		{
			key_path_add_dotted(&path, source);
			add_place(column, reader, &path);
		}
	}
	column->nnullable = column->nplaces;
}

static void
add_label(RowColumn *column, RowReader *reader)
{
	int			slot = csv_reader_want(reader->csv, column->field);

	column->presence_slots[column->npresence_slots++] = slot;
	column->places[column->nplaces++] = slot;
}

static void
add_whole_row(RowColumn *column, RowReader *reader)
{
	KeyPath		path = {0};

	key_path_add_dotted(&path, column->path);
	add_place(column, reader, &path);
}

static void
register_column(RowColumn *column, RowReader *reader, RowForm form)
{
	column->nplaces = 0;
	column->nnullable = 0;
	column->scalar_place = -1;
	column->npresence_slots = 0;
	if (column->supplied >= 0)
		return;
	if (form == ROW_CSV)
		add_label(column, reader);
	else if (strcmp(column->field, RESOURCE_WHOLE_ROW) == 0)
		add_whole_row(column, reader);
	else if (form == ROW_EMPLOYEE)
		add_employee_places(column, reader);
	else if (column->derived != NULL)
		add_derived_places(column, reader, form);
	else if (form == ROW_OBJECTS)
		add_object_places(column, reader);
	else if (form == ROW_ITEMS)
		add_item_places(column, reader, column->field);
	else
		add_key_places(column, reader);
}

void
row_field_register(RowField *field, RowReader *reader, const char *id)
{
	KeyPath		nested = {0};
	KeyPath		slash = {0};

	key_path_add_field(&nested, id);
	key_path_add(&slash, slash_key(id));
	key_path_add(&slash, "value");
	field->places[0] = want(reader, &nested);
	field->places[1] = want(reader, &slash);
	field->nplaces = 2;
}

const JsonSlice *
row_field_value(const RowField *field, const RowReader *reader)
{
	for (int i = 0; i < field->nplaces; i++)
	{
		const JsonSlice *slice = row_reader_slice(reader, field->places[i]);

		if (slice->kind > JSON_NULL)
			return slice;
	}
	return NULL;
}

/* Requests the field that identifies a row. */
static void
register_identity(RowMap *map, RowReader *reader)
{
	const Resource *resource = map->resource;
	KeyPath		path = {0};

	if (resource->identity_field == NULL)
		return;
	if (resource->form == ROW_EMPLOYEE)
	{
		row_field_register(&map->identity, reader, resource->identity_field);
		return;
	}
	key_path_add(&path, resource->identity_field);
	if (resource->form == ROW_OBJECTS)
		key_path_add(&path, "value");
	map->identity.places[0] = want(reader, &path);
	map->identity.nplaces = 1;
}

void
row_map_register(RowMap *map, RowReader *reader, bool identity)
{
	for (int i = 0; i < map->ncolumns; i++)
		register_column(&map->columns[i], reader, map->resource->form);
	map->identity.nplaces = 0;
	if (identity)
		register_identity(map, reader);
}

/*
 * Resolves a string's escapes.  PostgreSQL's text can contain neither the
 * character zero nor half a surrogate pair; replacing them silently would
 * change the value.
 */
static char *
unescape(const JsonSlice *slice, const char *window, size_t *length)
{
	char	   *out;

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
	*length = json_unescape(window + slice->start, slice->length, out);
	out[*length] = '\0';
	return out;
}

/* Converts UTF-8 to the database's encoding; checks it if that is the same. */
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
	if (slice->flags & CSV_DOUBLED_QUOTES)
	{
		char	   *out = palloc(slice->length + 1);

		*length = csv_unquote(window + slice->start, slice->length, out);
		return out;
	}
	if (slice->flags & JSON_ESCAPED)
		return unescape(slice, window, length);
	*length = slice->length;
	return window + slice->start;
}

char *
row_metadata_text(const JsonSlice *slice, const char *window)
{
	char	   *out;

	if (slice->kind <= JSON_NULL)
		return NULL;
	if (slice->kind != JSON_STRING)
		return pnstrdup(window + slice->start, slice->length);
	out = palloc(slice->length + 1);
	out[json_unescape(window + slice->start, slice->length, out)] = '\0';
	return out;
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

/*
 * A number with a point or an exponent, such as 1.0 or 1e5, in the form that
 * the input functions of integers accept.  A number that is not an integer is
 * returned unchanged, and they reject it.
 */
static const char *
integer_text(const char *text, size_t *length)
{
	char	   *cstring = pnstrdup(text, *length);
	Datum		number;
	Datum		whole;

	if (strpbrk(cstring, ".eE") == NULL)
		return text;
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(cstring),
								 ObjectIdGetDatum(InvalidOid),
								 Int32GetDatum(-1));
	whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)))
		return text;
	cstring = psprintf(INT64_FORMAT,
					   DatumGetInt64(DirectFunctionCall1(numeric_int8, whole)));
	*length = strlen(cstring);
	return cstring;
}

/*
 * A time without a zone as one in UTC, because its meaning must not depend on
 * the session's TimeZone.  A date alone is midnight in the session's zone, as
 * in conditions.
 */
static const char *
utc_text(const char *text, size_t *length)
{
	const size_t date = strlen("YYYY-MM-DD");
	char	   *zoned;

	if (*length <= date || text[4] != '-' || text[7] != '-' ||
		(text[date] != 'T' && text[date] != ' ') ||
		strspn(text + date + 1, "0123456789:.") != *length - date - 1)
		return text;
	zoned = psprintf("%.*sZ", (int) *length, text);
	++*length;
	return zoned;
}

/*
 * Converts a scalar from HiBob's form to one that the input function accepts.
 */
static const char *
input_text(const RowConversion *conversion, const JsonSlice *slice,
		   const char *text, size_t *length)
{
	switch (conversion->base_type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return slice->kind == JSON_NUMBER ? integer_text(text, length) :
				text;
		case TIMESTAMPTZOID:
			return slice->kind == JSON_STRING ?
				utc_text(pnstrdup(text, *length), length) : text;
		default:
			return text;
	}
}

static Datum convert_array(const RowConversion *conversion,
						   const JsonSlice *slice, const char *window);

static Datum
convert_value(const RowConversion *conversion, const JsonSlice *slice,
			  const char *window)
{
	const char *text;
	size_t		length;
	Datum		result;

	if (conversion->fast != NULL && slice->flags == 0 &&
		conversion->fast(window + slice->start, slice->length,
						 conversion->typmod, &result))
		return result;
	if (conversion->kind == CONVERT_ARRAY && slice->kind != JSON_OBJECT)
		return convert_array(conversion, slice, window);
	if (conversion->kind == CONVERT_JSON)
		text = row_json(slice, window, &length);
	else
		text = row_text(slice, window, &length);
	if (conversion->kind == CONVERT_TEXT)
		return PointerGetDatum(cstring_to_text_with_len(text, (int) length));
	text = input_text(conversion, slice, text, &length);
	return convert_input(conversion, text, length);
}

/* Null, which some domains reject. */
static void
convert_null(const RowConversion *conversion)
{
	if (!conversion->input.fn_strict)
		InputFunctionCall((FmgrInfo *) &conversion->input, NULL,
						  conversion->typioparam, conversion->typmod);
}

static void
add_element(ArrayBuildState *state, const RowConversion *element,
			const JsonSlice *slice, const char *window)
{
	bool		null = slice->kind <= JSON_NULL;
	Datum		value = (Datum) 0;

	if (null)
		convert_null(element);
	else
		value = convert_value(element, slice, window);
	(void) accumArrayResult(state, value, null, element->type,
							CurrentMemoryContext);
}

/*
 * Converts each element like a value of its own.  A scalar, which HiBob sends
 * for some lists, is an array with one element.
 */
static Datum
convert_array(const RowConversion *conversion, const JsonSlice *slice,
			  const char *window)
{
	const RowConversion *element = conversion->element;
	ArrayBuildState *state = initArrayResult(element->type,
											 CurrentMemoryContext, false);
	JsonSlice	part;
	size_t		offset = 0;
	Datum		result;

	if (slice->kind != JSON_ARRAY)
		add_element(state, element, slice, window);
	else
		while (json_walk_next(window, slice, &offset, NULL, &part))
			add_element(state, element, &part, window);
	result = makeArrayResult(state, CurrentMemoryContext);
	if (conversion->is_domain)
		domain_check(result, false, conversion->type, NULL, NULL);
	return result;
}

/* An id for a message.  HiBob's ids are digits; nothing else is shown. */
static const char *
shown_id(const char *text, size_t length)
{
	char	   *id = pnstrdup(text, Min(length, 64));

	return id[0] != '\0' && strspn(id, "0123456789") == strlen(id) ? id : NULL;
}

/* The employee or the id of a row. */
static const char *
identity_text(const ConversionContext *context)
{
	const RowMap *map = context->map;
	const RowRecord *record = context->record;
	const char *employee = NULL;
	const char *id = NULL;
	const JsonSlice *slice;

	for (int i = 0; i < RESOURCE_MAX_SUPPLIED; i++)
		if (map->resource->supplied[i].source <= SUPPLIED_VALUE &&
			record->supplied[i].text != NULL)
			employee = shown_id(record->supplied[i].text,
								record->supplied[i].length);
	slice = row_field_value(&map->identity, record->reader);
	if (slice != NULL)
		id = shown_id(record->window + slice->start, slice->length);
	if (employee != NULL)
		return psprintf("employee %s", employee);
	return psprintf(map->resource->form == ROW_EMPLOYEE ? "employee %s" :
					"id %s", id != NULL ? id : "unknown");
}

/* Shows the column and the row, but not the value. */
static void
conversion_callback(void *arg)
{
	ConversionContext *context = arg;

	errcontext("column \"%s\" of foreign table \"%s\", field \"%s\", %s",
			   context->column->name, context->map->table,
			   context->column->options->field, identity_text(context));
}

/*
 * The value of a column: that of the first place that has one.  A
 * human-readable form and a place of a derived field are skipped if they are
 * null, and a form by slash key also if it is an object without "value".
 */
static const JsonSlice *
find_value(const RowColumn *column, const RowReader *reader)
{
	const JsonSlice *slice = NULL;

	Assert(column->nplaces > 0);
	for (int i = 0; i < column->nplaces; i++)
	{
		slice = row_reader_slice(reader, column->places[i]);
		if (slice->kind > JSON_NULL ?
			(i != column->scalar_place || slice->kind != JSON_OBJECT) :
			(slice->kind == JSON_NULL && i >= column->nnullable))
			break;
	}
	return slice;
}

/* A slice of a value that the row does not have: a string without escapes. */
static JsonSlice
text_slice(const char *text, size_t length)
{
	JsonSlice	slice = {0};

	slice.kind = text != NULL ? JSON_STRING : JSON_NULL;
	slice.length = length;
	return slice;
}

static void
store_column(const RowColumn *column, const RowRecord *record,
			 TupleTableSlot *slot)
{
	int			index = column->attnum - 1;
	const char *window = record->window;
	const JsonSlice *slice;
	JsonSlice	outside;

	if (column->supplied >= 0)
	{
		const SuppliedValue *supplied = &record->supplied[column->supplied];

		outside = text_slice(supplied->text, supplied->length);
		window = supplied->text;
		slice = &outside;
	}
	else
		slice = find_value(column, record->reader);
	if (slice->kind <= JSON_NULL && column->derived != NULL &&
		column->derived->otherwise != NULL)
	{
		window = column->derived->otherwise;
		outside = text_slice(window, strlen(window));
		slice = &outside;
	}
	if (slice->kind <= JSON_NULL)
		convert_null(column->conversion);
	else
	{
		slot->tts_values[index] = convert_value(column->conversion, slice,
												window);
		slot->tts_isnull[index] = false;
	}
}

void
row_map_store(const RowMap *map, const RowRecord *record,
			  TupleTableSlot *slot)
{
	ConversionContext context = {map, map->columns, record};
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
		context.column = &map->columns[i];
		store_column(context.column, record, slot);
	}
	error_context_stack = callback.previous;
	ExecStoreVirtualTuple(slot);
}
