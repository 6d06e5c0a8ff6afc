/*
 * malloc.c
 *		Makes the n-th allocation of libcurl fail.
 *
 * It is preloaded into a server, before the C library.  Allocations of the
 * server itself and of other libraries are not affected.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The number of the allocation that fails, from 1, or 0; and the count. */
int64_t		inject_malloc_target;
int64_t		inject_malloc_calls;

/* The addresses of the code of the library, found when they are needed. */
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

/* Whether an allocation by the code at this address has to fail. */
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
