/*
 * shippable.c
 *		Which restriction clauses HiBob can evaluate.
 *
 * HiBob's documentation does not define its equality.  So an equality is sent
 * only if it is bytewise in PostgreSQL: such values are also equal in HiBob.
 *
 * Knows the planner's expressions and the resource table.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type.h"
#include "fdw/shippable.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "options/options.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
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

static bool
is_time_type(Oid type)
{
	type = getBaseType(type);
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

/* A cast between dates and times, which keeps their order; or NULL. */
static FuncExpr *
time_cast(Node *node)
{
	FuncExpr   *function = (FuncExpr *) node;

	if (!IsA(node, FuncExpr) || list_length(function->args) != 1)
		return NULL;
	switch (function->funcid)
	{
		case F_TIMESTAMP_DATE:
		case F_TIMESTAMPTZ_DATE:
		case F_DATE_TIMESTAMP:
		case F_DATE_TIMESTAMPTZ:
		case F_TIMESTAMP_TIMESTAMPTZ:
		case F_TIMESTAMPTZ_TIMESTAMP:
			return function;
		default:
			return NULL;
	}
}

/*
 * A column of the table, also below casts that change no byte, and below those
 * between dates and times ("cast").
 */
static Var *
plain_column(Node *node, RelOptInfo *rel, bool *cast)
{
	*cast = false;
	while (node != NULL)
	{
		if (IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (time_cast(node) != NULL)
		{
			node = linitial(time_cast(node)->args);
			*cast = true;
		}
		else
			break;
	}
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
	bool		cast;			/* the column is, between dates and times */
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
	result->column = plain_column(linitial(op->args), rel, &result->cast);
	result->value = lsecond(op->args);
	if (result->column != NULL)
		return true;
	result->opno = get_commutator(op->opno);
	result->column = plain_column(lsecond(op->args), rel, &result->cast);
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
	result->column = plain_column(linitial(op->args), rel, &result->cast);
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
 * Whether a column shows HiBob's value unchanged.  A length, its own or its
 * domain's, truncates blanks, and HiBob would not find the truncated value.
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

/*
 * Whether a clause compares dates or times, which may have different types:
 * their btree operators are in one family.
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
	Oid			type = exprType((Node *) parts->value);
	Oid			family;
	int			strategy;

	if (parts->any)
		type = get_base_element_type(type);
	if (!OidIsValid(type) || !is_time_type(type) ||
		!is_time_type(parts->column->vartype))
		return false;
	family = lookup_type_cache(DATEOID, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	strategy = get_op_opfamily_strategy(parts->opno, family);
	if (strategy == 0 || (parts->any && strategy != BTEqualStrategyNumber))
		return false;
	*comparison = parts->any ? COMPARE_ANY : comparisons[strategy];
	return true;
}

/*
 * Whether a column shows the bound of its condition unchanged, so that the
 * condition is true when the executor checks it.  Any other type would round
 * it.
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

	if (role == FILTER_VALUES || role == FILTER_ARGUMENT)
		return compares_values(parts, comparison);
	if (role == FILTER_STATUS)
		return compares_values(parts, comparison) &&
			*comparison == COMPARE_EQUAL;
	if (!compares_time(parts, comparison))
		return false;
	if (role == FILTER_BOUNDS)
		return true;
	if (parts->any || parts->cast)
		return false;
	if (role == FILTER_DAY)
		return *comparison == COMPARE_EQUAL &&
			getBaseType(parts->column->vartype) == DATEOID;
	if (!shows_bound(parts->column))
		return false;
	lower = *comparison == COMPARE_LOWER || *comparison == COMPARE_ABOVE;
	upper = *comparison == COMPARE_UPPER || *comparison == COMPARE_BELOW;
	return *comparison == COMPARE_EQUAL ||
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

/* Whether a parameter is an outer query's variable. */
static bool
is_correlation_param(PlannerInfo *root, const Param *param)
{
	if (param->paramkind != PARAM_EXEC)
		return false;
	for (PlannerInfo *outer = root->parent_root; outer != NULL;
		 outer = outer->parent_root)
	{
		ListCell   *lc;

		foreach(lc, outer->plan_params)
			if (((PlannerParamItem *) lfirst(lc))->paramId == param->paramid)
				return true;
	}
	return false;
}

/* Whether an expression has a variable, of this query or of an outer one. */
static bool
has_variable(Node *node, void *root)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) || IsA(node, PlaceHolderVar))
		return true;
	if (IsA(node, Param))
		return is_correlation_param(root, (Param *) node);
	return expression_tree_walker(node, has_variable, root);
}

static ShippableClause *
make_clause(PlannerInfo *root, int filter, FilterComparison comparison,
			Expr *value, Expr *clause)
{
	ShippableClause *result = palloc(sizeof(ShippableClause));

	result->filter = filter;
	result->comparison = comparison;
	result->value = value;
	result->varies = has_variable((Node *) value, root);
	result->clause = clause;
	return result;
}

/* A comparison that HiBob can evaluate, or NULL. */
static ShippableClause *
shippable_comparison(PlannerInfo *root, Expr *clause, RelOptInfo *rel,
					 Oid relid, const Resource *resource)
{
	Comparison	parts;
	FilterComparison comparison;
	int			filter;

	if (!split_clause(clause, rel, &parts))
		return NULL;
	filter =
		shippable_filter_of_column(relid, parts.column->varattno, resource);
	if (filter < 0 ||
		!fits_role(resource->filters[filter].role, &parts, &comparison))
		return NULL;
	return make_clause(root, filter, comparison, parts.value, clause);
}

/*
 * The bounds of one arm of an OR: each is NULL if the arm has none.  Returns
 * false for an arm that limits no range of time.
 */
static bool
bounds_of_arm(PlannerInfo *root, Node *arm, RelOptInfo *rel, Oid relid,
			  const Resource *resource, ShippableClause **lower,
			  ShippableClause **upper)
{
	ListCell   *lc;

	*lower = NULL;
	*upper = NULL;
	foreach(lc, make_ands_implicit((Expr *) arm))
	{
		ShippableClause *bound = shippable_comparison(root, lfirst(lc), rel,
													  relid, resource);

		if (bound == NULL || bound->comparison == COMPARE_ANY ||
			resource->filters[bound->filter].role != FILTER_BOUNDS)
			continue;
		if (*lower == NULL && shippable_is_lower(bound, resource))
			*lower = bound;
		if (*upper == NULL && shippable_is_upper(bound, resource))
			*upper = bound;
	}
	return *lower != NULL || *upper != NULL;
}

/*
 * The least of the lower bounds of all arms, or the greatest of the upper ones,
 * if all arms have one and they are of one type; else NULL.  Like the arms,
 * LEAST and GREATEST ignore nulls.
 */
static ShippableClause *
bound_of_arms(PlannerInfo *root, const List *bounds, MinMaxOp op, Expr *clause)
{
	MinMaxExpr *value = makeNode(MinMaxExpr);
	ListCell   *lc;

	value->minmaxtype = InvalidOid;
	value->op = op;
	value->location = -1;
	foreach(lc, bounds)
	{
		ShippableClause *bound = lfirst(lc);
		Oid			type;

		if (bound == NULL)
			return NULL;
		type = getBaseType(exprType((Node *) bound->value));
		if (OidIsValid(value->minmaxtype) && value->minmaxtype != type)
			return NULL;
		value->minmaxtype = type;
		value->args = lappend(value->args, bound->value);
	}
	return make_clause(root, ((ShippableClause *) linitial(bounds))->filter,
					   op == IS_LEAST ? COMPARE_LOWER : COMPARE_UPPER,
					   (Expr *) value, clause);
}

/* The range of time that contains those of all arms of an OR. */
static List *
range_of_arms(PlannerInfo *root, BoolExpr *clause, RelOptInfo *rel, Oid relid,
			  const Resource *resource)
{
	List	   *lowers = NIL;
	List	   *uppers = NIL;
	List	   *result = NIL;
	ShippableClause *lower;
	ShippableClause *upper;
	ListCell   *lc;

	foreach(lc, clause->args)
	{
		if (!bounds_of_arm(root, lfirst(lc), rel, relid, resource, &lower,
						   &upper))
			return NIL;
		lowers = lappend(lowers, lower);
		uppers = lappend(uppers, upper);
	}
	lower = bound_of_arms(root, lowers, IS_LEAST, (Expr *) clause);
	upper = bound_of_arms(root, uppers, IS_GREATEST, (Expr *) clause);
	if (lower != NULL)
		result = lappend(result, lower);
	if (upper != NULL)
		result = lappend(result, upper);
	return result;
}

List *
shippable_clauses(PlannerInfo *root, Expr *clause, RelOptInfo *rel, Oid relid,
				  const Resource *resource)
{
	ShippableClause *comparison;

	if (resource->nfilters == 0)
		return NIL;
	if (is_orclause(clause))
		return range_of_arms(root, (BoolExpr *) clause, rel, relid, resource);
	comparison = shippable_comparison(root, clause, rel, relid, resource);
	return comparison != NULL ? list_make1(comparison) : NIL;
}

bool
shippable_is_lower(const ShippableClause *clause, const Resource *resource)
{
	FilterRole	role = resource->filters[clause->filter].role;

	return role == FILTER_LOWER ||
		(role == FILTER_BOUNDS &&
		 (clause->comparison == COMPARE_EQUAL ||
		  clause->comparison == COMPARE_ANY ||
		  clause->comparison == COMPARE_LOWER ||
		  clause->comparison == COMPARE_ABOVE));
}

bool
shippable_is_upper(const ShippableClause *clause, const Resource *resource)
{
	FilterRole	role = resource->filters[clause->filter].role;

	return role == FILTER_UPPER ||
		(role == FILTER_BOUNDS &&
		 (clause->comparison == COMPARE_EQUAL ||
		  clause->comparison == COMPARE_ANY ||
		  clause->comparison == COMPARE_UPPER ||
		  clause->comparison == COMPARE_BELOW));
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
