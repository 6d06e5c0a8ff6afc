/*
 * response_status.h
 *		The meaning of a response without rows: an error, no rows for the
 *		request, or a saved report that HiBob is still preparing.
 */
#ifndef HIBOB_REMOTE_RESPONSE_STATUS_H
#define HIBOB_REMOTE_RESPONSE_STATUS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "remote/remote_error.h"
#include "remote/request.h"
#include "remote/response.h"

typedef enum StatusMeaning
{
	STATUS_MEANS_ERROR,
	STATUS_MEANS_NO_ROWS,		/* of the request's values */
	STATUS_MEANS_UNSUPPORTED	/* the account lacks the endpoint */
} StatusMeaning;

/*
 * The meaning of a status other than success.  "rows" is the number of rows
 * that preceded it.  Counts responses 404 in the summary.
 */
extern StatusMeaning response_status_meaning(const ErrorResponse *error,
											 const Request *request,
											 const RequestCall *call,
											 uint64 rows,
											 ResponseSummary *summary);

/* The wait for one report; zeroed before the first response. */
typedef struct ReportWait
{
	int			polls;
	int64		since;			/* by http_now_ms() */
} ReportWait;

/* Whether a status of success means that the report is not ready. */
extern bool report_is_pending(const RequestCall *call, int status);

/*
 * Changes the call to the one that downloads the report.  "location" is the
 * header of the response, or NULL.
 */
extern void report_set_location(ReportWait *wait, const ErrorSubject *subject,
								int status, const char *location,
								RequestCall *call);

/* Sleeps before the next request; raises an error after half an hour. */
extern void report_sleep(ReportWait *wait, const ErrorSubject *subject);

#endif							/* HIBOB_REMOTE_RESPONSE_STATUS_H */
