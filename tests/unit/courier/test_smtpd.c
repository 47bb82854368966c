/* A courieresmtpd that is pinned and proven to be courier's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/fakeproc.h"
#include "tests/unit/support.h"

/* A tree with init and a couriertcpd, and real processes below it. */
struct fixture {
	struct fakeproc tree;
	struct procfs procfs;
	struct smtpd_rules rules;
	struct smtpd_scratch *scratch;	/* exact, for sanitizers */
	size_t descriptors, threads;
	pid_t tcpd, tls, smtpd, submit;
};

static const struct peer a_client = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 25,
};

static const struct peer somebody_tls = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 465,
};

static void rules_open(struct smtpd_rules *rules, const struct procfs *procfs, uid_t uid)
{
	*rules = (struct smtpd_rules){ .procfs = procfs, .uid = uid };
	want_int(looker_new(procfs, &rules->looker), 0);
	looker_set_wait(rules->looker, PATIENT_MS);
	want_int(tcpd_new(procfs, rules->looker, uid, &rules->tcpds), 0);
}

static void rules_close(struct smtpd_rules *rules)
{
	tcpd_free(rules->tcpds);
	want_int(looker_free(rules->looker), true);
}

static void fixture_open(struct fixture *f)
{
	const struct fake_process init = { .pid = 1, .exe = "/sbin/init" };

	f->descriptors = descriptors_open();
	f->threads = threads_running();
	fakeproc_open(&f->tree);
	want_int(procfs_init(&f->procfs, f->tree.root), 0);
	rules_open(&f->rules, &f->procfs, FAKE_UID);
	f->scratch = malloc(sizeof(*f->scratch));
	assert_non_null(f->scratch);
	f->tcpd = waiter_start();
	f->tls = waiter_start();
	f->smtpd = waiter_start();
	f->submit = waiter_start();
	fakeproc_put(&f->tree, &init);
	fakeproc_put_tcpd(&f->tree, f->tcpd);
}

static void fixture_close(struct fixture *f)
{
	waiter_end(f->tcpd);
	waiter_end(f->tls);
	waiter_end(f->smtpd);
	waiter_end(f->submit);
	free(f->scratch);
	rules_close(&f->rules);
	want_int(threads_ended_soon(f->threads), true);
	fakeproc_close(&f->tree);
	want_int(descriptors_open(), f->descriptors);
}

/* On 25: couriertcpd -> courieresmtpd. */
static void put_plain(struct fixture *f, const struct peer *peer)
{
	fakeproc_put_smtpd(&f->tree, f->smtpd, f->tcpd, peer);
	fakeproc_children(&f->tree, f->tcpd, &f->smtpd, 1);
}

/* On 465: couriertcpd -> couriertls -> courieresmtpd. */
static void put_smtps(struct fixture *f, const struct peer *tls_peer,
		      const struct peer *peer)
{
	fakeproc_put_tls(&f->tree, f->tls, f->tcpd, tls_peer);
	fakeproc_put_smtpd(&f->tree, f->smtpd, f->tls, peer);
	fakeproc_children(&f->tree, f->tcpd, &f->tls, 1);
	fakeproc_children(&f->tree, f->tls, &f->smtpd, 1);
}

static int open_child(struct fixture *f, pid_t pid, struct smtpd *smtpd,
		      struct smtpd_facts *facts)
{
	*smtpd = (struct smtpd)SMTPD_NONE;
	return smtpd_open(&f->rules, pid, f->scratch, smtpd, facts);
}

static bool so_many_are_open(void *data)
{
	return descriptors_open() == *(const size_t *)data;
}

/* The result alone; nothing stays open. A file that changes while it is read (fakeproc_at())
 * is closed a moment later. */
static int answer(struct fixture *f, pid_t pid)
{
	struct smtpd_facts facts;
	struct smtpd smtpd;
	size_t before;
	int r;

	/* Pinned from the first check on, whatever its result. */
	(void)tcpd_check(f->rules.tcpds, f->tcpd);
	before = descriptors_open();
	r = open_child(f, pid, &smtpd, &facts);
	if (r < 0)
		want_int(smtpd.process.fd == -1 && smtpd.tls.fd == -1, true);
	smtpd_done(&smtpd);
	want_int(soon(so_many_are_open, &before), true);
	return r;
}

static void want_addr(const struct addr *got, const char *want)
{
	char text[ADDR_TEXT_SIZE];

	want_str(addr_format(got, text), want);
}

static void plain(void **state)
{
	struct smtpd_facts facts;
	struct smtpd smtpd;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_plain(&f, &a_client);
	want_int(open_child(&f, f.smtpd, &smtpd, &facts), 0);
	want_int(smtpd.process.pid, f.smtpd);
	want_int(pidref_check(&smtpd.process), 0);
	want_int(smtpd.tls.fd, -1);
	want_addr(&smtpd.peer.addr, "192.0.2.7");
	want_int(smtpd.peer.port, 41703);
	want_int(smtpd.peer.local_port, 25);
	want_int(facts.relay_client, false);
	want_str(facts.block, NULL);
	want_str(facts.block_ip, NULL);
	want_str(facts.block_zone, NULL);
	smtpd_done(&smtpd);
	want_int(smtpd.process.fd, -1);
	smtpd_done(&smtpd);
	fixture_close(&f);
}

static void want_smtps(const struct fixture *f, const struct smtpd *smtpd)
{
	want_int(smtpd->process.pid, f->smtpd);
	want_int(smtpd->tls.pid, f->tls);
	want_int(pidref_check(&smtpd->process), 0);
	want_int(pidref_check(&smtpd->tls), 0);
	want_addr(&smtpd->peer.addr, "192.0.2.7");
	want_int(smtpd->peer.local_port, 465);
}

static void smtps(void **state)
{
	struct smtpd_facts facts;
	struct smtpd smtpd;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_smtps(&f, &somebody_tls, &somebody_tls);
	want_int(open_child(&f, f.smtpd, &smtpd, &facts), 0);
	want_smtps(&f, &smtpd);
	smtpd_done(&smtpd);
	want_int(smtpd.tls.fd, -1);
	/* The index names couriertls. */
	want_int(open_child(&f, f.tls, &smtpd, &facts), 0);
	want_smtps(&f, &smtpd);
	smtpd_done(&smtpd);
	fixture_close(&f);
}

/* Both processes' environments pass through the same memory. */
static void smtps_facts_are_those_of_courieresmtpd(void **state)
{
	static const char *const tls_extra[] = { "PAD=0123456789012345678901234",
						 "BLOCK=of couriertls",
						 "BLOCK_IP=127.0.0.9", NULL };
	static const char *const extra[] = { "BLOCK=of courieresmtpd",
					     "BLOCK_IP=127.0.0.2",
					     "BLOCK_ZONE=bl.example", NULL };
	const struct peer above = { somebody_tls.ip, 41703, 465, tls_extra };
	const struct peer below = { somebody_tls.ip, 41703, 465, extra };
	struct smtpd_facts facts;
	struct smtpd smtpd;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_smtps(&f, &above, &below);
	want_int(open_child(&f, f.smtpd, &smtpd, &facts), 0);
	want_str(facts.block, "of courieresmtpd");
	want_str(facts.block_ip, "127.0.0.2");
	want_str(facts.block_zone, "bl.example");
	smtpd_done(&smtpd);
	fixture_close(&f);
}

struct facts_row {
	const char *label;
	const char *extra[6];
	struct smtpd_facts want;
};

static const struct facts_row facts_rows[] = {
	{ "listed by TXT",
	  { "BLOCK=Listed, 192.0.2.7", "BLOCK_IP=127.0.0.2", "BLOCK_ZONE=bl.example",
	    "BLOCK_TXT=Listed, 192.0.2.7" },
	  { .block = "Listed, 192.0.2.7", .block_ip = "127.0.0.2",
	    .block_zone = "bl.example" } },
	{ "a zone without BLOCK", { "BLOCK_IP=127.0.0.2", "BLOCK_ZONE=bl.example" },
	  { .block_ip = "127.0.0.2", .block_zone = "bl.example" } },
	{ "an -allow hit", { "BLOCK=", "BLOCK_IP=127.0.0.2" },
	  { .block_ip = "127.0.0.2" } },
	{ "empty values", { "BLOCK=", "BLOCK_IP=", "BLOCK_ZONE=" },
	  { .block = NULL } },
	{ "a relay client", { "RELAYCLIENT=" }, { .relay_client = true } },
	{ "a relay client with a suffix", { "RELAYCLIENT=@relay", "BLOCK=x" },
	  { .relay_client = true, .block = "x" } },
	{ "not quite a relay client", { "RELAYCLIENTS=1", "NORELAYCLIENT=" },
	  { .block = NULL } },
	{ "the first of two", { "BLOCK=1", "BLOCK=2" }, { .block = "1" } },
	{ "TLS from the start", { "ESMTP_TLS=1" }, { .tls = true } },
	{ "no TLS from the start", { "ESMTP_TLS=0" }, { .tls = false } },
	{ "TLS left open", { "ESMTP_TLS=" }, { .tls = false } },
};

static void facts(void **state)
{
	const struct facts_row *row = *state;
	const struct peer peer = { a_client.ip, 41703, 25, row->extra };
	struct smtpd_facts got;
	struct smtpd smtpd;
	struct fixture f;

	fixture_open(&f);
	put_plain(&f, &peer);
	want_int(open_child(&f, f.smtpd, &smtpd, &got), 0);
	want_int(got.relay_client, row->want.relay_client);
	want_int(got.tls, row->want.tls);
	want_str(got.block, row->want.block);
	want_str(got.block_ip, row->want.block_ip);
	want_str(got.block_zone, row->want.block_zone);
	smtpd_done(&smtpd);
	fixture_close(&f);
}

/* --- identity --- */

#define GOOD_ENV                                                               \
	"TCPREMOTEIP=::ffff:192.0.2.7\0TCPREMOTEPORT=41703\0TCPLOCALPORT=25"

struct who_row {
	const char *label;
	const char *exe;
	uid_t uid;
	pid_t ppid;		/* 0: couriertcpd's */
	int result;
};

static const struct who_row who_rows[] = {
	{ "courieresmtpd", FAKE_SMTPD, FAKE_UID, 0, 0 },
	{ "replaced by an upgrade", FAKE_SMTPD " (deleted)", FAKE_UID, 0, 0 },
	{ "before its exec", FAKE_TCPD, FAKE_UID, 0, -EAGAIN },
	{ "submit", "/usr/lib/courier/courier/submit", FAKE_UID, 0, -EPERM },
	{ "couriertls with nothing below", FAKE_TLS, FAKE_UID, 0, -EAGAIN },
	{ "a shell", "/bin/sh", FAKE_UID, 0, -EPERM },
	{ "a longer name", "/bin/courieresmtpd2", FAKE_UID, 0, -EPERM },
	{ "a shorter name", "/bin/courieresmtp", FAKE_UID, 0, -EPERM },
	{ "a name longer than any", "/bin/courieresmtpd-0123456789012345678901",
	  FAKE_UID, 0, -EPERM },
	{ "a directory of that name", "/tmp/courieresmtpd/sh", FAKE_UID, 0, -EPERM },
	{ "another user's", FAKE_SMTPD, FAKE_UID + 7, 0, -EPERM },
	{ "root's", FAKE_SMTPD, 0, 0, -EPERM },
	{ "courier's by its real uid only", FAKE_SMTPD, FAKE_UID - 1, 0, -EPERM },
	{ "orphaned", FAKE_SMTPD, FAKE_UID, 1, -EPERM },
	{ "no kernel's parent", FAKE_SMTPD, FAKE_UID, 77, -EPERM },
	{ "a kernel thread", NULL, FAKE_UID, 0, -ESRCH },
};

static void put_who(struct fixture *f, const struct who_row *row)
{
	static const char env[] = GOOD_ENV;
	const struct fake_process p = {
		.pid = f->smtpd, .exe = row->exe, .uid = row->uid,
		.ppid = row->ppid ? row->ppid : f->tcpd,
		.env = env, .env_len = sizeof(env),
	};

	fakeproc_put(&f->tree, &p);
}

static void who(void **state)
{
	const struct who_row *row = *state;
	struct fixture f;

	fixture_open(&f);
	put_who(&f, row);
	want_int(answer(&f, f.smtpd), row->result);
	fixture_close(&f);
}

/* Its parent is a different process. */
struct parent_row {
	const char *label;
	struct fake_process parent;
};

static const struct parent_row parent_rows[] = {
	{ "a shell", { .exe = "/bin/sh", .uid = FAKE_UID } },
	{ "another user's couriertcpd", { .exe = FAKE_TCPD, .uid = FAKE_UID + 1 } },
	{ "a container's couriertcpd",
	  { .exe = FAKE_TCPD, .uid = FAKE_UID, .other_netns = true } },
	{ "a courieresmtpd", { .exe = FAKE_SMTPD, .uid = FAKE_UID } },
	{ "a couriertcpd that is a child of the tcpd",
	  { .exe = FAKE_TCPD, .uid = FAKE_UID, .ppid = -1 } },
};

static void parent(void **state)
{
	const struct parent_row *row = *state;
	struct fake_process p = row->parent;
	static const char env[] = GOOD_ENV;
	struct fixture f;

	fixture_open(&f);
	p.pid = f.tls;
	p.ppid = p.ppid ? f.tcpd : 1;
	p.env = env;
	p.env_len = sizeof(env);
	fakeproc_put(&f.tree, &p);
	fakeproc_put_smtpd(&f.tree, f.smtpd, f.tls, &a_client);
	want_int(answer(&f, f.smtpd), -EPERM);
	fixture_close(&f);
}

/* Port 465: the couriertls in between is asked for as much. */
struct above_row {
	const char *label;
	uid_t uid;
	const char *env;
	size_t env_len;
	bool orphan;
	int result;
	int below;	/* if couriertls is named: it may have another child later */
};

#define TLS_ENV(ip, port, local)                                               \
	"TCPREMOTEIP=" ip "\0TCPREMOTEPORT=" port "\0TCPLOCALPORT=" local
#define ENV(text) text, sizeof(text)

static const struct above_row above_rows[] = {
	{ "the same peer", FAKE_UID, ENV(TLS_ENV("::ffff:192.0.2.7", "41703", "465")),
	  false, 0, 0 },
	{ "the same peer otherwise written", FAKE_UID,
	  ENV(TLS_ENV("192.0.2.7", "41703", "465")), false, 0, 0 },
	{ "another user's", FAKE_UID + 1,
	  ENV(TLS_ENV("::ffff:192.0.2.7", "41703", "465")), false, -EPERM, -EPERM },
	{ "another address", FAKE_UID,
	  ENV(TLS_ENV("::ffff:192.0.2.8", "41703", "465")), false, -EPERM, -EAGAIN },
	{ "another port", FAKE_UID,
	  ENV(TLS_ENV("::ffff:192.0.2.7", "41704", "465")), false, -EPERM, -EAGAIN },
	{ "another local port", FAKE_UID,
	  ENV(TLS_ENV("::ffff:192.0.2.7", "41703", "25")), false, -EPERM, -EAGAIN },
	{ "no peer", FAKE_UID, ENV("PATH=/bin"), false, -EPERM, -EAGAIN },
	{ "no couriertcpd above", FAKE_UID,
	  ENV(TLS_ENV("::ffff:192.0.2.7", "41703", "465")), true, -EPERM, -EPERM },
};

static void above(void **state)
{
	const struct above_row *row = *state;
	struct fake_process p = { .exe = FAKE_TLS, .uid = row->uid,
				  .env = row->env, .env_len = row->env_len };
	struct fixture f;

	fixture_open(&f);
	put_smtps(&f, &somebody_tls, &somebody_tls);
	p.pid = f.tls;
	p.ppid = row->orphan ? 1 : f.tcpd;
	fakeproc_put(&f.tree, &p);
	fakeproc_children(&f.tree, f.tls, &f.smtpd, 1);
	want_int(answer(&f, f.smtpd), row->result);
	want_int(answer(&f, f.tls), row->below);
	fixture_close(&f);
}

/* Only one couriertls may be in between. */
static void two_couriertls_above(void **state)
{
	struct fixture f;
	pid_t second;

	(void)state;
	fixture_open(&f);
	second = waiter_start();
	fakeproc_put_tls(&f.tree, second, f.tcpd, &somebody_tls);
	fakeproc_put_tls(&f.tree, f.tls, second, &somebody_tls);
	fakeproc_put_smtpd(&f.tree, f.smtpd, f.tls, &somebody_tls);
	want_int(answer(&f, f.smtpd), -EPERM);
	waiter_end(second);
	fixture_close(&f);
}

/* couriertls before it has forked and exec'd courieresmtpd. */
static void couriertls_during_the_handshake(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put_tls(&f.tree, f.tls, f.tcpd, &somebody_tls);
	want_int(answer(&f, f.tls), -EAGAIN);
	/* Forked, not exec'd. */
	fakeproc_put_tls(&f.tree, f.smtpd, f.tls, &somebody_tls);
	fakeproc_children(&f.tree, f.tls, &f.smtpd, 1);
	want_int(answer(&f, f.tls), -EAGAIN);
	fixture_close(&f);
}

/* The environment. */

struct env_row {
	const char *label;
	const char *env;
	size_t len;
	const char *addr;	/* NULL: refused */
	unsigned int port, local_port;
};

#define REST "\0TCPREMOTEPORT=41703\0TCPLOCALPORT=25"
#define PORTED(port) "TCPREMOTEIP=192.0.2.7\0TCPLOCALPORT=25\0TCPREMOTEPORT=" port

static const struct env_row env_rows[] = {
	{ "IPv4 on a dual socket", ENV("TCPREMOTEIP=::ffff:192.0.2.7" REST),
	  "192.0.2.7", 41703, 25 },
	{ "IPv4", ENV("TCPREMOTEIP=192.0.2.7" REST), "192.0.2.7", 41703, 25 },
	{ "IPv6", ENV("TCPREMOTEIP=2001:db8::7" REST), "2001:db8::7", 41703, 25 },
	{ "port 1", ENV(PORTED("1")), "192.0.2.7", 1, 25 },
	{ "port 65535", ENV(PORTED("65535")), "192.0.2.7", 65535, 25 },
	{ "port 587", ENV("TCPREMOTEIP=192.0.2.7\0TCPREMOTEPORT=2\0TCPLOCALPORT=587"),
	  "192.0.2.7", 2, 587 },
	{ "the first address", ENV("TCPREMOTEIP=192.0.2.7\0TCPREMOTEIP=192.0.2.8" REST),
	  "192.0.2.7", 41703, 25 },
	{ "no address", ENV("PATH=/bin" REST), NULL, 0, 0 },
	{ "no port", ENV("TCPREMOTEIP=192.0.2.7\0TCPLOCALPORT=25"), NULL, 0, 0 },
	{ "no local port", ENV("TCPREMOTEIP=192.0.2.7\0TCPREMOTEPORT=41703"), NULL,
	  0, 0 },
	{ "an empty address", ENV("TCPREMOTEIP=" REST), NULL, 0, 0 },
	{ "no real address", ENV("TCPREMOTEIP=192.0.2.256" REST), NULL, 0, 0 },
	{ "a host name", ENV("TCPREMOTEIP=host.example" REST), NULL, 0, 0 },
	{ "an empty port", ENV(PORTED("")), NULL, 0, 0 },
	{ "port 0", ENV(PORTED("0")), NULL, 0, 0 },
	{ "port 65536", ENV(PORTED("65536")), NULL, 0, 0 },
	{ "a port with more behind", ENV(PORTED("25x")), NULL, 0, 0 },
	{ "a negative port", ENV(PORTED("-1")), NULL, 0, 0 },
	{ "a port beyond all numbers", ENV(PORTED("99999999999999999999999")), NULL,
	  0, 0 },
	{ "a port that wraps", ENV(PORTED("18446744073709551641")), NULL, 0, 0 },
	{ "a port that wraps the other way", ENV(PORTED("-18446744073709551591")),
	  NULL, 0, 0 },
	{ "a port with a sign", ENV(PORTED("+41703")), NULL, 0, 0 },
	{ "a port behind a blank", ENV(PORTED(" 41703")), NULL, 0, 0 },
	{ "nothing", "", 0, NULL, 0, 0 },
};

static void put_env(struct fixture *f, const char *env, size_t len)
{
	const struct fake_process p = {
		.pid = f->smtpd, .exe = FAKE_SMTPD, .uid = FAKE_UID,
		.ppid = f->tcpd, .env = env, .env_len = len,
	};

	fakeproc_put(&f->tree, &p);
}

static void env(void **state)
{
	const struct env_row *row = *state;
	struct smtpd_facts unused;
	struct smtpd smtpd;
	struct fixture f;
	int r;

	fixture_open(&f);
	put_env(&f, row->env, row->len);
	r = open_child(&f, f.smtpd, &smtpd, &unused);
	want_int(r, row->addr ? 0 : row->len ? -EPERM : -ESRCH);
	if (r == 0) {
		want_addr(&smtpd.peer.addr, row->addr);
		want_int(smtpd.peer.port, row->port);
		want_int(smtpd.peer.local_port, row->local_port);
	}
	smtpd_done(&smtpd);
	fixture_close(&f);
}

static void env_too_large(void **state)
{
	static char big[PROCFS_ENVIRON_SIZE];
	struct fixture f;

	(void)state;
	fixture_open(&f);
	memset(big, 'x', sizeof(big));
	memcpy(big, GOOD_ENV, sizeof(GOOD_ENV));
	put_env(&f, big, sizeof(big));
	want_int(answer(&f, f.smtpd), -E2BIG);
	fixture_close(&f);
}

/* Not there, not allowed, no descriptors. */

static void gone(void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	fixture_open(&f);
	pid = waiter_start();
	fakeproc_put_smtpd(&f.tree, pid, f.tcpd, &a_client);
	want_int(answer(&f, pid), 0);
	waiter_end(pid);
	/* The tree still has it, or rather another with its PID. */
	want_int(answer(&f, pid), -ESRCH);
	want_int(answer(&f, 0) < 0, true);
	want_int(answer(&f, -1) < 0, true);
	fixture_close(&f);
}

struct ending {
	pid_t pid;
	struct fixture *f;
};

static void end_process(void *data)
{
	const struct ending *e = data;

	kill(e->pid, SIGKILL);
	has_ended_soon(e->pid);
}

/* It exits between two reads, and from then on the tree shows another process with its
 * PID. */
static void exits_in_between(void **state)
{
	const char *file = *state;
	struct fake_moment moment;
	struct ending e;
	struct fixture f;

	fixture_open(&f);
	e.pid = waiter_start();
	fakeproc_put_smtpd(&f.tree, e.pid, f.tcpd, &a_client);
	want_int(answer(&f, e.pid), 0);
	fakeproc_at(&f.tree, e.pid, file, end_process, &e, &moment);
	want_int(answer(&f, e.pid), -ESRCH);
	want_int(fakeproc_came(&moment), true);
	waiter_end(e.pid);
	fixture_close(&f);
}

/* Another smtpd has its PID by the time the environment is read. */
static void become_another(void *data)
{
	static const struct peer other = { "::ffff:198.51.100.9", 5, 25, NULL };
	const struct ending *e = data;

	end_process(data);
	fakeproc_remove(&e->f->tree, e->pid, "environ");
	fakeproc_put_smtpd(&e->f->tree, e->pid, e->f->tcpd, &other);
}

static void another_between(void **state)
{
	struct fake_moment moment;
	struct fixture f;
	struct ending e;

	(void)state;
	fixture_open(&f);
	e.pid = waiter_start();
	e.f = &f;
	fakeproc_put_smtpd(&f.tree, e.pid, f.tcpd, &a_client);
	fakeproc_at(&f.tree, e.pid, "status", become_another, &e, &moment);
	want_int(answer(&f, e.pid), -ESRCH);
	want_int(fakeproc_came(&moment), true);
	waiter_end(e.pid);
	fixture_close(&f);
}

/* The couriertls of port 465 exits between two reads. */
static void couriertls_exits_in_between(void **state)
{
	struct fake_moment moment;
	struct ending e;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	e.pid = waiter_start();
	fakeproc_put_tls(&f.tree, e.pid, f.tcpd, &somebody_tls);
	fakeproc_put_smtpd(&f.tree, f.smtpd, e.pid, &somebody_tls);
	want_int(answer(&f, f.smtpd), 0);
	fakeproc_at(&f.tree, e.pid, "environ", end_process, &e, &moment);
	want_int(answer(&f, f.smtpd), -ESRCH);
	want_int(fakeproc_came(&moment), true);
	waiter_end(e.pid);
	fixture_close(&f);
}

static void parent_has_exited(void **state)
{
	struct fixture f;
	pid_t tcpd;

	(void)state;
	fixture_open(&f);
	tcpd = waiter_start();
	fakeproc_put_tcpd(&f.tree, tcpd);
	want_int(tcpd_check(f.rules.tcpds, tcpd), 0);
	fakeproc_put_smtpd(&f.tree, f.smtpd, tcpd, &a_client);
	want_int(answer(&f, f.smtpd), 0);
	waiter_end(tcpd);
	want_int(answer(&f, f.smtpd), -EPERM);
	fixture_close(&f);
}

static void without_descriptors(void **state)
{
	struct rlimit old, low = { .rlim_cur = 3 };
	struct smtpd_facts unused;
	struct smtpd smtpd;
	struct fixture f;
	int r;

	(void)state;
	fixture_open(&f);
	put_plain(&f, &a_client);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low.rlim_max = old.rlim_max;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = open_child(&f, f.smtpd, &smtpd, &unused);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
	fixture_close(&f);
}

/* The last descriptors are the logger's, and those before them are for looks. */
static void leaves_descriptors(void **state)
{
	struct smtpd_facts unused;
	struct smtpd child;
	struct fixture f;
	int fd;

	(void)state;
	fixture_open(&f);
	put_smtps(&f, &somebody_tls, &somebody_tls);
	want_int(open_child(&f, f.smtpd, &child, &unused), 0);
	fd = child.tls.fd > child.process.fd ? child.tls.fd : child.process.fd;
	want_int(smtpd_may_stay(&f.rules, &child), true);
	f.rules.fd_end = fd + 5;
	want_int(smtpd_may_stay(&f.rules, &child), true);
	f.rules.fd_end = fd + 4;
	want_int(smtpd_may_stay(&f.rules, &child), false);
	smtpd_done(&child);
	f.rules.fd_end = fd + 1;
	want_int(answer(&f, f.smtpd), 0);
	f.rules.fd_end = fd;
	want_int(answer(&f, f.smtpd), -EMFILE);
	want_int(smtpd_may_be(&f.rules, f.smtpd), 0);
	f.rules.fd_end = 3;
	want_int(smtpd_may_be(&f.rules, f.smtpd), -EMFILE);
	fixture_close(&f);
}

/* Descriptors run out in the middle, wherever that is: nothing stays open. */
static void descriptors_run_out(void **state)
{
	struct rlimit old, low;
	struct smtpd_facts unused;
	struct smtpd smtpd;
	struct fixture f;
	size_t before;
	int r = -1;

	(void)state;
	fixture_open(&f);
	put_smtps(&f, &somebody_tls, &somebody_tls);
	want_int(answer(&f, f.smtpd), 0);
	before = descriptors_open();
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	for (low.rlim_cur = 3; low.rlim_cur < 256 && r != 0; low.rlim_cur++) {
		want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
		r = open_child(&f, f.smtpd, &smtpd, &unused);
		want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (r != 0)
			want_int(r, -EMFILE);
		smtpd_done(&smtpd);
		want_int(descriptors_open(), before);
	}
	want_int(r, 0);
	/* Two pidfds and one more, for an environment, at once. */
	want_int(low.rlim_cur > 6, true);
	fixture_close(&f);
}

/* A process that cannot be a session by uid and parent is not read, whatever its name: the
 * read could hang. */
struct stranger_row {
	const char *label;
	uid_t uid;
	enum { BELOW_TCPD, BELOW_INIT, BELOW_SMTPD, BELOW_STRANGER } place;
};

static const struct stranger_row stranger_rows[] = {
	{ "another user's", FAKE_UID + 1, BELOW_TCPD },
	{ "root's", 0, BELOW_TCPD },
	{ "orphaned", FAKE_UID, BELOW_INIT },
	{ "below a session", FAKE_UID, BELOW_SMTPD },
	{ "below another user's process", FAKE_UID, BELOW_STRANGER },
};

/* f->submit is the stranger. */
static void put_stranger(struct fixture *f, const struct stranger_row *row)
{
	static const char env[] = GOOD_ENV;
	const pid_t parents[] = { f->tcpd, 1, f->smtpd, f->tls };

	put_plain(f, &a_client);
	fakeproc_put(&f->tree, &(struct fake_process){
		.pid = f->tls, .exe = FAKE_TCPD, .uid = FAKE_UID + 1, .ppid = f->tcpd });
	fakeproc_put(&f->tree, &(struct fake_process){
		.pid = f->submit, .exe = FAKE_SMTPD, .uid = row->uid,
		.ppid = parents[row->place], .env = env, .env_len = sizeof(env) });
	fakeproc_trap(&f->tree, f->submit);
}

static void strangers_are_not_looked_at(void **state)
{
	const struct stranger_row *row = *state;
	struct smtpd_hint seen;
	struct smtpd_facts unused;
	struct smtpd smtpd;
	struct fixture f;

	fixture_open(&f);
	put_stranger(&f, row);
	/* A process of courier's below one of its sessions may be one of port 465, if that
	 * session is a couriertls: that is looked at, and the process is not. */
	want_int(open_child(&f, f.submit, &smtpd, &unused), -EPERM);
	want_int(smtpd_pin(&f.rules, f.submit, f.scratch, &smtpd, &unused), -EPERM);
	want_int(smtpd_read_hint(&f.rules, f.submit, f.scratch, &seen), -EPERM);
	want_int(fakeproc_release(&f.tree, f.submit), false);
	fixture_close(&f);
}

/* For workers: by the uid alone, and without a look. */
static void may_be(void **state)
{
	const struct stranger_row other = { "", FAKE_UID + 1, BELOW_TCPD };
	const struct stranger_row own = { "", FAKE_UID, BELOW_TCPD };
	size_t threads;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	threads = threads_running();
	put_stranger(&f, &own);
	want_int(smtpd_may_be(&f.rules, f.submit), 0);
	put_stranger(&f, &other);
	want_int(smtpd_may_be(&f.rules, f.submit), -EPERM);
	want_int(smtpd_may_be(&f.rules, 1), -EPERM);
	want_int(smtpd_may_be(&f.rules, 0), -EPERM);
	fakeproc_drop(&f.tree, f.submit);
	want_int(smtpd_may_be(&f.rules, f.submit), -ESRCH);
	want_int(threads_running(), threads);
	fixture_close(&f);
}

/* A session that was taken over: it is waited for once, and a bounded time. */
static void session_that_keeps_waiting(void **state)
{
	struct smtpd_hint seen;
	struct smtpd_facts unused;
	struct smtpd smtpd;
	struct fixture f;
	int64_t begin;

	(void)state;
	fixture_open(&f);
	put_plain(&f, &a_client);
	fakeproc_trap(&f.tree, f.smtpd);
	want_int(answer(&f, f.smtpd), -ETIMEDOUT);
	begin = clock_ms();
	want_int(answer(&f, f.smtpd), -EBUSY);
	want_int(smtpd_pin(&f.rules, f.smtpd, f.scratch, &smtpd, &unused), -EBUSY);
	want_int(smtpd_read_hint(&f.rules, f.smtpd, f.scratch, &seen), -EBUSY);
	want_int(smtpd_may_be(&f.rules, f.smtpd), 0);
	want_int(clock_ms() - begin < LOOKER_WAIT_MS, true);
	want_int(fakeproc_release(&f.tree, f.smtpd), true);
	want_int(threads_ended_soon(f.threads), true);
	put_plain(&f, &a_client);
	want_int(answer(&f, f.smtpd), 0);
	fixture_close(&f);
}

/* So is the couriertls of port 465, whichever of the two is named. */
static void couriertls_that_keeps_waiting(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_smtps(&f, &somebody_tls, &somebody_tls);
	fakeproc_trap(&f.tree, f.tls);
	want_int(answer(&f, f.smtpd), -ETIMEDOUT);
	want_int(answer(&f, f.tls), -EBUSY);
	want_int(fakeproc_release(&f.tree, f.tls), true);
	want_int(threads_ended_soon(f.threads), true);
	fixture_close(&f);
}

/* smtpd_check_submit() */

#define SUBMIT "/usr/lib/courier/courier/submit"

struct submit_row {
	const char *label;
	const char *exe;
	const char *env;
	size_t env_len;
	int result;
};

static const struct submit_row submit_rows[] = {
	{ "the same text", SUBMIT, ENV("BLOCK=Listed"), 0 },
	{ "replaced by an upgrade", SUBMIT " (deleted)", ENV("BLOCK=Listed"), 0 },
	{ "after a login", SUBMIT, ENV("BLOCK=\0BLOCK_TXT=Listed"), -EPERM },
	{ "none", SUBMIT, ENV("BLOCK_TXT=Listed"), -EPERM },
	{ "a longer text", SUBMIT, ENV("BLOCK=Listed!"), -EPERM },
	{ "a shorter text", SUBMIT, ENV("BLOCK=Liste"), -EPERM },
	{ "another program", "/bin/sh", ENV("BLOCK=Listed"), -EPERM },
	{ "before its exec", FAKE_SMTPD, ENV("BLOCK=Listed"), -EPERM },
	{ "a kernel thread", NULL, ENV("BLOCK=Listed"), -EPERM },
};

static void put_submit(struct fixture *f, const struct submit_row *row)
{
	const struct fake_process p = {
		.pid = f->submit, .exe = row->exe, .uid = FAKE_UID,
		.ppid = f->smtpd, .env = row->env, .env_len = row->env_len,
	};

	fakeproc_put(&f->tree, &p);
	fakeproc_children(&f->tree, f->smtpd, &f->submit, 1);
}

static void submit(void **state)
{
	static struct smtpd_scratch other;
	const struct submit_row *row = *state;
	struct smtpd_facts unused;
	struct smtpd smtpd;
	struct fixture f;

	fixture_open(&f);
	put_plain(&f, &a_client);
	want_int(open_child(&f, f.smtpd, &smtpd, &unused), 0);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed", &other), -EPERM);
	put_submit(&f, row);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed", &other), row->result);
	smtpd_done(&smtpd);
	fixture_close(&f);
}

/* If it is pinned, it is read directly; if it has not the text, another smtpd may have it. */
static void pinned_submit(void **state)
{
	static const struct submit_row forked = { "", FAKE_SMTPD, ENV("BLOCK=Listed"), 0 };
	static const struct submit_row login = { "", SUBMIT, ENV("BLOCK="), 0 };
	static const struct submit_row same = { "", SUBMIT, ENV("BLOCK=Listed"), 0 };
	static const char *const extra[] = { "BLOCK=Listed", NULL };
	const struct peer listed = { a_client.ip, 41703, 25, extra };
	struct smtpd_scratch other;
	struct smtpd_facts facts;
	struct smtpd smtpd = SMTPD_NONE;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_plain(&f, &listed);
	want_int(smtpd_pin(&f.rules, f.smtpd, f.scratch, &smtpd, &facts), 0);
	want_int(smtpd_pin_submit(&f.rules, &smtpd, &other), -EPERM);
	/* It has not exec'd yet. */
	put_submit(&f, &forked);
	want_int(smtpd_pin_submit(&f.rules, &smtpd, &other), -EPERM);
	want_int(smtpd.other_submit, 0);
	put_submit(&f, &login);
	want_int(smtpd_pin_submit(&f.rules, &smtpd, &other), -EPERM);
	want_int(smtpd.submit.fd, -1);
	/* The same process is not looked at again. */
	put_submit(&f, &same);
	want_int(smtpd_pin_submit(&f.rules, &smtpd, &other), -EPERM);
	smtpd.other_submit++;
	want_int(smtpd_pin_submit(&f.rules, &smtpd, &other), 0);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed too", &other), -EPERM);
	fakeproc_children(&f.tree, f.smtpd, NULL, 0);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed", &other), 0);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed too", &other), -EPERM);
	smtpd_forget_held(&smtpd);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed", &other), -EPERM);
	smtpd_done(&smtpd);
	fixture_close(&f);
}

/* Another process is the parent of that submit: the smtpd has exited. */
static void submit_of_another(void **state)
{
	static const struct submit_row same = { "", SUBMIT, ENV("BLOCK=Listed"), 0 };
	static struct smtpd_scratch other;
	struct smtpd_facts unused;
	struct smtpd smtpd;
	struct fixture f;
	pid_t pid;

	(void)state;
	fixture_open(&f);
	pid = f.smtpd;
	put_plain(&f, &a_client);
	put_submit(&f, &same);
	want_int(open_child(&f, pid, &smtpd, &unused), 0);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed", &other), 0);
	waiter_end(pid);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed", &other), -ESRCH);
	smtpd_done(&smtpd);
	f.smtpd = waiter_start();
	fixture_close(&f);
}

/* It exited before its children were read: they may be another process' children. */
static void submit_of_another_is_not_pinned(void **state)
{
	static const struct submit_row same = { "", SUBMIT, ENV("BLOCK=Listed"), 0 };
	static const char *const extra[] = { "BLOCK=Listed", NULL };
	const struct peer listed = { a_client.ip, 41703, 25, extra };
	static struct smtpd_scratch other;
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_facts facts;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_plain(&f, &listed);
	put_submit(&f, &same);
	want_int(smtpd_pin(&f.rules, f.smtpd, f.scratch, &smtpd, &facts), 0);
	waiter_end(f.smtpd);
	want_int(smtpd_pin_submit(&f.rules, &smtpd, &other), -ESRCH);
	smtpd_done(&smtpd);
	f.smtpd = waiter_start();
	fixture_close(&f);
}

/* Two mails were begun: any of the two may have given the reply. */
static void two_submits(void **state)
{
	static const struct submit_row same = { "", SUBMIT, ENV("BLOCK=Listed"), 0 };
	static const struct submit_row shell = { "", "/bin/sh", ENV("X=1"), 0 };
	static struct smtpd_scratch other;
	struct smtpd_facts unused;
	struct smtpd smtpd;
	struct fixture f;
	pid_t both[2];

	(void)state;
	fixture_open(&f);
	put_plain(&f, &a_client);
	put_submit(&f, &same);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.tls, .exe = shell.exe, .uid = FAKE_UID,
		.ppid = f.smtpd, .env = shell.env, .env_len = shell.env_len });
	both[0] = f.submit;
	both[1] = f.tls;
	want_int(open_child(&f, f.smtpd, &smtpd, &unused), 0);
	fakeproc_children(&f.tree, f.smtpd, both, 2);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed", &other), 0);
	both[0] = f.tls;
	both[1] = f.submit;
	fakeproc_children(&f.tree, f.smtpd, both, 2);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed", &other), 0);
	smtpd_done(&smtpd);
	fixture_close(&f);
}

static void hold_listed(struct fixture *f, struct smtpd *smtpd)
{
	static const char *const extra[] = { "BLOCK=Listed", NULL };
	const struct peer listed = { a_client.ip, 41703, 25, extra };
	struct smtpd_facts unused;

	*smtpd = (struct smtpd)SMTPD_NONE;
	put_plain(f, &listed);
	want_int(smtpd_pin(&f->rules, f->smtpd, f->scratch, smtpd, &unused), 0);
}

/* Checks of pinned processes never wait, and read no process that may hang. */
static void pinned_do_not_keep_waiting(void **state)
{
	static const struct submit_row same = { "", SUBMIT, ENV("BLOCK=Listed"), 0 };
	struct smtpd_facts facts;
	struct smtpd smtpd;
	struct fixture f;
	int64_t begin;

	(void)state;
	fixture_open(&f);
	hold_listed(&f, &smtpd);
	put_submit(&f, &same);
	want_int(smtpd_pin_submit(&f.rules, &smtpd, f.scratch), 0);
	fakeproc_trap(&f.tree, f.tcpd);
	fakeproc_trap(&f.tree, f.smtpd);
	fakeproc_trap(&f.tree, f.submit);
	begin = clock_ms();
	want_int(smtpd_recheck(&f.rules, &smtpd, f.scratch, &facts), 0);
	want_str(facts.block, "Listed");
	want_int(smtpd_recheck_submit(&smtpd), 0);
	want_int(clock_ms() - begin < LOOKER_WAIT_MS, true);
	want_int(fakeproc_release(&f.tree, f.smtpd) || fakeproc_release(&f.tree, f.submit) ||
		 fakeproc_release(&f.tree, f.tcpd), false);
	waiter_end(f.submit);
	want_int(smtpd_recheck_submit(&smtpd), -ESRCH);
	smtpd_forget_held(&smtpd);
	want_int(smtpd_recheck_submit(&smtpd), -ESRCH);
	smtpd_done(&smtpd);
	f.submit = waiter_start();
	fixture_close(&f);
}

/* Its parent, its uid: as they are now. */
static void pinned_that_has_changed(void **state)
{
	struct fake_process p = { .exe = FAKE_SMTPD, .uid = FAKE_UID };
	struct smtpd_facts unused;
	struct smtpd smtpd;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	hold_listed(&f, &smtpd);
	p.pid = f.smtpd;
	p.ppid = 1;
	fakeproc_put(&f.tree, &p);
	want_int(smtpd_recheck(&f.rules, &smtpd, f.scratch, &unused), -EPERM);
	p.ppid = f.tcpd;
	p.uid++;
	fakeproc_put(&f.tree, &p);
	want_int(smtpd_recheck(&f.rules, &smtpd, f.scratch, &unused), -EPERM);
	p.uid--;
	fakeproc_put(&f.tree, &p);
	want_int(smtpd_recheck(&f.rules, &smtpd, f.scratch, &unused), 0);
	smtpd_done(&smtpd);
	fixture_close(&f);
}

/* Nor does a process that cannot be the smtpd's submit by uid and parent. */
struct no_submit_row {
	const char *label;
	uid_t uid;
	bool another;	/* is its parent */
	int result, held;
};

static const struct no_submit_row no_submit_rows[] = {
	{ "another user's", FAKE_UID + 1, false, -EPERM, -EPERM },
	{ "another's child", FAKE_UID, true, -EPERM, -EPERM },
	{ "one that was taken over", FAKE_UID, false, -ETIMEDOUT, -EBUSY },
};

static void no_submit(void **state)
{
	const struct no_submit_row *row = *state;
	struct smtpd smtpd;
	struct fixture f;

	fixture_open(&f);
	hold_listed(&f, &smtpd);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.submit, .exe = SUBMIT, .uid = row->uid,
		.ppid = row->another ? f.tcpd : f.smtpd });
	fakeproc_trap(&f.tree, f.submit);
	fakeproc_children(&f.tree, f.smtpd, &f.submit, 1);
	want_int(smtpd_pin_submit(&f.rules, &smtpd, f.scratch), row->result);
	want_int(smtpd.submit.fd, -1);
	want_int(smtpd_check_submit(&f.rules, &smtpd, "Listed", f.scratch), row->held);
	want_int(fakeproc_release(&f.tree, f.submit), row->result == -ETIMEDOUT);
	want_int(threads_ended_soon(row->result == -ETIMEDOUT ? f.threads : f.threads + 1),
		 true);
	smtpd_done(&smtpd);
	fixture_close(&f);
}

/* A failed call says nothing about the process. */
static void calls_that_fail(void **state)
{
	static const struct submit_row same = { "", SUBMIT, ENV("BLOCK=Listed"), 0 };
	struct rlimit old, low;
	struct smtpd_facts unused;
	int again, check, submit, may;
	struct smtpd smtpd;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	hold_listed(&f, &smtpd);
	put_submit(&f, &same);
	want_int(smtpd_pin_submit(&f.rules, &smtpd, f.scratch), 0);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	/* poll(2) refuses more descriptors than a process may have. */
	low = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	may = smtpd_may_be(&f.rules, f.smtpd);
	again = smtpd_recheck(&f.rules, &smtpd, f.scratch, &unused);
	check = smtpd_recheck_submit(&smtpd);
	submit = smtpd_check_submit(&f.rules, &smtpd, "Listed too", f.scratch);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(may, -EMFILE);
	want_int(again, -EMFILE);
	want_int(check, -EINVAL);
	want_int(submit, -EMFILE);
	want_int(smtpd_recheck(&f.rules, &smtpd, f.scratch, &unused), 0);
	want_int(smtpd_recheck_submit(&smtpd), 0);
	smtpd_done(&smtpd);
	fixture_close(&f);
}

static const struct call_row {
	const char *label;
	int result;
	bool failed;
} call_rows[] = {
	{ "done", 0, false },
	{ "a number", 7, false },
	{ "gone", -ESRCH, false },
	{ "something else", -EPERM, false },
	{ "no right", -EACCES, false },
	{ "before its exec", -EAGAIN, false },
	{ "another peer", -ENXIO, false },
	{ "no peer", -ENODATA, false },
	{ "not there in the kernel", -ENOSYS, false },
	{ "too large", -E2BIG, false },
	{ "no descriptor", -EMFILE, true },
	{ "no descriptor in the system", -ENFILE, true },
	{ "no memory", -ENOMEM, true },
	{ "interrupted", -EINTR, true },
	{ "it keeps waiting", -ETIMEDOUT, true },
	{ "it still does", -EBUSY, true },
	{ "input or output", -EIO, true },
	{ "invalid", -EINVAL, true },
};

static void call_failed(void **state)
{
	const struct call_row *row = *state;

	want_int(smtpd_call_failed(row->result), row->failed);
}

/* smtpd_take */

static void take(void **state)
{
	struct smtpd_facts unused;
	struct smtpd a, b;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_smtps(&f, &somebody_tls, &somebody_tls);
	want_int(open_child(&f, f.smtpd, &a, &unused), 0);
	b = smtpd_take(&a);
	want_int(a.process.fd == -1 && a.tls.fd == -1, true);
	want_smtps(&f, &b);
	smtpd_done(&a);
	want_int(pidref_check(&b.process), 0);
	want_int(pidref_check(&b.tls), 0);
	smtpd_done(&b);
	fixture_close(&f);
}

/* smtpd_read_hint */

struct peek_row {
	const char *label;
	const char *exe;
	const char *env;
	size_t env_len;
	int result;
	bool listed, relay_client;
};

static const struct peek_row peek_rows[] = {
	{ "courieresmtpd", FAKE_SMTPD, ENV(GOOD_ENV), 0, false, false },
	{ "listed", FAKE_SMTPD, ENV(GOOD_ENV "\0BLOCK=Listed"), 0, true, false },
	{ "listed nowhere", FAKE_SMTPD, ENV(GOOD_ENV "\0BLOCK="), 0, false, false },
	{ "a relay client", FAKE_SMTPD, ENV(GOOD_ENV "\0RELAYCLIENT="), 0, false, true },
	{ "couriertls", FAKE_TLS, ENV(GOOD_ENV), 0, false, false },
	{ "replaced by an upgrade", FAKE_SMTPD " (deleted)", ENV(GOOD_ENV), 0, false,
	  false },
	{ "before its exec", FAKE_TCPD, ENV("PATH=/bin"), -EAGAIN, false, false },
	{ "before its exec, with an environment", FAKE_TCPD, ENV(GOOD_ENV), -EAGAIN,
	  false, false },
	{ "names no peer", FAKE_SMTPD, ENV("PATH=/bin"), -ENODATA, false, false },
	{ "another program", "/bin/sh", ENV(GOOD_ENV), -ENODATA, false, false },
};

static void peek(void **state)
{
	const struct peek_row *row = *state;
	struct smtpd_hint seen;
	struct fixture f;

	fixture_open(&f);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = 4242, .exe = row->exe, .uid = FAKE_UID, .ppid = f.tcpd,
		.env = row->env, .env_len = row->env_len });
	want_int(smtpd_read_hint(&f.rules, 4242, f.scratch, &seen), row->result);
	if (row->result == 0) {
		want_addr(&seen.peer.addr, "192.0.2.7");
		want_int(seen.peer.port, 41703);
		want_int(seen.peer.local_port, 25);
		want_int(seen.listed, row->listed);
		want_int(seen.relay_client, row->relay_client);
	}
	want_int(smtpd_read_hint(&f.rules, 4243, f.scratch, &seen), -ESRCH);
	fixture_close(&f);
}

/* The kernel's name for the connection of a real process. */

struct link {
	struct tcp_reset reset;
	struct smtpd_rules rules;
	struct procfs procfs;
	struct smtpd_peer peer;
	int listener, client, server;
	pid_t pid;		/* has the server's end as its standard input */
};

static uint16_t bind_loopback(int fd)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t size = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	want_int(bind(fd, (struct sockaddr *)&a, size), 0);
	want_int(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	return ntohs(a.sin_port);
}

static void connect_loopback(int fd, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	want_int(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
}

/* A process with that standard input. */
static pid_t start_with_stdin(int fd)
{
	int spare = dup(STDIN_FILENO);
	pid_t pid;

	want_int(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	pid = waiter_start();
	want_int(dup2(spare, STDIN_FILENO), STDIN_FILENO);
	close(spare);
	return pid;
}

static void link_open(struct link *l)
{
	*l = (struct link){ .reset = TCP_RESET_NONE };
	want_int(procfs_init(&l->procfs, PROCFS_DEFAULT_ROOT), 0);
	l->rules = (struct smtpd_rules){ .procfs = &l->procfs, .reset = &l->reset };
	l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	l->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	l->peer.local_port = bind_loopback(l->listener);
	l->peer.port = bind_loopback(l->client);
	want_int(addr_parse("127.0.0.1", 9, &l->peer.addr), 0);
	l->peer.local = l->peer.addr;
	want_int(listen(l->listener, 1), 0);
	connect_loopback(l->client, l->peer.local_port);
	l->server = accept(l->listener, NULL, NULL);
	want_int(l->server >= 0, true);
	l->pid = start_with_stdin(l->server);
}

static void link_close(struct link *l)
{
	waiter_end(l->pid);
	tcp_reset_done(&l->reset);
	close(l->listener);
	close(l->client);
	close(l->server);
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	want_int(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
	return cookie;
}

static void cookie_of_a_connection(void **state)
{
	struct smtpd_peer other;
	struct link l;

	(void)state;
	link_open(&l);
	want_int(cookie_of(l.server) != 0, true);
	want_int(smtpd_cookie(&l.rules, l.pid, &l.peer) == cookie_of(l.server), true);
	/* The other end of the same connection is another socket. */
	other = l.peer;
	other.port = l.peer.local_port;
	other.local_port = l.peer.port;
	want_int(smtpd_cookie(&l.rules, l.pid, &other) == 0, true);
	other = l.peer;
	other.port++;
	want_int(smtpd_cookie(&l.rules, l.pid, &other) == 0, true);
	other = l.peer;
	other.local.family = 0;
	want_int(smtpd_cookie(&l.rules, l.pid, &other) == 0, true);
	l.rules.reset = NULL;
	want_int(smtpd_cookie(&l.rules, l.pid, &l.peer) == 0, true);
	link_close(&l);
}

/* Its environment names a connection, and it has another one. */
static void cookie_of_another_connection(void **state)
{
	struct link l;
	pid_t pid;

	(void)state;
	link_open(&l);
	pid = start_with_stdin(l.client);
	want_int(smtpd_cookie(&l.rules, pid, &l.peer) == 0, true);
	waiter_end(pid);
	pid = start_with_stdin(l.listener);
	want_int(smtpd_cookie(&l.rules, pid, &l.peer) == 0, true);
	waiter_end(pid);
	want_int(smtpd_cookie(&l.rules, pid, &l.peer) == 0, true);
	want_int(smtpd_cookie(&l.rules, l.pid, &l.peer) != 0, true);
	link_close(&l);
}

/* Real processes. */

struct real {
	struct procfs procfs;
	struct smtpd_rules rules;
	struct smtpd_scratch scratch;
	struct courier courier;
	struct smtpd smtpd;
	struct smtpd_facts facts;
	size_t descriptors;
};

static void real_open(struct real *r)
{
	r->descriptors = descriptors_open();
	want_int(procfs_init(&r->procfs, PROCFS_DEFAULT_ROOT), 0);
	rules_open(&r->rules, &r->procfs, geteuid());
	courier_start(&r->courier);
	r->smtpd = (struct smtpd)SMTPD_NONE;
}

static void real_close(struct real *r)
{
	smtpd_done(&r->smtpd);
	courier_stop(&r->courier);
	rules_close(&r->rules);
	want_int(descriptors_open(), r->descriptors);
}

static int real_child(struct real *r, pid_t pid)
{
	smtpd_done(&r->smtpd);
	return smtpd_open(&r->rules, pid, &r->scratch, &r->smtpd, &r->facts);
}

static void real_plain(void **state)
{
	static const char *const extra[] = { "BLOCK=511 Listed", NULL };
	const struct peer peer = { "::ffff:192.0.2.7", 41703, 25, extra };
	struct connection c;
	struct real r;

	(void)state;
	real_open(&r);
	c = courier_plain(&r.courier, &peer);
	want_int(real_child(&r, c.smtpd), 0);
	want_int(r.smtpd.process.pid, c.smtpd);
	want_addr(&r.smtpd.peer.addr, "192.0.2.7");
	want_str(r.facts.block, "511 Listed");
	want_int(real_child(&r, r.courier.tcpd), -EPERM);
	want_int(real_child(&r, getpid()), -EPERM);
	courier_upgrade(&r.courier);
	want_int(real_child(&r, c.smtpd), 0);
	real_close(&r);
}

/* Pinned before any line about it: it can be proven again as long as it and its parent are
 * alive, even if its executable has been replaced. */
static int real_held(struct real *r, pid_t pid)
{
	smtpd_done(&r->smtpd);
	return smtpd_pin(&r->rules, pid, &r->scratch, &r->smtpd, &r->facts);
}

static int real_again(struct real *r)
{
	memset(&r->facts, 0, sizeof(r->facts));
	return smtpd_recheck(&r->rules, &r->smtpd, &r->scratch, &r->facts);
}

static void real_smtpd_is_pinned_until_it_exits(void **state)
{
	static const char *const extra[] = { "BLOCK=511 Listed", "BLOCK_ZONE=bl.example",
					     NULL };
	const struct peer peer = { "::ffff:192.0.2.7", 41703, 25, extra };
	struct connection c;
	struct real r;

	(void)state;
	real_open(&r);
	c = courier_plain(&r.courier, &peer);
	want_int(real_held(&r, c.smtpd), 0);
	want_str(r.facts.block, "511 Listed");
	want_int(r.smtpd.process.pid, c.smtpd);
	want_addr(&r.smtpd.peer.addr, "192.0.2.7");
	want_int(r.smtpd.peer.port, 41703);
	courier_upgrade(&r.courier);
	memset(&r.scratch, 0, sizeof(r.scratch));
	want_int(real_again(&r), 0);
	want_str(r.facts.block, "511 Listed");
	want_str(r.facts.block_ip, NULL);
	want_str(r.facts.block_zone, "bl.example");
	want_int(r.facts.relay_client || r.facts.tls, false);
	r.rules.uid++;
	want_int(real_again(&r), -EPERM);
	r.rules.uid--;
	want_int(kill(c.smtpd, SIGKILL), 0);
	want_int(has_ended_soon(c.smtpd), true);
	want_int(real_again(&r), -ESRCH);
	real_close(&r);
}

/* The facts read then count. */
static void real_pinned_relay_client(void **state)
{
	static const char *const extra[] = { "ESMTP_TLS=1", "RELAYCLIENT=", NULL };
	const struct peer peer = { "::ffff:192.0.2.7", 41703, 25, extra };
	struct connection c;
	struct real r;

	(void)state;
	real_open(&r);
	c = courier_plain(&r.courier, &peer);
	want_int(real_held(&r, c.smtpd), 0);
	want_int(real_again(&r), 0);
	want_int(r.facts.relay_client && r.facts.tls, true);
	want_str(r.facts.block, NULL);
	real_close(&r);
}

static void real_smtpd_is_pinned_until_its_parent_exits(void **state)
{
	struct connection c;
	struct real r;

	(void)state;
	real_open(&r);
	c = courier_plain(&r.courier, &a_client);
	want_int(real_held(&r, c.smtpd), 0);
	want_int(real_again(&r), 0);
	want_int(kill(r.courier.tcpd, SIGKILL), 0);
	want_int(has_ended_soon(r.courier.tcpd), true);
	want_int(real_again(&r), -EPERM);
	want_int(is_living(c.smtpd), true);
	real_close(&r);
}

/* On 465 there are two processes, and only one could be pinned. */
static void real_smtpd_not_pinned(void **state)
{
	struct connection c;
	struct real r;

	(void)state;
	real_open(&r);
	c = courier_smtps(&r.courier, &somebody_tls);
	want_int(real_held(&r, c.smtpd), -EPERM);
	want_int(real_held(&r, c.tls), -EPERM);
	want_int(real_held(&r, getpid()), -EPERM);
	want_int(real_held(&r, r.courier.tcpd), -EPERM);
	want_int(real_held(&r, courier_forked(&r.courier, &a_client)), -EAGAIN);
	real_close(&r);
}

static void real_smtps(void **state)
{
	struct connection c;
	struct real r;

	(void)state;
	real_open(&r);
	c = courier_smtps(&r.courier, &somebody_tls);
	want_int(real_child(&r, c.smtpd), 0);
	want_int(r.smtpd.process.pid, c.smtpd);
	want_int(r.smtpd.tls.pid, c.tls);
	want_int(real_child(&r, c.tls), 0);
	want_int(r.smtpd.process.pid, c.smtpd);
	want_int(r.smtpd.tls.pid, c.tls);
	real_close(&r);
}

/* It keeps its PID when it execs. */
static void real_before_and_after_exec(void **state)
{
	struct smtpd_hint seen;
	struct real r;
	pid_t pid;

	(void)state;
	real_open(&r);
	pid = courier_forked(&r.courier, &a_client);
	want_int(real_child(&r, pid), -EAGAIN);
	want_int(smtpd_read_hint(&r.rules, pid, &r.scratch, &seen), -EAGAIN);
	courier_exec(&r.courier);
	want_int(smtpd_read_hint(&r.rules, pid, &r.scratch, &seen), 0);
	want_int(real_child(&r, pid), 0);
	want_int(r.smtpd.process.pid, pid);
	real_close(&r);
}

/* That user has no tcpd: no process is courier's. */
static void real_of_another_user(void **state)
{
	struct connection c;
	struct real r;

	(void)state;
	real_open(&r);
	c = courier_plain(&r.courier, &a_client);
	r.rules.uid = NOBODY_UID;
	want_int(real_child(&r, c.smtpd), -EPERM);
	real_close(&r);
}

static void real_that_is_hidden(void **state)
{
	struct smtpd_hint seen;
	struct connection c;
	int opened, peeked;
	struct real r;

	(void)state;
	real_open(&r);
	c = courier_plain(&r.courier, &a_client);
	user_become(NOBODY_UID);
	opened = real_child(&r, c.smtpd);
	peeked = smtpd_read_hint(&r.rules, c.smtpd, &r.scratch, &seen);
	user_back();
	want_int(opened, -EACCES);
	want_int(peeked, -EACCES);
	real_close(&r);
}

/* couriertls apart from its courieresmtpd. */

static int find_left(struct real *r, struct pidref *refs, size_t max)
{
	return smtpd_find_orphan_tls(&r->rules, &r->smtpd.peer, &r->scratch, refs, max);
}

static void real_starttls(void **state)
{
	const struct peer others[] = {
		{ "::ffff:192.0.2.8", 41703, 25, NULL },
		{ "::ffff:192.0.2.7", 41704, 25, NULL },
		{ "::ffff:192.0.2.7", 41703, 587, NULL },
		{ "2001:db8::7", 41703, 25, NULL },
	};
	struct pidref refs[4];
	struct connection c;
	struct real r;
	size_t i;

	(void)state;
	real_open(&r);
	for (i = 0; i < COUNT_OF(others); i++)
		courier_starttls(&r.courier, &others[i]);
	courier_smtps(&r.courier, &a_client);
	c = courier_starttls(&r.courier, &a_client);
	want_int(real_child(&r, c.smtpd), 0);
	want_int(r.smtpd.tls.fd, -1);
	want_int(find_left(&r, refs, 4), 1);
	want_int(refs[0].pid, c.tls);
	want_int(pidref_check(&refs[0]), 0);
	pidref_done(&refs[0]);
	want_int(find_left(&r, refs, 0), 0);
	/* Also after courieresmtpd has exited, which is when it is needed. */
	kill(c.smtpd, SIGTERM);
	want_int(has_ended_soon(c.smtpd), true);
	want_int(find_left(&r, refs, 4), 1);
	want_int(refs[0].pid, c.tls);
	pidref_done(&refs[0]);
	kill(c.tls, SIGTERM);
	want_int(has_ended_soon(c.tls), true);
	want_int(find_left(&r, refs, 4), 0);
	real_close(&r);
}

/* Distinguishes a couriertls left behind from one of a later connection. */
static void real_served(void **state)
{
	const struct peer other = { "::ffff:192.0.2.7", 41704, 25, NULL };
	struct connection first;
	struct smtpd_peer peer;
	struct real r;

	(void)state;
	real_open(&r);
	first = courier_starttls(&r.courier, &a_client);
	courier_plain(&r.courier, &other);
	want_int(real_child(&r, first.smtpd), 0);
	peer = r.smtpd.peer;
	want_int(smtpd_is_served(&r.rules, &peer, &r.scratch), true);
	kill(first.smtpd, SIGTERM);
	want_int(has_ended_soon(first.smtpd), true);
	want_int(smtpd_is_served(&r.rules, &peer, &r.scratch), false);
	courier_starttls(&r.courier, &a_client);
	want_int(smtpd_is_served(&r.rules, &peer, &r.scratch), true);
	real_close(&r);
}

static void real_starttls_of_another_user(void **state)
{
	struct pidref refs[4];
	struct connection c;
	struct real r;

	(void)state;
	real_open(&r);
	c = courier_starttls(&r.courier, &a_client);
	want_int(real_child(&r, c.smtpd), 0);
	r.rules.uid = NOBODY_UID;
	want_int(find_left(&r, refs, 4), 0);
	real_close(&r);
}

/* Below init, if courier is started without a supervisor, and below the tcpds' own parent;
 * no more than requested. */
static void left_below_init(void **state)
{
	struct pidref refs[4];
	struct smtpd_peer peer = { .port = 41703, .local_port = 25 };
	struct fixture f;
	pid_t both[2];
	int i;

	(void)state;
	fixture_open(&f);
	want_int(addr_parse("192.0.2.7", 9, &peer.addr), 0);
	both[0] = f.tls;
	both[1] = f.smtpd;
	want_int(tcpd_check(f.rules.tcpds, f.tcpd), 0);
	want_int(smtpd_find_orphan_tls(&f.rules, &peer, f.scratch, refs, 4), 0);
	fakeproc_put_tls(&f.tree, f.tls, 1, &a_client);
	fakeproc_put_tls(&f.tree, f.smtpd, 1, &a_client);
	fakeproc_children(&f.tree, 1, both, 2);
	want_int(smtpd_find_orphan_tls(&f.rules, &peer, f.scratch, refs, 1), 1);
	pidref_done(&refs[0]);
	want_int(smtpd_find_orphan_tls(&f.rules, &peer, f.scratch, refs, 4), 2);
	for (i = 0; i < 2; i++)
		pidref_done(&refs[i]);
	/* The tcpds have another parent. */
	fakeproc_children(&f.tree, 1, NULL, 0);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.tcpd, .exe = FAKE_TCPD, .ppid = 9, .uid = FAKE_UID });
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = 9, .exe = "/lib/systemd/systemd", .ppid = 1 });
	fakeproc_children(&f.tree, 9, both, 1);
	want_int(smtpd_find_orphan_tls(&f.rules, &peer, f.scratch, refs, 4), 1);
	want_int(refs[0].pid, f.tls);
	pidref_done(&refs[0]);
	fixture_close(&f);
}

/* Processes of other users below init are not read either; one of courier's user there that
 * hangs does not hide the others. */
static void left_that_keep_waiting(void **state)
{
	struct smtpd_peer peer = { .port = 41703, .local_port = 25 };
	struct pidref refs[4];
	struct fixture f;
	pid_t pids[3];

	(void)state;
	fixture_open(&f);
	want_int(addr_parse("192.0.2.7", 9, &peer.addr), 0);
	pids[0] = f.smtpd;
	pids[1] = f.submit;
	pids[2] = f.tls;
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.smtpd, .exe = FAKE_TLS, .ppid = 1, .uid = FAKE_UID + 1 });
	fakeproc_put_tls(&f.tree, f.submit, 1, &a_client);
	fakeproc_put_tls(&f.tree, f.tls, 1, &a_client);
	fakeproc_trap(&f.tree, f.smtpd);
	fakeproc_trap(&f.tree, f.submit);
	fakeproc_children(&f.tree, 1, pids, 3);
	want_int(smtpd_find_orphan_tls(&f.rules, &peer, f.scratch, refs, 4), 1);
	want_int(refs[0].pid, f.tls);
	pidref_done(&refs[0]);
	want_int(fakeproc_release(&f.tree, f.smtpd), false);
	want_int(fakeproc_release(&f.tree, f.submit), true);
	want_int(threads_ended_soon(f.threads + 1), true);
	fixture_close(&f);
}

static void add_fake(struct suite *s)
{
	SUITE_TEST(s, plain);
	SUITE_TEST(s, smtps);
	SUITE_TEST(s, smtps_facts_are_those_of_courieresmtpd);
	SUITE_ROWS(s, facts, facts_rows);
	SUITE_ROWS(s, who, who_rows);
	SUITE_ROWS(s, parent, parent_rows);
	SUITE_ROWS(s, above, above_rows);
	SUITE_TEST(s, two_couriertls_above);
	SUITE_TEST(s, couriertls_during_the_handshake);
	SUITE_ROWS(s, env, env_rows);
	SUITE_TEST(s, env_too_large);
	SUITE_TEST(s, gone);
	suite_add(s, exits_in_between, "status", "exits_in_between: at its status");
	suite_add(s, exits_in_between, "environ", "exits_in_between: at its environment");
	SUITE_TEST(s, another_between);
	SUITE_TEST(s, couriertls_exits_in_between);
	SUITE_TEST(s, parent_has_exited);
	SUITE_TEST(s, without_descriptors);
	SUITE_TEST(s, leaves_descriptors);
	SUITE_TEST(s, descriptors_run_out);
	SUITE_ROWS(s, strangers_are_not_looked_at, stranger_rows);
	SUITE_TEST(s, may_be);
	SUITE_TEST(s, session_that_keeps_waiting);
	SUITE_TEST(s, couriertls_that_keeps_waiting);
	SUITE_ROWS(s, submit, submit_rows);
	SUITE_TEST(s, pinned_submit);
	SUITE_TEST(s, submit_of_another);
	SUITE_TEST(s, submit_of_another_is_not_pinned);
	SUITE_TEST(s, two_submits);
	SUITE_TEST(s, pinned_do_not_keep_waiting);
	SUITE_TEST(s, pinned_that_has_changed);
	SUITE_ROWS(s, no_submit, no_submit_rows);
	SUITE_TEST(s, calls_that_fail);
	SUITE_ROWS(s, call_failed, call_rows);
	SUITE_TEST(s, take);
	SUITE_ROWS(s, peek, peek_rows);
	SUITE_TEST(s, left_below_init);
	SUITE_TEST(s, left_that_keep_waiting);
	SUITE_TEST(s, cookie_of_a_connection);
	SUITE_TEST(s, cookie_of_another_connection);
}

/* Of a listener that is known nothing has to be asked. */
static void known_listener_is_not_asked(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_plain(&f, &a_client);
	want_int(tcpd_check(f.rules.tcpds, f.tcpd), 0);
	fakeproc_remove(&f.tree, f.tcpd, "status");
	want_int(answer(&f, f.smtpd), 0);
	fixture_close(&f);
}

/* What is above another user's process is that user's choice. */
static void parent_of_a_stranger_is_not_looked_at(void **state)
{
	static const char env[] = GOOD_ENV;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.smtpd, .exe = FAKE_TCPD, .uid = FAKE_UID, .ppid = 1 });
	fakeproc_trap(&f.tree, f.smtpd);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.tls, .exe = FAKE_TLS, .uid = FAKE_UID + 1, .ppid = f.smtpd });
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.submit, .exe = FAKE_SMTPD, .uid = FAKE_UID, .ppid = f.tls,
		.env = env, .env_len = sizeof(env) });
	want_int(answer(&f, f.submit), -EPERM);
	want_int(threads_running(), f.threads + 1);
	fixture_close(&f);
}

/* One that cannot be looked at may be it; so may any where they cannot be listed. */
static void served_by_one_that_is_not_known(void **state)
{
	struct smtpd_peer peer = { .port = 41704, .local_port = 25 };
	struct rlimit old, low;
	struct fixture f;
	bool served;
	int lowest;

	(void)state;
	fixture_open(&f);
	want_int(addr_parse("192.0.2.7", 9, &peer.addr), 0);
	put_plain(&f, &a_client);
	want_int(answer(&f, f.smtpd), 0);
	want_int(smtpd_is_served(&f.rules, &peer, f.scratch), false);
	lowest = dup(STDERR_FILENO);
	close(lowest);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)lowest;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	served = smtpd_is_served(&f.rules, &peer, f.scratch);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(served, true);
	fakeproc_trap(&f.tree, f.smtpd);
	want_int(smtpd_is_served(&f.rules, &peer, f.scratch), true);
	want_int(fakeproc_release(&f.tree, f.smtpd), true);
	fixture_close(&f);
}

int main(void)
{
	struct suite *s = suite_new();

	add_fake(s);
	SUITE_TEST(s, known_listener_is_not_asked);
	SUITE_TEST(s, parent_of_a_stranger_is_not_looked_at);
	SUITE_TEST(s, served_by_one_that_is_not_known);
	SUITE_TEST(s, real_plain);
	SUITE_TEST(s, real_smtpd_is_pinned_until_it_exits);
	SUITE_TEST(s, real_pinned_relay_client);
	SUITE_TEST(s, real_smtpd_is_pinned_until_its_parent_exits);
	SUITE_TEST(s, real_smtpd_not_pinned);
	SUITE_TEST(s, real_smtps);
	SUITE_TEST(s, real_before_and_after_exec);
	SUITE_TEST(s, real_starttls);
	SUITE_TEST(s, real_served);
	SUITE_AS_ROOT(s, real_of_another_user);
	SUITE_AS_ROOT(s, real_that_is_hidden);
	SUITE_AS_ROOT(s, real_starttls_of_another_user);
	return suite_run(s, "child");
}
