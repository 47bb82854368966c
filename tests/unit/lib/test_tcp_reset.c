/* The kernel's state of a connection: real ones, over loopback.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/tcp_reset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/guard.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

struct connection_row {
	const char *label;
	int listen_family, client_family;
	const char *from, *to;		/* as the client names them */
};

static const struct connection_row connection_rows[] = {
	{ "IPv4", AF_INET, AF_INET, "127.0.0.2", "127.0.0.1" },
	{ "IPv4 on a dual socket", AF_INET6, AF_INET, "127.0.0.2", "127.0.0.1" },
	{ "IPv6", AF_INET6, AF_INET6, "::1", "::1" },
};

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct pair {
	int listener, server, client;
	struct tcp_reset_ends ends;	/* as the server sees them, by its cookie */
};

static socklen_t make_address(union address *to, int family, const char *text,
			      uint16_t port)
{
	memset(to, 0, sizeof(*to));
	to->any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		want_int(inet_pton(AF_INET, text, &to->in.sin_addr), 1);
		to->in.sin_port = htons(port);
		return sizeof(to->in);
	}
	want_int(inet_pton(AF_INET6, text, &to->in6.sin6_addr), 1);
	to->in6.sin6_port = htons(port);
	return sizeof(to->in6);
}

/* sin_port and sin6_port lie at the same place. */
static uint16_t port_of(int fd)
{
	union address a;
	socklen_t size = sizeof(a);

	want_int(getsockname(fd, &a.any, &size), 0);
	return ntohs(a.in.sin_port);
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	want_int(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
	return cookie;
}

static int bound(int family, const char *text)
{
	union address a;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = make_address(&a, family, text, 0);

	want_int(fd >= 0, true);
	want_int(bind(fd, &a.any, size), 0);
	return fd;
}

static void pair_open(const struct connection_row *row, struct pair *p)
{
	bool any = row->listen_family != row->client_family;
	union address to;
	socklen_t size;

	p->listener = bound(row->listen_family, any ? "::" : row->to);
	want_int(listen(p->listener, 1), 0);
	p->ends.local_port = port_of(p->listener);
	p->client = bound(row->client_family, row->from);
	size = make_address(&to, row->client_family, row->to, p->ends.local_port);
	want_int(connect(p->client, &to.any, size), 0);
	p->ends.remote_port = port_of(p->client);
	p->server = accept(p->listener, NULL, NULL);
	want_int(p->server >= 0, true);
	want_int(addr_parse(row->to, strlen(row->to), &p->ends.local), 0);
	want_int(addr_parse(row->from, strlen(row->from), &p->ends.remote), 0);
	p->ends.cookie = cookie_of(p->server);
}

/* The same addresses and ports, another connection. */
static void pair_again(const struct connection_row *row, struct pair *p)
{
	union address a;
	socklen_t size;
	int on = 1;

	close(p->client);
	p->client = socket(row->client_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	want_int(setsockopt(p->client, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	size = make_address(&a, row->client_family, row->from, p->ends.remote_port);
	want_int(bind(p->client, &a.any, size), 0);
	size = make_address(&a, row->client_family, row->to, p->ends.local_port);
	want_int(connect(p->client, &a.any, size), 0);
	p->server = accept(p->listener, NULL, NULL);
	want_int(p->server >= 0, true);
}

static void pair_close(const struct pair *p)
{
	close(p->client);
	close(p->server);
	close(p->listener);
}

/* The client's next read: an errno, or 0 for an orderly end. */
static int client_ends_with(const struct pair *p)
{
	struct pollfd poll_in = { .fd = p->client, .events = POLLIN };
	char byte;

	want_int(poll(&poll_in, 1, DEADLINE_MS), 1);
	return recv(p->client, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}

/* Also after an orderly end, which is all that is left to read. If the client had
 * acknowledged that end, the kernel forgets the connection and sends nothing: the client
 * learns of it by the reply to its next packet. */
static bool client_is_reset(const struct pair *p)
{
	struct pollfd poll_end = { .fd = p->client };
	ssize_t sent = send(p->client, "x", 1, MSG_NOSIGNAL);

	want_int(sent == 1 || errno == EPIPE || errno == ECONNRESET, true);
	return poll(&poll_end, 1, DEADLINE_MS) == 1;
}

/* The server's end in one of the kernel's tables: its state, 0 if it is not there. */
static unsigned int state_in(const char *path, const struct pair *p)
{
	unsigned int local, remote, state = 0, found = 0;
	FILE *file = fopen(path, "re");
	char line[512];

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file))
		if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%x %x", &local, &remote,
			   &state) == 3 &&
		    local == p->ends.local_port && remote == p->ends.remote_port)
			found = state;
	fclose(file);
	return found;
}

static bool is_acknowledged(void *data)
{
	return state_in("/proc/net/tcp", data) == TCP_FIN_WAIT2 ||
	       state_in("/proc/net/tcp6", data) == TCP_FIN_WAIT2;
}

/* The kernel delays this by 40 ms otherwise. */
static void client_acknowledges(struct pair *p)
{
	int on = 1;

	want_int(wait_readable(p->client), true);
	want_int(setsockopt(p->client, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on)), 0);
	want_int(soon(is_acknowledged, p), true);
}

/* The kernel's lookup falls back to it: it must never be reset. */
static void want_listening(const struct pair *p)
{
	int on = 0;
	socklen_t size = sizeof(on);

	want_int(getsockopt(p->listener, SOL_SOCKET, SO_ACCEPTCONN, &on, &size), 0);
	want_int(on, 1);
}

static int reset_once(const struct tcp_reset_ends *ends)
{
	struct tcp_reset reset = TCP_RESET_NONE;
	int r = tcp_reset_connection(&reset, ends);

	tcp_reset_done(&reset);
	want_int(reset.fd, -1);
	return r;
}

static int held_once(const struct tcp_reset_ends *ends)
{
	struct tcp_reset reset = TCP_RESET_NONE;
	int r = tcp_reset_is_held(&reset, ends);

	tcp_reset_done(&reset);
	return r;
}

/* By addresses and ports alone. Its cookie is recorded. */
static int find_once(struct tcp_reset_ends *ends, ino_t *ret_inode)
{
	struct tcp_reset reset = TCP_RESET_NONE;
	int r;

	ends->cookie = 0;
	r = tcp_reset_find(&reset, ends, ret_inode);
	tcp_reset_done(&reset);
	return r;
}

TEST_ROWS_NEEDING(needs_root, resets, connection_rows, "%s", row->label)
{
	struct pair p;

	pair_open(row, &p);
	want_int(reset_once(&p.ends), 0);
	want_int(client_ends_with(&p), ECONNRESET);
	want_int(reset_once(&p.ends), -ENOENT);
	want_listening(&p);
	pair_close(&p);
}

/* Another connection may have its addresses and ports by then. */
TEST(does_nothing_without_a_cookie)
{
	struct pair p;

	pair_open(&connection_rows[0], &p);
	p.ends.cookie = 0;
	want_int(reset_once(&p.ends), -ENOENT);
	want_int(send(p.server, "x", 1, MSG_NOSIGNAL), 1);
	want_int(client_ends_with(&p), 0);
	pair_close(&p);
}

TEST_ROWS(finds_by_addresses_and_ports, connection_rows)
{
	struct tcp_reset_ends ends;
	struct stat st;
	struct pair p;
	ino_t inode;

	pair_open(row, &p);
	ends = p.ends;
	want_int(find_once(&ends, &inode), 0);
	want_int(ends.cookie == p.ends.cookie, true);
	want_int(fstat(p.server, &st), 0);
	want_int(inode == st.st_ino, true);
	ends.remote_port = (uint16_t)(ends.remote_port ^ 1);
	want_int(find_once(&ends, &inode), -ENOENT);
	ends = p.ends;
	close(p.server);
	want_int(find_once(&ends, &inode), 0);
	want_int(inode, 0);
	close(p.client);
	close(p.listener);
}

/* Whatever came of the one before, the next is answered rightly. */
TEST_AS_ROOT(keeps_its_socket)
{
	struct tcp_reset reset = TCP_RESET_NONE;
	size_t before = descriptors_open();
	struct pair p;
	int fd = -1, i;

	for (i = 0; i < 3; i++) {
		pair_open(&connection_rows[0], &p);
		want_int(tcp_reset_connection(&reset, &p.ends), 0);
		want_int(client_ends_with(&p), ECONNRESET);
		want_int(tcp_reset_connection(&reset, &p.ends), -ENOENT);
		want_int(i == 0 || reset.fd == fd, true);
		fd = reset.fd;
		pair_close(&p);
	}
	want_int(descriptors_open(), before + 1);
	tcp_reset_done(&reset);
	want_int(descriptors_open(), before);
}

/* A socket that fails is not used again. */
TEST_AS_ROOT(opens_another_socket)
{
	size_t before = descriptors_open();
	struct tcp_reset reset = { .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	struct pair p;

	pair_open(&connection_rows[0], &p);
	want_int(tcp_reset_connection(&reset, &p.ends), -ENOTCONN);
	want_int(reset.fd, -1);
	want_int(tcp_reset_connection(&reset, &p.ends), 0);
	want_int(client_ends_with(&p), ECONNRESET);
	tcp_reset_done(&reset);
	pair_close(&p);
	want_int(descriptors_open(), before);
}

/* Only that one: not its neighbour on the next port, nor the listener. */
TEST_ROWS_NEEDING(needs_root, leaves_others, connection_rows, "%s", row->label)
{
	struct tcp_reset_ends other;
	struct pair p;

	pair_open(row, &p);
	other = p.ends;
	other.remote_port = (uint16_t)(other.remote_port ^ 1);
	want_int(reset_once(&other), -ENOENT);
	want_listening(&p);
	want_int(send(p.server, "x", 1, MSG_NOSIGNAL), 1);
	want_int(client_ends_with(&p), 0);
	pair_close(&p);
}

TEST(addresses_and_ports_must_match)
{
	struct tcp_reset_ends ends = { .local_port = 25, .remote_port = 1024 };

	want_int(reset_once(&ends), -EINVAL);
	want_int(addr_parse("192.0.2.1", 9, &ends.local), 0);
	want_int(reset_once(&ends), -EINVAL);
	want_int(addr_parse("2001:db8::1", 11, &ends.remote), 0);
	want_int(reset_once(&ends), -EINVAL);
	want_int(held_once(&ends), -EINVAL);
}

/* The kernel asks for CAP_NET_ADMIN. */
TEST(without_the_right)
{
	struct pair p;
	int status;
	pid_t pid;

	pair_open(&connection_rows[0], &p);
	pid = guard_fork();
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		_exit(reset_once(&p.ends) == -EPERM ? 0 : 2);
	}
	want_int(waitpid(pid, &status, 0), pid);
	want_int(status, 0);
	want_int(send(p.server, "x", 1, MSG_NOSIGNAL), 1);
	want_int(client_ends_with(&p), 0);
	pair_close(&p);
}

TEST(tries_without_harm)
{
	struct pair p;

	pair_open(&connection_rows[0], &p);
	want_int(tcp_reset_try(), 0);
	want_listening(&p);
	want_int(send(p.server, "x", 1, MSG_NOSIGNAL), 1);
	want_int(client_ends_with(&p), 0);
	pair_close(&p);
}

/* From the first byte to the last state; a client that keeps its end open. */
TEST_ROWS(knows_the_owner, connection_rows)
{
	struct tcp_reset_ends other;
	struct pair p;
	int copy;

	pair_open(row, &p);
	want_int(held_once(&p.ends), 1);
	other = p.ends;
	other.remote_port = (uint16_t)(other.remote_port ^ 1);
	want_int(held_once(&other), 0);
	/* The server's end is shut down, but still open in two processes, and in one. */
	want_int(shutdown(p.server, SHUT_WR), 0);
	want_int(held_once(&p.ends), 1);
	copy = dup(p.server);
	close(p.server);
	want_int(held_once(&p.ends), 1);
	close(copy);
	want_int(held_once(&p.ends), 0);
	want_listening(&p);
	/* Both ends are closed: TIME_WAIT. */
	close(p.client);
	want_int(held_once(&p.ends), 0);
	close(p.listener);
}

/* The client's half is closed first. */
TEST(knows_of_a_half_closed_one)
{
	struct pair p;

	pair_open(&connection_rows[0], &p);
	want_int(shutdown(p.client, SHUT_WR), 0);
	want_int(held_once(&p.ends), 1);
	pair_close(&p);
}

/* With unread data its close is a reset: no state is left. */
TEST(knows_nothing_of_one_that_was_cut)
{
	struct pair p;

	pair_open(&connection_rows[0], &p);
	want_int(send(p.client, "x", 1, MSG_NOSIGNAL), 1);
	close(p.server);
	want_int(held_once(&p.ends), 0);
	want_listening(&p);
	close(p.client);
	close(p.listener);
}

/* It was looked up while it was open, with its cookie. A later connection with the same
 * addresses and ports is a different one. */
static void reset_by_name(const struct connection_row *row, bool acknowledged)
{
	struct tcp_reset_ends first;
	struct pair p;

	pair_open(row, &p);
	first = p.ends;
	close(p.server);
	if (acknowledged)
		client_acknowledges(&p);
	want_int(held_once(&p.ends), 0);
	want_int(reset_once(&first), 0);
	want_int(client_is_reset(&p), true);
	want_int(reset_once(&first), -ENOENT);
	pair_again(row, &p);
	want_int(reset_once(&first), -ENOENT);
	want_listening(&p);
	want_int(send(p.server, "x", 1, MSG_NOSIGNAL), 1);
	want_int(client_ends_with(&p), 0);
	pair_close(&p);
}

TEST_ROWS_NEEDING(needs_root, resets_by_name, connection_rows, "%s", row->label)
{
	reset_by_name(row, false);
}

TEST_ROWS_NEEDING(needs_root, resets_by_name_once_acknowledged, connection_rows, "%s", row->label)
{
	reset_by_name(row, true);
}

/* Any user may read the owner. */
TEST_AS_ROOT(without_a_right_to_know)
{
	struct pair p;
	int held;

	pair_open(&connection_rows[0], &p);
	user_become(NOBODY_UID);
	held = held_once(&p.ends);
	user_back();
	want_int(held, 1);
	pair_close(&p);
}

/* No connection has port 0; the socket that listens has no other end. */
TEST(finds_no_listening_socket)
{
	struct tcp_reset_ends ends;
	struct pair p;
	ino_t inode;

	pair_open(&connection_rows[0], &p);
	ends = p.ends;
	ends.remote_port = 0;
	ends.cookie = 0;
	want_int(find_once(&ends, &inode), -ENOENT);
	pair_close(&p);
}

/* That it cannot be tried is no success. */
TEST(tries_without_descriptors)
{
	struct rlimit old, none;
	int r;

	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 3;
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = tcp_reset_try();
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
}
