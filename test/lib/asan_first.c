/*
 * asan_first.c
 *		Makes a preloaded AddressSanitizer start before all other libraries.
 *
 * AddressSanitizer starts with the first allocation and looks up a symbol that
 * does not exist; the loader translates the error message.  The first
 * allocation in a PostgreSQL server is by a library that is registering its
 * translations and holds their lock, so the process would deadlock.  This
 * library is preloaded, too, and linked so that it is initialized first.
 *
 * cc -shared -fPIC -fno-builtin -Wl,-z,initfirst
 */
#include <stdlib.h>

static void __attribute__((constructor))
allocate(void)
{
	free(malloc(1));
}
