/* The addresses of this host, which are never blocked.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/local_addrs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/gateways.h"
#include "tests/unit/support.h"

/* An event of the kernel's comes within this time, or the test fails. */
#define DEADLINE_MS 10000

/* Replacements of system calls, see --wrap in ld(1). */

static bool faked;
static int getifaddrs_err, socket_err, bind_err;
static struct ifaddrs *interfaces;
static int lists_out;	/* that were not freed yet */

int __real_getifaddrs(struct ifaddrs **all);
int __wrap_getifaddrs(struct ifaddrs **all);
void __real_freeifaddrs(struct ifaddrs *all);
void __wrap_freeifaddrs(struct ifaddrs *all);
int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __real_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len);

/* The gateways, at most two; or what reading them returns. */
static struct addr gateways[2];
static int gateways_err;

int __real_gateways_foreach(gateways_fn *fn, void *ctx);
int __wrap_gateways_foreach(gateways_fn *fn, void *ctx);

int __wrap_gateways_foreach(gateways_fn *fn, void *ctx)
{
	size_t i;
	int r = gateways_err;

	if (!faked)
		return __real_gateways_foreach(fn, ctx);
	for (i = 0; i < COUNT_OF(gateways) && gateways[i].family && r == 0; i++)
		r = fn(ctx, &gateways[i]);
	return r;
}

int __wrap_getifaddrs(struct ifaddrs **all)
{
	if (getifaddrs_err) {
		errno = getifaddrs_err;
		return -1;
	}
	lists_out++;
	if (!faked)
		return __real_getifaddrs(all);
	*all = interfaces;
	return 0;
}

void __wrap_freeifaddrs(struct ifaddrs *all)
{
	lists_out--;
	if (!faked)
		__real_freeifaddrs(all);
}

int __wrap_socket(int domain, int type, int protocol)
{
	if (domain != AF_NETLINK || !socket_err)
		return __real_socket(domain, type, protocol);
	errno = socket_err;
	return -1;
}

int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	if (sa->sa_family != AF_NETLINK || !bind_err)
		return __real_bind(fd, sa, len);
	errno = bind_err;
	return -1;
}

/* A host with an address of each kind, as getifaddrs(3) returns it. */

static struct sockaddr_in loopback, mail;
static struct sockaddr_in6 mail6, link_local;
static struct sockaddr_ll hardware;
static struct ifaddrs chain[6];

static void set_ipv4(struct sockaddr_in *sa, const char *text)
{
	*sa = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = 25 };
	inet_pton(AF_INET, text, &sa->sin_addr);
}

static void set_ipv6(struct sockaddr_in6 *sa, const char *text)
{
	*sa = (struct sockaddr_in6){ .sin6_family = AF_INET6,
				     .sin6_scope_id = 2 };
	inet_pton(AF_INET6, text, &sa->sin6_addr);
}

static void fake_host(void)
{
	struct sockaddr *const addrs[] = {
		(struct sockaddr *)&hardware, (struct sockaddr *)&link_local,
		(struct sockaddr *)&mail, NULL, (struct sockaddr *)&mail6,
		(struct sockaddr *)&loopback,
	};
	size_t i;

	hardware.sll_family = AF_PACKET;
	set_ipv4(&loopback, "127.0.0.1");
	set_ipv4(&mail, "192.0.2.25");
	set_ipv6(&mail6, "2001:db8::25");
	set_ipv6(&link_local, "fe80::25");
	for (i = 0; i < COUNT_OF(chain); i++) {
		chain[i] = (struct ifaddrs){ .ifa_addr = addrs[i] };
		if (i + 1 < COUNT_OF(chain))
			chain[i].ifa_next = &chain[i + 1];
	}
	interfaces = chain;
	memset(gateways, 0, sizeof(gateways));
	gateways_err = 0;
	faked = true;
	getifaddrs_err = socket_err = bind_err = 0;
}

static void real_host(void)
{
	fake_host();
	faked = false;
}

static bool contains(struct local_addrs *h, const char *text)
{
	struct addr addr = { 0 };

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return local_addrs_contain(h, &addr);
}

static struct local_addrs *new_local_addrs(void)
{
	struct local_addrs *h;

	want_int(local_addrs_new(&h), 0);
	return h;
}

/* A descriptor that leaks moves this. */
static int lowest_free_fd(void)
{
	int fd = dup(STDOUT_FILENO);

	close(fd);
	return fd;
}

TEST(knows_nothing_at_first)
{
	struct local_addrs *h = new_local_addrs();

	want_int(local_addrs_known(h), false);
	want_int(local_addrs_fd(h), -1);
	want_int(contains(h, "127.0.0.1"), false);
	local_addrs_free(h);
	local_addrs_free(NULL);
}

static const struct contain_row {
	const char *label, *addr;
	bool want;
} contain_rows[] = {
	{ "loopback", "127.0.0.1", true },
	{ "IPv4", "192.0.2.25", true },
	{ "IPv4, mapped", "::ffff:192.0.2.25", true },
	{ "IPv6", "2001:db8::25", true },
	{ "link local", "fe80::25", true },
	{ "neighbour below", "192.0.2.24", false },
	{ "neighbour above", "192.0.2.26", false },
	{ "IPv6 neighbour", "2001:db8::26", false },
	{ "the bytes of an entry that is no IP", "0.0.0.0", false },
	{ "the same of IPv6", "::", false },
};

TEST_ROWS(contain, contain_rows)
{
	struct local_addrs *h = new_local_addrs();

	fake_host();
	want_int(local_addrs_refresh(h), 0);
	want_int(local_addrs_known(h), true);
	want_int(contains(h, row->addr), row->want);
	want_int(lists_out, 0);
	local_addrs_free(h);
}

static const struct overlap_row {
	const char *label, *prefix;
	bool want;
} overlap_rows[] = {
	{ "the address itself", "192.0.2.25/32", true },
	{ "a prefix around it", "192.0.2.0/24", true },
	{ "the prefix beside it", "192.0.3.0/24", false },
	{ "an IPv6 prefix around it", "2001:db8::/64", true },
	{ "the IPv6 prefix beside it", "2001:db8:0:1::/64", false },
	{ "loopback", "127.0.0.0/8", true },
};

TEST_ROWS(overlap, overlap_rows)
{
	struct local_addrs *h = new_local_addrs();
	struct cidr cidr;

	want_int(cidr_parse(row->prefix, strlen(row->prefix), &cidr), 0);
	want_int(local_addrs_overlap(h, &cidr), false);
	fake_host();
	want_int(local_addrs_refresh(h), 0);
	want_int(local_addrs_overlap(h, &cidr), row->want);
	local_addrs_free(h);
}

static void set_gateway(size_t i, const char *text)
{
	want_int(addr_parse(text, strlen(text), &gateways[i]), 0);
}

TEST(gateways_are_contained)
{
	struct local_addrs *h = new_local_addrs();
	struct cidr cidr;

	fake_host();
	set_gateway(0, "192.0.2.1");
	set_gateway(1, "0.0.0.0");
	want_int(local_addrs_refresh(h), 0);
	want_int(contains(h, "192.0.2.1"), true);
	want_int(contains(h, "192.0.2.25"), true);
	want_int(contains(h, "0.0.0.0"), false);
	want_int(cidr_parse("192.0.2.0/29", 12, &cidr), 0);
	want_int(local_addrs_overlap(h, &cidr), true);
	set_gateway(0, "192.0.2.2");
	want_int(local_addrs_refresh(h), 0);
	want_int(contains(h, "192.0.2.1"), false);
	want_int(contains(h, "192.0.2.2"), true);
	local_addrs_free(h);
}

/* If the routes cannot be read, the addresses are known all the same. */
TEST(unreadable_routes)
{
	struct local_addrs *h = new_local_addrs();

	fake_host();
	gateways_err = -EPERM;
	want_int(local_addrs_refresh(h), 0);
	want_int(contains(h, "192.0.2.25"), true);
	gateways_err = -ENOMEM;
	want_int(local_addrs_refresh(h), -ENOMEM);
	want_int(contains(h, "192.0.2.25"), true);
	want_int(lists_out, 0);
	local_addrs_free(h);
}

TEST(refresh_follows)
{
	struct local_addrs *h = new_local_addrs();

	fake_host();
	want_int(local_addrs_refresh(h), 0);
	set_ipv4(&mail, "192.0.2.26");
	want_int(contains(h, "192.0.2.25"), true);
	want_int(local_addrs_refresh(h), 0);
	want_int(contains(h, "192.0.2.25"), false);
	want_int(contains(h, "192.0.2.26"), true);
	local_addrs_free(h);
}

/* More addresses than bits in the filter that is checked first, so that addresses share bits:
 * each of them is known, before and after others are added, and none of its neighbours. */
#define MANY 1000

static void want_many(struct local_addrs *h, uint32_t first, bool want)
{
	struct addr addr = { .family = ADDR_IPV4 };
	uint32_t i, net;

	for (i = 0; i < MANY; i++) {
		net = htonl(first + 2 * i);
		memcpy(addr.bytes, &net, 4);
		want_int(local_addrs_contain(h, &addr), want);
		addr.bytes[3] ^= 1;
		want_int(local_addrs_contain(h, &addr), false);
	}
}

TEST(many_are_known)
{
	static struct sockaddr_in addrs[MANY];
	static struct ifaddrs all[MANY];
	const uint32_t firsts[] = { 0xc6336400, 0xcb007100, 0xcb007200 };
	struct local_addrs *h = new_local_addrs();
	uint32_t i, n;

	fake_host();
	interfaces = all;
	for (n = 0; n < COUNT_OF(firsts); n++) {
		for (i = 0; i < MANY; i++) {
			addrs[i] = (struct sockaddr_in){
				.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(firsts[n] + 2 * i),
			};
			all[i].ifa_addr = (struct sockaddr *)&addrs[i];
			all[i].ifa_next = i + 1 < MANY ? &all[i + 1] : NULL;
		}
		want_int(local_addrs_refresh(h), 0);
		want_many(h, firsts[n], true);
	}
	want_many(h, firsts[0], false);
	local_addrs_free(h);
}

TEST(host_without_addresses_is_known)
{
	struct local_addrs *h = new_local_addrs();

	fake_host();
	interfaces = NULL;
	want_int(local_addrs_refresh(h), 0);
	want_int(local_addrs_known(h), true);
	want_int(contains(h, "127.0.0.1"), false);
	local_addrs_free(h);
}

TEST(failed_refresh_keeps_the_old)
{
	struct local_addrs *h = new_local_addrs();

	fake_host();
	getifaddrs_err = EAFNOSUPPORT;
	want_int(local_addrs_refresh(h), -EAFNOSUPPORT);
	want_int(local_addrs_known(h), false);
	getifaddrs_err = 0;
	want_int(local_addrs_refresh(h), 0);
	set_ipv4(&mail, "192.0.2.26");
	getifaddrs_err = ENOBUFS;
	want_int(local_addrs_refresh(h), -ENOBUFS);
	want_int(local_addrs_known(h), true);
	want_int(contains(h, "192.0.2.25"), true);
	want_int(contains(h, "192.0.2.26"), false);
	local_addrs_free(h);
}

static const struct watch_row {
	const char *label;
	int err;
} watch_rows[] = {
	{ "no netlink socket", EAFNOSUPPORT },
	{ "not to be bound", 0 },
};

/* Without a socket to watch, the addresses are read all the same. */
TEST_ROWS(no_watch, watch_rows)
{
	struct local_addrs *h = new_local_addrs();
	int free_fd = lowest_free_fd();

	fake_host();
	socket_err = row->err;
	bind_err = EPERM;
	want_int(local_addrs_refresh(h), 0);
	want_int(local_addrs_fd(h), -1);
	want_int(contains(h, "192.0.2.25"), true);
	want_int(lowest_free_fd(), free_fd);
	/* It is tried again. */
	socket_err = bind_err = 0;
	want_int(local_addrs_refresh(h), 0);
	want_int(local_addrs_fd(h), free_fd);
	local_addrs_free(h);
	want_int(lowest_free_fd(), free_fd);
}

TEST(watch_is_one_descriptor)
{
	struct local_addrs *h = new_local_addrs();
	int free_fd = lowest_free_fd();

	fake_host();
	want_int(local_addrs_refresh(h), 0);
	want_int(local_addrs_refresh(h), 0);
	want_int(local_addrs_fd(h), free_fd);
	want_int(lowest_free_fd(), free_fd + 1);
	local_addrs_free(h);
	want_int(lowest_free_fd(), free_fd);
}

static int new_and_refresh(void *data)
{
	struct local_addrs *h;
	int r;

	(void)data;
	r = local_addrs_new(&h);
	if (r < 0)
		return r;
	r = local_addrs_refresh(h);
	want_int(local_addrs_known(h), r == 0);
	local_addrs_free(h);
	return r;
}

/* The set, its list, its room. */
TEST(memory)
{
	fake_host();
	want_int(memory_fail_each(new_and_refresh, NULL), 3);
	want_int(lists_out, 0);
}

/* This machine, whatever it has. */

TEST(every_address_of_this_host)
{
	struct local_addrs *h = new_local_addrs();
	struct ifaddrs *all, *ifa;
	char text[ADDR_TEXT_SIZE];
	int seen = 0;

	real_host();
	want_int(local_addrs_refresh(h), 0);
	want_int(__real_getifaddrs(&all), 0);
	for (ifa = all; ifa; ifa = ifa->ifa_next) {
		const struct sockaddr_in *in = (const void *)ifa->ifa_addr;

		if (!in || in->sin_family != AF_INET)
			continue;
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		want_int(contains(h, text), true);
		seen++;
	}
	__real_freeifaddrs(all);
	/* At least that of the loopback device. */
	want_int(seen > 0, true);
	want_int(contains(h, "203.0.113.77"), false);
	local_addrs_free(h);
}

static void *refresh_often(void *data)
{
	struct local_addrs *h = data;
	uintptr_t failed = 0;
	int i;

	for (i = 0; i < 2000; i++)
		failed += local_addrs_refresh(h) != 0;
	return (void *)failed;
}

TEST(asked_during_a_refresh)
{
	struct local_addrs *h = new_local_addrs();
	unsigned int wrong = 0, i;
	pthread_t thread;
	void *failed;

	fake_host();
	want_int(local_addrs_refresh(h), 0);
	want_int(pthread_create(&thread, NULL, refresh_often, h), 0);
	for (i = 0; i < 20000; i++)
		wrong += !contains(h, "192.0.2.25") || contains(h, "192.0.2.1");
	want_int(pthread_join(thread, &failed), 0);
	want_int((uintptr_t)failed, 0);
	want_int(wrong, 0);
	local_addrs_free(h);
}

/* A network namespace of our own, where addresses can come and go. */

static bool enter_namespace(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) < 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = __real_socket(AF_INET, SOCK_DGRAM, 0);
	want_int(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	return true;
}

static const char *namespace(void)
{
	static int entered = -1;

	if (entered < 0)
		entered = enter_namespace();
	return entered ? NULL : "the right to make a network namespace";
}

static const char *ipv6_namespace(void)
{
	if (namespace())
		return namespace();
	return access("/proc/sys/net/ipv6", F_OK) == 0 ? NULL : "IPv6";
}

/* Give the loopback device a second IPv4 address; 0.0.0.0 takes it away. */
static void set_second_address(const char *text)
{
	struct ifreq ifr = { .ifr_name = "lo:1" };
	struct sockaddr_in sa;
	int fd = __real_socket(AF_INET, SOCK_DGRAM, 0);

	set_ipv4(&sa, text);
	sa.sin_port = 0;
	memcpy(&ifr.ifr_addr, &sa, sizeof(sa));
	want_int(ioctl(fd, SIOCSIFADDR, &ifr), 0);
	close(fd);
}

static bool is_readable(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout) == 1 && p.revents == POLLIN;
}

static void want_notified(struct local_addrs *h)
{
	want_int(is_readable(local_addrs_fd(h), DEADLINE_MS), true);
	want_int(local_addrs_refresh(h), 0);
	want_int(is_readable(local_addrs_fd(h), 0), false);
}

TEST_NEEDING(namespace, address_comes_and_goes)
{
	struct local_addrs *h = new_local_addrs();

	real_host();
	want_int(local_addrs_refresh(h), 0);
	want_int(is_readable(local_addrs_fd(h), 0), false);
	want_int(contains(h, "192.0.2.77"), false);
	set_second_address("192.0.2.77");
	want_notified(h);
	want_int(contains(h, "192.0.2.77"), true);
	set_second_address("0.0.0.0");
	want_notified(h);
	want_int(contains(h, "192.0.2.77"), false);
	local_addrs_free(h);
}

/* More than fit into the socket's buffer: notifications are lost, addresses are not. */
TEST_NEEDING(namespace, many_changes_unread)
{
	struct local_addrs *h = new_local_addrs();
	int i;

	real_host();
	want_int(local_addrs_refresh(h), 0);
	for (i = 0; i < 600; i++) {
		set_second_address("192.0.2.78");
		set_second_address("0.0.0.0");
	}
	set_second_address("192.0.2.79");
	want_int(local_addrs_refresh(h), 0);
	want_int(is_readable(local_addrs_fd(h), 0), false);
	want_int(contains(h, "192.0.2.79"), true);
	want_int(contains(h, "192.0.2.78"), false);
	set_second_address("0.0.0.0");
	want_notified(h);
	want_int(contains(h, "192.0.2.79"), false);
	local_addrs_free(h);
}

/* struct in6_ifreq of linux/ipv6.h, which does not go with netinet/in.h. */
struct ipv6_request {
	struct in6_addr addr;
	uint32_t prefix;
	int index;
};

static void change_ipv6(const char *text, unsigned long request)
{
	struct ipv6_request r = { .prefix = 128,
				  .index = (int)if_nametoindex("lo") };
	int fd = __real_socket(AF_INET6, SOCK_DGRAM, 0);

	inet_pton(AF_INET6, text, &r.addr);
	want_int(ioctl(fd, request, &r), 0);
	close(fd);
}

/* The kernel announces a new IPv6 address again after duplicate detection: there may be
 * another notification at any time. */
static void want_notified_once_or_twice(struct local_addrs *h)
{
	want_int(is_readable(local_addrs_fd(h), DEADLINE_MS), true);
	want_int(local_addrs_refresh(h), 0);
}

TEST_NEEDING(ipv6_namespace, ipv6_address_comes_and_goes)
{
	struct local_addrs *h = new_local_addrs();

	real_host();
	want_int(local_addrs_refresh(h), 0);
	change_ipv6("2001:db8::77", SIOCSIFADDR);
	want_notified_once_or_twice(h);
	want_int(contains(h, "2001:db8::77"), true);
	change_ipv6("2001:db8::77", SIOCDIFADDR);
	want_notified_once_or_twice(h);
	want_int(contains(h, "2001:db8::77"), false);
	local_addrs_free(h);
}

static bool ip(const char *words)
{
	char command[256];

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin ip %s 2>/dev/null", words);
	return system(command) == 0;
}

static const char *ip_namespace(void)
{
	if (namespace())
		return namespace();
	return ip("link add veth0 type veth peer name veth1 && ip link del veth0") ?
		       NULL : "ip, or veth";
}

/* A route by another gateway is news, one by a known gateway is not. */
TEST_NEEDING(ip_namespace, gateway_comes_and_goes)
{
	struct local_addrs *h = new_local_addrs();

	real_host();
	want_int(ip("link add veth0 type veth peer name veth1 && ip link set veth0 up && "
		    "ip link set veth1 up && ip addr add 198.51.100.2/24 dev veth0"), true);
	want_int(local_addrs_refresh(h), 0);
	want_int(contains(h, "198.51.100.1"), false);
	want_int(ip("route add default via 198.51.100.1"), true);
	want_int(is_readable(local_addrs_fd(h), DEADLINE_MS), true);
	want_int(local_addrs_refresh(h), 0);
	want_int(contains(h, "198.51.100.1"), true);
	getifaddrs_err = EIO;	/* reading again would fail */
	want_int(ip("route add 203.0.113.0/24 via 198.51.100.1"), true);
	want_int(is_readable(local_addrs_fd(h), DEADLINE_MS), true);
	want_int(local_addrs_refresh(h), 0);
	want_int(ip("route add 192.0.2.0/24 via 198.51.100.9"), true);
	want_int(local_addrs_refresh(h), -EIO);
	getifaddrs_err = 0;
	want_int(local_addrs_refresh(h), 0);
	want_int(contains(h, "198.51.100.9"), true);
	want_int(ip("route del 192.0.2.0/24; ip link del veth0"), true);
	want_int(local_addrs_refresh(h), 0);
	want_int(contains(h, "198.51.100.9"), false);
	local_addrs_free(h);
}
