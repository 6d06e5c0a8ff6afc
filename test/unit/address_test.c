/*
 * address_test.c
 *		Unit tests of the kinds of addresses; prints TAP.
 */
#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const struct
{
	const char *text;
	AddressKind kind;
} cases[] = {
	/* this machine */
	{"127.0.0.1", ADDRESS_LOOPBACK},
	{"127.255.255.255", ADDRESS_LOOPBACK},
	{"0.0.0.0", ADDRESS_LOOPBACK},
	{"0.1.2.3", ADDRESS_LOOPBACK},
	{"::1", ADDRESS_LOOPBACK},
	{"::", ADDRESS_LOOPBACK},
	{"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
	{"::ffff:0.0.0.0", ADDRESS_LOOPBACK},

	/* link-local addresses, and addresses that map to local ones */
	{"169.254.0.0", ADDRESS_LOCAL},
	{"169.254.169.254", ADDRESS_LOCAL},
	{"169.254.255.255", ADDRESS_LOCAL},
	{"fe80::1", ADDRESS_LOCAL},
	{"febf::1", ADDRESS_LOCAL},
	{"::ffff:169.254.169.254", ADDRESS_LOCAL},
	{"::127.0.0.1", ADDRESS_LOCAL},
	{"::169.254.169.254", ADDRESS_LOCAL},
	{"64:ff9b::127.0.0.1", ADDRESS_LOCAL},
	{"64:ff9b::169.254.169.254", ADDRESS_LOCAL},
	{"2002:7f00:1::1", ADDRESS_LOCAL},
	{"2002:a9fe:a9fe::1", ADDRESS_LOCAL},

	/* private networks, and reserved addresses */
	{"10.0.0.0", ADDRESS_PRIVATE},
	{"10.255.255.255", ADDRESS_PRIVATE},
	{"100.64.0.1", ADDRESS_PRIVATE},
	{"100.127.255.255", ADDRESS_PRIVATE},
	{"172.16.0.1", ADDRESS_PRIVATE},
	{"172.31.255.255", ADDRESS_PRIVATE},
	{"192.0.0.8", ADDRESS_PRIVATE},
	{"192.0.2.1", ADDRESS_PRIVATE},
	{"192.88.99.1", ADDRESS_PRIVATE},
	{"192.168.255.255", ADDRESS_PRIVATE},
	{"198.18.0.1", ADDRESS_PRIVATE},
	{"198.19.255.255", ADDRESS_PRIVATE},
	{"198.51.100.7", ADDRESS_PRIVATE},
	{"203.0.113.7", ADDRESS_PRIVATE},
	{"224.0.0.1", ADDRESS_PRIVATE},
	{"240.0.0.1", ADDRESS_PRIVATE},
	{"255.255.255.255", ADDRESS_PRIVATE},
	{"fc00::1", ADDRESS_PRIVATE},
	{"fd12:3456::1", ADDRESS_PRIVATE},
	{"fec0::1", ADDRESS_PRIVATE},
	{"ff02::1", ADDRESS_PRIVATE},
	{"100::1", ADDRESS_PRIVATE},
	{"2001::1", ADDRESS_PRIVATE},
	{"2001:db8::1", ADDRESS_PRIVATE},
	{"3fff:fff::1", ADDRESS_PRIVATE},
	{"4000::1", ADDRESS_PRIVATE},
	{"64:ff9b:1::10.0.0.1", ADDRESS_PRIVATE},
	{"::ffff:10.0.0.1", ADDRESS_PRIVATE},
	{"64:ff9b::10.0.0.1", ADDRESS_PRIVATE},
	{"2002:a00:1::1", ADDRESS_PRIVATE},

	/* the Internet, with the neighbours of all ranges above */
	{"1.0.0.0", ADDRESS_PUBLIC},
	{"9.255.255.255", ADDRESS_PUBLIC},
	{"11.0.0.0", ADDRESS_PUBLIC},
	{"100.63.255.255", ADDRESS_PUBLIC},
	{"100.128.0.0", ADDRESS_PUBLIC},
	{"126.255.255.255", ADDRESS_PUBLIC},
	{"128.0.0.0", ADDRESS_PUBLIC},
	{"169.253.255.255", ADDRESS_PUBLIC},
	{"169.255.0.0", ADDRESS_PUBLIC},
	{"172.15.255.255", ADDRESS_PUBLIC},
	{"172.32.0.0", ADDRESS_PUBLIC},
	{"192.0.1.0", ADDRESS_PUBLIC},
	{"192.167.255.255", ADDRESS_PUBLIC},
	{"192.169.0.0", ADDRESS_PUBLIC},
	{"198.17.255.255", ADDRESS_PUBLIC},
	{"198.20.0.0", ADDRESS_PUBLIC},
	{"223.255.255.255", ADDRESS_PUBLIC},
	{"2000::1", ADDRESS_PUBLIC},
	{"2001:200::1", ADDRESS_PUBLIC},
	{"2001:4860:4860::8888", ADDRESS_PUBLIC},
	{"2003::1", ADDRESS_PUBLIC},
	{"2606:4700::1111", ADDRESS_PUBLIC},
	{"3ffe::1", ADDRESS_PUBLIC},
	{"3fff:1000::1", ADDRESS_PUBLIC},
	{"::ffff:8.8.8.8", ADDRESS_PUBLIC},
	{"64:ff9b::8.8.8.8", ADDRESS_PUBLIC},
};

static int checks = 0;
static int failures = 0;

static void
check(const char *name, AddressKind got, AddressKind expected)
{
	checks++;
	printf("%sok %d - %s\n", got == expected ? "" : "not ", checks, name);
	if (got != expected)
	{
		failures++;
		printf("#      got: %d\n# expected: %d\n", (int) got, (int) expected);
	}
}

static AddressKind
kind_of_text(const char *text)
{
	struct sockaddr_in	ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
		return address_kind((const struct sockaddr *) &ipv4);
	if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1)
		return address_kind((const struct sockaddr *) &ipv6);
	return (AddressKind) -1;
}

int
main(void)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(cases[i].text, kind_of_text(cases[i].text), cases[i].kind);
	check("a socket in the file system",
		  address_kind((const struct sockaddr *) &local), ADDRESS_PRIVATE);
	printf("1..%d\n", checks);
	return failures > 0;
}
