/*
 * generated.h
 *		Stored generated columns of foreign tables.
 *
 * HiBob cannot store them, so they are computed for each row from the columns
 * that their expressions use.
 */
#ifndef HIBOB_FDW_GENERATED_H
#define HIBOB_FDW_GENERATED_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

typedef struct GeneratedColumns GeneratedColumns;

/*
 * Replaces generated columns in a list of needed columns by those that their
 * expressions use.  Sets the list of the generated ones.  Both are ascending.
 */
extern List *generated_base_columns(Relation rel, List *attnums,
									List **generated);

/* Prepares the expressions of generated columns; NULL for an empty list. */
extern GeneratedColumns *generated_create(Relation rel, List *generated,
										  EState *estate);

/* A row with its generated columns, valid as long as the row. */
extern TupleTableSlot *generated_compute(GeneratedColumns *generated,
										 TupleTableSlot *row);

#endif							/* HIBOB_FDW_GENERATED_H */
