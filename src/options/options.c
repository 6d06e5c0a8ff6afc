/*
 * options.c
 *		Validates options when they are set, and reads them when they are
 *		needed.
 *
 * The table "option_rules" defines the options, and one reader applies it.
 * The validator calls the reader and ignores the result, so that what can be
 * set is exactly what can be read.
 *
 * Knows catalogs and HiBob's resources, not what the options are used for.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "options/option_rules.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#define SECOND		1000		/* in milliseconds */

/*
 * Costs are in the planner's unit, the sequential read of a page, assumed to
 * take a tenth of a millisecond.  A request takes some 200 ms; an employee, of
 * one or two kilobytes, some 0.1 ms of transfer and parsing.  So a few
 * requests for single employees are cheaper than one search for thousands.
 */
#define DEFAULT_STARTUP_COST	2000.0
#define DEFAULT_TUPLE_COST		0.1

#define DEFAULT_BASE_URL	"https://" HIBOB_HOST HIBOB_API_VERSION

HIBOB_FUNCTION_INFO_V1(hibob_fdw_validator);

/* ------------------------------------------------------------------------
 * Hints
 * ------------------------------------------------------------------------
 */

/*
 * The valid name that is closest to a wrong one, or NULL.  A close name
 * differs by at most four characters, and by no more than half of the name:
 * every name is close to a short one.
 */
const char *
hint_closest_name(const char *name, List *valid)
{
	int			length = strlen(name);
	const char *closest = NULL;
	int			allowed = Min(4, length / 2);
	ListCell   *cell;

	/* the time and space needed grow with the product of the lengths */
	if (length >= NAMEDATALEN * MAX_MULTIBYTE_CHAR_LEN)
		return NULL;

	foreach(cell, valid)
	{
		const char *candidate = lfirst(cell);
		int			distance;

		distance = varstr_levenshtein_less_equal(name, length, candidate,
												 strlen(candidate), 1, 1, 1,
												 allowed, true);
		if (distance <= allowed)
		{
			closest = candidate;
			allowed = distance - 1; /* only a closer one replaces it */
		}
		if (allowed < 0)
			break;
	}
	return closest;
}

/* "a, b, c" */
static char *
join_names(List *names)
{
	StringInfoData buffer;
	ListCell   *cell;

	initStringInfo(&buffer);
	foreach(cell, names)
	{
		if (buffer.len > 0)
			appendStringInfoString(&buffer, ", ");
		appendStringInfoString(&buffer, lfirst(cell));
	}
	return buffer.data;
}

char *
hint_from_names(const char *what, const char *name, List *valid,
				const char *introduction)
{
	const char *closest = hint_closest_name(name, valid);
	StringInfoData hint;

	initStringInfo(&hint);
	if (closest != NULL)
		appendStringInfo(&hint, "Perhaps you meant the %s \"%s\". ", what,
						 closest);
	appendStringInfo(&hint, "%s: %s.", introduction, join_names(valid));
	return hint.data;
}

/* ------------------------------------------------------------------------
 * Names and values
 * ------------------------------------------------------------------------
 */

/* How messages name the objects of the catalogs. */
static const struct
{
	Oid			catalog;
	const char *objects;
}			catalog_objects[] =
{
	{ForeignServerRelationId, "servers"},
	{ForeignTableRelationId, "foreign tables"},
	{AttributeRelationId, "columns"},
	{UserMappingRelationId, "user mappings"},
};

/* The names of the rules of a catalog. */
static List *
option_names(Oid catalog)
{
	List	   *names = NIL;

	for (size_t i = 0; i < (size_t) option_nrules; i++)
	{
		if (option_rules[i].catalog == catalog)
			names = lappend(names, unconstify(char *, option_rules[i].name));
	}
	return names;
}

/* Whether a table of a resource can have an option that only some have. */
static bool
resource_has_option(const Resource *resource, const char *option)
{
	return resource_option(resource, option) != NULL ||
		(resource->id_option != NULL &&
		 strcmp(resource->id_option, option) == 0);
}

/* The names of all resources, or of those that have an option. */
static List *
resource_names(const char *option)
{
	List	   *names = NIL;
	const Resource *resource;

	for (int i = 0; (resource = resource_at(i)) != NULL; i++)
	{
		if (!resource->is_internal &&
			(option == NULL || resource_has_option(resource, option)))
			names = lappend(names, unconstify(char *, resource->name));
	}
	return names;
}

/* The values that an option can have; NIL if they cannot be listed. */
static List *
valid_values(const OptionRule *rule)
{
	List	   *values = NIL;

	if (option_is_resource(rule))
		return resource_names(NULL);
	for (int i = 0; rule->words != NULL && rule->words[i] != NULL; i++)
		values = lappend(values, unconstify(char *, rule->words[i]));
	return values;
}

/* Which objects have an option of this name, or NULL. */
static const char *
option_objects(const char *name)
{
	for (size_t i = 0; i < (size_t) option_nrules; i++)
	{
		if (strcmp(option_rules[i].name, name) != 0)
			continue;
		for (size_t j = 0; j < lengthof(catalog_objects); j++)
		{
			if (catalog_objects[j].catalog == option_rules[i].catalog)
				return catalog_objects[j].objects;
		}
	}
	return NULL;
}

/*
 * The detail names the objects that have the option, for example user mappings
 * for a server's token.
 */
static void
report_unknown_option(const char *name, Oid catalog)
{
	List	   *valid = option_names(catalog);
	const char *elsewhere = option_objects(name);

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 elsewhere != NULL ?
			 errdetail("It is an option of %s.", elsewhere) : 0,
			 valid == NIL ? errhint("There are no valid options in this context.") :
			 errhint("%s", hint_from_names("option", name, valid,
										   "Valid options in this context are"))));
}

/*
 * The detail may explain why a value is not valid; the hint lists valid ones.
 */
static void
report_invalid_value(const OptionRule *rule, const char *value,
					 const char *detail)
{
	List	   *valid = valid_values(rule);

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 rule->secret ?
			 errmsg("invalid value for option \"%s\"", rule->name) :
			 errmsg("invalid value for option \"%s\": \"%s\"", rule->name,
					value),
			 detail[0] != '\0' ? errdetail("%s", detail) : 0,
			 valid == NIL ? errhint("Specify %s.", rule->valid) :
			 errhint("%s", hint_from_names("value", value, valid,
										   "Valid values are"))));
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

/* The rule for an option, or an error. */
static const OptionRule *
find_rule(const char *name, Oid catalog)
{
	for (size_t i = 0; i < (size_t) option_nrules; i++)
	{
		if (option_rules[i].catalog == catalog &&
			strcmp(option_rules[i].name, name) == 0)
			return &option_rules[i];
	}
	report_unknown_option(name, catalog);
	return NULL;				/* keep the compiler quiet */
}

const char *
option_value(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return defGetString(option);
	}
	return NULL;
}

/*
 * Checks that all required options are set and not empty.  The hint is a
 * statement that can be used once its names are replaced; it never contains
 * the values that were set.
 */
static void
check_required(List *options, Oid catalog)
{
	for (size_t i = 0; i < (size_t) option_nrules; i++)
	{
		const OptionRule *rule = &option_rules[i];
		const char *value;

		if (rule->catalog != catalog || rule->missing_hint == NULL)
			continue;

		value = option_value(options, rule->name);
		if (value == NULL && rule->unless != NULL &&
			option_value(options, rule->unless) != NULL)
			continue;
		if (value == NULL || value[0] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
					 value == NULL ?
					 errmsg("option \"%s\" is missing", rule->name) :
					 errmsg("option \"%s\" is empty", rule->name),
					 errhint("%s", rule->missing_hint)));
	}
}

/*
 * Reads the options of a catalog's object into the struct that their rules
 * describe.  Options that are not set keep the value that they have there.
 *
 * Names are checked first: the error for "password" instead of "token" should
 * name the wrong option, not say that the token is missing.
 */
static void
read_options(List *options, Oid catalog, void *result)
{
	ListCell   *cell;

	foreach(cell, options)
		find_rule(lfirst_node(DefElem, cell)->defname, catalog);

	check_required(options, catalog);

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);
		const OptionRule *rule = find_rule(option->defname, catalog);
		const char *value = defGetString(option);
		const char *defect;

		defect = rule->parse(rule, value, (char *) result + rule->offset);
		if (defect != NULL)
			report_invalid_value(rule, value, defect);
	}
}

/* The documented defaults, then the options that are set. */
static void
read_server(List *options, ServerOptions *result)
{
	*result = (ServerOptions) {
		.base_url = DEFAULT_BASE_URL,
		.connect_timeout = 10 * SECOND,
		.read_timeout = 60 * SECOND,
		.max_retries = 3,
		/* longer than a window of a minute with its rounding */
		.max_rate_limit_wait = 90 * SECOND,
		.fdw_startup_cost = DEFAULT_STARTUP_COST,
		.fdw_tuple_cost = DEFAULT_TUPLE_COST,
		.on_missing_field = MISSING_FIELD_WARN,
		.async_capable = true,
	};
	read_options(options, ForeignServerRelationId, result);
}

/* An option that has no effect on the table's resource is an error. */
static void
check_resource_options(List *options, const Resource *resource)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		const char *name = lfirst_node(DefElem, cell)->defname;

		if (find_rule(name, ForeignTableRelationId)->particular &&
			!resource_has_option(resource, name))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" is not valid for resource \"%s\"",
							name, resource->name),
					 errhint("Resources with this option are: %s.",
							 join_names(resource_names(name)))));
	}
}

/* A table of a report or a custom table has to name it. */
static void
check_id_option(const Resource *resource, const char *id)
{
	const char *many = resource->form == ROW_CSV ? "reports" : "custom_tables";

	if (resource->id_option == NULL || id != NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
			 errmsg("option \"%s\" is missing", resource->id_option),
			 errhint("A foreign table with the resource \"%s\" shows the ids. Then use CREATE FOREIGN TABLE table_name (...) SERVER server_name OPTIONS (resource '%s', %s 'id');",
					 many, resource->name, resource->id_option)));
}

/* The parameters of the query string that the options of a resource add. */
static const char *
join_parameters(List *options, const Resource *resource)
{
	char	   *result = NULL;

	for (int i = 0; i < resource->noptions; i++)
	{
		const ResourceOption *option = &resource->options[i];
		const char *value = option_value(options, option->name);
		const char *parameter;
		bool		flag;

		if (value == NULL || !parse_bool(value, &flag))
			continue;
		parameter = flag ? option->parameter : option->off_parameter;
		if (parameter != NULL)
			result = result == NULL ? pstrdup(parameter) :
				psprintf("%s&%s", result, parameter);
	}
	return result;
}

/* The result must hold the server's defaults, or zeros. */
static void
read_table(List *options, TableOptions *result)
{
	result->show_inactive = true;
	read_options(options, ForeignTableRelationId, result);
	check_resource_options(options, result->resource);
	check_id_option(result->resource, result->id);
	result->parameters = join_parameters(options, result->resource);
}

static void
read_mapping(List *options, MappingOptions *result)
{
	read_options(options, UserMappingRelationId, result);
	if (result->token != NULL && result->token_file != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("options \"token\" and \"token_file\" cannot be combined"),
				 errhint("Drop one of them: ALTER USER MAPPING FOR role_name SERVER server_name OPTIONS (DROP token);")));
}

/* ------------------------------------------------------------------------
 * Validation
 * ------------------------------------------------------------------------
 */

/*
 * Only superusers may set options that make the server process open a file or
 * decide where credentials go.  The list has all options that the object will
 * have, so other roles cannot alter a server or a mapping with such an option
 * at all.
 */
static void
check_privileges(List *options, Oid catalog)
{
	ListCell   *cell;

	if (superuser())
		return;

	foreach(cell, options)
	{
		const char *name = lfirst_node(DefElem, cell)->defname;

		if (find_rule(name, catalog)->superuser)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("only superusers can set option \"%s\"", name),
					 errhint("Ask a superuser to create or alter the %s.",
							 catalog == UserMappingRelationId ?
							 "user mapping" : "server")));
	}
}

/*
 * hibob_fdw_validator(options text[], catalog oid) returns void
 *
 * The server passes all options that an object would have after a CREATE or
 * ALTER, so that a missing one is found, too.  It passes the options of a
 * column without the table: whether the resource has the field is checked when
 * the column is read.
 */
Datum
hibob_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	union
	{
		ServerOptions server;
		TableOptions table;
		ColumnOptions column;
		MappingOptions mapping;
	}			ignored = {0};

	check_privileges(options, catalog);
	switch (catalog)
	{
		case ForeignServerRelationId:
			read_server(options, &ignored.server);
			break;
		case ForeignTableRelationId:
			read_table(options, &ignored.table);
			break;
		case UserMappingRelationId:
			read_mapping(options, &ignored.mapping);
			break;
		default:
			/* the wrapper itself has no rules, so any option is an error */
			read_options(options, catalog, &ignored);
			break;
	}
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * The options of an object.  Stored options passed the validator, but perhaps
 * one of an earlier version: a value that is no longer valid is an error here,
 * too.
 * ------------------------------------------------------------------------
 */

ServerOptions *
server_options(const ForeignServer *server)
{
	ServerOptions *result = palloc(sizeof(ServerOptions));

	read_server(server->options, result);
	return result;
}

TableOptions *
table_options(const ForeignTable *table, const ForeignServer *server)
{
	ServerOptions defaults;
	TableOptions *result = palloc0(sizeof(TableOptions));

	read_server(server->options, &defaults);
	result->cache_ttl = defaults.cache_ttl;
	result->on_missing_field = defaults.on_missing_field;
	result->async_capable = defaults.async_capable;
	read_table(table->options, result);
	return result;
}

ImportOptions *
import_options(List *options)
{
	ImportOptions *result = palloc0(sizeof(ImportOptions));

	result->custom_fields = true;
	read_options(options, OPTION_IMPORT, result);
	return result;
}

MappingOptions *
mapping_options(const UserMapping *mapping)
{
	MappingOptions *result = palloc0(sizeof(MappingOptions));

	read_mapping(mapping->options, result);
	return result;
}

/* The columns of a resource. */
static List *
column_names(const Resource *resource)
{
	List	   *names = NIL;

	for (int i = 0; i < resource->ncolumns; i++)
		names = lappend(names, unconstify(char *, resource->columns[i].name));
	return names;
}

/* An example of a field, for the statement in a hint. */
static const char *
example_field(const Resource *resource)
{
	switch (resource->form)
	{
		case ROW_EMPLOYEE:
			return "category.field_id";
		case ROW_OBJECTS:
		case ROW_ITEMS:
			return "/object/field_id";
		case ROW_CSV:
			return "label in the report";
		case ROW_KEYS:
			break;
	}
	return "key";
}

/*
 * Neither the column's options nor its name determine the field.  The
 * statement in the hint can be used once its field is replaced.
 */
static void
report_unknown_column(Oid relid, const char *attname,
					  const Resource *resource)
{
	const char *closest = hint_closest_name(attname, column_names(resource));
	char	   *schema = get_namespace_name_or_temp(get_rel_namespace(relid));
	char	   *table = get_rel_name(relid);
	StringInfoData hint;

	initStringInfo(&hint);
	if (closest != NULL)
		appendStringInfo(&hint, "Perhaps you meant the column \"%s\". ",
						 closest);
	appendStringInfo(&hint, "Name the field: ALTER FOREIGN TABLE %s ALTER "
					 "COLUMN %s OPTIONS (ADD field '%s');",
					 quote_qualified_identifier(schema, table),
					 quote_identifier(attname), example_field(resource));

	ereport(ERROR,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("column \"%s\" of foreign table \"%s.%s\" has no field",
					attname, schema, table),
			 errdetail("Resource \"%s\" has no column of this name, and the "
					   "column has no option \"field\".", resource->name),
			 errhint("%s", hint.data)));
}

/*
 * The defect of the path of keys in a field's id, as a sentence, or NULL.  The
 * name of an item of the account can have dots anywhere.
 */
static const char *
keys_defect(const Resource *resource, const char *field)
{
	const char *item = field + resource_item_prefix(field);
	const char *last = strrchr(item, '.');

	if (resource->form == ROW_CSV || strcmp(field, RESOURCE_WHOLE_ROW) == 0)
		return NULL;
	if (resource->form == ROW_EMPLOYEE && item > field && last > item &&
		last[1] != '\0' && strchr(item, '*') == NULL)
		return NULL;
	return option_key_defect(field);
}

static void
check_keys(const Resource *resource, const char *field)
{
	const char *defect = keys_defect(resource, field);

	if (defect != NULL)
		report_invalid_value(find_rule("field", AttributeRelationId), field,
							 defect);
}

const char *
field_option_defect(const Resource *resource, const char *field)
{
	const OptionRule *rule = find_rule("field", AttributeRelationId);
	const char *parsed;
	const char *defect = rule->parse(rule, field, &parsed);

	if (defect != NULL)
		return defect;
	if (resource->form != ROW_CSV && strcmp(field, RESOURCE_WHOLE_ROW) == 0)
		return "The value would be the whole row.";
	return keys_defect(resource, field);
}

const char *
id_option_defect(const Resource *resource, const char *id)
{
	const OptionRule *rule = find_rule(resource->id_option,
									   ForeignTableRelationId);
	const char *parsed;

	return rule->parse(rule, id, &parsed);
}

/*
 * The entry of the resource table applies to a column of its name, unless the
 * option "field" names another field: then form and path are not the entry's.
 */
ColumnOptions *
column_options_if_known(Oid relid, AttrNumber attnum, const char *attname,
						const Resource *resource)
{
	List	   *options = GetForeignColumnOptions(relid, attnum);
	const char *field = option_value(options, "field");
	const ResourceColumn *entry = resource_column(resource, attname);
	ColumnOptions *result = palloc0(sizeof(ColumnOptions));

	if (get_attgenerated(relid, attnum) != '\0')
		return NULL;			/* computed from other columns */
	if (field != NULL && entry != NULL && strcmp(field, entry->field) != 0)
		entry = NULL;
	if (field == NULL && entry == NULL)
		return NULL;
	if (entry != NULL)
	{
		result->field = entry->field;
		result->form = entry->form;
		result->path = entry->path;
	}
	read_options(options, AttributeRelationId, result);
	result->category = resource_category(resource, result->field);
	result->entry = entry;
	return result;
}

ColumnOptions *
column_options(Oid relid, AttrNumber attnum, const char *attname,
			   const Resource *resource)
{
	ColumnOptions *result = column_options_if_known(relid, attnum, attname,
													resource);

	if (result == NULL)
		report_unknown_column(relid, attname, resource);
	check_keys(resource, result->field);
	return result;
}
