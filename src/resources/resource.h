/*
 * resource.h
 *		HiBob's resources as data: endpoint, where the rows lie, how they are
 *		paged, what can be filtered, and the columns with their fields and
 *		types.
 *
 * Facts only; what is done with them is written elsewhere, once for all
 * resources.  Source: HiBob's public documentation.  How a resource is added
 * is told in doc/adding-a-resource.md.
 */
#ifndef HIBOB_RESOURCES_RESOURCE_H
#define HIBOB_RESOURCES_RESOURCE_H

#include "postgres.h"

/* The machine's form of a value, or the one for people's eyes. */
typedef enum ValueForm
{
	FORM_MACHINE,
	FORM_HUMAN
} ValueForm;

typedef struct ResourceColumn
{
	const char *name;			/* the column's name in SQL */
	const char *type;			/* its type as SQL writes it */
	const char *field;			/* HiBob's field id, or the key path in a row */
	ValueForm	form;
	const char *path;			/* key path into the field's value, or NULL */
	bool		not_null;
} ResourceColumn;

/* Where a row has the value of a field. */
typedef enum RowForm
{
	ROW_KEYS,					/* by a path of keys; its human form, if there
								 * is one, by the same path in humanReadable */
	ROW_EMPLOYEE,				/* by a field's id: by slash key, nested, and in
								 * humanReadable */
	ROW_OBJECTS,				/* by a field's id, which is a slash key that
								 * has value and humanReadable */
	ROW_CSV						/* in the column with a label */
} RowForm;

/*
 * A field that a row does not have itself: something around it tells its
 * value, or the request that it answers.
 */
typedef enum GivenSource
{
	GIVEN_NOT,
	GIVEN_GROUP,				/* the group around the row, at "place" */
	GIVEN_VALUE,				/* the value in the request's path */
	GIVEN_LOWER,				/* the condition's bounds */
	GIVEN_UPPER
} GivenSource;

typedef struct ResourceGiven
{
	const char *field;
	GivenSource source;
	const char *place;			/* see json_reader_want_outside() */
} ResourceGiven;

/* The most given fields of a resource. */
#define RESOURCE_MAX_GIVEN 2

/* What a condition on a field says to HiBob. */
typedef enum FilterRole
{
	FILTER_VALUES,				/* field = value, field = ANY (values) */
	FILTER_STATUS,				/* the active ones only */
	FILTER_LOWER,				/* a bound of a range of time */
	FILTER_UPPER,
	FILTER_BOUNDS				/* both, each from its own operators */
} FilterRole;

/* Where in a request it says so. */
typedef enum FilterPlace
{
	PLACE_BODY,					/* in the body's "filters" */
	PLACE_QUERY,				/* as a parameter of the query string */
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
	bool		digits;			/* nothing else can be a value: an employee's
								 * id */
} ResourceFilter;

/* How an answer that comes in pages is asked for the next one. */
typedef enum Paging
{
	PAGING_NONE,
	PAGING_QUERY,				/* limit and cursor in the query string */
	PAGING_BODY					/* in the body's "pagination" */
} Paging;

/* An option of foreign tables that only some resources have. */
typedef struct ResourceOption
{
	const char *name;
	const char *parameter;		/* what a true one adds to the query string, or
								 * NULL if it does something else */
} ResourceOption;

typedef struct Resource
{
	const char *name;
	const char *about;			/* one line for the manual */
	const char *method;
	const char *path;			/* below the base URL; words in braces are
								 * filled in: an option of the table, or the
								 * value of the filter with PLACE_PATH */
	const char *single_path;	/* of the rows of one value of the filter; NULL:
								 * no such call */
	const char *const *rows;	/* where the rows lie (see json_reader.h) */
	const char *const *single_rows;
	RowForm		form;
	int			max_fields;		/* that a request can name; 0: it names none */
	const char *const *default_fields;	/* what HiBob sends if none is named */
	ResourceGiven given[RESOURCE_MAX_GIVEN];
	Paging		paging;
	int			page_limit;		/* entries of the largest page */
	const char *query;			/* what the query string always has, or NULL */
	const char *human;			/* the parameter, or the key of the body, that
								 * asks for human forms; NULL: there are none */
	const ResourceFilter *filters;
	int			nfilters;
	bool		needs_employees;	/* the filter's values are employees, and a
									 * request has to name some */
	bool		needs_filters;	/* the body has to have "filters", be it empty */
	bool		needs_lower;	/* a request has to have the bound */
	bool		needs_upper;
	int			max_months;		/* the longest range of a request, which is of
								 * the past; 0: any */
	const ResourceOption *options;
	int			noptions;
	const char *id_option;		/* the option that says which one it is of many
								 * such things, or NULL */
	bool		is_lists;		/* the answer is named lists (see named_lists.h) */
	const char *custom_columns; /* the metadata's prefix of ids of the custom
								 * columns that rows have in customColumns */
	const char *identity_field; /* tells one row from another in messages, or
								 * NULL */
	const char *permission;		/* what a service user must be allowed to view,
								 * for a hint: goes on after "view access to";
								 * NULL: any may */
	int			rate_limit;		/* requests a minute, as documented or measured;
								 * 0: not known */
	int			typical_rows;	/* before anybody has counted */
	const char *example;		/* a condition, where one is needed */
	const ResourceColumn *columns;
	int			ncolumns;
} Resource;

/* NULL if there is no such resource or column. */
extern const Resource *resource_find(const char *name);
extern const ResourceColumn *resource_column(const Resource *resource,
											 const char *name);

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
 * the name of an item of the account follows it; 0: it does not.  The name ends
 * at the last dot of the id, and can have dots itself.
 */
extern size_t resource_item_prefix(const char *field);

/* Whether a field is one that the account has made itself, as its id tells. */
extern bool resource_is_custom_field(const char *field);

/* All resources, by index from 0; NULL past the last. */
extern const Resource *resource_at(int index);

/* Where HiBob answers. */
#define HIBOB_HOST			"api.hibob.com"
#define HIBOB_SANDBOX_HOST	"api.sandbox.hibob.com"
#define HIBOB_API_VERSION		"/v1"

/* The resource that all employees are in. */
#define RESOURCE_PEOPLE			"people"

/* The resources that hold the account's metadata. */
#define RESOURCE_FIELDS			"fields"
#define RESOURCE_CUSTOM_TABLES	"custom_tables"

/* The fields that a filter of POST /people/search can name. */
#define RESOURCE_FIELD_ID		"root.id"
#define RESOURCE_FIELD_EMAIL		"root.email"
#define RESOURCE_FIELD_STATUS	"internal.status"
#define RESOURCE_STATUS_ACTIVE	"Active"

/* A saved report that HiBob prepares, and where it lies then. */
#define RESOURCE_REPORT_ASYNC	"/company/reports/{report_id}/download-async"
#define RESOURCE_REPORT_READY	"/company/reports/download/"

/* The most fields that one search for people may name. */
#define RESOURCE_MAX_FIELDS		400

/* The most values that a filter should name, by HiBob's advice on batches. */
#define RESOURCE_MAX_FILTER_VALUES	200

/* Where a row of HiBob's own tables has the values of custom columns. */
#define RESOURCE_CUSTOM_COLUMNS	"customColumns."

/* The field option that takes the whole row. */
#define RESOURCE_WHOLE_ROW		"*"

#endif							/* HIBOB_RESOURCES_RESOURCE_H */
