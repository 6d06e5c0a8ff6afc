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

/* The defect of an open file, as a sentence, or NULL. */
static char *
check_file(int file)
{
	struct stat status;

	if (fstat(file, &status) < 0)
		return psprintf("It could not be examined: %m.");
	if (!S_ISREG(status.st_mode))
		return pstrdup("It is not a regular file.");
	if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return pstrdup("Its permissions give access to the group or to others.");
	if (status.st_size > TOKEN_FILE_MAX)
		return psprintf("It is larger than %d bytes.", TOKEN_FILE_MAX);
	return NULL;
}

/*
 * Reads up to the end of the file or of the buffer; false, with errno, if not.
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
 * Ends the buffer after its first line, and returns that line's defect or NULL.
 */
static char *
cut_line(char *buffer, size_t length)
{
	char	   *end = memchr(buffer, '\n', length);
	size_t		line = end != NULL ? (size_t) (end - buffer) : length;

	if (line > 0 && buffer[line - 1] == '\r')
		line--;
	if (line == 0)
		return pstrdup(length == 0 ? "It is empty." :
					   "Its first line is empty.");
	for (size_t i = 0; i < line; i++)
	{
		unsigned char c = (unsigned char) buffer[i];

		if (c < ' ' || c == 0x7f)
			return pstrdup("Its first line has a control character.");
	}
	explicit_bzero(buffer + line, length - line);
	buffer[line] = '\0';
	return NULL;
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
	if (defect == NULL && !read_file(file, line, TOKEN_FILE_MAX, &length))
		defect = psprintf("It could not be read: %m.");
	CloseTransientFile(file);
	return defect != NULL ? defect : cut_line(line, length);
}

char *
token_file_split(char *line)
{
	char	   *colon = strchr(line, ':');

	if (colon == NULL || colon == line || colon[1] == '\0')
		return NULL;
	*colon = '\0';
	return colon + 1;
}
