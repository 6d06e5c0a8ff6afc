/*
 * options.c
 *		Validates options when they are set, and reads them when they are
 *		needed.
 *
 * One table, "rules", says what options there are, and one reader applies it.
 * The validator is the reader with its result thrown away, so that what can be
 * set is exactly what can be read.
 *
 * Knows catalogs and HiBob's resources, not what the options are used for.
 */
#include "postgres.h"

#include "options.h"

#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "url.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#define SECOND		1000		/* in milliseconds */
#define HOUR		(3600 * SECOND)
#define DAY			(24 * HOUR)

#define MAX_COST	1000000000

/*
 * Costs are in the planner's unit, the read of a page in sequence, taken as a
 * tenth of a millisecond.  A request takes some 200 ms; an employee, of one or
 * two kilobytes, some 0.1 ms of transfer and parsing.  So a few requests for
 * single employees win over one search for thousands, and only a few.
 */
#define DEFAULT_STARTUP_COST	2000.0
#define DEFAULT_TUPLE_COST		1.0

#define DEFAULT_BASE_URL	"https://" CATALOG_HOST CATALOG_API_VERSION
#define SANDBOX_BASE_URL	"https://" CATALOG_SANDBOX_HOST CATALOG_API_VERSION

#define MAPPING_HINT \
	"Use CREATE USER MAPPING FOR role_name SERVER server_name OPTIONS " \
	"(service_user_id 'SERVICE-1234', token 'service user token');"

#define RESOURCE_HINT \
	"Say which of HiBob's resources the table shows: CREATE FOREIGN TABLE " \
	"table_name (...) SERVER server_name OPTIONS (resource 'people');"

typedef struct OptionRule OptionRule;

/*
 * Parses a value and stores it.  Returns NULL if it is valid, else a sentence
 * for the message's detail, which may be empty and never repeats the value.
 */
typedef const char *(*OptionParser) (const OptionRule *rule,
									 const char *value, void *place);

#define NO_DETAIL	""

struct OptionRule
{
	const char *name;
	Oid			catalog;		/* of the objects that it belongs to */
	OptionParser parse;
	size_t		offset;			/* of its place in the result of a lookup */
	const char *valid;			/* for a hint: goes on after "Valid is " */
	int			min;
	int			max;
	const char *const *words;	/* the valid values, in their enum's order */
	const char *missing_hint;	/* not NULL: the option is required */
	bool		superuser;		/* only superusers may set it */
	bool		search_only;	/* only for resources that can be searched */
	bool		secret;			/* messages must not repeat the value */
};

PG_FUNCTION_INFO_V1(hibob_fdw_validator);

/*
 * Parsers
 */

static bool
has_control_character(const char *value)
{
	for (const unsigned char *c = (const unsigned char *) value; *c; c++)
	{
		if (*c < ' ' || *c == 0x7f)
			return true;
	}
	return false;
}

/*
 * Any line of text that is not empty.  No control characters, since the text
 * goes into headers, addresses or messages; a line break at the end is what a
 * careless copy of a token brings along.
 */
static const char *
parse_text(const OptionRule *rule pg_attribute_unused(), const char *value,
		   void *place)
{
	if (value[0] == '\0')
		return "The value is empty.";
	if (has_control_character(value))
		return "The value has a control character.";
	*(const char **) place = pstrdup(value);
	return NULL;
}

/* HTTP's Basic credentials are "user:password", so a user has no colon. */
static const char *
parse_user_id(const OptionRule *rule, const char *value, void *place)
{
	if (strchr(value, ':') != NULL)
		return "The value has a colon, after which the token would begin.";
	return parse_text(rule, value, place);
}

/* Absolute, since a relative path would depend on the server's directory. */
static const char *
parse_file(const OptionRule *rule, const char *value, void *place)
{
	if (!is_absolute_path(value))
		return "The path is not absolute.";
	return parse_text(rule, value, place);
}

/* Stored without slashes at its end, so that a path can be put after it. */
static const char *
parse_url(const OptionRule *rule pg_attribute_unused(), const char *value,
		  void *place)
{
	UrlParts	parts;
	size_t		length = strlen(value);

	if (!url_parse(value, &parts))
		return parts.defect;
	while (length > 0 && value[length - 1] == '/')
		length--;
	*(const char **) place = pnstrdup(value, length);
	return NULL;
}

/* An integer in the unit that flags say, within the rule's range. */
static bool
parse_in_range(const OptionRule *rule, const char *value, int flags,
			   int *result)
{
	return parse_int(value, result, flags, NULL) &&
		*result >= rule->min && *result <= rule->max;
}

/*
 * What a setting in milliseconds takes: '500ms', '10s', '2min', or a bare
 * number.  Fractions are rounded as there.
 */
static const char *
parse_duration(const OptionRule *rule, const char *value, void *place)
{
	return parse_in_range(rule, value, GUC_UNIT_MS, place) ? NULL : NO_DETAIL;
}

static const char *
parse_count(const OptionRule *rule, const char *value, void *place)
{
	return parse_in_range(rule, value, 0, place) ? NULL : NO_DETAIL;
}

/* An employee count: wider in its struct than what can be set. */
static const char *
parse_count64(const OptionRule *rule, const char *value, void *place)
{
	int			count;

	if (!parse_in_range(rule, value, 0, &count))
		return NO_DETAIL;
	*(int64 *) place = count;
	return NULL;
}

/* The upper bound also keeps infinity out; parse_real() refuses NaN. */
static const char *
parse_cost(const OptionRule *rule, const char *value, void *place)
{
	double		cost;

	if (!parse_real(value, &cost, 0, NULL) ||
		cost < rule->min || cost > rule->max)
		return NO_DETAIL;
	*(double *) place = cost;
	return NULL;
}

static const char *
parse_boolean(const OptionRule *rule pg_attribute_unused(), const char *value,
			  void *place)
{
	return parse_bool(value, place) ? NULL : NO_DETAIL;
}

StaticAssertDecl(sizeof(MissingField) == sizeof(int) &&
				 sizeof(ValueForm) == sizeof(int),
				 "parse_word() stores an enum as an int");

/* A word's place in its list is the value of its enum. */
static const char *
parse_word(const OptionRule *rule, const char *value, void *place)
{
	for (int i = 0; rule->words[i] != NULL; i++)
	{
		if (strcmp(rule->words[i], value) == 0)
		{
			*(int *) place = i;
			return NULL;
		}
	}
	return NO_DETAIL;
}

/* The catalogue says what there is, so that it can grow alone. */
static const char *
parse_resource(const OptionRule *rule pg_attribute_unused(), const char *value,
			   void *place)
{
	const CatalogResource *resource = catalog_resource(value);

	if (resource == NULL)
		return NO_DETAIL;
	*(const CatalogResource **) place = resource;
	return NULL;
}

/*
 * Keys with dots between them.  A key may have spaces, as HiBob's own have
 * where an account named them.  An asterisk is refused, or 'work.*' would look
 * as if it meant all fields of a category.
 */
static const char *
parse_keys(const OptionRule *rule, const char *value, void *place)
{
	size_t		length = strlen(value);

	if (length > 0 &&
		(value[0] == '.' || value[length - 1] == '.' ||
		 strstr(value, "..") != NULL))
		return "The value has an empty key.";
	if (strchr(value, '*') != NULL)
		return "The value has an asterisk.";
	return parse_text(rule, value, place);
}

static const char *
parse_field(const OptionRule *rule, const char *value, void *place)
{
	if (strcmp(value, CATALOG_WHOLE_ROW) == 0)
		return parse_text(rule, value, place);
	return parse_keys(rule, value, place);
}

/*
 * The options.  Their order is the one in which hints list them.
 */

/* In the order of the enums in options.h and catalog.h. */
static const char *const missing_field_words[] = {
	"warn", "error", "ignore", NULL
};
static const char *const value_form_words[] = {"machine", "human", NULL};

/* What a rule says first: its name, where its value goes, and how. */
#define SERVER(option, field, parser) \
	.name = option, .catalog = ForeignServerRelationId, \
	.parse = parser, .offset = offsetof(ServerOptions, field)
#define TABLE(option, field, parser) \
	.name = option, .catalog = ForeignTableRelationId, \
	.parse = parser, .offset = offsetof(TableOptions, field)
#define COLUMN(option, field, parser) \
	.name = option, .catalog = AttributeRelationId, \
	.parse = parser, .offset = offsetof(ColumnOptions, field)
#define MAPPING(option, field, parser) \
	.name = option, .catalog = UserMappingRelationId, \
	.parse = parser, .offset = offsetof(MappingOptions, field)

static const OptionRule rules[] = {
	{
		SERVER("base_url", base_url, parse_url),
		.secret = true,
		.valid = "an https URL without user, query and fragment, such as '"
		SANDBOX_BASE_URL "'; plain http only to a loopback address",
	},
	{
		SERVER("connect_timeout", connect_timeout, parse_duration),
		.min = 1, .max = HOUR,
		.valid = "a duration from 1ms to 1h, such as '10s'",
	},
	{
		SERVER("read_timeout", read_timeout, parse_duration),
		.min = 1, .max = HOUR,
		.valid = "a duration from 1ms to 1h, such as '2min'",
	},
	{
		SERVER("max_retries", max_retries, parse_count),
		.min = 0, .max = 10,
		.valid = "an integer from 0 to 10, such as '3'",
	},
	{
		SERVER("max_rate_limit_wait", max_rate_limit_wait, parse_duration),
		.min = 0, .max = DAY,
		.valid = "a duration from 0 to 1d, such as '90s'",
	},
	{
		SERVER("proxy", proxy, parse_text),
		.superuser = true, .secret = true,
		.valid = "a proxy's URL, such as 'http://proxy.example.com:3128'",
	},
	{
		SERVER("ca_file", ca_file, parse_file),
		.superuser = true,
		.valid = "the absolute path of a file with PEM certificates, such as "
		"'/etc/ssl/certs/ca-certificates.crt'",
	},
	{
		SERVER("fdw_startup_cost", fdw_startup_cost, parse_cost),
		.min = 0, .max = MAX_COST,
		.valid = "a number from 0 to 1e9, such as '2000'",
	},
	{
		SERVER("fdw_tuple_cost", fdw_tuple_cost, parse_cost),
		.min = 0, .max = MAX_COST,
		.valid = "a number from 0 to 1e9, such as '0.5'",
	},
	{
		SERVER("cache_ttl", cache_ttl, parse_duration),
		.min = 0, .max = DAY,
		.valid = "a duration from 0 (off) to 1d, such as '10min'",
	},
	{
		SERVER("on_missing_field", on_missing_field, parse_word),
		.words = missing_field_words,
	},

	{
		TABLE("resource", resource, parse_resource),
		.missing_hint = RESOURCE_HINT,
	},
	{
		TABLE("show_inactive", show_inactive, parse_boolean),
		.search_only = true,
		.valid = "a boolean, such as 'false'",
	},
	{
		TABLE("min_rows", min_rows, parse_count64),
		.min = 0, .max = INT_MAX,
		.valid = "an integer from 0 (off) to 2147483647, such as '500'",
	},
	{
		/* a batch is one filter */
		TABLE("batch_size", batch_size, parse_count),
		.search_only = true,
		.min = 0, .max = CATALOG_MAX_FILTER_VALUES,
		.valid = "an integer from 0 (off) to "
		CppAsString2(CATALOG_MAX_FILTER_VALUES) ", such as '100'",
	},
	{
		TABLE("cache_ttl", cache_ttl, parse_duration),
		.min = 0, .max = DAY,
		.valid = "a duration from 0 (off) to 1d, such as '10min'",
	},
	{
		TABLE("on_missing_field", on_missing_field, parse_word),
		.words = missing_field_words,
	},

	{
		COLUMN("field", field, parse_field),
		.valid = "a field id or a path of keys, such as 'work.department', "
		"or '" CATALOG_WHOLE_ROW "' for the whole row",
	},
	{
		COLUMN("value", form, parse_word),
		.words = value_form_words,
	},
	{
		COLUMN("path", path, parse_keys),
		.valid = "a path of keys, such as 'currency'",
	},

	{
		/* secret, since the token is easily put into it too */
		MAPPING("service_user_id", service_user_id, parse_user_id),
		.secret = true, .missing_hint = MAPPING_HINT,
		.valid = "the id as HiBob shows it, such as 'SERVICE-1234'",
	},
	{
		MAPPING("token", token, parse_text),
		.secret = true, .missing_hint = MAPPING_HINT,
		.valid = "the token as HiBob shows it, without line breaks",
	},
};

/* What the catalogs' objects are called in messages. */
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

/*
 * Errors
 */

/*
 * Near is what differs by at most four characters, and by no more than half of
 * the name: of a short name, everything would be near.
 */
static const char *
closest_name(const char *name, List *valid)
{
	int			length = strlen(name);
	const char *closest = NULL;
	int			allowed = Min(4, length / 2);
	ListCell   *cell;

	/* the distance takes time and space by the product of the lengths */
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
			allowed = distance - 1; /* only a nearer one replaces it */
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

/*
 * A hint out of a list: what was perhaps meant, and what there is.  "what"
 * names the kind of thing; the introduction goes before the list.
 */
static char *
hint_from_names(const char *what, const char *name, List *valid,
				const char *introduction)
{
	const char *closest = closest_name(name, valid);
	StringInfoData hint;

	initStringInfo(&hint);
	if (closest != NULL)
		appendStringInfo(&hint, "Perhaps you meant the %s \"%s\". ", what,
						 closest);
	appendStringInfo(&hint, "%s: %s.", introduction, join_names(valid));
	return hint.data;
}

/* The names of the rules of a catalog. */
static List *
option_names(Oid catalog)
{
	List	   *names = NIL;

	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if (rules[i].catalog == catalog)
			names = lappend(names, unconstify(char *, rules[i].name));
	}
	return names;
}

/* The names of all resources, or of those alone that can be searched. */
static List *
resource_names(bool search_only)
{
	List	   *names = NIL;
	const CatalogResource *resource;

	for (int i = 0; (resource = catalog_resource_at(i)) != NULL; i++)
	{
		if (resource->has_fields || !search_only)
			names = lappend(names, unconstify(char *, resource->name));
	}
	return names;
}

/* The values that an option can have, if they can be listed; else NIL. */
static List *
valid_values(const OptionRule *rule)
{
	List	   *values = NIL;

	if (rule->parse == parse_resource)
		return resource_names(false);
	for (int i = 0; rule->words != NULL && rule->words[i] != NULL; i++)
		values = lappend(values, unconstify(char *, rule->words[i]));
	return values;
}

/* Which objects have an option of this name, or NULL. */
static const char *
option_objects(const char *name)
{
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if (strcmp(rules[i].name, name) != 0)
			continue;
		for (size_t j = 0; j < lengthof(catalog_objects); j++)
		{
			if (catalog_objects[j].catalog == rules[i].catalog)
				return catalog_objects[j].objects;
		}
	}
	return NULL;
}

/* Whoever gives a server a token is told where tokens belong. */
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
			 valid == NIL ? errhint("There are no options here.") :
			 errhint("%s", hint_from_names("option", name, valid,
										   "Valid options here are"))));
}

/* The detail may say why a value is not valid; the hint says what is. */
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
			 valid == NIL ? errhint("Valid is %s.", rule->valid) :
			 errhint("%s", hint_from_names("value", value, valid,
										   "Valid values are"))));
}

/*
 * Reading
 */

/* The rule for an option, or an error. */
static const OptionRule *
find_rule(const char *name, Oid catalog)
{
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if (rules[i].catalog == catalog && strcmp(rules[i].name, name) == 0)
			return &rules[i];
	}
	report_unknown_option(name, catalog);
	return NULL;				/* keep the compiler quiet */
}

/* An option's value, or NULL if it is not set. */
static const char *
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
 * That all required options are there, and say something.  The hint is a
 * statement that can be used as it stands but for its names; it never holds
 * what was given.
 */
static void
check_required(List *options, Oid catalog)
{
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		const char *value;

		if (rules[i].catalog != catalog || rules[i].missing_hint == NULL)
			continue;

		value = option_value(options, rules[i].name);
		if (value == NULL || value[0] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
					 value == NULL ?
					 errmsg("option \"%s\" is missing", rules[i].name) :
					 errmsg("option \"%s\" is empty", rules[i].name),
					 errhint("%s", rules[i].missing_hint)));
	}
}

/*
 * Reads options of a catalog's object into the struct that their rules are
 * made for.  What is not set keeps the value that it has there.
 *
 * Names come first: who wrote "password" for "token" should hear of that, and
 * not that the token is missing.
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

/* The defaults that the manual promises, then what is set. */
static void
read_server(List *options, ServerOptions *result)
{
	*result = (ServerOptions) {
		.base_url = DEFAULT_BASE_URL,
		.connect_timeout = 10 * SECOND,
		.read_timeout = 60 * SECOND,
		.max_retries = 3,
		.max_rate_limit_wait = 60 * SECOND,
		.fdw_startup_cost = DEFAULT_STARTUP_COST,
		.fdw_tuple_cost = DEFAULT_TUPLE_COST,
		.on_missing_field = MISSING_FIELD_WARN,
	};
	read_options(options, ForeignServerRelationId, result);
}

/* An option that the table's resource could not heed must not be ignored. */
static void
check_resource_options(List *options, const CatalogResource *resource)
{
	ListCell   *cell;

	if (resource->has_fields)
		return;

	foreach(cell, options)
	{
		const char *name = lfirst_node(DefElem, cell)->defname;

		if (find_rule(name, ForeignTableRelationId)->search_only)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" is not valid for resource \"%s\"",
							name, resource->name),
					 errhint("It is valid only for resource: %s.",
							 join_names(resource_names(true)))));
	}
}

/* The result must hold the server's defaults, or zeros. */
static void
read_table(List *options, TableOptions *result)
{
	result->show_inactive = true;
	read_options(options, ForeignTableRelationId, result);
	check_resource_options(options, result->resource);
}

/*
 * Validation
 */

/*
 * A proxy sees where credentials go and a CA file says whom to trust, and both
 * make the server process touch what it can reach.  Checked on the whole list,
 * as it will be: on a server that has such an option, others than superusers
 * change nothing.
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
					 errhint("Have a superuser create or alter the server.")));
	}
}

/*
 * Called by the server with all options that an object would have after a
 * CREATE or ALTER, so that a missing one shows too.  A column's options come
 * without their table: whether the resource knows the field shows only when
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
		default:
			/* the wrapper itself has no rules, so that any option is wrong */
			read_options(options, catalog, &ignored);
			break;
	}
	PG_RETURN_VOID();
}

/*
 * Lookup.  What is stored passed the validator once, but not necessarily this
 * version of it: a value that is no longer valid is an error here too.
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
	read_table(table->options, result);
	return result;
}

MappingOptions *
mapping_options(const UserMapping *mapping)
{
	MappingOptions *result = palloc0(sizeof(MappingOptions));

	read_options(mapping->options, UserMappingRelationId, result);
	return result;
}

/* The columns that a resource's catalogue has. */
static List *
column_names(const CatalogResource *resource)
{
	List	   *names = NIL;

	for (int i = 0; i < resource->ncolumns; i++)
		names = lappend(names, unconstify(char *, resource->columns[i].name));
	return names;
}

/*
 * Neither the column's options nor its name say which field it is.  The hint's
 * statement can be used as it stands but for the field.
 */
static void
report_unknown_column(Oid relid, const char *attname,
					  const CatalogResource *resource)
{
	const char *closest = closest_name(attname, column_names(resource));
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	char	   *table = get_rel_name(relid);
	StringInfoData hint;

	initStringInfo(&hint);
	if (closest != NULL)
		appendStringInfo(&hint, "Perhaps you meant the column \"%s\". ",
						 closest);
	appendStringInfo(&hint, "Name the field: ALTER FOREIGN TABLE %s ALTER "
					 "COLUMN %s OPTIONS (ADD field 'category.field_id');",
					 quote_qualified_identifier(schema, table),
					 quote_identifier(attname));

	ereport(ERROR,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("column \"%s\" of foreign table \"%s\" names no field",
					attname, table),
			 errdetail("Resource \"%s\" has no column of this name, and the "
					   "column has no option \"field\".", resource->name),
			 errhint("%s", hint.data)));
}

/*
 * The catalogue's entry holds for a column of its name, unless the column says
 * that it is another field: then its form and path are that field's, not the
 * entry's.
 */
ColumnOptions *
column_options(Oid relid, AttrNumber attnum, const char *attname,
			   const CatalogResource *resource)
{
	List	   *options = GetForeignColumnOptions(relid, attnum);
	const char *field = option_value(options, "field");
	const CatalogColumn *entry = catalog_column(resource, attname);
	ColumnOptions *result = palloc0(sizeof(ColumnOptions));

	if (field != NULL && entry != NULL && strcmp(field, entry->field) != 0)
		entry = NULL;
	if (field == NULL && entry == NULL)
		report_unknown_column(relid, attname, resource);

	if (entry != NULL)
	{
		result->field = entry->field;
		result->form = entry->form;
		result->path = entry->path;
	}
	read_options(options, AttributeRelationId, result);
	result->category = catalog_category(resource, result->field);
	return result;
}
