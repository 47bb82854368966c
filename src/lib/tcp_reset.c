/* Finds and resets TCP connections, with sock_diag(7).
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/tcp_reset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
};

/* The kernel answers with one of these. */
struct answer {
	struct nlmsghdr header;
	union {
		struct nlmsgerr error;
		struct inet_diag_msg found;
	};
};

/* AF_INET also finds an IPv4 connection of a dual-stack socket. */
static struct request make_request(const struct tcp_reset_ends *ends)
{
	bool ipv4 = ends->local.family == ADDR_IPV4;
	struct request request = {
		.header = { .nlmsg_len = sizeof(request) },
		.diag = { .sdiag_family = ipv4 ? AF_INET : AF_INET6,
			  .sdiag_protocol = IPPROTO_TCP },
	};
	struct inet_diag_sockid *id = &request.diag.id;

	id->idiag_sport = htons(ends->local_port);
	id->idiag_dport = htons(ends->remote_port);
	memcpy(id->idiag_src, ends->local.bytes, addr_bits(&ends->local) / 8);
	memcpy(id->idiag_dst, ends->remote.bytes, addr_bits(&ends->remote) / 8);
	memset(id->idiag_cookie, 0xff, sizeof(id->idiag_cookie)); /* INET_DIAG_NOCOOKIE */
	if (ends->cookie)
		memcpy(id->idiag_cookie, &ends->cookie, sizeof(id->idiag_cookie));
	return request;
}

static int tcp_reset_open(struct tcp_reset *reset)
{
	if (reset->fd >= 0)
		return 0;
	reset->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	return reset->fd < 0 ? -errno : 0;
}

void tcp_reset_done(struct tcp_reset *reset)
{
	if (reset->fd >= 0)
		close(reset->fd);
	reset->fd = -1;
}

/* When send() returns, the kernel has processed the request and queued its answer. */
static int exchange(int fd, const struct request *request, struct answer *ret_answer)
{
	ssize_t n;

	if (send(fd, request, sizeof(*request), MSG_DONTWAIT) < 0)
		return -errno;
	n = recv(fd, ret_answer, sizeof(*ret_answer), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(struct nlmsghdr) + sizeof(struct nlmsgerr))
		return -EPROTO;
	if (ret_answer->header.nlmsg_type == NLMSG_ERROR)
		return 0;
	return (size_t)n < sizeof(*ret_answer) ? -EPROTO : 0;
}

/* If an answer is missing, close the socket: the answer could arrive later and be taken for
 * that of the next request. */
static int ask(struct tcp_reset *reset, struct request *request, uint16_t type, uint16_t flags,
	       struct answer *ret_answer)
{
	int r = tcp_reset_open(reset);

	if (r < 0)
		return r;
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	r = exchange(reset->fd, request, ret_answer);
	if (r < 0)
		tcp_reset_done(reset);
	else if (ret_answer->header.nlmsg_type == NLMSG_ERROR)
		r = ret_answer->error.error;
	return r;
}

static bool are_known(const struct tcp_reset_ends *ends)
{
	return ends->local.family == ends->remote.family && ends->local.family != 0;
}

/* Is the answer about this connection? If it does not exist, the kernel returns the socket that
 * listens on the local port. */
static bool is_it(const struct request *request, const struct answer *answer)
{
	const struct inet_diag_sockid *id = &request->diag.id, *found = &answer->found.id;

	return answer->found.idiag_state != TCP_LISTEN && found->idiag_dport == id->idiag_dport &&
	       found->idiag_sport == id->idiag_sport;
}

int tcp_reset_find(struct tcp_reset *reset, struct tcp_reset_ends *ends, ino_t *ret_inode)
{
	struct request request;
	struct answer answer;
	int r;

	if (!are_known(ends))
		return -EINVAL;
	request = make_request(ends);
	r = ask(reset, &request, SOCK_DIAG_BY_FAMILY, 0, &answer);
	if (r < 0)
		return r;
	if (!is_it(&request, &answer))
		return -ENOENT;
	memcpy(&ends->cookie, answer.found.id.idiag_cookie, sizeof(ends->cookie));
	*ret_inode = answer.found.idiag_inode;
	return 0;
}

int tcp_reset_is_held(struct tcp_reset *reset, const struct tcp_reset_ends *ends)
{
	struct tcp_reset_ends same = *ends;
	ino_t inode;
	int r;

	r = tcp_reset_find(reset, &same, &inode);
	if (r == -ENOENT || r == -ESTALE)
		return 0;
	return r < 0 ? r : inode != 0;
}

int tcp_reset_connection(struct tcp_reset *reset, const struct tcp_reset_ends *ends)
{
	struct request request;
	struct answer answer;

	if (!are_known(ends))
		return -EINVAL;
	if (!ends->cookie)
		return -ENOENT;
	request = make_request(ends);
	return ask(reset, &request, SOCK_DESTROY, NLM_F_ACK, &answer);
}

/* No socket has port 0 or cookie 0, so this finds nothing. */
int tcp_reset_try(void)
{
	struct request request = {
		.header = { .nlmsg_len = sizeof(request) },
		.diag = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP },
	};
	struct tcp_reset reset = TCP_RESET_NONE;
	struct answer answer;
	int r;

	r = ask(&reset, &request, SOCK_DESTROY, NLM_F_ACK, &answer);
	tcp_reset_done(&reset);
	return r == -ENOENT || r == -ESTALE ? 0 : r;
}
