/*
 * server_fuzz.h
 *		Functions that the fuzz harnesses inside a server share.
 */
#ifndef SERVER_FUZZ_H
#define SERVER_FUZZ_H

#include "postgres.h"

/*
 * Like LLVMFuzzerTestOneInput(), in a memory context that is reset after each
 * input.
 */
extern int	options_fuzz(const uint8_t *data, size_t size);
extern int	row_fuzz(const uint8_t *data, size_t size);

/* See fuzz.h. */
#define require(fact) \
	((fact) ? (void) 0 : fuzz_fail(__FILE__, __LINE__, #fact))

extern void fuzz_fail(const char *file, int line, const char *what)
	__attribute__((noreturn));

/*
 * Calls a function that may raise an error.  Returns NULL if it did not.  Errors
 * with an internal SQLSTATE abort the run.
 */
extern ErrorData *fuzz_attempt(void (*body) (void *), void *argument);

/*
 * The input as a text that a server would accept: without NUL, and valid in the
 * encoding of the database.
 */
extern char *fuzz_text(const uint8_t *data, size_t size);

#endif							/* SERVER_FUZZ_H */
