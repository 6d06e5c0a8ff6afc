/*
 * credentials.h
 *		The service user and the token of a user mapping, from its options or
 *		from its token file.
 */
#ifndef HIBOB_SESSION_CREDENTIALS_H
#define HIBOB_SESSION_CREDENTIALS_H

#include "postgres.h"

#include "foreign/foreign.h"
#include "options/options.h"
#include "session/limiter.h"

typedef struct Credentials
{
	const MappingOptions *options;
	const char *base_url;
	uint32		row_versions[4];	/* identify the mapping and its version */
	char	   *service_user_id;
	char	   *token;
	uint64		version;		/* of these values; unique in the session */
	bool		bad_file;		/* the last reading of the file failed */

	/* The identities of the account and of the credentials, for limiters. */
	uint8		account[LIMITER_ACCOUNT_SIZE];
	uint8		identity[LIMITER_ACCOUNT_SIZE];
} Credentials;

/*
 * Sets the credentials.  The caller has set the options, the URL and the
 * versions.  Allocates in the current memory context.  Returns NULL, or the
 * defect of the token file, a sentence.
 */
extern char *credentials_load(Credentials *credentials);

/*
 * Reads the token file again; the strings stay where they are.  The version
 * shows whether they have changed.  Returns likewise; a file that cannot be used
 * changes nothing.
 */
extern char *credentials_renew(Credentials *credentials);

/* Whether they come from a file. */
extern bool credentials_have_file(const Credentials *credentials);

/* Writes the defect of the file to the server log. */
extern void credentials_log_defect(const Credentials *credentials,
								   const char *defect);

/* Raises an error about it. */
extern void credentials_report_defect(const Credentials *credentials,
									  const char *defect,
									  const char *user_name,
									  const char *server_name);

/*
 * Overwrites the token in a text, also as in the header Authorization: HiBob or
 * a gateway may repeat it in a message.
 */
extern void credentials_hide(const Credentials *credentials, char *text,
							 size_t length);

/* Overwrites the credentials, when they are no longer needed. */
extern void credentials_wipe(Credentials *credentials);

/* Overwrites the values of a mapping's options in our copy of them. */
extern void credentials_wipe_options(const UserMapping *mapping);

#endif							/* HIBOB_SESSION_CREDENTIALS_H */
