/* Tells an smtpd's client why its connection ends. The smtpd is this test's own process,
 * whose standard output is the connection for a while.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtp_reply.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/guard.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

static const struct procfs proc = { .root = PROCFS_DEFAULT_ROOT };

static struct tcp_pair connection;
static struct smtpd smtpd;
static struct smtpd_rules rules;
static size_t descriptors;

/* A process whose standard output is the server's end, or for AF_UNIX a socket of that. */
static void start_smtpd(int domain)
{
	pid_t pid;
	int pair[2];

	if (domain == AF_UNIX) {
		want_int(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		want_int(dup2(pair[0], connection.server), connection.server);
		want_int(dup2(pair[1], connection.client), connection.client);
		close(pair[0]);
		close(pair[1]);
	}
	pid = waiter_start_with(connection.server, STDOUT_FILENO);
	want_int(pidref_open(pid, &smtpd.process), 0);
}

static void before(void)
{
	descriptors = descriptors_open();
	tcp_pair_open(&connection);
	smtpd = (struct smtpd)SMTPD_NONE;
	rules = (struct smtpd_rules){ .procfs = &proc };
	rules.looker = patient_looker(&proc);
}

static void after(void)
{
	if (pidref_check(&smtpd.process) == 0)
		waiter_end(smtpd.process.pid);
	smtpd_done(&smtpd);
	want_int(looker_free(rules.looker), true);
	tcp_pair_close(&connection);
	want_int(descriptors_open(), descriptors);
}

TEST_EACH(before, after)

/* Nothing may be written with TLS, without a listing, or into a socket to couriertls. */
static const struct row {
	const char *label;
	struct smtpd_facts facts;
	int result;
	const char *want;	/* NULL: the client reads nothing */
	enum { PLAIN, UNIX_SOCKET, BELOW_TLS, FORBIDDEN, EXITED } is;
	enum smtp_reply kind;
} rows[] = {
	{ "plain text", { .block = "Listed in a DNSBL" }, 0,
	  "554 5.7.1 Listed in a DNSBL\r\n", PLAIN, 0 },
	{ "511 in front", { .block = "511 Listed" }, 0, "554 5.7.1 Listed\r\n", PLAIN, 0 },
	{ "550 and dash", { .block = "550-Go away" }, 0, "554 5.7.1 Go away\r\n", PLAIN, 0 },
	{ "number that is no code", { .block = "5110 Listed" }, 0,
	  "554 5.7.1 5110 Listed\r\n", PLAIN, 0 },
	{ "three letters", { .block = "DNS says no" }, 0, "554 5.7.1 DNS says no\r\n", PLAIN, 0 },
	{ "line ends do not end the reply", { .block = "a\r\n250 ok" }, 0,
	  "554 5.7.1 a??250 ok\r\n", PLAIN, 0 },
	{ "other bytes", { .block = "a\x01\x7f\xc3\xa9" }, 0, "554 5.7.1 a????\r\n", PLAIN, 0 },
	{ "ESMTP_TLS", { .tls = true, .block = "Listed" }, -ENOTCONN, NULL, PLAIN, 0 },
	{ "not listed", { .block = NULL }, -ENOTCONN, NULL, PLAIN, 0 },
	{ "socket to couriertls", { .block = "Listed" }, -ENOTCONN, NULL, UNIX_SOCKET, 0 },
	{ "below couriertls", { .block = "Listed" }, -ENOTCONN, NULL, BELOW_TLS, 0 },
	/* A filter would kill this process for the call. */
	{ "may not copy a descriptor", { .block = "Listed" }, -ENOSYS, NULL, FORBIDDEN, 0 },
	{ "has exited", { .block = "Listed" }, -ESRCH, NULL, EXITED, 0 },
	{ "to a recipient", { .block = "Listed" }, 0, "511 Listed\r\n", PLAIN,
	  SMTP_REPLY_REFUSED },
	{ "to a recipient, with a code", { .block = "550-Go away" }, 0, "550 Go away\r\n", PLAIN,
	  SMTP_REPLY_REFUSED },
	{ "under pressure", { .block = "Listed" }, 0,
	  "421 4.7.0 Too many connections, try again later\r\n", PLAIN, SMTP_REPLY_421 },
};

TEST_ROWS(replies, rows)
{
	char got[1024] = "";

	start_smtpd(row->is == UNIX_SOCKET ? AF_UNIX : AF_INET);
	if (row->is == BELOW_TLS)
		want_int(pidref_open(smtpd.process.pid, &smtpd.tls), 0);
	if (row->is == FORBIDDEN)
		looker_forbid_fd(rules.looker);
	if (row->is == EXITED)
		waiter_end(smtpd.process.pid);
	want_int(smtp_reply_send(&rules, &smtpd, &row->facts, row->kind), row->result);
	if (row->want)
		want_int(wait_readable(connection.client), true);
	want_int(recv(connection.client, got, sizeof(got) - 1, MSG_DONTWAIT),
		 row->want ? (int)strlen(row->want) : -1);
	want_str(got, row->want ? row->want : "");
}

/* A process that exits with unread data resets the connection, and the reply may be lost. */
TEST(unread_data_is_dropped)
{
	const struct smtpd_facts facts = { .block = "Listed" };
	static const char pipelined[] = "RCPT TO:<a@b>\r\nDATA\r\n";
	char byte;

	start_smtpd(AF_INET);
	want_int(send(connection.client, pipelined, sizeof(pipelined) - 1, 0),
		 sizeof(pipelined) - 1);
	want_int(wait_readable(connection.server), true);
	want_int(smtp_reply_send(&rules, &smtpd, &facts, SMTP_REPLY_REFUSED), 0);
	want_int(recv(connection.server, &byte, 1, MSG_DONTWAIT), -1);
	want_int(errno, EAGAIN);
	want_int(wait_readable(connection.client), true);
}

TEST(long_text_is_cut_to_a_line)
{
	char block[2000], got[2000];
	const struct smtpd_facts facts = { .block = block };
	ssize_t n;

	memset(block, 'x', sizeof(block) - 1);
	block[sizeof(block) - 1] = '\0';
	start_smtpd(AF_INET);
	want_int(smtp_reply_send(&rules, &smtpd, &facts, SMTP_REPLY_554), 0);
	want_int(wait_readable(connection.client), true);
	n = recv(connection.client, got, sizeof(got), 0);
	want_int(n <= 512, true);
	want_mem(got + n - 3, "x\r\n", 3);
}

TEST_AS_ROOT(no_right_to_copy_a_descriptor)
{
	const struct smtpd_facts facts = { .block = "Listed" };
	pid_t other;
	int status;

	start_smtpd(AF_INET);
	/* The kernel asks for the real uid, so it has to be another process. */
	other = guard_fork();
	if (other == 0)
		_exit(setresuid(NOBODY_UID, NOBODY_UID, NOBODY_UID) != 0 ||
		      smtp_reply_send(&rules, &smtpd, &facts, SMTP_REPLY_554) != -EPERM);
	want_int(waitpid(other, &status, 0), other);
	want_int(status, 0);
}
