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

struct fixture {
	struct fakeproc tree;
	struct procfs procfs;
	struct looker *looker;
	struct procfs_look *look;	/* exact, for sanitizers */
	size_t descriptors, threads;
};

static const struct peer somebody = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 25,
};

static void fixture_open(struct fixture *f)
{
	f->descriptors = descriptors_open();
	f->threads = threads_running();
	fakeproc_open(&f->tree);
	fakeproc_put_smtpd(&f->tree, GOOD, 1, &somebody);
	want_int(procfs_init(&f->procfs, f->tree.root), 0);
	want_int(looker_new(&f->procfs, &f->looker), 0);
	looker_set_wait(f->looker, PATIENT_MS);
	f->look = malloc(sizeof(*f->look));
	assert_non_null(f->look);
}

/* All threads have returned by now, and their memory is freed. */
static void fixture_close(struct fixture *f)
{
	want_int(looker_free(f->looker), true);
	free(f->look);
	want_int(threads_ended_soon(f->threads), true);
	want_int(descriptors_open(), f->descriptors);
	fakeproc_close(&f->tree);
}

/* A process of which nothing can be read until it is released. */
static void put_held(struct fixture *f, pid_t pid)
{
	fakeproc_put_smtpd(&f->tree, pid, 1, &somebody);
	fakeproc_trap(&f->tree, pid);
}

static int look(struct fixture *f, pid_t pid)
{
	return looker_look(f->looker, pid, true, f->look);
}

/* The same, and that it took less than the time a process is waited for. */
static int look_at_once(struct fixture *f, pid_t pid)
{
	int64_t begin = clock_ms();
	int r = look(f, pid);

	want_int(clock_ms() - begin < PATIENT_MS, true);
	return r;
}

/* Release one for which a thread waits, so that that many threads are left. */
static void let_go(struct fixture *f, pid_t pid, size_t left)
{
	want_int(fakeproc_release(&f->tree, pid), true);
	want_int(threads_ended_soon(f->threads + left), true);
}

static void want_good(const struct fixture *f)
{
	char want[1024];
	ssize_t n = (ssize_t)peer_environment(&somebody, want, sizeof(want));
	ino_t netns;

	want_int(procfs_read_netns(&f->procfs, getpid(), &netns), 0);
	want_str(f->look->name, "courieresmtpd");
	want_int(f->look->netns == netns, true);
	want_int(f->look->env_len, n);
	want_mem(f->look->env, want, (size_t)n);
	want_int(f->look->env[n], 0);
}

TEST(answers)
{
	struct fixture f;

	fixture_open(&f);
	want_int(threads_running(), f.threads);
	want_int(look(&f, GOOD), 0);
	want_good(&f);
	want_int(threads_running(), f.threads + 1);
	want_int(look(&f, GOOD), 0);
	want_int(threads_running(), f.threads + 1);
	fixture_close(&f);
}

TEST(answers_without_the_environment)
{
	struct fixture f;

	fixture_open(&f);
	fakeproc_trap(&f.tree, GOOD);
	fakeproc_exe(&f.tree, GOOD, FAKE_TCPD);
	want_int(looker_look(f.looker, GOOD, false, f.look), 0);
	want_str(f.look->name, "couriertcpd");
	want_int(f.look->env_len, -ENODATA);
	fixture_close(&f);
}

/* Earlier output stays unchanged. */
TEST(answers_about_a_missing_process)
{
	struct fixture f;

	fixture_open(&f);
	want_int(look(&f, GOOD), 0);
	want_int(look(&f, GOOD + 1), -ESRCH);
	want_good(&f);
	fakeproc_write(&f.tree, GOOD, "environ", "", 0);
	want_int(look(&f, GOOD), -ESRCH);
	want_good(&f);
	fixture_close(&f);
}

TEST(answers_of_a_large_environment)
{
	static char big[PROCFS_ENVIRON_SIZE];
	struct fixture f;

	fixture_open(&f);
	memset(big, 'x', sizeof(big));
	fakeproc_write(&f.tree, GOOD, "environ", big, sizeof(big));
	want_int(look(&f, GOOD), 0);
	want_int(f.look->env_len, -E2BIG);
	want_str(f.look->name, "courieresmtpd");
	fixture_close(&f);
}

/* Without a descriptor nothing is known of the process. */
TEST(answers_without_descriptors)
{
	struct rlimit old, none;
	struct fixture f;
	int r;

	fixture_open(&f);
	want_int(look(&f, GOOD), 0);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = look(&f, GOOD);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
	want_int(look(&f, GOOD), 0);
	fixture_close(&f);
}

/* It is waited for once, and then left alone until its answer comes. */
TEST(one_that_keeps_waiting)
{
	int64_t begin, took;
	struct fixture f;

	fixture_open(&f);
	want_int(look(&f, GOOD), 0);
	put_held(&f, HELD);
	begin = clock_ms();
	want_int(look(&f, HELD), -ETIMEDOUT);
	took = clock_ms() - begin;
	want_int(took >= PATIENT_MS - 1 && took < PATIENT_MS + SLACK_MS, true);
	want_good(&f);
	want_int(look_at_once(&f, HELD), -EBUSY);
	want_int(look_at_once(&f, GOOD), 0);
	want_int(look_at_once(&f, HELD), -EBUSY);
	want_int(threads_running(), f.threads + 2);
	let_go(&f, HELD, 1);
	fakeproc_put_smtpd(&f.tree, HELD, 1, &somebody);
	want_int(look_at_once(&f, HELD), 0);
	want_good(&f);
	fixture_close(&f);
}

/* While that many wait, nothing is read and no other thread is started. */
TEST(too_many_that_keep_waiting)
{
	struct fixture f;
	pid_t pid;

	fixture_open(&f);
	for (pid = HELD; pid < HELD + LOOKER_WAITING_MAX; pid++) {
		put_held(&f, pid);
		want_int(look(&f, pid), -ETIMEDOUT);
	}
	want_int(look_at_once(&f, GOOD), -EBUSY);
	want_int(look_at_once(&f, HELD), -EBUSY);
	want_int(threads_running(), f.threads + LOOKER_WAITING_MAX);
	let_go(&f, HELD + 3, LOOKER_WAITING_MAX - 1);
	want_int(look_at_once(&f, GOOD), 0);
	want_good(&f);
	want_int(look_at_once(&f, HELD), -EBUSY);
	for (pid = HELD; pid < HELD + LOOKER_WAITING_MAX; pid++)
		fakeproc_release(&f.tree, pid);
	want_int(threads_ended_soon(f.threads + 1), true);
	want_int(look_at_once(&f, GOOD), 0);
	fixture_close(&f);
}

/* An abandoned thread frees its memory when it returns. */
TEST(freed_while_one_waits)
{
	struct fixture f;

	fixture_open(&f);
	put_held(&f, HELD);
	want_int(look(&f, HELD), -ETIMEDOUT);
	want_int(look(&f, GOOD), 0);
	want_int(looker_free(f.looker), false);
	let_go(&f, HELD, 0);
	want_int(looker_new(&f.procfs, &f.looker), 0);
	looker_set_wait(f.looker, PATIENT_MS);
	want_int(look(&f, GOOD), 0);
	want_good(&f);
	fixture_close(&f);
}

TEST(freed_while_several_wait)
{
	struct fixture f;
	pid_t pid;

	fixture_open(&f);
	for (pid = HELD; pid < HELD + 3; pid++) {
		put_held(&f, pid);
		want_int(look(&f, pid), -ETIMEDOUT);
	}
	want_int(looker_free(f.looker), false);
	let_go(&f, HELD + 1, 2);
	let_go(&f, HELD, 1);
	let_go(&f, HELD + 2, 0);
	want_int(looker_new(&f.procfs, &f.looker), 0);
	looker_set_wait(f.looker, PATIENT_MS);
	fixture_close(&f);
}

TEST(freed_without_a_look)
{
	struct fixture f;

	fixture_open(&f);
	fixture_close(&f);
	want_int(looker_free(NULL), true);
}

static int make_one(void *data)
{
	struct fixture *f = data;
	struct looker *looker = NULL;
	int r;

	r = looker_new(&f->procfs, &looker);
	if (r == 0)
		r = looker_look(looker, GOOD, true, f->look);
	want_int(looker_free(looker), true);
	return r;
}

TEST(no_memory)
{
	struct fixture f;

	fixture_open(&f);
	want_int(memory_fail_each(make_one, &f), 2);
	fixture_close(&f);
}

/* Descriptors of another process. */

/* Anything that a call of the asker's finds. */
struct lookup_request {
	char name[PROCFS_NAME_SIZE];
	int result;	/* returned before anything is read, unless it is 0 */
	bool wait;	/* for its environment */
};

static int find_out(const struct procfs *procfs, pid_t pid, void *data)
{
	struct lookup_request *lookup_request = data;
	char env[PROCFS_ENVIRON_SIZE];

	if (lookup_request->result != 0) {
		lookup_request->name[0] = '\0';
		return lookup_request->result;
	}
	if (lookup_request->wait && procfs_read_environ(procfs, pid, env) < 0)
		return -EIO;
	return procfs_read_exe(procfs, pid, lookup_request->name);
}

TEST(makes_any_call)
{
	struct lookup_request q = { .name = "untouched", .result = -EXDEV };
	struct fixture f;

	fixture_open(&f);
	want_int(looker_call(f.looker, GOOD, find_out, &q, sizeof(q)), -EXDEV);
	want_str(q.name, "untouched");
	q = (struct lookup_request){ .wait = true };
	want_int(looker_call(f.looker, GOOD, find_out, &q, sizeof(q)), 0);
	want_str(q.name, "courieresmtpd");
	put_held(&f, HELD);
	q = (struct lookup_request){ .name = "untouched", .wait = true };
	want_int(looker_call(f.looker, HELD, find_out, &q, sizeof(q)), -ETIMEDOUT);
	want_int(looker_call(f.looker, HELD, find_out, &q, sizeof(q)), -EBUSY);
	want_str(q.name, "untouched");
	want_int(look_at_once(&f, HELD), -EBUSY);
	want_int(look_at_once(&f, GOOD), 0);
	want_good(&f);
	let_go(&f, HELD, 1);
	fixture_close(&f);
}

struct other {
	struct pidref ref;
	int pipe[2];		/* the other has copies of both ends */
};

static void other_open(struct other *o)
{
	want_int(pipe2(o->pipe, O_CLOEXEC), 0);
	want_int(pidref_open(waiter_start(), &o->ref), 0);
}

static void other_close(struct other *o)
{
	waiter_end(o->ref.pid);
	pidref_done(&o->ref);
	close(o->pipe[0]);
	close(o->pipe[1]);
}

static int get_fd(struct fixture *f, const struct other *o, int fd)
{
	return looker_get_fd(f->looker, o->ref.pid, o->ref.fd, fd);
}

TEST(gets_a_descriptor)
{
	struct fixture f;
	struct other o;
	char byte = 0;
	int fd;

	fixture_open(&f);
	other_open(&o);
	fd = get_fd(&f, &o, o.pipe[0]);
	want_int(fd >= 0, true);
	want_int(fcntl(fd, F_GETFD), FD_CLOEXEC);
	want_int(write(o.pipe[1], "x", 1), 1);
	want_int(read(fd, &byte, 1), 1);
	want_int(byte, 'x');
	close(fd);
	/* One thread for both. */
	want_int(look(&f, GOOD), 0);
	want_int(threads_running(), f.threads + 1);
	other_close(&o);
	fixture_close(&f);
}

TEST(gets_no_descriptor)
{
	struct fixture f;
	struct other o;

	fixture_open(&f);
	other_open(&o);
	want_int(get_fd(&f, &o, 4000), -EBADF);
	want_int(looker_get_fd(f.looker, o.ref.pid, o.pipe[0], 0), -EBADF);
	put_held(&f, o.ref.pid);
	want_int(look(&f, o.ref.pid), -ETIMEDOUT);
	want_int(get_fd(&f, &o, o.pipe[0]), -EBUSY);
	let_go(&f, o.ref.pid, 0);
	waiter_end(o.ref.pid);
	want_int(get_fd(&f, &o, o.pipe[0]), -ESRCH);
	looker_forbid_fd(f.looker);
	want_int(get_fd(&f, &o, o.pipe[0]), -ENOSYS);
	want_int(look(&f, GOOD), 0);
	pidref_done(&o.ref);
	close(o.pipe[0]);
	close(o.pipe[1]);
	fixture_close(&f);
}

/* rsyslogd without CAP_SYS_PTRACE. */
TEST_AS_ROOT(gets_no_descriptor_without_the_right)
{
	struct fixture f;
	struct other o;
	int r;

	fixture_open(&f);
	other_open(&o);
	user_become(NOBODY_UID);
	r = get_fd(&f, &o, o.pipe[0]);
	user_back();
	want_int(r, -EPERM);
	other_close(&o);
	fixture_close(&f);
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
	struct fixture f;
	struct other o;
	size_t before;
	int ends[2];

	fixture_open(&f);
	other_open(&o);
	want_int(pipe2(ends, O_CLOEXEC), 0);
	before = descriptors_open();
	gate = ends[0];
	want_int(get_fd(&f, &o, o.pipe[0]), -ETIMEDOUT);
	want_int(write(ends[1], "x", 1), 1);
	want_int(threads_ended_soon(f.threads), true);
	gate = -1;
	want_int(descriptors_open(), before);
	close(ends[0]);
	close(ends[1]);
	other_close(&o);
	fixture_close(&f);
}
