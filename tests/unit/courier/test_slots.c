/* The slots of courier's listeners.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/fakeproc.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

#define SUBMIT "/usr/lib/courier/courier/submit"

/* Only the couriertcpd is pinned; the others are invented. */
enum { FIRST = 201, SECOND = 202, THIRD = 203, SUBMITTER = 300 };

struct fixture {
	struct fakeproc tree;
	struct procfs procfs;
	struct smtpd_rules rules;
	struct slots slots;
	pid_t tcpd;
	unsigned int judged;
	int64_t now;
};

/* Everybody with a BLOCK is listed. */
static bool judge(void *ctx, const struct addr *addr, const struct smtpd_facts *facts)
{
	struct fixture *f = ctx;

	(void)addr;
	f->judged++;
	return facts->block && !facts->relay_client;
}

static void setup(struct fixture *f)
{
	static const char cmdline[] = "couriertcpd\0-pid=x\0-maxprocs=40\0smtp";

	memset(f, 0, sizeof(*f));
	f->now = 1000;
	f->tcpd = waiter_start();
	fakeproc_open(&f->tree);
	fakeproc_put_tcpd(&f->tree, f->tcpd);
	fakeproc_write(&f->tree, f->tcpd, "cmdline", cmdline, sizeof(cmdline));
	want_int(procfs_init(&f->procfs, f->tree.root), 0);
	f->rules.procfs = &f->procfs;
	f->rules.uid = FAKE_UID;
	f->rules.looker = patient_looker(&f->procfs);
	want_int(tcpd_new(&f->procfs, f->rules.looker, FAKE_UID, &f->rules.tcpds), 0);
	want_int(tcpd_check(f->rules.tcpds, f->tcpd), 0);
	f->slots = (struct slots){ .judge = judge, .ctx = f, .ipv4_prefix = 24,
				   .ipv6_prefix = 64 };
}

static void teardown(struct fixture *f)
{
	slots_done(&f->slots);
	tcpd_free(f->rules.tcpds);
	want_int(looker_free(f->rules.looker), true);
	fakeproc_close(&f->tree);
	waiter_end(f->tcpd);
}

static void put_session(struct fixture *f, pid_t pid, const char *ip, const char *const *extra)
{
	const struct peer peer = { ip, (uint16_t)(1000 + pid), 25, extra };

	fakeproc_put_smtpd(&f->tree, pid, f->tcpd, &peer);
	fakeproc_sleep(&f->tree, pid, "poll", 1);
}

static void put_children(struct fixture *f, pid_t first, pid_t second, pid_t third)
{
	const pid_t all[] = { first, second, third };

	fakeproc_children(&f->tree, f->tcpd, all, third ? 3U : second ? 2U : first ? 1U : 0U);
}

static void put_submit(struct fixture *f, pid_t smtpd, pid_t pid, const char *env, size_t len)
{
	fakeproc_put(&f->tree, &(struct fake_process){
		.pid = pid, .exe = SUBMIT, .ppid = smtpd, .uid = FAKE_UID, .env = env,
		.env_len = len });
	fakeproc_children(&f->tree, smtpd, &pid, 1);
}

#define ENV(text) text, sizeof(text)

/* The smtpd has done something, and time has passed. */
static void passes(struct fixture *f, pid_t smtpd, int64_t ms)
{
	static unsigned long cpu_time = 100;

	f->now += ms;
	if (smtpd)
		fakeproc_sleep(&f->tree, smtpd, "poll", cpu_time++);
	want_int(slots_refresh(&f->slots, &f->rules, f->now), 0);
}

static enum slot_login login_of(const struct fixture *f, pid_t pid)
{
	return slot_login(slots_find(&f->slots, pid), f->now);
}

static const char *const open_host[] = { "BLOCK=Listed", "ESMTPAUTH=PLAIN", NULL };
static const char *const closed_host[] = { "BLOCK=Listed", "ESMTPAUTH=", NULL };
static const char *const other_host[] = { "ESMTPAUTH=PLAIN", NULL };
static const char *const relay_host[] = { "ESMTPAUTH=PLAIN", "RELAYCLIENT=", NULL };

/* Two sessions in one entry; the second one has said EHLO. */
static void put_neighbours(struct fixture *f)
{
	put_session(f, FIRST, "::ffff:192.0.2.1", open_host);
	put_session(f, SECOND, "::ffff:192.0.2.2", open_host);
	put_submit(f, SECOND, SUBMITTER, ENV("BLOCK=Listed"));
	put_children(f, FIRST, SECOND, 0);
	passes(f, 0, 0);
}

TEST(finds_listeners_and_slots)
{
	struct fixture f;
	struct slot *slot;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", closed_host);
	put_session(&f, SECOND, "::ffff:198.51.100.1", other_host);
	put_children(&f, FIRST, SECOND, 0);
	passes(&f, 0, 0);
	want_int(f.slots.count, 1);
	want_int(f.slots.has_other_listeners, true);
	want_int(f.slots.listeners[0].max, 40);
	want_int(f.slots.listeners[0].count, 2);
	want_int(f.slots.listed, 1);
	slot = slots_find(&f.slots, FIRST);
	want_int(slot->listed && slot->is_watched && !slot->offers_login, true);
	want_int(slot->peer.port, 1000 + FIRST);
	slot = slots_find(&f.slots, SECOND);
	want_int(slot->listed || slot->is_watched, false);
	put_children(&f, SECOND, 0, 0);
	passes(&f, 0, 10);
	want_int(f.slots.has_other_listeners, false);
	want_int(f.slots.listeners[0].count, 1);
	want_int(f.slots.listed, 0);
	want_int(slots_find(&f.slots, FIRST) == NULL, true);
	want_int(f.judged, 2);
	teardown(&f);
}

TEST(leaves_one_unread)
{
	struct fixture f;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", closed_host);
	put_session(&f, SECOND, "::ffff:192.0.2.2", closed_host);
	put_children(&f, FIRST, SECOND, 0);
	f.slots.but = FIRST;
	passes(&f, 0, 0);
	want_int(slots_find(&f.slots, FIRST)->state, SLOT_FORKED);
	want_int(slots_find(&f.slots, SECOND)->state, SLOT_SESSION);
	want_int(f.slots.unread, 1);
	f.slots.but = 0;
	passes(&f, 0, 10);
	want_int(slots_find(&f.slots, FIRST)->state, SLOT_SESSION);
	teardown(&f);
}

/* A process that has not exec'd yet looks like a couriertcpd. It is read again once it has run. */
TEST(waits_for_exec)
{
	struct fixture f;

	setup(&f);
	fakeproc_put(&f.tree, &(struct fake_process){ .pid = FIRST, .exe = FAKE_TCPD,
						      .ppid = f.tcpd, .uid = FAKE_UID });
	fakeproc_sleep(&f.tree, FIRST, "poll", 1);
	put_children(&f, FIRST, 0, 0);
	passes(&f, 0, 0);
	want_int(slots_find(&f.slots, FIRST)->state, SLOT_FORKED);
	want_int(f.slots.unread, 1);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	passes(&f, 0, 10);
	want_int(slots_find(&f.slots, FIRST)->state, SLOT_FORKED);
	passes(&f, FIRST, 10);
	want_int(slots_find(&f.slots, FIRST)->state, SLOT_SESSION);
	want_int(f.slots.unread, 0);
	teardown(&f);
}

TEST(another_program_is_read_once)
{
	struct fixture f;

	setup(&f);
	fakeproc_put(&f.tree, &(struct fake_process){ .pid = FIRST, .exe = "/bin/sh",
						      .ppid = f.tcpd, .uid = FAKE_UID });
	put_children(&f, FIRST, 0, 0);
	passes(&f, 0, 0);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	passes(&f, FIRST, 5000);
	want_int(slots_find(&f.slots, FIRST)->state, SLOT_OTHER);
	teardown(&f);
}

/* An exec or an end during the look says nothing about the process. */
TEST(look_during_an_exec_is_repeated)
{
	struct fixture f;

	setup(&f);
	put_children(&f, FIRST, 0, 0);
	passes(&f, 0, 0);
	want_int(slots_find(&f.slots, FIRST)->state, SLOT_FORKED);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	passes(&f, 0, 10);
	want_int(slots_find(&f.slots, FIRST)->state, SLOT_SESSION);
	teardown(&f);
}

static void put_tls(struct fixture *f, pid_t pid, const struct peer *peer)
{
	char env[4096];

	fakeproc_put(&f->tree, &(struct fake_process){
		.pid = pid, .exe = FAKE_TLS, .ppid = f->tcpd, .uid = FAKE_UID, .env = env,
		.env_len = peer_environment(peer, env, sizeof(env)) });
}

/* Port 465: a session begins when courieresmtpd starts, below the couriertls. */
TEST(session_begins_after_the_handshake)
{
	const struct peer peer = { "::ffff:192.0.2.1", 1001, 465, open_host };
	pid_t tls = waiter_start(), smtpd = waiter_start();
	const struct slot *slot;
	struct fixture f;

	setup(&f);
	put_tls(&f, tls, &peer);
	put_children(&f, tls, 0, 0);
	passes(&f, 0, 0);
	want_int(slots_find(&f.slots, tls)->state, SLOT_HANDSHAKE);
	fakeproc_put_smtpd(&f.tree, smtpd, tls, &peer);
	fakeproc_children(&f.tree, tls, &smtpd, 1);
	passes(&f, tls, 50);
	slot = slots_find(&f.slots, smtpd);
	want_int(slot->state, SLOT_SESSION);
	want_int(slot->read_at, f.now);
	want_int(slot->submit_at, f.now);
	teardown(&f);
	waiter_end(tls);
	waiter_end(smtpd);
}

/* Whether there is a courieresmtpd below a couriertls that offers a login. */
TEST(handshake_without_a_look_is_unknown)
{
	struct slot slot = { .state = SLOT_HANDSHAKE, .offers_login = true };

	want_int(slot_login(&slot, 0), SLOT_LOGIN_UNKNOWN);
	slot.is_settled = true;
	want_int(slot_login(&slot, 0), SLOT_LOGIN_NONE);
	slot.offers_login = false;
	slot.is_settled = false;
	want_int(slot_login(&slot, 0), SLOT_LOGIN_UNKNOWN);
}

/* Nothing is to be left out, and a handshake has no courieresmtpd. */
TEST(handshake_counts_in_its_entry)
{
	const struct peer peer = { "::ffff:192.0.2.1", 1001, 465, relay_host };
	const struct cidr entry = { { ADDR_IPV4, { 192, 0, 2 } }, 24 };
	pid_t tls = waiter_start();
	struct fixture f;

	setup(&f);
	put_tls(&f, tls, &peer);
	put_children(&f, tls, 0, 0);
	passes(&f, 0, 0);
	want_int(slots_find(&f.slots, tls)->state, SLOT_HANDSHAKE);
	want_int(slots_login_in(&f.slots, &entry, 0, f.now), SLOT_LOGIN_SEEN);
	want_int(slots_login_in(&f.slots, &entry, tls, f.now), SLOT_LOGIN_NONE);
	teardown(&f);
	waiter_end(tls);
}

/* Somebody may have logged in below a couriertls, if that cannot be read. */
TEST(unreadable_session_after_the_handshake)
{
	const struct peer peer = { "::ffff:192.0.2.1", 1001, 465, open_host };
	pid_t tls = waiter_start(), smtpd = waiter_start();
	struct fixture f;

	setup(&f);
	put_tls(&f, tls, &peer);
	put_children(&f, tls, 0, 0);
	passes(&f, 0, 0);
	want_int(f.slots.is_incomplete, false);
	fakeproc_put_smtpd(&f.tree, smtpd, tls, &peer);
	fakeproc_write(&f.tree, smtpd, "status", "?", 1);
	fakeproc_children(&f.tree, tls, &smtpd, 1);
	fakeproc_sleep(&f.tree, tls, "poll", 7);
	want_int(slots_refresh(&f.slots, &f.rules, f.now) < 0, true);
	want_int(f.slots.is_incomplete, true);
	fakeproc_put_smtpd(&f.tree, smtpd, tls, &peer);
	passes(&f, tls, 50);
	want_int(f.slots.is_incomplete, false);
	want_int(slots_find(&f.slots, tls)->state, SLOT_SESSION);
	teardown(&f);
	waiter_end(tls);
	waiter_end(smtpd);
}

/* A login is remembered while courieresmtpd restarts its submit. */
TEST(login_is_remembered)
{
	struct fixture f;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	put_children(&f, FIRST, 0, 0);
	passes(&f, 0, 0);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_UNKNOWN);
	put_submit(&f, FIRST, SUBMITTER, ENV("BLOCK=\0RELAYCLIENT="));
	passes(&f, FIRST, 10);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_SEEN);
	fakeproc_children(&f.tree, FIRST, NULL, 0);
	passes(&f, FIRST, 10000);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_SEEN);
	put_submit(&f, FIRST, SUBMITTER + 1, ENV("BLOCK=Listed"));
	passes(&f, FIRST, 10000);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_SEEN);
	teardown(&f);
}

/* "None" takes the same submit at two looks, or a second without any. */
TEST(no_login_takes_time)
{
	struct fixture f;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	put_children(&f, FIRST, 0, 0);
	passes(&f, 0, 0);
	passes(&f, 0, SLOT_NO_SUBMIT_MS - 1);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_UNKNOWN);
	passes(&f, 0, 1);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_NONE);
	put_submit(&f, FIRST, SUBMITTER, ENV("BLOCK=Listed"));
	passes(&f, FIRST, 10);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_UNKNOWN);
	passes(&f, FIRST, SLOT_SAME_SUBMIT_MS);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_NONE);
	put_submit(&f, FIRST, SUBMITTER + 1, ENV("BLOCK=Listed"));
	passes(&f, FIRST, 10);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_UNKNOWN);
	fakeproc_children(&f.tree, FIRST, NULL, 0);
	passes(&f, FIRST, SLOT_SAME_SUBMIT_MS);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_UNKNOWN);
	teardown(&f);
}

/* A submit that has not exec'd yet is read again, though the smtpd waits. */
TEST(unfinished_submit_is_read_again)
{
	struct fixture f;
	pid_t pid = SUBMITTER;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	put_children(&f, FIRST, 0, 0);
	fakeproc_put(&f.tree, &(struct fake_process){ .pid = SUBMITTER, .exe = FAKE_SMTPD,
						      .ppid = FIRST, .uid = FAKE_UID });
	fakeproc_children(&f.tree, FIRST, &pid, 1);
	passes(&f, 0, 0);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_UNKNOWN);
	put_submit(&f, FIRST, SUBMITTER, ENV("BLOCK=\0RELAYCLIENT="));
	passes(&f, 0, 10);
	want_int(login_of(&f, FIRST), SLOT_LOGIN_SEEN);
	teardown(&f);
}

/* What is known of the entry 192.0.2.0/24, in which FIRST is listed. */
static const struct entry_row {
	const char *label, *ip;
	const char *const *extra;
	const char *submit;
	size_t submit_len;
	int64_t after;
	enum slot_login want;
} entry_rows[] = {
	{ "alone", "::ffff:198.51.100.1", other_host, ENV("RELAYCLIENT="), 0,
	  SLOT_LOGIN_NONE },
	{ "neighbour logged in", "::ffff:192.0.2.77", other_host, ENV("RELAYCLIENT="), 0,
	  SLOT_LOGIN_SEEN },
	{ "neighbour seen once", "::ffff:192.0.2.77", other_host, ENV("A=b"), 0,
	  SLOT_LOGIN_UNKNOWN },
	{ "neighbour seen twice", "::ffff:192.0.2.77", other_host, ENV("A=b"),
	  SLOT_SAME_SUBMIT_MS, SLOT_LOGIN_NONE },
	{ "neighbour cannot log in", "::ffff:192.0.2.77", closed_host, ENV("A=b"), 0,
	  SLOT_LOGIN_NONE },
	{ "neighbour may relay", "::ffff:192.0.2.77", relay_host, ENV("RELAYCLIENT="), 0,
	  SLOT_LOGIN_SEEN },
};

TEST_ROWS(logins_in_an_entry, entry_rows)
{
	const struct cidr entry = { { ADDR_IPV4, { 192, 0, 2 } }, 24 };
	struct fixture f;

	setup(&f);
	/* The neighbour is there first. */
	put_session(&f, SECOND, row->ip, row->extra);
	put_submit(&f, SECOND, SUBMITTER, row->submit, row->submit_len);
	put_children(&f, SECOND, 0, 0);
	passes(&f, 0, 0);
	want_int(slots_find(&f.slots, SECOND)->is_watched, row->extra == closed_host);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	put_children(&f, SECOND, FIRST, 0);
	passes(&f, 0, 10);
	passes(&f, 0, 10);
	passes(&f, 0, row->after);
	want_int(slots_login_in(&f.slots, &entry, FIRST, f.now), row->want);
	teardown(&f);
}

/* A neighbour whose submit was not read before proves nothing by one look, however old it is. */
TEST(one_look_is_no_proof)
{
	const struct cidr entry = { { ADDR_IPV4, { 192, 0, 2 } }, 24 };
	struct fixture f;

	setup(&f);
	put_session(&f, SECOND, "::ffff:192.0.2.2", other_host);
	put_session(&f, THIRD, "::ffff:198.51.100.1", other_host);
	put_children(&f, SECOND, THIRD, 0);
	passes(&f, 0, 0);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	put_children(&f, SECOND, THIRD, FIRST);
	passes(&f, 0, 60000);
	want_int(login_of(&f, SECOND), SLOT_LOGIN_UNKNOWN);
	slots_confirm(&f.slots, &f.rules,
		      &(struct cidr){ { ADDR_IPV4, { 198, 51, 100 } }, 24 }, 0, f.now);
	want_int(login_of(&f, THIRD), SLOT_LOGIN_UNKNOWN);
	passes(&f, 0, SLOT_NO_SUBMIT_MS);
	want_int(slots_login_in(&f.slots, &entry, FIRST, f.now), SLOT_LOGIN_NONE);
	teardown(&f);
}

/* Right before a block the neighbour is looked at more closely. */
static const struct certain_row {
	const char *label, *call;
	enum slot_login want;
} certain_rows[] = {
	{ "waits for its client", "270 0x1 0x2\n", SLOT_LOGIN_NONE },
	{ "sleeps in the tarpit", "230 0x0 0x0\n", SLOT_LOGIN_NONE },
	{ "waits for the end of a submit", "61 0xffffffffffffffff\n", SLOT_LOGIN_UNKNOWN },
	{ "runs", "running\n", SLOT_LOGIN_UNKNOWN },
};

TEST_ROWS(certainty, certain_rows)
{
	const struct cidr entry = { { ADDR_IPV4, { 192, 0, 2 } }, 24 };
	struct fixture f;

	setup(&f);
	put_neighbours(&f);
	passes(&f, 0, SLOT_SAME_SUBMIT_MS);
	want_int(slots_login_in(&f.slots, &entry, FIRST, f.now), SLOT_LOGIN_NONE);
	fakeproc_write(&f.tree, SECOND, "syscall", row->call, strlen(row->call));
	slots_confirm(&f.slots, &f.rules, &entry, FIRST, f.now);
	want_int(slots_login_in(&f.slots, &entry, FIRST, f.now), row->want);
	teardown(&f);
}

/* A client that sends RSET all the time never has the same submit for long. */
TEST(new_submit_is_proof_while_the_smtpd_waits)
{
	const struct cidr entry = { { ADDR_IPV4, { 192, 0, 2 } }, 24 };
	struct fixture f;

	setup(&f);
	put_neighbours(&f);
	want_int(slots_login_in(&f.slots, &entry, FIRST, f.now), SLOT_LOGIN_UNKNOWN);
	fakeproc_write(&f.tree, SECOND, "syscall", "270 0x1 0x2\n", 12);
	slots_confirm(&f.slots, &f.rules, &entry, FIRST, f.now);
	want_int(slots_login_in(&f.slots, &entry, FIRST, f.now), SLOT_LOGIN_NONE);
	want_int(slots_login_in(&f.slots, &entry, FIRST, f.now + SLOT_FRESH_MS),
		 SLOT_LOGIN_UNKNOWN);
	teardown(&f);
}

/* Whoever refreshes: a change is not lost before the caller has seen it. */
TEST(change_is_kept)
{
	struct fixture f;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	put_children(&f, FIRST, 0, 0);
	passes(&f, 0, 0);
	slots_find(&f.slots, FIRST)->has_changed = false;
	passes(&f, 0, 10);
	want_int(slots_find(&f.slots, FIRST)->has_changed, false);
	passes(&f, FIRST, 10);
	passes(&f, 0, 10);
	want_int(slots_find(&f.slots, FIRST)->has_changed, true);
	teardown(&f);
}

/* A submit that came after the last look. */
TEST(login_is_noticed_at_the_last_moment)
{
	const struct cidr entry = { { ADDR_IPV4, { 192, 0, 2 } }, 24 };
	struct fixture f;

	setup(&f);
	put_neighbours(&f);
	passes(&f, 0, SLOT_SAME_SUBMIT_MS);
	put_submit(&f, SECOND, SUBMITTER + 1, ENV("BLOCK=\0RELAYCLIENT="));
	slots_confirm(&f.slots, &f.rules, &entry, FIRST, f.now);
	want_int(slots_login_in(&f.slots, &entry, FIRST, f.now), SLOT_LOGIN_SEEN);
	teardown(&f);
}

/* The sessions of the first of two listeners are unknown. The sessions of the other one are
 * read, and those that were known stay. */
TEST(unreadable_listener)
{
	const struct cidr entry = { { ADDR_IPV4, { 192, 0, 2 } }, 24 };
	const struct peer peer = { "::ffff:192.0.2.2", 999, 25, closed_host };
	pid_t tcpd = waiter_start(), pid = SECOND;
	struct fixture f;
	char path[256];

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", closed_host);
	put_children(&f, FIRST, 0, 0);
	fakeproc_put_tcpd(&f.tree, tcpd);
	want_int(tcpd_check(f.rules.tcpds, tcpd), 0);
	passes(&f, 0, 0);
	want_int(slots_login_in(&f.slots, &entry, 0, f.now), SLOT_LOGIN_NONE);
	fakeproc_put_smtpd(&f.tree, SECOND, tcpd, &peer);
	fakeproc_children(&f.tree, tcpd, &pid, 1);
	snprintf(path, sizeof(path), "%s/%d/task/%d/children", f.tree.root, (int)f.tcpd,
		 (int)f.tcpd);
	want_int(unlink(path), 0);
	want_int(symlink("children", path), 0);
	want_int(slots_refresh(&f.slots, &f.rules, f.now) < 0, true);
	want_int(slots_find(&f.slots, FIRST)->state, SLOT_SESSION);
	want_int(slots_find(&f.slots, SECOND) != NULL, true);
	want_int(f.slots.listed, 2);
	want_int(slots_login_in(&f.slots, &entry, 0, f.now), SLOT_LOGIN_UNKNOWN);
	teardown(&f);
	waiter_end(tcpd);
}

/* A process that could not be read may serve anybody, until it is read. */
TEST(unreadable_process)
{
	const struct cidr entry = { { ADDR_IPV4, { 192, 0, 2 } }, 24 };
	struct fixture f;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", closed_host);
	fakeproc_write(&f.tree, FIRST, "status", "?", 1);
	put_children(&f, FIRST, 0, 0);
	want_int(slots_refresh(&f.slots, &f.rules, f.now) < 0, true);
	f.now += 10;
	want_int(slots_refresh(&f.slots, &f.rules, f.now), 0);
	want_int(slots_login_in(&f.slots, &entry, 0, f.now), SLOT_LOGIN_UNKNOWN);
	put_session(&f, FIRST, "::ffff:192.0.2.1", closed_host);
	passes(&f, FIRST, 1000);
	want_int(slots_login_in(&f.slots, &entry, 0, f.now), SLOT_LOGIN_NONE);
	teardown(&f);
}

/* A couriertcpd whose memory is locked delays one look only. */
TEST(reads_the_number_of_slots_later)
{
	static const char cmdline[] = "couriertcpd\0-maxprocs=40";
	struct fixture f;
	char path[PATH_MAX];
	int fd, i;

	setup(&f);
	snprintf(path, sizeof(path), "%s/%d/cmdline", f.tree.root, (int)f.tcpd);
	want_int(unlink(path), 0);
	want_int(mkfifo(path, 0644), 0);
	passes(&f, 0, 0);
	want_int(f.slots.count, 1);
	want_int(f.slots.listeners[0].max, 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	want_int(unlink(path), 0);
	fakeproc_write(&f.tree, f.tcpd, "cmdline", cmdline, sizeof(cmdline));
	close(fd);
	for (i = 0; i < 1000 && f.slots.listeners[0].max == 0; i++) {
		passes(&f, 0, 10);
		(void)poll(NULL, 0, 10);
	}
	want_int(f.slots.listeners[0].max, 40);
	teardown(&f);
}

/* Without the option there is nothing to read again. */
TEST(number_of_slots_is_not_there)
{
	static const char without[] = "couriertcpd\0smtp", with[] = "couriertcpd\0-maxprocs=9";
	struct fixture f;

	setup(&f);
	fakeproc_write(&f.tree, f.tcpd, "cmdline", without, sizeof(without));
	passes(&f, 0, 0);
	fakeproc_write(&f.tree, f.tcpd, "cmdline", with, sizeof(with));
	passes(&f, 0, 10);
	want_int(f.slots.listeners[0].max, 0);
	teardown(&f);
}

TEST(gone_listener)
{
	struct fixture f;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	put_children(&f, FIRST, 0, 0);
	passes(&f, 0, 0);
	waiter_end(f.tcpd);
	passes(&f, 0, 10);
	want_int(f.slots.has_other_listeners, true);
	want_int(f.slots.count, 0);
	want_int(f.slots.listed, 0);
	f.tcpd = waiter_start();
	teardown(&f);
}

/* While no process starts, the children are not read again. */
TEST(gone_listener_is_reported_once)
{
	struct fixture f;
	unsigned int i;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", closed_host);
	put_children(&f, FIRST, 0, 0);
	fakeproc_last_pid(&f.tree, FIRST);
	for (i = 0; i < 3; i++)
		want_int(slots_find_new(&f.slots, &f.rules, f.now), 0);
	put_children(&f, 0, 0, 0);
	want_int(slots_find_new(&f.slots, &f.rules, f.now), 0);
	want_int(f.slots.listeners[0].count, 1);
	waiter_end(f.tcpd);
	want_int(slots_find_new(&f.slots, &f.rules, f.now), 0);
	want_int(f.slots.has_other_listeners, true);
	want_int(slots_find_new(&f.slots, &f.rules, f.now), 0);
	want_int(f.slots.has_other_listeners, false);
	f.tcpd = waiter_start();
	teardown(&f);
}

/* Not to be able to read the session of a neighbour is not the same as that it is busy. */
TEST(unreadable_neighbour)
{
	const struct cidr entry = { { ADDR_IPV4, { 192, 0, 2 } }, 24 };
	char name[64], path[512];
	struct fixture f;

	setup(&f);
	put_session(&f, FIRST, "::ffff:192.0.2.1", open_host);
	put_session(&f, SECOND, "::ffff:192.0.2.2", open_host);
	put_children(&f, FIRST, SECOND, 0);
	passes(&f, 0, 0);
	/* A read of a directory fails. */
	snprintf(name, sizeof(name), "task/%d/children", SECOND);
	fakeproc_remove(&f.tree, SECOND, name);
	snprintf(path, sizeof(path), "%s/%d/%s", f.tree.root, SECOND, name);
	want_int(mkdir(path, 0755), 0);
	slots_confirm(&f.slots, &f.rules, &entry, FIRST, f.now);
	want_int(f.slots.is_incomplete, true);
	want_int(slots_login_in(&f.slots, &entry, FIRST, f.now), SLOT_LOGIN_UNKNOWN);
	teardown(&f);
}
