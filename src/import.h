/*
 * import.h
 *		IMPORT FOREIGN SCHEMA: the account's resources as foreign tables.
 */
#ifndef IMPORT_H
#define IMPORT_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/*
 * The statements that create the foreign tables: those of the resources that
 * need no id, with the account's custom fields; and, if the options say so, of
 * its custom tables and saved reports.
 */
extern List *import_foreign_schema(ImportForeignSchemaStmt *stmt,
								   Oid serverid);

#endif							/* IMPORT_H */
