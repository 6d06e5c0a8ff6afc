/*
 * allowed_hosts.h
 *		Which hosts a server may name in base_url.
 *
 * A user who may create servers must not be able to make the database call an
 * address of their choice.  So any host other than HiBob's needs the permission
 * of a superuser, who owns the server or adds the host to
 * hibob_fdw.allowed_hosts.
 */
#ifndef HIBOB_SESSION_ALLOWED_HOSTS_H
#define HIBOB_SESSION_ALLOWED_HOSTS_H

#include "postgres.h"

#include "foreign/foreign.h"
#include "http/http.h"

/* Defines the setting. */
extern void allowed_hosts_define(void);

/*
 * Which addresses the requests to a server may reach.  Raises an error if its
 * host is not allowed.
 *
 * This checks names.  The addresses that a name resolves to are checked when
 * the connection is made.  HiBob's addresses are public.  A host in the setting
 * may also be in the organization's network.  It may be this machine, or an
 * address that only this machine can reach, only if the setting names it by its
 * address or as localhost.
 */
extern HttpReach allowed_hosts_reach(const ForeignServer *server);

#endif							/* HIBOB_SESSION_ALLOWED_HOSTS_H */
