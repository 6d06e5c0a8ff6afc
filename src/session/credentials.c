/*
 * credentials.c
 *		The service user and the token of a user mapping.
 *
 * They are options of the mapping, or come from its token file.  Those from a
 * file are replaced in place, in buffers of TOKEN_FILE_MAX + 1 bytes: requests
 * in progress point to them.
 *
 * Knows options and the token file; nothing of connections.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "common/base64.h"
#include "miscadmin.h"
#include "session/credentials.h"
#include "session/token_file.h"

/* A shorter token is not found in texts; HiBob's are longer. */
#define MIN_HIDDEN 8

/* The last version of any credentials in this session. */
static uint64 last_version = 0;

/* Overwrites a secret that is only ours and no longer needed. */
static void
wipe(const char *secret)
{
	if (secret != NULL)
		explicit_bzero(unconstify(char *, secret), strlen(secret));
}

void
credentials_wipe_options(const UserMapping *mapping)
{
	ListCell   *lc;

	foreach(lc, mapping->options)
		wipe(defGetString(lfirst_node(DefElem, lc)));
}

void
credentials_wipe(Credentials *credentials)
{
	wipe(credentials->service_user_id);
	wipe(credentials->token);
}

/* ------------------------------------------------------------------------
 * The token file
 * ------------------------------------------------------------------------
 */

bool
credentials_have_file(const Credentials *credentials)
{
	return credentials->options->token_file != NULL;
}

/*
 * Reads the token file into "line".  Returns a sentence that says why it
 * cannot be used, or NULL: then the results point to the options and into
 * "line".
 */
static char *
read_token_file(const MappingOptions *mapping, char *line,
				const char **service_user_id, const char **token)
{
	const char *option = mapping->service_user_id;
	char	   *defect = token_file_read(mapping->token_file, line);

	if (defect == NULL)
		defect = token_file_split(line, service_user_id, token);
	if (defect != NULL)
		return defect;
	if (*service_user_id == NULL && option == NULL)
		return pstrdup("Its first line has no service user id before the token, and the user mapping has no option service_user_id.");
	if (*service_user_id != NULL && option != NULL &&
		strcmp(*service_user_id, option) != 0)
		return pstrdup("The service user id in its first line differs from option service_user_id of the user mapping.");
	if (option != NULL)
		*service_user_id = option;
	return NULL;
}

void
credentials_log_defect(const Credentials *credentials, const char *defect)
{
	ereport(LOG_SERVER_ONLY,
			(errmsg("could not use token file \"%s\"",
					credentials->options->token_file),
			 errdetail("%s", defect)));
}

/*
 * Only superusers and the log get the name of the file and the defect, because
 * other roles must not learn which files exist.  A function with the privileges
 * of a superuser may run in a session of another role, so the role of the
 * session must be a superuser, too.
 */
void
credentials_report_defect(const Credentials *credentials, const char *defect,
						  const char *user_name, const char *server_name)
{
	const char *path = credentials->options->token_file;
	bool		may_know = superuser() && superuser_arg(GetSessionUserId());

	if (!may_know)
		credentials_log_defect(credentials, defect);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
			 errmsg("could not use the token file of the user mapping for user \"%s\", server \"%s\"",
					user_name, server_name),
			 may_know ? errdetail("The file is \"%s\". %s", path, defect) : 0,
			 may_know ?
			 errhint("Option token_file names a regular file of at most %d bytes with the token, or the service user id, a colon and the token, in its first line, which only the operating system user of the server can access (mode 0600 or less; 0640 or less if root owns it).",
					 TOKEN_FILE_MAX) :
			 errhint("Ask a superuser to correct the file that option token_file of the user mapping names. See the server log for details.")));
}

/* ------------------------------------------------------------------------
 * Loading and replacing
 * ------------------------------------------------------------------------
 */

/*
 * The identities for the limiters.  HiBob limits the account of a service user,
 * whatever user mapping names it.  A rejection of credentials lasts until the
 * mapping or the server is altered, even to the same values, so the identity of
 * credentials includes the versions of these catalog rows.
 */
static void
compute_identities(const Credentials *credentials, const char *service_user_id,
				   const char *token, uint8 *account, uint8 *identity)
{
	const char *url = credentials->base_url;
	const void *values[] = {url, service_user_id, token};
	const size_t lengths[] = {strlen(url) + 1, strlen(service_user_id) + 1,
	strlen(token) + 1};
	const void *versions[] = {account, credentials->row_versions};
	const size_t sizes[] = {LIMITER_ACCOUNT_SIZE,
	sizeof(credentials->row_versions)};

	limiter_digest(account, values, lengths, lengthof(values));
	limiter_digest(identity, versions, sizes, lengthof(versions));
}

/* Nothing fails after the identities are computed. */
static void
store(Credentials *credentials, const char *service_user_id, const char *token)
{
	uint8		account[LIMITER_ACCOUNT_SIZE];
	uint8		identity[LIMITER_ACCOUNT_SIZE];

	compute_identities(credentials, service_user_id, token, account, identity);
	memcpy(credentials->account, account, LIMITER_ACCOUNT_SIZE);
	memcpy(credentials->identity, identity, LIMITER_ACCOUNT_SIZE);
	if (service_user_id != credentials->service_user_id)
	{
		wipe(credentials->service_user_id);
		strcpy(credentials->service_user_id, service_user_id);
	}
	if (token != credentials->token)
	{
		wipe(credentials->token);
		strcpy(credentials->token, token);
	}
	credentials->version = ++last_version;
}

static bool
are_current(const Credentials *credentials, const char *service_user_id,
			const char *token)
{
	return strcmp(credentials->service_user_id, service_user_id) == 0 &&
		strcmp(credentials->token, token) == 0;
}

char *
credentials_renew(Credentials *credentials)
{
	char		line[TOKEN_FILE_MAX + 1];
	const char *service_user_id;
	const char *token;
	char	   *defect = read_token_file(credentials->options, line,
										 &service_user_id, &token);

	if (defect == NULL && !are_current(credentials, service_user_id, token))
		store(credentials, service_user_id, token);
	credentials->bad_file = defect != NULL;
	explicit_bzero(line, sizeof(line));
	return defect;
}

char *
credentials_load(Credentials *credentials)
{
	const MappingOptions *options = credentials->options;

	credentials->service_user_id = options->service_user_id;
	credentials->token = options->token;
	if (!credentials_have_file(credentials))
	{
		store(credentials, options->service_user_id, options->token);
		return NULL;
	}
	if (credentials->service_user_id == NULL)
		credentials->service_user_id = palloc0(TOKEN_FILE_MAX + 1);
	credentials->token = palloc0(TOKEN_FILE_MAX + 1);
	return credentials_renew(credentials);
}

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */

/* Overwrites each occurrence of a secret in a text. */
static void
hide(char *text, size_t length, const char *secret, size_t secret_length)
{
	if (secret_length < MIN_HIDDEN)
		return;
	for (size_t i = 0; i + secret_length <= length; i++)
		if (memcmp(text + i, secret, secret_length) == 0)
			memset(text + i, '*', secret_length);
}

void
credentials_hide(const Credentials *credentials, char *text, size_t length)
{
	char	   *pair = psprintf("%s:%s", credentials->service_user_id,
								credentials->token);
	int			size = pg_b64_enc_len((int) strlen(pair));
	char	   *encoded = palloc0(size + 1);
	int			n = pg_b64_encode((const void *) pair, (int) strlen(pair),
								  encoded, size);

	hide(text, length, credentials->token, strlen(credentials->token));
	hide(text, length, encoded, Max(n, 0));
	wipe(pair);
	wipe(encoded);
	pfree(pair);
	pfree(encoded);
}
