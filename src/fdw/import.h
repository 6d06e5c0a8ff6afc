/*
 * import.h
 *		IMPORT FOREIGN SCHEMA: the account's resources as foreign tables.
 */
#ifndef HIBOB_FDW_IMPORT_H
#define HIBOB_FDW_IMPORT_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/*
 * The statements that create the foreign tables: those of the resources that
 * need no id, with the account's custom fields; and, if the options say so, of
 * its custom tables and saved reports.
 */
extern List *hibobImportForeignSchema(ImportForeignSchemaStmt *stmt,
									  Oid serverid);

#endif							/* HIBOB_FDW_IMPORT_H */
