/*
 * server.c
 *		Sends prepared bodies as fast as the kernel can send a file.
 *
 *	bench_server DIRECTORY READY-FILE
 *
 * Listens on a free loopback port, writes its number to the ready file, and ends
 * at the end of its standard input.  It has the endpoints that a scan needs,
 * with a base URL for each body:
 *
 *	POST /wide-1000/v1/people/search	DIRECTORY/wide-1000.json
 *	POST /wide-1000-gzip/v1/...			DIRECTORY/wide-1000.json.gz
 *	POST /trickle-wide-1000/v1/...		the first employees, a pause, the rest
 *	POST /.../v1/people/{id or e-mail}	DIRECTORY/one.json
 *	GET  /trickled						when the last trickle sent its first
 *										bytes, in nanoseconds of CLOCK_MONOTONIC
 *
 * It ignores credentials and the body of the request.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_REQUEST (256 * 1024)
#define TRICKLE_BYTES 12000		/* more than one employee of any kind */
#define TRICKLE_PAUSE_MS 100

static const char *directory;
static _Atomic uint64_t trickled_at;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static bool
send_all(int client, const char *bytes, size_t length)
{
	while (length > 0)
	{
		ssize_t		sent = send(client, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t) sent;
	}
	return true;
}

static bool
send_text(int client, const char *status, const char *text)
{
	char		answer[512];
	int			length;

	length = snprintf(answer, sizeof(answer),
					  "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n"
					  "Content-Length: %zu\r\n\r\n%s",
					  status, strlen(text), text);
	return send_all(client, answer, (size_t) length);
}

static bool
send_part(int client, int file, off_t *offset, off_t end)
{
	while (*offset < end)
	{
		ssize_t		sent = sendfile(client, file, offset,
									(size_t) (end - *offset));

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
	}
	return true;
}

/* A prepared body, with the headers of HiBob's responses. */
static bool
send_body(int client, const char *path, bool zipped, bool trickle)
{
	char		headers[512];
	struct stat status;
	off_t		offset = 0;
	int			length;
	bool		sent;
	int			file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0 || fstat(file, &status) != 0)
	{
		if (file >= 0)
			close(file);
		return send_text(client, "404 Not Found", "no such body\n");
	}
	length = snprintf(headers, sizeof(headers),
					  "HTTP/1.1 200 OK\r\n"
					  "Content-Type: application/json; charset=utf-8\r\n"
					  "%sContent-Length: %jd\r\n"
					  "X-RateLimit-Limit: 50\r\n"
					  "X-RateLimit-Remaining: 49\r\n"
					  "X-RateLimit-Reset: %jd\r\n\r\n",
					  zipped ? "Content-Encoding: gzip\r\n" : "",
					  (intmax_t) status.st_size, (intmax_t) time(NULL) + 60);
	sent = send(client, headers, (size_t) length,
				MSG_NOSIGNAL | MSG_MORE) == length;
	if (sent && trickle)
	{
		struct timespec pause = {0, TRICKLE_PAUSE_MS * 1000000L};

		trickled_at = now_ns();
		sent = send_part(client, file, &offset,
						 status.st_size < TRICKLE_BYTES ? status.st_size :
						 TRICKLE_BYTES);
		nanosleep(&pause, NULL);
	}
	sent = sent && send_part(client, file, &offset, status.st_size);
	close(file);
	return sent;
}

/* Removes a suffix; returns whether the text had it. */
static bool
cut_end(char *text, const char *end)
{
	size_t		length = strlen(text);
	size_t		less = strlen(end);

	if (length < less || strcmp(text + length - less, end) != 0)
		return false;
	text[length - less] = '\0';
	return true;
}

/* Responds to a request for a path, which starts with a slash. */
static bool
answer(int client, char *path)
{
	char		file[4096];
	char		text[32];
	char	   *rest;
	bool		trickle;
	bool		zipped;

	if (strcmp(path, "/trickled") == 0)
	{
		snprintf(text, sizeof(text), "%" PRIu64 "\n", trickled_at);
		return send_text(client, "200 OK", text);
	}
	path++;
	rest = strstr(path, "/v1/people/");
	if (rest == NULL || strstr(path, "..") != NULL)
		return send_text(client, "404 Not Found", "no such path\n");
	*rest = '\0';
	if (strcmp(rest + strlen("/v1/people/"), "search") != 0)
		strcpy(path, "one");	/* the path had far more */
	trickle = strncmp(path, "trickle-", strlen("trickle-")) == 0;
	if (trickle)
		path += strlen("trickle-");
	zipped = cut_end(path, "-gzip");
	snprintf(file, sizeof(file), "%s/%s.json%s", directory, path,
			 zipped ? ".gz" : "");
	return send_body(client, file, zipped, trickle);
}

/* The value of the request's Content-Length, or 0. */
static size_t
body_length(const char *headers)
{
	const char *line = strstr(headers, "\r\n");

	for (; line != NULL; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, "Content-Length:", 15) == 0)
			return strtoul(line + 17, NULL, 10);
	return 0;
}

/*
 * Receives one request with its body, and terminates its path.  Requests are not
 * pipelined, so nothing follows a request.
 */
static char *
receive_request(int client, char *buffer)
{
	size_t		length = 0;
	char	   *headers_end = NULL;
	char	   *path;
	char	   *path_end;

	while (headers_end == NULL ||
		   length < (size_t) (headers_end + 4 - buffer) + body_length(buffer))
	{
		ssize_t		received = recv(client, buffer + length,
									MAX_REQUEST - 1 - length, 0);

		if (received < 0 && errno == EINTR)
			continue;
		if (received <= 0)
			return NULL;
		length += (size_t) received;
		buffer[length] = '\0';
		headers_end = strstr(buffer, "\r\n\r\n");
		if (headers_end == NULL && length == MAX_REQUEST - 1)
			return NULL;
	}
	path = strchr(buffer, ' ');
	path_end = path != NULL ? strchr(path + 1, ' ') : NULL;
	if (path_end == NULL || path[1] != '/')
		return NULL;
	*path_end = '\0';
	return path + 1;
}

static void *
serve(void *arg)
{
	int			client = (int) (intptr_t) arg;
	char	   *buffer = malloc(MAX_REQUEST);
	char	   *path;
	int			on = 1;

	(void) setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (buffer != NULL && (path = receive_request(client, buffer)) != NULL)
		if (!answer(client, path))
			break;
	free(buffer);
	close(client);
	return NULL;
}

/* Ends the program when the process that started it ends. */
static void *
watch_input(void *arg)
{
	char		byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	exit(0);
}

static int
listen_somewhere(const char *ready_file)
{
	struct sockaddr_in address = {0};
	socklen_t	length = sizeof(address);
	int			listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char		temporary[4096];
	FILE	   *ready;

	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 ||
		bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(listener, 64) != 0 ||
		getsockname(listener, (struct sockaddr *) &address, &length) != 0)
		die("listen");
	snprintf(temporary, sizeof(temporary), "%s.new", ready_file);
	ready = fopen(temporary, "w");
	if (ready == NULL ||
		fprintf(ready, "%d\n", ntohs(address.sin_port)) < 0 ||
		fclose(ready) != 0 || rename(temporary, ready_file) != 0)
		die(ready_file);
	return listener;
}

static void
start_thread(void *(*routine) (void *), void *arg)
{
	pthread_t	thread;

	if (pthread_create(&thread, NULL, routine, arg) != 0)
		die("pthread_create");
	pthread_detach(thread);
}

int
main(int argc, char **argv)
{
	int			listener;

	if (argc != 3)
	{
		fprintf(stderr, "usage: %s DIRECTORY READY-FILE\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	directory = argv[1];
	listener = listen_somewhere(argv[2]);
	start_thread(watch_input, NULL);
	for (;;)
	{
		int			client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0)
			start_thread(serve, (void *) (intptr_t) client);
		else if (errno != EINTR && errno != ECONNABORTED)
			die("accept");
	}
}
