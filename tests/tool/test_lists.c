/* smtpblockctl list, add, del and flush: what they print and write, and that an error leaves
 * nothing half done.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tool/ctl.h"

#define MISSING4                                                                       \
	"smtpblockctl: the list spammer does not exist because no firewall rule names it: " \
	"type  iptables -I INPUT -p tcp --dport 25 -m recent --name spammer --update --seconds " \
	"600 -j DROP\n"
#define MISSING6                                                                        \
	"smtpblockctl: the list spammer6 does not exist because no firewall rule names it: " \
	"type  ip6tables -I INPUT -p tcp --dport 25 -m recent --name spammer6 --update --seconds " \
	"600 -j DROP\n"

TEST_EACH(ctl_open, ctl_close)

static const char one_action[] = "module(load=\"omsmtpblock\")\n"
				 "mail.err action(type=\"omsmtpblock\")\n";

/* Puts some addresses on both default lists. */
static void fill(void)
{
	ctl_configure(one_action);
	ctl_show("xt_recent/spammer", "192.0.2.7", 10);
	ctl_show("xt_recent/spammer", "198.51.100.77", 599);
	ctl_show("xt_recent/spammer", "203.0.113.1", 600);
	ctl_show("xt_recent/spammer6", "2001:0db8:0000:0000:0000:0000:0000:0007", 75);
}

/* The writes to a list, without its content before. */
static void want_written(const char *path, const char *want)
{
	char *text = fakelists_text(&ctl.lists, path), *line = text;

	while (line && strncmp(line, "src=", 4) == 0)
		line = strchr(line, '\n') + 1;
	want_str(line, want);
	free(text);
}

TEST(lists_in_the_order_of_time)
{
	fill();
	want_golden("list", "list.txt");
	want_golden("list --all", "list-all.txt");
	want_golden("--json list", "list.json");
	want_golden("--json list --all", "list-all.json");
}

TEST(prefixes_are_shown_as_such)
{
	ctl_configure("mail.err action(type=\"omsmtpblock\" ipv4Prefix=\"24\" "
			    "ipv6Prefix=\"64\" banTime=\"3600\" list=\"n4\" list6=\"n6\")\n"
			    "mail.err action(type=\"omsmtpblock\" list=\"m4\" list6=\"m6\")\n");
	ctl_show("xt_recent/n4", "192.0.2.0", 1);
	ctl_show("xt_recent/n4", "192.0.2.9", 2);
	ctl_show("xt_recent/n6", "2001:0db8:0000:0000:0000:0000:0000:0000", 3);
	ctl_show("xt_recent/m4", "192.0.2.0", 500);
	fakelists_make(&ctl.lists, "xt_recent/m6");
	want_golden("list", "list-several.txt");
	want_golden("--json list --list m4", "list-one.json");
}

/* Lists that are missing or empty. */
TEST(list_of_nobody)
{
	want_run("list", 1, "", MISSING4 MISSING6);
	fakelists_make(&ctl.lists, "xt_recent/spammer6");
	want_run("list", 0,
		 "From the module's defaults: recent, spammer, spammer6\nNo address is blocked.\n",
		 MISSING4);
	ctl_show("xt_recent/spammer", "192.0.2.7", 600);
	want_run("list --banTime=30", 0,
		 "From the module's defaults: recent, spammer, spammer6\nNo address is blocked.\n"
		 "1 more expired (--all shows them).\n", "");
}

static const struct config_row {
	const char *label, *config, *words, *out, *err;
	int status;
} config_rows[] = {
	{ "the action's list", "action(type=\"omsmtpblock\" list=\"x\")", "list",
	  "From DIR/rsyslog.conf line 1: recent, x, spammer6\n",
	  "the list x does not exist because no firewall rule names it", 0 },
	{ "another list", "action(type=\"omsmtpblock\" list=\"x\")", "list --list spammer",
	  "From the command line: recent, spammer\n", "", 0 },
	{ "null", "action(type=\"omsmtpblock\" backend=\"null\")", "list", "",
	  "smtpblockctl: DIR/rsyslog.conf line 1: there is no list, because "
	  "backend=\"null\" uses none\n", 1 },
	{ "null, and another", "action(type=\"omsmtpblock\" backend=\"null\")", "list "
	  "--backend recent", "From DIR/rsyslog.conf line 1: recent, spammer, spammer6\n", "", 0 },
	{ "broken action", "\naction(type=\"omsmtpblock\" banTime=\"x\")", "list", "",
	  "smtpblockctl: DIR/rsyslog.conf line 2: parameter banTime: \"x\" is not allowed: write "
	  "a number from 1 to 31536000 s\n", 1 },
	{ "disabled action", "action(type=\"omsmtpblock\" list=\"x\" config.enabled=\"off\")",
	  "list", "From the module's defaults: recent, spammer, spammer6\n", "", 0 },
	{ "allow file that is not there", "action(type=\"omsmtpblock\")",
	  "add --allowFile /nowhere 192.0.2.9", "", "/nowhere", 1 },
	{ "missing configuration", "", "--config /nowhere/x.conf list", "",
	  "smtpblockctl: /nowhere/x.conf: No such file or directory\n", 1 },
	{ "option without a value", "", "list --list", "",
	  "smtpblockctl: option --list requires a value (see smtpblockctl --help)\n", 2 },
	{ "option with a wrong value", "", "list --banTime 0", "",
	  "smtpblockctl: parameter banTime: \"0\" is not allowed: write a number from 1 to "
	  "31536000 s (see smtpblockctl --help)\n", 2 },
	{ "list with a wrong name", "", "flush --list ../x", "",
	  "smtpblockctl: parameter list: \"../x\" is not allowed", 2 },
	{ "no such option", "", "list --lists x", "",
	  "smtpblockctl: unknown option --lists (see smtpblockctl --help)\n", 2 },
	{ "no such short option", "", "add -f 192.0.2.9", "",
	  "smtpblockctl: unknown option -f (see smtpblockctl --help)\n", 2 },
	{ "operand", "", "list 192.0.2.7", "",
	  "smtpblockctl: list: unexpected argument 192.0.2.7 (see smtpblockctl --help)\n", 2 },
	{ "flush of an address", "", "flush 192.0.2.7", "",
	  "smtpblockctl: flush: unexpected argument 192.0.2.7; del unblocks one address "
	  "(see smtpblockctl --help)\n", 2 },
	{ "no address", "", "add", "",
	  "smtpblockctl: add: no address given (see smtpblockctl --help)\n", 2 },
	{ "no address to take off", "", "del --list x", "",
	  "smtpblockctl: del: no address given (see smtpblockctl --help)\n", 2 },
};

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Reports one error and does nothing else. */
TEST_ROWS(takes_lists_from_the_configuration, config_rows)
{
	ctl_configure(row->config);
	fakelists_make(&ctl.lists, "xt_recent/spammer");
	fakelists_make(&ctl.lists, "xt_recent/spammer6");
	ctl_run(row->words);
	want_int(begins(ctl.out, row->out), true);
	want_int(*row->out != '\0', *ctl.out != '\0');
	want_int(strstr(ctl.err, row->err) != NULL, true);
	want_int(ctl.status, row->status);
	want_list(&ctl.lists, "xt_recent/spammer", "");
}

TEST(adds)
{
	ctl_configure("action(type=\"omsmtpblock\" ipv6Prefix=\"64\" banTime=\"5430\")");
	fakelists_make(&ctl.lists, "xt_recent/spammer");
	fakelists_make(&ctl.lists, "xt_recent/spammer6");
	want_run("add 192.0.2.7 ::ffff:198.51.100.7 2001:db8::7 2001:db8:0:1::/64", 0,
		 "192.0.2.7 is blocked on spammer for 1 h 30 min\n"
		 "198.51.100.7 is blocked on spammer for 1 h 30 min\n"
		 "2001:db8::/64 is blocked on spammer6 for 1 h 30 min\n"
		 "2001:db8:0:1::/64 is blocked on spammer6 for 1 h 30 min\n", "");
	want_list(&ctl.lists, "xt_recent/spammer", "+192.0.2.7\n+198.51.100.7\n");
	want_list(&ctl.lists, "xt_recent/spammer6", "+2001:db8::\n+2001:db8:0:1::\n");
	want_run("--json add --banTime 5 192.0.2.8 2001:db8:0:2::1", 0,
		 "{\"added\":[{\"address\":\"192.0.2.8\",\"list\":\"spammer\"},"
		 "{\"address\":\"2001:db8:0:2::/64\",\"list\":\"spammer6\"}]}\n", "");
}

/* Counts live blocks; expired entries do not count. */
TEST(full_list_is_told)
{
	fill();
	fakelists_limit(&ctl.lists, "xt_recent", "3\n");
	want_run("add 192.0.2.8", 0, "192.0.2.8 is blocked on spammer for 10 min\n", "");
	fakelists_limit(&ctl.lists, "xt_recent", "2\n");
	want_run("add 192.0.2.8", 0, "192.0.2.8 is blocked on spammer for 10 min\n",
		 "smtpblockctl: the list spammer is too small, so the kernel drops its oldest "
		 "addresses: write  options xt_recent ip_list_tot=5000  into "
		 "/etc/modprobe.d/xt_recent.conf and load the module again; if it is built into "
		 "the kernel, boot with xt_recent.ip_list_tot=5000\n");
}

/* Each follows a valid address, which must not be on the list afterwards. */
static const struct refused_row {
	const char *label, *words, *err;
	int status;
} refused_rows[] = {
	{ "no address", "192.0.2", "\"192.0.2\" is not an IP address such as 192.0.2.7 or "
	  "2001:db8::7 (see smtpblockctl --help)", 2 },
	{ "a name", "mx.example", "\"mx.example\" is not an IP address such as 192.0.2.7 or "
	  "2001:db8::7 (see smtpblockctl --help)", 2 },
	{ "a zone", "fe80::1%eth0", "\"fe80::1%eth0\" is not an IP address such as 192.0.2.7 or "
	  "2001:db8::7 (see smtpblockctl --help)", 2 },
	{ "a prefix", "192.0.2.0/24", "192.0.2.0/24: with ipv4Prefix=\"32\" on spammer use an "
	  "address, or a /32 (see smtpblockctl --help)", 2 },
	{ "host bits", "192.0.2.9/24", "192.0.2.9/24: did you mean 192.0.2.0/24? "
	  "(see smtpblockctl --help)", 2 },
	{ "loopback", "127.0.0.1",
	  "127.0.0.1 is never blocked: a loopback, link-local or reserved address", 1 },
	{ "mapped loopback", "::ffff:127.0.0.1",
	  "::ffff:127.0.0.1 is never blocked: a loopback, link-local or reserved address", 1 },
	{ "own address", CTL_HOST,
	  "203.0.113.25 is never blocked: an address of this host or its gateway", 1 },
	{ "own neighbour", "--ipv4Prefix 24 203.0.113.1",
	  "203.0.113.1 is never blocked: in a prefix with an allowed address", 1 },
	{ "allowed", "--allow 192.0.2.0/24 192.0.2.9", NULL, 1 },
	{ "missing list", "--list6 none6 --list spammer 2001:db8::7",
	  "the list none6 does not exist because no firewall rule names it: type  ip6tables -I "
	  "INPUT -p tcp --dport 25 -m recent --name none6 --update --seconds 600 -j DROP", 1 },
	{ "no list of that family", "--list spammer 2001:db8::7",
	  "no list for IPv6 addresses: use --list6 NAME (see smtpblockctl --help)", 2 },
};

TEST_ROWS(adds_all_or_nothing, refused_rows)
{
	char words[256], want[512];

	fakelists_make(&ctl.lists, "xt_recent/spammer");
	fakelists_make(&ctl.lists, "xt_recent/spammer6");
	snprintf(words, sizeof(words), "add 192.0.2.7 %s", row->words);
	snprintf(want, sizeof(want), "smtpblockctl: %s\n",
		 row->err ? row->err : "192.0.2.7 is never blocked: on the allow list");
	want_run(words, row->status, "", want);
	want_list(&ctl.lists, "xt_recent/spammer", "");
	want_list(&ctl.lists, "xt_recent/spammer6", "");
}

/* Each names an address in 192.0.2.0/24 that is never blocked. */
static const struct spared_row {
	const char *label, *words, *file, *want;
} spared_rows[] = {
	{ "allow", "--ipv4Prefix 24 --allow 192.0.2.200", "",
	  "in a prefix with an allowed address" },
	{ "allowFile", "--ipv4Prefix 24", "192.0.2.200 # a customer\n",
	  "in a prefix with an allowed address" },
	{ "allowFile, the address itself", "--ipv4Prefix 32", "192.0.2.7\n", "on the allow list" },
	{ "elsewhere", "--ipv4Prefix 24 --allow 192.0.3.1", "192.0.1.0/24\n", NULL },
};

TEST_ROWS(neighbours_are_spared, spared_rows)
{
	char words[512], want[256] = "";

	ctl_write("allow", row->file);
	fakelists_make(&ctl.lists, "xt_recent/spammer");
	snprintf(words, sizeof(words), "add %s --allowFile %s/allow 192.0.2.7", row->words,
		 ctl.dir);
	ctl_run(words);
	if (row->want)
		snprintf(want, sizeof(want), "smtpblockctl: 192.0.2.7 is never blocked: %s\n",
			 row->want);
	want_str(ctl.err, want);
	want_list(&ctl.lists, "xt_recent/spammer", row->want ? "" : "+192.0.2.0\n");
}

static const char two_actions[] =
	"mail.err action(type=\"omsmtpblock\" list=\"a\" list6=\"a6\")\n"
	"mail.info action(type=\"omsmtpblock\" list=\"b\" list6=\"a6\" trigger=\"auth\" "
	"threshold=\"5\")\n";

TEST(asks_which_list)
{
	ctl_configure(two_actions);
	ctl_show("xt_recent/a", "192.0.2.7", 1);
	ctl_show("xt_recent/b", "192.0.2.7", 1);
	fakelists_make(&ctl.lists, "xt_recent/a6");
	want_run("add 192.0.2.9", 2, "",
		 "smtpblockctl: several lists match: use --list a or --list b (see smtpblockctl "
		 "--help)\n");
	want_run("add 192.0.2.9 --list b", 0, "192.0.2.9 is blocked on b for 10 min\n", "");
	want_run("add 2001:db8::1", 0, "2001:db8::1 is blocked on a6 for 10 min\n", "");
	want_run("flush", 2, "",
		 "smtpblockctl: there are lists of several actions: use --list NAME, --list6 "
		 "NAME or --all (see smtpblockctl --help)\n");
	want_written("xt_recent/a", "");
	want_run("del 192.0.2.7", 0, "192.0.2.7 is removed from a\n192.0.2.7 is removed from b\n",
		 "");
	want_run("flush --list a", 0, "1 address removed from a\n", "");
	want_written("xt_recent/a", "-192.0.2.7\n/\n");
	want_written("xt_recent/b", "+192.0.2.9\n-192.0.2.7\n");
	want_run("flush --all", 0, "1 address removed from a\n1 address removed from b\n"
			  "0 addresses removed from a6\n", "");
}

TEST(deletes)
{
	fill();
	want_run("del 192.0.2.7 192.0.2.8", 1, "", "smtpblockctl: 192.0.2.8 is not on spammer\n");
	ctl_run("del 192.0.2.7 nonsense");
	want_int(ctl.status, 2);
	want_written("xt_recent/spammer", "");
	ctl_run("del --list other 192.0.2.7");
	want_int(ctl.status, 1);
	want_run("del --list spammer 2001:db8::7", 2, "",
		 "smtpblockctl: no list for IPv6 addresses: use --list6 NAME "
		 "(see smtpblockctl --help)\n");
	want_run("--json del 192.0.2.7 2001:db8::7", 0,
		 "{\"removed\":[{\"address\":\"192.0.2.7\",\"list\":\"spammer\"},"
		 "{\"address\":\"2001:db8::7\",\"list\":\"spammer6\"}]}\n", "");
	want_written("xt_recent/spammer", "-192.0.2.7\n");
	want_written("xt_recent/spammer6", "-2001:db8::7\n");
}

/* The unblocks that were written for the module, without time and network namespace. */
static void want_unblocks(const char *want)
{
	char path[256], got[1024] = "", *text, *line, *rest = NULL;
	int skip;

	snprintf(path, sizeof(path), "%s/omsmtpblock/unblock/requests", ctl.run);
	text = temp_file_read(path);
	line = text ? strtok_r(text, "\n", &rest) : NULL;
	for (; line; line = strtok_r(NULL, "\n", &rest)) {
		want_int(sscanf(line, "%*d %*d %n", &skip), 0);
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s\n", line + skip);
	}
	want_str(text ? got : NULL, want);
	free(text);
}

/* Also the lists that the address is not on: there it may be waiting. */
TEST(del_tells_the_module)
{
	ctl_configure("action(type=\"omsmtpblock\" ipv6Prefix=\"64\")\n"
		      "action(type=\"omsmtpblock\" list=\"b\" list6=\"b6\" ipv4Prefix=\"24\")\n");
	ctl_show("xt_recent/spammer", "192.0.2.7", 1);
	ctl_show("xt_recent/b6", "2001:0db8:0000:0000:0000:0000:0000:0007", 1);
	ctl_run("add --list b 192.0.2.9");
	want_unblocks(NULL);
	want_run("del 192.0.2.7 2001:db8::7", 0, "192.0.2.7 is removed from spammer\n"
		 "2001:db8::7 is removed from b6\n", "");
	want_unblocks("recent spammer 192.0.2.7/32\nrecent b 192.0.2.0/32\n"
		      "recent spammer6 2001:db8::/128\nrecent b6 2001:db8::7/128\n");
}

/* A block that waits for a list is on none. An error removes nothing from a list, so the module
 * must not forget what is on one. */
TEST(del_tells_the_module_of_what_is_on_no_list)
{
	fill();
	want_run("del 192.0.2.7 198.51.100.1", 1, "",
		 "smtpblockctl: 198.51.100.1 is not on spammer\n");
	want_unblocks("recent spammer 198.51.100.1/32\n");
	fakelists_remove(&ctl.lists, "xt_recent/spammer");
	ctl_run("del 192.0.2.8");
	want_int(ctl.status, 1);
	want_unblocks("recent spammer 198.51.100.1/32\nrecent spammer 192.0.2.8/32\n");
}

TEST(flush_tells_the_module)
{
	fill();
	fakelists_remove(&ctl.lists, "xt_recent/spammer6");
	ctl_run("flush");
	want_unblocks("recent spammer 0.0.0.0/0\nrecent spammer6 ::/0\n");
	ctl_run("flush --list other");
	ctl_run("flush --list spammer");
	want_unblocks("recent spammer 0.0.0.0/0\nrecent spammer6 ::/0\n"
		      "recent spammer 0.0.0.0/0\n");
}

/* The address is removed all the same. */
TEST(module_that_cannot_be_told)
{
	fill();
	want_int(rmdir(ctl.run), 0);
	want_run("del 192.0.2.7", 0, "192.0.2.7 is removed from spammer\n",
		 "smtpblockctl: the module is not told, and blocks the addresses again when the "
		 "firewall is reloaded: /run/omsmtpblock/unblock: No such file or directory\n");
	want_int(mkdir(ctl.run, 0755), 0);
	ctl_write("run/omsmtpblock/x", "");
	snprintf(ctl.run, sizeof(ctl.run), "%s/run/omsmtpblock", ctl.dir);
	want_int(chmod(ctl.run, 0777), 0);
	want_run("--json flush", 0, "{\"flushed\":[{\"list\":\"spammer\",\"count\":3},"
		 "{\"list\":\"spammer6\",\"count\":1}]}\n",
		 "smtpblockctl: the module is not told, and blocks the addresses again when the "
		 "firewall is reloaded: /run/omsmtpblock/unblock and the files in it must belong "
		 "to root, and nobody else may write to them\n");
	want_written("xt_recent/spammer", "-192.0.2.7\n/\n");
}

TEST(flushes)
{
	fill();
	want_run("flush", 0, "3 addresses removed from spammer\n"
			  "1 address removed from spammer6\n", "");
	want_written("xt_recent/spammer", "/\n");
	want_written("xt_recent/spammer6", "/\n");
	fakelists_remove(&ctl.lists, "xt_recent/spammer6");
	want_run("--json flush", 0, "{\"flushed\":[{\"list\":\"spammer\",\"count\":3}]}\n", "");
	fakelists_remove(&ctl.lists, "xt_recent/spammer");
	want_run("flush", 1, "", MISSING4);
}

/* root may write to every file, so another user runs the command. */
static void run_as_other(const char *words)
{
	bool is_root = geteuid() == 0;

	if (is_root)
		want_int(seteuid(65534), 0);
	ctl_run(words);
	if (is_root)
		want_int(seteuid(0), 0);
}

TEST(lack_of_rights_is_told)
{
	static const char want[] = "smtpblockctl: no permission for the list spammer: run this as "
				   "root\n";
	static const char *const words[] = { "add 192.0.2.9", "del 192.0.2.7", "flush" };
	char path[256];
	size_t i;

	fill();
	snprintf(path, sizeof(path), "%s/xt_recent/spammer", ctl.lists.net_root);
	want_int(chmod(path, 0444), 0);
	for (i = 0; i < COUNT_OF(words); i++) {
		run_as_other(words[i]);
		want_str(ctl.err, want);
		want_str(ctl.out, "");
		want_int(ctl.status, 1);
	}
	want_written("xt_recent/spammer", "");
	want_written("xt_recent/spammer6", "");
}

/* If the kernel rejects a write in the middle, what was done before is printed. */
TEST(failure_in_the_middle_is_told)
{
	fakelists_make(&ctl.lists, "xt_recent/spammer");
	fakelists_make(&ctl.lists, "xt_recent/spammer6");
	fakelists_fail_writes(ENOMEM, 1);
	want_run("add 192.0.2.7", 1, "",
		 "smtpblockctl: the list spammer cannot be written: Cannot allocate memory\n");
}
