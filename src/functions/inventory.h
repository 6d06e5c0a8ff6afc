/*
 * inventory.h
 *		The servers, foreign tables and columns of this extension in the system
 *		catalogs.
 *
 * Nothing here raises an error because an option is not valid, or because an
 * object has been dropped in the meantime.
 */
#ifndef HIBOB_FUNCTIONS_INVENTORY_H
#define HIBOB_FUNCTIONS_INVENTORY_H

#include "postgres.h"

#include "foreign/foreign.h"
#include "nodes/pg_list.h"
#include "resources/resource.h"

typedef struct InventoryTable
{
	Oid			relid;
	Oid			serverid;
	const char *schema;
	const char *name;
	const Resource *resource;
	const char *id;				/* of the report or custom table, or NULL */
	bool		ignores_missing_fields; /* by the option on_missing_field */
} InventoryTable;

typedef struct InventoryColumn
{
	AttrNumber	attnum;
	const char *name;
	const char *type;			/* as SQL writes it */
	const char *field;			/* of its options, or by its name */
	const char *path;			/* or NULL */
	bool		human;			/* in the human-readable form */
	const char *about;			/* of the resource table, or NULL */
} InventoryColumn;

/*
 * Whether a server's wrapper belongs to the same extension as a function, by
 * any name and in any schema.
 */
extern bool inventory_has_server(Oid function, const ForeignServer *server);

/* Whether the current role has the privilege USAGE on a server. */
extern bool inventory_may_use(const ForeignServer *server);

/*
 * The server of that name.  Raises an error if there is none, if the current
 * role may not use it, or if it belongs to another wrapper.
 */
extern ForeignServer *inventory_usable_server(Oid function, const char *name);

/* All such servers, a list of ForeignServer by name. */
extern List *inventory_servers(Oid function);

/*
 * The foreign tables on a server, or in a schema, by name: the other argument
 * is InvalidOid.  Tables without a known resource are omitted.
 */
extern List *inventory_tables(Oid serverid, Oid schema);

/* A list of InventoryColumn; columns that name no field are omitted. */
extern List *inventory_columns(const InventoryTable *table);

#endif							/* HIBOB_FUNCTIONS_INVENTORY_H */
