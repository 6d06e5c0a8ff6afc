/*
 * report_download.h
 *		A saved report that HiBob prepares before it can be downloaded: its
 *		path, and the time between two requests.
 */
#ifndef HIBOB_REMOTE_REPORT_DOWNLOAD_H
#define HIBOB_REMOTE_REPORT_DOWNLOAD_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "remote/remote_error.h"
#include "remote/request.h"

/* The wait for one report; zeroed before the first response. */
typedef struct ReportWait
{
	int			polls;
	TimestampTz since;
} ReportWait;

/* Whether a status of success means that the report is not ready. */
extern bool report_is_pending(const RequestCall *call, int status);

/*
 * Changes the call to the one that downloads the report.  "location" is the header
 * of the response, or NULL.
 */
extern void report_set_location(ReportWait *wait, const ErrorSubject *subject,
							   int status, const char *location,
							   RequestCall *call);

/* Sleeps before the next request; raises an error after half an hour. */
extern void report_sleep(ReportWait *wait, const ErrorSubject *subject);

#endif							/* HIBOB_REMOTE_REPORT_DOWNLOAD_H */
