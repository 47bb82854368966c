/* The couriertcpd processes that listen for one courier user.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/listeners.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/procref.h"
#include "tests/unit/fakeproc.h"
#include "tests/unit/support.h"

/* A tree, and listeners that look at it. */
struct fixture {
	struct fakeproc tree;
	struct procfs procfs;
	struct looker *looker;
	struct listeners *listeners;
	size_t descriptors, threads;
	pid_t pid;		/* a real process, not in the tree yet */
};

static void fixture_open(struct fixture *f)
{
	f->descriptors = descriptors_open();
	f->threads = threads_running();
	fakeproc_open(&f->tree);
	want_int(procfs_init(&f->procfs, f->tree.root), 0);
	want_int(looker_new(&f->procfs, &f->looker), 0);
	looker_set_wait(f->looker, PATIENT_MS);
	want_int(listeners_new(&f->procfs, f->looker, FAKE_UID, &f->listeners), 0);
	f->pid = waiter_start();
}

static void fixture_close(struct fixture *f)
{
	waiter_end(f->pid);
	listeners_free(f->listeners);
	want_int(looker_free(f->looker), true);
	want_int(threads_ended_soon(f->threads), true);
	fakeproc_close(&f->tree);
	want_int(descriptors_open(), f->descriptors);
}

static size_t count_pids(struct fixture *f)
{
	pid_t pids[LISTENERS_MAX];

	return listeners_pids(f->listeners, pids);
}

/* The parent is not in the tree unless a row puts it there, and never a process
 * that lives: a scan would find it too. */
#define PARENT (INT32_MAX - 1)

struct check_row {
	const char *label;
	struct fake_process process;
	const char *parent_exe;		/* NULL: no such process */
	int result;
};

static const struct check_row check_rows[] = {
	{ "couriertcpd", { .exe = FAKE_TCPD, .uid = FAKE_UID }, "/sbin/init", 0 },
	{ "its parent is hidden", { .exe = FAKE_TCPD, .uid = FAKE_UID }, NULL, 0 },
	{ "replaced by an upgrade",
	  { .exe = FAKE_TCPD " (deleted)", .uid = FAKE_UID }, "/sbin/init", 0 },
	{ "installed elsewhere",
	  { .exe = "/opt/courier/sbin/couriertcpd", .uid = FAKE_UID }, NULL, 0 },
	{ "another program", { .exe = "/usr/sbin/sshd", .uid = FAKE_UID },
	  "/sbin/init", -EPERM },
	{ "its child after the exec", { .exe = FAKE_SMTPD, .uid = FAKE_UID },
	  FAKE_TCPD, -EPERM },
	{ "its child before the exec", { .exe = FAKE_TCPD, .uid = FAKE_UID },
	  FAKE_TCPD, -EPERM },
	{ "its child during an upgrade",
	  { .exe = FAKE_TCPD " (deleted)", .uid = FAKE_UID },
	  FAKE_TCPD " (deleted)", -EPERM },
	{ "a longer name",
	  { .exe = "/usr/sbin/couriertcpd2", .uid = FAKE_UID }, NULL, -EPERM },
	{ "a name that begins otherwise",
	  { .exe = "/usr/sbin/xcouriertcpd", .uid = FAKE_UID }, NULL, -EPERM },
	{ "a directory of that name",
	  { .exe = "/usr/couriertcpd/sh", .uid = FAKE_UID }, NULL, -EPERM },
	{ "a name longer than any",
	  { .exe = "/couriertcpd-that-is-longer-than-any-name", .uid = FAKE_UID },
	  NULL, -EPERM },
	{ "another user's", { .exe = FAKE_TCPD, .uid = FAKE_UID + 5 }, NULL,
	  -EPERM },
	{ "root's", { .exe = FAKE_TCPD, .uid = 0 }, NULL, -EPERM },
	{ "courier's by its real uid only",
	  { .exe = FAKE_TCPD, .uid = FAKE_UID - 1 }, NULL, -EPERM },
	{ "in a container",
	  { .exe = FAKE_TCPD, .uid = FAKE_UID, .other_netns = true }, NULL,
	  -EPERM },
	{ "a kernel thread", { .uid = FAKE_UID }, NULL, -ESRCH },
};

static void put_row(struct fixture *f, const struct check_row *row)
{
	struct fake_process p = row->process;
	const struct fake_process parent = { .pid = PARENT, .ppid = 1,
					     .exe = row->parent_exe,
					     .uid = FAKE_UID };

	p.pid = f->pid;
	p.ppid = PARENT;
	fakeproc_put(&f->tree, &p);
	if (row->parent_exe)
		fakeproc_put(&f->tree, &parent);
}

static void check(void **state)
{
	const struct check_row *row = *state;
	struct fixture f;

	fixture_open(&f);
	put_row(&f, row);
	want_int(listeners_check(f.listeners, f.pid), row->result);
	want_int(count_pids(&f), row->result == 0);
	want_int(listeners_scan(f.listeners), row->result == 0);
	fixture_close(&f);
}

static void check_of_nobody(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	want_int(listeners_check(f.listeners, f.pid), -ESRCH);
	want_int(listeners_check(f.listeners, 0) < 0, true);
	want_int(listeners_check(f.listeners, -1) < 0, true);
	fixture_close(&f);
}

/* One descriptor each, however often it is asked for. */
static void check_again(void **state)
{
	struct fixture f;
	size_t before;
	int i;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	before = descriptors_open();
	for (i = 0; i < 100; i++)
		want_int(listeners_check(f.listeners, f.pid), 0);
	want_int(count_pids(&f), 1);
	want_int(descriptors_open(), before + 1);
	fixture_close(&f);
}

/* What was found out holds until it ends. */
static void known_until_the_end(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	fixture_open(&f);
	pid = waiter_start();
	fakeproc_put_tcpd(&f.tree, pid);
	want_int(listeners_check(f.listeners, pid), 0);
	fakeproc_remove(&f.tree, pid, "exe");
	want_int(listeners_check(f.listeners, pid), 0);
	/* Its PID in the tree is somebody else's now, who looks like it. */
	fakeproc_put_tcpd(&f.tree, pid);
	waiter_end(pid);
	want_int(listeners_check(f.listeners, pid), -ESRCH);
	want_int(count_pids(&f), 0);
	fixture_close(&f);
}

static void end_process(void *data)
{
	const pid_t *pid = data;

	kill(*pid, SIGKILL);
	has_ended_soon(*pid);
}

/* It ends while it is being looked at: what the tree says then may be about
 * another process with its PID. */
static void gone_between(void **state)
{
	const char *file = *state;
	struct fake_moment moment;
	struct fixture f;
	pid_t pid;

	fixture_open(&f);
	pid = waiter_start();
	fakeproc_put_tcpd(&f.tree, pid);
	fakeproc_at(&f.tree, pid, file, end_process, &pid, &moment);
	want_int(listeners_check(f.listeners, pid), -ESRCH);
	want_int(fakeproc_came(&moment), true);
	want_int(count_pids(&f), 0);
	waiter_end(pid);
	fixture_close(&f);
}

/* Two threads learn of it at the same time: one descriptor is enough. */
static void check_meanwhile(void *data)
{
	struct fixture *f = data;

	if (listeners_check(f->listeners, f->pid) < 0)
		print_message("# the other thread did not find it\n");
}

static void found_by_two_at_once(void **state)
{
	struct fake_moment moment;
	struct fixture f;
	size_t before;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	before = descriptors_open();
	fakeproc_at(&f.tree, f.pid, "status", check_meanwhile, &f, &moment);
	want_int(listeners_check(f.listeners, f.pid), 0);
	want_int(fakeproc_came(&moment), true);
	want_int(count_pids(&f), 1);
	want_int(descriptors_open(), before + 1);
	fixture_close(&f);
}

static void turn_into_another(void *data)
{
	struct fixture *f = data;

	fakeproc_exe(&f->tree, f->pid, "/bin/sh");
}

/* The PID is another's by the time it is held. */
static void a_listener_of_before(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	want_int(listeners_check(f.listeners, f.pid), 0);
	listeners_free(f.listeners);
	turn_into_another(&f);
	want_int(listeners_new(&f.procfs, f.looker, FAKE_UID, &f.listeners), 0);
	want_int(listeners_check(f.listeners, f.pid), -EPERM);
	fixture_close(&f);
}

static void scan_finds_all(void **state)
{
	const struct fake_process stranger = { .pid = 3, .exe = "/bin/sh",
					       .ppid = 1 };
	pid_t pids[LISTENERS_MAX], more[2];
	struct fixture f;

	(void)state;
	fixture_open(&f);
	want_int(listeners_scan(f.listeners), 0);
	fakeproc_put(&f.tree, &stranger);
	fakeproc_put_tcpd(&f.tree, f.pid);
	more[0] = waiter_start();
	more[1] = waiter_start();
	fakeproc_put_tcpd(&f.tree, more[0]);
	want_int(listeners_scan(f.listeners), 2);
	fakeproc_put_tcpd(&f.tree, more[1]);
	want_int(listeners_scan(f.listeners), 3);
	want_int(listeners_pids(f.listeners, pids), 3);
	want_int(pids[0] != pids[1] && pids[1] != pids[2] && pids[0] != pids[2],
		 true);
	waiter_end(more[0]);
	fakeproc_drop(&f.tree, more[0]);
	want_int(listeners_pids(f.listeners, pids), 2);
	want_int(pids[0] == more[1] || pids[1] == more[1], true);
	want_int(listeners_scan(f.listeners), 2);
	waiter_end(more[1]);
	fixture_close(&f);
}

/* What can be no listener by its uid, its parent or its name is not looked at: it could
 * keep us waiting. */
struct stranger_row {
	const char *label, *comm;
	uid_t uid;
	bool below_listener;
	bool checked;		/* the scan alone passes it over */
};

static const struct stranger_row stranger_rows[] = {
	{ "another user's", NULL, FAKE_UID + 1, false, false },
	{ "root's", NULL, 0, false, false },
	{ "a listener's child", NULL, FAKE_UID, true, false },
	{ "one that calls itself otherwise", "couriertls", FAKE_UID, false, true },
};

static void strangers_are_not_looked_at(void **state)
{
	const struct stranger_row *row = *state;
	struct fixture f;
	pid_t pid;

	fixture_open(&f);
	pid = waiter_start();
	fakeproc_put_tcpd(&f.tree, f.pid);
	want_int(listeners_check(f.listeners, f.pid), 0);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = pid, .exe = FAKE_TCPD, .comm = row->comm, .uid = row->uid,
		.ppid = row->below_listener ? f.pid : 1 });
	fakeproc_trap(&f.tree, pid);
	/* -EINVAL: it was looked at. */
	want_int(listeners_check(f.listeners, pid), row->checked ? -EINVAL : -EPERM);
	want_int(listeners_scan(f.listeners), 1);
	want_int(fakeproc_let_go(&f.tree, pid), false);
	waiter_end(pid);
	fixture_close(&f);
}

/* By itself the scan sees nothing of it either. */
static void scan_looks_at_no_stranger(void **state)
{
	const struct stranger_row *row = *state;
	struct fixture f;

	fixture_open(&f);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.pid, .exe = FAKE_TCPD, .comm = row->comm, .uid = row->uid,
		.ppid = 1 });
	fakeproc_trap(&f.tree, f.pid);
	want_int(listeners_scan(f.listeners), row->below_listener ? -EINVAL : 0);
	fixture_close(&f);
}

/* Another user's parent is none of courier's, whatever it is. */
static void parents_of_others_are_not_looked_at(void **state)
{
	const struct fake_process parent = { .pid = PARENT, .ppid = 1, .exe = FAKE_TCPD,
					     .uid = FAKE_UID + 1 };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put(&f.tree, &parent);
	fakeproc_trap(&f.tree, PARENT);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.pid, .exe = FAKE_TCPD, .uid = FAKE_UID, .ppid = PARENT });
	want_int(listeners_check(f.listeners, f.pid), 0);
	fixture_close(&f);
}

/* For workers: no look, and no file. */
static void knows(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	fixture_open(&f);
	pid = waiter_start();
	fakeproc_put_tcpd(&f.tree, pid);
	want_int(listeners_knows(f.listeners, pid), -EPERM);
	want_int(listeners_knows(f.listeners, 0), -EPERM);
	want_int(threads_running(), f.threads);
	want_int(listeners_check(f.listeners, pid), 0);
	fakeproc_trap(&f.tree, pid);
	fakeproc_drop(&f.tree, pid);
	want_int(listeners_knows(f.listeners, pid), 0);
	want_int(listeners_knows(f.listeners, f.pid), -EPERM);
	waiter_end(pid);
	want_int(listeners_knows(f.listeners, pid), -ESRCH);
	fixture_close(&f);
}

/* A process that may be a listener keeps us waiting: nothing is known of it until it has
 * answered, and the others are found all the same. */
static void one_that_keeps_waiting(void **state)
{
	struct procfs_look *look = malloc(sizeof(*look));
	struct fixture f;
	int64_t begin;
	pid_t pid;

	(void)state;
	assert_non_null(look);
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	fakeproc_trap(&f.tree, f.pid);
	want_int(looker_look(f.looker, f.pid, true, look), -ETIMEDOUT);
	begin = clock_ms();
	want_int(listeners_check(f.listeners, f.pid), -EBUSY);
	want_int(listeners_scan(f.listeners), -EBUSY);
	pid = waiter_start();
	fakeproc_put_tcpd(&f.tree, pid);
	want_int(listeners_scan(f.listeners), 1);
	want_int(clock_ms() - begin < LOOKER_WAIT_MS, true);
	want_int(fakeproc_let_go(&f.tree, f.pid), true);
	want_int(threads_ended_soon(f.threads + 1), true);
	fakeproc_put_tcpd(&f.tree, f.pid);
	want_int(listeners_check(f.listeners, f.pid), 0);
	want_int(listeners_scan(f.listeners), 2);
	waiter_end(pid);
	free(look);
	fixture_close(&f);
}

/* It is tried on one that keeps us waiting, but not for long. */
static void tried_on_one_that_keeps_waiting(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	want_int(listeners_try(f.listeners, false), 1);
	fakeproc_trap(&f.tree, f.pid);
	want_int(listeners_try(f.listeners, false), -ETIMEDOUT);
	want_int(listeners_try(f.listeners, false), -EBUSY);
	want_int(fakeproc_let_go(&f.tree, f.pid), true);
	want_int(threads_ended_soon(f.threads), true);
	fixture_close(&f);
}

/* So many descriptors besides those that are open. */
static void leave_descriptors(size_t count, struct rlimit *old)
{
	struct rlimit few;
	int lowest = dup(STDERR_FILENO);

	want_int(getrlimit(RLIMIT_NOFILE, old), 0);
	few = (struct rlimit){ .rlim_cur = (rlim_t)lowest + count,
			       .rlim_max = old->rlim_max };
	close(lowest);
	want_int(setrlimit(RLIMIT_NOFILE, &few), 0);
}

/* A call that failed does not say that there is no listener. */
static void calls_that_fail(void **state)
{
	int check, scan, scan_one_left, known, poll_failed;
	struct rlimit old, none;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	leave_descriptors(0, &old);
	check = listeners_check(f.listeners, f.pid);
	scan = listeners_scan(f.listeners);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	leave_descriptors(1, &old);
	scan_one_left = listeners_scan(f.listeners);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(check, -EMFILE);
	want_int(scan, -EMFILE);
	want_int(scan_one_left, -EMFILE);
	want_int(listeners_check(f.listeners, f.pid), 0);
	/* poll(2) refuses more descriptors than a process may have. */
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	poll_failed = listeners_knows(f.listeners, f.pid);
	known = (int)count_pids(&f);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(poll_failed, -EINVAL);
	want_int(known, 1);
	want_int(listeners_knows(f.listeners, f.pid), 0);
	fixture_close(&f);
}

/* More than anybody has: the rest is not known, and nothing else happens. */
static void scan_of_too_many(void **state)
{
	enum { MANY = LISTENERS_MAX + 6 };
	pid_t many[MANY], pids[LISTENERS_MAX];
	struct fixture f;
	int i;

	(void)state;
	fixture_open(&f);
	for (i = 0; i < MANY; i++) {
		many[i] = waiter_start();
		fakeproc_put_tcpd(&f.tree, many[i]);
	}
	want_int(listeners_scan(f.listeners), LISTENERS_MAX);
	want_int(listeners_pids(f.listeners, pids), LISTENERS_MAX);
	/* Those that end make room. */
	for (i = 0; i < LISTENERS_MAX; i++) {
		waiter_end(many[i]);
		fakeproc_drop(&f.tree, many[i]);
	}
	want_int(listeners_scan(f.listeners), MANY - LISTENERS_MAX);
	for (; i < MANY; i++)
		waiter_end(many[i]);
	fixture_close(&f);
}

static void new_without_own_namespace(void **state)
{
	struct listeners *listeners = NULL;
	struct procfs procfs;

	(void)state;
	want_int(procfs_init(&procfs, "/nonexistent"), 0);
	want_int(listeners_new(&procfs, NULL, FAKE_UID, &listeners) < 0, true);
	assert_null(listeners);
	listeners_free(NULL);
}

static int make_one(void *data)
{
	struct listeners *listeners;
	int r = listeners_new(data, NULL, FAKE_UID, &listeners);

	if (r == 0)
		listeners_free(listeners);
	return r;
}

static int scan_one(void *data)
{
	struct fixture *f = data;
	int r = listeners_scan(f->listeners);

	return r < 0 ? r : 0;
}

static void no_memory(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	want_int(memory_fail_each(make_one, &f.procfs) > 0, true);
	want_int(memory_fail_each(scan_one, &f) > 0, true);
	fixture_close(&f);
}

/* Real processes. */

static const struct peer somebody = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 25,
};

struct real {
	struct procfs procfs;
	struct looker *looker;
	struct listeners *listeners;
	struct courier courier;
};

static void real_open(struct real *r, uid_t uid)
{
	want_int(procfs_init(&r->procfs, PROCFS_DEFAULT_ROOT), 0);
	want_int(looker_new(&r->procfs, &r->looker), 0);
	looker_set_wait(r->looker, PATIENT_MS);
	want_int(listeners_new(&r->procfs, r->looker, uid, &r->listeners), 0);
	courier_start(&r->courier);
}

static void real_close(struct real *r)
{
	courier_stop(&r->courier);
	listeners_free(r->listeners);
	want_int(looker_free(r->looker), true);
}

/* Other tests that run now have a couriertcpd of the same user. */
static bool is_listed(const struct real *r, pid_t pid)
{
	pid_t pids[LISTENERS_MAX];
	size_t n = listeners_pids(r->listeners, pids), i;

	for (i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void real_couriertcpd(void **state)
{
	pid_t forked;
	struct connection plain, tls;
	struct real r;

	(void)state;
	real_open(&r, geteuid());
	plain = courier_plain(&r.courier, &somebody);
	tls = courier_smtps(&r.courier, &somebody);
	forked = courier_forked(&r.courier, &somebody);
	want_int(listeners_check(r.listeners, plain.smtpd), -EPERM);
	want_int(listeners_check(r.listeners, tls.tls), -EPERM);
	want_int(listeners_check(r.listeners, forked), -EPERM);
	want_int(listeners_check(r.listeners, getpid()), -EPERM);
	want_int(listeners_scan(r.listeners) >= 1, true);
	want_int(is_listed(&r, r.courier.tcpd), true);
	want_int(is_listed(&r, forked) || is_listed(&r, plain.smtpd) ||
		 is_listed(&r, tls.tls) || is_listed(&r, tls.smtpd), false);
	want_int(listeners_check(r.listeners, forked), -EPERM);
	real_close(&r);
}

static void real_couriertcpd_upgraded(void **state)
{
	struct real r;

	(void)state;
	real_open(&r, geteuid());
	courier_upgrade(&r.courier);
	want_int(listeners_check(r.listeners, r.courier.tcpd), 0);
	real_close(&r);
}

static void real_couriertcpd_of_another_user(void **state)
{
	struct real r;

	(void)state;
	real_open(&r, NOBODY_UID);
	want_int(listeners_check(r.listeners, r.courier.tcpd), -EPERM);
	want_int(listeners_scan(r.listeners), 0);
	real_close(&r);
}

static void real_couriertcpd_ends(void **state)
{
	struct real r;

	(void)state;
	real_open(&r, geteuid());
	want_int(listeners_check(r.listeners, r.courier.tcpd), 0);
	want_int(is_listed(&r, r.courier.tcpd), true);
	kill(r.courier.tcpd, SIGKILL);
	want_int(has_ended_soon(r.courier.tcpd), true);
	want_int(is_listed(&r, r.courier.tcpd), false);
	want_int(listeners_check(r.listeners, r.courier.tcpd), -ESRCH);
	listeners_scan(r.listeners);
	want_int(is_listed(&r, r.courier.tcpd), false);
	real_close(&r);
}

/* rsyslogd without CAP_SYS_PTRACE. */
static void real_couriertcpd_that_is_hidden(void **state)
{
	struct real r;
	int check_result, scan_result, foreign;

	(void)state;
	real_open(&r, geteuid());
	user_become(NOBODY_UID);
	check_result = listeners_check(r.listeners, r.courier.tcpd);
	scan_result = listeners_scan(r.listeners);
	user_back();
	want_int(check_result, -EACCES);
	want_int(scan_result, -EACCES);
	listeners_free(r.listeners);
	/* Processes of others may be hidden; that is nothing to worry about. */
	want_int(listeners_new(&r.procfs, r.looker, 4242, &r.listeners), 0);
	user_become(NOBODY_UID);
	foreign = listeners_scan(r.listeners);
	user_back();
	want_int(foreign, 0);
	real_close(&r);
}

/* The kernel's answer to a signal, if it is to be no. */
static int signal_refused;
int __real_procref_signal(const struct procref *ref, int signal);
int __wrap_procref_signal(const struct procref *ref, int signal);

int __wrap_procref_signal(const struct procref *ref, int signal)
{
	return signal_refused ? -signal_refused : __real_procref_signal(ref, signal);
}

/* Rights are tried on a couriertcpd of courier's, and on nobody else's. */
static void tried_on_a_real_couriertcpd(void **state)
{
	struct real r;

	(void)state;
	real_open(&r, geteuid());
	want_int(listeners_try(r.listeners, false), 1);
	want_int(listeners_try(r.listeners, true), 1);
	want_int(is_living(r.courier.tcpd), true);
	listeners_free(r.listeners);
	want_int(listeners_new(&r.procfs, r.looker, 4242, &r.listeners), 0);
	want_int(listeners_try(r.listeners, true), 0);
	real_close(&r);
}

/* The capabilities are nobody's business here: it is tried. */
static void tried_without_rights(void **state)
{
	int look, signal, look_known, foreign;
	struct real r;

	(void)state;
	real_open(&r, geteuid());
	user_become(NOBODY_UID);
	look = listeners_try(r.listeners, true);
	user_back();
	want_int(look, -EACCES);
	want_int(listeners_check(r.listeners, r.courier.tcpd), 0);
	user_become(NOBODY_UID);
	look_known = listeners_try(r.listeners, true);
	user_back();
	want_int(look_known, -EACCES);
	signal_refused = EPERM;
	signal = listeners_try(r.listeners, true);
	look = listeners_try(r.listeners, false);
	signal_refused = 0;
	want_int(signal, -EPERM);
	want_int(look, 1);
	listeners_free(r.listeners);
	want_int(listeners_new(&r.procfs, r.looker, 4242, &r.listeners), 0);
	user_become(NOBODY_UID);
	foreign = listeners_try(r.listeners, true);
	user_back();
	want_int(foreign, 0);
	real_close(&r);
}

/* Several threads ask while listeners come and go. */
struct stress {
	struct fixture *f;
	pid_t pids[8];
	atomic_bool end;
	atomic_uint asked;
};

static void *ask_all_the_time(void *data)
{
	struct stress *s = data;
	pid_t pids[LISTENERS_MAX];
	size_t i, n;

	while (!atomic_load(&s->end)) {
		for (i = 0; i < COUNT_OF(s->pids); i++)
			listeners_check(s->f->listeners, s->pids[i]);
		n = listeners_pids(s->f->listeners, pids);
		atomic_fetch_add(&s->asked, n <= COUNT_OF(s->pids));
	}
	return NULL;
}

static bool was_asked(void *data)
{
	struct stress *s = data;

	return atomic_load(&s->asked) > 0;
}

static void several_threads(void **state)
{
	struct stress s = { .end = false };
	pthread_t threads[3];
	struct fixture f;
	size_t i;

	(void)state;
	fixture_open(&f);
	s.f = &f;
	for (i = 0; i < COUNT_OF(s.pids); i++) {
		s.pids[i] = waiter_start();
		fakeproc_put_tcpd(&f.tree, s.pids[i]);
	}
	for (i = 0; i < COUNT_OF(threads); i++)
		want_int(pthread_create(&threads[i], NULL, ask_all_the_time, &s),
			 0);
	for (i = 0; i < COUNT_OF(s.pids); i++) {
		want_int(listeners_scan(f.listeners), COUNT_OF(s.pids) - i);
		waiter_end(s.pids[i]);
		want_int(count_pids(&f), COUNT_OF(s.pids) - i - 1);
	}
	want_int(soon(was_asked, &s), true);
	atomic_store(&s.end, true);
	for (i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	fixture_close(&f);
}

int main(void)
{
	struct suite *s = suite_new();

	SUITE_ROWS(s, check, check_rows);
	SUITE_TEST(s, check_of_nobody);
	SUITE_TEST(s, check_again);
	SUITE_TEST(s, known_until_the_end);
	suite_add(s, gone_between, "status", "gone_between: at its status");
	SUITE_TEST(s, found_by_two_at_once);
	SUITE_TEST(s, a_listener_of_before);
	SUITE_TEST(s, scan_finds_all);
	SUITE_TEST(s, scan_of_too_many);
	SUITE_ROWS(s, strangers_are_not_looked_at, stranger_rows);
	SUITE_ROWS(s, scan_looks_at_no_stranger, stranger_rows);
	SUITE_TEST(s, parents_of_others_are_not_looked_at);
	SUITE_TEST(s, knows);
	SUITE_TEST(s, one_that_keeps_waiting);
	SUITE_TEST(s, tried_on_one_that_keeps_waiting);
	SUITE_TEST(s, calls_that_fail);
	SUITE_TEST(s, new_without_own_namespace);
	SUITE_TEST(s, no_memory);
	SUITE_TEST(s, real_couriertcpd);
	SUITE_TEST(s, real_couriertcpd_upgraded);
	SUITE_TEST(s, real_couriertcpd_ends);
	SUITE_TEST(s, several_threads);
	SUITE_AS_ROOT(s, real_couriertcpd_of_another_user);
	SUITE_AS_ROOT(s, real_couriertcpd_that_is_hidden);
	SUITE_TEST(s, tried_on_a_real_couriertcpd);
	SUITE_AS_ROOT(s, tried_without_rights);
	return suite_run(s, "listeners");
}
