/*
 * options_fuzz.c
 *		A fuzz harness of text from users: options, addresses, names.
 *
 * The first byte of the input chooses the kind of the rest: the options of an
 * object, one on each line; a base URL and a segment of a path; or names.  It
 * runs inside a server; see server_fuzz.c.
 */
#include "server_fuzz.h"

#include <curl/curl.h>

#include "catalog/pg_attribute_d.h"
#include "catalog/pg_foreign_data_wrapper_d.h"
#include "catalog/pg_foreign_server_d.h"
#include "catalog/pg_foreign_table_d.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping_d.h"
#include "common/string.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "options/naming.h"
#include "nodes/makefuncs.h"
#include "options/options.h"
#include "http/url.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* A message that contains this discloses a secret. */
#define CANARY "s3cret-canary"

#define MAX_OPTIONS 16

extern Datum hibob_fdw_validator(PG_FUNCTION_ARGS);

/* The options of an object. */
typedef struct Given
{
	Oid			catalog;
	Datum		array;			/* as the validator gets them */
	List	   *list;			/* as they are looked up */
	bool		hides_canary;	/* it is in a value that is secret, and nowhere
								 * else */
} Given;

static const Oid catalogs[] = {
	ForeignServerRelationId, ForeignTableRelationId, AttributeRelationId,
	UserMappingRelationId, ForeignDataWrapperRelationId
};

static const char *const secrets[] = {
	"base_url", "proxy", "service_user_id", "token"
};

/*
 * Texts
 */

static bool
is_one_line(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

/* Removes and returns the text up to a character, which is removed, too. */
static char *
split(char **text, char at)
{
	char	   *part = *text;
	char	   *end = part == NULL ? NULL : strchr(part, at);

	*text = end != NULL ? end + 1 : NULL;
	if (end != NULL)
		*end = '\0';
	return part;
}

/*
 * Addresses
 */

static char *
url_part(CURLU *url, CURLUPart what)
{
	char	   *part = NULL;
	char	   *copy = NULL;

	if (curl_url_get(url, what, &part, 0) == CURLUE_OK)
		copy = pstrdup(part);
	curl_free(part);
	return copy;
}

/*
 * libcurl's view of an address that gets credentials: the host and scheme that
 * were checked, and only a path after them.
 */
static void
check_address(const char *address, const UrlParts *parts, const char *path)
{
	CURLU	   *url = curl_url();
	char	   *host;
	size_t		length;

	require(curl_url_set(url, CURLUPART_URL, address, 0) == CURLUE_OK);
	require(strcmp(url_part(url, CURLUPART_SCHEME),
				   parts->is_https ? "https" : "http") == 0);
	require(parts->is_https || parts->is_loopback);
	host = url_part(url, CURLUPART_HOST);
	length = strlen(host);
	if (host[0] == '[' && host[length - 1] == ']')
		host = pnstrdup(host + 1, length - 2);
	require(parts->host[0] != '\0' && strlen(parts->host) <= URL_MAX_HOST);
	require(pg_strcasecmp(host, parts->host) == 0);
	require(url_part(url, CURLUPART_USER) == NULL);
	require(url_part(url, CURLUPART_PASSWORD) == NULL);
	require(url_part(url, CURLUPART_QUERY) == NULL);
	require(url_part(url, CURLUPART_FRAGMENT) == NULL);
	host = url_part(url, CURLUPART_PATH);
	require(strlen(host) >= strlen(path));
	require(strcmp(host + strlen(host) - strlen(path), path) == 0);
	curl_url_cleanup(url);
}

/* If a base URL is accepted, all paths appended to it go to the same host. */
static void
check_base_url(const char *url, const char *path)
{
	UrlParts	parts;
	char	   *address;

	require(url_parse(url, &parts));
	require(is_one_line(url));
	address = psprintf("%s%s", url, path);
	check_address(address, &parts, path);
}

/* Any text becomes exactly one segment of the path. */
static char *
check_segment(const char *value)
{
	char	   *escaped = url_escape_segment(value);
	char	   *back;
	int			length;

	require(strspn(escaped, "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%") ==
			strlen(escaped));
	back = curl_easy_unescape(NULL, escaped, 0, &length);
	require(back != NULL && (size_t) length == strlen(value));
	require(memcmp(back, value, (size_t) length) == 0);
	curl_free(back);
	return escaped;
}

static void
fuzz_url(char *text)
{
	char	   *url = split(&text, '\n');
	size_t		length = strlen(url);
	char	   *path = pstrdup("/people/search");
	UrlParts	parts;

	if (text != NULL && url_is_segment(text))
		path = psprintf("/people/%s/x", check_segment(text));
	if (!url_parse(url, &parts))
	{
		require(parts.defect != NULL && strstr(parts.defect, CANARY) == NULL);
		return;
	}
	while (url[length - 1] == '/')
		url[--length] = '\0';
	check_base_url(url, path);
}

/*
 * Options
 */

static bool
is_secret(const char *name)
{
	for (size_t i = 0; i < lengthof(secrets); i++)
	{
		if (strcmp(name, secrets[i]) == 0)
			return true;
	}
	return false;
}

/* Adds an option from its line; the server itself rejects duplicates. */
static bool
add_option(Given *given, Datum *array, int n, char *line)
{
	char	   *option = pstrdup(line);
	char	   *name = split(&option, '=');
	ListCell   *cell;

	if (option == NULL || name[0] == '\0')
		return false;
	foreach(cell, given->list)
	{
		if (strcmp(lfirst_node(DefElem, cell)->defname, name) == 0)
			return false;
	}
	if (strstr(name, CANARY) != NULL ||
		(strstr(option, CANARY) != NULL && !is_secret(name)))
		given->hides_canary = false;
	array[n] = CStringGetTextDatum(line);
	given->list = lappend(given->list,
						  makeDefElem(name, (Node *) makeString(option), -1));
	return true;
}

static void
parse_options(Given *given, char *text)
{
	Datum		array[MAX_OPTIONS];
	int			n = 0;

	while (text != NULL && n < MAX_OPTIONS)
		n += add_option(given, array, n, split(&text, '\n'));
	given->array = PointerGetDatum(construct_array(array, n, TEXTOID, -1,
												   false, TYPALIGN_INT));
}

static void
validate(void *argument)
{
	Given	   *given = argument;

	DirectFunctionCall2(hibob_fdw_validator, given->array,
						ObjectIdGetDatum(given->catalog));
}

/* An error has a SQLSTATE for options, a hint, and no secret. */
static void
check_error(const Given *given, const ErrorData *error)
{
	const char *texts[] = {
		error->message, error->detail, error->hint, error->context
	};

	require(error->sqlerrcode == ERRCODE_FDW_INVALID_OPTION_NAME ||
			error->sqlerrcode == ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE ||
			error->sqlerrcode == ERRCODE_FDW_OPTION_NAME_NOT_FOUND);
	require(error->hint != NULL && error->hint[0] != '\0');
	for (size_t i = 0; i < lengthof(texts); i++)
	{
		if (texts[i] == NULL)
			continue;
		require(pg_verifymbstr(texts[i], (int) strlen(texts[i]), true));
		require(!given->hides_canary || strstr(texts[i], CANARY) == NULL);
	}
}

static void
check_server(List *list)
{
	ForeignServer server = {.options = list};
	ServerOptions *options = server_options(&server);

	check_base_url(options->base_url, "/people/search");
	require(options->connect_timeout >= 1 && options->read_timeout >= 1);
	require(options->max_retries >= 0 && options->max_retries <= 10);
	require(options->max_rate_limit_wait >= 0 && options->cache_ttl >= 0);
	require(options->fdw_startup_cost >= 0 && options->fdw_startup_cost <= 1e9);
	require(options->fdw_tuple_cost >= 0 && options->fdw_tuple_cost <= 1e9);
	require(options->proxy == NULL || is_one_line(options->proxy));
	require(options->ca_file == NULL || options->ca_file[0] == '/');
	require(options->ca_file == NULL || is_one_line(options->ca_file));
}

static void
check_table(List *list)
{
	ForeignServer server = {.options = NIL};
	ForeignTable table = {.options = list};
	TableOptions *options = table_options(&table, &server);

	require(options->resource != NULL);
	require(options->batch_size >= 0 &&
			options->batch_size <= RESOURCE_MAX_FILTER_VALUES);
	require(options->min_rows >= 0 && options->cache_ttl >= 0);
	require(options->id == NULL ||
			(url_is_segment(options->id) && is_one_line(options->id)));
	require(options->parameters == NULL || is_one_line(options->parameters));
	if (options->id != NULL)
		check_segment(options->id);
}

static void
check_mapping(List *list)
{
	UserMapping	mapping = {.options = list};
	MappingOptions *options = mapping_options(&mapping);

	require(options->service_user_id[0] != '\0' && options->token[0] != '\0');
	require(is_one_line(options->service_user_id));
	require(is_one_line(options->token));
	require(strchr(options->service_user_id, ':') == NULL);
}

/* Options that the validator accepts can be read, and have valid values. */
static void
look_up(void *argument)
{
	Given	   *given = argument;

	if (given->catalog == ForeignServerRelationId)
		check_server(given->list);
	else if (given->catalog == ForeignTableRelationId)
		check_table(given->list);
	else if (given->catalog == UserMappingRelationId)
		check_mapping(given->list);
	else
		require(given->catalog == AttributeRelationId || given->list == NIL);
}

static void
look_up_import(void *argument)
{
	Given	   *given = argument;

	import_options(given->list);
}

static void
fuzz_options(Oid catalog, char *text)
{
	Given		given = {.catalog = catalog, .hides_canary = true};
	ErrorData  *error;

	parse_options(&given, text);
	error = fuzz_attempt(validate, &given);
	if (error != NULL)
		check_error(&given, error);
	else
		require(fuzz_attempt(look_up, &given) == NULL);
}

static void
fuzz_import(char *text)
{
	Given		given = {.hides_canary = false};
	ErrorData  *error;

	parse_options(&given, text);
	error = fuzz_attempt(look_up_import, &given);
	if (error != NULL)
		check_error(&given, error);
}

/*
 * Names
 */

static void
check_name(const char *name)
{
	size_t		length = strlen(name);

	require(length > 0 && length < NAMEDATALEN);
	require(pg_verifymbstr(name, (int) length, true));
	require(strpbrk(name, " \t\n\"'\\;.,-ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
}

/* Display names or ids, one on each line, become different names. */
static void
fuzz_names(char *text, bool by_id)
{
	Naming	   *naming = naming_create(by_id);
	List	   *names = NIL;

	while (text != NULL && list_length(names) < 100)
	{
		char	   *line = split(&text, '\n');
		char	   *id = split(&line, '/');
		char	   *name = naming_choose(naming, line, id, id);
		char	   *derived = naming_derive(naming, name, "_currency");
		ListCell   *cell;

		check_name(name);
		check_name(derived);
		require(!by_id || pg_is_ascii(name));
		names = lappend(names, name);
		names = lappend(names, derived);
		foreach(cell, names)
		{
			for (ListCell *next = lnext(names, cell); next != NULL;
				 next = lnext(names, next))
				require(strcmp(lfirst(cell), lfirst(next)) != 0);
		}
	}
}

/* The name that is most similar to the first one is among the names. */
static void
fuzz_hints(char *text)
{
	char	   *name = split(&text, '\n');
	List	   *names = NIL;
	const char *closest;
	char	   *hint;

	while (text != NULL && list_length(names) < 20)
		names = lappend(names, split(&text, '\n'));
	closest = hint_closest_name(name, names);
	require(closest == NULL || list_member_ptr(names, closest));
	if (list_length(names) > 0 && strcmp(linitial(names), name) == 0 &&
		strlen(name) < NAMEDATALEN)
		require(closest != NULL && strcmp(closest, name) == 0);
	hint = hint_from_names("name", name, names, "Names are");
	require(pg_verifymbstr(hint, (int) strlen(hint), true));
}

int
options_fuzz(const uint8_t *data, size_t size)
{
	char	   *text;

	if (size < 1 || size > 4096)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	switch (data[0] % 9)
	{
		case 5:
			fuzz_import(text);
			break;
		case 6:
			fuzz_url(text);
			break;
		case 7:
			fuzz_names(pstrdup(text), true);
			fuzz_names(text, false);
			break;
		case 8:
			fuzz_hints(text);
			break;
		default:
			fuzz_options(catalogs[data[0] % 9], text);
			break;
	}
	return 0;
}
