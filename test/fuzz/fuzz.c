/*
 * fuzz.c
 *		Functions that the fuzz harnesses share.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without a sanitizer these do nothing. */
#ifdef __SANITIZE_ADDRESS__
#define WITH_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void) 0)
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void) 0)
#endif

#define ARENA (256 * 1024)
#define ALIGNMENT 16
#define MAX_BLOCKS 1024

/*
 * Small allocations come from an arena, since a reader makes many of them and
 * malloc would take most of the time.  The gap after each one is poisoned.
 */
static char arena[ARENA] __attribute__((aligned(ALIGNMENT)));
static size_t arena_used;
static void *blocks[MAX_BLOCKS]; /* allocations that did not fit there */
static int	nblocks;
static size_t allocated;

void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

void *
fuzz_alloc(size_t size)
{
	size_t		room = (size / ALIGNMENT + 2) * ALIGNMENT;
	char	   *piece = arena + arena_used;

	if (arena_used == 0)
		ASAN_POISON_MEMORY_REGION(arena, ARENA);
	allocated += size;
	if (size < ARENA / 8 && room <= ARENA - arena_used)
	{
		arena_used += room;
		ASAN_UNPOISON_MEMORY_REGION(piece, size);
		return piece;
	}
	require(nblocks < MAX_BLOCKS);
	blocks[nblocks] = calloc(1, size);
	require(blocks[nblocks] != NULL);
	return blocks[nblocks++];
}

size_t
fuzz_allocated(void)
{
	return allocated;
}

void
fuzz_release(void)
{
	ASAN_UNPOISON_MEMORY_REGION(arena, ARENA);
	memset(arena, 0, arena_used);
	arena_used = 0;
	while (nblocks > 0)
		free(blocks[--nblocks]);
	allocated = 0;
}

size_t
fuzz_draw(uint32_t *seed, size_t most)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 16) % (most + 1);
}

char *
fuzz_copy(const void *bytes, size_t size)
{
	char	   *copy = malloc(size > 0 ? size : 1);

	require(copy != NULL);
	if (size > 0)
		memcpy(copy, bytes, size);
	return copy;
}
