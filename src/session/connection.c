/*
 * connection.c
 *		The state that a session keeps for a user mapping.
 *
 * A Connection lies in a memory context of its own below CacheMemoryContext.
 * It is replaced, not changed, when its server or mapping is altered: it leaves
 * the list of connections with the next request for one, and is freed when its
 * last channel is released.  So new credentials are never sent over a channel
 * that was opened for old ones, and a rejection of the old ones does not affect
 * the new ones.
 *
 * A session keeps a bounded number of connections and of idle channels.  The
 * least recently used ones are closed first.
 *
 * Knows users, servers and channels; nothing of requests or resources.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "foreign/foreign.h"
#include "http/url.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "session/allowed_hosts.h"
#include "session/connection.h"
#include "session/credentials.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* The most connections of a session. */
#define MAX_CONNECTIONS 256

/* The most idle channels: of a connection, and of the session. */
#define MAX_IDLE_PER_CONNECTION 4
#define MAX_IDLE 20

/* How often a definition that is being altered is read again. */
#define MAX_READS 5

typedef struct EndpointLimiter
{
	const char *endpoint;
	Limiter    *limiter;
} EndpointLimiter;

typedef struct IdleChannel
{
	HttpChannel *channel;
	int64		since;			/* by http_now_ms() */
} IdleChannel;

struct Connection
{
	dlist_node	node;			/* in "connections", unless it is detached */
	MemoryContext context;
	bool		stale;			/* its server or mapping was altered */
	bool		reload;			/* the token file has to be read again */
	bool		detached;		/* removed from the list */
	int			acquired;		/* channels in use */
	Oid			umid;
	Oid			serverid;
	const char *server_name;
	const char *user_name;
	uint32		server_hash;	/* for invalidation messages */
	uint32		mapping_hash;
	ServerOptions *options;
	HttpSettings settings;
	IdleChannel idle[MAX_IDLE_PER_CONNECTION];
	int			nidle;
	Credentials credentials;
	int			lacks;			/* flags of connection_note_lack() */
	List	   *limiters;		/* of EndpointLimiter */
	Limiter    *credentials_limiter;
	Limiter    *address_limiter;
};

/* A server and a mapping as the catalogs have them at the same time. */
typedef struct Definition
{
	ForeignServer *server;
	UserMapping *mapping;
	uint64		version;		/* value of "invalidations" */
} Definition;

/* The most recently used connection is the first one. */
static dlist_head connections = DLIST_STATIC_INIT(connections);
static int	nconnections = 0;
static int	nidle = 0;			/* channels of all of them */

/* How often a server or a user mapping was altered. */
static uint64 invalidations = 0;

/* ------------------------------------------------------------------------
 * The list of connections
 * ------------------------------------------------------------------------
 */

/* Closes an idle channel.  The order of idle channels does not matter. */
static void
close_idle(Connection *connection, int i)
{
	http_channel_close(connection->idle[i].channel);
	connection->idle[i] = connection->idle[--connection->nidle];
	nidle--;
}

static void
close_all_idle(Connection *connection)
{
	while (connection->nidle > 0)
		close_idle(connection, connection->nidle - 1);
}

/* Closes the session's channel that has been idle longest; false if none is. */
static bool
close_oldest_idle(void)
{
	Connection *oldest = NULL;
	int			oldest_i = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &connections)
	{
		Connection *connection = dlist_container(Connection, node, iter.cur);

		for (int i = 0; i < connection->nidle; i++)
			if (oldest == NULL ||
				connection->idle[i].since < oldest->idle[oldest_i].since)
			{
				oldest = connection;
				oldest_i = i;
			}
	}
	if (oldest != NULL)
		close_idle(oldest, oldest_i);
	return oldest != NULL;
}

/*
 * Frees a connection without channels in use.  connection_release() frees one
 * that was detached while it had some.
 */
static void
free_connection(Connection *connection)
{
	close_all_idle(connection);
	credentials_wipe(&connection->credentials);
	MemoryContextDelete(connection->context);
}

/* Removes a connection from the list, so that it is not used again. */
static void
detach_connection(Connection *connection)
{
	dlist_delete(&connection->node);
	nconnections--;
	close_all_idle(connection);
	connection->detached = true;
	if (connection->acquired == 0)
		free_connection(connection);
}

/*
 * Marks the connections of an altered server or mapping.  This callback runs
 * at any catalog access: it must not free what a caller up the stack may be
 * using, so that is left to detach_stale().
 */
static void
invalidate(Datum arg, int cacheid, uint32 hashvalue)
{
	dlist_iter	iter;

	invalidations++;
	dlist_foreach(iter, &connections)
	{
		Connection *connection = dlist_container(Connection, node, iter.cur);

		if (hashvalue == 0 ||
			hashvalue == (cacheid == FOREIGNSERVEROID ?
						  connection->server_hash : connection->mapping_hash))
			connection->stale = true;
	}
}

static void
detach_stale(void)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &connections)
	{
		Connection *connection = dlist_container(Connection, node, iter.cur);

		if (connection->stale)
			detach_connection(connection);
	}
}

/*
 * Connections of altered or dropped objects are closed at the end of the
 * transaction, not only with the next request for a connection.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		detach_stale();
}

/* Makes room for one more connection by detaching one that is not in use. */
static void
detach_least_recently_used(void)
{
	dlist_iter	iter;

	if (nconnections < MAX_CONNECTIONS)
		return;
	dlist_reverse_foreach(iter, &connections)
	{
		Connection *connection = dlist_container(Connection, node, iter.cur);

		if (connection->acquired == 0)
		{
			detach_connection(connection);
			return;
		}
	}
}

/* ------------------------------------------------------------------------
 * Credentials
 * ------------------------------------------------------------------------
 */

/*
 * Reads the token file again.  Returns its defect or NULL.  New credentials may
 * belong to another account.
 */
static char *
renew_credentials(Connection *connection)
{
	Credentials *credentials = &connection->credentials;
	uint64		version = credentials->version;
	char	   *defect = credentials_renew(credentials);
	ListCell   *lc;

	if (credentials->version == version)
		return defect;
	connection->lacks = 0;
	limiter_set_account(connection->credentials_limiter,
						credentials->identity);
	foreach(lc, connection->limiters)
		limiter_set_account(((EndpointLimiter *) lfirst(lc))->limiter,
							credentials->account);
	return defect;
}

static void
report_defect(const Connection *connection, const char *defect)
{
	credentials_report_defect(&connection->credentials, defect,
							  connection->user_name, connection->server_name);
}

bool
connection_renew_credentials(Connection *connection, uint64 version)
{
	char	   *defect = NULL;

	if (version == connection->credentials.version &&
		credentials_have_file(&connection->credentials))
		defect = renew_credentials(connection);
	/* While the session has a token, a defect of the file is not an error. */
	if (defect != NULL)
		credentials_log_defect(&connection->credentials, defect);
	return version != connection->credentials.version;
}

/*
 * Reads the token file as for a new connection, after the channels of this one
 * were closed.
 */
static void
reload_credentials(Connection *connection)
{
	char	   *defect = renew_credentials(connection);

	if (defect != NULL)
		report_defect(connection, defect);
	connection->reload = false;
}

uint64
connection_credentials_version(const Connection *connection)
{
	return connection->credentials.version;
}

void
connection_note_rejected(Connection *connection, uint64 version)
{
	if (version == connection->credentials.version)
		limiter_note_rejected(connection->credentials_limiter);
}

bool
connection_is_rejected(Connection *connection)
{
	if (limiter_rejected_for(connection->credentials_limiter) == 0)
		return false;
	return !connection_renew_credentials(connection,
										 connection->credentials.version) ||
		limiter_rejected_for(connection->credentials_limiter) > 0;
}

/* ------------------------------------------------------------------------
 * Making connections
 * ------------------------------------------------------------------------
 */

/*
 * The role that a mapping is for.  A PUBLIC mapping serves every role that has
 * none of its own; the first of them to use it is the mapping's userid.
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

/*
 * Reads a server and a mapping.  While one is read the other may be altered:
 * the credentials of the new definition must not go to the address of the old
 * one.  After MAX_READS attempts, the last reading is used, and the connection
 * only once.
 */
static Definition
read_definition(Oid userid, Oid serverid)
{
	Definition	definition = {0};
	int			readings = 0;

	do
	{
		if (definition.mapping != NULL)
			credentials_wipe_options(definition.mapping);
		definition.version = invalidations;
		definition.server = GetForeignServer(serverid);
		definition.mapping = GetUserMapping(userid, serverid);
	} while (definition.version != invalidations && ++readings < MAX_READS);
	return definition;
}

/* Which transaction made the current version of a catalog row. */
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

/*
 * Servers with the same host share it, in all databases: HiBob blocks an
 * address for all paths, and for all spellings of the URL.
 */
static Limiter *
create_address_limiter(const char *base_url)
{
	UrlParts	url;
	uint8		address[LIMITER_ACCOUNT_SIZE];
	const void *parts[] = {url.host};
	size_t		lengths[1];

	if (!url_parse(base_url, &url))
		elog(ERROR, "base_url is not a URL");	/* it was checked */
	lengths[0] = strlen(url.host);
	limiter_digest(address, parts, lengths, lengthof(parts));
	return limiter_create(address, "");
}

static void
load_definition(Connection *connection, const ForeignServer *server,
				const UserMapping *mapping)
{
	HttpSettings *settings = &connection->settings;
	ServerOptions *options = server_options(server);
	Credentials *credentials = &connection->credentials;
	char	   *defect;

	connection->umid = mapping->umid;
	connection->serverid = server->serverid;
	connection->server_name = pstrdup(server->servername);
	connection->user_name = pstrdup(mapping_role(mapping));
	connection->server_hash =
		GetSysCacheHashValue1(FOREIGNSERVEROID,
							  ObjectIdGetDatum(server->serverid));
	connection->mapping_hash =
		GetSysCacheHashValue1(USERMAPPINGOID,
							  ObjectIdGetDatum(mapping->umid));
	connection->options = options;
	settings->connect_timeout = options->connect_timeout;
	settings->read_timeout = options->read_timeout;
	settings->proxy = options->proxy;
	settings->ca_file = options->ca_file;
	credentials->options = mapping_options(mapping);
	credentials->base_url = options->base_url;
	credentials->row_versions[0] = MyDatabaseId;
	credentials->row_versions[1] = mapping->umid;
	credentials->row_versions[2] = row_version(USERMAPPINGOID, mapping->umid);
	credentials->row_versions[3] = row_version(FOREIGNSERVEROID,
											   server->serverid);
	defect = credentials_load(credentials);
	if (defect != NULL)
		report_defect(connection, defect);
	connection->credentials_limiter = limiter_create(credentials->identity, "");
	connection->address_limiter = create_address_limiter(options->base_url);
}

/*
 * Makes a connection.  Its memory context is a child of the current one until
 * nothing can fail.
 */
static Connection *
create_connection(const Definition *definition)
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
	load_definition(connection, definition->server, definition->mapping);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	detach_least_recently_used();
	dlist_push_head(&connections, &connection->node);
	nconnections++;
	/* It was not in the list when the invalidation came. */
	connection->stale = definition->version != invalidations;
	return connection;
}

static Connection *
find_connection(Oid umid)
{
	dlist_iter	iter;

	dlist_foreach(iter, &connections)
	{
		Connection *connection = dlist_container(Connection, node, iter.cur);

		if (connection->umid == umid)
		{
			dlist_move_head(&connections, &connection->node);
			return connection;
		}
	}
	return NULL;
}

/*
 * The connection of a role's user mapping as it is defined now.  The next call
 * may free it unless a channel of it is acquired.
 */
static Connection *
current_connection(Oid userid, Oid serverid)
{
	Definition	definition = read_definition(userid, serverid);
	Connection *connection;
	HttpReach	reach;

	/* Checked each time: the setting and the owner's role can change. */
	reach = allowed_hosts_reach(definition.server);
	detach_stale();
	connection = find_connection(definition.mapping->umid);
	if (connection == NULL)
		connection = create_connection(&definition);
	credentials_wipe_options(definition.mapping);
	if (connection->reload)
		reload_credentials(connection);
	if (reach != connection->settings.reach)
	{
		close_all_idle(connection);
		connection->settings.reach = reach;
	}
	return connection;
}

uint64
connection_current_credentials(Oid userid, Oid serverid)
{
	Connection *connection = current_connection(userid, serverid);

	if (credentials_have_file(&connection->credentials))
		(void) renew_credentials(connection);
	return connection->credentials.version;
}

/* ------------------------------------------------------------------------
 * Channels
 * ------------------------------------------------------------------------
 */

/*
 * A new channel.  If there are no descriptors left, idle channels of the
 * session are closed, the oldest first.  If that does not help: NULL for a
 * channel that is optional, otherwise an error.
 */
static HttpChannel *
open_channel(const Connection *connection, bool optional)
{
	const HttpSettings *settings = &connection->settings;
	HttpChannel *channel;

	do
		channel = http_channel_open(settings, true);
	while (channel == NULL && close_oldest_idle());
	if (channel == NULL && !optional)
		channel = http_channel_open(settings, false);
	return channel;
}

/* Acquires an idle channel of the connection, or a new one; false likewise. */
static bool
acquire_channel(Connection *connection, bool optional,
				AcquiredChannel *acquired)
{
	HttpChannel *channel;

	if (connection->nidle > 0)
	{
		channel = connection->idle[--connection->nidle].channel;
		nidle--;
	}
	else
		channel = open_channel(connection, optional);
	if (channel == NULL)
		return false;
	connection->acquired++;
	acquired->connection = connection;
	acquired->channel = channel;
	return true;
}

void
connection_acquire(Oid userid, Oid serverid, AcquiredChannel *acquired)
{
	(void) acquire_channel(current_connection(userid, serverid), false,
						   acquired);
}

bool
connection_acquire_another(const AcquiredChannel *of, AcquiredChannel *acquired)
{
	return acquire_channel(of->connection, true, acquired);
}

void
connection_release(AcquiredChannel *acquired)
{
	Connection *connection = acquired->connection;
	HttpChannel *channel = acquired->channel;

	if (connection == NULL)
		return;
	acquired->connection = NULL;
	acquired->channel = NULL;
	http_channel_stop(channel);
	if (connection->stale || connection->detached ||
		connection->nidle == MAX_IDLE_PER_CONNECTION ||
		http_channel_reach(channel) != connection->settings.reach)
		http_channel_close(channel);
	else
	{
		if (nidle >= MAX_IDLE)
			(void) close_oldest_idle();
		connection->idle[connection->nidle].channel = channel;
		connection->idle[connection->nidle++].since = http_now_ms();
		nidle++;
	}
	if (--connection->acquired == 0 && connection->detached)
		free_connection(connection);
}

/* ------------------------------------------------------------------------
 * Properties
 * ------------------------------------------------------------------------
 */

static TimestampTz
rejected_until(const Connection *connection)
{
	int64		wait = limiter_rejected_for(connection->credentials_limiter);

	return wait == 0 ? 0 :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait);
}

List *
connection_list(void)
{
	List	   *list = NIL;
	dlist_iter	iter;

	dlist_foreach(iter, &connections)
	{
		const Connection *connection =
			dlist_container(Connection, node, iter.cur);
		TimestampTz until = rejected_until(connection);
		ConnectionInfo *info;

		if (connection->nidle + connection->acquired == 0 && until == 0)
			continue;
		info = palloc(sizeof(ConnectionInfo));
		info->server_name = connection->server_name;
		info->user_name = connection->user_name;
		info->valid = !connection->stale;
		info->idle = connection->nidle;
		info->acquired = connection->acquired;
		info->rejected_until = until;
		list = lappend(list, info);
	}
	return list;
}

int
connection_close(const char *server_name, int *in_use)
{
	int			closed = 0;
	dlist_iter	iter;

	*in_use = 0;
	dlist_foreach(iter, &connections)
	{
		Connection *connection = dlist_container(Connection, node, iter.cur);

		if (server_name != NULL &&
			strcmp(connection->server_name, server_name) != 0)
			continue;
		if (connection->acquired > 0)
			(*in_use)++;
		else
		{
			closed += connection->nidle > 0;
			close_all_idle(connection);
			connection->reload = credentials_have_file(&connection->credentials);
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
	request->user = connection->credentials.service_user_id;
	request->password = connection->credentials.token;
}

const ServerOptions *
connection_options(const Connection *connection)
{
	return connection->options;
}

Limiter *
connection_credentials_limiter(const Connection *connection)
{
	return connection->credentials_limiter;
}

Limiter *
connection_address_limiter(const Connection *connection)
{
	return connection->address_limiter;
}

Limiter *
connection_limiter(Connection *connection, const char *endpoint)
{
	ListCell   *lc;
	EndpointLimiter *entry;
	MemoryContext old;

	foreach(lc, connection->limiters)
	{
		entry = lfirst(lc);
		if (strcmp(entry->endpoint, endpoint) == 0)
			return entry->limiter;
	}
	old = MemoryContextSwitchTo(connection->context);
	entry = palloc0(sizeof(EndpointLimiter));
	entry->endpoint = pstrdup(endpoint);
	entry->limiter = limiter_create(connection->credentials.account, endpoint);
	connection->limiters = lappend(connection->limiters, entry);
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
connection_has_token_file(const Connection *connection)
{
	return credentials_have_file(&connection->credentials);
}

bool
connection_has_bad_token_file(const Connection *connection)
{
	return connection->credentials.bad_file;
}

bool
connection_note_lack(Connection *connection, int flag)
{
	bool		is_new = (connection->lacks & flag) == 0;

	connection->lacks |= flag;
	return is_new;
}

bool
connection_lacks(const Connection *connection, int flag)
{
	return (connection->lacks & flag) != 0;
}

void
connection_hide_token(const Connection *connection, char *text, size_t length)
{
	credentials_hide(&connection->credentials, text, length);
}

const char *
connection_token_source(Oid userid, Oid serverid)
{
	UserMapping *mapping = GetUserMapping(userid, serverid);
	bool		has_file = false;
	ListCell   *lc;

	foreach(lc, mapping->options)
		if (strcmp(lfirst_node(DefElem, lc)->defname, "token_file") == 0)
			has_file = true;
	credentials_wipe_options(mapping);
	return has_file ? "token_file" : "token";
}

/* ------------------------------------------------------------------------
 * The start of the library
 * ------------------------------------------------------------------------
 */

/*
 * The callbacks are registered before any server or user mapping is read, so
 * that no change is missed.
 */
void
connection_init(void)
{
	static int	done = 0;

	if (done < 1)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		done = 1;
	}
	if (done < 2)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate, (Datum) 0);
		done = 2;
	}
	if (done < 3)
	{
		allowed_hosts_define();
		done = 3;
	}
}
