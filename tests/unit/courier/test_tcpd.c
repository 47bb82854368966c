/* The couriertcpd processes that listen for one courier user.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/tcpd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/pidref.h"
#include "tests/unit/fakeproc.h"
#include "tests/unit/support.h"

/* A tree, and the tcpds found in it. */
struct fixture {
	struct fakeproc tree;
	struct procfs procfs;
	struct looker *looker;
	struct tcpd_list *tcpds;
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
	want_int(tcpd_new(&f->procfs, f->looker, FAKE_UID, &f->tcpds), 0);
	f->pid = waiter_start();
}

static void fixture_close(struct fixture *f)
{
	waiter_end(f->pid);
	tcpd_free(f->tcpds);
	want_int(looker_free(f->looker), true);
	want_int(threads_ended_soon(f->threads), true);
	fakeproc_close(&f->tree);
	want_int(descriptors_open(), f->descriptors);
}

static size_t count_pids(struct fixture *f)
{
	pid_t pids[TCPD_MAX];

	return tcpd_pids(f->tcpds, pids);
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
	want_int(tcpd_check(f.tcpds, f.pid), row->result);
	want_int(count_pids(&f), row->result == 0);
	want_int(tcpd_scan(f.tcpds), row->result == 0);
	fixture_close(&f);
}

static void check_of_a_missing_process(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	want_int(tcpd_check(f.tcpds, f.pid), -ESRCH);
	want_int(tcpd_check(f.tcpds, 0) < 0, true);
	want_int(tcpd_check(f.tcpds, -1) < 0, true);
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
		want_int(tcpd_check(f.tcpds, f.pid), 0);
	want_int(count_pids(&f), 1);
	want_int(descriptors_open(), before + 1);
	fixture_close(&f);
}

/* The result is valid until it exits. */
static void known_until_its_exit(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	fixture_open(&f);
	pid = waiter_start();
	fakeproc_put_tcpd(&f.tree, pid);
	want_int(tcpd_check(f.tcpds, pid), 0);
	fakeproc_remove(&f.tree, pid, "exe");
	want_int(tcpd_check(f.tcpds, pid), 0);
	/* Another process that looks like it has its PID now. */
	fakeproc_put_tcpd(&f.tree, pid);
	waiter_end(pid);
	want_int(tcpd_check(f.tcpds, pid), -ESRCH);
	want_int(count_pids(&f), 0);
	fixture_close(&f);
}

static void end_process(void *data)
{
	const pid_t *pid = data;

	kill(*pid, SIGKILL);
	has_ended_soon(*pid);
}

/* It exits while it is being read: from then on the tree may show another process with its
 * PID. */
static void exits_in_between(void **state)
{
	const char *file = *state;
	struct fake_moment moment;
	struct fixture f;
	pid_t pid;

	fixture_open(&f);
	pid = waiter_start();
	fakeproc_put_tcpd(&f.tree, pid);
	fakeproc_at(&f.tree, pid, file, end_process, &pid, &moment);
	want_int(tcpd_check(f.tcpds, pid), -ESRCH);
	want_int(fakeproc_came(&moment), true);
	want_int(count_pids(&f), 0);
	waiter_end(pid);
	fixture_close(&f);
}

/* Two threads learn of it at the same time: one descriptor is enough. */
static void check_meanwhile(void *data)
{
	struct fixture *f = data;

	if (tcpd_check(f->tcpds, f->pid) < 0)
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
	want_int(tcpd_check(f.tcpds, f.pid), 0);
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

/* Another process has the PID by the time it is pinned. */
static void an_earlier_tcpd(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	want_int(tcpd_check(f.tcpds, f.pid), 0);
	tcpd_free(f.tcpds);
	turn_into_another(&f);
	want_int(tcpd_new(&f.procfs, f.looker, FAKE_UID, &f.tcpds), 0);
	want_int(tcpd_check(f.tcpds, f.pid), -EPERM);
	fixture_close(&f);
}

static void scan_finds_all(void **state)
{
	const struct fake_process stranger = { .pid = 3, .exe = "/bin/sh",
					       .ppid = 1 };
	pid_t pids[TCPD_MAX], more[2];
	struct fixture f;

	(void)state;
	fixture_open(&f);
	want_int(tcpd_scan(f.tcpds), 0);
	fakeproc_put(&f.tree, &stranger);
	fakeproc_put_tcpd(&f.tree, f.pid);
	more[0] = waiter_start();
	more[1] = waiter_start();
	fakeproc_put_tcpd(&f.tree, more[0]);
	want_int(tcpd_scan(f.tcpds), 2);
	fakeproc_put_tcpd(&f.tree, more[1]);
	want_int(tcpd_scan(f.tcpds), 3);
	want_int(tcpd_pids(f.tcpds, pids), 3);
	want_int(pids[0] != pids[1] && pids[1] != pids[2] && pids[0] != pids[2],
		 true);
	waiter_end(more[0]);
	fakeproc_drop(&f.tree, more[0]);
	want_int(tcpd_pids(f.tcpds, pids), 2);
	want_int(pids[0] == more[1] || pids[1] == more[1], true);
	want_int(tcpd_scan(f.tcpds), 2);
	waiter_end(more[1]);
	fixture_close(&f);
}

/* A process that cannot be a tcpd by uid, parent or name is not read: the read could
 * hang. */
struct stranger_row {
	const char *label, *comm;
	uid_t uid;
	bool below_listener;
	bool checked;		/* the scan alone passes it over */
};

static const struct stranger_row stranger_rows[] = {
	{ "another user's", NULL, FAKE_UID + 1, false, false },
	{ "root's", NULL, 0, false, false },
	{ "a child of a tcpd", NULL, FAKE_UID, true, false },
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
	want_int(tcpd_check(f.tcpds, f.pid), 0);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = pid, .exe = FAKE_TCPD, .comm = row->comm, .uid = row->uid,
		.ppid = row->below_listener ? f.pid : 1 });
	fakeproc_trap(&f.tree, pid);
	/* -EINVAL: it was looked at. */
	want_int(tcpd_check(f.tcpds, pid), row->checked ? -EINVAL : -EPERM);
	want_int(tcpd_scan(f.tcpds), 1);
	want_int(fakeproc_release(&f.tree, pid), false);
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
	want_int(tcpd_scan(f.tcpds), row->below_listener ? -EINVAL : 0);
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
	want_int(tcpd_check(f.tcpds, f.pid), 0);
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
	want_int(tcpd_knows(f.tcpds, pid), -EPERM);
	want_int(tcpd_knows(f.tcpds, 0), -EPERM);
	want_int(threads_running(), f.threads);
	want_int(tcpd_check(f.tcpds, pid), 0);
	fakeproc_trap(&f.tree, pid);
	fakeproc_drop(&f.tree, pid);
	want_int(tcpd_knows(f.tcpds, pid), 0);
	want_int(tcpd_knows(f.tcpds, f.pid), -EPERM);
	waiter_end(pid);
	want_int(tcpd_knows(f.tcpds, pid), -ESRCH);
	fixture_close(&f);
}

/* The read of a possible tcpd hangs: nothing is known about it until it returns, and the
 * others are found all the same. */
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
	want_int(tcpd_check(f.tcpds, f.pid), -EBUSY);
	want_int(tcpd_scan(f.tcpds), -EBUSY);
	pid = waiter_start();
	fakeproc_put_tcpd(&f.tree, pid);
	want_int(tcpd_scan(f.tcpds), 1);
	want_int(clock_ms() - begin < LOOKER_WAIT_MS, true);
	want_int(fakeproc_release(&f.tree, f.pid), true);
	want_int(threads_ended_soon(f.threads + 1), true);
	fakeproc_put_tcpd(&f.tree, f.pid);
	want_int(tcpd_check(f.tcpds, f.pid), 0);
	want_int(tcpd_scan(f.tcpds), 2);
	waiter_end(pid);
	free(look);
	fixture_close(&f);
}

/* It is tried on a process that hangs, but not for long. */
static void tried_on_one_that_keeps_waiting(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	want_int(tcpd_try(f.tcpds, false), 1);
	fakeproc_trap(&f.tree, f.pid);
	want_int(tcpd_try(f.tcpds, false), -ETIMEDOUT);
	want_int(tcpd_try(f.tcpds, false), -EBUSY);
	want_int(fakeproc_release(&f.tree, f.pid), true);
	want_int(threads_ended_soon(f.threads), true);
	fixture_close(&f);
}

/* This many descriptors besides the open ones. */
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

/* A failed call does not mean that there is no tcpd. */
static void calls_that_fail(void **state)
{
	int check, scan, scan_one_left, known, poll_failed;
	struct rlimit old, none;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	leave_descriptors(0, &old);
	check = tcpd_check(f.tcpds, f.pid);
	scan = tcpd_scan(f.tcpds);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	leave_descriptors(1, &old);
	scan_one_left = tcpd_scan(f.tcpds);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(check, -EMFILE);
	want_int(scan, -EMFILE);
	want_int(scan_one_left, -EMFILE);
	want_int(tcpd_check(f.tcpds, f.pid), 0);
	/* poll(2) refuses more descriptors than a process may have. */
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	poll_failed = tcpd_knows(f.tcpds, f.pid);
	known = (int)count_pids(&f);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(poll_failed, -EINVAL);
	want_int(known, 1);
	want_int(tcpd_knows(f.tcpds, f.pid), 0);
	fixture_close(&f);
}

/* More than anybody has: the rest is not known, and nothing else happens. */
static void scan_of_too_many(void **state)
{
	enum { MANY = TCPD_MAX + 6 };
	pid_t many[MANY], pids[TCPD_MAX];
	struct fixture f;
	int i;

	(void)state;
	fixture_open(&f);
	for (i = 0; i < MANY; i++) {
		many[i] = waiter_start();
		fakeproc_put_tcpd(&f.tree, many[i]);
	}
	want_int(tcpd_scan(f.tcpds), TCPD_MAX);
	want_int(tcpd_pids(f.tcpds, pids), TCPD_MAX);
	/* Exited ones make room. */
	for (i = 0; i < TCPD_MAX; i++) {
		waiter_end(many[i]);
		fakeproc_drop(&f.tree, many[i]);
	}
	want_int(tcpd_scan(f.tcpds), MANY - TCPD_MAX);
	for (; i < MANY; i++)
		waiter_end(many[i]);
	fixture_close(&f);
}

static void new_without_own_namespace(void **state)
{
	struct tcpd_list *tcpds = NULL;
	struct procfs procfs;

	(void)state;
	want_int(procfs_init(&procfs, "/nonexistent"), 0);
	want_int(tcpd_new(&procfs, NULL, FAKE_UID, &tcpds) < 0, true);
	assert_null(tcpds);
	tcpd_free(NULL);
}

static int make_one(void *data)
{
	struct tcpd_list *tcpds;
	int r = tcpd_new(data, NULL, FAKE_UID, &tcpds);

	if (r == 0)
		tcpd_free(tcpds);
	return r;
}

static int scan_one(void *data)
{
	struct fixture *f = data;
	int r = tcpd_scan(f->tcpds);

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

static const struct peer a_client = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 25,
};

struct real {
	struct procfs procfs;
	struct looker *looker;
	struct tcpd_list *tcpds;
	struct courier courier;
};

static void real_open(struct real *r, uid_t uid)
{
	want_int(procfs_init(&r->procfs, PROCFS_DEFAULT_ROOT), 0);
	want_int(looker_new(&r->procfs, &r->looker), 0);
	looker_set_wait(r->looker, PATIENT_MS);
	want_int(tcpd_new(&r->procfs, r->looker, uid, &r->tcpds), 0);
	courier_start(&r->courier);
}

static void real_close(struct real *r)
{
	courier_stop(&r->courier);
	tcpd_free(r->tcpds);
	want_int(looker_free(r->looker), true);
}

/* Other tests that run now have a couriertcpd of the same user. */
static bool is_listed(const struct real *r, pid_t pid)
{
	pid_t pids[TCPD_MAX];
	size_t n = tcpd_pids(r->tcpds, pids), i;

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
	plain = courier_plain(&r.courier, &a_client);
	tls = courier_smtps(&r.courier, &a_client);
	forked = courier_forked(&r.courier, &a_client);
	want_int(tcpd_check(r.tcpds, plain.smtpd), -EPERM);
	want_int(tcpd_check(r.tcpds, tls.tls), -EPERM);
	want_int(tcpd_check(r.tcpds, forked), -EPERM);
	want_int(tcpd_check(r.tcpds, getpid()), -EPERM);
	want_int(tcpd_scan(r.tcpds) >= 1, true);
	want_int(is_listed(&r, r.courier.tcpd), true);
	want_int(is_listed(&r, forked) || is_listed(&r, plain.smtpd) ||
		 is_listed(&r, tls.tls) || is_listed(&r, tls.smtpd), false);
	want_int(tcpd_check(r.tcpds, forked), -EPERM);
	real_close(&r);
}

static void real_couriertcpd_upgraded(void **state)
{
	struct real r;

	(void)state;
	real_open(&r, geteuid());
	courier_upgrade(&r.courier);
	want_int(tcpd_check(r.tcpds, r.courier.tcpd), 0);
	real_close(&r);
}

static void real_couriertcpd_of_another_user(void **state)
{
	struct real r;

	(void)state;
	real_open(&r, NOBODY_UID);
	want_int(tcpd_check(r.tcpds, r.courier.tcpd), -EPERM);
	want_int(tcpd_scan(r.tcpds), 0);
	real_close(&r);
}

static void real_couriertcpd_exits(void **state)
{
	struct real r;

	(void)state;
	real_open(&r, geteuid());
	want_int(tcpd_check(r.tcpds, r.courier.tcpd), 0);
	want_int(is_listed(&r, r.courier.tcpd), true);
	kill(r.courier.tcpd, SIGKILL);
	want_int(has_ended_soon(r.courier.tcpd), true);
	want_int(is_listed(&r, r.courier.tcpd), false);
	want_int(tcpd_check(r.tcpds, r.courier.tcpd), -ESRCH);
	tcpd_scan(r.tcpds);
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
	check_result = tcpd_check(r.tcpds, r.courier.tcpd);
	scan_result = tcpd_scan(r.tcpds);
	user_back();
	want_int(check_result, -EACCES);
	want_int(scan_result, -EACCES);
	tcpd_free(r.tcpds);
	/* Processes of others may be hidden; that is nothing to worry about. */
	want_int(tcpd_new(&r.procfs, r.looker, 4242, &r.tcpds), 0);
	user_become(NOBODY_UID);
	foreign = tcpd_scan(r.tcpds);
	user_back();
	want_int(foreign, 0);
	real_close(&r);
}

/* The kernel's answer to a signal, if it is to be no. */
static int signal_refused;
int __real_pidref_signal(const struct pidref *ref, int signal);
int __wrap_pidref_signal(const struct pidref *ref, int signal);

int __wrap_pidref_signal(const struct pidref *ref, int signal)
{
	return signal_refused ? -signal_refused : __real_pidref_signal(ref, signal);
}

/* Access is tried on a couriertcpd of courier, and on no other process. */
static void tried_on_a_real_couriertcpd(void **state)
{
	struct real r;

	(void)state;
	real_open(&r, geteuid());
	want_int(tcpd_try(r.tcpds, false), 1);
	want_int(tcpd_try(r.tcpds, true), 1);
	want_int(is_living(r.courier.tcpd), true);
	tcpd_free(r.tcpds);
	want_int(tcpd_new(&r.procfs, r.looker, 4242, &r.tcpds), 0);
	want_int(tcpd_try(r.tcpds, true), 0);
	real_close(&r);
}

/* Capabilities are not checked here: the access is tried. */
static void tried_without_capabilities(void **state)
{
	int look, signal, look_known, foreign;
	struct real r;

	(void)state;
	real_open(&r, geteuid());
	user_become(NOBODY_UID);
	look = tcpd_try(r.tcpds, true);
	user_back();
	want_int(look, -EACCES);
	want_int(tcpd_check(r.tcpds, r.courier.tcpd), 0);
	user_become(NOBODY_UID);
	look_known = tcpd_try(r.tcpds, true);
	user_back();
	want_int(look_known, -EACCES);
	signal_refused = EPERM;
	signal = tcpd_try(r.tcpds, true);
	look = tcpd_try(r.tcpds, false);
	signal_refused = 0;
	want_int(signal, -EPERM);
	want_int(look, 1);
	tcpd_free(r.tcpds);
	want_int(tcpd_new(&r.procfs, r.looker, 4242, &r.tcpds), 0);
	user_become(NOBODY_UID);
	foreign = tcpd_try(r.tcpds, true);
	user_back();
	want_int(foreign, 0);
	real_close(&r);
}

/* Several threads query while tcpds start and exit. */
struct stress {
	struct fixture *f;
	pid_t pids[8];
	atomic_bool end;
	atomic_uint asked;
};

static void *ask_all_the_time(void *data)
{
	struct stress *s = data;
	pid_t pids[TCPD_MAX];
	size_t i, n;

	while (!atomic_load(&s->end)) {
		for (i = 0; i < COUNT_OF(s->pids); i++)
			tcpd_check(s->f->tcpds, s->pids[i]);
		n = tcpd_pids(s->f->tcpds, pids);
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
		want_int(tcpd_scan(f.tcpds), COUNT_OF(s.pids) - i);
		waiter_end(s.pids[i]);
		want_int(count_pids(&f), COUNT_OF(s.pids) - i - 1);
	}
	want_int(soon(was_asked, &s), true);
	atomic_store(&s.end, true);
	for (i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	fixture_close(&f);
}

/* One that is another user's by the time it is held. */
static void become_anothers(void *data)
{
	const struct fixture *f = data;

	fakeproc_remove(&f->tree, f->pid, "status");
	fakeproc_put(&f->tree, &(struct fake_process){
		.pid = f->pid, .exe = FAKE_TCPD, .ppid = 1, .uid = FAKE_UID + 1 });
}

static void anothers_once_it_is_pinned(void **state)
{
	struct fake_moment moment;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tcpd(&f.tree, f.pid);
	fakeproc_at(&f.tree, f.pid, "status", become_anothers, &f, &moment);
	want_int(tcpd_check(f.tcpds, f.pid), -EPERM);
	want_int(fakeproc_came(&moment), true);
	want_int(threads_running(), f.threads);
	fixture_close(&f);
}

/* A stranger is known by its status alone, for which one descriptor is enough. */
static void stranger_is_not_pinned(void **state)
{
	struct rlimit old, low;
	struct fixture f;
	int lowest, r;

	(void)state;
	fixture_open(&f);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.pid, .exe = FAKE_TCPD, .ppid = 1, .uid = FAKE_UID + 1 });
	lowest = dup(STDERR_FILENO);
	want_int(lowest >= 0, true);
	close(lowest);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)lowest + 1;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = tcpd_check(f.tcpds, f.pid);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EPERM);
	fixture_close(&f);
}

int main(void)
{
	struct suite *s = suite_new();

	SUITE_ROWS(s, check, check_rows);
	SUITE_TEST(s, check_of_a_missing_process);
	SUITE_TEST(s, check_again);
	SUITE_TEST(s, known_until_its_exit);
	suite_add(s, exits_in_between, "status", "exits_in_between: at its status");
	SUITE_TEST(s, found_by_two_at_once);
	SUITE_TEST(s, an_earlier_tcpd);
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
	SUITE_TEST(s, real_couriertcpd_exits);
	SUITE_TEST(s, several_threads);
	SUITE_AS_ROOT(s, real_couriertcpd_of_another_user);
	SUITE_AS_ROOT(s, real_couriertcpd_that_is_hidden);
	SUITE_TEST(s, tried_on_a_real_couriertcpd);
	SUITE_AS_ROOT(s, tried_without_capabilities);
	SUITE_TEST(s, anothers_once_it_is_pinned);
	SUITE_TEST(s, stranger_is_not_pinned);
	return suite_run(s, "listeners");
}
