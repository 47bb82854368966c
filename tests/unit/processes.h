/* What tests of processes need: processes that only wait, and real ones with the
 * names and the family trees of courier's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PROCESSES_H
#define TESTS_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

/* A point that only root can run. */
#define SUITE_AS_ROOT(suite, test)                                             \
	(geteuid() == 0 ? suite_add(suite, test, NULL, "%s", #test) :          \
			  suite_skip(suite, #test, "root"))

/* Whatever a test waits for comes within this time, or the test fails. */
#define DEADLINE_MS 10000

/* What can be looked at answers within this time on a busy machine, too. */
#define PATIENT_MS 600

/* An unprivileged uid that is not the one tests run with. */
#define NOBODY_UID 65534

/* How many descriptors this process has open: a leak shows as a difference. */
size_t descriptors_open(void);

/* How many threads this process has. */
size_t threads_of_ours(void);

/* Has this process a pidfd of that one? */
bool is_pinned_by_us(pid_t pid);

/* Wait until fd is readable. False: it was not within the deadline. */
bool wait_readable(int fd);

/* Now, in ms of CLOCK_MONOTONIC. */
int64_t clock_ms(void);

/* Wait until the condition holds. False: it does not at the deadline. */
bool soon(bool (*condition)(void *data), void *data);

/* A process that does nothing until it is ended. */
pid_t waiter_start(void);

/* KILL a child of ours and reap it. */
void waiter_end(pid_t pid);

/* Wait until a process has ended (a zombie has). It need not be a child of ours.
 * False: it lives at the deadline. */
bool has_ended_soon(pid_t pid);

/* Does it live? A zombie does not. */
bool is_living(pid_t pid);

/* Stop a process, so that it takes no signal but KILL. Returns once it has. */
void process_stop(pid_t pid);

/* Act as another user until user_back(). Only for tests that run as root. */
void user_become(uid_t uid);
void user_back(void);

/* A couriertcpd that starts, on request, what courier starts for a connection.
 * Its processes have the test's own uid. */
struct courier {
	char dir[64];		/* of the executables */
	pid_t tcpd;
	int control, report, gate, hold;
	pid_t all[256];		/* whatever it started */
	size_t count;
};

/* The processes of one connection; 0: there is none. */
struct connection {
	pid_t smtpd;
	pid_t tls;
};

/* A connection that is to be made. The environment of its processes is made up
 * of these, and of extra, which is "NAME=value" up to a NULL. */
struct peer {
	const char *ip;
	unsigned int port;
	unsigned int local_port;
	const char *const *extra;
};

/* That environment, as /proc shows it. Returns its length. */
size_t peer_environment(const struct peer *peer, char *block, size_t size);

/* Start a couriertcpd. */
void courier_start(struct courier *courier);

/* End all its processes and remove the executables. */
void courier_stop(struct courier *courier);

/* couriertcpd -> courieresmtpd, whose standard input is a TCP socket. */
struct connection courier_plain(struct courier *courier, const struct peer *peer);

/* After STARTTLS: the same, and a couriertls which is no child of theirs but of
 * ours, as if we were init. */
struct connection courier_starttls(struct courier *courier,
				   const struct peer *peer);

/* Port 465: couriertcpd -> couriertls -> courieresmtpd. */
struct connection courier_smtps(struct courier *courier, const struct peer *peer);

/* couriertcpd has forked and not exec'd yet.. */
pid_t courier_forked(struct courier *courier, const struct peer *peer);
/* ..and now it does. Returns when it has. */
void courier_exec(struct courier *courier);

/* Remove the executables of running processes, as an upgrade of courier does. */
void courier_upgrade(struct courier *courier);

#endif
