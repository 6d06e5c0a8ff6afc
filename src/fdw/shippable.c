/*
 * shippable.c
 *		Which restriction clauses HiBob can evaluate.
 *
 * HiBob's documentation does not define its equality.  So an equality is sent
 * only if it is bytewise in PostgreSQL: then values that are equal here are
 * equal there.
 *
 * Knows the planner's expressions and the resource table.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type.h"
#include "fdw/shippable.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "options/options.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* The btree families whose equality is that of the values' texts. */
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

/* A column of the table, also below casts that change no byte. */
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

/* The parts of a clause, with the column on the left. */
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

/*
 * Whether a column shows HiBob's value as it is.  A length, its own or its
 * domain's, cuts off blanks: HiBob does not find the value that is left.
 */
static bool
is_plain_var(const Var *column)
{
	int32		typmod = column->vartypmod;

	(void) getBaseTypeAndTypmod(column->vartype, &typmod);
	return typmod < 0 && is_plain_type(column->vartype);
}

/* Whether a clause is a bytewise equality. */
static bool
compares_values(const Comparison *parts, FilterComparison *comparison)
{
	Oid			type = exprType((Node *) parts->value);

	if (parts->any)
		type = get_base_element_type(type);
	if (!OidIsValid(type) || !is_plain_type(type) ||
		!is_plain_var(parts->column) ||
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
 * Whether a clause compares dates or times, also of different types: their btree
 * operators are in one family.
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
 * Whether a column shows the bound of its condition unchanged, so that the
 * condition is true when the executor checks it.  Any other type would round it.
 */
static bool
shows_bound(const Var *column)
{
	return column->vartype == TIMESTAMPTZOID && column->vartypmod < 0;
}

/* Whether HiBob can evaluate a comparison of a field with this role. */
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

/* Raises no error about a column: the query may not read it. */
int
shippable_filter_of_column(Oid relid, AttrNumber attnum,
						   const Resource *resource)
{
	const char *name = get_attname(relid, attnum, true);
	ColumnOptions *options = NULL;

	if (name != NULL)
		options = column_options_if_known(relid, attnum, name, resource);
	if (options == NULL || options->path != NULL ||
		options->form != FORM_MACHINE)
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
