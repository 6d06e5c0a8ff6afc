/*
 * shippable.c
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
#include "fdw/shippable.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "options/options.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

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
		((Var *) node)->varlevelsup != 0 || ((Var *) node)->varattno <= 0)
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

/* A clause taken apart, the column on the left. */
typedef struct Comparison
{
	Var		   *column;
	Expr	   *value;
	Oid			opno;
	Oid			collation;
	bool		any;			/* the value is an array of them */
} Comparison;

static bool
split_operator(OpExpr *op, RelOptInfo *rel, Comparison *result)
{
	if (list_length(op->args) != 2)
		return false;
	result->opno = op->opno;
	result->collation = op->inputcollid;
	result->any = false;
	result->column = plain_column(linitial(op->args), rel);
	result->value = lsecond(op->args);
	if (result->column != NULL)
		return true;
	result->opno = get_commutator(op->opno);
	result->column = plain_column(lsecond(op->args), rel);
	result->value = linitial(op->args);
	return result->column != NULL && OidIsValid(result->opno);
}

static bool
split_array_operator(ScalarArrayOpExpr *op, RelOptInfo *rel,
					 Comparison *result)
{
	if (!op->useOr)
		return false;
	result->opno = op->opno;
	result->collation = op->inputcollid;
	result->any = true;
	result->column = plain_column(linitial(op->args), rel);
	result->value = lsecond(op->args);
	return result->column != NULL;
}

static bool
split_clause(Expr *clause, RelOptInfo *rel, Comparison *result)
{
	bool		split = false;

	if (IsA(clause, OpExpr))
		split = split_operator((OpExpr *) clause, rel, result);
	else if (IsA(clause, ScalarArrayOpExpr))
		split = split_array_operator((ScalarArrayOpExpr *) clause, rel, result);
	return split && is_row_independent((Node *) result->value, rel);
}

/* field = value, bytewise */
static bool
compares_values(const Comparison *parts, FilterComparison *comparison)
{
	Oid			type = exprType((Node *) parts->value);

	if (parts->any)
		type = get_base_element_type(type);
	if (!OidIsValid(type) || !is_plain_type(type) ||
		!is_plain_type(parts->column->vartype) ||
		!is_bytewise_operator(parts->opno, parts->collation))
		return false;
	*comparison = parts->any ? COMPARE_ANY : COMPARE_EQUAL;
	return true;
}

static bool
is_time_type(Oid type)
{
	type = getBaseType(type);
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

/*
 * field >= value and its like, for dates and times in any mixture: their
 * btree operators are of one family.
 */
static bool
compares_time(const Comparison *parts, FilterComparison *comparison)
{
	static const FilterComparison comparisons[] = {
		[BTLessStrategyNumber] = COMPARE_BELOW,
		[BTLessEqualStrategyNumber] = COMPARE_UPPER,
		[BTEqualStrategyNumber] = COMPARE_EQUAL,
		[BTGreaterEqualStrategyNumber] = COMPARE_LOWER,
		[BTGreaterStrategyNumber] = COMPARE_ABOVE,
	};
	Oid			family;
	int			strategy;

	if (parts->any || !is_time_type(parts->column->vartype) ||
		!is_time_type(exprType((Node *) parts->value)))
		return false;
	family = lookup_type_cache(DATEOID, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	strategy = get_op_opfamily_strategy(parts->opno, family);
	if (strategy == 0)
		return false;
	*comparison = comparisons[strategy];
	return true;
}

/*
 * Whether a column can show the bound that its condition gave, so that the
 * condition holds when it is checked again: any other type than this would
 * change it.
 */
static bool
shows_bound(const Var *column)
{
	return column->vartype == TIMESTAMPTZOID && column->vartypmod < 0;
}

/* Whether a comparison tells HiBob something about a field with that role. */
static bool
fits_role(FilterRole role, const Comparison *parts,
		  FilterComparison *comparison)
{
	bool		lower;
	bool		upper;

	if (role == FILTER_VALUES)
		return compares_values(parts, comparison);
	if (role == FILTER_STATUS)
		return compares_values(parts, comparison) &&
			*comparison == COMPARE_EQUAL;
	if (!compares_time(parts, comparison))
		return false;
	if (role != FILTER_BOUNDS && !shows_bound(parts->column))
		return false;
	lower = *comparison == COMPARE_LOWER || *comparison == COMPARE_ABOVE;
	upper = *comparison == COMPARE_UPPER || *comparison == COMPARE_BELOW;
	return *comparison == COMPARE_EQUAL || role == FILTER_BOUNDS ||
		(lower && role == FILTER_LOWER) || (upper && role == FILTER_UPPER);
}

int
shippable_filter_of_column(Oid relid, AttrNumber attnum,
						   const Resource *resource)
{
	ColumnOptions *options = column_options(relid, attnum,
											get_attname(relid, attnum, false),
											resource);

	if (options->path != NULL || options->form != FORM_MACHINE)
		return -1;
	for (int i = 0; i < resource->nfilters; i++)
		if (strcmp(options->field, resource->filters[i].field) == 0)
			return i;
	return -1;
}

ShippableClause *
shippable_clause(Expr *clause, RelOptInfo *rel, Oid relid,
				 const Resource *resource)
{
	Comparison	parts;
	FilterComparison comparison;
	ShippableClause *result;
	int			filter;

	if (resource->nfilters == 0 || !split_clause(clause, rel, &parts))
		return NULL;
	filter =
		shippable_filter_of_column(relid, parts.column->varattno, resource);
	if (filter < 0 ||
		!fits_role(resource->filters[filter].role, &parts, &comparison))
		return NULL;
	result = palloc(sizeof(ShippableClause));
	result->filter = filter;
	result->comparison = comparison;
	result->value = parts.value;
	result->clause = clause;
	return result;
}

int
shippable_estimate_values(const ShippableClause *clause)
{
	const int	unknown = 10;

	if (clause->comparison == COMPARE_EQUAL)
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
shippable_evaluate_values(ExprState *state, ExprContext *econtext,
						  FilterComparison comparison)
{
	bool		null;
	Datum		datum = ExecEvalExpr(state, econtext, &null);
	Oid			output;
	bool		varlena;

	if (null)
		return NIL;
	if (comparison == COMPARE_ANY)
		return array_texts(datum);
	getTypeOutputInfo(exprType((Node *) state->expr), &output, &varlena);
	return list_make1(OidOutputFunctionCall(output, datum));
}

/*
 * Dates are midnights by the session's time zone, as their operators say; those
 * that no time can be are infinite.
 */
bool
shippable_evaluate_time(ExprState *state, ExprContext *econtext,
						TimestampTz *result)
{
	bool		null;
	Datum		datum = ExecEvalExpr(state, econtext, &null);
	int			overflow;

	if (null)
		return false;
	switch (getBaseType(exprType((Node *) state->expr)))
	{
		case DATEOID:
			*result = date2timestamptz_opt_overflow(DatumGetDateADT(datum),
													&overflow);
			break;
		case TIMESTAMPOID:
			*result = timestamp2timestamptz_opt_overflow(
				DatumGetTimestamp(datum), &overflow);
			break;
		default:
			*result = DatumGetTimestampTz(datum);
			break;
	}
	return true;
}

/* Whether there is a parameter of the kinds that are not known yet. */
static bool
has_unknown(Node *node, void *parameters)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind == PARAM_EXEC ||
			!*(const bool *) parameters;
	return expression_tree_walker(node, has_unknown, parameters);
}

bool
shippable_value_is_known(Expr *value, bool parameters)
{
	return !has_unknown((Node *) value, &parameters);
}
