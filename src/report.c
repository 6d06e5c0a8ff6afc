/*
 * report.c
 *		A saved report that HiBob prepares first.
 *
 * Source: HiBob's specification.  The answer to the request for a report is
 * then 202 with a Location, at another host; what counts is the last part of
 * its path, which is the report's name at the API.  There, 204 means that it
 * is not ready.
 */
#include "postgres.h"

#include "http.h"
#include "report.h"
#include "url.h"
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

/* A name has these, and is escaped where it has others. */
#define NAME_CHARACTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%:"

/* Escaped, these could be taken for another path: / \ . */
static const char *const path_escapes[] = {"%2f", "%5c", "%2e"};
#define MAX_NAME 512

bool
report_is_pending(int status)
{
	return status == STATUS_ACCEPTED || status == STATUS_NO_CONTENT;
}

static bool
has_path_escape(const char *name)
{
	for (; (name = strchr(name, '%')) != NULL; name++)
		for (size_t i = 0; i < lengthof(path_escapes); i++)
			if (pg_strncasecmp(name, path_escapes[i], 3) == 0)
				return true;
	return false;
}

/* The last part of the path of a URL, or NULL if that is not a name. */
static char *
name_in_location(const char *location)
{
	size_t		length = strcspn(location, "?#");
	size_t		start = length;
	char	   *name;

	while (start > 0 && location[start - 1] != '/')
		start--;
	length -= start;
	if (start == 0 || length > MAX_NAME ||
		strspn(location + start, NAME_CHARACTERS) < length)
		return NULL;
	name = pnstrdup(location + start, length);
	return url_is_segment(name) && !has_path_escape(name) ? name : NULL;
}

void
report_note_answer(ReportWait *wait, const ErrorSubject *subject, int status,
				   const char *location, RequestCall *call)
{
	char	   *name;

	if (wait->since == 0)
		wait->since = GetCurrentTimestamp();
	if (status != STATUS_ACCEPTED)
		return;
	name = location != NULL ? name_in_location(location) : NULL;
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("HiBob does not say where the report of foreign table \"%s\" will be",
						subject->table),
				 errdetail("The answer with status %d has no usable header \"Location\".",
						   status)));
	call->endpoint = CATALOG_REPORT_READY "{reportName}";
	call->path = psprintf("%s%s", CATALOG_REPORT_READY, name);
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
