/*
 * option_rules.c
 *		The options that exist, and how each is parsed.
 *
 * Knows HiBob's resources, not where options are stored.
 */
#include "postgres.h"

#include "options/option_rules.h"

#include <limits.h>
#include <sys/stat.h>

#include "catalog/pg_attribute_d.h"
#include "catalog/pg_foreign_server_d.h"
#include "catalog/pg_foreign_table_d.h"
#include "catalog/pg_user_mapping_d.h"
#include "http/url.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#define SECOND		1000		/* in milliseconds */
#define HOUR		(3600 * SECOND)
#define DAY			(24 * HOUR)

#define MAX_COST	1000000000

#define SANDBOX_BASE_URL	"https://" HIBOB_SANDBOX_HOST HIBOB_API_VERSION

#define MAPPING_HINT \
	"Use CREATE USER MAPPING FOR role_name SERVER server_name OPTIONS " \
	"(service_user_id 'SERVICE-1234', token 'service user token');"

#define RESOURCE_HINT \
	"Name the resource that the table shows: CREATE FOREIGN TABLE " \
	"table_name (...) SERVER server_name OPTIONS (resource 'people');"

/* What a parser returns if the hint about valid values suffices. */
#define NO_DETAIL	""

/* ------------------------------------------------------------------------
 * Parsers
 * ------------------------------------------------------------------------
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
 * A line of text that is not empty.  No control characters, since the text
 * goes into headers, addresses or messages; a copied token often has a line
 * break at its end.
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

/* A segment of a path. */
static const char *
parse_id(const OptionRule *rule, const char *value, void *place)
{
	if (value[0] != '\0' && !url_is_segment(value))
		return "The value cannot be a segment of a path.";
	return parse_text(rule, value, place);
}

/*
 * A space that was copied with the value would make HiBob reject it without
 * naming the cause.
 */
static const char *
parse_credential(const OptionRule *rule, const char *value, void *place)
{
	size_t		length = strlen(value);

	if (length > 0 && (value[0] == ' ' || value[length - 1] == ' '))
		return "The value begins or ends with a space.";
	return parse_text(rule, value, place);
}

/* HTTP's Basic credentials are "user:password", so a user has no colon. */
static const char *
parse_user_id(const OptionRule *rule, const char *value, void *place)
{
	if (strchr(value, ':') != NULL)
		return "The value has a colon, after which the token would begin.";
	return parse_credential(rule, value, place);
}

/* Whether a proxy has a scheme that libcurl knows, or none: http. */
static bool
has_proxy_scheme(const char *value)
{
	static const char *const schemes[] = {"http", "https", "socks4", "socks4a",
		"socks5", "socks5h"};
	const char *end = strstr(value, "://");

	if (end == NULL)
		return true;
	for (size_t i = 0; i < lengthof(schemes); i++)
		if ((size_t) (end - value) == strlen(schemes[i]) &&
			pg_strncasecmp(value, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

/*
 * A server's options can be read by every role, so they are no place for a
 * password.
 */
static const char *
parse_proxy(const OptionRule *rule, const char *value, void *place)
{
	if (strchr(value, '@') != NULL)
		return "It must not have a user name or password, since every role can read the options of a server.";
	if (!has_proxy_scheme(value))
		return "Its scheme is not http, https, socks4, socks4a, socks5 or socks5h.";
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

/*
 * libcurl reads the file.  It need not exist yet, so that a dump can be
 * restored first, but reading a FIFO or a device might never end.
 */
static const char *
parse_ca_file(const OptionRule *rule, const char *value, void *place)
{
	struct stat info;

	if (stat(value, &info) == 0 && !S_ISREG(info.st_mode))
		return "It is not a regular file.";
	return parse_file(rule, value, place);
}

/* Stored without slashes at its end, so that a path can be appended. */
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

/* An integer in the unit of the flags, within the rule's range. */
static bool
parse_in_range(const OptionRule *rule, const char *value, int flags,
			   int *result)
{
	return parse_int(value, result, flags, NULL) &&
		*result >= rule->min && *result <= rule->max;
}

/*
 * The same values as for a setting in milliseconds: '500ms', '10s', '2min', or
 * a bare number.  Fractions are rounded likewise.
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

/* A number of rows: the struct's member is wider than what can be set. */
static const char *
parse_count64(const OptionRule *rule, const char *value, void *place)
{
	int			count;

	if (!parse_in_range(rule, value, 0, &count))
		return NO_DETAIL;
	*(int64 *) place = count;
	return NULL;
}

/* The upper bound also excludes infinity; parse_real() refuses NaN. */
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

/* The position of a word in its list is the value of the enum. */
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

/* The resource table lists what exists. */
static const char *
parse_resource(const OptionRule *rule pg_attribute_unused(), const char *value,
			   void *place)
{
	const Resource *resource = resource_find(value);

	if (resource == NULL || resource->is_internal)
		return NO_DETAIL;
	*(const Resource **) place = resource;
	return NULL;
}

const char *
option_key_defect(const char *value)
{
	size_t		length = strlen(value);

	if (length > 0 &&
		(value[0] == '.' || value[length - 1] == '.' ||
		 strstr(value, "..") != NULL))
		return "The value has an empty key.";
	if (strchr(value, '*') != NULL)
		return "The value has an asterisk.";
	return NULL;
}

/* Keys with dots between them.  A key that an account named may have spaces. */
static const char *
parse_keys(const OptionRule *rule, const char *value, void *place)
{
	const char *defect = option_key_defect(value);

	return defect != NULL ? defect : parse_text(rule, value, place);
}

/* Whether one of the keys is an asterisk. */
static bool
has_asterisk_key(const char *value)
{
	size_t		length = strlen(value);

	return length > 1 &&
		(strncmp(value, "*.", 2) == 0 || strstr(value, ".*.") != NULL ||
		 strcmp(value + length - 2, ".*") == 0);
}

/*
 * A path of keys, or a report's label, which may have dots anywhere.  Which of
 * the two applies depends on the table, so the keys are checked when they are
 * used. 'work.*' is an error, since it looks like all fields of a category.
 */
static const char *
parse_field(const OptionRule *rule, const char *value, void *place)
{
	if (has_asterisk_key(value))
		return "The value has an asterisk.";
	return parse_text(rule, value, place);
}

/* ------------------------------------------------------------------------
 * Rules
 * ------------------------------------------------------------------------
 */

/* In the order of the enums in options.h and resource.h; false, true. */
static const char *const missing_field_words[] = {
	"warn", "error", "ignore", NULL
};
static const char *const value_form_words[] = {"machine", "human", NULL};
static const char *const import_fields_words[] = {"core", "all", NULL};
static const char *const import_names_words[] = {"label", "id", NULL};

/* The beginning of a rule: name, parser, and where it stores the value. */
#define SERVER(option, field, parser) \
	.name = option, .catalog = ForeignServerRelationId, \
	.parse = parser, .offset = offsetof(ServerOptions, field)
#define TABLE(option, field, parser) \
	.name = option, .catalog = ForeignTableRelationId, \
	.parse = parser, .offset = offsetof(TableOptions, field)
#define COLUMN(option, field, parser) \
	.name = option, .catalog = AttributeRelationId, \
	.parse = parser, .offset = offsetof(ColumnOptions, field)
#define IMPORT(option, field, parser) \
	.name = option, .catalog = OPTION_IMPORT, \
	.parse = parser, .offset = offsetof(ImportOptions, field)
#define MAPPING(option, field, parser) \
	.name = option, .catalog = UserMappingRelationId, \
	.parse = parser, .offset = offsetof(MappingOptions, field)

/* Options of servers that are the defaults of their tables. */
#define DEFAULTS_OF_TABLES(OBJECT) \
	{ \
		OBJECT("cache_ttl", cache_ttl, parse_duration), \
		.min = 0, .max = DAY, \
		.valid = "a duration from 0 (off) to 1d, such as '10min'", \
	}, \
	{ \
		OBJECT("on_missing_field", on_missing_field, parse_word), \
		.words = missing_field_words, \
	}, \
	{ \
		OBJECT("async_capable", async_capable, parse_boolean), \
		.valid = "a boolean, such as 'false'", \
	}

/* An option that adds a parameter to the requests of some resources. */
#define RESOURCE_FLAG(option, example) \
	{ \
		TABLE(option, scratch, parse_boolean), \
		.particular = true, \
		.valid = "a boolean, such as '" example "'", \
	}

const OptionRule option_rules[] = {
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
		SERVER("proxy", proxy, parse_proxy),
		.superuser = true, .secret = true,
		.valid = "a proxy's URL without user, such as 'http://proxy.example.com:3128'",
	},
	{
		SERVER("ca_file", ca_file, parse_ca_file),
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
	DEFAULTS_OF_TABLES(SERVER),

	{
		TABLE("resource", resource, parse_resource),
		.missing_hint = RESOURCE_HINT,
	},
	{
		TABLE("show_inactive", show_inactive, parse_boolean),
		.particular = true,
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
		.particular = true,
		.min = 0, .max = RESOURCE_MAX_FILTER_VALUES,
		.valid = "an integer from 0 (off) to "
		CppAsString2(RESOURCE_MAX_FILTER_VALUES) ", such as '100'",
	},
	{
		TABLE("table_id", id, parse_id),
		.particular = true,
		.valid = "the id of a custom table, as a table with the resource "
		"'custom_tables' shows it",
	},
	{
		TABLE("report_id", id, parse_id),
		.particular = true,
		.valid = "the id of a saved report, as a table with the resource "
		"'reports' shows it",
	},
	{
		TABLE("report_async", report_async, parse_boolean),
		.particular = true,
		.valid = "a boolean, such as 'true'",
	},
	RESOURCE_FLAG("include_archived", "true"),
	RESOURCE_FLAG("include_private", "true"),
	RESOURCE_FLAG("include_pending", "true"),
	RESOURCE_FLAG("include_working", "false"),
	DEFAULTS_OF_TABLES(TABLE),

	{
		COLUMN("field", field, parse_field),
		.valid = "a field id or a path of keys, such as 'work.department', "
		"or '" RESOURCE_WHOLE_ROW "' for the whole row",
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
		/* secret, since users put the token into it by mistake */
		MAPPING("service_user_id", service_user_id, parse_user_id),
		.secret = true, .missing_hint = MAPPING_HINT, .unless = "token_file",
		.valid = "the id as HiBob shows it, such as 'SERVICE-1234'",
	},
	{
		MAPPING("token", token, parse_credential),
		.secret = true, .missing_hint = MAPPING_HINT, .unless = "token_file",
		.valid = "the token as HiBob shows it, without line breaks",
	},
	{
		/* secret for the same reason */
		MAPPING("token_file", token_file, parse_file),
		.superuser = true, .secret = true,
		.valid = "the absolute path of a file with the token in its first "
		"line, such as '/run/secrets/hibob-token'",
	},

	{
		IMPORT("fields", all_fields, parse_word),
		.words = import_fields_words,
	},
	{
		IMPORT("names", by_id, parse_word),
		.words = import_names_words,
	},
	{
		IMPORT("custom_fields", custom_fields, parse_boolean),
		.valid = "a boolean, such as 'false'",
	},
	{
		IMPORT("reports", reports, parse_boolean),
		.valid = "a boolean, such as 'true'",
	},
	{
		IMPORT("custom_tables", custom_tables, parse_boolean),
		.valid = "a boolean, such as 'true'",
	},
};

const int	option_nrules = lengthof(option_rules);

bool
option_is_resource(const OptionRule *rule)
{
	return rule->parse == parse_resource;
}
