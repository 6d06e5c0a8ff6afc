/*
 * fuzz.h
 *		Functions that the fuzz harnesses share: assertions, memory, cuts.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libFuzzer calls this for each input; it always returns 0. */
extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts the process, and the run, if a condition does not hold. */
#define require(fact) ((fact) ? (void) 0 : fuzz_fail(__FILE__, __LINE__, #fact))

extern void fuzz_fail(const char *file, int line, const char *what)
	__attribute__((noreturn));

/*
 * Zeroed memory for readers.  It is released as a whole; the size is the sum of
 * all allocations since then.
 */
extern void	 *fuzz_alloc(size_t size);
extern size_t fuzz_allocated(void);
extern void	  fuzz_release(void);

/* A number from 0 to "most", and the next seed. */
extern size_t fuzz_draw(uint32_t *seed, size_t most);

/*
 * A copy of exactly this size, so that a sanitizer detects a read outside of it.
 * The caller frees it.
 */
extern char *fuzz_copy(const void *bytes, size_t size);

#endif							/* FUZZ_H */
