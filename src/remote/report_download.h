/*
 * report_download.h
 *		A saved report that HiBob prepares first: where it will lie, and how
 *		long it is waited for.
 */
#ifndef HIBOB_REMOTE_REPORT_DOWNLOAD_H
#define HIBOB_REMOTE_REPORT_DOWNLOAD_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "remote/remote_error.h"
#include "remote/request.h"

/* How long one report has been waited for; zeroed before the first answer. */
typedef struct ReportWait
{
	int			polls;
	TimestampTz since;
} ReportWait;

/* Whether a success of this status means: not yet. */
extern bool report_is_pending(const RequestCall *call, int status);

/*
 * Turns the call into the one that asks again.  "location" is the answer's
 * header, or NULL.
 */
extern void report_note_answer(ReportWait *wait, const ErrorSubject *subject,
							   int status, const char *location,
							   RequestCall *call);

/* Sleeps, cancellably, before that; an error if it has been too long. */
extern void report_sleep(ReportWait *wait, const ErrorSubject *subject);

#endif							/* HIBOB_REMOTE_REPORT_DOWNLOAD_H */
