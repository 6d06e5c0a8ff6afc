/*
 * token_file.h
 *		Reads a token from a file that only the server may read.
 */
#ifndef HIBOB_SESSION_TOKEN_FILE_H
#define HIBOB_SESSION_TOKEN_FILE_H

#include "postgres.h"

/* The largest file, in bytes. */
#define TOKEN_FILE_MAX 4096

/*
 * Reads the first line of a file into a buffer of TOKEN_FILE_MAX + 1 bytes.
 * Returns NULL, or a sentence with the reason why the file cannot be used,
 * palloc'd; it never contains anything of the file.  The caller wipes the
 * buffer.
 */
extern char *token_file_read(const char *path, char *line);

/*
 * Splits such a line, which is a token, or the id of a service user, a colon and
 * the token.  The id is NULL if the line has none.  Returns a defect likewise.
 */
extern char *token_file_split(char *line, const char **service_user_id,
							  const char **token);

#endif							/* HIBOB_SESSION_TOKEN_FILE_H */
