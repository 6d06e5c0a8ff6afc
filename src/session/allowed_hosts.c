/*
 * allowed_hosts.c
 *		Which hosts a server may name in base_url.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "http/url.h"
#include "miscadmin.h"
#include "options/options.h"
#include "session/allowed_hosts.h"
#include "utils/guc.h"
#include "utils/varlena.h"

/* The setting hibob_fdw.allowed_hosts. */
static char *allowed_hosts = NULL;

static bool
is_own_host(const char *host)
{
	return pg_strcasecmp(host, HIBOB_HOST) == 0 ||
		pg_strcasecmp(host, HIBOB_SANDBOX_HOST) == 0;
}

/*
 * Whether an entry of the setting can be the host of a base_url, in the form
 * that url_parse() returns: not if it has a scheme, port, path or wildcard.
 */
static bool
is_host(const char *entry)
{
	const char *last_label = strrchr(entry, '.');
	char		text[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	struct in_addr v4;

	if (strchr(entry, ':') != NULL)
		return inet_pton(AF_INET6, entry, &v6) == 1 &&
			inet_ntop(AF_INET6, &v6, text, sizeof(text)) != NULL &&
			pg_strcasecmp(text, entry) == 0;
	if (entry[0] == '\0' ||
		entry[strspn(entry, "abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] != '\0')
		return false;
	last_label = last_label != NULL ? last_label + 1 : entry;
	return *last_label < '0' || *last_label > '9' ||
		inet_pton(AF_INET, entry, &v4) == 1;
}

static bool
check_allowed_hosts(char **newval, void **extra, GucSource source)
{
	List	   *hosts;
	ListCell   *lc;

	if (!SplitGUCList(pstrdup(*newval), ',', &hosts))
	{
		GUC_check_errdetail("The value is not a list of host names.");
		GUC_check_errhint("Separate host names by commas.");
		return false;
	}
	foreach(lc, hosts)
	{
		if (is_host(lfirst(lc)))
			continue;
		GUC_check_errdetail("\"%s\" is not a host name or an address in its usual form.",
							(char *) lfirst(lc));
		GUC_check_errhint("List hosts without scheme, port, path, brackets or wildcard. A host is allowed with all its ports, and each host needs an entry of its own.");
		return false;
	}
	return true;
}

static bool
is_listed_host(const char *host)
{
	List	   *hosts;
	ListCell   *lc;

	if (!SplitGUCList(pstrdup(allowed_hosts), ',', &hosts))
		return false;			/* not after check_allowed_hosts() */
	foreach(lc, hosts)
		if (pg_strcasecmp(host, (char *) lfirst(lc)) == 0)
			return true;
	return false;
}

HttpReach
allowed_hosts_reach(const ForeignServer *server)
{
	const ServerOptions *options = server_options(server);
	UrlParts	parts;
	bool		owned = superuser_arg(server->owner);
	bool		listed;

	if (!url_parse(options->base_url, &parts))
		elog(ERROR, "base_url of server \"%s\" is not a URL",
			 server->servername);
	listed = is_listed_host(parts.host);
	if (!owned && !listed && !(is_own_host(parts.host) && parts.is_https))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("host \"%s\" of server \"%s\" is not allowed",
						parts.host, server->servername),
				 errhint("A superuser can add the host to the setting hibob_fdw.allowed_hosts, or become the server's owner.")));
	if (!parts.is_https)
		return HTTP_REACH_LOOPBACK;
	/* Only a superuser sets a proxy, and its address is what counts. */
	if (owned || options->proxy != NULL || (listed && parts.is_fixed))
		return HTTP_REACH_ANY;
	return listed ? HTTP_REACH_NETWORK : HTTP_REACH_PUBLIC;
}

void
allowed_hosts_define(void)
{
	DefineCustomStringVariable("hibob_fdw.allowed_hosts",
							   "Hosts that servers may name in base_url, in addition to HiBob's.",
							   "A list of host names. A server that belongs to a superuser may name any host.",
							   &allowed_hosts, "", PGC_SUSET, GUC_LIST_INPUT,
							   check_allowed_hosts, NULL, NULL);
}
