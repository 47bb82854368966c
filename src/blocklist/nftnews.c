/* What others remove from our nftables sets by hand.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nftnews.h"

#include <errno.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/clock.h"

/* One message of a group: at most a page (nft_commit_notify() of net/netfilter/nf_tables_api.c). */
#define IN_SIZE (16 * 1024)
/* Some 8000 addresses, removed between two calls. */
#define BUFFER_SIZE (1024 * 1024)
/* More than fit into the buffer: the kernel counts 1 KiB for a short message. */
#define READS_MAX 4096
/* If the socket cannot be opened, try again this often. */
#define RETRY_MS 5000

#define REMOVED ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_DELSETELEM)
#define ADDED ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM)

struct nftnews {
	struct mnl_socket *socket;	/* NULL: not open */
	int64_t retry_at;
	char in[IN_SIZE];
};

/* Messages that are being read. */
struct reading {
	const struct nfttable *table;
	nftnews_fn *fn;
	void *ctx;
	struct addr removed;	/* by the message before; family 0: it was another one */
};

int nftnews_new(struct nftnews **ret_news)
{
	*ret_news = calloc(1, sizeof(**ret_news));
	return *ret_news ? 0 : -ENOMEM;
}

static void close_socket(struct nftnews *news)
{
	if (news->socket)
		mnl_socket_close(news->socket);
	news->socket = NULL;
}

void nftnews_free(struct nftnews *news)
{
	if (!news)
		return;
	close_socket(news);
	free(news);
}

static bool join(struct mnl_socket *socket)
{
	int group = NFNLGRP_NFTABLES, size = BUFFER_SIZE;

	(void)setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &size,
			 sizeof(size));
	return mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
	       mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0;
}

static bool open_socket(struct nftnews *news)
{
	if (news->socket)
		return true;
	if (clock_tick_ms() < news->retry_at)
		return false;
	news->retry_at = clock_tick_ms() + RETRY_MS;
	news->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (news->socket && !join(news->socket))
		close_socket(news);
	return news->socket != NULL;
}

/* The family of one of the table's sets; 0: another set. */
static uint8_t family_of(const struct nfttable *table, const struct nftnl_set *set)
{
	const char *name = nftnl_set_get_str(set, NFTNL_SET_NAME);
	const char *of = nftnl_set_get_str(set, NFTNL_SET_TABLE);
	int i;

	if (!name || !of || strcmp(of, NFTTABLE_NAME) != 0 ||
	    nftnl_set_get_u32(set, NFTNL_SET_FAMILY) != NFPROTO_INET)
		return 0;
	for (i = 0; i < 2; i++)
		if (strcmp(table->lists[i].name, name) == 0)
			return (uint8_t)table->lists[i].family;
	return 0;
}

/* A message of the kernel's has one element. */
static int take_element(struct nftnl_set_elem *element, void *data)
{
	struct addr *addr = data;
	const void *key;
	uint32_t size;

	key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &size);
	if (key && size == nfttable_key_size(addr->family))
		memcpy(addr->bytes, key, size);
	else
		addr->family = 0;
	return 0;
}

/* The address of a message about an element of one of the table's sets; family 0: it is about
 * another one. */
static struct addr address_of(const struct nfttable *table, const struct nlmsghdr *nlh)
{
	struct addr addr = { .family = 0 };
	struct nftnl_set *set = nftnl_set_alloc();

	if (!set)
		return addr;
	if (nftnl_set_elems_nlmsg_parse(nlh, set) == 0)
		addr.family = family_of(table, set);
	if (addr.family)
		nftnl_set_elem_foreach(set, take_element, &addr);
	nftnl_set_free(set);
	return addr;
}

static void pass_on(struct reading *reading)
{
	if (reading->removed.family)
		reading->fn(reading->ctx, &reading->removed);
	reading->removed.family = 0;
}

/* An address that is renewed is removed, and added by the next message. */
static void take(struct reading *reading, const struct nlmsghdr *nlh)
{
	struct addr added;

	if (nlh->nlmsg_type == ADDED && reading->removed.family) {
		added = address_of(reading->table, nlh);
		if (addr_equal(&added, &reading->removed))
			reading->removed.family = 0;
	}
	pass_on(reading);
	if (nlh->nlmsg_type == REMOVED)
		reading->removed = address_of(reading->table, nlh);
}

static void take_all(struct reading *reading, const char *buf, ssize_t n)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buf;
	int left = (int)n;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		take(reading, nlh);
}

void nftnews_read(struct nftnews *news, const struct nfttable *table, nftnews_fn *fn, void *ctx)
{
	struct reading reading = { .table = table, .fn = fn, .ctx = ctx };
	unsigned int i;
	ssize_t n = 0;

	if (!open_socket(news))
		return;
	for (i = 0; i < READS_MAX; i++) {
		n = mnl_socket_recvfrom(news->socket, news->in, sizeof(news->in));
		if (n > 0)
			take_all(&reading, news->in, n);
		else if (n == 0 || (errno != ENOBUFS && errno != ENOSPC))
			break;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		close_socket(news);
	pass_on(&reading);
}
