/*
 * connection.h
 *		What a session keeps for a user mapping: credentials, open channels,
 *		what HiBob last said about the rate limit, and whether it refused the
 *		credentials.
 *
 * Nothing is shared between user mappings.  After ALTER SERVER or ALTER USER
 * MAPPING the next scan gets a new connection; a running one finishes on the
 * old one.
 */
#ifndef HIBOB_SESSION_CONNECTION_H
#define HIBOB_SESSION_CONNECTION_H

#include "postgres.h"

#include "http/http.h"
#include "options/options.h"
#include "session/exchange.h"

typedef struct Connection Connection;

/* A channel borrowed from a connection, which stays valid with it. */
typedef struct AcquiredChannel
{
	Connection *connection;		/* NULL: not open */
	HttpChannel *channel;
} AcquiredChannel;

/*
 * Borrows a channel of the connection for a role's user mapping on a server.
 * Raises an error if there is no mapping or the server's address is not
 * allowed.  The caller has arranged before that connection_release() is called
 * for the lease, also after an error.
 */
extern void connection_acquire(Oid userid, Oid serverid,
							   AcquiredChannel *acquired);

/*
 * Borrows a further channel of a connection that is in use, altered or not.
 */
extern void connection_acquire_another(const AcquiredChannel *of,
									   AcquiredChannel *acquired);

/*
 * Stops what runs on the channel and gives it back.  Does nothing for a lease
 * that is not open.  Never raises an error: it is called during aborts.
 */
extern void connection_release(AcquiredChannel *acquired);

/* A request to a path below the server's base URL, with the credentials. */
extern void connection_request(const Connection *connection,
							   const char *method, const char *path,
							   HttpRequest *request);

extern const ServerOptions *connection_options(const Connection *connection);

/*
 * Who may ask: anything, with these credentials, until they are altered; and at
 * an endpoint, by its rate limit.  Both live as long as the connection, or longer.
 */
extern Limiter *connection_gate(const Connection *connection);
extern Limiter *connection_limiter(Connection *connection,
								   const char *endpoint);

/* What can be told of a connection. */
typedef struct ConnectionInfo
{
	const char *server_name;
	const char *user_name;
	bool		valid;			/* its server and mapping were not altered */
	int			idle;			/* channels */
	int			acquired;		/* channels in use */
	TimestampTz refused_until;	/* 0: HiBob did not refuse the credentials */
} ConnectionInfo;

/*
 * The session's connections that are open or were refused: a list of
 * ConnectionInfo.
 */
extern List *connection_list(void);

/*
 * Closes the connections of a server, or all of them if that is NULL, but for
 * those in use.  Returns how many were closed, and how many were not.  What
 * HiBob said of credentials and limits stays: nobody gets to ask sooner so.
 */
extern int	connection_close(const char *server_name, int *in_use);

extern Oid	connection_server(const Connection *connection);

/* For messages: the server's name, and the mapping's role or "public". */
extern const char *connection_server_name(const Connection *connection);
extern const char *connection_user_name(const Connection *connection);

/*
 * HiBob blocks a whole address after fifty answers 401 within ten seconds, so
 * refused credentials are not shown to it again for a minute.
 */
extern bool connection_was_refused(const Connection *connection);

/* Defines the setting hibob_fdw.allowed_hosts. */
extern void connection_define_settings(void);

#endif							/* HIBOB_SESSION_CONNECTION_H */
