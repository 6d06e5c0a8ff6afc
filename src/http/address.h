/*
 * address.h
 *		The kind of a network address: public, private, or local.
 *
 * Knows nothing of PostgreSQL, nor of which kinds a request may use.
 */
#ifndef HIBOB_HTTP_ADDRESS_H
#define HIBOB_HTTP_ADDRESS_H

#include <sys/socket.h>

typedef enum AddressKind
{
	ADDRESS_PUBLIC,				/* in the Internet */
	ADDRESS_PRIVATE,			/* in a private network, or reserved */
	ADDRESS_LOCAL,				/* on the link of this machine, where clouds
								 * offer credentials */
	ADDRESS_LOOPBACK			/* this machine */
} AddressKind;

/* An address of another family than IPv4 and IPv6 is private. */
extern AddressKind address_kind(const struct sockaddr *address);

#endif /* HIBOB_HTTP_ADDRESS_H */
