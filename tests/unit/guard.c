/* A process above the test program that kills it when a point takes too long, and kills
 * all processes that the program leaves behind.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/guard.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Time is counted in waits of the guard itself, as some tests replace the clocks. */
#define WAITS_PER_SECOND 5

/* How often to check for killed processes that have not exited, 1 ms apart. */
#define LOOKS_MAX 10000

/* Shared with the test program, which writes it. The name was allocated before the fork, so
 * both processes have it at the same address. */
static struct {
	_Atomic(const char *) name;
	atomic_uint count;
} *point;

/* TAP counts this as an error, whatever follows. */
static void bail_out(const char *what)
{
	printf("Bail out! %s: %s\n", atomic_load(&point->name), what);
	fflush(stdout);
}

void guard_point(const char *name)
{
	if (!point)
		return;
	atomic_store(&point->name, name);
	atomic_fetch_add(&point->count, 1);
}

/* The request has no effect if the parent has already died. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

pid_t guard_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		die_with(parent);
	return pid;
}

pid_t guard_fork_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&pid,
		.set_tid_size = 1,
	};
	pid_t parent = getpid();
	long got = syscall(SYS_clone3, &args, sizeof(args));

	if (got == 0) {
		die_with(parent);
		for (;;)
			pause();
	}
	return got > 0 ? (pid_t)got : 0;
}

/* The first child of this process; 0: there is none. */
static pid_t first_child(void)
{
	char path[64];
	FILE *file;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid;
}

/* Orphans become children of this process, so all of them are found in the end, including
 * stopped ones and those of other users. */
static void end_all(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	unsigned int looks = 0;
	pid_t pid;

	while ((pid = first_child()) > 0 && looks++ < LOOKS_MAX) {
		kill(pid, SIGKILL);
		if (waitpid(pid, NULL, WNOHANG | __WALL) == 0)
			nanosleep(&pause, NULL);
	}
}

/* A signal gives a status that no test program uses. */
static int status_of(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	bail_out(strsignal(WTERMSIG(status)));
	return 99;
}

/* Reap all children that have exited. True if the test program was one of them. */
static bool has_ended(pid_t tests, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (pid != tests)
			continue;
		ended = true;
		*ret_status = status_of(status);
	}
	return ended;
}

/* Has the same point been running for too long, counting one more wait? */
static bool is_late(void)
{
	static unsigned int seen, waits;
	unsigned int count = atomic_load(&point->count);

	waits = count == seen ? waits + 1 : 0;
	seen = count;
	return waits >= GUARD_POINT_SECONDS * WAITS_PER_SECOND;
}

/* Returns the exit status. */
static int watch(pid_t tests, const sigset_t *signals)
{
	const struct timespec wait = { .tv_nsec = 1000000000 / WAITS_PER_SECOND };
	const char *what = NULL;
	int got, status;

	while (!what) {
		if (has_ended(tests, &status))
			return status;
		got = sigtimedwait(signals, NULL, &wait);
		if (got > 0 && got != SIGCHLD)
			what = strsignal(got);
		else if (got < 0 && errno == EAGAIN && is_late())
			what = "takes too long";
	}
	bail_out(what);
	return 99;
}

/* Handlers stay: the sanitizers have some. */
static void ignore_nothing(void)
{
	struct sigaction action;
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void give_up(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(99);
}

void guard_start(void)
{
	static const int waited[] = { SIGCHLD, SIGHUP, SIGINT, SIGTERM };
	pid_t tests, guard = getpid();
	sigset_t signals;
	int status;
	size_t i;

	point = mmap(NULL, sizeof(*point), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (point == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		give_up("guard");
	guard_point("start");
	ignore_nothing();
	sigemptyset(&signals);
	for (i = 0; i < sizeof(waited) / sizeof(waited[0]); i++)
		sigaddset(&signals, waited[i]);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fflush(NULL);
	tests = fork();
	if (tests < 0)
		give_up("fork");
	if (tests == 0) {
		die_with(guard);
		ignore_nothing();
		return;
	}
	status = watch(tests, &signals);
	end_all();
	_exit(status);
}
