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
#include <sys/sendfile.h>
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

struct looker *patient_looker(const struct procfs *procfs)
{
	struct looker *looker;

	must(looker_new(procfs, &looker) == 0, "looker_new");
	looker_set_wait(looker, DEADLINE_MS);
	return looker;
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

bool threads_ended_soon(size_t left)
{
	return SOON(threads_running() == left);
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
	return SOON(condition(data));
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

static bool is_stopped(pid_t pid)
{
	char path[32], line[256];
	const char *state;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
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
	must(SOON(is_stopped(pid)), "a process that does not stop");
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
	ssize_t n;

	must(in >= 0, from);
	must(out >= 0, to);
	do
		n = sendfile(out, in, NULL, 1 << 20);
	while (n > 0);
	must(n == 0, to);
	close(in);
	close(out);
}

static const char *const programs[] = { "couriertcpd", "couriertls", "courieresmtpd" };

static void program_path(const struct courier *courier, size_t i, char path[static 128])
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
		must(unlink(path) == 0 || errno == ENOENT, path);
	}
}

/* Only the descriptors of courier_stand_in.h, at their numbers. First move them out of each
 * other's way. */
static void place_descriptors(const int from[static STAND_IN_ENDS])
{
	int spare[STAND_IN_ENDS], i;

	for (i = 0; i < STAND_IN_ENDS; i++)
		spare[i] = fcntl(from[i], F_DUPFD, 64);
	for (i = 0; i < STAND_IN_ENDS; i++)
		if (dup2(spare[i], STAND_IN_FIRST + i) < 0)
			_exit(1);
	close_range(STAND_IN_FIRST + STAND_IN_ENDS, ~0U, 0);
}

static pid_t start_tcpd(const struct courier *courier, const int ends[static STAND_IN_ENDS])
{
	char path[128];
	char *const argv[] = { (char *)(uintptr_t)programs[0], NULL };
	char *const env[] = { (char *)(uintptr_t)"PATH=/usr/bin", NULL };
	pid_t pid = guard_fork();

	must(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	place_descriptors(ends);
	program_path(courier, 0, path);
	execve(path, argv, env);
	_exit(1);
}

static struct stand_in_report next_report(struct courier *courier)
{
	const int fd = courier->ends[STAND_IN_REPORT - STAND_IN_FIRST];
	struct stand_in_report report;

	must(wait_readable(fd), "no report of a stand-in");
	must(read(fd, &report, sizeof(report)) == sizeof(report), "report of a stand-in");
	must(courier->count < COUNT_OF(courier->all), "too many stand-ins");
	courier->all[courier->count++] = report.pid;
	return report;
}

/* Of each pipe the stand-ins have one end; they write only their reports. */
void courier_start(struct courier *courier)
{
	int pairs[STAND_IN_ENDS][2], theirs[STAND_IN_ENDS], i, own;

	courier->count = 0;
	/* Orphans become children of this process. */
	must(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "subreaper");
	snprintf(courier->dir, sizeof(courier->dir), "/tmp/courier.XXXXXX");
	must(mkdtemp(courier->dir) != NULL, courier->dir);
	must(chmod(courier->dir, 0755) == 0, courier->dir);
	install(courier);
	for (i = 0; i < STAND_IN_ENDS; i++) {
		own = STAND_IN_FIRST + i != STAND_IN_REPORT;
		must((STAND_IN_FIRST + i == STAND_IN_CONTROL ?
			      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]) :
			      pipe2(pairs[i], O_CLOEXEC)) == 0, "pipes");
		courier->ends[i] = pairs[i][own];
		theirs[i] = pairs[i][!own];
	}
	courier->tcpd = start_tcpd(courier, theirs);
	for (i = 0; i < STAND_IN_ENDS; i++)
		close(theirs[i]);
	must(next_report(courier).role == STAND_IN_TCPD, "start of couriertcpd");
}

void courier_stop(struct courier *courier)
{
	size_t i;

	for (i = 0; i < STAND_IN_ENDS; i++)
		close(courier->ends[i]);
	for (i = 0; i < courier->count; i++)
		must(has_ended_soon(courier->all[i]), "a stand-in that stays");
	for (i = 0; i < courier->count; i++)
		waitpid(courier->all[i], NULL, WNOHANG);
	courier_upgrade(courier);
	must(rmdir(courier->dir) == 0, courier->dir);
}

/* With TLS two processes report, in any order. */
struct connection courier_connect(struct courier *courier, char kind, const struct peer *peer)
{
	const bool tls = kind == STAND_IN_STARTTLS || kind == STAND_IN_SMTPS;
	static char request[65536];
	struct connection c = { .smtpd = 0 };
	size_t len;

	request[0] = kind;
	len = 1 + peer_environment(peer, request + 1, sizeof(request) - 1);
	must(send(courier->ends[0], request, len, 0) == (ssize_t)len, "request");
	while (!c.smtpd || (tls && !c.tls)) {
		const struct stand_in_report report = next_report(courier);

		*(report.role == STAND_IN_TLS ? &c.tls : &c.smtpd) = report.pid;
	}
	return c;
}

void courier_exec(struct courier *courier)
{
	must(write(courier->ends[STAND_IN_GATE - STAND_IN_FIRST], "x", 1) == 1, "gate");
	must(next_report(courier).role == STAND_IN_SMTPD, "exec");
}
