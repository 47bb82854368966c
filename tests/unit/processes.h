/* Processes for tests: processes that only wait, and real ones with the names and the
 * process tree of courier's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PROCESSES_H
#define TESTS_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/looker.h"
#include "tests/unit/courier_stand_in.h"

/* A point that only root can run. */
#define TEST_AS_ROOT(name) TEST_NEEDING(needs_root, name)
const char *needs_root(void);

/* An awaited event happens within this time, or the test fails. */
#define DEADLINE_MS 10000

/* How long tests wait for a process that hangs. */
#define HANGS_MS 600

/* A looker for processes that do not hang: it waits DEADLINE_MS. */
struct looker *patient_looker(const struct procfs *procfs);

/* An unprivileged uid that is not the one tests run with. */
#define NOBODY_UID 65534

/* The number of open descriptors: a difference shows a leak. */
size_t descriptors_open(void);

/* The number of threads of this process. */
size_t threads_of_ours(void);

/* The number of looker threads of this process (looker.h). */
size_t threads_running(void);

/* Wait until that many are left. False: the number differs at the deadline. */
bool threads_ended_soon(size_t left);

/* Does this process have a pidfd of that one? */
bool is_pinned_by_us(pid_t pid);

/* Wait until fd is readable. False: it was not within the deadline. */
bool wait_readable(int fd);

/* Wait until the condition is true. False: it is not at the deadline. */
bool soon(bool (*condition)(void *data), void *data);
#define SOON(condition)                                                        \
	({                                                                     \
		const int64_t end_ = clock_ms() + DEADLINE_MS;                 \
		bool met_;                                                     \
									       \
		while (!(met_ = (condition)) && clock_ms() <= end_)            \
			usleep(200);                                           \
		met_;                                                          \
	})

/* Start a process that does nothing until it is terminated. */
pid_t waiter_start(void);

/* The same, with that descriptor as its standard input or output. */
pid_t waiter_start_with(int fd, int as);

/* KILL a child of this process and reap it. */
void waiter_end(pid_t pid);

/* Wait until a process has exited; a zombie has. It need not be a child of this process.
 * False: it is alive at the deadline. */
bool has_ended_soon(pid_t pid);

/* Is it alive? A zombie is not. */
bool is_living(pid_t pid);

/* Stop a process, so that only KILL has an effect. Returns once it has stopped. */
void process_stop(pid_t pid);

/* A TCP connection over loopback. */
struct tcp_pair {
	int listener, client, server;
	uint16_t client_port, server_port;
};

void tcp_pair_open(struct tcp_pair *pair);
void tcp_pair_close(const struct tcp_pair *pair);

/* Act as another user until user_back(). Only for tests that run as root. */
void user_become(uid_t uid);
void user_back(void);

/* A connection to make. The environment of its processes has these variables, and those of
 * extra, which is "NAME=value" up to a NULL. */
struct peer {
	const char *ip;
	unsigned int port;
	unsigned int local_port;
	const char *const *extra;
};

/* Write that environment as in /proc (fakeproc.c). Returns its length. */
size_t peer_environment(const struct peer *peer, char *block, size_t size);

/* A couriertcpd that starts, on request, courier's processes for a connection. They have
 * the test's own uid. */
struct courier {
	char dir[64];		/* of the executables */
	pid_t tcpd;
	int ends[STAND_IN_ENDS];
	pid_t all[256];		/* all that it started */
	size_t count;
};

/* The processes of one connection; 0: there is none. */
struct connection {
	pid_t smtpd;
	pid_t tls;
};

/* Start a couriertcpd. */
void courier_start(struct courier *courier);

/* Terminate all its processes and remove the executables. */
void courier_stop(struct courier *courier);

/* Make a connection of that kind. */
struct connection courier_connect(struct courier *courier, char kind, const struct peer *peer);

/* couriertcpd -> courieresmtpd, whose standard input is a TCP socket. */
#define courier_plain(courier, peer) courier_connect(courier, STAND_IN_PLAIN, peer)
/* After STARTTLS: the same, and a couriertls which is not their child but this process'
 * child, as if this process were init. */
#define courier_starttls(courier, peer) courier_connect(courier, STAND_IN_STARTTLS, peer)
/* Port 465: couriertcpd -> couriertls -> courieresmtpd. */
#define courier_smtps(courier, peer) courier_connect(courier, STAND_IN_SMTPS, peer)
/* couriertcpd has forked, and the process has not exec'd yet.. */
#define courier_forked(courier, peer) courier_connect(courier, STAND_IN_FORKED, peer).smtpd
/* ..let it exec. Returns when it has. */
void courier_exec(struct courier *courier);

/* Remove the executables of running processes, as an upgrade of courier does. */
void courier_upgrade(struct courier *courier);

#endif
