/*
 * inject.c
 *		Makes the n-th call from the extension to other code fail.
 *
 * build.sh links the extension's objects with a wrapper for each function that
 * they import.  The wrappers call inject_point() while an injection is armed.
 * It fires once, so that the code that handles the failure runs normally.
 *
 * The SQL functions affect the session that calls them:
 *
 *	inject_arm(what text, n bigint)
 *		"fail": the n-th call that can fail does; "cancel", "terminate": the
 *		session is cancelled or terminated during the n-th call; "malloc": the
 *		n-th allocation of libcurl returns NULL.
 *	inject_disarm() returns text
 *		The number of calls since then, and the function that failed or "-".
 *	inject_limit_memory(bytes bigint)
 *		Limits how much the address space can grow from now on; -1 removes the
 *		limit.
 *	inject_descriptors() returns integer
 *		The number of descriptors that the session has open.
 */
#include "postgres.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fmgr.h"
#include "inject.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

typedef enum InjectKind
{
	INJECT_FAIL,
	INJECT_CANCEL,
	INJECT_TERMINATE,
	INJECT_MALLOC
} InjectKind;

#define INJECT_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

INJECT_FUNCTION(inject_arm);
INJECT_FUNCTION(inject_disarm);
INJECT_FUNCTION(inject_limit_memory);
INJECT_FUNCTION(inject_descriptors);

extern volatile char inject_armed;
extern long inject_value;
extern int	inject_point(InjectCall *call, long *arguments);

/*
 * For the wrappers: whether they have to call inject_point(), and the value that
 * a failed call returns.
 */
volatile char inject_armed = false;
long		inject_value;

static InjectKind kind;
static int64 calls;
static int64 target;
static const char *failed;

/* Variables of malloc.c; NULL if it is not preloaded. */
static int64 *malloc_target;
static int64 *malloc_calls;

/* hash_search() can fail only if it has to create an entry. */
static InjectWay
way_of(const InjectCall *call, const long *arguments)
{
	if (strcmp(call->name, "hash_search") != 0)
		return call->way;
	switch ((HASHACTION) (int) arguments[2])
	{
		case HASH_ENTER:
			return INJECT_RAISES;
		case HASH_ENTER_NULL:
			return INJECT_RETURNS;
		default:
			return INJECT_NEVER;
	}
}

/*
 * The wrappers call this before a call to other code, with its first six
 * arguments.  Returns 1 if the wrapper has to return inject_value instead of
 * calling the function.
 */
int
inject_point(InjectCall *call, long *arguments)
{
	InjectWay	way;

	inject_armed = false;		/* functions called here are wrapped, too */
	way = way_of(call, arguments);
	if ((kind == INJECT_FAIL && way == INJECT_NEVER) || ++calls != target)
	{
		inject_armed = true;
		return 0;
	}
	failed = call->name;
	switch (kind)
	{
		case INJECT_CANCEL:
			QueryCancelPending = true;
			InterruptPending = true;
			return 0;
		case INJECT_TERMINATE:
			ProcDiePending = true;
			InterruptPending = true;
			return 0;
		default:
			break;
	}
	if (way == INJECT_RAISES)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("injected failure of %s", call->name)));
	if (call->error != 0)
		errno = (int) call->error;
	inject_value = call->value;
	return 1;
}

Datum
inject_arm(PG_FUNCTION_ARGS)
{
	const char *what = text_to_cstring(PG_GETARG_TEXT_PP(0));

	calls = 0;
	failed = NULL;
	target = PG_GETARG_INT64(1);
	kind = strcmp(what, "cancel") == 0 ? INJECT_CANCEL :
		strcmp(what, "terminate") == 0 ? INJECT_TERMINATE :
		strcmp(what, "malloc") == 0 ? INJECT_MALLOC : INJECT_FAIL;
	malloc_target = dlsym(RTLD_DEFAULT, "inject_malloc_target");
	malloc_calls = dlsym(RTLD_DEFAULT, "inject_malloc_calls");
	if (kind != INJECT_MALLOC)
		inject_armed = true;
	else if (malloc_target != NULL)
	{
		*malloc_calls = 0;
		*malloc_target = target;
	}
	PG_RETURN_VOID();
}

Datum
inject_disarm(PG_FUNCTION_ARGS)
{
	inject_armed = false;
	if (kind == INJECT_MALLOC && malloc_target != NULL)
	{
		calls = *malloc_calls;
		failed = (*malloc_target > 0 && calls >= *malloc_target) ?
			"malloc" : NULL;
		*malloc_target = 0;
	}
	PG_RETURN_TEXT_P(cstring_to_text(psprintf(INT64_FORMAT " %s", calls,
											  failed != NULL ? failed : "-")));
}

static int64
address_space(void)
{
	FILE	   *file = fopen("/proc/self/statm", "r");
	long long	pages = 0;

	if (file != NULL)
	{
		if (fscanf(file, "%lld", &pages) != 1)
			pages = 0;
		fclose(file);
	}
	return pages * sysconf(_SC_PAGESIZE);
}

Datum
inject_limit_memory(PG_FUNCTION_ARGS)
{
	int64		bytes = PG_GETARG_INT64(0);
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) != 0)
		elog(ERROR, "getrlimit failed: %m");
	limit.rlim_cur = bytes < 0 ? limit.rlim_max :
		(rlim_t) (address_space() + bytes);
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		elog(ERROR, "setrlimit failed: %m");
	PG_RETURN_VOID();
}

Datum
inject_descriptors(PG_FUNCTION_ARGS)
{
	DIR		   *directory = opendir("/proc/self/fd");
	int			n = 0;

	if (directory == NULL)
		elog(ERROR, "could not read /proc/self/fd: %m");
	while (readdir(directory) != NULL)
		n++;
	closedir(directory);
	PG_RETURN_INT32(n - 3);		/* ".", ".." and its own */
}
