/*
 * remote_error.c
 *		Errors of requests to HiBob, with hints.
 *
 * HiBob's own message is shown as DETAIL, limited and without control
 * characters; the hint describes what to do in HiBob or in SQL.  Error bodies
 * have many forms: key and error, error and message, errorMessage, errors by
 * field, no body, or a web page.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "parser/scansup.h"
#include "remote/remote_error.h"
#include "row/row.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

/* The most characters of HiBob's message, and of a body, that are shown. */
#define MAX_MESSAGE 400
#define MAX_EXCERPT 80

/* Nesting of an error body; a deeper one has no message. */
#define MAX_DEPTH 64

/*
 * The first bytes of a text of HiBob, for a message: in one line, and only
 * ASCII if the database may not have the other characters.
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
error_printable(const char *message)
{
	return printable(message, strlen(message), MAX_MESSAGE);
}

/* A part of the message.  The body may have the token with escapes. */
static char *
message_part(const ErrorSubject *subject, const JsonReader *reader, int slot,
			 const char *body)
{
	char	   *text = row_metadata_text(json_reader_slice(reader, slot), body);

	if (text == NULL)
		return NULL;
	connection_hide_token(subject->connection, text, strlen(text));
	return error_printable(text);
}

/* HiBob's own message in an error body, or NULL. */
static char *
hibob_message(const ErrorSubject *subject, const ErrorResponse *error)
{
	static const char *const keys[] = {"key", "message", "errorMessage",
		"error", "errors"};
	static const char *const rows[] = {"", NULL};
	int			slots[lengthof(keys)];
	JsonShape	shape = {rows, 0, MAX_DEPTH};
	JsonReader *reader;
	char	   *key;
	char	   *text = NULL;

	if (error->length == 0)
		return NULL;
	shape.max_row = error->length;
	reader = json_reader_create(&shape, palloc0);
	for (size_t i = 0; i < lengthof(keys); i++)
		slots[i] = json_reader_want(reader, &keys[i], 1);
	if (json_reader_next(reader, error->body, error->length,
						 true) != JSON_ROW)
		return NULL;
	for (size_t i = 1; i < lengthof(keys) && text == NULL; i++)
		text = message_part(subject, reader, slots[i], error->body);
	key = message_part(subject, reader, slots[0], error->body);
	if (json_reader_next(reader, error->body, error->length,
						 true) != JSON_END)
		return NULL;
	if (key == NULL)
		return text;
	return text == NULL ? psprintf("(key \"%s\")", key) :
		psprintf("%s (key \"%s\")", text, key);
}

/* For ereport(): HiBob's message, if there is one. */
static int
errdetail_hibob(const char *message)
{
	return message != NULL ? errdetail("HiBob reported: %s", message) : 0;
}

static int
errhint_rejected(const Connection *connection)
{
	const char *server = connection_server_name(connection);
	const char *user = connection_user_name(connection);

	if (connection_has_bad_token_file(connection))
		return errhint("The token was regenerated or revoked, or the service user was deleted. The file that option token_file of the user mapping names cannot be used. See the server log for details.");
	if (connection_has_token_file(connection))
		return errhint("The token was regenerated or revoked, or the service user was deleted. Write the current token to the file that option token_file of the user mapping names.");
	return errhint("The token was regenerated or revoked, or the service user was deleted. Copy the new token from HiBob, then: ALTER USER MAPPING FOR %s SERVER %s OPTIONS (SET service_user_id 'SERVICE-...', SET token '...').",
				   quote_identifier(user), quote_identifier(server));
}

void
error_rejected(const ErrorSubject *subject, const ErrorResponse *error)
{
	char	   *message = error == NULL ? NULL : hibob_message(subject, error);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("HiBob rejected the credentials of the user mapping for user \"%s\", server \"%s\"",
					connection_user_name(subject->connection),
					connection_server_name(subject->connection)),
			 error == NULL ?
			 errdetail("HiBob rejected them less than a minute ago. They are not sent again yet, because HiBob blocks addresses that repeat rejected credentials.") :
			 errdetail_hibob(message),
			 errhint_rejected(subject->connection)));
}

static bool
has_type(const ErrorResponse *error, const char *type)
{
	return error->content_type != NULL &&
		pg_strncasecmp(error->content_type, type, strlen(type)) == 0;
}

bool
error_is_web_page(const ErrorResponse *error)
{
	return has_type(error, "text/html");
}

/*
 * HiBob's specification declares CSV as JSON, too, so the first byte decides.
 */
bool
error_is_json(const ErrorResponse *error)
{
	return has_type(error, "application/json") && error->length > 0 &&
		(error->body[0] == '{' || error->body[0] == '[');
}

static void
error_forbidden(const ErrorSubject *subject, const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("HiBob denied access to \"%s\" for the service user of server \"%s\"",
					subject->resource->name,
					connection_server_name(subject->connection)),
			 errdetail_hibob(message),
			 subject->resource->permission == NULL ?
			 errhint("If the account restricts API access by IP address, add the address of this database.") :
			 errhint("In HiBob, give the permission group of the service user view access to %s. If the account restricts API access by IP address, add the address of this database.",
					 subject->resource->permission)));
}

static void
error_no_list(const ErrorSubject *subject, const char *message, const char *list)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no list \"%s\"", list),
			 errdetail_hibob(message),
			 errhint("Names of lists are case-sensitive. Without the condition on the list, foreign table \"%s\" shows all lists.",
					 subject->table)));
}

static void
error_no_report(const ErrorSubject *subject, const char *message, const char *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no report \"%s\" for foreign table \"%s\"", id,
					subject->table),
			 errdetail_hibob(message),
			 errhint("Share the report with the service user in HiBob, or correct the table option report_id. A foreign table with the resource \"reports\" shows the ids.")));
}

void
error_no_custom_table(const ErrorSubject *subject, const char *message,
					  const char *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no custom table \"%s\" for foreign table \"%s\"",
					id, subject->table),
			 errdetail_hibob(message),
			 errhint("Correct the table option table_id. A foreign table with the resource \"custom_tables\" shows the ids.")));
	pg_unreachable();
}

/* A list, report or custom table that does not exist. */
static void
error_no_object(const ErrorSubject *subject, const char *message,
			   const char *object_name)
{
	if (subject->resource->is_lists)
		error_no_list(subject, message, object_name);
	else if (subject->resource->form == ROW_CSV)
		error_no_report(subject, message, object_name);
	else
		error_no_custom_table(subject, message, object_name);
}

static void
error_not_found(const ErrorSubject *subject, const char *message,
				const char *object_name)
{
	if (object_name != NULL)
		error_no_object(subject, message, object_name);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("HiBob has no resource for foreign table \"%s\"",
					subject->table),
			 message != NULL ? errdetail_hibob(message) :
			 errdetail("%s %s returned status 404.",
					   subject->resource->method, subject->resource->path),
			 errhint("The module may not be active in this account, or base_url of server \"%s\" may be wrong.",
					 connection_server_name(subject->connection))));
}

/* Where the text of a body begins, after a byte order mark and white space. */
static size_t
text_start(const ErrorResponse *error)
{
	static const char mark[] = {'\xEF', '\xBB', '\xBF'};
	size_t		start = 0;

	if (error->length >= sizeof(mark) &&
		memcmp(error->body, mark, sizeof(mark)) == 0)
		start = sizeof(mark);
	while (start < error->length && scanner_isspace(error->body[start]))
		start++;
	return start;
}

/*
 * The length of the part of a body that can be shown: of JSON up to the first
 * value, of other texts the first line, since the rest may be about a person.
 * A web page shows its title.
 */
static size_t
showable_length(const ErrorResponse *error)
{
	size_t		end = text_start(error);
	char		first = end < error->length ? error->body[end] : '\0';
	const char *ends = first == '{' ? ":" : "\r\n";

	if (first == '<')
		return error->length;
	if (first == '[' || first == '"')
		return end + 1;
	while (end < error->length && strchr(ends, error->body[end]) == NULL)
		end++;
	return first == '{' && end < error->length ? end + 1 : end;
}

/* Describes a response without a message of HiBob. */
static char *
describe_body(const ErrorResponse *error)
{
	if (error->length == 0)
		return pstrdup("The response has no body.");
	return psprintf("The response has %s and begins: %s",
					error->content_type != NULL ?
					psprintf("content type %s",
							 printable(error->content_type,
									   strlen(error->content_type),
									   MAX_EXCERPT)) :
					"no content type",
					printable(error->body, showable_length(error),
							  MAX_EXCERPT));
}

static void
error_other_status(const ErrorSubject *subject, const ErrorResponse *error,
				   const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("the request for foreign table \"%s\" failed with status %d",
					subject->table, error->status),
			 message != NULL ? errdetail_hibob(message) :
			 errdetail_internal("%s", describe_body(error)),
			 error->status >= 500 ?
			 errhint("This is a problem of HiBob. Try again later. The server option max_retries is the number of automatic retries.") :
			 error->status == 400 && subject->resource->form == ROW_OBJECTS ?
			 errhint("If HiBob does not have the field, correct the column option \"field\".") :
			 error->status == 400 && subject->resource->max_months > 0 ?
			 errhint("HiBob returns \"%s\" of the last %d months only. Add a condition, such as: WHERE %s.",
					 subject->resource->name, subject->resource->max_months,
					 subject->resource->example) :
			 error->status >= 300 && error->status < 400 ?
			 errhint("Redirects are not followed. Correct base_url of server \"%s\".",
					 connection_server_name(subject->connection)) : 0));
}

void
error_status(const ErrorSubject *subject, const ErrorResponse *error,
			 const char *object_name)
{
	char	   *message = hibob_message(subject, error);

	switch (error->status)
	{
		case 401:
			error_rejected(subject, error);
		case 403:
			error_forbidden(subject, message);
			break;
		case 404:
			error_not_found(subject, message, object_name);
			break;
		default:
			error_other_status(subject, error, message);
	}
	pg_unreachable();
}

static char *
defect_detail(const ErrorResponse *error, const JsonDefect *defect,
			  const ErrorProgress *progress)
{
	StringInfoData buf;

	initStringInfo(&buf);
	/*
	 * No row precedes the first byte: the defect is one of the whole response.
	 */
	if (defect->position == 0 && progress->rows > 0)
		appendStringInfo(&buf, "After " UINT64_FORMAT " rows: %s.",
						 progress->rows, defect->message);
	else
		appendStringInfo(&buf, "At byte " UINT64_FORMAT ", after "
						 UINT64_FORMAT " rows: %s.",
						 (uint64) defect->position, progress->rows,
						 defect->message);
	/* Only a response without any row is sure to have no employee's data. */
	if (error != NULL)
		appendStringInfo(&buf, " %s", describe_body(error));
	return buf.data;
}

/* The defect of a body, for the primary message. */
static const char *
defect_phrase(const ErrorSubject *subject, const JsonDefect *defect)
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
			return "does not have the expected structure";
		case JSON_DEFECT_TRUNCATED:
			return "is incomplete";
	}
	return "cannot be read";
}

void
error_body(const ErrorSubject *subject, const ErrorResponse *error,
		   const JsonDefect *defect, const ErrorProgress *progress)
{
	bool		html = error_is_web_page(error);
	bool		truncated = defect->kind == JSON_DEFECT_TRUNCATED && !html;

	ereport(ERROR,
			(errcode(truncated ? ERRCODE_CONNECTION_FAILURE :
					 ERRCODE_FDW_ERROR),
			 html ?
			 errmsg("the response of HiBob for foreign table \"%s\" is a web page",
					subject->table) :
			 errmsg("the response of HiBob for foreign table \"%s\" %s",
					subject->table, defect_phrase(subject, defect)),
			 errdetail_internal("%s", defect_detail(progress->rows == 0 && !truncated ?
													error : NULL,
													defect, progress)),
			 html ?
			 errhint("HiBob returns its login page if a path does not exist. Check base_url of server \"%s\".",
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
			 errhint("The host, or the proxy, has an address that the server may not connect to. A superuser can add the host to the setting hibob_fdw.allowed_hosts, which allows private addresses, or become the server's owner, which allows all. Plain http is allowed to loopback addresses only.") :
			 failure == HTTP_OUTDATED ?
			 errhint("TLS 1.2 or newer is needed. Check the host and port in base_url, and any firewall between it and the database server.") :
			 failure == HTTP_UNTRUSTED ?
			 errhint("The certificate has to match the host in base_url and be signed by a known authority. A superuser can set another authority with the server option ca_file.") :
			 errhint("Check base_url, and whether the database server can connect to the host. The server option connect_timeout is the longest time to connect.")));
}

/* Makes the first letter of a failure's text a capital. */
static char *
sentence(char *text)
{
	text[0] = (char) pg_ascii_toupper((unsigned char) text[0]);
	return text;
}

void
error_transport(const ErrorSubject *subject, HttpFailure failure,
				const char *text, const ErrorProgress *progress)
{
	text = sentence(printable(text, strlen(text), MAX_MESSAGE));
	if (failure == HTTP_UNREACHABLE || failure == HTTP_PROXY_FAILED ||
		failure == HTTP_FORBIDDEN ||
		failure == HTTP_UNTRUSTED || failure == HTTP_OUTDATED)
		error_unreachable(subject, failure, text);
	ereport(ERROR,
			(errcode(failure == HTTP_INTERNAL ? ERRCODE_FDW_ERROR :
					 ERRCODE_CONNECTION_FAILURE),
			 errmsg("could not receive the response of HiBob for foreign table \"%s\"",
					subject->table),
			 errdetail("%s, after " UINT64_FORMAT " bytes and " UINT64_FORMAT
					   " rows.", text, progress->bytes, progress->rows),
			 failure == HTTP_SILENT ?
			 errhint("The server option read_timeout is the longest time without data.") :
			 errhint("An incomplete response is never used. Try again.")));
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
			 errhint("Try again later, send fewer requests (for example with a materialized view), or raise the server option max_rate_limit_wait.")));
	pg_unreachable();
}

ErrorData *
run_in_subtransaction(void (*function) (void *), void *arg,
					  MemoryContext context)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		function(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return error;
}
