/*
 * resource_entries.h
 *		The groups of the resource table, and macros for its entries.
 *
 * Only resource.c and the files with entries include this.
 */
#ifndef HIBOB_RESOURCES_RESOURCE_ENTRIES_H
#define HIBOB_RESOURCES_RESOURCE_ENTRIES_H

#include "resources/resource.h"

/*
 * Columns.  VALUE reads the machine form, HUMAN the form that people see: the
 * name of a list item or of a manager.  PART reads a value inside the value of
 * the field.  KEY is a value that every row has.  An optional last argument
 * describes what the name does not show: unit, format, source, nulls.
 */
#define VALUE(name, type, field, ...) \
	{name, type, field, FORM_MACHINE, NULL, false, "" __VA_ARGS__}
#define HUMAN(name, type, field, ...) \
	{name, type, field, FORM_HUMAN, NULL, false, "" __VA_ARGS__}
#define PART(name, type, field, path, ...) \
	{name, type, field, FORM_MACHINE, path, false, "" __VA_ARGS__}
#define KEY(name, type, field, ...) \
	{name, type, field, FORM_MACHINE, NULL, true, "" __VA_ARGS__}

#define COLUMNS(list) .columns = list, .ncolumns = lengthof(list)
#define FILTERS(list) .filters = list, .nfilters = lengthof(list)
#define OPTIONS(list) .options = list, .noptions = lengthof(list)
#define DERIVED(list) .derived = list, .nderived = lengthof(list)

/*
 * The permission for the fields of these categories; every other category
 * needs its own.
 */
#define DEFAULT_EMPLOYEE_FIELDS \
	"the Default Employee Fields (root, about, employment, work)"

/* The groups, in the order of the manual. */
typedef struct ResourceGroup
{
	const Resource *resources;
	int			nresources;
} ResourceGroup;

extern const ResourceGroup resource_group_people;
extern const ResourceGroup resource_group_tables;
extern const ResourceGroup resource_group_time;
extern const ResourceGroup resource_group_objects;

#endif							/* HIBOB_RESOURCES_RESOURCE_ENTRIES_H */
