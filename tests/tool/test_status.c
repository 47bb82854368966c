/* smtpblockctl status: slots, lists, last blocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tests/tool/ctl.h"
#include "tests/unit/fakeproc.h"

#define TCPD 100
#define TCPD_TLS 200

struct fixture {
	struct ctl ctl;
	struct fakeproc tree;
};

static const struct peer peer = { .ip = "192.0.2.7", .port = 1025 };

/* A command line as /proc has it: a blank in text is a NUL there. */
static void put_cmdline(struct fixture *f, pid_t pid, const char *text)
{
	char bytes[512];
	size_t len = strlen(text), i;

	for (i = 0; i <= len; i++)
		bytes[i] = text[i] == ' ' ? '\0' : text[i];
	fakeproc_write(&f->tree, pid, "cmdline", bytes, len + 1);
}

static void put_children(struct fixture *f, pid_t tcpd, size_t count)
{
	pid_t pids[64];
	size_t i;

	for (i = 0; i < count; i++) {
		pids[i] = tcpd + 1 + (pid_t)i;
		fakeproc_put_smtpd(&f->tree, pids[i], tcpd, &peer);
	}
	fakeproc_children(&f->tree, tcpd, pids, count);
}

static void setup(struct fixture *f)
{
	ctl_open(&f->ctl);
	fakeproc_open(&f->tree);
	snprintf(f->ctl.proc_root, sizeof(f->ctl.proc_root), "%s", f->tree.root);
	ctl_configure(&f->ctl, "mail.err action(type=\"omsmtpblock\")\n");
	fakelists_make(&f->ctl.lists, "xt_recent/spammer");
	fakelists_make(&f->ctl.lists, "xt_recent/spammer6");
}

static void teardown(struct fixture *f)
{
	fakeproc_close(&f->tree);
	ctl_close(&f->ctl);
}

/* Two couriertcpds, one with its limit on the command line. */
static void put_courier(struct fixture *f)
{
	const struct fake_process logger = { .pid = 101, .exe = "/usr/sbin/courierlogger",
					     .ppid = TCPD, .uid = FAKE_UID };

	ctl_write(&f->ctl, "courier/esmtpd", "MAXDAEMONS=40\n");
	fakeproc_put_tcpd(&f->tree, TCPD);
	put_cmdline(f, TCPD, "/usr/sbin/couriertcpd -block=bl,BLOCK,x -maxprocs=12 -pid=/x smtp "
			     "/usr/lib/courieresmtpd -maxprocs=7");
	put_children(f, TCPD, 10);
	fakeproc_put(&f->tree, &logger);
	fakeproc_put_tcpd(&f->tree, TCPD_TLS);
	put_cmdline(f, TCPD_TLS, "couriertcpd 465 /usr/lib/courieresmtpd");
	put_children(f, TCPD_TLS, 0);
}

TEST(tells_slots_and_lists)
{
	struct fixture f;
	unsigned int i;
	char addr[32];

	setup(&f);
	put_courier(&f);
	for (i = 0; i < 7; i++) {
		snprintf(addr, sizeof(addr), "192.0.2.%u", i + 1);
		ctl_show(&f.ctl, "xt_recent/spammer", addr, 500 - i);
	}
	ctl_show(&f.ctl, "xt_recent/spammer", "198.51.100.1", 601);
	fakelists_limit(&f.ctl.lists, "xt_recent", "8\n");
	ctl_run(&f.ctl, "status");
	want_str(f.ctl.err, "");
	want_int(f.ctl.status, 0);
	ctl_want_golden(&f.ctl, "status.txt");
	ctl_run(&f.ctl, "--json status");
	want_int(f.ctl.status, 0);
	ctl_want_golden(&f.ctl, "status.json");
	f.ctl.terminal = true;
	ctl_run(&f.ctl, "status");
	ctl_want_golden(&f.ctl, "status-terminal.txt");
	teardown(&f);
}

/* Full of living blocks, not only of what is remembered. */
TEST(tells_of_an_overflow)
{
	struct fixture f;

	setup(&f);
	fakelists_limit(&f.ctl.lists, "xt_recent", "2\n");
	ctl_show(&f.ctl, "xt_recent/spammer", "192.0.2.1", 1);
	ctl_show(&f.ctl, "xt_recent/spammer", "192.0.2.2", 600);
	ctl_run(&f.ctl, "status");
	want_int(strstr(f.ctl.out, "Full") == NULL, true);
	ctl_show(&f.ctl, "xt_recent/spammer", "192.0.2.3", 2);
	ctl_run(&f.ctl, "status");
	ctl_want_golden(&f.ctl, "status-full.txt");
	ctl_run(&f.ctl, "--json status");
	want_int(strstr(f.ctl.out, "\"blocked\":2,\"overflows\":true,") != NULL, true);
	teardown(&f);
}

/* Anybody may start a program of that name, with words of his choice. */
TEST(words_that_are_no_port)
{
	static const char *const words[] = { "\033[2J", "25\302\2332J", "\"" };
	struct fixture f;
	char cmdline[64];
	size_t i;

	setup(&f);
	fakeproc_put_tcpd(&f.tree, TCPD);
	put_children(&f, TCPD, 0);
	for (i = 0; i < 3; i++) {
		snprintf(cmdline, sizeof(cmdline), "couriertcpd %s", words[i]);
		put_cmdline(&f, TCPD, cmdline);
		ctl_run(&f.ctl, "status");
		want_int(strstr(f.ctl.out, words[i]) == NULL, true);
		want_int(strstr(f.ctl.out, "slots of port ?") != NULL, true);
		ctl_run(&f.ctl, "--json status");
		want_int(strstr(f.ctl.out, "{\"port\":null,") != NULL, true);
	}
	teardown(&f);
}

TEST(nothing_runs_and_no_list_is_there)
{
	struct fixture f;

	setup(&f);
	fakelists_remove(&f.ctl.lists, "xt_recent/spammer");
	ctl_run(&f.ctl, "status");
	want_str(f.ctl.out, "From DIR/rsyslog.conf line 1: recent, spammer, spammer6\n"
			    "                USED     OF\n"
			    "list spammer6      0    100\n"
			    "No couriertcpd is running.\n");
	want_int(f.ctl.status, 0);
	fakelists_remove(&f.ctl.lists, "xt_recent/spammer6");
	ctl_run(&f.ctl, "status");
	want_str(f.ctl.out, "From DIR/rsyslog.conf line 1: recent, spammer, spammer6\n"
			    "No couriertcpd is running.\n");
	want_int(strstr(f.ctl.err, "--name spammer6 --update") != NULL, true);
	want_int(f.ctl.status, 1);
	ctl_run(&f.ctl, "status now");
	want_run(&f.ctl, 2, "", "smtpblockctl: status: unexpected argument now "
				"(see smtpblockctl --help)\n");
	teardown(&f);
}
