/*
 * catalog.h
 *		HiBob's resources as data: endpoint, where the rows lie, what can be
 *		filtered, and the columns with their fields and types.
 *
 * Facts only; what is done with them is written elsewhere, once for all
 * resources.  Source: HiBob's public documentation.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include "postgres.h"

/* The machine's form of a value, or the one for people's eyes. */
typedef enum ValueForm
{
	FORM_MACHINE,
	FORM_HUMAN
} ValueForm;

typedef struct CatalogColumn
{
	const char *name;			/* the column's name in SQL */
	const char *type;			/* its type as SQL writes it */
	const char *field;			/* HiBob's field id, or the key path in a row */
	ValueForm	form;
	const char *path;			/* key path into the field's value, or NULL */
	bool		not_null;
} CatalogColumn;

typedef struct CatalogResource
{
	const char *name;
	const char *method;
	const char *path;			/* below the base URL */
	const char *single_path;	/* of one row by its identifier, with
								 * "{identifier}"; NULL: no such call */
	const char *const *rows;	/* where the rows lie (see json_reader.h) */
	const char *const *single_rows;
	bool		has_fields;		/* columns are field ids that a request names,
								 * and a row carries each value by slash key,
								 * nested, and perhaps humanReadable; the
								 * request can name ids and leave out inactive
								 * people */
	const char *const *default_fields;	/* what HiBob sends if none is named */
	const char *identity_field; /* tells one row from another in messages */
	const char *permission;		/* what a service user must be allowed to view,
								 * for a hint: goes on after "view access to" */
	const CatalogColumn *columns;
	int			ncolumns;
} CatalogResource;

/* NULL if there is no such resource or column. */
extern const CatalogResource *catalog_resource(const char *name);
extern const CatalogColumn *catalog_column(const CatalogResource *resource,
										   const char *name);

/*
 * The permission category, as people see it in HiBob, of a built-in field; NULL
 * for a custom one, and where columns are not field ids.
 */
extern const char *catalog_category(const CatalogResource *resource,
									const char *field);

/* All resources, by index from 0; NULL past the last. */
extern const CatalogResource *catalog_resource_at(int index);

/* Where HiBob answers. */
#define CATALOG_HOST			"api.hibob.com"
#define CATALOG_SANDBOX_HOST	"api.sandbox.hibob.com"
#define CATALOG_API_VERSION		"/v1"

/* The fields that a filter of POST /people/search can name. */
#define CATALOG_FIELD_ID		"root.id"
#define CATALOG_FIELD_EMAIL		"root.email"
#define CATALOG_FIELD_STATUS	"internal.status"
#define CATALOG_STATUS_ACTIVE	"Active"

/* The most fields that one request may name. */
#define CATALOG_MAX_FIELDS		400

/* The most values that a filter should name, by HiBob's advice on batches. */
#define CATALOG_MAX_FILTER_VALUES	200

/* The field option that takes the whole row. */
#define CATALOG_WHOLE_ROW		"*"

#endif							/* CATALOG_H */
