/*
 * libraries.c
 *		hibob_fdw_libraries(): the libraries that the extension is linked with,
 *		for a software bill of materials.
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "http/http.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/tuplestore.h"

HIBOB_FUNCTION_INFO_V1(hibob_fdw_libraries);

#define NCOLUMNS 3

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/* A row; the versions may be NULL. */
static void
put_library(ReturnSetInfo *result, const char *name, const char *version,
			const char *built_with)
{
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS];

	values[0] = text_or_null(name, &nulls[0]);
	values[1] = text_or_null(version, &nulls[1]);
	values[2] = text_or_null(built_with, &nulls[2]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static bool
is_listed(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

/*
 * The list is like "libcurl/7.88.1 OpenSSL/3.0.17 zlib/1.2.13 libpsl/0.21.2
 * (+libidn2/2.3.3)".  Parentheses are around TLS libraries that libcurl does
 * not use at present, and libraries of a library, which may come twice.  The
 * libraries of libssh follow its version: "libssh/0.10.6/openssl/zlib".
 */
static void
put_curl_libraries(ReturnSetInfo *result)
{
	const char *built_with = http_header_version();
	char	   *list = pstrdup(http_library_list());
	char	   *next = NULL;
	List	   *names = NIL;

	for (char *name = strtok_r(list, " (+)", &next); name != NULL;
		 name = strtok_r(NULL, " (+)", &next))
	{
		char	   *version = strchr(name, '/');

		if (version != NULL)
		{
			*version++ = '\0';
			version[strcspn(version, "/")] = '\0';
		}
		if (is_listed(names, name))
			continue;
		put_library(result, name, version, built_with);
		names = lappend(names, name);
		built_with = NULL;		/* it is that of libcurl, the first one */
	}
}

/*
 * hibob_fdw_libraries() returns setof record
 *
 * The server, each library that the extension is linked with, and those of
 * libcurl: the name, the version in this server, and the version of the headers
 * that the extension was built with, as text.
 */
Datum
hibob_fdw_libraries(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	hibob_init_materialized_srf(fcinfo);
	put_library(result, "PostgreSQL",
				GetConfigOption("server_version", false, false), PG_VERSION);
#ifdef __GLIBC__
	put_library(result, "glibc", gnu_get_libc_version(),
				CppAsString2(__GLIBC__) "." CppAsString2(__GLIBC_MINOR__));
#endif
	put_curl_libraries(result);
	return (Datum) 0;
}
