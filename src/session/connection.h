/*
 * connection.h
 *		The state that a session keeps for a user mapping: credentials, open
 *		channels, the limiters of its endpoints, and whether HiBob rejected the
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
#include "session/limiter.h"

typedef struct Connection Connection;

/* A channel of a connection, which is valid until it is released. */
typedef struct AcquiredChannel
{
	Connection *connection;		/* NULL: none */
	HttpChannel *channel;
} AcquiredChannel;

/*
 * Registers callbacks and the setting hibob_fdw.allowed_hosts.  May be called
 * again after an error.
 */
extern void connection_init(void);

/*
 * Acquires a channel of the connection for a role's user mapping on a server.
 * Raises an error if there is no mapping, if the server's address is not
 * allowed or if there are no descriptors left.  The caller must have arranged
 * that connection_release() is called, even after an error.
 */
extern void connection_acquire(Oid userid, Oid serverid,
							   AcquiredChannel *acquired);

/*
 * Acquires another channel of a connection that is in use, even if its server
 * or mapping was altered.  False if there are no descriptors left for it.
 */
extern bool connection_acquire_another(const AcquiredChannel *of,
									   AcquiredChannel *acquired);

/*
 * Ends the channel's exchange and returns the channel to its connection.  Does
 * nothing if none was acquired.  Never raises an error: it is called during
 * aborts.
 */
extern void connection_release(AcquiredChannel *acquired);

/*
 * A request to a path below the server's base URL, with the credentials.
 * These strings stay where they are, and change with the credentials.
 */
extern void connection_request(const Connection *connection,
							   const char *method, const char *path,
							   HttpRequest *request);

extern const ServerOptions *connection_options(const Connection *connection);

/*
 * The limiters of the credentials, until these or the server are altered; of
 * the server's address, for all credentials; and of an endpoint.  They live as
 * long as the connection.
 */
extern Limiter *connection_credentials_limiter(const Connection *connection);
extern Limiter *connection_address_limiter(const Connection *connection);
extern Limiter *connection_limiter(Connection *connection,
								   const char *endpoint);

/*
 * Credentials that come from a file can change while the connection is in use;
 * then they get another version.  A version is that of one connection only.
 *
 * connection_renew_credentials() reads the file again.  True if the credentials
 * are no longer of that version.  A file that cannot be used changes nothing;
 * the server log has the reason.
 */
extern uint64 connection_credentials_version(const Connection *connection);
extern bool connection_renew_credentials(Connection *connection,
										 uint64 version);

/*
 * The version of the credentials of a role's user mapping, after their file was
 * read again.  Raises an error if a channel could not be acquired for lack of a
 * mapping, of an allowed address or of a token file.
 */
extern uint64 connection_current_credentials(Oid userid, Oid serverid);

/* HiBob rejected the credentials of a version: see limiter_note_rejected(). */
extern void connection_note_rejected(Connection *connection, uint64 version);

/*
 * Whether the credentials must not be sent now, since HiBob has rejected them.
 * If they come from a file, it is read again first.
 */
extern bool connection_is_rejected(Connection *connection);

typedef struct ConnectionInfo
{
	const char *server_name;
	const char *user_name;
	bool		valid;			/* its server and mapping were not altered */
	int			idle;			/* channels */
	int			acquired;		/* channels in use */
	TimestampTz rejected_until; /* 0: the credentials are not rejected */
} ConnectionInfo;

/*
 * The session's connections that are open or whose credentials are rejected: a
 * list of ConnectionInfo.
 */
extern List *connection_list(void);

/*
 * Closes the connections of a server, or all of them if that is NULL, except
 * those in use.  Returns the numbers of those that were closed, and of those in
 * use.  The state of the credentials and the limits is kept, so that a client
 * cannot shorten a wait.  A token file is read again when a connection is used
 * next.
 */
extern int	connection_close(const char *server_name, int *in_use);

extern Oid	connection_server(const Connection *connection);

/* For messages: the server's name, and the mapping's role or "public". */
extern const char *connection_server_name(const Connection *connection);
extern const char *connection_user_name(const Connection *connection);

/* Whether the credentials come from a file. */
extern bool connection_has_token_file(const Connection *connection);

/* Whether that file could not be used when it was read again. */
extern bool connection_has_bad_token_file(const Connection *connection);

/*
 * Notes that the account lacks a feature, as a flag of the caller, for as long
 * as the connection lasts.  Returns whether that is new.
 */
extern bool connection_note_lack(Connection *connection, int flag);
extern bool connection_lacks(const Connection *connection, int flag);

/*
 * Overwrites the token in a text, also as in the header Authorization: HiBob or
 * a gateway may repeat it in a message.
 */
extern void connection_hide_token(const Connection *connection, char *text,
								  size_t length);

/*
 * Which option of a role's user mapping the token comes from: "token" or
 * "token_file".  Raises an error if there is no mapping.
 */
extern const char *connection_token_source(Oid userid, Oid serverid);

#endif							/* HIBOB_SESSION_CONNECTION_H */
