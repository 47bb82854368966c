/* A pinned process.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/pidref.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/guard.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

static const struct pidref none = PIDREF_NONE;

static void want_none(const struct pidref *ref)
{
	want_int(ref->pid, 0);
	want_int(ref->fd, -1);
}

/* How it exited: the signal, or 0. */
static int reap(pid_t pid)
{
	int status = 0;

	want_int(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(pins_a_process)
{
	size_t before = descriptors_open();
	pid_t pid = waiter_start();
	struct pidref ref = none;

	want_int(pidref_open(pid, &ref), 0);
	want_int(ref.pid, pid);
	want_int(fcntl(ref.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	want_int(pidref_check(&ref), 0);
	want_int(descriptors_open(), before + 1);
	pidref_done(&ref);
	want_none(&ref);
	want_int(descriptors_open(), before);
	waiter_end(pid);
}

/* A failed poll(2) is not an exit. */
TEST(a_failed_call_is_not_an_exit)
{
	const struct pidref ref = { .pid = getpid(), .fd = 1 << 20 };

	want_int(pidref_check(&ref), -EBADF);
}

static const struct bad_row {
	const char *label;
	pid_t pid;
	int result;
} bad_rows[] = {
	{ "no PID", 0, -EINVAL },
	{ "all that may be signalled", -1, -EINVAL },
	{ "a process group", -4242, -EINVAL },
	{ "the lowest number", INT32_MIN, -EINVAL },
	{ "a PID that cannot be", INT32_MAX, -ESRCH },
};

TEST_ROWS(open_refuses, bad_rows)
{
	struct pidref ref = none;

	want_int(pidref_open(row->pid, &ref), row->result);
	want_none(&ref);
}

TEST(open_of_an_exited_process)
{
	pid_t pid = waiter_start();
	struct pidref ref = none;

	waiter_end(pid);
	want_int(pidref_open(pid, &ref), -ESRCH);
	want_none(&ref);
}

/* A thread that waits, and its ID. */
struct threads {
	int ready[2], end[2];
	pid_t id;
};

static void *thread_main(void *data)
{
	struct threads *t = data;
	char byte;

	t->id = (pid_t)syscall(SYS_gettid);
	if (write(t->ready[1], "x", 1) == 1)
		(void)!read(t->end[0], &byte, 1);
	return NULL;
}

TEST(open_of_a_thread)
{
	struct pidref ref = none;
	struct threads t;
	pthread_t thread;
	char byte;
	int r;

	want_int(pipe(t.ready) | pipe(t.end), 0);
	want_int(pthread_create(&thread, NULL, thread_main, &t), 0);
	want_int(read(t.ready[0], &byte, 1), 1);
	r = pidref_open(t.id, &ref);
	close(t.end[1]);
	pthread_join(thread, NULL);
	close(t.ready[0]);
	close(t.ready[1]);
	close(t.end[0]);
	want_int(r, -EINVAL);
	want_none(&ref);
}

TEST(open_without_descriptors)
{
	struct rlimit old, low = { .rlim_cur = 3 };
	struct pidref ref = none;
	int r;

	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low.rlim_max = old.rlim_max;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = pidref_open(getpid(), &ref);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
	want_none(&ref);
}

static const struct end_row {
	const char *label;
	rlim_t limit;
	int end;
} end_rows[] = {
	{ "many", 1024, 1020 },
	{ "few", 16, 12 },
	{ "hardly any", 4, 1 },
	{ "none", 0, 1 },
};

TEST_ROWS(end_leaves_some, end_rows)
{
	struct rlimit old, low;
	int end;

	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){ .rlim_cur = row->limit, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	end = pidref_end();
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(end, row->end);
}

TEST(done_twice)
{
	size_t before = descriptors_open();
	struct pidref ref = none;

	pidref_done(&ref);
	want_none(&ref);
	want_int(pidref_open(getpid(), &ref), 0);
	pidref_done(&ref);
	pidref_done(&ref);
	want_int(descriptors_open(), before);
}

TEST(take_moves)
{
	struct pidref a = none, b;
	int fd;

	want_int(pidref_open(getpid(), &a), 0);
	fd = a.fd;
	b = pidref_take(&a);
	want_none(&a);
	want_int(b.fd, fd);
	want_int(b.pid, getpid());
	want_int(pidref_check(&b), 0);
	pidref_done(&b);
	b = pidref_take(&a);
	want_none(&b);
}

/* A zombie has exited. */
TEST(alive_until_its_exit)
{
	pid_t pid = waiter_start();
	struct pidref ref = none;

	want_int(pidref_open(pid, &ref), 0);
	kill(pid, SIGSTOP);
	want_int(pidref_check(&ref), 0);
	kill(pid, SIGKILL);
	want_int(wait_readable(ref.fd), true);
	want_int(pidref_check(&ref), -ESRCH);
	reap(pid);
	want_int(pidref_check(&ref), -ESRCH);
	pidref_done(&ref);
	want_int(pidref_check(&ref), -ESRCH);
	want_int(pidref_check(&none), -ESRCH);
	want_int(pidref_signal(&none, SIGKILL) < 0, true);
}

static const int signals[] = { SIGTERM, SIGHUP, SIGKILL };

TEST_ROWS_AS(signal_arrives, signals, "%s", strsignal(*row))
{
	pid_t pid = waiter_start(), other = waiter_start();
	struct pidref ref = none;

	want_int(pidref_open(pid, &ref), 0);
	want_int(pidref_signal(&ref, *row), 0);
	want_int(reap(pid), *row);
	want_int(is_living(other), true);
	want_int(pidref_signal(&ref, *row), -ESRCH);
	pidref_done(&ref);
	waiter_end(other);
}

TEST_AS_ROOT(signal_without_right)
{
	pid_t pid = waiter_start();
	struct pidref ref = none;
	int r;

	want_int(pidref_open(pid, &ref), 0);
	user_become(NOBODY_UID);
	r = pidref_signal(&ref, SIGTERM);
	user_back();
	want_int(r, -EPERM);
	want_int(pidref_check(&ref), 0);
	pidref_done(&ref);
	waiter_end(pid);
}

/* The PID belongs to another process by the time of the signal. */
TEST_AS_ROOT(a_pid_that_is_used_again)
{
	struct pidref ref = none, other = none;
	pid_t pid = waiter_start();

	want_int(pidref_open(pid, &ref), 0);
	waiter_end(pid);
	want_int(guard_fork_as(pid), pid);
	want_int(pidref_check(&ref), -ESRCH);
	want_int(pidref_signal(&ref, SIGKILL), -ESRCH);
	want_int(is_living(pid), true);
	want_int(pidref_open(pid, &other), 0);
	want_int(pidref_check(&other), 0);
	pidref_done(&other);
	pidref_done(&ref);
	waiter_end(pid);
}
