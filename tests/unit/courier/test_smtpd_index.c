/* Which smtpd serves which peer.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtpd_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/unit/fakeproc.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

/* Invented PIDs: only the tcpd is pinned here. */
#define FIRST_PID 500000

struct fixture {
	struct fakeproc tree;
	struct procfs procfs;
	struct looker *looker;
	struct tcpd_list *tcpds;
	struct smtpd_rules rules;
	struct smtpd_index *index;
	size_t threads;
	pid_t tcpd;
};

static void setup(struct fixture *f)
{
	f->threads = threads_running();
	f->tcpd = waiter_start();
	fakeproc_open(&f->tree);
	fakeproc_put_tcpd(&f->tree, f->tcpd);
	fakeproc_children(&f->tree, f->tcpd, NULL, 0);
	want_int(procfs_init(&f->procfs, f->tree.root), 0);
	want_int(looker_new(&f->procfs, &f->looker), 0);
	looker_set_wait(f->looker, PATIENT_MS);
	want_int(tcpd_new(&f->procfs, f->looker, FAKE_UID, &f->tcpds), 0);
	want_int(tcpd_check(f->tcpds, f->tcpd), 0);
	f->rules = (struct smtpd_rules){ .procfs = &f->procfs,
					.looker = f->looker,
					.tcpds = f->tcpds,
					.uid = FAKE_UID };
	want_int(smtpd_index_new(&f->rules, &f->index), 0);
}

static void teardown(struct fixture *f)
{
	smtpd_index_free(f->index);
	tcpd_free(f->tcpds);
	want_int(looker_free(f->looker), true);
	want_int(threads_ended_soon(f->threads), true);
	fakeproc_close(&f->tree);
	waiter_end(f->tcpd);
}

/* The nth smtpd serves 10.(n/250).(n%250).1, port 1000 + n. */
static void put_child(struct fixture *f, unsigned int n)
{
	struct peer peer = { .port = 1000 + n, .local_port = 25 };
	char ip[64];

	snprintf(ip, sizeof(ip), "::ffff:10.%u.%u.1", n / 250, n % 250);
	peer.ip = ip;
	fakeproc_put_smtpd(&f->tree, FIRST_PID + (pid_t)n, f->tcpd, &peer);
}

/* couriertcpd has the children from..to-1. */
static void set_children(struct fixture *f, unsigned int from, unsigned int to)
{
	pid_t *pids = malloc((to - from + 1) * sizeof(*pids));
	unsigned int i;

	for (i = from; i < to; i++)
		pids[i - from] = FIRST_PID + (pid_t)i;
	fakeproc_children(&f->tree, f->tcpd, pids, to - from);
	free(pids);
}

static size_t find(struct fixture *f, unsigned int n, uint16_t port, pid_t *ret_pid)
{
	const struct addr addr = {
		.family = ADDR_IPV4,
		.bytes = { 10, (uint8_t)(n / 250), (uint8_t)(n % 250), 1 },
	};

	return smtpd_index_find(f->index, &addr, port, ret_pid, 1);
}

static void finds_by_address_and_port(void **state)
{
	struct fixture f;
	pid_t pid = 0;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	put_child(&f, 2);
	set_children(&f, 1, 3);
	want_int(find(&f, 1, 1001, &pid), 0);
	want_int(smtpd_index_is_empty(f.index), true);
	want_int(smtpd_index_refresh(f.index), 2);
	want_int(smtpd_index_is_empty(f.index), false);
	want_int(find(&f, 1, 1001, &pid), 1);
	want_int(pid, FIRST_PID + 1);
	want_int(find(&f, 2, 1002, &pid), 1);
	want_int(pid, FIRST_PID + 2);
	want_int(find(&f, 1, 1002, &pid), 0);
	want_int(find(&f, 3, 1003, &pid), 0);
	teardown(&f);
}

static void port_0_is_any_port(void **state)
{
	const struct peer second = { "::ffff:10.0.1.1", 5000, 25, NULL };
	const struct addr addr = { .family = ADDR_IPV4, .bytes = { 10, 0, 1, 1 } };
	pid_t pids[4] = { 0 };
	struct fixture f;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	fakeproc_put_smtpd(&f.tree, FIRST_PID + 2, f.tcpd, &second);
	set_children(&f, 1, 3);
	want_int(smtpd_index_refresh(f.index), 2);
	want_int(smtpd_index_find(f.index, &addr, 0, pids, 4), 2);
	want_int(pids[0] + pids[1], 2 * FIRST_PID + 3);
	want_int(smtpd_index_find(f.index, &addr, 0, pids, 1), 2);
	want_int(smtpd_index_find(f.index, &addr, 5000, pids, 4), 1);
	want_int(pids[0], FIRST_PID + 2);
	teardown(&f);
}

static void forgets_exited_smtpds(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	put_child(&f, 2);
	set_children(&f, 1, 3);
	smtpd_index_refresh(f.index);
	set_children(&f, 2, 3);
	want_int(smtpd_index_refresh(f.index), 1);
	want_int(find(&f, 1, 1001, &pid), 0);
	want_int(find(&f, 2, 1002, &pid), 1);
	teardown(&f);
}

/* Before its exec it is couriertcpd by name, with the PID it keeps. */
static void waits_for_exec(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	fakeproc_exe(&f.tree, FIRST_PID + 1, FAKE_TCPD);
	set_children(&f, 1, 2);
	want_int(smtpd_index_refresh(f.index), 0);
	want_int(find(&f, 1, 1001, &pid), 0);
	fakeproc_exe(&f.tree, FIRST_PID + 1, FAKE_SMTPD);
	want_int(smtpd_index_refresh(f.index), 1);
	want_int(find(&f, 1, 1001, &pid), 1);
	teardown(&f);
}

/* An smtpd is read once: later changes of its files have no effect.. */
static void reads_an_smtpd_once(void **state)
{
	const struct peer changed = { "::ffff:10.9.9.9", 9999, 25, NULL };
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	set_children(&f, 1, 2);
	smtpd_index_refresh(f.index);
	fakeproc_put_smtpd(&f.tree, FIRST_PID + 1, f.tcpd, &changed);
	smtpd_index_refresh(f.index);
	want_int(find(&f, 1, 1001, &pid), 1);
	/* ..unless everything is forgotten: another smtpd may have its PID. */
	smtpd_index_forget(f.index);
	want_int(find(&f, 1, 1001, &pid), 0);
	want_int(smtpd_index_refresh(f.index), 1);
	want_int(find(&f, 1, 1001, &pid), 0);
	teardown(&f);
}

static void skips_what_names_no_peer(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	put_child(&f, 2);
	put_child(&f, 3);
	fakeproc_write(&f.tree, FIRST_PID + 1, "environ", "PATH=/bin", 10);
	fakeproc_exe(&f.tree, FIRST_PID + 2, "/bin/sh");
	set_children(&f, 1, 4);
	want_int(smtpd_index_refresh(f.index), 1);
	want_int(find(&f, 3, 1003, &pid), 1);
	teardown(&f);
}

/* Many, coming and going: the chains stay right while the tables grow. */
static void ten_thousand_smtpds(void **state)
{
	struct fixture f;
	unsigned int i;
	pid_t pid;

	(void)state;
	setup(&f);
	for (i = 0; i < 10000; i++)
		put_child(&f, i);
	set_children(&f, 0, 6000);
	want_int(smtpd_index_refresh(f.index), 6000);
	set_children(&f, 3000, 10000);
	want_int(smtpd_index_refresh(f.index), 7000);
	for (i = 0; i < 10000; i++) {
		want_int(find(&f, i, (uint16_t)(1000 + i), &pid), i >= 3000);
		if (i >= 3000)
			want_int(pid, FIRST_PID + (pid_t)i);
	}
	teardown(&f);
}

/* One PID, as smtpd_index_learn() sees it; the last two columns are the result. */
static const struct learn_row {
	const char *label, *exe;
	pid_t ppid;		/* 0: the tcpd */
	uid_t uid;
	bool peer;
	int want;
	size_t found;
} learn_rows[] = {
	{ "a child", FAKE_SMTPD, 0, FAKE_UID, true, 0, 1 },
	{ "a couriertls of port 465", FAKE_TLS, 0, FAKE_UID, true, 0, 1 },
	{ "before its exec", FAKE_TCPD, 0, FAKE_UID, false, -EAGAIN, 0 },
	{ "no peer", FAKE_SMTPD, 0, FAKE_UID, false, -ENODATA, 0 },
	{ "another's child", FAKE_SMTPD, 1, FAKE_UID, true, -ESRCH, 0 },
	{ "another user's", FAKE_SMTPD, 0, FAKE_UID + 1, true, -EPERM, 0 },
	{ "another program", "/bin/sh", 0, FAKE_UID, true, -ENODATA, 0 },
};

static void learns(void **state)
{
	static const char env[] = "TCPREMOTEIP=::ffff:10.0.1.1\0"
				  "TCPREMOTEPORT=1001\0TCPLOCALPORT=25";
	const struct learn_row *row = *state;
	struct fixture f;
	pid_t pid = 0;

	setup(&f);
	put_child(&f, 1);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = FIRST_PID + 1, .exe = row->exe, .uid = row->uid,
		.ppid = row->ppid ? row->ppid : f.tcpd,
		.env = row->peer ? env : NULL,
		.env_len = sizeof(env),
	});
	want_int(smtpd_index_learn(f.index, FIRST_PID + 1), row->want);
	want_int(find(&f, 1, 1001, &pid), row->found);
	want_int(pid, row->found ? FIRST_PID + 1 : 0);
	teardown(&f);
}

static void learns_nothing_of_a_missing_process(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	want_int(smtpd_index_learn(f.index, FIRST_PID + 1), -ESRCH);
	teardown(&f);
}

/* A tcpd is also found through its smtpd. */
static void learns_a_tcpd(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	tcpd_free(f.tcpds);
	want_int(tcpd_new(&f.procfs, f.looker, FAKE_UID, &f.tcpds), 0);
	f.rules.tcpds = f.tcpds;
	put_child(&f, 1);
	want_int(smtpd_index_learn(f.index, FIRST_PID + 1), 0);
	put_child(&f, 2);
	set_children(&f, 1, 3);
	want_int(smtpd_index_refresh(f.index), 2);
	want_int(find(&f, 2, 1002, &pid), 1);
	teardown(&f);
}

/* Learned twice it has one entry, and the next refresh removes it if it has exited. */
static void learns_an_smtpd_once(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	set_children(&f, 1, 2);
	want_int(smtpd_index_refresh(f.index), 1);
	want_int(smtpd_index_learn(f.index, FIRST_PID + 1), 0);
	want_int(smtpd_index_learn(f.index, FIRST_PID + 1), 0);
	want_int(find(&f, 1, 1001, &pid), 1);
	set_children(&f, 1, 1);
	want_int(smtpd_index_refresh(f.index), 0);
	want_int(find(&f, 1, 1001, &pid), 0);
	teardown(&f);
}

static void learns_a_reused_pid(void **state)
{
	const struct peer changed = { "::ffff:10.0.2.1", 1002, 25, NULL };
	struct fixture f;
	pid_t pid = 0;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	want_int(smtpd_index_learn(f.index, FIRST_PID + 1), 0);
	fakeproc_put_smtpd(&f.tree, FIRST_PID + 1, f.tcpd, &changed);
	want_int(smtpd_index_learn(f.index, FIRST_PID + 1), 0);
	want_int(find(&f, 1, 1001, &pid), 0);
	want_int(find(&f, 2, 1002, &pid), 1);
	want_int(pid, FIRST_PID + 1);
	teardown(&f);
}

/* A process that cannot be a session by uid and parent is not read; a session that was taken
 * over delays only once. */
static void looks_at_no_stranger(void **state)
{
	struct fixture f;
	int64_t begin;
	pid_t pid;

	(void)state;
	setup(&f);
	for (pid = 1; pid <= 3; pid++)
		put_child(&f, (unsigned int)pid);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = FIRST_PID + 1, .exe = FAKE_SMTPD, .ppid = f.tcpd, .uid = FAKE_UID + 1 });
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = FIRST_PID + 2, .exe = FAKE_SMTPD, .ppid = FIRST_PID + 3,
		.uid = FAKE_UID });
	fakeproc_trap(&f.tree, FIRST_PID + 1);
	fakeproc_trap(&f.tree, FIRST_PID + 2);
	set_children(&f, 1, 4);
	begin = clock_ms();
	want_int(smtpd_index_learn(f.index, FIRST_PID + 1), -EPERM);
	want_int(smtpd_index_learn(f.index, FIRST_PID + 2), -EPERM);
	want_int(smtpd_index_refresh(f.index), 1);
	want_int(clock_ms() - begin < LOOKER_WAIT_MS, true);
	want_int(find(&f, 3, 1003, &pid), 1);
	teardown(&f);
}

static void one_that_keeps_waiting(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	put_child(&f, 2);
	fakeproc_trap(&f.tree, FIRST_PID + 1);
	set_children(&f, 1, 3);
	want_int(smtpd_index_refresh(f.index), -ETIMEDOUT);
	want_int(find(&f, 2, 1002, &pid), 1);
	want_int(smtpd_index_refresh(f.index), -EBUSY);
	want_int(smtpd_index_learn(f.index, FIRST_PID + 1), -EBUSY);
	want_int(find(&f, 1, 1001, &pid), 0);
	want_int(fakeproc_release(&f.tree, FIRST_PID + 1), true);
	want_int(threads_ended_soon(f.threads + 1), true);
	put_child(&f, 1);
	want_int(smtpd_index_refresh(f.index), 2);
	want_int(find(&f, 1, 1001, &pid), 1);
	teardown(&f);
}

/* A failed read of the list does not mean that all have exited. */
static void forgets_nothing_without_descriptors(void **state)
{
	struct rlimit old, none;
	struct fixture f;
	pid_t pid;
	int r;

	(void)state;
	setup(&f);
	put_child(&f, 1);
	put_child(&f, 2);
	set_children(&f, 1, 3);
	want_int(smtpd_index_refresh(f.index), 2);
	set_children(&f, 1, 2);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = smtpd_index_refresh(f.index);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
	want_int(find(&f, 1, 1001, &pid) + find(&f, 2, 1002, &pid), 2);
	want_int(smtpd_index_refresh(f.index), 1);
	want_int(find(&f, 2, 1002, &pid), 0);
	teardown(&f);
}

static size_t relay_clients(struct fixture *f, const struct addr *addr)
{
	pid_t pids[4];

	return smtpd_index_find_relay_clients(f->index, addr, pids, 4);
}

static void knows_relay_clients(void **state)
{
	static const char *const extra[] = { "RELAYCLIENT=", NULL };
	const struct peer relay = { "::ffff:10.0.1.1", 5000, 25, extra };
	const struct addr addr = { .family = ADDR_IPV4, .bytes = { 10, 0, 1, 1 } };
	const struct addr other = { .family = ADDR_IPV4, .bytes = { 10, 0, 2, 1 } };
	struct fixture f;

	(void)state;
	setup(&f);
	want_int(relay_clients(&f, &addr), 0);
	put_child(&f, 1);
	put_child(&f, 2);
	set_children(&f, 1, 3);
	want_int(smtpd_index_refresh(f.index), 2);
	want_int(relay_clients(&f, &addr), 0);
	fakeproc_put_smtpd(&f.tree, FIRST_PID + 3, f.tcpd, &relay);
	set_children(&f, 1, 4);
	want_int(smtpd_index_refresh(f.index), 3);
	want_int(relay_clients(&f, &addr), 1);
	want_int(relay_clients(&f, &other), 0);
	set_children(&f, 1, 3);
	want_int(smtpd_index_refresh(f.index), 2);
	want_int(relay_clients(&f, &addr), 0);
	teardown(&f);
}

/* Real processes, listed from the second on. */

#define REAL_CHILDREN 6

struct real {
	struct fixture f;
	pid_t pids[REAL_CHILDREN];
};

static void real_setup(struct real *r)
{
	static const char *const listed[] = { "BLOCK=Listed", NULL };
	struct peer peer = { "::ffff:10.0.9.1", 0, 25, NULL };
	unsigned int i;

	setup(&r->f);
	for (i = 0; i < REAL_CHILDREN; i++) {
		r->pids[i] = waiter_start();
		peer.port = 2000 + i;
		peer.extra = i > 0 ? listed : NULL;
		fakeproc_put_smtpd(&r->f.tree, r->pids[i], r->f.tcpd, &peer);
	}
	fakeproc_children(&r->f.tree, r->f.tcpd, r->pids, REAL_CHILDREN);
	want_int(smtpd_index_refresh(r->f.index), REAL_CHILDREN);
}

static void real_teardown(struct real *r)
{
	unsigned int i;

	teardown(&r->f);
	for (i = 0; i < REAL_CHILDREN; i++)
		waiter_end(r->pids[i]);
}

/* Is the nth pinned, as one that serves 10.0.9.host and that port? Afterwards it is not. */
static bool withdraw_as(struct real *r, unsigned int n, uint8_t host, uint16_t port)
{
	const struct addr addr = { .family = ADDR_IPV4, .bytes = { 10, 0, 9, host } };
	struct smtpd smtpd = SMTPD_NONE;
	bool held = smtpd_index_withdraw(r->f.index, r->pids[n], &addr, port, false, &smtpd);

	if (held)
		want_int(smtpd.process.pid, r->pids[n]);
	smtpd_done(&smtpd);
	return held;
}

static bool withdraw(struct real *r, unsigned int n)
{
	return withdraw_as(r, n, 1, (uint16_t)(2000 + n));
}

static void pins_listed_smtpds(void **state)
{
	struct real r;
	size_t before;
	unsigned int i;

	(void)state;
	real_setup(&r);
	before = descriptors_open();
	smtpd_index_hold(r.f.index, false);
	smtpd_index_hold(r.f.index, false);
	want_int(descriptors_open(), before + REAL_CHILDREN - 1);
	want_int(withdraw(&r, 0), false);
	for (i = 1; i < REAL_CHILDREN; i++)
		want_int(withdraw(&r, i), true);
	want_int(descriptors_open(), before);
	/* One line has asked for them: not again. */
	smtpd_index_hold(r.f.index, true);
	want_int(withdraw(&r, 1), false);
	want_int(descriptors_open(), before);
	real_teardown(&r);
}

/* Another smtpd's PID in a line has no effect. */
static void withdraws_for_its_own_peer_only(void **state)
{
	struct real r;

	(void)state;
	real_setup(&r);
	smtpd_index_hold(r.f.index, false);
	want_int(withdraw_as(&r, 1, 2, 2001), false);
	want_int(withdraw_as(&r, 1, 1, 2002), false);
	want_int(withdraw_as(&r, 1, 1, 2001), true);
	want_int(withdraw_as(&r, 2, 1, 0), true);
	real_teardown(&r);
}

static void releases_exited_smtpds(void **state)
{
	struct real r;
	size_t before;

	(void)state;
	real_setup(&r);
	before = descriptors_open();
	smtpd_index_hold(r.f.index, false);
	fakeproc_children(&r.f.tree, r.f.tcpd, r.pids, 3);
	want_int(smtpd_index_refresh(r.f.index), 3);
	want_int(descriptors_open(), before + 2);
	want_int(withdraw(&r, 2), true);
	want_int(withdraw(&r, 3), false);
	smtpd_index_forget(r.f.index);
	want_int(descriptors_open(), before);
	real_teardown(&r);
}

static void releases_and_pins_again(void **state)
{
	struct real r;
	size_t before;

	(void)state;
	real_setup(&r);
	before = descriptors_open();
	smtpd_index_hold(r.f.index, false);
	want_int(withdraw(&r, 1), true);
	smtpd_index_let_go(r.f.index);
	want_int(descriptors_open(), before);
	want_int(withdraw(&r, 2), false);
	smtpd_index_hold(r.f.index, false);
	want_int(withdraw(&r, 1), false);
	want_int(withdraw(&r, 3), true);
	real_teardown(&r);
}

/* A PID that serves another client by now is another process. */
static void releases_reused_pids(void **state)
{
	const struct peer changed = { "::ffff:10.0.9.2", 1002, 25, NULL };
	struct real r;
	size_t held;

	(void)state;
	real_setup(&r);
	smtpd_index_hold(r.f.index, false);
	held = descriptors_open();
	fakeproc_put_smtpd(&r.f.tree, r.pids[1], r.f.tcpd, &changed);
	want_int(smtpd_index_learn(r.f.index, r.pids[1]), 0);
	want_int(descriptors_open(), held - 1);
	want_int(withdraw(&r, 1), false);
	real_teardown(&r);
}

/* A sixteenth of the descriptors that the process may have: three of 48. The others
 * follow when there is room. */
static void pins_no_more_than_its_share(void **state)
{
	struct rlimit old, few;
	struct real r;

	(void)state;
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ .rlim_cur = 48, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &few), 0);
	real_setup(&r);
	smtpd_index_hold(r.f.index, false);
	want_int(withdraw(&r, 4), false);
	want_int(withdraw(&r, 3), true);
	smtpd_index_hold(r.f.index, false);
	want_int(withdraw(&r, 5), false);
	want_int(withdraw(&r, 4), true);
	smtpd_index_hold(r.f.index, false);
	want_int(withdraw(&r, 5), true);
	real_teardown(&r);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* No descriptor is left: nothing is pinned, and nothing else fails. Later there are some. */
static void pins_nothing_without_descriptors(void **state)
{
	struct rlimit old, none;
	struct real r;

	(void)state;
	real_setup(&r);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	smtpd_index_hold(r.f.index, true);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(withdraw(&r, 1), false);
	smtpd_index_hold(r.f.index, true);
	want_int(withdraw(&r, 1), true);
	real_teardown(&r);
}

/* The last descriptors are needed to look at other processes. */
static void pins_nothing_with_the_last_descriptors(void **state)
{
	int next;
	size_t before;
	struct real r;

	(void)state;
	real_setup(&r);
	before = descriptors_open();
	next = dup(STDIN_FILENO);
	close(next);
	r.f.rules.fd_end = next + 4;
	smtpd_index_hold(r.f.index, true);
	want_int(descriptors_open(), before);
	r.f.rules.fd_end = 0;
	smtpd_index_hold(r.f.index, true);
	want_int(withdraw(&r, 1), true);
	real_teardown(&r);
}

/* It is pinned once it can be read. */
static void pins_those_still_waiting(void **state)
{
	static const char *const listed[] = { "BLOCK=Listed", NULL };
	const struct peer peer = { "::ffff:10.0.9.1", 2001, 25, listed };
	struct real r;

	(void)state;
	real_setup(&r);
	fakeproc_trap(&r.f.tree, r.pids[1]);
	smtpd_index_hold(r.f.index, false);
	want_int(withdraw(&r, 1), false);
	want_int(withdraw(&r, 2), true);
	want_int(fakeproc_release(&r.f.tree, r.pids[1]), true);
	want_int(threads_ended_soon(r.f.threads + 1), true);
	fakeproc_put_smtpd(&r.f.tree, r.pids[1], r.f.tcpd, &peer);
	smtpd_index_hold(r.f.index, false);
	want_int(withdraw(&r, 1), true);
	real_teardown(&r);
}

/* The last of the processes is the submit of the one before it. */
static void put_submit(struct real *r)
{
	static const char env[] = "BLOCK=Listed";
	const pid_t pid = r->pids[REAL_CHILDREN - 1], parent = r->pids[REAL_CHILDREN - 2];

	fakeproc_put(&r->f.tree, &(struct fake_process){
		.pid = pid, .exe = "/usr/lib/courier/courier/submit", .ppid = parent,
		.uid = FAKE_UID, .env = env, .env_len = sizeof(env) });
	fakeproc_children(&r->f.tree, parent, &pid, 1);
}

/* Pinning a submit too leaves the others pinned. */
static void withdraws_with_its_submit(void **state)
{
	const struct addr addr = { .family = ADDR_IPV4, .bytes = { 10, 0, 9, 1 } };
	struct smtpd smtpd = SMTPD_NONE;
	struct real r;
	pid_t parent;

	(void)state;
	real_setup(&r);
	parent = r.pids[REAL_CHILDREN - 2];
	put_submit(&r);
	smtpd_index_hold(r.f.index, false);
	want_int(smtpd_index_withdraw(r.f.index, parent, &addr, 0, true, &smtpd), false);
	smtpd_index_hold(r.f.index, true);
	want_int(smtpd_index_withdraw(r.f.index, r.pids[1], &addr, 0, true, &smtpd), false);
	want_int(withdraw(&r, 1), true);
	want_int(smtpd_index_withdraw(r.f.index, parent, &addr, 0, true, &smtpd), true);
	want_int(smtpd.submit.pid, r.pids[REAL_CHILDREN - 1]);
	want_int(smtpd_recheck_submit(&smtpd), 0);
	smtpd_done(&smtpd);
	real_teardown(&r);
}

static int make_one(void *data)
{
	struct fixture *f = data;
	struct smtpd_index *index = NULL;
	int r;

	r = smtpd_index_new(&f->rules, &index);
	if (r == 0)
		r = smtpd_index_refresh(index);
	smtpd_index_free(index);
	return r < 0 ? r : 0;
}

static void survives_lack_of_memory(void **state)
{
	struct fixture f;
	unsigned int i;

	(void)state;
	setup(&f);
	for (i = 0; i < 100; i++)
		put_child(&f, i);
	set_children(&f, 0, 100);
	want_int(memory_fail_each(make_one, &f) >= 5, true);
	teardown(&f);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, finds_by_address_and_port);
	SUITE_TEST(suite, port_0_is_any_port);
	SUITE_TEST(suite, forgets_exited_smtpds);
	SUITE_TEST(suite, waits_for_exec);
	SUITE_TEST(suite, reads_an_smtpd_once);
	SUITE_TEST(suite, skips_what_names_no_peer);
	SUITE_ROWS(suite, learns, learn_rows);
	SUITE_TEST(suite, learns_nothing_of_a_missing_process);
	SUITE_TEST(suite, learns_a_tcpd);
	SUITE_TEST(suite, learns_an_smtpd_once);
	SUITE_TEST(suite, learns_a_reused_pid);
	SUITE_TEST(suite, looks_at_no_stranger);
	SUITE_TEST(suite, one_that_keeps_waiting);
	SUITE_TEST(suite, forgets_nothing_without_descriptors);
	SUITE_TEST(suite, knows_relay_clients);
	SUITE_TEST(suite, ten_thousand_smtpds);
	SUITE_TEST(suite, survives_lack_of_memory);
	SUITE_TEST(suite, pins_listed_smtpds);
	SUITE_TEST(suite, withdraws_for_its_own_peer_only);
	SUITE_TEST(suite, releases_exited_smtpds);
	SUITE_TEST(suite, releases_and_pins_again);
	SUITE_TEST(suite, releases_reused_pids);
	SUITE_TEST(suite, pins_no_more_than_its_share);
	SUITE_TEST(suite, pins_nothing_without_descriptors);
	SUITE_TEST(suite, pins_nothing_with_the_last_descriptors);
	SUITE_TEST(suite, pins_those_still_waiting);
	SUITE_TEST(suite, withdraws_with_its_submit);
	return suite_run(suite, "smtpd_index");
}
