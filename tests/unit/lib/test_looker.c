/* Reads of processes that may hang.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/looker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/pidref.h"
#include "tests/unit/fakeproc.h"
#include "tests/unit/support.h"

/* PIDs of the tree: one that answers, and the first of those that do not. */
#define GOOD 4000
#define HELD 5000

/* Threads of a machine that is busy are late, but not by so much. */
#define SLACK_MS 2000

/* Of each point: a tree with one process, and a looker on it. */
static struct fakeproc tree;
static struct procfs procfs;
static struct looker *looker;
static struct procfs_look *seen;	/* exact, for sanitizers */
static size_t descriptors, threads;

static const struct peer somebody = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 25,
};

static void make_looker(void)
{
	looker = patient_looker(&procfs);
}

static void before(void)
{
	descriptors = descriptors_open();
	threads = threads_running();
	fakeproc_open(&tree);
	fakeproc_put_smtpd(&tree, GOOD, 1, &somebody);
	want_int(procfs_init(&procfs, tree.root), 0);
	make_looker();
	seen = malloc(sizeof(*seen));
	assert_non_null(seen);
}

/* All threads have returned by now, and their memory is freed. */
static void after(void)
{
	want_int(looker_free(looker), true);
	free(seen);
	want_int(threads_ended_soon(threads), true);
	want_int(descriptors_open(), descriptors);
	fakeproc_close(&tree);
}

TEST_EACH(before, after)

/* A process of which nothing can be read until it is released. */
static void put_held(pid_t pid)
{
	looker_set_wait(looker, HANGS_MS);
	fakeproc_put_smtpd(&tree, pid, 1, &somebody);
	fakeproc_trap(&tree, pid);
}

static int look(pid_t pid)
{
	return looker_look(looker, pid, true, seen);
}

/* The same, and that it took less than the time a process is waited for. */
static int look_at_once(pid_t pid)
{
	int64_t begin = clock_ms();
	int r = look(pid);

	want_int(clock_ms() - begin < HANGS_MS, true);
	return r;
}

/* Release one for which a thread waits, so that that many threads are left. */
static void let_go(pid_t pid, size_t left)
{
	want_int(fakeproc_release(&tree, pid), true);
	want_int(threads_ended_soon(threads + left), true);
}

static void want_good(void)
{
	char want[1024];
	ssize_t n = (ssize_t)peer_environment(&somebody, want, sizeof(want));
	ino_t netns;

	want_int(procfs_read_netns(&procfs, getpid(), &netns), 0);
	want_str(seen->name, "courieresmtpd");
	want_int(seen->netns == netns, true);
	want_int(seen->env_len, n);
	want_mem(seen->env, want, (size_t)n);
	want_int(seen->env[n], 0);
}

TEST(answers)
{
	want_int(threads_running(), threads);
	want_int(look(GOOD), 0);
	want_good();
	want_int(threads_running(), threads + 1);
	want_int(look(GOOD), 0);
	want_int(threads_running(), threads + 1);
}

TEST(answers_without_the_environment)
{
	fakeproc_trap(&tree, GOOD);
	fakeproc_exe(&tree, GOOD, FAKE_TCPD);
	want_int(looker_look(looker, GOOD, false, seen), 0);
	want_str(seen->name, "couriertcpd");
	want_int(seen->env_len, -ENODATA);
}

/* Earlier output stays unchanged. */
TEST(answers_about_a_missing_process)
{
	want_int(look(GOOD), 0);
	want_int(look(GOOD + 1), -ESRCH);
	want_good();
	fakeproc_write(&tree, GOOD, "environ", "", 0);
	want_int(look(GOOD), -ESRCH);
	want_good();
}

/* Without a descriptor nothing is known of the process. */
TEST(answers_without_descriptors)
{
	struct rlimit old, none;
	int r;

	want_int(look(GOOD), 0);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = look(GOOD);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
	want_int(look(GOOD), 0);
}

/* It is waited for once, and then left alone until its answer comes. */
TEST(one_that_keeps_waiting)
{
	int64_t begin, took;

	want_int(look(GOOD), 0);
	put_held(HELD);
	begin = clock_ms();
	want_int(look(HELD), -ETIMEDOUT);
	took = clock_ms() - begin;
	want_int(took >= HANGS_MS - 1 && took < HANGS_MS + SLACK_MS, true);
	want_good();
	want_int(look_at_once(HELD), -EBUSY);
	want_int(look_at_once(GOOD), 0);
	want_int(look_at_once(HELD), -EBUSY);
	want_int(threads_running(), threads + 2);
	let_go(HELD, 1);
	fakeproc_put_smtpd(&tree, HELD, 1, &somebody);
	want_int(look_at_once(HELD), 0);
	want_good();
}

/* While that many wait, nothing is read and no other thread is started. */
TEST(too_many_that_keep_waiting)
{
	pid_t pid;

	for (pid = HELD; pid < HELD + LOOKER_WAITING_MAX; pid++) {
		put_held(pid);
		want_int(look(pid), -ETIMEDOUT);
	}
	want_int(look_at_once(GOOD), -EBUSY);
	want_int(look_at_once(HELD), -EBUSY);
	want_int(threads_running(), threads + LOOKER_WAITING_MAX);
	let_go(HELD + 3, LOOKER_WAITING_MAX - 1);
	want_int(look_at_once(GOOD), 0);
	want_good();
	want_int(look_at_once(HELD), -EBUSY);
	for (pid = HELD; pid < HELD + LOOKER_WAITING_MAX; pid++)
		fakeproc_release(&tree, pid);
	want_int(threads_ended_soon(threads + 1), true);
	want_int(look_at_once(GOOD), 0);
}

/* An abandoned thread frees its memory when it returns. */
TEST(freed_while_one_waits)
{
	put_held(HELD);
	want_int(look(HELD), -ETIMEDOUT);
	want_int(look(GOOD), 0);
	want_int(looker_free(looker), false);
	let_go(HELD, 0);
	make_looker();
	want_int(look(GOOD), 0);
	want_good();
}

TEST(freed_while_several_wait)
{
	pid_t pid;

	for (pid = HELD; pid < HELD + 3; pid++) {
		put_held(pid);
		want_int(look(pid), -ETIMEDOUT);
	}
	want_int(looker_free(looker), false);
	let_go(HELD + 1, 2);
	let_go(HELD, 1);
	let_go(HELD + 2, 0);
	make_looker();
}

TEST(freed_without_a_look)
{
	want_int(looker_free(NULL), true);
}

static int make_one(void *data)
{
	struct looker *one = NULL;
	int r = looker_new(&procfs, &one);

	if (r == 0)
		r = looker_look(one, GOOD, true, data);
	want_int(looker_free(one), true);
	return r;
}

TEST(no_memory)
{
	want_int(memory_fail_each(make_one, seen), 2);
}

/* Descriptors of another process. */

/* Anything that a call of the asker's finds. */
struct question {
	char name[PROCFS_NAME_SIZE];
	int result;	/* returned before anything is read, unless it is 0 */
	bool wait;	/* for its environment */
};

static int find_out(const struct procfs *root, pid_t pid, void *data)
{
	struct question *q = data;
	char env[PROCFS_ENVIRON_SIZE];

	if (q->result != 0) {
		q->name[0] = '\0';
		return q->result;
	}
	if (q->wait && procfs_read_environ(root, pid, env) < 0)
		return -EIO;
	return procfs_read_exe(root, pid, q->name);
}

TEST(makes_any_call)
{
	struct question q = { .name = "untouched", .result = -EXDEV };

	want_int(looker_call(looker, GOOD, find_out, &q, sizeof(q)), -EXDEV);
	want_str(q.name, "untouched");
	q = (struct question){ .wait = true };
	want_int(looker_call(looker, GOOD, find_out, &q, sizeof(q)), 0);
	want_str(q.name, "courieresmtpd");
	put_held(HELD);
	q = (struct question){ .name = "untouched", .wait = true };
	want_int(looker_call(looker, HELD, find_out, &q, sizeof(q)), -ETIMEDOUT);
	want_int(looker_call(looker, HELD, find_out, &q, sizeof(q)), -EBUSY);
	want_str(q.name, "untouched");
	want_int(look_at_once(HELD), -EBUSY);
	want_int(look_at_once(GOOD), 0);
	want_good();
	let_go(HELD, 1);
}

struct other {
	struct pidref ref;
	int pipe[2];		/* the other has copies of both ends */
};

static struct other other_open(void)
{
	struct other o;

	want_int(pipe2(o.pipe, O_CLOEXEC), 0);
	want_int(pidref_open(waiter_start(), &o.ref), 0);
	return o;
}

static void other_close(struct other *o)
{
	waiter_end(o->ref.pid);
	pidref_done(&o->ref);
	close(o->pipe[0]);
	close(o->pipe[1]);
}

static int get_fd(const struct other *o, int fd)
{
	return looker_get_fd(looker, o->ref.pid, o->ref.fd, fd);
}

TEST(gets_a_descriptor)
{
	struct other o = other_open();
	char byte = 0;
	int fd;

	fd = get_fd(&o, o.pipe[0]);
	want_int(fd >= 0, true);
	want_int(fcntl(fd, F_GETFD), FD_CLOEXEC);
	want_int(write(o.pipe[1], "x", 1), 1);
	want_int(read(fd, &byte, 1), 1);
	want_int(byte, 'x');
	close(fd);
	/* One thread for both. */
	want_int(look(GOOD), 0);
	want_int(threads_running(), threads + 1);
	other_close(&o);
}

TEST(gets_no_descriptor)
{
	struct other o = other_open();

	want_int(get_fd(&o, 4000), -EBADF);
	want_int(looker_get_fd(looker, o.ref.pid, o.pipe[0], 0), -EBADF);
	put_held(o.ref.pid);
	want_int(look(o.ref.pid), -ETIMEDOUT);
	want_int(get_fd(&o, o.pipe[0]), -EBUSY);
	let_go(o.ref.pid, 0);
	waiter_end(o.ref.pid);
	want_int(get_fd(&o, o.pipe[0]), -ESRCH);
	looker_forbid_fd(looker);
	want_int(get_fd(&o, o.pipe[0]), -ENOSYS);
	want_int(look(GOOD), 0);
	pidref_done(&o.ref);
	close(o.pipe[0]);
	close(o.pipe[1]);
}

/* rsyslogd without CAP_SYS_PTRACE. */
TEST_AS_ROOT(gets_no_descriptor_without_the_right)
{
	struct other o = other_open();
	int r;

	user_become(NOBODY_UID);
	r = get_fd(&o, o.pipe[0]);
	user_back();
	want_int(r, -EPERM);
	other_close(&o);
}

/* pidfd_getfd(2) waits until something can be read here. */
static atomic_int gate = -1;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long arguments[4];
	va_list list;
	size_t i;
	char byte;

	va_start(list, number);
	for (i = 0; i < COUNT_OF(arguments); i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_pidfd_getfd && gate >= 0)
		(void)!read(gate, &byte, 1);
	return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3]);
}

/* It comes when nobody waits for it any more, and is closed. */
TEST(descriptor_that_comes_too_late)
{
	struct other o = other_open();
	size_t before;
	int ends[2];

	want_int(pipe2(ends, O_CLOEXEC), 0);
	before = descriptors_open();
	gate = ends[0];
	want_int(get_fd(&o, o.pipe[0]), -ETIMEDOUT);
	want_int(write(ends[1], "x", 1), 1);
	want_int(threads_ended_soon(threads), true);
	gate = -1;
	want_int(descriptors_open(), before);
	close(ends[0]);
	close(ends[1]);
	other_close(&o);
}

/* Ask until nobody waits any more when the thread comes to make the call, as on a machine that did
 * nothing else for a while. */
static void ask_without_patience(const struct other *o)
{
	int fd;

	looker_set_wait(looker, 0);
	while ((fd = get_fd(o, o->pipe[0])) >= 0)
		close(fd);
	want_int(fd, -ETIMEDOUT);
	looker_set_wait(looker, DEADLINE_MS);
	want_int(SOON(get_fd(o, 4000) == -EBADF), true);
}

/* What it got for an earlier caller is not its own to close. */
TEST(thread_that_comes_too_late)
{
	struct other o = other_open();
	size_t before = descriptors_open();
	int fd, i;

	for (i = 0; i < 20; i++) {
		ask_without_patience(&o);
		want_int(descriptors_open(), before);
		fd = get_fd(&o, o.pipe[0]);
		want_int(fd >= 0, true);
		ask_without_patience(&o);
		want_int(descriptors_open(), before + 1);
		close(fd);
	}
	other_close(&o);
}
