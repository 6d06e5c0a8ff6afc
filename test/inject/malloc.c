/*
 * malloc.c
 *		Lets the n-th allocation of libcurl fail.
 *
 * Preloaded into a server, in front of the C library.  What the server itself
 * allocates is left alone, also what other libraries do.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* From 1; 0: none fails. */
int64_t		inject_malloc_target;
int64_t		inject_malloc_calls;

/* Where the code of the library lies; looked up when it is armed. */
static uintptr_t ranges[4][2];
static int	nranges;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static int
note_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void) size;
	(void) arg;
	if (strstr(info->dlpi_name, "/libcurl") == NULL)
		return 0;
	for (int i = 0; i < info->dlpi_phnum && nranges < 4; i++)
	{
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		ranges[nranges][0] = info->dlpi_addr + segment->p_vaddr;
		ranges[nranges][1] = ranges[nranges][0] + segment->p_memsz;
		nranges++;
	}
	return 0;
}

/* Whether this call, which returns there, has to fail. */
static bool
fails(const void *caller)
{
	static bool looking = false;
	uintptr_t	address = (uintptr_t) caller;

	if (inject_malloc_target == 0 || looking)
		return false;
	if (nranges == 0)
	{
		looking = true;
		dl_iterate_phdr(note_library, NULL);
		looking = false;
	}
	for (int i = 0; i < nranges; i++)
	{
		if (address < ranges[i][0] || address >= ranges[i][1])
			continue;
		if (++inject_malloc_calls != inject_malloc_target)
			return false;
		errno = ENOMEM;
		return true;
	}
	return false;
}

void *
malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *old, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL :
		__libc_realloc(old, size);
}

char *
strdup(const char *text)
{
	size_t		size = strlen(text) + 1;
	char	   *copy = fails(__builtin_return_address(0)) ? NULL :
		__libc_malloc(size);

	return copy != NULL ? memcpy(copy, text, size) : NULL;
}
