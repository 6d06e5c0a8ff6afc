/*
 * print_resources.c
 *		Prints the resource table as Markdown: the part of doc/reference.md on
 *		resources.
 *
 * doc/generate.sh builds it from this file and the files of src/resources alone,
 * with the server's headers and without the server.  All of the output comes from
 * the entries of the resources, so that the manual matches them.
 */
#include "postgres.h"

#include <stdio.h>

#include "resources/resource.h"

/* The server's headers replace printf. */
#undef printf

/* The values of a condition in one request. */
static int
batch(const Resource *resource)
{
	return resource->max_values > 0 ? resource->max_values :
		RESOURCE_MAX_FILTER_VALUES;
}

/* ------------------------------------------------------------------------
 * Facts
 * ------------------------------------------------------------------------
 */

/* Whether a request is for one value, which is in its path. */
static bool
is_by_path(const Resource *resource)
{
	for (int i = 0; i < resource->nfilters; i++)
		if (resource->filters[i].place == PLACE_PATH)
			return true;
	return false;
}

/* The column of a condition with this filter. */
static const char *
column_of(const Resource *resource, const char *field)
{
	for (int i = 0; i < resource->ncolumns; i++)
	{
		const ResourceColumn *column = &resource->columns[i];

		if (strcmp(column->field, field) == 0 && column->path == NULL &&
			column->form == FORM_MACHINE)
			return column->name;
	}
	return field;
}

static bool
has_paths(const Resource *resource)
{
	for (int i = 0; i < resource->ncolumns; i++)
		if (resource->columns[i].path != NULL)
			return true;
	return false;
}

static bool
has_abouts(const Resource *resource)
{
	for (int i = 0; i < resource->ncolumns; i++)
		if (resource->columns[i].about[0] != '\0')
			return true;
	return false;
}

/* ------------------------------------------------------------------------
 * The lines of a resource
 * ------------------------------------------------------------------------
 */

static void
print_endpoint(const Resource *resource)
{
	const Resource *fallback = resource->fallback != NULL ?
		resource_find(resource->fallback) : NULL;

	printf("* Endpoint: `%s %s`", resource->method, resource->path);
	if (resource->query != NULL)
		printf(", always with `%s`", resource->query);
	if (resource->single_path != NULL)
		printf("; for one value, `%s %s`", resource->method,
			   resource->single_path);
	if (resource->form == ROW_CSV)
		printf("; with `report_async`, `%s %s`", resource->method,
			   RESOURCE_REPORT_ASYNC);
	if (fallback != NULL)
		printf("; in accounts without it, `%s %s`", fallback->method,
			   fallback->path);
	if (resource->fixed_filter != NULL)
		printf("; without a condition, filtered by all values of `%s`",
			   resource->fixed_filter[0]);
	printf(".\n");
}

static void
print_permission(const Resource *resource)
{
	if (resource->permission == NULL)
		printf("* Permission: none is needed.\n");
	else
		printf("* Permission: view access to %s.\n", resource->permission);
}

/* Where a request has the values of a condition. */
static void
print_values(const Resource *resource, const ResourceFilter *filter)
{
	printf("`%s` with `=`, `IN`, `= ANY`: ",
		   column_of(resource, filter->field));
	switch (filter->place)
	{
		case PLACE_QUERY:
			if (resource->expand != NULL)
				printf("requests for their policies only");
			else
				printf("parameter `%s`, %d values a request",
					   filter->parameter, batch(resource));
			break;
		case PLACE_PATH:
			printf("a request for each value");
			break;
		default:
			printf("filter on `%s`, %d values a request", filter->parameter,
				   batch(resource));
	}
}

static void
print_argument(const Resource *resource, const ResourceFilter *filter)
{
	printf("`%s` with `=`, `IN`, `= ANY`: parameter `%s`, a request for each "
		   "value", column_of(resource, filter->field), filter->parameter);
}

static void
print_bound(const char *operators, const Resource *resource,
			const ResourceFilter *filter)
{
	bool		two = filter->upper != NULL &&
		strcmp(filter->upper, filter->parameter) != 0;

	printf("`%s` with %s: %s%s `%s`", column_of(resource, filter->field),
		   operators, filter->place == PLACE_BODY ? "filter on" : "parameter",
		   two ? "s" : "", filter->parameter);
	if (two)
		printf(" and `%s`", filter->upper);
}

static void
print_filter(const Resource *resource, const ResourceFilter *filter)
{
	switch (filter->role)
	{
		case FILTER_VALUES:
			print_values(resource, filter);
			break;
		case FILTER_STATUS:
			printf("`%s = '%s'`: `%s: false`",
				   column_of(resource, filter->field), RESOURCE_STATUS_ACTIVE,
				   filter->parameter);
			break;
		case FILTER_LOWER:
			print_bound("`=`, `>`, `>=`", resource, filter);
			break;
		case FILTER_UPPER:
			print_bound("`=`, `<`, `<=`", resource, filter);
			break;
		case FILTER_BOUNDS:
			print_bound("`=`, `<`, `<=`, `>`, `>=`", resource, filter);
			break;
		case FILTER_ARGUMENT:
			print_argument(resource, filter);
			break;
		case FILTER_DAY:
			printf("`%s` with `=`: parameter `%s`",
				   column_of(resource, filter->field), filter->parameter);
			break;
	}
}

static void
print_pushdown(const Resource *resource)
{
	const char *separator = "";

	printf("* Pushed down: ");
	if (resource->max_fields > 0)
	{
		printf("the fields of the needed columns, %d a request",
			   resource->max_fields);
		separator = "; ";
	}
	for (int i = 0; i < resource->nfilters; i++)
	{
		printf("%s", separator);
		print_filter(resource, &resource->filters[i]);
		separator = "; ";
	}
	if (resource->paging != PAGING_NONE)
	{
		printf("%s`LIMIT`, as a smaller page", separator);
		separator = "; ";
	}
	printf("%s.\n", separator[0] == '\0' ? "nothing" : "");
}

/* Where the values come from that the query does not name. */
static void
print_sources(const Resource *resource)
{
	for (int i = 0; i < resource->nfilters; i++)
	{
		const ResourceFilter *filter = &resource->filters[i];
		const Resource *source = filter->source != NULL ?
			resource_find(filter->source) : NULL;

		if (source == NULL)
			continue;
		printf("* Without a condition on `%s`, `%s %s` lists its values.\n",
			   column_of(resource, filter->field), source->method,
			   source->path);
	}
	if (resource->expand != NULL)
		printf("* Requests: one for each value (`%s %s`), and one for each "
			   "row.\n", resource_find(resource->expand)->method,
			   resource_find(resource->expand)->path);
}

/* The number of requests: pages, and employees. */
static void
print_requests(const Resource *resource)
{
	if (resource->paging != PAGING_NONE)
		printf("* Pages: %d entries, by `limit` and `cursor` in the %s.\n",
			   resource->page_limit,
			   resource->paging == PAGING_QUERY ? "query string" : "body");
	if (resource->needs_employees && is_by_path(resource))
		printf("* Requests: one for each employee%s. Without a condition on "
			   "`employee_id`, a search reads the ids of all employees first.\n",
			   resource_filter(resource, FILTER_ARGUMENT) != NULL ?
			   " and policy type" : "");
	else if (resource->needs_employees)
		printf("* Requests: one for %d employees. Without a condition on "
			   "`employee_id`, a search reads the ids of all employees first.\n",
			   batch(resource));
	print_sources(resource);
	if (resource->max_months > 0)
		printf("* Range of a request: %d months; a longer range takes several "
			   "requests.\n", resource->max_months);
	if (resource->max_days > 0)
		printf("* Range of a request: %d days; a longer range takes several "
			   "requests.\n", resource->max_days);
}

/* A column with several keys in the rows. */
static void
print_derived(const Resource *resource, const ResourceDerived *derived)
{
	printf("* The value of `%s` is ", column_of(resource, derived->field));
	for (int i = 0; i < RESOURCE_MAX_SOURCES && derived->sources[i]; i++)
		printf("%s`%s`", i > 0 ? ", else " : "", derived->sources[i]);
	if (derived->otherwise != NULL)
		printf(", else `%s`", derived->otherwise);
	printf(".\n");
}

/* Columns from the request, and columns that an account defines. */
static void
print_special_columns(const Resource *resource)
{
	const char *separator = "* Columns with values of the request: ";
	bool		any = false;

	for (int i = 0; i < RESOURCE_MAX_SUPPLIED; i++)
	{
		const ResourceSupplied *supplied = &resource->supplied[i];

		if (supplied->source != SUPPLIED_LOWER && supplied->source != SUPPLIED_UPPER &&
			supplied->source != SUPPLIED_DAY && supplied->source != SUPPLIED_ARGUMENT)
			continue;
		printf("%s`%s`", separator, column_of(resource, supplied->field));
		separator = ", ";
		any = true;
	}
	if (any)
		printf(".\n");
	for (int i = 0; i < resource->nderived; i++)
		print_derived(resource, &resource->derived[i]);
	if (resource->custom_columns != NULL)
		printf("* Custom columns: the field `%s…` of the metadata is "
			   "`customColumns.…` here.\n", resource->custom_columns);
}

static void
print_options(const Resource *resource)
{
	const char *separator = "* Table options: ";

	if (resource->id_option != NULL)
	{
		printf("%s`%s` (required)", separator, resource->id_option);
		separator = ", ";
	}
	for (int i = 0; i < resource->noptions; i++)
	{
		const ResourceOption *option = &resource->options[i];

		printf("%s`%s`", separator, option->name);
		if (option->parameter != NULL)
			printf(" (`%s`)", option->parameter);
		if (option->off_parameter != NULL)
			printf(" (true by default; false: `%s`)", option->off_parameter);
		separator = ", ";
	}
	if (separator[0] == ',')
		printf(".\n");
}

static void
print_human(const Resource *resource)
{
	if (resource->human != NULL)
		printf("* Human forms: requested by `%s`.\n", resource->human);
}

static void
print_rate_limit(const Resource *resource)
{
	if (resource->rate_limit > 0)
		printf("* Rate limit: %d requests a minute.\n", resource->rate_limit);
	else
		printf("* Rate limit: not documented.\n");
}

static void
print_condition(const Resource *resource)
{
	if (!resource->needs_lower && !resource->needs_upper)
		return;
	printf("* Required condition: %s, such as `WHERE %s`.\n",
		   resource->needs_upper ? "a lower and an upper bound" :
		   "a lower bound", resource->example);
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

static void
print_column(const Resource *resource, const ResourceColumn *column, bool paths,
			 bool abouts)
{
	printf("| `%s` | %s%s | `%s` | %s |", column->name, column->type,
		   column->not_null ? " not null" : "", column->field,
		   column->form == FORM_HUMAN ? "human" : "machine");
	if (paths && column->path != NULL)
		printf(" `%s` |", column->path);
	else if (paths)
		printf(" |");
	if (resource->form == ROW_EMPLOYEE)
		printf(" %s |", resource_category(resource, column->field));
	if (abouts)
		printf("%s%s |", column->about[0] != '\0' ? " " : "", column->about);
	printf("\n");
}

static void
print_columns(const Resource *resource)
{
	bool		paths = has_paths(resource);
	bool		categories = resource->form == ROW_EMPLOYEE;
	bool		abouts = has_abouts(resource);

	if (resource->ncolumns == 0)
	{
		printf("There are no columns with fixed names. The option `field` of "
			   "each column is a label.\n");
		return;
	}
	printf("| column | type | HiBob field | form |%s%s%s\n",
		   paths ? " path |" : "", categories ? " category |" : "",
		   abouts ? " about |" : "");
	printf("|---|---|---|---|%s%s%s\n", paths ? "---|" : "",
		   categories ? "---|" : "", abouts ? "---|" : "");
	for (int i = 0; i < resource->ncolumns; i++)
		print_column(resource, &resource->columns[i], paths, abouts);
}

/* ------------------------------------------------------------------------
 * The page
 * ------------------------------------------------------------------------
 */

static void
print_contents(void)
{
	const Resource *resource;

	printf("| resource | rows | endpoint |\n|---|---|---|\n");
	for (int i = 0; (resource = resource_at(i)) != NULL; i++)
		if (!resource->is_internal)
			printf("| [`%s`](#%s) | %s | `%s %s` |\n", resource->name,
				   resource->name, resource->about, resource->method,
				   resource->path);
}

static void
print_resource(const Resource *resource)
{
	printf("\n### %s\n\n%s\n\n", resource->name, resource->about);
	print_endpoint(resource);
	print_permission(resource);
	print_pushdown(resource);
	print_requests(resource);
	print_condition(resource);
	if (resource->is_on_request)
		printf("* `IMPORT FOREIGN SCHEMA` creates it only if `LIMIT TO` names "
			   "it.\n");
	print_human(resource);
	print_special_columns(resource);
	print_options(resource);
	print_rate_limit(resource);
	printf("\n");
	print_columns(resource);
}

int
main(void)
{
	const Resource *resource;

	print_contents();
	for (int i = 0; (resource = resource_at(i)) != NULL; i++)
		if (!resource->is_internal)
			print_resource(resource);
	return 0;
}
