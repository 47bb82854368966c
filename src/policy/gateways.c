/* The routers through which this host sends.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/gateways.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of one recv(2): a dump comes in parts of up to 32 KB, if there is room. */
#define BUFFER_SIZE 16384

struct walk {
	gateways_fn *fn;
	void *ctx;
	unsigned int routes;	/* of this family so far */
	bool done;
};

static int report(const struct walk *walk, int family, const void *bytes, size_t len)
{
	struct addr addr = { .family = family == AF_INET ? ADDR_IPV4 : ADDR_IPV6 };

	if ((family != AF_INET && family != AF_INET6) || len != addr_bits(&addr) / 8)
		return 0;
	memcpy(addr.bytes, bytes, len);
	return walk->fn(walk->ctx, &addr);
}

/* A next hop of the other family: IPv4 through IPv6 (RFC 5549). */
static int report_via(const struct walk *walk, const struct nlattr *attr)
{
	size_t len = mnl_attr_get_payload_len(attr), skip = offsetof(struct rtvia, rtvia_addr);
	const struct rtvia *via = mnl_attr_get_payload(attr);

	if (len < skip)
		return 0;
	return report(walk, via->rtvia_family, via->rtvia_addr, len - skip);
}

typedef int attr_fn(const struct walk *walk, int family, const struct nlattr *attr);

static int walk_attrs(const struct walk *walk, int family, const void *attrs, size_t len,
		      attr_fn *each)
{
	const struct nlattr *attr = attrs;
	int left = (int)len, r = 0;

	for (; r == 0 && mnl_attr_ok(attr, left); attr = mnl_attr_next(attr)) {
		r = each(walk, family, attr);
		left -= (int)MNL_ALIGN(attr->nla_len);
	}
	return r;
}

static int of_hop(const struct walk *walk, int family, const struct nlattr *attr)
{
	if (mnl_attr_get_type(attr) == RTA_GATEWAY)
		return report(walk, family, mnl_attr_get_payload(attr),
			      mnl_attr_get_payload_len(attr));
	if (mnl_attr_get_type(attr) == RTA_VIA)
		return report_via(walk, attr);
	return 0;
}

/* RTA_MULTIPATH: each struct rtnexthop is followed by its attributes. */
static int walk_hops(const struct walk *walk, int family, const struct nlattr *hops)
{
	const char *at = mnl_attr_get_payload(hops);
	size_t left = mnl_attr_get_payload_len(hops), len;
	struct rtnexthop hop;
	int r = 0;

	for (; r == 0 && left >= sizeof(hop); at += len, left -= len) {
		memcpy(&hop, at, sizeof(hop));
		len = MNL_ALIGN(hop.rtnh_len);
		if (hop.rtnh_len < sizeof(hop) || len > left)
			break;
		r = walk_attrs(walk, family, at + sizeof(hop), hop.rtnh_len - sizeof(hop),
			       of_hop);
	}
	return r;
}

static int of_route(const struct walk *walk, int family, const struct nlattr *attr)
{
	if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
		return walk_hops(walk, family, attr);
	return of_hop(walk, family, attr);
}

_Static_assert(sizeof(struct rtmsg) % MNL_ALIGNTO == 0, "the attributes follow it");

static int walk_route(const struct walk *walk, const struct nlmsghdr *message)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	size_t len = mnl_nlmsg_get_payload_len(message), skip = sizeof(*route);

	if (len < skip)
		return 0;
	return walk_attrs(walk, route->rtm_family, (const char *)route + skip, len - skip,
			  of_route);
}

static int error_of(const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

	return mnl_nlmsg_get_payload_len(message) < sizeof(error->error) ? -EPROTO : error->error;
}

static int walk_messages(struct walk *walk, const void *messages, size_t len)
{
	const struct nlmsghdr *message = messages;
	int left = (int)len, r = 0;

	for (; r == 0 && !walk->done && mnl_nlmsg_ok(message, left);
	     message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_type == NLMSG_ERROR)
			r = error_of(message);
		walk->done = message->nlmsg_type == NLMSG_DONE;
		if (message->nlmsg_type != RTM_NEWROUTE)
			continue;
		walk->done = ++walk->routes >= GATEWAYS_ROUTES_MAX;
		r = walk_route(walk, message);
	}
	return r;
}

int gateways_in(const void *messages, size_t len, gateways_fn *fn, void *ctx)
{
	struct walk walk = { .fn = fn, .ctx = ctx };

	return walk_messages(&walk, messages, len);
}

static int ask(int fd, int family)
{
	const struct {
		struct nlmsghdr header;
		struct rtmsg route;
	} request = {
		.header = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETROUTE,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.route = { .rtm_family = (unsigned char)family },
	};

	return send(fd, &request, sizeof(request), MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The kernel fills in the next part as soon as one was read: nothing waits. */
static int walk_dump(int fd, struct walk *walk)
{
	_Alignas(struct nlmsghdr) char buf[BUFFER_SIZE];
	ssize_t n;
	int r = 0;

	while (r == 0 && !walk->done) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		r = n < 0 ? -errno : walk_messages(walk, buf, (size_t)n);
	}
	return r;
}

static int walk_family(int family, gateways_fn *fn, void *ctx)
{
	struct walk walk = { .fn = fn, .ctx = ctx };
	int fd, r;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	r = ask(fd, family);
	if (r == 0)
		r = walk_dump(fd, &walk);
	close(fd);
	return r;
}

int gateways_foreach(gateways_fn *fn, void *ctx)
{
	int r = walk_family(AF_INET, fn, ctx);

	return r == 0 ? walk_family(AF_INET6, fn, ctx) : r;
}
