/* smtpblockctl status: slots, lists, last blocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tests/tool/ctl.h"
#include "tests/unit/fakeproc.h"

#define TCPD 100
#define TCPD_TLS 200

static struct fakeproc tree;

static const struct peer peer = { .ip = "192.0.2.7", .port = 1025 };

/* A command line as /proc has it: a blank in text is a NUL there. */
static void put_cmdline(pid_t pid, const char *text)
{
	char bytes[512];
	size_t len = strlen(text), i;

	for (i = 0; i <= len; i++)
		bytes[i] = text[i] == ' ' ? '\0' : text[i];
	fakeproc_write(&tree, pid, "cmdline", bytes, len + 1);
}

static void put_children(pid_t tcpd, size_t count)
{
	pid_t pids[64];
	size_t i;

	for (i = 0; i < count; i++) {
		pids[i] = tcpd + 1 + (pid_t)i;
		fakeproc_put_smtpd(&tree, pids[i], tcpd, &peer);
	}
	fakeproc_children(&tree, tcpd, pids, count);
}

static void before(void)
{
	ctl_open();
	fakeproc_open(&tree);
	snprintf(ctl.proc_root, sizeof(ctl.proc_root), "%s", tree.root);
	ctl_configure("mail.err action(type=\"omsmtpblock\")\n");
	fakelists_make(&ctl.lists, "xt_recent/spammer");
	fakelists_make(&ctl.lists, "xt_recent/spammer6");
}

static void after(void)
{
	fakeproc_close(&tree);
	ctl_close();
}

TEST_EACH(before, after)

/* Two couriertcpds, one with its limit on the command line. */
static void put_courier(void)
{
	const struct fake_process logger = { .pid = 101, .exe = "/usr/sbin/courierlogger",
					     .ppid = TCPD, .uid = FAKE_UID };

	ctl_write("courier/esmtpd", "MAXDAEMONS=40\n");
	fakeproc_put_tcpd(&tree, TCPD);
	put_cmdline(TCPD, "/usr/sbin/couriertcpd -block=bl,BLOCK,x -maxprocs=12 -pid=/x "
			     "-haproxy=/port=25 smtp /usr/lib/courieresmtpd -maxprocs=7");
	put_children(TCPD, 10);
	fakeproc_put(&tree, &logger);
	fakeproc_put_tcpd(&tree, TCPD_TLS);
	put_cmdline(TCPD_TLS, "couriertcpd -haproxy=15 465 /usr/lib/courieresmtpd");
	put_children(TCPD_TLS, 0);
}

TEST(tells_slots_and_lists)
{
	unsigned int i;
	char addr[32];

	put_courier();
	for (i = 0; i < 7; i++) {
		snprintf(addr, sizeof(addr), "192.0.2.%u", i + 1);
		ctl_show("xt_recent/spammer", addr, 500 - i);
	}
	ctl_show("xt_recent/spammer", "198.51.100.1", 601);
	fakelists_limit(&ctl.lists, "xt_recent", "8\n");
	want_golden("status", "status.txt");
	want_golden("--json status", "status.json");
	ctl.terminal = true;
	want_golden("status", "status-terminal.txt");
}

/* Full of live blocks, not of expired entries. */
TEST(tells_of_an_overflow)
{
	fakelists_limit(&ctl.lists, "xt_recent", "2\n");
	ctl_show("xt_recent/spammer", "192.0.2.1", 1);
	ctl_show("xt_recent/spammer", "192.0.2.2", 600);
	ctl_run("status");
	want_int(strstr(ctl.out, "Full") == NULL, true);
	ctl_show("xt_recent/spammer", "192.0.2.3", 2);
	want_golden("status", "status-full.txt");
	ctl_run("--json status");
	want_int(strstr(ctl.out, "\"blocked\":2,\"overflows\":true,") != NULL, true);
}

/* Any user can start a program of that name with any arguments. */
TEST(words_that_are_no_port)
{
	static const char *const words[] = { "\033[2J", "25\302\2332J", "\"" };
	char cmdline[64];
	size_t i;

	fakeproc_put_tcpd(&tree, TCPD);
	put_children(TCPD, 0);
	for (i = 0; i < 3; i++) {
		snprintf(cmdline, sizeof(cmdline), "couriertcpd %s", words[i]);
		put_cmdline(TCPD, cmdline);
		ctl_run("status");
		want_int(strstr(ctl.out, words[i]) == NULL, true);
		want_int(strstr(ctl.out, "slots of port ?") != NULL, true);
		ctl_run("--json status");
		want_int(strstr(ctl.out, "{\"port\":null,") != NULL, true);
	}
}

TEST(nothing_runs_and_no_list_is_there)
{
	fakelists_remove(&ctl.lists, "xt_recent/spammer");
	ctl_run("status");
	want_str(ctl.out, "From DIR/rsyslog.conf line 1: recent, spammer, spammer6\n"
			    "                USED     OF\n"
			    "list spammer6      0    100\n"
			    "No couriertcpd is running.\n");
	want_int(ctl.status, 0);
	fakelists_remove(&ctl.lists, "xt_recent/spammer6");
	ctl_run("status");
	want_str(ctl.out, "From DIR/rsyslog.conf line 1: recent, spammer, spammer6\n"
			    "No couriertcpd is running.\n");
	want_int(strstr(ctl.err, "--name spammer6 --update") != NULL, true);
	want_int(ctl.status, 1);
	want_run("status now", 2, "", "smtpblockctl: status: unexpected argument now "
				"(see smtpblockctl --help)\n");
}
