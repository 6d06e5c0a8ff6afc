/*
 * generated.c
 *		Stored generated columns of foreign tables.
 *
 * Knows expressions and the executor's slots, not where rows come from.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tupdesc.h"
#include "catalog/pg_attribute.h"
#include "executor/executor.h"
#include "fdw/generated.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"

struct GeneratedColumns
{
	List	   *attnums;
	List	   *exprs;			/* ExprState of each */
	Oid			relid;
	ExprContext *econtext;
	TupleTableSlot *slot;
};

/* Adds the columns that an expression uses, as attribute numbers. */
static Bitmapset *
add_used_columns(Bitmapset *columns, Node *expr)
{
	Bitmapset  *used = NULL;
	int			member = -1;

	pull_varattnos(expr, 1, &used);
	while ((member = bms_next_member(used, member)) >= 0)
	{
		int			attnum = member + FirstLowInvalidHeapAttributeNumber;

		if (attnum > 0)
			columns = bms_add_member(columns, attnum);
	}
	return columns;
}

List *
generated_base_columns(Relation rel, List *attnums, List **generated)
{
	Bitmapset  *columns = NULL;
	List	   *result = NIL;
	int			attnum = -1;
	ListCell   *lc;

	*generated = NIL;
	foreach(lc, attnums)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel),
											   lfirst_int(lc) - 1);

		if (attr->attgenerated == '\0')
			columns = bms_add_member(columns, attr->attnum);
		else if (attr->attgenerated == ATTRIBUTE_GENERATED_STORED)
		{
			columns = add_used_columns(columns,
									   build_column_default(rel, attr->attnum));
			*generated = lappend_int(*generated, attr->attnum);
		}
	}
	while ((attnum = bms_next_member(columns, attnum)) >= 0)
		result = lappend_int(result, attnum);
	return result;
}

GeneratedColumns *
generated_create(Relation rel, List *generated, EState *estate)
{
	GeneratedColumns *result;
	ListCell   *lc;

	if (generated == NIL)
		return NULL;
	result = palloc0(sizeof(GeneratedColumns));
	result->attnums = generated;
	result->relid = RelationGetRelid(rel);
	result->econtext = CreateExprContext(estate);
	result->slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(rel),
										  &TTSOpsVirtual);
	foreach(lc, generated)
		result->exprs =
			lappend(result->exprs,
					ExecPrepareExpr((Expr *) build_column_default(rel, lfirst_int(lc)),
									estate));
	return result;
}

TupleTableSlot *
generated_compute(GeneratedColumns *generated, TupleTableSlot *row)
{
	TupleTableSlot *slot = generated->slot;
	int			natts = slot->tts_tupleDescriptor->natts;
	ListCell   *attnum;
	ListCell   *expr;

	ExecClearTuple(slot);
	ResetExprContext(generated->econtext);
	slot_getallattrs(row);
	memcpy(slot->tts_values, row->tts_values, sizeof(Datum) * natts);
	memcpy(slot->tts_isnull, row->tts_isnull, sizeof(bool) * natts);
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = generated->relid;
	generated->econtext->ecxt_scantuple = slot;
	forboth(attnum, generated->attnums, expr, generated->exprs)
	{
		int			i = lfirst_int(attnum) - 1;
		bool		isnull;
		Datum		value = ExecEvalExprSwitchContext(lfirst(expr),
													  generated->econtext,
													  &isnull);

		slot->tts_values[i] = value;
		slot->tts_isnull[i] = isnull;
	}
	return slot;
}
