/* The routers through which this host sends, in rtnetlink's messages. test_local_addrs.c has
 * those of a real kernel.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/gateways.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/unit/support.h"

/* Messages under construction. */
struct messages {
	_Alignas(struct nlmsghdr) char bytes[2 << 20];
	size_t len;
	struct nlmsghdr *last;
};

static struct messages messages;

static void begin(uint16_t type, unsigned char family)
{
	struct rtmsg *route;

	messages.last = mnl_nlmsg_put_header(messages.bytes + messages.len);
	messages.last->nlmsg_type = type;
	route = mnl_nlmsg_put_extra_header(messages.last, sizeof(*route));
	route->rtm_family = family;
}

static void end(void)
{
	messages.len += (messages.last->nlmsg_len + 3U) & ~3U;
}

static void put_addr(uint16_t type, int family, const char *text)
{
	unsigned char bytes[16];

	want_int(inet_pton(family, text, bytes), 1);
	mnl_attr_put(messages.last, type, family == AF_INET ? 4 : 16, bytes);
}

static void put_route(unsigned char family, const char *gateway)
{
	begin(RTM_NEWROUTE, family);
	put_addr(RTA_DST, family, family == AF_INET ? "203.0.113.0" : "2001:db8:5::");
	if (gateway)
		put_addr(RTA_GATEWAY, family, gateway);
	end();
}

/* A hop of a multipath route; its length may lie. */
static void put_hop(const char *gateway, int lie)
{
	struct nlmsghdr *m = messages.last;
	struct rtnexthop *hop = mnl_nlmsg_get_payload_tail(m);
	uint32_t before = m->nlmsg_len;

	memset(hop, 0, sizeof(*hop));
	m->nlmsg_len += (uint32_t)sizeof(*hop);
	if (gateway)
		put_addr(RTA_GATEWAY, AF_INET, gateway);
	hop->rtnh_len = (unsigned short)((int)(m->nlmsg_len - before) + lie);
}

static void put_via(const char *text, size_t len)
{
	char via[sizeof(struct rtvia) + 16] = { 0 };

	((struct rtvia *)via)->rtvia_family = AF_INET6;
	want_int(inet_pton(AF_INET6, text, via + offsetof(struct rtvia, rtvia_addr)), 1);
	mnl_attr_put(messages.last, RTA_VIA, len, via);
}

static void start_over(void)
{
	memset(&messages, 0, sizeof(messages));
}

/* All that come, with blanks between them. */
static int note(void *ctx, const struct addr *gateway)
{
	char text[ADDR_TEXT_SIZE];

	if (strlen(ctx) + sizeof(text) < 500) {
		strcat(ctx, addr_format(gateway, text));
		strcat(ctx, " ");
	}
	return 0;
}

static void want_gateways(const char *want)
{
	char *copy = support_exact_copy(messages.bytes, messages.len), text[512] = "";

	want_int(gateways_in(copy, messages.len, note, text), 0);
	want_str(text, want);
	free(copy);
	start_over();
}

TEST(routes)
{
	put_route(AF_INET, NULL);
	want_gateways("");
	put_route(AF_INET, "192.0.2.1");
	put_route(AF_INET6, "fe80::1");
	put_route(AF_INET6, "2001:db8::1");
	put_route(AF_INET, "192.0.2.2");
	want_gateways("192.0.2.1 fe80::1 2001:db8::1 192.0.2.2 ");
}

TEST(multipath_and_via)
{
	struct nlattr *hops;

	begin(RTM_NEWROUTE, AF_INET);
	hops = mnl_attr_nest_start(messages.last, RTA_MULTIPATH);
	put_hop("192.0.2.1", 0);
	put_hop(NULL, 0);
	put_hop("192.0.2.3", 0);
	mnl_attr_nest_end(messages.last, hops);
	end();
	begin(RTM_NEWROUTE, AF_INET);
	put_via("2001:db8::9", offsetof(struct rtvia, rtvia_addr) + 16);
	end();
	want_gateways("192.0.2.1 192.0.2.3 2001:db8::9 ");
}

/* What is no route, or not well formed, has no gateway; what follows it has. */
TEST(others)
{
	struct nlattr *hops;
	int lie;

	begin(RTM_DELROUTE, AF_INET);
	put_addr(RTA_GATEWAY, AF_INET, "192.0.2.1");
	end();
	begin(RTM_NEWROUTE, AF_INET);
	put_addr(RTA_GATEWAY, AF_INET6, "::1");
	end();
	begin(RTM_NEWROUTE, AF_BRIDGE);
	put_addr(RTA_GATEWAY, AF_INET, "192.0.2.1");
	put_via("2001:db8::9", 1);
	put_via("2001:db8::9", offsetof(struct rtvia, rtvia_addr) + 15);
	end();
	messages.last = mnl_nlmsg_put_header(messages.bytes + messages.len);
	messages.last->nlmsg_type = RTM_NEWROUTE;
	end();
	for (lie = -12; lie <= 8; lie += 4) {
		if (lie == 0)
			continue;
		begin(RTM_NEWROUTE, AF_INET);
		hops = mnl_attr_nest_start(messages.last, RTA_MULTIPATH);
		put_hop(NULL, lie);
		mnl_attr_nest_end(messages.last, hops);
		end();
	}
	put_route(AF_INET, "192.0.2.8");
	want_gateways("192.0.2.8 ");
}

/* Cut anywhere, and with any byte changed: nothing beyond the end is read. */
TEST(damaged)
{
	struct nlattr *hops;
	char text[512];
	size_t i, bit;
	char *copy;

	begin(RTM_NEWROUTE, AF_INET);
	hops = mnl_attr_nest_start(messages.last, RTA_MULTIPATH);
	put_hop("192.0.2.1", 0);
	put_hop("192.0.2.2", 0);
	mnl_attr_nest_end(messages.last, hops);
	put_via("2001:db8::9", offsetof(struct rtvia, rtvia_addr) + 16);
	end();
	for (i = 0; i < messages.len; i++) {
		copy = support_exact_copy(messages.bytes, i);
		text[0] = '\0';
		want_int(gateways_in(copy, i, note, text), 0);
		want_str(text, "");
		free(copy);
		for (bit = 0; bit < 8; bit++) {
			copy = support_exact_copy(messages.bytes, messages.len);
			copy[i] = (char)(copy[i] ^ 1 << bit);
			text[0] = '\0';
			(void)gateways_in(copy, messages.len, note, text);
			free(copy);
		}
	}
	start_over();
}

static int stop(void *ctx, const struct addr *gateway)
{
	(void)gateway;
	return ++*(int *)ctx == 2 ? 7 : 0;
}

TEST(walk_ends)
{
	int seen = 0, i;

	for (i = 0; i < 3; i++)
		put_route(AF_INET, "192.0.2.1");
	want_int(gateways_in(messages.bytes, messages.len, stop, &seen), 7);
	want_int(seen, 2);
	start_over();
	begin(NLMSG_DONE, 0);
	end();
	put_route(AF_INET, "192.0.2.1");
	want_gateways("");
}

static int count(void *ctx, const struct addr *gateway)
{
	(void)gateway;
	++*(unsigned int *)ctx;
	return 0;
}

TEST(full_table_is_cut)
{
	unsigned int seen = 0, i;

	for (i = 0; i < GATEWAYS_ROUTES_MAX + 100; i++)
		put_route(AF_INET, "192.0.2.1");
	want_int(gateways_in(messages.bytes, messages.len, count, &seen), 0);
	want_int(seen, GATEWAYS_ROUTES_MAX);
	start_over();
}
