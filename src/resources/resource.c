/*
 * resource.c
 *		Finds HiBob's resources, their columns and fields.
 *
 * The entries are in the files of the groups below, which contain only data.
 */
#include "postgres.h"

#include "resources/builtin_fields.h"
#include "resources/resource.h"
#include "resources/resource_entries.h"

static const ResourceGroup *const groups[] = {
	&resource_group_people,
	&resource_group_tables,
	&resource_group_time,
	&resource_group_objects,
};

const Resource *
resource_at(int index)
{
	if (index < 0)
		return NULL;
	for (size_t i = 0; i < lengthof(groups); i++)
	{
		if (index < groups[i]->nresources)
			return &groups[i]->resources[index];
		index -= groups[i]->nresources;
	}
	return NULL;
}

const Resource *
resource_find(const char *name)
{
	const Resource *resource;

	for (int i = 0; (resource = resource_at(i)) != NULL; i++)
	{
		if (strcmp(resource->name, name) == 0)
			return resource;
	}
	return NULL;
}

const ResourceColumn *
resource_column(const Resource *resource, const char *name)
{
	for (int i = 0; i < resource->ncolumns; i++)
	{
		if (strcmp(resource->columns[i].name, name) == 0)
			return &resource->columns[i];
	}
	return NULL;
}

const ResourceDerived *
resource_derived(const Resource *resource, const char *field)
{
	for (int i = 0; i < resource->nderived; i++)
	{
		if (strcmp(resource->derived[i].field, field) == 0)
			return &resource->derived[i];
	}
	return NULL;
}

const ResourceFilter *
resource_filter(const Resource *resource, FilterRole role)
{
	for (int i = 0; i < resource->nfilters; i++)
	{
		if (resource->filters[i].role == role)
			return &resource->filters[i];
	}
	return NULL;
}

bool
resource_needs_values(const Resource *resource)
{
	const ResourceFilter *filter = resource_filter(resource, FILTER_VALUES);

	return resource->needs_employees ||
		(filter != NULL && filter->source != NULL);
}

const ResourceOption *
resource_option(const Resource *resource, const char *name)
{
	for (int i = 0; i < resource->noptions; i++)
	{
		if (strcmp(resource->options[i].name, name) == 0)
			return &resource->options[i];
	}
	return NULL;
}

/*
 * "work.custom.field_1667499206086" is in one of HiBob's categories, and
 * "custom.category_1726078147147.field_1730210998067" in one of the account's.
 * "work.customColumns.column_1655996461265" is the current value of a custom
 * column of one of HiBob's tables.
 */
bool
resource_is_custom_field(const char *field)
{
	return strncmp(field, "custom.", 7) == 0 ||
		strstr(field, ".custom.") != NULL ||
		strstr(field, "." RESOURCE_CUSTOM_COLUMNS) != NULL;
}

/* For bsearch(): a field's id against an entry. */
static int
compare_field(const void *key, const void *entry)
{
	return strcmp(key, ((const BuiltinField *) entry)->field);
}

/* The family of fields that a field belongs to, or NULL. */
static const BuiltinField *
find_family(const char *field)
{
	for (size_t i = 0; i < lengthof(field_families); i++)
	{
		const char *start = field_families[i].field;

		if (strncmp(field, start, strlen(start)) == 0)
			return &field_families[i];
	}
	return NULL;
}

size_t
resource_item_prefix(const char *field)
{
	const BuiltinField *family = find_family(field);

	return family != NULL ? strlen(family->field) : 0;
}

const char *
resource_category(const Resource *resource, const char *field)
{
	const BuiltinField *found;

	if (resource->form != ROW_EMPLOYEE)
		return NULL;

	found = bsearch(field, builtin_fields, lengthof(builtin_fields),
					sizeof(BuiltinField), compare_field);
	if (found != NULL)
		return found->category;

	found = find_family(field);
	return found != NULL ? found->category : NULL;
}
