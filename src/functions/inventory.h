/*
 * inventory.h
 *		The servers, foreign tables and columns of this extension, as the
 *		system catalogs have them.
 *
 * Looks at what is there without judging it: nothing here raises an error
 * because an option is wrong, or because something was dropped meanwhile.
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
} InventoryTable;

typedef struct InventoryColumn
{
	AttrNumber	attnum;
	const char *name;
	const char *type;			/* as SQL writes it */
	const char *field;			/* of its options, or by its name */
	const char *path;			/* or NULL */
} InventoryColumn;

/*
 * Whether a server is of a wrapper of the extension that has the function:
 * whatever names and schemas they have.
 */
extern bool inventory_has_server(Oid function, const ForeignServer *server);

/* Whether the current role has the privilege USAGE on a server. */
extern bool inventory_may_use(const ForeignServer *server);

/*
 * The server of that name.  An error if there is none, the current role may
 * not use it, or it belongs to another wrapper.
 */
extern ForeignServer *inventory_usable_server(Oid function, const char *name);

/* All such servers, a list of ForeignServer by name. */
extern List *inventory_servers(Oid function);

/*
 * The foreign tables on a server, or in a schema, by name: the other one is
 * InvalidOid.  Those without a resource that there is are left out.
 */
extern List *inventory_tables(Oid serverid, Oid schema);

/* A list of InventoryColumn; those that name no field are left out. */
extern List *inventory_columns(const InventoryTable *table);

#endif							/* HIBOB_FUNCTIONS_INVENTORY_H */
