/*
 * address.h
 *		What kind of place a network address is.
 *
 * Knows nothing of PostgreSQL, and who may go where is for others to say.
 */
#ifndef HIBOB_HTTP_ADDRESS_H
#define HIBOB_HTTP_ADDRESS_H

#include <sys/socket.h>

typedef enum AddressKind
{
	ADDRESS_PUBLIC,	 /* of the Internet */
	ADDRESS_PRIVATE, /* of an organization's network, or reserved for
								 * whatever purpose */
	ADDRESS_LOCAL,	 /* of the link that this machine is on, which is
								 * where clouds keep their credentials */
	ADDRESS_LOOPBACK /* this machine */
} AddressKind;

/* Whatever is not of the Internet family is private. */
extern AddressKind address_kind(const struct sockaddr *address);

#endif /* HIBOB_HTTP_ADDRESS_H */
