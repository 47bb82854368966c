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

static const struct connection_row {
	const char *label;
	int listen_family, client_family;
	const char *from, *to;		/* as the client names them */
} connection_rows[] = {
	{ "IPv4", AF_INET, AF_INET, "127.0.0.2", "127.0.0.1" },
	{ "IPv4 on a dual socket", AF_INET6, AF_INET, "127.0.0.2", "127.0.0.1" },
	{ "IPv6", AF_INET6, AF_INET6, "::1", "::1" },
};

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Of each point: a connection, as the server sees it by its cookie. */
static int listener, server, client;
static struct tcp_reset_ends ends;

static socklen_t make_address(union address *to, int family, const char *text, uint16_t port)
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

static void accept_one(const struct connection_row *row)
{
	union address to;
	socklen_t size = make_address(&to, row->client_family, row->to, ends.local_port);

	want_int(connect(client, &to.any, size), 0);
	server = accept(listener, NULL, NULL);
	want_int(server >= 0, true);
}

static void open_pair(const struct connection_row *row)
{
	bool any = row->listen_family != row->client_family;

	listener = bound(row->listen_family, any ? "::" : row->to);
	want_int(listen(listener, 1), 0);
	ends.local_port = port_of(listener);
	client = bound(row->client_family, row->from);
	accept_one(row);
	ends.remote_port = port_of(client);
	want_int(addr_parse(row->to, strlen(row->to), &ends.local), 0);
	want_int(addr_parse(row->from, strlen(row->from), &ends.remote), 0);
	ends.cookie = cookie_of(server);
}

/* The same addresses and ports, another connection. */
static void open_again(const struct connection_row *row)
{
	union address a;
	socklen_t size = make_address(&a, row->client_family, row->from, ends.remote_port);
	int on = 1;

	close(client);
	client = socket(row->client_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	want_int(setsockopt(client, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	want_int(bind(client, &a.any, size), 0);
	accept_one(row);
}

static void no_pair(void)
{
	listener = server = client = -1;
	ends = (struct tcp_reset_ends){ .cookie = 0 };
}

static void close_pair(void)
{
	close(client);
	close(server);
	close(listener);
}

TEST_EACH(no_pair, close_pair)

/* The client's next read: an errno, or 0 for an orderly end. */
static int client_ends_with(void)
{
	struct pollfd poll_in = { .fd = client, .events = POLLIN };
	char byte;

	want_int(poll(&poll_in, 1, DEADLINE_MS), 1);
	return recv(client, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}

/* Also after an orderly end, which is all that is left to read. If the client had
 * acknowledged that end, the kernel forgets the connection and sends nothing: the client
 * learns of it by the reply to its next packet. */
static bool client_is_reset(void)
{
	struct pollfd poll_end = { .fd = client };
	ssize_t sent = send(client, "x", 1, MSG_NOSIGNAL);

	want_int(sent == 1 || errno == EPIPE || errno == ECONNRESET, true);
	return poll(&poll_end, 1, DEADLINE_MS) == 1;
}

/* The server's end in one of the kernel's tables: its state, 0 if it is not there. */
static unsigned int state_in(const char *path)
{
	unsigned int local, remote, state = 0, found = 0;
	FILE *file = fopen(path, "re");
	char line[512];

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file))
		if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%x %x", &local, &remote,
			   &state) == 3 &&
		    local == ends.local_port && remote == ends.remote_port)
			found = state;
	fclose(file);
	return found;
}

static bool is_acknowledged(void *data)
{
	(void)data;
	return state_in("/proc/net/tcp") == TCP_FIN_WAIT2 ||
	       state_in("/proc/net/tcp6") == TCP_FIN_WAIT2;
}

/* The kernel delays this by 40 ms otherwise. */
static void client_acknowledges(void)
{
	int on = 1;

	want_int(wait_readable(client), true);
	want_int(setsockopt(client, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on)), 0);
	want_int(soon(is_acknowledged, NULL), true);
}

/* The kernel's lookup falls back to it: it must never be reset. */
static void want_listening(void)
{
	int on = 0;
	socklen_t size = sizeof(on);

	want_int(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &on, &size), 0);
	want_int(on, 1);
}

static void want_untouched(void)
{
	want_listening();
	want_int(send(server, "x", 1, MSG_NOSIGNAL), 1);
	want_int(client_ends_with(), 0);
}

/* The one on the next port. */
static struct tcp_reset_ends neighbour(void)
{
	struct tcp_reset_ends other = ends;

	other.remote_port = (uint16_t)(other.remote_port ^ 1);
	return other;
}

static int reset_once(const struct tcp_reset_ends *of)
{
	struct tcp_reset reset = TCP_RESET_NONE;
	int r = tcp_reset_connection(&reset, of);

	tcp_reset_done(&reset);
	want_int(reset.fd, -1);
	return r;
}

static int held_once(const struct tcp_reset_ends *of)
{
	struct tcp_reset reset = TCP_RESET_NONE;
	int r = tcp_reset_is_held(&reset, of);

	tcp_reset_done(&reset);
	return r;
}

/* By addresses and ports alone. */
static int find_once(struct tcp_reset_ends of, struct tcp_reset_ends *ret_found, ino_t *ret_inode)
{
	struct tcp_reset reset = TCP_RESET_NONE;
	int r;

	of.cookie = 0;
	r = tcp_reset_find(&reset, &of, ret_inode);
	tcp_reset_done(&reset);
	*ret_found = of;
	return r;
}

TEST_ROWS_NEEDING(needs_root, resets, connection_rows, "%s", row->label)
{
	open_pair(row);
	want_int(reset_once(&ends), 0);
	want_int(client_ends_with(), ECONNRESET);
	want_int(reset_once(&ends), -ENOENT);
	want_listening();
}

/* Another connection may have its addresses and ports by then. */
TEST(does_nothing_without_a_cookie)
{
	open_pair(&connection_rows[0]);
	ends.cookie = 0;
	want_int(reset_once(&ends), -ENOENT);
	want_untouched();
}

TEST_ROWS(finds_by_addresses_and_ports, connection_rows)
{
	struct tcp_reset_ends found;
	struct stat st;
	ino_t inode;

	open_pair(row);
	want_int(find_once(ends, &found, &inode), 0);
	want_int(found.cookie == ends.cookie, true);
	want_int(fstat(server, &st), 0);
	want_int(inode == st.st_ino, true);
	want_int(find_once(neighbour(), &found, &inode), -ENOENT);
	close(server);
	/* While the kernel replaces the closed socket in its table, it may find neither. */
	want_int(SOON(find_once(ends, &found, &inode) == 0), true);
	want_int(inode, 0);
}

/* Whatever came of the one before, the next is answered rightly. */
TEST_AS_ROOT(keeps_its_socket)
{
	struct tcp_reset reset = TCP_RESET_NONE;
	size_t descriptors = descriptors_open();
	int fd = -1, i;

	for (i = 0; i < 3; i++) {
		open_pair(&connection_rows[0]);
		want_int(tcp_reset_connection(&reset, &ends), 0);
		want_int(client_ends_with(), ECONNRESET);
		want_int(tcp_reset_connection(&reset, &ends), -ENOENT);
		want_int(i == 0 || reset.fd == fd, true);
		fd = reset.fd;
		close_pair();
	}
	want_int(descriptors_open(), descriptors + 1);
	tcp_reset_done(&reset);
	want_int(descriptors_open(), descriptors);
}

/* A socket that fails is not used again. */
TEST_AS_ROOT(opens_another_socket)
{
	size_t descriptors = descriptors_open();
	struct tcp_reset reset = { .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) };

	open_pair(&connection_rows[0]);
	want_int(tcp_reset_connection(&reset, &ends), -ENOTCONN);
	want_int(reset.fd, -1);
	want_int(tcp_reset_connection(&reset, &ends), 0);
	want_int(client_ends_with(), ECONNRESET);
	tcp_reset_done(&reset);
	close_pair();
	want_int(descriptors_open(), descriptors);
}

/* Only that one: not its neighbour on the next port, nor the listener. */
TEST_ROWS_NEEDING(needs_root, leaves_others, connection_rows, "%s", row->label)
{
	struct tcp_reset_ends other;

	open_pair(row);
	other = neighbour();
	want_int(reset_once(&other), -ENOENT);
	want_untouched();
}

TEST(addresses_and_ports_must_match)
{
	ends = (struct tcp_reset_ends){ .local_port = 25, .remote_port = 1024 };
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
	int status;
	pid_t pid;

	open_pair(&connection_rows[0]);
	pid = guard_fork();
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		_exit(reset_once(&ends) == -EPERM ? 0 : 2);
	}
	want_int(waitpid(pid, &status, 0), pid);
	want_int(status, 0);
	want_untouched();
}

TEST(tries_without_harm)
{
	open_pair(&connection_rows[0]);
	want_int(tcp_reset_try(), 0);
	want_untouched();
}

/* From the first byte to the last state; a client that keeps its end open. */
TEST_ROWS(knows_the_owner, connection_rows)
{
	struct tcp_reset_ends other;
	int copy;

	open_pair(row);
	want_int(held_once(&ends), 1);
	other = neighbour();
	want_int(held_once(&other), 0);
	/* The server's end is shut down, but still open in two processes, and in one. */
	want_int(shutdown(server, SHUT_WR), 0);
	want_int(held_once(&ends), 1);
	copy = dup(server);
	close(server);
	want_int(held_once(&ends), 1);
	close(copy);
	want_int(held_once(&ends), 0);
	want_listening();
	/* Both ends are closed: TIME_WAIT. */
	close(client);
	want_int(held_once(&ends), 0);
}

/* The client's half is closed first. */
TEST(knows_of_a_half_closed_one)
{
	open_pair(&connection_rows[0]);
	want_int(shutdown(client, SHUT_WR), 0);
	want_int(held_once(&ends), 1);
}

/* With unread data its close is a reset: no state is left. */
TEST(knows_nothing_of_one_that_was_cut)
{
	open_pair(&connection_rows[0]);
	want_int(send(client, "x", 1, MSG_NOSIGNAL), 1);
	close(server);
	want_int(held_once(&ends), 0);
	want_listening();
}

/* It was looked up while it was open, with its cookie. A later connection with the same
 * addresses and ports is a different one. */
static void reset_by_name(const struct connection_row *row, bool acknowledged)
{
	struct tcp_reset_ends first;

	open_pair(row);
	first = ends;
	close(server);
	if (acknowledged)
		client_acknowledges();
	want_int(held_once(&ends), 0);
	want_int(reset_once(&first), 0);
	want_int(client_is_reset(), true);
	want_int(reset_once(&first), -ENOENT);
	open_again(row);
	want_int(reset_once(&first), -ENOENT);
	want_untouched();
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
	int held;

	open_pair(&connection_rows[0]);
	user_become(NOBODY_UID);
	held = held_once(&ends);
	user_back();
	want_int(held, 1);
}

/* No connection has port 0; the socket that listens has no other end. */
TEST(finds_no_listening_socket)
{
	struct tcp_reset_ends found;
	ino_t inode;

	open_pair(&connection_rows[0]);
	ends.remote_port = 0;
	want_int(find_once(ends, &found, &inode), -ENOENT);
}

/* That it cannot be tried is no success. */
TEST(tries_without_descriptors)
{
	struct rlimit old, none = { .rlim_cur = 3 };
	int r;

	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = tcp_reset_try();
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
}
