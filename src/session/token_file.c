/*
 * token_file.c
 *		Reads a token from a file that only the server may read.
 *
 * A secret store mounts or writes the file: a regular file, possibly reached
 * through symbolic links, that is replaced when the secret is rotated.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/token_file.h"
#include "storage/fd.h"

/*
 * As with the private keys of PostgreSQL, the group may read a file of root.
 * Kubernetes and systemd provide secrets to other users in this way.
 */
static bool
is_private(const struct stat *status)
{
	mode_t		forbidden = S_IRWXG | S_IRWXO;

	if (status->st_uid == 0)
		forbidden &= ~S_IRGRP;
	return (status->st_mode & forbidden) == 0;
}

/* The defect of an open file, as a sentence, or NULL. */
static char *
check_file(int file)
{
	struct stat status;

	if (fstat(file, &status) < 0)
		return psprintf("It could not be examined: %m.");
	if (!S_ISREG(status.st_mode))
		return pstrdup("It is not a regular file.");
	if (!is_private(&status))
		return pstrdup("Its permissions give access to the group or to others.");
	return NULL;
}

/*
 * Reads to the end of the file or of the buffer.  Returns false, with errno, on
 * failure.  It does not examine the size of the file, which may change.
 */
static bool
read_file(int file, char *buffer, size_t size, size_t *length)
{
	ssize_t		n = -1;

	*length = 0;
	while (n != 0 && *length < size)
	{
		n = read(file, buffer + *length, size - *length);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			*length += n;
	}
	return true;
}

/*
 * The defect of a first line, or NULL.  An editor may add invisible characters,
 * and HiBob would reject the token without naming the cause.
 */
static char *
line_defect(const char *line, size_t length)
{
	static const char mark[] = {'\xEF', '\xBB', '\xBF'};

	if (length == 0)
		return pstrdup("Its first line is empty.");
	if (length >= sizeof(mark) && memcmp(line, mark, sizeof(mark)) == 0)
		return pstrdup("It begins with a byte order mark.");
	if (line[0] == ' ' || line[length - 1] == ' ')
		return pstrdup("Its first line begins or ends with a space.");
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) line[i];

		if (c < ' ' || c == 0x7f)
			return pstrdup("Its first line has a control character.");
	}
	return NULL;
}

/* Ends the buffer after its first line.  Returns the file's defect or NULL. */
static char *
cut_line(char *buffer, size_t length)
{
	char	   *end = memchr(buffer, '\n', length);
	size_t		line = end != NULL ? (size_t) (end - buffer) : length;

	if (length == 0)
		return pstrdup("It is empty.");
	if (length > TOKEN_FILE_MAX)
		return psprintf("It is larger than %d bytes.", TOKEN_FILE_MAX);
	if (line > 0 && buffer[line - 1] == '\r')
		line--;
	explicit_bzero(buffer + line, length - line);
	buffer[line] = '\0';
	return line_defect(buffer, line);
}

/*
 * O_NONBLOCK: opening a FIFO, or some devices, would block.  The checks examine
 * the file that was opened, even if the path leads to another one meanwhile.
 */
char *
token_file_read(const char *path, char *line)
{
	char	   *defect;
	size_t		length = 0;
	int			file = OpenTransientFile(path,
										 O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (file < 0)
		return psprintf("It could not be opened: %m.");
	defect = check_file(file);
	if (defect == NULL && !read_file(file, line, TOKEN_FILE_MAX + 1, &length))
		defect = psprintf("It could not be read: %m.");
	CloseTransientFile(file);
	return defect != NULL ? defect : cut_line(line, length);
}

char *
token_file_split(char *line, const char **service_user_id,
				 const char **token)
{
	char	   *colon = strchr(line, ':');

	*service_user_id = NULL;
	*token = line;
	if (colon == NULL)
		return NULL;
	if (colon == line)
		return pstrdup("Its first line has no service user id before the colon.");
	if (colon[1] == '\0')
		return pstrdup("Its first line has no token after the colon.");
	if (colon[-1] == ' ' || colon[1] == ' ')
		return pstrdup("Its first line has a space beside the colon.");
	*colon = '\0';
	*service_user_id = line;
	*token = colon + 1;
	return NULL;
}
