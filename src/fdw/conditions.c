/*
 * conditions.c
 *		The remote conditions of a scan, with their values in one run.
 *
 * Knows expressions and the resource table's filters; makes no request.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "compat.h"
#include "executor/executor.h"
#include "fdw/conditions.h"
#include "nodes/nodeFuncs.h"
#include "options/text_list.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* Up to this number, lists that the query names are requested one by one. */
#define MAX_LISTS 10

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

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

/* The values of an equality as C strings, without nulls. */
static List *
evaluate_values(ExprState *state, ExprContext *econtext,
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
 * Converts a date or time to timestamptz.  As in PostgreSQL's operators, a date
 * is midnight in the session's time zone.  A date that timestamptz cannot
 * represent becomes infinite.
 */
static TimestampTz
to_time(Datum datum, Oid type)
{
	switch (getBaseType(type))
	{
		case DATEOID:
			return hibob_date_to_timestamptz(DatumGetDateADT(datum));
		case TIMESTAMPOID:
			return hibob_timestamp_to_timestamptz(DatumGetTimestamp(datum));
		default:
			return DatumGetTimestampTz(datum);
	}
}

/* Evaluates a date or time; false if it is null. */
static bool
evaluate_time(ExprState *state, ExprContext *econtext, TimestampTz *result)
{
	bool		null;
	Datum		datum = ExecEvalExpr(state, econtext, &null);

	if (!null)
		*result = to_time(datum, exprType((Node *) state->expr));
	return !null;
}

/*
 * Evaluates an array of dates or times, and returns the least and the greatest
 * of them; false if there are no elements, or only nulls.
 */
static bool
evaluate_times(ExprState *state, ExprContext *econtext, TimestampTz *least,
			   TimestampTz *greatest)
{
	bool		null;
	Datum		datum = ExecEvalExpr(state, econtext, &null);
	Oid			type = get_base_element_type(exprType((Node *) state->expr));
	ArrayIterator iterator;
	bool		found = false;

	if (null)
		return false;
	iterator = array_create_iterator(DatumGetArrayTypeP(datum), 0, NULL);
	while (array_iterate(iterator, &datum, &null))
	{
		TimestampTz time;

		if (null)
			continue;
		time = to_time(datum, type);
		*least = found ? Min(*least, time) : time;
		*greatest = found ? Max(*greatest, time) : time;
		found = true;
	}
	array_free_iterator(iterator);
	return found;
}

/* Whether an expression has a parameter whose value is not known yet. */
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

/*
 * Whether a value can be evaluated before the query runs, as for EXPLAIN.  The
 * results of subqueries and the values of other tables cannot be evaluated.
 * The same holds for a statement's parameters without values, as in a generic
 * plan that is only explained.
 */
static bool
value_is_known(Expr *value, bool parameters)
{
	return !has_unknown((Node *) value, &parameters);
}

/* ------------------------------------------------------------------------
 * Filters
 * ------------------------------------------------------------------------
 */

static void
add_values(RequestFilter *filter, const ResourceFilter *entry, List *values)
{
	filter->filter = entry;
	filter->values = values;
	filter->is_preview = false;
}

static void
preview_values(RequestFilter *filter, const ResourceFilter *entry,
			   const char *expression)
{
	add_values(filter, entry, list_make1(pstrdup(expression)));
	filter->is_preview = true;
}

static void
add_status(RequestFilter *filter, List *values)
{
	if (values == NIL)
		filter->nothing = true;
	else if (strcmp(linitial(values), RESOURCE_STATUS_ACTIVE) == 0)
		filter->active_only = true;
}

/* Without any value, no row matches. */
static void
add_arguments(RequestFilter *filter, const ResourceFilter *entry, List *values)
{
	filter->argument_filter = entry;
	filter->arguments = values;
	filter->nothing |= values == NIL;
}

static void
add_day(RequestFilter *filter, TimestampTz day)
{
	filter->has_day = true;
	filter->day = day;
	filter->nothing |= TIMESTAMP_NOT_FINITE(day);
}

static void
raise_lower(RequestFilter *filter, const ResourceFilter *entry,
			TimestampTz time)
{
	if (filter->has_lower && filter->lower >= time)
		return;
	filter->has_lower = true;
	filter->lower = time;
	filter->lower_filter = entry;
}

static void
lower_upper(RequestFilter *filter, const ResourceFilter *entry,
			TimestampTz time)
{
	if (filter->has_upper && filter->upper <= time)
		return;
	filter->has_upper = true;
	filter->upper = time;
	filter->upper_filter = entry;
}

/*
 * Whether rows have an infinite value in place of a missing one: an absence
 * that has no end yet.
 */
static bool
has_infinity(const Resource *resource, const ResourceFilter *entry)
{
	const ResourceDerived *derived = resource_derived(resource, entry->field);

	return derived != NULL && derived->otherwise != NULL;
}

/*
 * Narrows the range of time by a comparison.  Times have microseconds, so
 * "above" means from the next microsecond on.  Infinity is the latest time,
 * and few fields can have it.
 */
static void
add_bound(const RemoteConditions *conditions, RequestFilter *filter,
		  const ResourceFilter *entry, FilterComparison comparison,
		  TimestampTz time)
{
	bool		is_lower = entry->role != FILTER_UPPER &&
		(comparison == COMPARE_LOWER || comparison == COMPARE_ABOVE ||
		 comparison == COMPARE_EQUAL);
	bool		is_upper = entry->role != FILTER_LOWER &&
		(comparison == COMPARE_UPPER || comparison == COMPARE_BELOW ||
		 comparison == COMPARE_EQUAL);

	if (TIMESTAMP_NOT_FINITE(time))
	{
		is_lower &= TIMESTAMP_IS_NOEND(time);
		is_upper &= TIMESTAMP_IS_NOBEGIN(time);
		if ((is_lower || is_upper) &&
			(comparison == COMPARE_ABOVE || comparison == COMPARE_BELOW ||
			 !has_infinity(conditions->resource, entry)))
		{
			filter->nothing = true;
			return;
		}
	}
	if (is_lower)
		raise_lower(filter, entry,
					comparison == COMPARE_ABOVE ? time + 1 : time);
	if (is_upper)
		lower_upper(filter, entry,
					comparison == COMPARE_BELOW ? time - 1 : time);
}

static const ResourceFilter *
conditions_entry(const RemoteConditions *conditions, int index)
{
	return &conditions->resource
				->filters[list_nth_int(conditions->plan->filters, index)];
}

/* Adds one condition.  A comparison with null is never true. */
static void
evaluate_clause(const RemoteConditions *conditions, int index,
				ExprContext *econtext, RequestFilter *filter)
{
	const ResourceFilter *entry = conditions_entry(conditions, index);
	FilterComparison comparison =
		list_nth_int(conditions->plan->comparisons, index);
	ExprState  *value = list_nth(conditions->values, index);
	TimestampTz time;
	TimestampTz last;

	if (entry->role == FILTER_VALUES)
	{
		add_values(filter, entry,
				   evaluate_values(value, econtext, comparison));
		filter->derived_values = conditions->resource->is_lists &&
			!value_is_known(value->expr, true);
	}
	else if (entry->role == FILTER_STATUS)
		add_status(filter,
				   evaluate_values(value, econtext, comparison));
	else if (entry->role == FILTER_ARGUMENT)
		add_arguments(filter, entry,
					  evaluate_values(value, econtext, comparison));
	else if (comparison == COMPARE_ANY &&
			 evaluate_times(value, econtext, &time, &last))
	{
		add_bound(conditions, filter, entry, COMPARE_LOWER, time);
		add_bound(conditions, filter, entry, COMPARE_UPPER, last);
	}
	else if (comparison == COMPARE_ANY ||
			 !evaluate_time(value, econtext, &time))
		filter->nothing = true;
	else if (entry->role == FILTER_DAY)
		add_day(filter, time);
	else
		add_bound(conditions, filter, entry, comparison, time);
}

/*
 * Handles a range whose upper bound is below the lower one.  On one field it
 * is empty.  On two fields, such as the start and the end of an absence, it
 * selects the rows that last from the upper bound to the lower one.  They last
 * on each day between these, so requesting one day is enough.
 */
static void
normalize_range(RequestFilter *filter)
{
	bool		finite;

	if (filter->lower_filter->role != FILTER_BOUNDS ||
		filter->lower_filter == filter->upper_filter)
	{
		filter->nothing = true;
		return;
	}
	if (TIMESTAMP_NOT_FINITE(filter->upper))
		filter->upper = filter->lower;
	filter->lower = filter->upper;
	finite = !TIMESTAMP_NOT_FINITE(filter->upper);
	filter->has_lower = filter->has_upper = finite;
}

/* Rows of another day are not in the result, so a day is always sent. */
bool
conditions_include(const RemoteConditions *conditions, int index,
				   ConditionScope scope)
{
	return scope == SCOPE_ALL ||
		conditions_entry(conditions, index)->role == FILTER_DAY ||
		(scope == SCOPE_FIXED &&
		 !list_nth_int(conditions->plan->varies, index));
}

bool
conditions_vary(const RemoteConditions *conditions, ConditionScope scope)
{
	for (int i = 0; i < list_length(conditions->plan->varies); i++)
		if (list_nth_int(conditions->plan->varies, i) &&
			conditions_include(conditions, i, scope))
			return true;
	return false;
}

/*
 * Drops the condition on values if reading all rows takes fewer requests.  A
 * list that the query names and that HiBob does not have is an error, so lists
 * are requested one by one up to a separate limit.
 */
static void
limit_values(const RemoteConditions *conditions, RequestFilter *filter)
{
	const Resource *resource = conditions->resource;
	int			max = conditions->plan->all_requests;

	if (filter->filter == NULL)
		return;
	if (list_length(filter->values) > 1)
		filter->values = text_list_distinct(filter->values);
	if (resource->is_lists && !filter->derived_values)
		max = MAX_LISTS;
	if (request_count_of_values(resource, list_length(filter->values)) <= max)
		return;
	filter->filter = NULL;
	filter->values = NIL;
	filter->derived_values = false;
	filter->limit = 0;
}

static RequestFilter
evaluate(const RemoteConditions *conditions, ConditionScope scope,
		 ExprContext *econtext, const char *unknown)
{
	RequestFilter filter = {0};

	filter.active_only = conditions->active_only;
	filter.limit = scope == SCOPE_ALL ? conditions->plan->limit : 0;
	for (int i = 0; i < list_length(conditions->values); i++)
	{
		const ResourceFilter *entry = conditions_entry(conditions, i);
		ExprState  *value = list_nth(conditions->values, i);

		if (!conditions_include(conditions, i, scope))
			continue;
		if (unknown == NULL ||
			value_is_known(value->expr,
						   econtext->ecxt_param_list_info != NULL))
			evaluate_clause(conditions, i, econtext, &filter);
		else if (entry->role == FILTER_VALUES)
			preview_values(&filter, entry, unknown);
		else if (entry->role == FILTER_DAY)
			filter.hides_day = true;
	}
	if (filter.has_lower && filter.has_upper && filter.lower > filter.upper)
		normalize_range(&filter);
	limit_values(conditions, &filter);
	return filter;
}

RequestFilter
conditions_evaluate(const RemoteConditions *conditions, ConditionScope scope,
					ExprContext *econtext)
{
	return evaluate(conditions, scope, econtext, NULL);
}

RequestFilter
conditions_preview(const RemoteConditions *conditions, ConditionScope scope,
				   ExprContext *econtext, const char *unknown)
{
	return evaluate(conditions, scope, econtext, unknown);
}

/* Hides the value of one condition. */
static void
hide_clause(const RemoteConditions *conditions, int index,
			const char *unknown, RequestFilter *filter)
{
	const ResourceFilter *entry = conditions_entry(conditions, index);

	switch (entry->role)
	{
		case FILTER_VALUES:
			if (filter->filter == entry && filter->values != NIL)
				preview_values(filter, entry, unknown);
			break;
		case FILTER_STATUS:
			break;
		case FILTER_ARGUMENT:
			filter->argument_filter = NULL;
			filter->arguments = NIL;
			break;
		case FILTER_DAY:
			filter->has_day = false;
			filter->hides_day = true;
			break;
		default:
			filter->has_lower = false;
			filter->has_upper = false;
			break;
	}
}

bool
conditions_hide(const RemoteConditions *conditions, ConditionScope scope,
				const char *unknown, RequestFilter *filter)
{
	bool		hidden = false;

	for (int i = 0; i < list_length(conditions->values); i++)
	{
		ExprState  *value = list_nth(conditions->values, i);

		if (!conditions_include(conditions, i, scope) ||
			value_is_known(value->expr, true))
			continue;
		hide_clause(conditions, i, unknown, filter);
		hidden = true;
	}
	return hidden;
}

static bool
same_values(const List *a, const List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
		if (strcmp(lfirst(la), lfirst(lb)) != 0)
			return false;
	return true;
}

bool
conditions_equal(const RequestFilter *a, const RequestFilter *b)
{
	return a->filter == b->filter && a->nothing == b->nothing &&
		a->active_only == b->active_only &&
		a->derived_values == b->derived_values &&
		a->has_lower == b->has_lower && a->lower == b->lower &&
		a->has_upper == b->has_upper && a->upper == b->upper &&
		a->has_day == b->has_day && a->day == b->day &&
		a->argument_filter == b->argument_filter &&
		same_values(a->arguments, b->arguments) &&
		same_values(a->values, b->values);
}
