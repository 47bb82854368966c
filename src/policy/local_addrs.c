/* The addresses of this host and of its gateways, which are never blocked.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/local_addrs.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/gateways.h"
#include "policy/live_set.h"

/* A host has few addresses, and nearly every trigger is about another one. A bitmap with
 * one bit per address hash answers nearly all lookups without the lock; only a set bit
 * takes a look at the list. */
#define SIEVE_WORDS 8
#define SIEVE_SHIFT (64 - 9)

struct local_addrs {
	int fd;
	bool known;
	/* Has a bit set for each address on the list. */
	atomic_uint_least64_t sieve[SIEVE_WORDS];
	struct live_set list;
};

_Static_assert(SIEVE_WORDS * 64 == UINT64_C(1) << (64 - SIEVE_SHIFT), "all bits are there");

static unsigned int bit_of(const struct addr *addr)
{
	uint64_t half[2];

	memcpy(half, addr->bytes, sizeof(half));
	return (unsigned int)((half[0] ^ half[1] << 1) * UINT64_C(0x9e3779b97f4a7c15) >>
			      SIEVE_SHIFT);
}

static bool is_in_sieve(const struct local_addrs *h, const struct addr *addr)
{
	unsigned int bit = bit_of(addr);

	return atomic_load_explicit(&h->sieve[bit / 64], memory_order_acquire) >>
		       bit % 64 & 1;
}

int local_addrs_new(struct local_addrs **ret_local_addrs)
{
	struct local_addrs *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->fd = -1;
	live_set_init(&h->list);
	*ret_local_addrs = h;
	return 0;
}

void local_addrs_free(struct local_addrs *local_addrs)
{
	if (!local_addrs)
		return;
	if (local_addrs->fd >= 0)
		close(local_addrs->fd);
	live_set_done(&local_addrs->list);
	free(local_addrs);
}

int local_addrs_fd(const struct local_addrs *local_addrs)
{
	return local_addrs->fd;
}

/* The address of an interface as a prefix of full length. Returns false for families other
 * than IP (packet sockets have entries, too). */
static bool host_of_sockaddr(const struct sockaddr *sa, struct cidr *ret_host)
{
	memset(ret_host, 0, sizeof(*ret_host));
	if (!sa || addr_of_sockaddr(sa, &ret_host->net) < 0)
		return false;
	ret_host->prefix = (uint8_t)addr_bits(&ret_host->net);
	return true;
}

/* A list under construction. */
struct found {
	struct prefix_set *list;
	uint64_t sieve[SIEVE_WORDS];
};

static int add(struct found *found, const struct cidr *host)
{
	unsigned int bit = bit_of(&host->net);
	int r = prefix_set_add(found->list, host);

	if (r == 0)
		found->sieve[bit / 64] |= UINT64_C(1) << bit % 64;
	return r;
}

static int add_gateway(void *ctx, const struct addr *gateway)
{
	const struct cidr host = { .net = *gateway, .prefix = (uint8_t)addr_bits(gateway) };

	/* A multipath route without a gateway has zeros there. */
	return addr_is_peer(gateway) ? add(ctx, &host) : 0;
}

static int add_all(struct found *found, const struct ifaddrs *ifa)
{
	struct cidr host;
	int r = 0;

	for (; ifa && r == 0; ifa = ifa->ifa_next)
		if (host_of_sockaddr(ifa->ifa_addr, &host))
			r = add(found, &host);
	/* If the routes cannot be read, the addresses count all the same. */
	if (r == 0 && gateways_foreach(add_gateway, found) == -ENOMEM)
		r = -ENOMEM;
	prefix_set_seal(found->list);
	return r;
}

static int read_list(struct found *ret_found)
{
	struct found found = { .list = NULL };
	struct ifaddrs *all;
	int r;

	if (getifaddrs(&all) < 0)
		return -errno;
	r = prefix_set_new(&found.list);
	if (r == 0)
		r = add_all(&found, all);
	freeifaddrs(all);
	if (r < 0) {
		prefix_set_free(found.list);
		return r;
	}
	*ret_found = found;
	return 0;
}

static int open_watch(void)
{
	struct sockaddr_nl sa = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
			     RTMGRP_IPV6_ROUTE,
	};
	int fd;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    NETLINK_ROUTE);
	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int is_unknown(void *ctx, const struct addr *gateway)
{
	return addr_is_peer(gateway) && !local_addrs_contain(ctx, gateway);
}

/* A host may have many routes, which change all the time, and few gateways. */
static bool is_news(struct local_addrs *h, const struct nlmsghdr *messages, size_t len)
{
	if (len < sizeof(*messages))
		return true;
	if (messages->nlmsg_type == RTM_DELROUTE)
		return false;
	return messages->nlmsg_type != RTM_NEWROUTE ||
	       gateways_in(messages, len, is_unknown, h) != 0;
}

/* Discard the notifications: everything is read again anyway, so lost ones (ENOBUFS) do not
 * matter either. Returns false if they were about nothing but known gateways. */
static bool drain(struct local_addrs *h)
{
	_Alignas(struct nlmsghdr) char buf[4096];
	bool news = false, any = false;
	ssize_t n;

	do {
		n = recv(h->fd, buf, sizeof(buf), MSG_DONTWAIT);
		any |= n > 0;
		if (n > 0)
			news |= is_news(h, (const void *)buf, (size_t)n);
		else if (n < 0 && errno == ENOBUFS)
			news = any = true;
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == ENOBUFS)));
	return news || !any;
}

/* Takes the list over. An address that is on both lists keeps its bit set throughout. */
static void replace(struct local_addrs *h, const struct found *found)
{
	unsigned int i;

	live_set_replace(&h->list, found->list);
	for (i = 0; i < SIEVE_WORDS; i++)
		atomic_store_explicit(&h->sieve[i], found->sieve[i],
				      memory_order_release);
	h->known = true;
}

int local_addrs_refresh(struct local_addrs *local_addrs)
{
	struct found found = { .list = NULL };
	int r;

	/* Open the socket first: a change while reading must not be missed. */
	if (local_addrs->fd < 0)
		local_addrs->fd = open_watch();
	else if (!drain(local_addrs) && local_addrs_known(local_addrs))
		return 0;
	r = read_list(&found);
	if (r < 0)
		return r;
	replace(local_addrs, &found);
	return 0;
}

bool local_addrs_known(const struct local_addrs *local_addrs)
{
	return local_addrs->known;
}

bool local_addrs_contain(struct local_addrs *local_addrs, const struct addr *addr)
{
	return is_in_sieve(local_addrs, addr) && live_set_contains(&local_addrs->list, addr);
}

bool local_addrs_overlap(struct local_addrs *local_addrs, const struct cidr *cidr)
{
	return live_set_overlaps(&local_addrs->list, cidr);
}
