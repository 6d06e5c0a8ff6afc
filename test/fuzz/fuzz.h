/*
 * fuzz.h
 *		What the fuzz harnesses share: demands, memory, and how to cut.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What libFuzzer calls, again and again; always returns 0. */
extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, and with it the run, where something is not as it must. */
#define require(fact) ((fact) ? (void) 0 : fuzz_fail(__FILE__, __LINE__, #fact))

extern void fuzz_fail(const char *file, int line, const char *what)
	__attribute__((noreturn));

/*
 * Memory as readers get it, zeroed.  It is released as a whole; so much of it
 * was asked for since then.
 */
extern void	 *fuzz_alloc(size_t size);
extern size_t fuzz_allocated(void);
extern void	  fuzz_release(void);

/* A number from 0 to "most", and the next seed. */
extern size_t fuzz_draw(uint32_t *seed, size_t most);

/*
 * A copy of exactly that size, so that a sanitizer sees each byte read outside
 * of it; to be freed.
 */
extern char *fuzz_copy(const void *bytes, size_t size);

#endif							/* FUZZ_H */
