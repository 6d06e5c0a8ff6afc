/*
 * explain.c
 *		What EXPLAIN says about a scan: the endpoint always, the request under
 *		VERBOSE, and what it took under ANALYZE.
 *
 * Shows constants of the query, never a value that HiBob sent.
 */
#include "postgres.h"

#include "fdw/explain.h"
#include "fdw/plan.h"
#include "fdw/scan.h"
#include "remote/request.h"
#include "utils/ruleutils.h"

/*
 * The expression that gives the filter's value, to stand for a value that only
 * the running query knows.
 */
static const char *
filter_expression(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	List	   *context;

	if (plan->fdw_exprs == NIL)
		return "";
	context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, NIL);
	return deparse_expression(linitial(plan->fdw_exprs), context, false,
							  false);
}

/*
 * What a request says beside its endpoint, or NULL: the body, the query string,
 * the path with what stands for the words in braces.
 */
static const char *
request_shown(const RequestCall *call)
{
	const char *query = call->path != NULL ? strchr(call->path, '?') : NULL;

	if (call->body != NULL)
		return call->body;
	if (strchr(call->endpoint, '{') != NULL)
		return call->path;
	return query != NULL ? query + 1 : NULL;
}

static void
explain_request(ForeignScanState *node, ExplainState *es)
{
	const Resource *resource = scan_resource(node);
	RequestCall call;

	if (!scan_first_call(node, filter_expression(node, es), &call))
	{
		call.method = resource->method;
		call.endpoint = resource->path;
		call.path = NULL;
		call.body = NULL;
	}
	ExplainPropertyText("HiBob Endpoint",
						psprintf("%s %s", call.method, call.endpoint), es);
	if (scan_needs_ids(node))
		ExplainPropertyText("HiBob Employees", "POST /people/search", es);
	if (es->verbose && request_shown(&call) != NULL)
		ExplainPropertyText("HiBob Request", request_shown(&call), es);
}

/* The conditions that are checked here alone: for people a line each. */
static void
explain_local_filters(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	List	   *context = set_deparse_context_plan(es->deparse_cxt,
												   (Plan *) plan, NIL);
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

/* A counter that is worth a line only if it is not zero, or not for people. */
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
