/*
 * connection.c
 *		What a session keeps for a user mapping.
 *
 * A Connection lives in a memory context of its own below CacheMemoryContext
 * and is found by the user mapping's OID.  It is replaced, not changed, when
 * its server or mapping is altered: the old one leaves the table with the next
 * look-up, and goes away with its last lease.  So new credentials never travel
 * over a channel that was opened with old ones, and what HiBob said to the old
 * ones is forgotten.
 *
 * Knows users, servers and channels; nothing of requests or resources.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/defrem.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "foreign/foreign.h"
#include "http/url.h"
#include "miscadmin.h"
#include "session/connection.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

/* How long refused credentials are not shown again. */
#define REFUSED_MS (60 * 1000)

/* Channels kept open without use; more are closed when they come back. */
#define MAX_IDLE 4

typedef struct EndpointLimit
{
	const char *endpoint;
	Limiter    *limiter;
} EndpointLimit;

struct Connection
{
	MemoryContext context;
	bool		stale;			/* its server or mapping was altered */
	bool		detached;		/* not in the table any more */
	int			acquired;
	Oid			serverid;
	const char *server_name;
	const char *user_name;
	uint32		server_hash;	/* for invalidation messages */
	uint32		mapping_hash;
	ServerOptions *options;
	MappingOptions *credentials;
	HttpSettings settings;
	HttpChannel *idle[MAX_IDLE];
	int			nidle;
	List	   *limits;			/* of EndpointLimit */
	Limiter    *gate;
	uint8		account[LIMITER_ACCOUNT_SIZE];
};

typedef struct ConnectionEntry
{
	Oid			umid;			/* key */
	Connection *connection;		/* NULL: making it failed */
} ConnectionEntry;

static HTAB *connections = NULL;

/* The setting hibob_fdw.allowed_hosts. */
static char *allowed_hosts = NULL;

/* Overwrites what was only ours, and nobody needs any more. */
static void
wipe(const char *secret)
{
	explicit_bzero(unconstify(char *, secret), strlen(secret));
}

/* The values of a mapping's options, as the server has handed them out to us. */
static void
wipe_options(const UserMapping *mapping)
{
	ListCell   *lc;

	foreach(lc, mapping->options)
		wipe(defGetString(lfirst_node(DefElem, lc)));
}

static void
close_idle(Connection *connection)
{
	while (connection->nidle > 0)
		http_channel_close(connection->idle[--connection->nidle]);
}

static void
destroy(Connection *connection)
{
	close_idle(connection);
	wipe(connection->credentials->service_user_id);
	wipe(connection->credentials->token);
	MemoryContextDelete(connection->context);
}

/*
 * Marks the connections of an altered server or mapping.  A callback of this
 * kind runs at any catalog access: it must not free what a caller up the stack
 * may be using, so that is left to sweep().
 */
static void
invalidate(Datum arg, int cacheid, uint32 hashvalue)
{
	HASH_SEQ_STATUS seq;
	ConnectionEntry *entry;

	hash_seq_init(&seq, connections);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		Connection *connection = entry->connection;

		if (connection != NULL &&
			(hashvalue == 0 ||
			 (cacheid == FOREIGNSERVEROID &&
			  connection->server_hash == hashvalue) ||
			 (cacheid == USERMAPPINGOID &&
			  connection->mapping_hash == hashvalue)))
			connection->stale = true;
	}
}

/*
 * Takes stale connections out of the table, and frees those without a lease;
 * the others go with their last one.
 */
static void
sweep(void)
{
	HASH_SEQ_STATUS seq;
	ConnectionEntry *entry;

	hash_seq_init(&seq, connections);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		Connection *connection = entry->connection;

		if (connection != NULL && !connection->stale)
			continue;
		hash_search(connections, &entry->umid, HASH_REMOVE, NULL);
		if (connection == NULL)
			continue;
		connection->detached = true;
		if (connection->acquired == 0)
			destroy(connection);
	}
}

/*
 * What was altered or dropped is closed with the end of the transaction, and
 * not only when something else is asked for.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		sweep();
}

static void
make_table(void)
{
	HASHCTL		ctl;

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(ConnectionEntry);
	connections = hash_create("hibob_fdw connections", 8, &ctl,
							  HASH_ELEM | HASH_BLOBS);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate, (Datum) 0);
	RegisterXactCallback(at_transaction_end, NULL);
}

static bool
is_own_host(const char *host)
{
	return pg_strcasecmp(host, HIBOB_HOST) == 0 ||
		pg_strcasecmp(host, HIBOB_SANDBOX_HOST) == 0;
}

/* Splits the setting in place; false if it is not a list of names. */
static bool
split_hosts(char *hosts, List **list)
{
	return SplitGUCList(hosts, ',', list);
}

static bool
is_listed_host(const char *host)
{
	List	   *hosts;
	ListCell   *lc;

	if (!split_hosts(pstrdup(allowed_hosts), &hosts))
		return false;			/* not with check_allowed_hosts() */
	foreach(lc, hosts)
		if (pg_strcasecmp(host, (char *) lfirst(lc)) == 0)
			return true;
	return false;
}

/*
 * Decides how far requests to a server may reach.  An ordinary user who may
 * create servers must not be able to make the database call an address of
 * their choosing, so any host but HiBob's needs a superuser's word: as the
 * server's owner, or in the setting.
 *
 * A name is not yet an address, and whoever answers for the name may not
 * answer for where a name server says it is.  HiBob is in the Internet; a
 * host in the setting may be in the organization's network, but it is this
 * machine, or what only this machine can see, only if the setting says so.
 */
static HttpReach
allowed_reach(const ForeignServer *server, const ServerOptions *options)
{
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
	/* A proxy is a superuser's word, too, and its address is what counts. */
	if (owned || options->proxy != NULL || (listed && parts.is_fixed))
		return HTTP_REACH_ANY;
	return listed ? HTTP_REACH_NETWORK : HTTP_REACH_PUBLIC;
}

/*
 * The role that a mapping is for.  A PUBLIC mapping serves every role that has
 * none of its own, and is found under whichever asked first.
 */
static const char *
mapping_role(const UserMapping *mapping)
{
	if (SearchSysCacheExists2(USERMAPPINGUSERSERVER,
							  ObjectIdGetDatum(mapping->userid),
							  ObjectIdGetDatum(mapping->serverid)))
		return GetUserNameFromId(mapping->userid, false);
	return "public";
}

/* What made the present version of a row of the catalogs. */
static TransactionId
row_version(int cacheid, Oid oid)
{
	HeapTuple	tuple = SearchSysCache1(cacheid, ObjectIdGetDatum(oid));
	TransactionId xmin;

	if (!HeapTupleIsValid(tuple))
		return InvalidTransactionId;
	xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
	ReleaseSysCache(tuple);
	return xmin;
}

static void
digest(uint8 *result, const void *const *parts, const size_t *lengths, int n)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	bool		good = pg_cryptohash_init(context) >= 0;

	for (int i = 0; i < n && good; i++)
		good = pg_cryptohash_update(context, parts[i], lengths[i]) >= 0;
	good = good &&
		pg_cryptohash_final(context, result, LIMITER_ACCOUNT_SIZE) >= 0;
	pg_cryptohash_free(context);
	if (!good)
		elog(ERROR, "could not compute a digest");
}

/*
 * HiBob limits a service user, whatever the database calls the mapping.  That it
 * refuses somebody is forgotten as soon as the mapping or the server is altered,
 * be it to the same values: so that is told from the versions of their rows.
 */
static void
identify(Connection *connection, Oid umid)
{
	const MappingOptions *credentials = connection->credentials;
	const char *url = connection->options->base_url;
	const void *account[] = {url, credentials->service_user_id,
		credentials->token};
	const size_t lengths[] = {strlen(url) + 1,
		strlen(credentials->service_user_id) + 1,
	strlen(credentials->token) + 1};
	uint32		rows[] = {MyDatabaseId, umid,
		row_version(USERMAPPINGOID, umid),
	row_version(FOREIGNSERVEROID, connection->serverid)};
	uint8		present[LIMITER_ACCOUNT_SIZE];
	const void *version[] = {connection->account, rows};
	const size_t sizes[] = {LIMITER_ACCOUNT_SIZE, sizeof(rows)};

	digest(connection->account, account, lengths, lengthof(account));
	digest(present, version, sizes, lengthof(version));
	connection->gate = limiter_find(present, "");
}

static void
load(Connection *connection, const ForeignServer *server,
	 const UserMapping *mapping)
{
	HttpSettings *settings = &connection->settings;

	connection->serverid = server->serverid;
	connection->server_name = pstrdup(server->servername);
	connection->user_name = pstrdup(mapping_role(mapping));
	connection->server_hash =
		GetSysCacheHashValue1(FOREIGNSERVEROID,
							  ObjectIdGetDatum(server->serverid));
	connection->mapping_hash =
		GetSysCacheHashValue1(USERMAPPINGOID,
							  ObjectIdGetDatum(mapping->umid));
	connection->options = server_options(server);
	connection->credentials = mapping_options(mapping);
	settings->connect_timeout = connection->options->connect_timeout;
	settings->read_timeout = connection->options->read_timeout;
	settings->proxy = connection->options->proxy;
	settings->ca_file = connection->options->ca_file;
	identify(connection, mapping->umid);
}

/*
 * Makes a connection, below the present memory context until nothing can fail
 * any more.
 */
static Connection *
create(const ForeignServer *server, const UserMapping *mapping)
{
	MemoryContext context;
	MemoryContext old;
	Connection *connection;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"hibob_fdw connection",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	connection = palloc0(sizeof(Connection));
	connection->context = context;
	load(connection, server, mapping);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	return connection;
}

static Connection *
look_up(const ForeignServer *server, const UserMapping *mapping)
{
	ConnectionEntry *entry;
	bool		found;

	if (connections == NULL)
		make_table();
	sweep();
	entry = hash_search(connections, &mapping->umid, HASH_ENTER, &found);
	if (!found)
		entry->connection = NULL;
	if (entry->connection == NULL)
		entry->connection = create(server, mapping);
	return entry->connection;
}

static void
lend_channel(Connection *connection, AcquiredChannel *acquired)
{
	if (connection->nidle > 0)
		acquired->channel = connection->idle[--connection->nidle];
	else
		acquired->channel = http_channel_open(&connection->settings,
													 false);
	connection->acquired++;
	acquired->connection = connection;
}

void
connection_acquire(Oid userid, Oid serverid, AcquiredChannel *acquired)
{
	ForeignServer *server = GetForeignServer(serverid);
	UserMapping *mapping = GetUserMapping(userid, serverid);
	Connection *connection = look_up(server, mapping);
	HttpReach	reach;

	wipe_options(mapping);
	/* Judged each time: the setting and the owner's role can change. */
	reach = allowed_reach(server, connection->options);
	if (reach != connection->settings.reach)
	{
		close_idle(connection);
		connection->settings.reach = reach;
	}
	lend_channel(connection, acquired);
}

void
connection_acquire_another(const AcquiredChannel *of, AcquiredChannel *acquired)
{
	lend_channel(of->connection, acquired);
}

void
connection_release(AcquiredChannel *acquired)
{
	Connection *connection = acquired->connection;

	if (connection == NULL)
		return;
	acquired->connection = NULL;
	http_channel_stop(acquired->channel);
	if (connection->stale || connection->nidle == MAX_IDLE ||
		http_channel_reach(acquired->channel) != connection->settings.reach)
		http_channel_close(acquired->channel);
	else
		connection->idle[connection->nidle++] = acquired->channel;
	acquired->channel = NULL;
	if (--connection->acquired == 0 && connection->detached)
		destroy(connection);
}

static TimestampTz
refused_until(const Connection *connection)
{
	return connection_was_refused(connection) ?
		TimestampTzPlusMilliseconds(limiter_refused_at(connection->gate),
									REFUSED_MS) : 0;
}

List *
connection_list(void)
{
	HASH_SEQ_STATUS seq;
	ConnectionEntry *entry;
	List	   *list = NIL;

	if (connections == NULL)
		return NIL;
	hash_seq_init(&seq, connections);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		const Connection *connection = entry->connection;
		ConnectionInfo *info;

		if (connection == NULL ||
			(connection->nidle + connection->acquired == 0 &&
			 refused_until(connection) == 0))
			continue;
		info = palloc(sizeof(ConnectionInfo));
		info->server_name = connection->server_name;
		info->user_name = connection->user_name;
		info->valid = !connection->stale;
		info->idle = connection->nidle;
		info->acquired = connection->acquired;
		info->refused_until = refused_until(connection);
		list = lappend(list, info);
	}
	return list;
}

int
connection_close(const char *server_name, int *in_use)
{
	HASH_SEQ_STATUS seq;
	ConnectionEntry *entry;
	int			closed = 0;

	*in_use = 0;
	if (connections == NULL)
		return 0;
	hash_seq_init(&seq, connections);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		Connection *connection = entry->connection;

		if (connection == NULL ||
			(server_name != NULL &&
			 strcmp(connection->server_name, server_name) != 0))
			continue;
		if (connection->acquired > 0)
			(*in_use)++;
		else if (connection->nidle > 0)
		{
			close_idle(connection);
			closed++;
		}
	}
	return closed;
}

void
connection_request(const Connection *connection, const char *method,
				   const char *path, HttpRequest *request)
{
	memset(request, 0, sizeof(*request));
	request->method = method;
	request->url = psprintf("%s%s", connection->options->base_url, path);
	request->user = connection->credentials->service_user_id;
	request->password = connection->credentials->token;
}

const ServerOptions *
connection_options(const Connection *connection)
{
	return connection->options;
}

Limiter *
connection_gate(const Connection *connection)
{
	return connection->gate;
}

Limiter *
connection_limiter(Connection *connection, const char *endpoint)
{
	ListCell   *lc;
	EndpointLimit *entry;
	MemoryContext old;

	foreach(lc, connection->limits)
	{
		entry = lfirst(lc);
		if (strcmp(entry->endpoint, endpoint) == 0)
			return entry->limiter;
	}
	old = MemoryContextSwitchTo(connection->context);
	entry = palloc0(sizeof(EndpointLimit));
	entry->endpoint = pstrdup(endpoint);
	entry->limiter = limiter_find(connection->account, endpoint);
	connection->limits = lappend(connection->limits, entry);
	MemoryContextSwitchTo(old);
	return entry->limiter;
}

Oid
connection_server(const Connection *connection)
{
	return connection->serverid;
}

const char *
connection_server_name(const Connection *connection)
{
	return connection->server_name;
}

const char *
connection_user_name(const Connection *connection)
{
	return connection->user_name;
}

bool
connection_was_refused(const Connection *connection)
{
	TimestampTz refused_at = limiter_refused_at(connection->gate);

	return refused_at != 0 &&
		!TimestampDifferenceExceeds(refused_at, GetCurrentTimestamp(),
									REFUSED_MS);
}

static bool
check_allowed_hosts(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *hosts;

	if (split_hosts(copy, &hosts))
		return true;
	GUC_check_errdetail("The value is not a list of host names.");
	GUC_check_errhint("Separate host names by commas.");
	return false;
}

void
connection_define_settings(void)
{
	DefineCustomStringVariable("hibob_fdw.allowed_hosts",
							   "Hosts that servers may name in base_url although they are not HiBob's.",
							   "A list of host names. A server that belongs to a superuser may name any host.",
							   &allowed_hosts, "", PGC_SUSET, GUC_LIST_INPUT,
							   check_allowed_hosts, NULL, NULL);
}
