/*
 * explain.c
 *		EXPLAIN of a foreign scan: the endpoint, with VERBOSE the request and
 *		the local conditions, with ANALYZE the counters.
 *
 * It shows constants of the query, never a value that HiBob sent.
 */
#include "postgres.h"

#include "fdw/explain.h"
#include "fdw/plan_tree.h"
#include "fdw/scan.h"
#include "remote/request.h"
#include "utils/ruleutils.h"

/*
 * A context for deparsing the plan's expressions.  Parameters are shown as the
 * expressions of the ancestors that set them.
 */
static List *
deparse_context(ForeignScanState *node, ExplainState *es)
{
	Plan	   *plan = node->ss.ps.plan;

	return set_deparse_context_plan(es->deparse_cxt, plan,
									plan_tree_ancestors(es->pstmt, plan));
}

/*
 * The text of the first remote condition's value, for a value that depends on
 * the running query.
 */
static const char *
value_expression(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;

	if (plan->fdw_exprs == NIL)
		return "";
	return deparse_expression(linitial(plan->fdw_exprs),
							  deparse_context(node, es), false, false);
}

/*
 * The part of a request that differs between scans of an endpoint: the body,
 * the path with its placeholders replaced, or the query string; NULL if it has
 * none.
 */
static const char *
request_details(const RequestCall *call)
{
	const char *query = call->path != NULL ? strchr(call->path, '?') : NULL;

	if (call->body != NULL)
		return call->body;
	if (strchr(call->endpoint, '{') != NULL)
		return call->path;
	return query != NULL ? query + 1 : NULL;
}

/* The request for the values that the query does not name. */
static void
explain_listing(const Resource *resource, ExplainState *es)
{
	const ResourceFilter *values = resource_filter(resource, FILTER_VALUES);
	const Resource *source = values != NULL && values->source != NULL ?
		resource_find(values->source) : NULL;

	if (source == NULL)
		ExplainPropertyText("HiBob Employees", "POST /people/search", es);
	else
		ExplainPropertyText("HiBob Values", psprintf("%s %s", source->method,
													 source->path), es);
}

static void
explain_request(ForeignScanState *node, ExplainState *es)
{
	const Resource *resource = scan_resource(node);
	RequestCall call;

	if (!scan_first_call(node, value_expression(node, es), &call))
	{
		call.method = resource->method;
		call.endpoint = resource->path;
		call.path = NULL;
		call.body = NULL;
	}
	ExplainPropertyText("HiBob Endpoint",
						psprintf("%s %s", call.method, call.endpoint), es);
	if (scan_needs_ids(node))
		explain_listing(resource, es);
	if (es->verbose && request_details(&call) != NULL)
		ExplainPropertyText("HiBob Request", request_details(&call), es);
}

/* The conditions that are not sent; in text format a line each. */
static void
explain_local_filters(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	List	   *context = deparse_context(node, es);
	List	   *texts = NIL;
	ListCell   *lc;

	foreach(lc, scan_local_conditions(node))
	{
		Node	   *condition = list_nth(plan->scan.plan.qual, lfirst_int(lc));

		texts = lappend(texts, deparse_expression(condition, context, true,
												  false));
	}
	if (es->format != EXPLAIN_FORMAT_TEXT && texts != NIL)
		ExplainPropertyList("HiBob Local Filters", texts, es);
	else
		foreach(lc, texts)
			ExplainPropertyText("HiBob Local Filter", lfirst(lc), es);
}

/* A counter that the text format shows only if it is not zero. */
static void
explain_counter(const char *label, const char *unit, int64 value,
				ExplainState *es)
{
	if (value != 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger(label, unit, value, es);
}

void
hibobExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	const ExchangeCounters *counters;

	explain_request(node, es);
	if (es->verbose)
		explain_local_filters(node, es);
	if (!es->analyze)
		return;
	counters = scan_counters(node);
	ExplainPropertyUInteger("HiBob Requests", NULL, counters->requests, es);
	ExplainPropertyUInteger("HiBob Bytes Received", "bytes",
							counters->bytes_received, es);
	explain_counter("HiBob Retries", NULL, counters->retries, es);
	explain_counter("HiBob Rate Limit Wait", "ms", counters->rate_limit_wait,
					es);
	explain_counter("HiBob Cache Hits", NULL, scan_cache_hits(node), es);
}
