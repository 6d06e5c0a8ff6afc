/*
 * options.h
 *		The options of servers, tables, columns and user mappings: checked when
 *		they are set, read when they are needed.
 *
 * Knows catalogs and resources, not what the options are used for.  Messages
 * never repeat a value that is a secret, or could be one by mistake.
 */
#ifndef HIBOB_OPTIONS_OPTIONS_H
#define HIBOB_OPTIONS_OPTIONS_H

#include "postgres.h"

#include "foreign/foreign.h"
#include "resources/resource.h"

typedef enum MissingField
{
	MISSING_FIELD_WARN,
	MISSING_FIELD_ERROR,
	MISSING_FIELD_IGNORE
} MissingField;

typedef struct ServerOptions
{
	const char *base_url;		/* without a slash at the end */
	int			connect_timeout;	/* ms */
	int			read_timeout;	/* ms */
	int			max_retries;
	int			max_rate_limit_wait;	/* ms */
	const char *proxy;			/* or NULL */
	const char *ca_file;		/* or NULL */
	double		fdw_startup_cost;
	double		fdw_tuple_cost;
	int			cache_ttl;		/* ms; these three are its tables' defaults */
	MissingField on_missing_field;
	bool		async_capable;
} ServerOptions;

typedef struct TableOptions
{
	const Resource *resource;
	bool		show_inactive;
	int64		min_rows;
	int			batch_size;		/* 0: off */
	const char *id;				/* of the report or custom table, or NULL */
	const char *parameters;		/* of the query string, from the resource's own
								 * boolean options, or NULL */
	bool		report_async;
	bool		scratch;		/* where the parsers store those options */
	int			cache_ttl;		/* ms; 0: off */
	MissingField on_missing_field;
	bool		async_capable;
} TableOptions;

typedef struct ColumnOptions
{
	const char *field;
	ValueForm	form;
	const char *path;			/* or NULL */
	const char *category;		/* or NULL: not known */
	const ResourceColumn *entry;	/* of the resource table, or NULL */
} ColumnOptions;

typedef struct MappingOptions
{
	char	   *service_user_id;	/* or NULL: in the file */
	char	   *token;			/* or NULL: in the file */
	const char *token_file;		/* or NULL */
} MappingOptions;

typedef struct ImportOptions
{
	int			all_fields;		/* not only those of the resource table */
	int			by_id;			/* names come from ids, not display names */
	bool		custom_fields;
	bool		reports;
	bool		custom_tables;
} ImportOptions;

/* Results are palloc'd in the current memory context. */
extern ServerOptions *server_options(const ForeignServer *server);

/* A table's own options override its server's. */
extern TableOptions *table_options(const ForeignTable *table,
								   const ForeignServer *server);

/*
 * A column's own options, completed from the resource table.  Raises an error
 * with a hint if neither determines the field.
 */
extern ColumnOptions *column_options(Oid relid, AttrNumber attnum,
									 const char *attname,
									 const Resource *resource);

/* The same without errors about the field: NULL if neither determines it. */
extern ColumnOptions *column_options_if_known(Oid relid, AttrNumber attnum,
											  const char *attname,
											  const Resource *resource);

/*
 * The reason, as a sentence, why a field cannot be the option "field" of a
 * column, or why an id cannot be the option of a table that names a report or
 * custom table.  NULL if it can.
 */
extern const char *field_option_defect(const Resource *resource,
									   const char *field);
extern const char *id_option_defect(const Resource *resource, const char *id);

/* The stored text of an option, or NULL if it is not set. */
extern const char *option_value(List *options, const char *name);

/* The options of IMPORT FOREIGN SCHEMA, from its statement. */
extern ImportOptions *import_options(List *options);
extern MappingOptions *mapping_options(const UserMapping *mapping);

/* The valid name that is closest to a wrong one, or NULL. */
extern const char *hint_closest_name(const char *name, List *valid);

/*
 * A hint with the closest name and all valid ones.  "what" is the kind of name,
 * such as "option"; the introduction precedes the list.
 */
extern char *hint_from_names(const char *what, const char *name, List *valid,
							 const char *introduction);

#endif							/* HIBOB_OPTIONS_OPTIONS_H */
