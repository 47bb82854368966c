/* Processes for tests.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/courier_stand_in.h"
#include "tests/unit/guard.h"
#include "tests/unit/support.h"

const char *needs_root(void)
{
	return geteuid() == 0 ? NULL : "root";
}

size_t descriptors_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	must(dir != NULL, "/proc/self/fd");
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* Is the thread's name this? A thread may have exited by now. */
static bool is_named(const char *tid, const char *name)
{
	char path[64], got[32] = "";
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", tid);
	comm = fopen(path, "re");
	if (!comm)
		return false;
	if (!fgets(got, sizeof(got), comm))
		got[0] = '\0';
	fclose(comm);
	return strcmp(got, name) == 0;
}

/* All, or those of that name. */
static size_t count_threads(const char *name)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	size_t count = 0;

	must(dir != NULL, "/proc/self/task");
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.' && (!name || is_named(entry->d_name, name));
	closedir(dir);
	return count;
}

size_t threads_of_ours(void)
{
	return count_threads(NULL);
}

size_t threads_running(void)
{
	return count_threads("smtpblock-look\n");
}

static bool so_many_run(void *data)
{
	return threads_running() == *(const size_t *)data;
}

bool threads_ended_soon(size_t left)
{
	return soon(so_many_run, &left);
}

static bool is_pidfd_of(const char *fd, pid_t pid)
{
	char path[64], line[64], want[32];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%.20s", fd);
	snprintf(want, sizeof(want), "Pid:\t%d\n", (int)pid);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strcmp(line, want) == 0;
	if (file)
		fclose(file);
	return found;
}

bool is_pinned_by_us(pid_t pid)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	const struct dirent *entry;
	bool found = false;

	want_int(dir != NULL, true);
	while (!found && (entry = readdir(dir)) != NULL)
		found = is_pidfd_of(entry->d_name, pid);
	closedir(dir);
	return found;
}

bool wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t end = clock_ms() + DEADLINE_MS;
	int n;

	do {
		int64_t left = end - clock_ms();

		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

bool soon(bool (*condition)(void *data), void *data)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	int64_t end = clock_ms() + DEADLINE_MS;

	while (!condition(data)) {
		if (clock_ms() > end)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

pid_t waiter_start(void)
{
	pid_t pid = guard_fork();

	must(pid >= 0, "fork");
	while (pid == 0)
		pause();
	return pid;
}

pid_t waiter_start_with(int fd, int as)
{
	int spare = dup(as);
	pid_t pid;

	must(dup2(fd, as) == as, "dup2");
	pid = waiter_start();
	must(dup2(spare, as) == as, "dup2");
	close(spare);
	return pid;
}

void waiter_end(pid_t pid)
{
	must(kill(pid, SIGKILL) == 0, "kill");
	must(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

bool has_ended_soon(pid_t pid)
{
	int fd = open_pidfd(pid);
	bool ended;

	if (fd < 0)
		return errno == ESRCH;
	ended = wait_readable(fd);
	close(fd);
	return ended;
}

bool is_living(pid_t pid)
{
	int fd = open_pidfd(pid);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool living = fd >= 0 && poll(&p, 1, 0) == 0;

	if (fd >= 0)
		close(fd);
	return living;
}

static bool is_stopped(void *data)
{
	char path[32], line[256];
	const char *state;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)*(const pid_t *)data);
	stat = fopen(path, "re");
	must(stat && fgets(line, sizeof(line), stat), path);
	fclose(stat);
	state = strrchr(line, ')');
	return state && state[2] == 'T';
}

/* The kernel delivers the pending signal with the lower number first: TERM, if it arrived
 * before the process has stopped. */
void process_stop(pid_t pid)
{
	must(kill(pid, SIGSTOP) == 0, "SIGSTOP");
	must(soon(is_stopped, &pid), "a process that does not stop");
}

/* A socket at any port of 127.0.0.1. */
static int loopback_socket(uint16_t *ret_port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(sa);

	must(bind(fd, (struct sockaddr *)&sa, size) == 0 &&
	     getsockname(fd, (struct sockaddr *)&sa, &size) == 0, "bind");
	*ret_port = ntohs(sa.sin_port);
	return fd;
}

void tcp_pair_open(struct tcp_pair *pair)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };

	pair->listener = loopback_socket(&pair->server_port);
	pair->client = loopback_socket(&pair->client_port);
	sa.sin_port = htons(pair->server_port);
	must(listen(pair->listener, 1) == 0 &&
	     connect(pair->client, (struct sockaddr *)&sa, sizeof(sa)) == 0, "connect");
	pair->server = accept(pair->listener, NULL, NULL);
	must(pair->server >= 0, "accept");
}

void tcp_pair_close(const struct tcp_pair *pair)
{
	close(pair->listener);
	close(pair->client);
	close(pair->server);
}

/* Real and effective uid: the kernel checks one or the other, depending on the call. */
void user_become(uid_t uid)
{
	must(setresuid(uid, uid, 0) == 0, "setresuid");
}

void user_back(void)
{
	must(setresuid(0, 0, 0) == 0, "setresuid");
}

/* --- courier --- */

/* Built in tests/unit; the tests stand in folders below tests. */
static void stand_in_path(char *path, size_t size)
{
	char self[PATH_MAX], *at, *end = self;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	must(n > 0, "/proc/self/exe");
	self[n] = '\0';
	for (at = strstr(self, "/tests/"); at; at = strstr(at + 1, "/tests/"))
		end = at;
	*end = '\0';
	must((size_t)snprintf(path, size, "%s/tests/unit/courier_stand_in", self) < size,
	     "path of courier_stand_in");
}

static void copy_program(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	char buf[65536];
	off_t at = 0;
	ssize_t n;

	must(in >= 0, from);
	must(out >= 0, to);
	for (; (n = read(in, buf, sizeof(buf))) > 0; at += n)
		must(pwrite(out, buf, (size_t)n, at) == n, to);
	must(n == 0, from);
	close(in);
	close(out);
}

static const char *const programs[] = { "couriertcpd", "couriertls",
					"courieresmtpd" };

static void program_path(const struct courier *courier, size_t i,
			 char path[static 128])
{
	snprintf(path, 128, "%s/%s", courier->dir, programs[i]);
}

static void install(const struct courier *courier)
{
	char from[PATH_MAX + 32], to[128];
	size_t i;

	stand_in_path(from, sizeof(from));
	for (i = 0; i < COUNT_OF(programs); i++) {
		program_path(courier, i, to);
		copy_program(from, to);
	}
}

void courier_upgrade(struct courier *courier)
{
	char path[128];
	size_t i;

	for (i = 0; i < COUNT_OF(programs); i++) {
		program_path(courier, i, path);
		must(unlink(path) == 0, path);
	}
}

/* Only the descriptors of courier_stand_in.h, at their numbers. */
static void place_descriptors(int control, int report, int gate, int hold)
{
	const int from[] = { control, report, gate, hold };
	int spare[4], i;

	/* First move them out of each other's way. */
	for (i = 0; i < 4; i++)
		spare[i] = fcntl(from[i], F_DUPFD, 64);
	for (i = 0; i < 4; i++)
		if (dup2(spare[i], STAND_IN_CONTROL + i) < 0)
			_exit(1);
	for (i = STAND_IN_HOLD + 1; i < 256; i++)
		close(i);
}

static pid_t start_tcpd(const struct courier *courier, int control, int report,
			int gate, int hold)
{
	char path[128];
	char *const argv[] = { (char *)(uintptr_t)programs[0], NULL };
	char *const env[] = { (char *)(uintptr_t)"PATH=/usr/bin", NULL };
	pid_t pid = guard_fork();

	must(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	place_descriptors(control, report, gate, hold);
	program_path(courier, 0, path);
	execve(path, argv, env);
	_exit(1);
}

static struct stand_in_report next_report(struct courier *courier)
{
	struct stand_in_report report;

	must(wait_readable(courier->report), "no report of a stand-in");
	must(read(courier->report, &report, sizeof(report)) == sizeof(report),
	     "report of a stand-in");
	must(courier->count < COUNT_OF(courier->all), "too many stand-ins");
	courier->all[courier->count++] = report.pid;
	return report;
}

/* Wait for the report of a process with that role. */
static pid_t wait_report(struct courier *courier, char role)
{
	struct stand_in_report report = next_report(courier);

	if (report.role != role) {
		print_message("# got report %c, want %c\n", report.role, role);
		fail();
	}
	return report.pid;
}

void courier_start(struct courier *courier)
{
	int control[2], report[2], gate[2], hold[2];

	courier->count = 0;
	/* Orphans become children of this process. */
	must(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "subreaper");
	snprintf(courier->dir, sizeof(courier->dir), "/tmp/courier.XXXXXX");
	must(mkdtemp(courier->dir) != NULL, courier->dir);
	must(chmod(courier->dir, 0755) == 0, courier->dir);
	install(courier);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) == 0 &&
	     pipe2(report, O_CLOEXEC) == 0 && pipe2(gate, O_CLOEXEC) == 0 &&
	     pipe2(hold, O_CLOEXEC) == 0, "pipes");
	courier->tcpd = start_tcpd(courier, control[1], report[1], gate[0],
				   hold[0]);
	close(control[1]);
	close(report[1]);
	close(gate[0]);
	close(hold[0]);
	courier->control = control[0];
	courier->report = report[0];
	courier->gate = gate[1];
	courier->hold = hold[1];
	wait_report(courier, STAND_IN_TCPD);
}

void courier_stop(struct courier *courier)
{
	char path[128];
	size_t i;

	close(courier->control);
	close(courier->gate);
	close(courier->hold);
	close(courier->report);
	for (i = 0; i < courier->count; i++)
		must(has_ended_soon(courier->all[i]), "a stand-in that stays");
	for (i = 0; i < courier->count; i++)
		waitpid(courier->all[i], NULL, WNOHANG);
	for (i = 0; i < COUNT_OF(programs); i++) {
		program_path(courier, i, path);
		unlink(path);
	}
	must(rmdir(courier->dir) == 0, courier->dir);
}

static void ask(const struct courier *courier, char kind, const struct peer *peer)
{
	static char request[65536];
	size_t len;

	request[0] = kind;
	len = 1 + peer_environment(peer, request + 1, sizeof(request) - 1);
	must(send(courier->control, request, len, 0) == (ssize_t)len, "request");
}

struct connection courier_plain(struct courier *courier, const struct peer *peer)
{
	ask(courier, STAND_IN_PLAIN, peer);
	return (struct connection){
		.smtpd = wait_report(courier, STAND_IN_SMTPD),
	};
}

/* Two processes report, in any order. */
static struct connection wait_pair(struct courier *courier)
{
	struct connection c = { .smtpd = 0 };

	while (!c.smtpd || !c.tls) {
		struct stand_in_report report = next_report(courier);

		if (report.role == STAND_IN_TLS)
			c.tls = report.pid;
		else
			c.smtpd = report.pid;
	}
	return c;
}

struct connection courier_starttls(struct courier *courier,
				   const struct peer *peer)
{
	ask(courier, STAND_IN_STARTTLS, peer);
	return wait_pair(courier);
}

struct connection courier_smtps(struct courier *courier, const struct peer *peer)
{
	ask(courier, STAND_IN_SMTPS, peer);
	return wait_pair(courier);
}

pid_t courier_forked(struct courier *courier, const struct peer *peer)
{
	ask(courier, STAND_IN_FORKED, peer);
	return wait_report(courier, STAND_IN_FORKED);
}

void courier_exec(struct courier *courier)
{
	must(write(courier->gate, "x", 1) == 1, "gate");
	wait_report(courier, STAND_IN_SMTPD);
}
