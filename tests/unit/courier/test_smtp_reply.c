/* Tells an smtpd's client why its connection ends. The smtpd is this test's own process,
 * whose standard output is the connection for a while.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtp_reply.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/guard.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

/* A TCP connection over loopback, or a pair of unix sockets. */
static void connect_pair(int domain, int pair[2])
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(sa);
	int listener;

	if (domain == AF_UNIX) {
		want_int(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		return;
	}
	listener = socket(AF_INET, SOCK_STREAM, 0);
	want_int(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	want_int(listen(listener, 1), 0);
	want_int(getsockname(listener, (struct sockaddr *)&sa, &size), 0);
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	want_int(connect(pair[1], (struct sockaddr *)&sa, sizeof(sa)), 0);
	pair[0] = accept(listener, NULL, NULL);
	close(listener);
}

struct fixture {
	int pair[2];
	pid_t pid;
	struct smtpd smtpd;
	struct smtpd_rules rules;
};

static const struct procfs proc = { .root = PROCFS_DEFAULT_ROOT };

/* A process whose standard output is pair[0]. */
static void setup(struct fixture *f, int domain)
{
	int ready[2];
	char byte;

	connect_pair(domain, f->pair);
	want_int(pipe(ready), 0);
	f->pid = guard_fork();
	if (f->pid == 0) {
		dup2(f->pair[0], STDOUT_FILENO);
		byte = 'r';
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	want_int(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	f->smtpd = (struct smtpd)SMTPD_NONE;
	want_int(pidref_open(f->pid, &f->smtpd.process), 0);
	f->rules = (struct smtpd_rules){ .procfs = &proc };
	want_int(looker_new(&proc, &f->rules.looker), 0);
}

static void teardown(struct fixture *f)
{
	waiter_end(f->pid);
	smtpd_done(&f->smtpd);
	want_int(looker_free(f->rules.looker), true);
	close(f->pair[0]);
	close(f->pair[1]);
}

static const struct text_row {
	const char *label, *block, *want;
} text_rows[] = {
	{ "plain text", "Listed in a DNSBL", "554 5.7.1 Listed in a DNSBL\r\n" },
	{ "511 in front", "511 Listed", "554 5.7.1 Listed\r\n" },
	{ "550 and dash", "550-Go away", "554 5.7.1 Go away\r\n" },
	{ "number that is no code", "5110 Listed", "554 5.7.1 5110 Listed\r\n" },
	{ "line ends do not end the reply", "a\r\n250 ok",
	  "554 5.7.1 a??250 ok\r\n" },
	{ "other bytes", "a\x01\x7f\xc3\xa9", "554 5.7.1 a????\r\n" },
};

static void client_reads(int fd, const char *want)
{
	char got[1024];
	ssize_t n;

	want_int(wait_readable(fd), true);
	n = recv(fd, got, sizeof(got) - 1, 0);
	want_int(n > 0, true);
	got[n] = '\0';
	want_str(got, want);
}

static void tells(void **state)
{
	const struct text_row *row = *state;
	const struct smtpd_facts facts = { .block = row->block };
	size_t before = descriptors_open();
	struct fixture f;

	setup(&f, AF_INET);
	want_int(smtp_reply_send(&f.rules, &f.smtpd, &facts), 0);
	client_reads(f.pair[1], row->want);
	teardown(&f);
	want_int(descriptors_open(), before);
}

static void long_text_is_cut_to_a_line(void **state)
{
	char block[2000], got[2000];
	const struct smtpd_facts facts = { .block = block };
	struct fixture f;
	ssize_t n;

	(void)state;
	memset(block, 'x', sizeof(block) - 1);
	block[sizeof(block) - 1] = '\0';
	setup(&f, AF_INET);
	want_int(smtp_reply_send(&f.rules, &f.smtpd, &facts), 0);
	want_int(wait_readable(f.pair[1]), true);
	n = recv(f.pair[1], got, sizeof(got), 0);
	want_int(n <= 512, true);
	want_mem(got + n - 3, "x\r\n", 3);
	teardown(&f);
}

/* Nothing may be written: TLS from the start, STARTTLS, no listing. */
static const struct silent_row {
	const char *label;
	int domain;
	struct smtpd_facts facts;
} silent_rows[] = {
	{ "ESMTP_TLS", AF_INET, { .tls = true, .block = "Listed" } },
	{ "socket to couriertls", AF_UNIX, { .block = "Listed" } },
	{ "not listed", AF_INET, { .block = NULL } },
};

static void stays_silent(void **state)
{
	const struct silent_row *row = *state;
	struct fixture f;
	char byte;

	setup(&f, row->domain);
	want_int(smtp_reply_send(&f.rules, &f.smtpd, &row->facts), -ENOTCONN);
	want_int(recv(f.pair[1], &byte, 1, MSG_DONTWAIT), -1);
	teardown(&f);
}

static void silent_below_couriertls(void **state)
{
	const struct smtpd_facts facts = { .block = "Listed" };
	struct fixture f;

	(void)state;
	setup(&f, AF_INET);
	want_int(pidref_open(f.pid, &f.smtpd.tls), 0);
	want_int(smtp_reply_send(&f.rules, &f.smtpd, &facts), -ENOTCONN);
	teardown(&f);
}

/* A filter would kill this process for the call. */
static void does_not_copy_a_descriptor(void **state)
{
	const struct smtpd_facts facts = { .block = "Listed" };
	struct fixture f;
	char byte;

	(void)state;
	setup(&f, AF_INET);
	looker_forbid_fd(f.rules.looker);
	want_int(smtp_reply_send(&f.rules, &f.smtpd, &facts), -ENOSYS);
	want_int(recv(f.pair[1], &byte, 1, MSG_DONTWAIT), -1);
	teardown(&f);
}

static void smtpd_has_exited(void **state)
{
	const struct smtpd_facts facts = { .block = "Listed" };
	struct fixture f;

	(void)state;
	setup(&f, AF_INET);
	waiter_end(f.pid);
	want_int(smtp_reply_send(&f.rules, &f.smtpd, &facts), -ESRCH);
	smtpd_done(&f.smtpd);
	want_int(looker_free(f.rules.looker), true);
	close(f.pair[0]);
	close(f.pair[1]);
}

static void no_right_to_copy_a_descriptor(void **state)
{
	const struct smtpd_facts facts = { .block = "Listed" };
	struct fixture f;
	pid_t other;
	int status;

	(void)state;
	setup(&f, AF_INET);
	/* The kernel asks for the real uid, so it has to be another process. */
	other = guard_fork();
	if (other == 0)
		_exit(setresuid(NOBODY_UID, NOBODY_UID, NOBODY_UID) == 0 &&
				      smtp_reply_send(&f.rules, &f.smtpd, &facts) == -EPERM
			      ? 0
			      : 1);
	want_int(waitpid(other, &status, 0), other);
	want_int(status, 0);
	teardown(&f);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_ROWS(suite, tells, text_rows);
	SUITE_TEST(suite, long_text_is_cut_to_a_line);
	SUITE_ROWS(suite, stays_silent, silent_rows);
	SUITE_TEST(suite, silent_below_couriertls);
	SUITE_TEST(suite, does_not_copy_a_descriptor);
	SUITE_TEST(suite, smtpd_has_exited);
	if (geteuid() == 0)
		SUITE_TEST(suite, no_right_to_copy_a_descriptor);
	else
		suite_skip(suite, "no_right_to_copy_a_descriptor", "root");
	return suite_run(suite, "farewell");
}
