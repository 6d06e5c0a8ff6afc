/*
 * minmax.c
 *		The least and the greatest value that an expression takes over the rows
 *		of another table of the query.
 *
 * A scan that needs a range of time can get it from a join with a calendar, or
 * from the outer query: all rows that it may have to return lie between the
 * least and the greatest day.  "SELECT min(day) FROM calendar" becomes an
 * initplan, as in PostgreSQL's planning of the aggregates min() and max().  It
 * has only the conditions on that table alone, because a range that is too wide
 * does no harm.
 *
 * The table is read twice, and the second reading must not return a row that
 * the first one lacks, because its value may be outside of the range.  Tables
 * have the same rows for one snapshot, but foreign tables may not.  A foreign
 * table of this extension has the same rows if both scans send the same
 * conditions, because they then share a result.
 *
 * Knows the planner; nothing of HiBob.
 */
#include "postgres.h"

#include "catalog/pg_aggregate.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_inherits.h"
#include "compat.h"
#include "fdw/minmax.h"
#include "fdw/plan.h"
#include "foreign/fdwapi.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/planner.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/subselect.h"
#include "parser/parse_func.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"

/* An expression over one table. */
typedef struct Source
{
	PlannerInfo *root;			/* current query */
	PlannerInfo *owner;			/* query that has the table; NULL: not known */
	int			varno;			/* of the table there; 0: not known */
	bool		failed;			/* not over one table, or too complex */
} Source;

/* ------------------------------------------------------------------------
 * The table of an expression
 * ------------------------------------------------------------------------
 */

/* The outer query's variable that a parameter stands for, or NULL. */
static Var *
outer_variable(Source *source, const Param *param, PlannerInfo **owner)
{
	for (*owner = source->root->parent_root; *owner != NULL;
		 *owner = (*owner)->parent_root)
	{
		ListCell   *lc;

		foreach(lc, (*owner)->plan_params)
		{
			PlannerParamItem *item = lfirst(lc);

			if (item->paramId == param->paramid)
				return IsA(item->item, Var) ? (Var *) item->item : NULL;
		}
	}
	return NULL;
}

/* Makes a variable one of the only table of the new query. */
static Node *
take_variable(Source *source, PlannerInfo *owner, const Var *var)
{
	Var		   *copy = copyObject(unconstify(Var *, var));

	if (source->owner == NULL)
	{
		source->owner = owner;
		source->varno = var->varno;
	}
	source->failed |= source->owner != owner ||
		source->varno != (int) var->varno || var->varlevelsup != 0;
	copy->varno = 1;
	copy->varnosyn = 1;
	hibob_reset_nulling_rels(copy);
	return (Node *) copy;
}

/* Rewrites an expression for the new query, and notes its table. */
static Node *
take_expression(Node *node, void *arg)
{
	Source	   *source = arg;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
		return take_variable(source, source->root, (Var *) node);
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
	{
		PlannerInfo *owner;
		Var		   *var = outer_variable(source, (Param *) node, &owner);

		if (var != NULL)
			return take_variable(source, owner, var);
		source->failed = true;
	}
	if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) ||
		IsA(node, SubLink) || IsA(node, PlaceHolderVar) ||
		IsA(node, Aggref) || IsA(node, WindowFunc) || IsA(node, GroupingFunc))
	{
		source->failed = true;
		return node;
	}
	return expression_tree_mutator(node, take_expression, arg);
}

/* ------------------------------------------------------------------------
 * The new query
 * ------------------------------------------------------------------------
 */

/*
 * Whether a relation may have other rows when it is read again.  TABLESAMPLE
 * picks rows at random.  Foreign tables, also as partitions, and sequences do
 * not depend on the snapshot.
 */
static bool
is_unstable(const RangeTblEntry *rte)
{
	ListCell   *lc;

	if (rte->rtekind != RTE_RELATION)
		return false;
	if (rte->tablesample != NULL || rte->relkind == RELKIND_FOREIGN_TABLE ||
		rte->relkind == RELKIND_SEQUENCE)
		return true;
	if (!rte->inh || !has_subclass(rte->relid))
		return false;
	foreach(lc, find_all_inheritors(rte->relid, AccessShareLock, NULL))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			return true;
	return false;
}

/*
 * Whether a query may return other rows when it is run again.  The clauses depend
 * on the order of rows or on locks.
 */
static bool
is_unrepeatable(const Query *query)
{
	ListCell   *lc;

	foreach(lc, query->rtable)
		if (is_unstable(lfirst_node(RangeTblEntry, lc)))
			return true;
	return query->limitCount != NULL || query->limitOffset != NULL ||
		query->hasDistinctOn || query->hasWindowFuncs ||
		query->rowMarks != NIL;
}

/* Whether a query reads a CTE of the query a number of levels above it. */
static bool
reads_outer_cte(const Query *query, int levels)
{
	ListCell   *lc;

	foreach(lc, query->rtable)
	{
		const RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_CTE && (int) rte->ctelevelsup >= levels)
			return true;
	}
	return false;
}

/*
 * Whether a table's definition has a parameter that is set outside of it, or
 * may return other rows when it is read again.  "arg" is the number of levels
 * that the node is below the table's query.
 */
static bool
is_dependent(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		return true;
	if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan))
		return true;
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;
		int			levels = *(int *) arg + 1;

		return is_unrepeatable(query) || reads_outer_cte(query, levels) ||
			query_tree_walker(query, is_dependent, &levels, 0);
	}
	return expression_tree_walker(node, is_dependent, arg);
}

static bool
has_outer_variables(Node *node, int query_level)
{
	for (int level = 1; level <= query_level; level++)
		if (contain_vars_of_level(node, level))
			return true;
	return false;
}

/*
 * Adds the conditions in an outer query's FROM and WHERE that all of its rows
 * meet.  That query is still being planned, so only its parse tree is known.
 */
static List *
add_conditions(List *conditions, Node *node)
{
	Node	   *quals;
	ListCell   *lc;

	if (IsA(node, JoinExpr) && ((JoinExpr *) node)->jointype == JOIN_INNER)
	{
		JoinExpr   *join = (JoinExpr *) node;

		conditions = add_conditions(conditions, join->larg);
		conditions = add_conditions(conditions, join->rarg);
		quals = join->quals;
	}
	else if (IsA(node, FromExpr))
	{
		foreach(lc, ((FromExpr *) node)->fromlist)
			conditions = add_conditions(conditions, lfirst(lc));
		quals = ((FromExpr *) node)->quals;
	}
	else
		return conditions;
	return list_concat(conditions, quals == NULL || IsA(quals, List) ?
					   (List *) quals : make_ands_implicit((Expr *) quals));
}

/* The conditions that are known of a table; not all have to be on it alone. */
static List *
known_conditions(const Source *source)
{
	List	   *result = NIL;
	ListCell   *lc;

	if (source->owner != source->root)
		return add_conditions(NIL, (Node *) source->owner->parse->jointree);
	foreach(lc, find_base_rel(source->root, source->varno)->baserestrictinfo)
		result = lappend(result, lfirst_node(RestrictInfo, lc)->clause);
	return result;
}

/* A condition for the new query; NULL if it is not on the table alone. */
static Node *
take_condition(const Source *source, Node *condition)
{
	Source		own = *source;
	Node	   *copy;

	if (contain_volatile_functions(condition))
		return NULL;
	own.root = source->owner;
	copy = take_expression(condition, &own);
	return own.failed ? NULL : copy;
}

/* The conditions on the table alone, for the new query; NULL: none. */
static Node *
take_conditions(const Source *source)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, known_conditions(source))
	{
		Node	   *copy = take_condition(source, lfirst(lc));

		if (copy != NULL)
			result = lappend(result, copy);
	}
	return result != NIL ? (Node *) make_ands_explicit(result) : NULL;
}

/* Whether the new query has all conditions on the table in a list. */
static bool
takes_all(const Source *source, const List *conditions)
{
	ListCell   *lc;

	foreach(lc, conditions)
	{
		Node	   *condition = lfirst(lc);

		if (bms_is_member(source->varno,
						  pull_varnos(source->owner, condition)) &&
			take_condition(source, condition) == NULL)
			return false;
	}
	return true;
}

/* Whether another condition of an outer query uses the table. */
static bool
has_other_condition(const Source *source, Node *node)
{
	ListCell   *lc;

	if (IsA(node, FromExpr))
	{
		foreach(lc, ((FromExpr *) node)->fromlist)
			if (has_other_condition(source, lfirst(lc)))
				return true;
		return false;
	}
	if (!IsA(node, JoinExpr))
		return false;
	if (((JoinExpr *) node)->jointype == JOIN_INNER)
		return has_other_condition(source, ((JoinExpr *) node)->larg) ||
			has_other_condition(source, ((JoinExpr *) node)->rarg);
	return bms_is_member(source->varno, pull_varnos(source->owner, node));
}

/*
 * Whether a foreign table belongs to this extension, and its own scan sends the
 * same conditions as the new query.  In the current query, this function makes
 * the scan send no values of other tables.  An outer query is not planned yet,
 * so it must have no other conditions on the table.
 */
static bool
shares_result(const Source *source, const RangeTblEntry *rte)
{
	RelOptInfo *rel;
	List	   *conditions;

	if (rte->relkind != RELKIND_FOREIGN_TABLE || rte->tablesample != NULL ||
		GetFdwRoutineByRelId(rte->relid)->GetForeignPaths !=
		hibobGetForeignPaths)
		return false;
	if (source->owner != source->root)
		return takes_all(source, known_conditions(source)) &&
			!has_other_condition(source,
								 (Node *) source->owner->parse->jointree);
	rel = find_base_rel(source->root, source->varno);
	if (!plan_fixed_conditions(rel, &conditions) ||
		!takes_all(source, conditions))
		return false;
	((HibobFdwRelationInfo *) rel->fdw_private)->is_read_twice = true;
	return true;
}

/* Whether a table can be read again, by a query of its own. */
static bool
is_independent(const Source *source, const RangeTblEntry *rte)
{
	Index		query_level = source->owner->query_level;
	Node	   *definition;
	int			levels = 0;

	switch (rte->rtekind)
	{
		case RTE_RELATION:
			return !is_unstable(rte) || shares_result(source, rte);
		case RTE_SUBQUERY:
			definition = (Node *) rte->subquery;
			break;
		case RTE_FUNCTION:
			definition = (Node *) rte->functions;
			break;
		case RTE_VALUES:
			definition = (Node *) rte->values_lists;
			break;
		case RTE_CTE:
			return !rte->self_reference;
		default:
			return false;
	}
	if (rte->lateral || contain_volatile_functions(definition) ||
		is_dependent(definition, &levels))
		return false;
	if (rte->rtekind == RTE_SUBQUERY)
		return !has_outer_variables(definition, query_level);
	return !contain_vars_of_level(definition, 0) &&
		!has_outer_variables(definition, query_level) &&
		!checkExprHasSubLink(definition);
}

static bool
has_outer_join(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	if (IsA(node, JoinExpr) && ((JoinExpr *) node)->jointype != JOIN_INNER &&
		((JoinExpr *) node)->jointype != JOIN_SEMI)
		return true;
	return expression_tree_walker(node, has_outer_join, arg);
}

/*
 * Whether an expression may have a value that it has for no row of its table:
 * an outer join or a grouping set can make the table's columns null, and an
 * expression such as coalesce() may then not be null.
 */
static bool
has_value_of_nulls(const PlannerInfo *owner, Expr *value)
{
	const Query *query = owner->parse;

	return (query->groupingSets != NIL ||
			has_outer_join((Node *) query->jointree, NULL)) &&
		contain_nonstrict_functions((Node *) value);
}

static Aggref *
make_aggregate(Expr *value, const char *name)
{
	Oid			type = getBaseType(exprType((Node *) value));
	Aggref	   *aggregate = makeNode(Aggref);

	aggregate->aggfnoid =
		LookupFuncName(list_make2(makeString("pg_catalog"),
								  makeString(pstrdup(name))),
					   1, &type, false);
	aggregate->aggtype = type;
	aggregate->aggargtypes = list_make1_oid(type);
	aggregate->args = list_make1(makeTargetEntry(value, 1, NULL, false));
	aggregate->aggkind = AGGKIND_NORMAL;
	aggregate->aggsplit = AGGSPLIT_SIMPLE;
	aggregate->aggno = -1;
	aggregate->aggtransno = -1;
	aggregate->location = -1;
	return aggregate;
}

/* The number of levels from the new query up to the table's query. */
static int
levels_up(const Source *source)
{
	int			levels = 1;

	for (PlannerInfo *root = source->root; root != source->owner;
		 root = root->parent_root)
		levels++;
	return levels;
}

/*
 * The table for the new query.  Returns NULL if its row-level security policies
 * cannot be copied.
 */
static RangeTblEntry *
take_table(const Source *source, const RangeTblEntry *rte)
{
	RangeTblEntry *copy = copyObject(unconstify(RangeTblEntry *, rte));
	Source		own = *source;
	ListCell   *lc;

	own.root = source->owner;
	copy->ctelevelsup += levels_up(source);
	foreach(lc, copy->securityQuals)
	{
		Node	   *qual = lfirst(lc);

		if (qual != NULL && IsA(qual, List))
			qual = (Node *) make_ands_explicit((List *) qual);
		own.failed |= contain_volatile_functions(qual);
		lfirst(lc) = take_expression(qual, &own);
	}
	return own.failed ? NULL : copy;
}

/* SELECT min(value) FROM table WHERE conditions */
static Query *
make_query(const Source *source, RangeTblEntry *rte, Expr *value, bool lower)
{
	Query	   *query = makeNode(Query);
	RangeTblRef *reference = makeNode(RangeTblRef);
	Aggref	   *aggregate = make_aggregate(value, lower ? "min" : "max");

	query->commandType = CMD_SELECT;
	query->querySource = QSRC_ORIGINAL;
	query->hasAggs = true;
	query->hasRowSecurity = source->owner->parse->hasRowSecurity;
	hibob_add_table(query, source->owner->parse, rte);
	reference->rtindex = 1;
	query->jointree = makeFromExpr(list_make1(reference),
								   take_conditions(source));
	query->targetList =
		list_make1(makeTargetEntry((Expr *) aggregate, 1,
								   pstrdup(lower ? "min" : "max"), false));
	return query;
}

/*
 * Plans the query as an initplan of the current one.  Returns NULL if its table
 * cannot be read alone: a table that needs more conditions has only disabled
 * paths.
 */
static Param *
make_initplan(PlannerInfo *root, Query *query)
{
	Oid			type = exprType((Node *) ((TargetEntry *)
										  linitial(query->targetList))->expr);
	PlannerInfo *subroot = hibob_subquery_planner(root, query);
	RelOptInfo *final = fetch_upper_rel(subroot, UPPERREL_FINAL, NULL);
	Plan	   *plan;
	Param	   *param;

	if (final->cheapest_total_path->total_cost >= disable_cost)
		return NULL;
	plan = create_plan(subroot, final->cheapest_total_path);
	param = SS_make_initplan_output_param(root, type, -1, InvalidOid);
	SS_make_initplan_from_plan(root, subroot, plan, param);
	return param;
}

Param *
minmax_param(PlannerInfo *root, Expr *value, bool lower)
{
	Source		source = {.root = root};
	Expr	   *copy = (Expr *) take_expression((Node *) value, &source);
	RangeTblEntry *rte;

	if (source.failed || source.owner == NULL ||
		contain_volatile_functions((Node *) value) ||
		has_value_of_nulls(source.owner, copy))
		return NULL;
	rte = rt_fetch(source.varno, source.owner->parse->rtable);
	if (!is_independent(&source, rte))
		return NULL;
	rte = take_table(&source, rte);
	if (rte == NULL)
		return NULL;
	return make_initplan(root, make_query(&source, rte, copy, lower));
}
