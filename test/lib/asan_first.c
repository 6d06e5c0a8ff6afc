/*
 * asan_first.c
 *		Lets AddressSanitizer start before all else, where it is preloaded.
 *
 * It starts with the first allocation, and asks the loader for a symbol that
 * is not there, whose error is looked up in a translation.  The first to
 * allocate in a PostgreSQL server is a library that is just registering its
 * translations and holds their lock: the process would wait for itself.  This
 * is to be preloaded too, and linked so that it comes first.
 *
 * cc -shared -fPIC -fno-builtin -Wl,-z,initfirst
 */
#include <stdlib.h>

static void __attribute__((constructor))
allocate(void)
{
	free(malloc(1));
}
