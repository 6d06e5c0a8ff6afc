/*
 * response_status.c
 *		The meaning of a response without rows: an error, no rows for the
 *		request, or a saved report that HiBob is still preparing.
 *
 * Source for reports: HiBob's specification.  The response to the request for
 * a report has a Location at another host.  Only the last part of its path is
 * used: it is the report's name at the API.  A request by that name returns
 * 204 until the report is ready.  The status of the first response is 202 in
 * the description ("Accepted") and 200 in the list of statuses.
 */
#include "postgres.h"

#include "http/http.h"
#include "http/url.h"
#include "remote/response_status.h"

#define STATUS_ACCEPTED 202
#define STATUS_NO_CONTENT 204

/*
 * The first and the longest time between two requests, in ms; it doubles each
 * time.  HiBob's limit for reports is twenty requests a minute.
 */
#define FIRST_SLEEP 250
#define LONGEST_SLEEP 5000

/* The longest wait for a report, in ms. */
#define MAX_WAIT (30 * 60 * 1000)

#define MAX_NAME 512

/* ------------------------------------------------------------------------
 * Statuses
 * ------------------------------------------------------------------------
 */

/*
 * Whether status 404 is not an error.  An employee whose id HiBob has just
 * returned may have been deleted; if the first few are not found, the resource
 * does not exist.
 */
static bool
means_no_rows(const RequestCall *call, bool has_more, ResponseSummary *summary)
{
	const uint64 few = 3;

	if (call->not_found == NOT_FOUND_AMBIGUOUS)
		summary->ambiguous++;
	if (call->not_found != NOT_FOUND_DELETED)
		return call->not_found != NOT_FOUND_ERROR;
	summary->deleted++;
	return summary->responses > 0 || (summary->deleted < few && has_more);
}

/* Whether the account lacks the endpoint: no earlier request succeeded. */
static bool
is_unsupported(const ErrorResponse *error, const RequestCall *call, uint64 rows,
			   const ResponseSummary *summary)
{
	return call->not_found == NOT_FOUND_UNSUPPORTED &&
		(error->status == 404 || error->status == 400) &&
		summary->responses == 0 && rows == 0;
}

StatusMeaning
response_status_meaning(const ErrorResponse *error, const Request *request,
						const RequestCall *call, uint64 rows,
						ResponseSummary *summary)
{
	if (is_unsupported(error, call, rows, summary))
		return STATUS_MEANS_UNSUPPORTED;
	if (error->status == 404 && !error_is_web_page(error) &&
		means_no_rows(call, request_has_more(request), summary))
		return STATUS_MEANS_NO_ROWS;
	return STATUS_MEANS_ERROR;
}

/* ------------------------------------------------------------------------
 * Reports
 * ------------------------------------------------------------------------
 */

bool
report_is_pending(const RequestCall *call, int status)
{
	return status == STATUS_ACCEPTED || status == STATUS_NO_CONTENT ||
		strcmp(call->endpoint, RESOURCE_REPORT_ASYNC) == 0;
}

/* Whether a name is a single segment of a path, without control characters. */
static bool
is_name(const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char) *c < 0x20 || *c == 0x7f || *c == '/' || *c == '\\')
			return false;
	return url_is_segment(name);
}

/*
 * The last segment of the path of a URL, escaped, or NULL if it is not valid.
 * It contains the title of the report, and so any character.
 */
static char *
name_in_location(const char *location)
{
	size_t		length = strcspn(location, "?#");
	size_t		start = length;
	char	   *name;

	while (start > 0 && location[start - 1] != '/')
		start--;
	length -= start;
	if (start == 0 || length > MAX_NAME)
		return NULL;
	name = url_unescape_segment(pnstrdup(location + start, length));
	return name != NULL && is_name(name) ? url_escape_segment(name) : NULL;
}

void
report_set_location(ReportWait *wait, const ErrorSubject *subject, int status,
				   const char *location, RequestCall *call)
{
	char	   *name;

	if (wait->since == 0)
		wait->since = http_now_ms();
	if (status == STATUS_NO_CONTENT)
		return;
	name = location != NULL ? name_in_location(location) : NULL;
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("HiBob returned no location of the report of foreign table \"%s\"",
						subject->table),
				 errdetail("The response with status %d has no valid header \"Location\".",
						   status)));
	call->endpoint = RESOURCE_REPORT_READY "{reportName}";
	call->path = psprintf("%s%s", RESOURCE_REPORT_READY, name);
}

void
report_sleep(ReportWait *wait, const ErrorSubject *subject)
{
	if (http_now_ms() - wait->since > MAX_WAIT)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("the report of foreign table \"%s\" was not ready after 30 minutes",
						subject->table),
				 errhint("Try again later, or reduce the report in HiBob.")));
	http_wait_any(NULL, 0, Min((int64) FIRST_SLEEP << Min(wait->polls, 10),
							   LONGEST_SLEEP));
	wait->polls++;
}
