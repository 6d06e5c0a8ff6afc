/*
 * address.c
 *		The kind of a network address.
 *
 * Source: IANA's registries of special-purpose addresses for IPv4 and IPv6 (RFC
 * 6890 and its successors), and how kernels treat some of them.
 *
 * IPv6 has several notations for an IPv4 address.  All of them have the kind of
 * that address, so that none evades a rule about it.
 */
#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Network4
{
	uint32_t	prefix;
	int			bits;			/* length of the prefix */
	AddressKind kind;
} Network4;

typedef struct Network6
{
	uint8_t		prefix[16];
	int			bits;
	AddressKind kind;
	int			ipv4;			/* offset of an embedded IPv4 address, whose
								 * kind counts instead; 0: none */
} Network6;

static const Network4 networks4[] = {
	{0x00000000, 8, ADDRESS_LOOPBACK}, /* 0.0.0.0 reaches this machine */
	{0x0A000000, 8, ADDRESS_PRIVATE},  /* 10.0.0.0 */
	{0x64400000, 10, ADDRESS_PRIVATE}, /* 100.64.0.0: carriers */
	{0x7F000000, 8, ADDRESS_LOOPBACK}, /* 127.0.0.0 */
	{0xA9FE0000, 16, ADDRESS_LOCAL},   /* 169.254.0.0 */
	{0xAC100000, 12, ADDRESS_PRIVATE}, /* 172.16.0.0 */
	{0xC0000000, 24, ADDRESS_PRIVATE}, /* 192.0.0.0: protocols */
	{0xC0000200, 24, ADDRESS_PRIVATE}, /* 192.0.2.0: examples */
	{0xC0586300, 24, ADDRESS_PRIVATE}, /* 192.88.99.0: former relays */
	{0xC0A80000, 16, ADDRESS_PRIVATE}, /* 192.168.0.0 */
	{0xC6120000, 15, ADDRESS_PRIVATE}, /* 198.18.0.0: benchmarks */
	{0xC6336400, 24, ADDRESS_PRIVATE}, /* 198.51.100.0: examples */
	{0xCB007100, 24, ADDRESS_PRIVATE}, /* 203.0.113.0: examples */
	{0xE0000000, 3, ADDRESS_PRIVATE},  /* 224.0.0.0: multicast, reserved */
};

/* The first match counts. */
static const Network6 networks6[] = {
	/* :: reaches this machine */
	{{0}, 128, ADDRESS_LOOPBACK, 0},
	{{[15] = 1}, 128, ADDRESS_LOOPBACK, 0},
	/* ::ffff:0:0, IPv4-mapped: sent as IPv4 */
	{{[10] = 0xFF, [11] = 0xFF}, 96, ADDRESS_LOOPBACK, 12},
	/* ::, IPv4-compatible, obsolete */
	{{0}, 96, ADDRESS_PRIVATE, 12},
	/* 64:ff9b::, for a translator */
	{{0x00, 0x64, 0xFF, 0x9B}, 96, ADDRESS_PRIVATE, 12},
	{{0xFE, 0x80}, 10, ADDRESS_LOCAL, 0}, /* fe80:: */
	/* 2001::, protocols, including Teredo tunnels */
	{{0x20, 0x01}, 23, ADDRESS_PRIVATE, 0},
	{{0x20, 0x01, 0x0D, 0xB8}, 32, ADDRESS_PRIVATE, 0}, /* examples */
	{{0x20, 0x02}, 16, ADDRESS_PRIVATE, 2}, /* 2002::, 6to4 tunnels */
	{{0x3F, 0xFF}, 20, ADDRESS_PRIVATE, 0}, /* 3fff::, examples */
	{{0x20}, 3, ADDRESS_PUBLIC, 0},			/* 2000::, all that is allocated */
};

static AddressKind
kind_of_ipv4(uint32_t address)
{
	for (size_t i = 0; i < sizeof(networks4) / sizeof(networks4[0]); i++)
		if (((address ^ networks4[i].prefix) >> (32 - networks4[i].bits)) == 0)
			return networks4[i].kind;
	return ADDRESS_PUBLIC;
}

static int
is_in_network(const uint8_t *address, const Network6 *network)
{
	int bytes = network->bits / 8;
	int rest = network->bits % 8;

	return memcmp(address, network->prefix, (size_t) bytes) == 0 &&
		   (rest == 0 ||
			(address[bytes] ^ network->prefix[bytes]) >> (8 - rest) == 0);
}

/*
 * A tunnel or translator is not this machine, though it may lead back to it.  A
 * loopback address behind it counts as local: it neither allows unencrypted
 * requests, nor is it safer than an address on the link.
 */
static AddressKind
kind_of_embedded(const uint8_t *address, const Network6 *network)
{
	uint32_t	ipv4;
	AddressKind kind;

	memcpy(&ipv4, address + network->ipv4, sizeof(ipv4));
	kind = kind_of_ipv4(ntohl(ipv4));
	return kind == ADDRESS_LOOPBACK && network->kind != ADDRESS_LOOPBACK
			   ? ADDRESS_LOCAL
			   : kind;
}

static AddressKind
kind_of_ipv6(const uint8_t *address)
{
	for (size_t i = 0; i < sizeof(networks6) / sizeof(networks6[0]); i++)
		if (is_in_network(address, &networks6[i]))
			return networks6[i].ipv4 != 0
					   ? kind_of_embedded(address, &networks6[i])
					   : networks6[i].kind;
	return ADDRESS_PRIVATE;
}

AddressKind
address_kind(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
	{
		struct sockaddr_in ipv4;

		memcpy(&ipv4, address, sizeof(ipv4));
		return kind_of_ipv4(ntohl(ipv4.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6)
	{
		struct sockaddr_in6 ipv6;

		memcpy(&ipv6, address, sizeof(ipv6));
		return kind_of_ipv6(ipv6.sin6_addr.s6_addr);
	}
	return ADDRESS_PRIVATE;
}
