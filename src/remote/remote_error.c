/*
 * remote_error.c
 *		What went wrong between the database and HiBob, as an error.
 *
 * HiBob's own words go into DETAIL, bounded and without anything that is not
 * printable; the hint says what to do in HiBob or in SQL.  The shapes of error
 * bodies are those that HiBob documents and others have met: key and error,
 * error and message, errorMessage, errors by field, nothing at all, or a web
 * page.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "reader/json_doc.h"
#include "remote/remote_error.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* How much of HiBob's words, or of a body that is no JSON, is shown. */
#define MAX_WORDS 400
#define MAX_EXCERPT 80

/*
 * The first bytes of what HiBob sent, fit to be shown: one line, and only
 * ASCII where the database could not hold the rest.
 */
static char *
printable(const char *bytes, size_t length, size_t limit)
{
	StringInfoData buf;
	bool		clipped = length > limit;
	bool		keep;

	if (clipped)
		length = pg_encoding_mbcliplen(PG_UTF8, bytes, (int) length,
									   (int) limit);
	keep = GetDatabaseEncoding() == PG_UTF8 &&
		pg_verify_mbstr(PG_UTF8, bytes, (int) length, true);

	initStringInfo(&buf);
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) bytes[i];

		if (c < 0x20 || c == 0x7f)
		{
			if (buf.len > 0 && buf.data[buf.len - 1] != ' ')
				appendStringInfoChar(&buf, ' ');
		}
		else if (c < 0x80 || keep)
			appendStringInfoChar(&buf, (char) c);
		else
			appendStringInfoChar(&buf, '?');
	}
	if (clipped)
		appendStringInfoString(&buf, " ...");
	return buf.data;
}

char *
error_printable(const char *words)
{
	return printable(words, strlen(words), MAX_WORDS);
}

/*
 * HiBob's own words in an error body, or NULL if it has none that can be read.
 */
static char *
words_of(JsonDoc *doc)
{
	static const char *const keys[] = {"message", "errorMessage", "error",
		"errors", NULL};
	const char *key = json_doc_text(doc, "key");
	char	   *result = NULL;

	for (int i = 0; keys[i] != NULL && result == NULL; i++)
	{
		const char *text = json_doc_text(doc, keys[i]);

		if (text != NULL)
			result = error_printable(text);
	}
	if (key == NULL)
		return result;
	key = error_printable(key);
	return result == NULL ? psprintf("(key \"%s\")", key) :
		psprintf("%s (key \"%s\")", result, key);
}

static char *
answer_words(const ErrorResponse *answer)
{
	JsonDoc    *doc;
	char	   *volatile result = NULL;

	if (answer == NULL || answer->length == 0)
		return NULL;
	doc = json_doc_parse(answer->body, answer->length);
	if (doc == NULL)
		return NULL;
	PG_TRY();
	{
		result = words_of(doc);
	}
	PG_FINALLY();
	{
		json_doc_free(doc);
	}
	PG_END_TRY();
	return result;
}

/* For ereport(): HiBob's words as detail, if there are any. */
static int
detail_words(const char *words)
{
	return words != NULL ? errdetail("HiBob says: %s", words) : 0;
}

void
error_refused(const ErrorSubject *subject, const ErrorResponse *answer)
{
	const char *server = connection_server_name(subject->connection);
	const char *user = connection_user_name(subject->connection);
	char	   *words = answer_words(answer);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("HiBob rejected the credentials of the mapping of user \"%s\" on server \"%s\"",
					user, server),
			 answer == NULL ?
			 errdetail("It did so less than a minute ago, and repeated refusals block the whole address, so they were not shown to it again.") :
			 detail_words(words),
			 connection_has_token_file(subject->connection) ?
			 errhint("The token was regenerated or revoked, or the service user deleted. Have the current one written to the file that option token_file of the user mapping names.") :
			 errhint("The token was regenerated or revoked, or the service user deleted. Copy the new one from HiBob, then: ALTER USER MAPPING FOR %s SERVER %s OPTIONS (SET service_user_id 'SERVICE-...', SET token '...').",
					 quote_identifier(user), quote_identifier(server))));
}

static void
error_forbidden(const ErrorSubject *subject, const char *words)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("HiBob refused to show \"%s\" to the service user of server \"%s\"",
					subject->resource->name,
					connection_server_name(subject->connection)),
			 detail_words(words),
			 subject->resource->permission == NULL ?
			 errhint("If the account restricts API access by IP address, add the address of this database.") :
			 errhint("In HiBob, give the permission group of the service user view access to %s. If the account restricts API access by IP address, add the address of this database.",
					 subject->resource->permission)));
}

static void
error_no_list(const ErrorSubject *subject, const char *words, const char *list)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no list \"%s\"", list),
			 detail_words(words),
			 errhint("Names of lists are case-sensitive; without the condition on the list, foreign table \"%s\" shows them all.",
					 subject->table)));
}

static void
error_no_report(const ErrorSubject *subject, const char *words, const char *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no report \"%s\" for foreign table \"%s\"", id,
					subject->table),
			 detail_words(words),
			 errhint("Share the report with the service user in HiBob, or correct the table option report_id; a foreign table with the resource \"reports\" shows the ids.")));
}

void
error_no_custom_table(const ErrorSubject *subject, const char *words,
					  const char *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no custom table \"%s\" for foreign table \"%s\"",
					id, subject->table),
			 detail_words(words),
			 errhint("Correct the table option table_id; a foreign table with the resource \"custom_tables\" shows the ids.")));
	pg_unreachable();
}

/* A list, report or custom table that is not there. */
static void
error_no_thing(const ErrorSubject *subject, const char *words,
			   const char *thing)
{
	if (subject->resource->is_lists)
		error_no_list(subject, words, thing);
	else if (subject->resource->form == ROW_CSV)
		error_no_report(subject, words, thing);
	else
		error_no_custom_table(subject, words, thing);
}

static void
error_not_found(const ErrorSubject *subject, const char *words,
				const char *thing)
{
	if (thing != NULL)
		error_no_thing(subject, words, thing);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no resource for foreign table \"%s\"",
					subject->table),
			 words != NULL ? detail_words(words) :
			 errdetail("It answered %s %s with status 404.",
					   subject->resource->method, subject->resource->path),
			 errhint("The module may not be active in this account, or base_url of server \"%s\" is wrong.",
					 connection_server_name(subject->connection))));
}

/*
 * How much of a body can be shown: of JSON only what comes before the first
 * value, since that may be somebody's.
 */
static size_t
showable_length(const ErrorResponse *answer)
{
	const char *colon;

	if (answer->body[0] == '[')
		return 1;
	if (answer->body[0] != '{')
		return answer->length;
	colon = memchr(answer->body, ':', answer->length);
	return colon != NULL ? (size_t) (colon - answer->body) + 1 :
		answer->length;
}

/* What an answer was that has no words of HiBob's. */
static char *
describe_body(const ErrorResponse *answer)
{
	if (answer->length == 0)
		return pstrdup("The answer has no body.");
	return psprintf("The answer is %s and begins: %s",
					answer->content_type != NULL ?
					printable(answer->content_type,
							  strlen(answer->content_type), MAX_EXCERPT) :
					"of no type",
					printable(answer->body, showable_length(answer),
							  MAX_EXCERPT));
}

static void
error_other_status(const ErrorSubject *subject, const ErrorResponse *answer,
				   const char *words)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("HiBob answered the request for foreign table \"%s\" with status %d",
					subject->table, answer->status),
			 words != NULL ? detail_words(words) :
			 errdetail_internal("%s", describe_body(answer)),
			 answer->status >= 500 ?
			 errhint("HiBob has a problem of its own. Try again later; the server option max_retries says how often this is done unasked.") :
			 answer->status == 400 && subject->resource->form == ROW_OBJECTS ?
			 errhint("If it is a field that HiBob does not know, correct the column option \"field\".") :
			 answer->status == 400 && subject->resource->max_months > 0 ?
			 errhint("HiBob shows \"%s\" of the last %d months. Add a condition, such as: WHERE %s.",
					 subject->resource->name, subject->resource->max_months,
					 subject->resource->example) :
			 answer->status >= 300 && answer->status < 400 ?
			 errhint("Redirects are not followed. Correct base_url of server \"%s\".",
					 connection_server_name(subject->connection)) : 0));
}

void
error_status(const ErrorSubject *subject, const ErrorResponse *answer,
			 const char *thing)
{
	char	   *words = answer_words(answer);

	switch (answer->status)
	{
		case 401:
			error_refused(subject, answer);
		case 403:
			error_forbidden(subject, words);
			break;
		case 404:
			error_not_found(subject, words, thing);
			break;
		default:
			error_other_status(subject, answer, words);
	}
	pg_unreachable();
}

static char *
defect_detail(const ErrorResponse *answer, const JsonDefect *defect,
			  const ErrorProgress *progress)
{
	StringInfoData buf;

	initStringInfo(&buf);
	/* Rows are not behind the first byte: this is about the whole. */
	if (defect->position == 0 && progress->rows > 0)
		appendStringInfo(&buf, "After " UINT64_FORMAT " rows: %s.",
						 progress->rows, defect->message);
	else
		appendStringInfo(&buf, "At byte " UINT64_FORMAT ", after "
						 UINT64_FORMAT " rows: %s.",
						 (uint64) defect->position, progress->rows,
						 defect->message);
	/* Only an answer without any row is sure to hold no employee's data. */
	if (answer != NULL)
		appendStringInfo(&buf, " %s", describe_body(answer));
	return buf.data;
}

/* What is wrong with a body, as the primary message has it. */
static const char *
defect_words(const ErrorSubject *subject, const JsonDefect *defect)
{
	switch (defect->kind)
	{
		case JSON_DEFECT_SYNTAX:
			return subject->resource->form == ROW_CSV ? "is not valid CSV" :
				"is not valid JSON";
		case JSON_DEFECT_DEPTH:
			return "is nested too deeply";
		case JSON_DEFECT_ROW_SIZE:
			return "has a row that is too large";
		case JSON_DEFECT_SHAPE:
			return "does not have the expected shape";
		case JSON_DEFECT_TRUNCATED:
			return "is incomplete";
	}
	return "cannot be read";
}

void
error_body(const ErrorSubject *subject, const ErrorResponse *answer,
		   const JsonDefect *defect, const ErrorProgress *progress)
{
	bool		html = answer->content_type != NULL &&
		pg_strncasecmp(answer->content_type, "text/html", 9) == 0;
	bool		truncated = defect->kind == JSON_DEFECT_TRUNCATED && !html;

	ereport(ERROR,
			(errcode(truncated ? ERRCODE_CONNECTION_FAILURE :
					 ERRCODE_FDW_ERROR),
			 html ?
			 errmsg("HiBob answered the request for foreign table \"%s\" with a web page",
					subject->table) :
			 errmsg("the answer of HiBob for foreign table \"%s\" %s",
					subject->table, defect_words(subject, defect)),
			 errdetail_internal("%s", defect_detail(progress->rows == 0 && !truncated ?
													answer : NULL,
													defect, progress)),
			 html ?
			 errhint("HiBob shows its login page where a path does not exist. Check base_url of server \"%s\".",
					 connection_server_name(subject->connection)) : 0));
	pg_unreachable();
}

static void
error_unreachable(const ErrorSubject *subject, HttpFailure failure,
				  const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
			 failure == HTTP_PROXY_FAILED ?
			 errmsg("could not connect to HiBob through the proxy of server \"%s\"",
					connection_server_name(subject->connection)) :
			 errmsg("could not connect to HiBob for server \"%s\"",
					connection_server_name(subject->connection)),
			 errdetail_internal("%s.", text),
			 failure == HTTP_PROXY_FAILED ?
			 errhint("Check the server option proxy, its scheme and port, and that the proxy connects to the host in base_url.") :
			 failure == HTTP_FORBIDDEN ?
			 errhint("The name of the host, or the proxy, leads to an address that the server may not reach. A superuser can add the host to the setting hibob_fdw.allowed_hosts for a private address, or become the server's owner for any; plain http reaches a loopback address only.") :
			 failure == HTTP_OUTDATED ?
			 errhint("TLS 1.2 or newer is needed. Check the host and port in base_url, and what may stand between it and the database server.") :
			 failure == HTTP_UNTRUSTED ?
			 errhint("The certificate has to match the host in base_url and come from a known authority; a superuser can name another authority in the server option ca_file.") :
			 errhint("Check base_url, and that the database server may reach the host; the server option connect_timeout says how long is waited.")));
}

void
error_transport(const ErrorSubject *subject, HttpFailure failure,
				const char *text, const ErrorProgress *progress)
{
	text = printable(text, strlen(text), MAX_WORDS);
	if (failure == HTTP_UNREACHABLE || failure == HTTP_PROXY_FAILED ||
		failure == HTTP_FORBIDDEN ||
		failure == HTTP_UNTRUSTED || failure == HTTP_OUTDATED)
		error_unreachable(subject, failure, text);
	ereport(ERROR,
			(errcode(failure == HTTP_INTERNAL ? ERRCODE_FDW_ERROR :
					 ERRCODE_CONNECTION_FAILURE),
			 errmsg("the answer of HiBob for foreign table \"%s\" broke off",
					subject->table),
			 errdetail("%s, after " UINT64_FORMAT " bytes and " UINT64_FORMAT
					   " rows.", text, progress->bytes, progress->rows),
			 failure == HTTP_SILENT ?
			 errhint("The server option read_timeout says how long a silence is borne.") :
			 errhint("No row of an incomplete answer counts. Try again.")));
	pg_unreachable();
}

void
error_rate_limited(const ErrorSubject *subject, const RateLimit *limit)
{
	StringInfoData detail;

	initStringInfo(&detail);
	if (limit->limit >= 0)
		appendStringInfo(&detail, "The limit is %d requests a minute.",
						 limit->limit);
	if (limit->reset != 0)
		appendStringInfo(&detail, "%sIt resets at %s.",
						 detail.len > 0 ? " " : "",
						 timestamptz_to_str(limit->reset));
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("the rate limit of HiBob for %s %s is used up",
					subject->resource->method, subject->resource->path),
			 detail.len > 0 ? errdetail_internal("%s", detail.data) : 0,
			 errhint("Wait until then, ask less often (a materialized view helps), or raise the server option max_rate_limit_wait.")));
	pg_unreachable();
}
