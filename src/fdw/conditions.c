/*
 * conditions.c
 *		A scan's conditions, with the values that they have in one run.
 *
 * Knows expressions and what a resource can filter by; nothing of requests.
 */
#include "postgres.h"

#include "fdw/conditions.h"
#include "utils/timestamp.h"

static void
add_values(RequestFilter *filter, const ResourceFilter *entry, List *values)
{
	filter->filter = entry;
	filter->values = values;
}

static void
add_status(RequestFilter *filter, List *values)
{
	if (values == NIL)
		filter->nothing = true;
	else if (strcmp(linitial(values), RESOURCE_STATUS_ACTIVE) == 0)
		filter->active_only = true;
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
 * Narrows the range of time by a comparison.  Times have microseconds, so what
 * is past one begins with the next.  Nothing is past the end of time.
 */
static void
add_bound(RequestFilter *filter, const ResourceFilter *entry,
		  FilterComparison comparison, TimestampTz time)
{
	bool		is_lower = entry->role != FILTER_UPPER &&
		(comparison == COMPARE_LOWER || comparison == COMPARE_ABOVE ||
		 comparison == COMPARE_EQUAL);
	bool		is_upper = entry->role != FILTER_LOWER &&
		(comparison == COMPARE_UPPER || comparison == COMPARE_BELOW ||
		 comparison == COMPARE_EQUAL);

	if ((is_lower && TIMESTAMP_IS_NOEND(time)) ||
		(is_upper && TIMESTAMP_IS_NOBEGIN(time)))
	{
		filter->nothing = true;
		return;
	}
	if (TIMESTAMP_NOT_FINITE(time))
		return;
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

/* What one clause comes to.  Nothing compares with null. */
static void
evaluate_clause(const RemoteConditions *conditions, int index,
				ExprContext *econtext, RequestFilter *filter)
{
	const ResourceFilter *entry = conditions_entry(conditions, index);
	FilterComparison comparison =
		list_nth_int(conditions->plan->comparisons, index);
	ExprState  *value = list_nth(conditions->values, index);
	TimestampTz time;

	if (entry->role == FILTER_VALUES)
	{
		add_values(filter, entry,
				   shippable_evaluate_values(value, econtext, comparison));
		filter->derived_values = !shippable_value_is_known(value->expr, true);
	}
	else if (entry->role == FILTER_STATUS)
		add_status(filter,
				   shippable_evaluate_values(value, econtext, comparison));
	else if (shippable_evaluate_time(value, econtext, &time))
		add_bound(filter, entry, comparison, time);
	else
		filter->nothing = true;
}

/*
 * A range that ends before it begins: of one field, nothing lies in it.  Of two,
 * such as the end of an absence and its start, what begins before the one and
 * ends after the other goes on all the time in between.
 */
static void
mend_range(RequestFilter *filter)
{
	TimestampTz lower = filter->lower;

	if (filter->lower_filter->role != FILTER_BOUNDS ||
		filter->lower_filter == filter->upper_filter)
	{
		filter->nothing = true;
		return;
	}
	filter->lower = filter->upper;
	filter->upper = lower;
}

static RequestFilter
evaluate(const RemoteConditions *conditions, ExprContext *econtext,
		 const char *unknown)
{
	RequestFilter filter = {0};

	filter.active_only = conditions->active_only;
	filter.limit = conditions->plan->limit;
	for (int i = 0; i < list_length(conditions->values); i++)
	{
		const ResourceFilter *entry = conditions_entry(conditions, i);
		ExprState  *value = list_nth(conditions->values, i);

		if (unknown == NULL ||
			shippable_value_is_known(value->expr,
									 econtext->ecxt_param_list_info != NULL))
			evaluate_clause(conditions, i, econtext, &filter);
		else if (entry->role == FILTER_VALUES)
			add_values(&filter, entry, list_make1(pstrdup(unknown)));
	}
	if (filter.has_lower && filter.has_upper && filter.lower > filter.upper)
		mend_range(&filter);
	return filter;
}

RequestFilter
conditions_evaluate(const RemoteConditions *conditions, ExprContext *econtext)
{
	return evaluate(conditions, econtext, NULL);
}

RequestFilter
conditions_preview(const RemoteConditions *conditions, ExprContext *econtext,
				   const char *unknown)
{
	return evaluate(conditions, econtext, unknown);
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
		a->has_lower == b->has_lower && a->lower == b->lower &&
		a->has_upper == b->has_upper && a->upper == b->upper &&
		same_values(a->values, b->values);
}

bool
conditions_are_parameterized(const RemoteConditions *conditions)
{
	ExprState  *first;

	if (conditions->values == NIL ||
		conditions_entry(conditions, 0)->role != FILTER_VALUES)
		return false;
	first = linitial(conditions->values);
	return !shippable_value_is_known(first->expr, true);
}
