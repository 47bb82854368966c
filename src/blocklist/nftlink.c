/* A netlink socket to nf_tables.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nftlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A transaction must fit into the socket's send buffer, 208 KiB by default. */
#define OUT_SIZE (64 * 1024)
/* The largest part of a dump (netlink_dump() of net/netlink/af_netlink.c). */
#define IN_SIZE (32 * 1024)

struct nftlink {
	struct mnl_socket *socket;	/* NULL: not open */
	uint32_t seq;			/* of the last message */
	uint32_t first;			/* of the first message of this request */
	struct nlmsghdr *last;		/* the one that is being built */
	char *out, *in;
};

/* The answers to one request. */
struct inbox {
	const struct nftlink *link;
	nftlink_error_fn *on_error;
	nftlink_answer_fn *on_answer;
	void *ctx;
	int err;		/* the first error, -errno */
	int verdict;		/* what on_answer returned to stop */
	bool ended;		/* the kernel marked the end */
	bool interrupted;	/* the rules changed during a dump */
};

int nftlink_new(struct nftlink **ret_link)
{
	struct nftlink *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->out = calloc(1, OUT_SIZE);
	l->in = calloc(1, IN_SIZE);
	if (!l->out || !l->in) {
		nftlink_free(l);
		return -ENOMEM;
	}
	*ret_link = l;
	return 0;
}

static void close_socket(struct nftlink *l)
{
	if (l->socket)
		mnl_socket_close(l->socket);
	l->socket = NULL;
}

void nftlink_free(struct nftlink *link)
{
	if (!link)
		return;
	close_socket(link);
	free(link->out);
	free(link->in);
	free(link);
}

static int open_socket(struct nftlink *l)
{
	int on = 1, err;

	if (l->socket)
		return 0;
	l->socket = mnl_socket_open2(NETLINK_NETFILTER,
				     SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!l->socket)
		return -errno;
	/* Errors then do not repeat the message: more of them fit into the buffer. */
	(void)mnl_socket_setsockopt(l->socket, NETLINK_CAP_ACK,
				    &on, sizeof(on));
	if (mnl_socket_bind(l->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return 0;
	err = errno;
	close_socket(l);
	return -err;
}

/* Where the next message goes. */
static char *end_of(const struct nftlink *l)
{
	return (char *)l->last + NLMSG_ALIGN(l->last->nlmsg_len);
}

static size_t used(const struct nftlink *l)
{
	return (size_t)(end_of(l) - l->out);
}

void nftlink_begin(struct nftlink *link, uint32_t genid)
{
	link->first = ++link->seq;
	link->last = nftnl_batch_begin(link->out, link->first);
	if (genid != 0)
		mnl_attr_put_u32(link->last, NFNL_BATCH_GENID, htonl(genid));
}

struct nlmsghdr *nftlink_message(struct nftlink *link, uint16_t type,
				 uint16_t family, uint16_t flags)
{
	/* Leave room for this message and the end of the transaction. */
	if (used(link) + 2 * NFTLINK_MESSAGE_MAX > OUT_SIZE)
		return NULL;
	link->last = nftnl_nlmsg_build_hdr(end_of(link), type, family, flags,
					   ++link->seq);
	return link->last;
}

struct nlmsghdr *nftlink_question(struct nftlink *link, uint16_t type,
				  uint16_t family, uint16_t flags)
{
	link->first = ++link->seq;
	link->last = nftnl_nlmsg_build_hdr(link->out, type, family, flags,
					   link->first);
	return link->last;
}

static int send_all(struct nftlink *l)
{
	ssize_t n;
	int r;

	r = open_socket(l);
	if (r < 0)
		return r;
	do
		n = mnl_socket_sendto(l->socket, l->out, used(l));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* An error message; error 0 acknowledges the request. */
static void take_error(struct inbox *box, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	/* The header of the transaction is not counted. */
	uint32_t index = nlh->nlmsg_seq - box->link->first - 1;

	box->ended = true;
	if (e->error == 0)
		return;
	if (box->err == 0)
		box->err = e->error;
	if (box->on_error && nlh->nlmsg_seq != box->link->first)
		box->on_error(box->ctx, index, -e->error);
}

static void take(struct inbox *box, const struct nlmsghdr *nlh)
{
	/* Ignore answers to earlier requests. */
	if (nlh->nlmsg_seq - box->link->first > box->link->seq - box->link->first)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		box->interrupted = true;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct nlmsgerr))
			take_error(box, nlh);
	} else if (nlh->nlmsg_type == NLMSG_DONE) {
		box->ended = true;
	} else if (box->on_answer && box->verdict == 0) {
		box->verdict = box->on_answer(box->ctx, nlh);
	}
}

/* Read all answers: the kernel has written them all by now. */
static int receive(struct nftlink *l, struct inbox *box)
{
	const struct nlmsghdr *nlh;
	ssize_t n;
	int left;

	for (;;) {
		n = mnl_socket_recvfrom(l->socket, l->in, IN_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		left = (int)n;
		for (nlh = (const struct nlmsghdr *)l->in;
		     mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			take(box, nlh);
	}
}

/* Returns as nftlink_commit() and nftlink_ask(). */
static int exchange(struct nftlink *l, struct inbox *box)
{
	int r = send_all(l);

	if (r == 0)
		r = receive(l, box);
	/* Reopen a socket whose state is unknown. */
	if (r < 0 || !box->ended)
		close_socket(l);
	if (r == 0)
		r = box->verdict != 0 ? box->verdict : box->err;
	if (r == 0 && !box->ended)
		r = -EIO;
	return r == 0 && box->interrupted ? -EINTR : r;
}

int nftlink_commit(struct nftlink *link, nftlink_error_fn *fn, void *ctx)
{
	struct inbox box = { .link = link, .on_error = fn, .ctx = ctx };

	/* One acknowledgement covers all messages. */
	link->last->nlmsg_flags |= NLM_F_ACK;
	link->last = nftnl_batch_end(end_of(link), ++link->seq);
	return exchange(link, &box);
}

int nftlink_ask(struct nftlink *link, nftlink_answer_fn *fn, void *ctx)
{
	struct inbox box = { .link = link, .on_answer = fn, .ctx = ctx };

	/* A dump has its own end marker. */
	if (!(link->last->nlmsg_flags & NLM_F_DUMP))
		link->last->nlmsg_flags |= NLM_F_ACK;
	return exchange(link, &box);
}

static int take_generation_attribute(const struct nlattr *attr, void *data)
{
	uint32_t *ret_genid = data;

	if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
	    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		*ret_genid = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

static int take_generation(void *ctx, const struct nlmsghdr *nlh)
{
	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), take_generation_attribute,
		       ctx);
	return 0;
}

int nftlink_generation(struct nftlink *link, uint32_t *ret_genid)
{
	nftlink_question(link, NFT_MSG_GETGEN, NFPROTO_UNSPEC, 0);
	return nftlink_ask(link, take_generation, ret_genid);
}
