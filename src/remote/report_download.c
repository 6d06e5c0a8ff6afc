/*
 * report_download.c
 *		A saved report that HiBob prepares first.
 *
 * Source: HiBob's specification.  The answer to the request for a report then
 * has a Location, at another host; what counts is the last part of its path,
 * which is the report's name at the API.  There, 204 means that it is not
 * ready.  The request's own status is 202 by the specification's words
 * ("Accepted") and 200 by its list of statuses.
 */
#include "postgres.h"

#include "http/http.h"
#include "http/url.h"
#include "remote/report_download.h"
#include "utils/timestamp.h"

#define STATUS_ACCEPTED 202
#define STATUS_NO_CONTENT 204

/*
 * The time between two questions grows from the first to the longest, in ms:
 * HiBob lets a service user ask for reports twenty times a minute.
 */
#define FIRST_SLEEP 250
#define LONGEST_SLEEP 5000

/* Nobody waits longer, in ms. */
#define PATIENCE (30 * 60 * 1000)

#define MAX_NAME 512

bool
report_is_pending(const RequestCall *call, int status)
{
	return status == STATUS_ACCEPTED || status == STATUS_NO_CONTENT ||
		strcmp(call->endpoint, RESOURCE_REPORT_ASYNC) == 0;
}

/* Whether a name can stand in a path, and nothing be taken for another one. */
static bool
is_name(const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char) *c < 0x20 || *c == 0x7f || *c == '/' || *c == '\\')
			return false;
	return url_is_segment(name);
}

/*
 * The last part of the path of a URL, or NULL if that is not a name.  It has
 * what people call the report in it, and so any characters: it is escaped anew.
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
report_note_answer(ReportWait *wait, const ErrorSubject *subject, int status,
				   const char *location, RequestCall *call)
{
	char	   *name;

	if (wait->since == 0)
		wait->since = GetCurrentTimestamp();
	if (status == STATUS_NO_CONTENT)
		return;
	name = location != NULL ? name_in_location(location) : NULL;
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("HiBob does not say where the report of foreign table \"%s\" will be",
						subject->table),
				 errdetail("The answer with status %d has no usable header \"Location\".",
						   status)));
	call->endpoint = RESOURCE_REPORT_READY "{reportName}";
	call->path = psprintf("%s%s", RESOURCE_REPORT_READY, name);
}

void
report_sleep(ReportWait *wait, const ErrorSubject *subject)
{
	if (TimestampDifferenceExceeds(wait->since, GetCurrentTimestamp(),
								   PATIENCE))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("HiBob is still preparing the report of foreign table \"%s\"",
						subject->table),
				 errhint("Try again later, or make the report smaller in HiBob.")));
	http_wait_any(NULL, 0, Min((int64) FIRST_SLEEP << Min(wait->polls, 10),
							   LONGEST_SLEEP));
	wait->polls++;
}
