/*
 * resource_entries.h
 *		The parts of the catalogue, and the words that its entries are written
 *		in.
 *
 * Only resource.c and the files with entries include this.
 */
#ifndef HIBOB_RESOURCES_RESOURCE_ENTRIES_H
#define HIBOB_RESOURCES_RESOURCE_ENTRIES_H

#include "resources/resource.h"

/*
 * Columns, a line each.  A value column reads the machine's form, a human one
 * what people see in its place: a list item's name, a manager's name.  A part
 * is a value inside of the field's own value.
 */
#define VALUE(name, type, field) \
	{name, type, field, FORM_MACHINE, NULL, false}
#define HUMAN(name, type, field) \
	{name, type, field, FORM_HUMAN, NULL, false}
#define PART(name, type, field, path) \
	{name, type, field, FORM_MACHINE, path, false}
#define KEY(name, type, field) \
	{name, type, field, FORM_MACHINE, NULL, true}

#define COLUMNS(list) .columns = list, .ncolumns = lengthof(list)
#define FILTERS(list) .filters = list, .nfilters = lengthof(list)
#define OPTIONS(list) .options = list, .noptions = lengthof(list)

/*
 * What the fields of these categories need; each further category is granted
 * on its own.
 */
#define DEFAULT_EMPLOYEE_FIELDS \
	"the Default Employee Fields (root, about, employment, work)"

/* The parts, in the order in which people see the resources. */
typedef struct ResourceGroup
{
	const Resource *resources;
	int			nresources;
} ResourceGroup;

extern const ResourceGroup resource_group_people;
extern const ResourceGroup resource_group_tables;
extern const ResourceGroup resource_group_objects;

#endif							/* HIBOB_RESOURCES_RESOURCE_ENTRIES_H */
