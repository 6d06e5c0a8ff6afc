/*
 * filter.c
 *		Which restriction clauses HiBob can evaluate, and their values.
 *
 * HiBob compares a field with values, and nothing says that it does so more
 * loosely than PostgreSQL in every case.  So only an equality that is bytewise
 * here is sent: then what PostgreSQL calls equal, HiBob does too.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "filter.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "options.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

/* The btree families whose equality of two values is that of their texts. */
static bool
is_bytewise_operator(Oid opno, Oid collation)
{
	if (get_op_opfamily_strategy(opno, INTEGER_BTREE_FAM_OID) ==
		BTEqualStrategyNumber)
		return true;
	return get_op_opfamily_strategy(opno, TEXT_BTREE_FAM_OID) ==
		BTEqualStrategyNumber &&
		OidIsValid(collation) && get_collation_isdeterministic(collation);
}

static bool
is_plain_type(Oid type)
{
	switch (getBaseType(type))
	{
		case TEXTOID:
		case VARCHAROID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return true;
		default:
			return false;
	}
}

/* A column of the table, behind casts that change no byte. */
static Var *
plain_column(Node *node, RelOptInfo *rel)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (node == NULL || !IsA(node, Var))
		return NULL;
	if ((Index) ((Var *) node)->varno != rel->relid ||
		((Var *) node)->varlevelsup != 0 || ((Var *) node)->varattno <= 0 ||
		!is_plain_type(((Var *) node)->vartype))
		return NULL;
	return (Var *) node;
}

/* Whether a value is the same for all rows of the table. */
static bool
is_row_independent(Node *node, RelOptInfo *rel)
{
	return !bms_is_member(rel->relid, pull_varnos(NULL, node)) &&
		!contain_volatile_functions(node) && !contain_subplans(node);
}

/* The filterable field that a column takes as HiBob has it, or NULL. */
static const char *
filterable_field(Oid relid, AttrNumber attnum,
				 const CatalogResource *resource)
{
	static const char *const fields[] = {CATALOG_FIELD_ID,
		CATALOG_FIELD_EMAIL, CATALOG_FIELD_STATUS};
	ColumnOptions *options = column_options(relid, attnum,
											get_attname(relid, attnum, false),
											resource);

	if (options->path != NULL || options->form != FORM_MACHINE)
		return NULL;
	for (size_t i = 0; i < lengthof(fields); i++)
		if (strcmp(options->field, fields[i]) == 0)
			return fields[i];
	return NULL;
}

/*
 * A clause's parts, the column on the left.
 */
static bool
split_clause(Expr *clause, RelOptInfo *rel, Var **column, Expr **value,
			 FilterKind *kind)
{
	List	   *args;
	Oid			opno;
	Oid			collation;

	if (IsA(clause, OpExpr))
	{
		OpExpr	   *op = (OpExpr *) clause;

		*kind = FILTER_EQUALS;
		args = op->args;
		opno = op->opno;
		collation = op->inputcollid;
	}
	else if (IsA(clause, ScalarArrayOpExpr) &&
			 ((ScalarArrayOpExpr *) clause)->useOr)
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		*kind = FILTER_ANY;
		args = op->args;
		opno = op->opno;
		collation = op->inputcollid;
	}
	else
		return false;

	if (list_length(args) != 2 || !is_bytewise_operator(opno, collation))
		return false;
	*column = plain_column(linitial(args), rel);
	*value = lsecond(args);
	if (*column == NULL && *kind == FILTER_EQUALS)
	{
		*column = plain_column(lsecond(args), rel);
		*value = linitial(args);
	}
	return *column != NULL && is_row_independent((Node *) *value, rel);
}

FilterClause *
filter_recognize(Expr *clause, RelOptInfo *rel, Oid relid,
				 const CatalogResource *resource)
{
	FilterClause result;
	FilterClause *copy;
	Var		   *column;
	Oid			type;

	if (!resource->has_fields ||
		!split_clause(clause, rel, &column, &result.value, &result.kind))
		return NULL;
	type = exprType((Node *) result.value);
	if (result.kind == FILTER_ANY)
		type = get_base_element_type(type);
	if (!OidIsValid(type) || !is_plain_type(type))
		return NULL;
	result.field = filterable_field(relid, column->varattno, resource);
	if (result.field == NULL)
		return NULL;
	copy = palloc(sizeof(FilterClause));
	*copy = result;
	return copy;
}

int
filter_estimate_values(const FilterClause *clause)
{
	const int	unknown = 10;

	if (clause->kind == FILTER_EQUALS)
		return 1;
	if (IsA(clause->value, Const) &&
		!((Const *) clause->value)->constisnull)
	{
		ArrayType  *array =
			DatumGetArrayTypeP(((Const *) clause->value)->constvalue);

		return Max(ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)), 1);
	}
	if (IsA(clause->value, ArrayExpr))
		return Max(list_length(((ArrayExpr *) clause->value)->elements), 1);
	return unknown;
}

static List *
array_texts(Datum datum)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	Oid			type = ARR_ELEMTYPE(array);
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Oid			output;
	bool		varlena;
	Datum	   *values;
	bool	   *nulls;
	int			n;
	List	   *result = NIL;

	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	getTypeOutputInfo(type, &output, &varlena);
	deconstruct_array(array, type, typlen, typbyval, typalign, &values,
					  &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			result = lappend(result, OidOutputFunctionCall(output, values[i]));
	return result;
}

List *
filter_evaluate(ExprState *state, ExprContext *econtext, FilterKind kind)
{
	bool		null;
	Datum		datum = ExecEvalExpr(state, econtext, &null);
	Oid			output;
	bool		varlena;

	if (null)
		return NIL;
	if (kind == FILTER_ANY)
		return array_texts(datum);
	getTypeOutputInfo(exprType((Node *) state->expr), &output, &varlena);
	return list_make1(OidOutputFunctionCall(output, datum));
}

static bool
has_run_time_value(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind == PARAM_EXEC;
	return expression_tree_walker(node, has_run_time_value, context);
}

bool
filter_is_known(Expr *value)
{
	return !has_run_time_value((Node *) value, NULL);
}
