/*
 * resource.h
 *		HiBob's resources as data: endpoint, location of the rows, paging,
 *		filters, and the columns with their fields and types.
 *
 * This is data only: code elsewhere interprets it in the same way for all
 * resources.  Source: HiBob's public documentation.  doc/adding-a-resource.md
 * describes how to add a resource.
 */
#ifndef HIBOB_RESOURCES_RESOURCE_H
#define HIBOB_RESOURCES_RESOURCE_H

#include "postgres.h"

/* The machine's form of a value, or the form that people see in HiBob. */
typedef enum ValueForm
{
	FORM_MACHINE,
	FORM_HUMAN
} ValueForm;

typedef struct ResourceColumn
{
	const char *name;			/* the column's name in SQL */
	const char *type;			/* its type as SQL writes it */
	const char *field;			/* HiBob's field id, the key path in a row, or
								 * a derived or supplied field */
	ValueForm	form;
	const char *path;			/* key path into the field's value, or NULL */
	bool		not_null;
	const char *about;			/* what the name does not show, or "" */
} ResourceColumn;

/* Where a row has the value of a field. */
typedef enum RowForm
{
	ROW_KEYS,					/* at a path of keys; its human form, if there
								 * is one, at the same path in humanReadable */
	ROW_EMPLOYEE,				/* by field id: under a slash key, nested, and
								 * in humanReadable */
	ROW_OBJECTS,				/* under the field id, a slash key, in an object
								 * with value and humanReadable */
	ROW_ITEMS,					/* under the field id, a slash key: the value
								 * itself or an object with value; or the same
								 * in the object "fields" */
	ROW_CSV						/* in the column with a label */
} RowForm;

/*
 * A field that is not in the row: its value comes from what surrounds the row,
 * or from the request.
 */
typedef enum SuppliedSource
{
	SUPPLIED_NONE,
	SUPPLIED_GROUP,				/* the group around the row, at "place" */
	SUPPLIED_VALUE,				/* the request's value of the first filter */
	SUPPLIED_LOWER,				/* the bounds of the conditions */
	SUPPLIED_UPPER,
	SUPPLIED_ARGUMENT,			/* the request's value of FILTER_ARGUMENT */
	SUPPLIED_DAY,				/* and of FILTER_DAY */
	SUPPLIED_ORIGIN				/* the value from which the request's value was
								 * expanded: see "expand" */
} SuppliedSource;

typedef struct ResourceSupplied
{
	const char *field;
	SuppliedSource source;
	const char *place;			/* see json_reader_want_outside() */
} ResourceSupplied;

/* The most supplied fields of a resource. */
#define RESOURCE_MAX_SUPPLIED 3

/* The most keys of which a derived field takes its value. */
#define RESOURCE_MAX_SOURCES 3

/*
 * A field that takes the first value that is not null out of several keys (of
 * ROW_ITEMS, field ids), and a constant if there is none.
 */
typedef struct ResourceDerived
{
	const char *field;
	const char *sources[RESOURCE_MAX_SOURCES];	/* the rest is NULL */
	const char *otherwise;		/* or NULL */
} ResourceDerived;

/* How a condition on a field narrows the request. */
typedef enum FilterRole
{
	FILTER_VALUES,				/* field = value, field = ANY (values) */
	FILTER_STATUS,				/* active employees only */
	FILTER_LOWER,				/* a bound of a range of time */
	FILTER_UPPER,
	FILTER_BOUNDS,				/* both, each from its own operators */
	FILTER_ARGUMENT,			/* as FILTER_VALUES, and in addition to those: a
								 * request for each value */
	FILTER_DAY					/* field = date */
} FilterRole;

/* Where in a request the condition goes. */
typedef enum FilterPlace
{
	PLACE_BODY,					/* in the body's "filters" */
	PLACE_QUERY,				/* a parameter of the query string */
	PLACE_PATH,					/* in the path, one value a request */
	PLACE_STATUS				/* the body's "showInactive" */
} FilterPlace;

typedef struct ResourceFilter
{
	const char *field;
	FilterRole	role;
	FilterPlace place;
	const char *parameter;		/* its name there; of FILTER_BOUNDS that of the
								 * lower one */
	const char *upper;			/* and of FILTER_BOUNDS that of the upper one */
	bool		digits;			/* its values are digits: ids of employees */
	const char *source;			/* the resource whose rows are the values if
								 * the query names none; NULL: the request
								 * then has no such filter */
} ResourceFilter;

/* How the request for the next page differs. */
typedef enum Paging
{
	PAGING_NONE,
	PAGING_QUERY,				/* limit and cursor in the query string */
	PAGING_BODY,				/* in the body's "pagination" */
	PAGING_TOP					/* at the top of the body */
} Paging;

/* An option of foreign tables that only some resources have. */
typedef struct ResourceOption
{
	const char *name;
	const char *parameter;		/* added to the query string if the option is
								 * true, or NULL */
	const char *off_parameter;	/* and if it is false */
} ResourceOption;

typedef struct Resource
{
	const char *name;
	const char *about;			/* one line for the manual */
	const char *method;
	const char *path;			/* below the base URL; words in braces are
								 * filled in: an option of the table, or the
								 * value of the filter with PLACE_PATH */
	const char *single_path;	/* for the rows of one value of the filter;
								 * NULL: there is no such endpoint */
	const char *const *rows;	/* where the rows are (see json_reader.h) */
	const char *const *single_rows;
	RowForm		form;
	int			max_fields;		/* that a request can name; 0: it names none */
	const char *const *default_fields;	/* what HiBob sends if none is named */
	ResourceSupplied supplied[RESOURCE_MAX_SUPPLIED];
	const ResourceDerived *derived;
	int			nderived;
	Paging		paging;
	int			page_limit;		/* entries of the largest page */
	const char *query;			/* what the query string always has, or NULL */
	const char *human;			/* the parameter, or the key of the body, that
								 * requests human forms; NULL: there are none */
	const ResourceFilter *filters;	/* the one for employees first */
	int			nfilters;
	int			max_values;		/* of the filter in one request; 0: as many as
								 * HiBob recommends */
	const char *expand;			/* the resource that lists, for the filter's
								 * values, the values that requests take */
	bool		needs_employees;	/* the filter's values are employees, and a
									 * request has to name some */
	bool		needs_filters;	/* the body has to have "filters", even empty */
	bool		filters_by_id;	/* an entry there has fieldId and values, and
								 * bounds have the operators from and to */
	const char *const *fixed_filter;	/* a field id and its values: the filter
										 * of a request that has no other */
	bool		needs_lower;	/* a request has to have the bound */
	bool		needs_upper;
	bool		needs_day;		/* a request has to have the day of FILTER_DAY */
	int			max_months;		/* the longest range of a request, which is in
								 * the past; 0: any */
	int			max_days;		/* the same in days; both ends count */
	const ResourceOption *options;
	int			noptions;
	const char *id_option;		/* the option that selects one report or custom
								 * table, or NULL */
	const char *fallback;		/* the resource that reads the same rows where
								 * the account lacks the endpoint, or NULL */
	bool		is_internal;	/* not for foreign tables */
	bool		is_on_request;	/* IMPORT creates it only if LIMIT TO names it */
	bool		is_lists;		/* the response is named lists (see
								 * named_lists.h) */
	const char *custom_columns; /* the metadata's prefix of ids of the custom
								 * columns that rows have in customColumns */
	const char *identity_field; /* distinguishes rows in messages, or NULL */
	const char *permission;		/* what a service user must be allowed to view,
								 * for a hint, after "view access to"; NULL:
								 * none is needed */
	int			rate_limit;		/* requests a minute, as documented or measured;
								 * 0: not known */
	int			typical_rows;	/* an estimate without statistics */
	const char *example;		/* a condition, where one is needed */
	const ResourceColumn *columns;
	int			ncolumns;
} Resource;

/* NULL if there is no such resource or column. */
extern const Resource *resource_find(const char *name);
extern const ResourceColumn *resource_column(const Resource *resource,
											 const char *name);

/* The derived field of this name, or NULL. */
extern const ResourceDerived *resource_derived(const Resource *resource,
											   const char *field);

/*
 * Whether requests need values that are read from HiBob first if the query has
 * none: the ids of all employees, or the names of policies.
 */
extern bool resource_needs_values(const Resource *resource);

/* The filter with a role, or NULL. */
extern const ResourceFilter *resource_filter(const Resource *resource,
											 FilterRole role);

/* The entry for an option, or NULL if the resource does not have it. */
extern const ResourceOption *resource_option(const Resource *resource,
											 const char *name);

/*
 * The permission category, as people see it in HiBob, of a built-in field; NULL
 * for a custom one, and where columns are not field ids.
 */
extern const char *resource_category(const Resource *resource,
									 const char *field);

/*
 * The length of the beginning of a field's id, such as "payroll.variable.", if
 * the name of an item of the account follows it; otherwise 0.  The name ends at
 * the last dot of the id, and can contain dots.
 */
extern size_t resource_item_prefix(const char *field);

/* Whether a field is a custom field of the account, by its id. */
extern bool resource_is_custom_field(const char *field);

/* All resources, by index from 0; NULL past the last. */
extern const Resource *resource_at(int index);

/* HiBob's hosts, and the version of the API in paths. */
#define HIBOB_HOST			"api.hibob.com"
#define HIBOB_SANDBOX_HOST	"api.sandbox.hibob.com"
#define HIBOB_API_VERSION		"/v1"

/* The resource of all employees. */
#define RESOURCE_PEOPLE			"people"

/*
 * The resources that hold the account's metadata, and the one that reads a
 * custom table without the bulk endpoint.
 */
#define RESOURCE_FIELDS			"fields"
#define RESOURCE_CUSTOM_TABLES	"custom_tables"
#define RESOURCE_CUSTOM_TABLE_BY_EMPLOYEE	"custom_table_by_employee"

/* The fields that a filter of POST /people/search can name. */
#define RESOURCE_FIELD_ID		"root.id"
#define RESOURCE_FIELD_EMAIL		"root.email"
#define RESOURCE_FIELD_STATUS	"internal.status"
#define RESOURCE_STATUS_ACTIVE	"Active"

/* The path that makes HiBob prepare a saved report, and that of a ready one. */
#define RESOURCE_REPORT_ASYNC	"/company/reports/{report_id}/download-async"
#define RESOURCE_REPORT_READY	"/company/reports/download/"

/* The most fields that one search for people may name. */
#define RESOURCE_MAX_FIELDS		400

/*
 * The most values that a filter should name, as HiBob recommends for batches.
 */
#define RESOURCE_MAX_FILTER_VALUES	200

/* Where a row of HiBob's own tables has the values of custom columns. */
#define RESOURCE_CUSTOM_COLUMNS	"customColumns."

/* The field option that takes the whole row. */
#define RESOURCE_WHOLE_ROW		"*"

#endif							/* HIBOB_RESOURCES_RESOURCE_H */
