/* smtpblockctl setup: what it prints and runs. Scripts of the test stand in for iptables.
 * (nftables needs the kernel: see tests/integration.)
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/tool/ctl.h"

/* Keeps rules of the one chain INPUT in bin/rules4 or bin/rules6, and every command
 * line in bin/log. Where bin/broken names the program, -I fails. */
#define IPTABLES(n)                                                               \
	"#!/bin/sh\n"                                                             \
	"cd \"${0%/*}\" && echo \"${0##*/} $*\" >> log && touch rules" n " broken\n" \
	"[ \"$1\" = -w ] && op=$2 && shift 3 || exit 2\n"                         \
	"case $op in\n"                                                           \
	"-I) grep -q \"^${0##*/}$\" broken && exit 4\n"                           \
	"    { echo \"-A INPUT $*\"; cat rules" n "; } > new && mv new rules" n " ;;\n" \
	"-D) grep -Fvx -- \"-A INPUT $*\" rules" n " > new; mv new rules" n " ;;\n"   \
	"*) exit 2 ;;\n"                                                          \
	"esac\n"
#define SAVE(n)                                                                         \
	"#!/bin/sh\n"                                                                   \
	"cd \"${0%/*}\" && touch rules" n " && [ ! -e denied ] || exit 1\n"             \
	"printf '*filter\\n:INPUT ACCEPT [0:0]\\n' && cat rules" n " && echo COMMIT\n"

static void write_program(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "bin/%s", name);
	ctl_write(path, text);
	snprintf(path, sizeof(path), "%s/bin/%s", ctl.dir, name);
	want_int(chmod(path, 0755), 0);
}

static void before(void)
{
	ctl_open();
	ctl_configure("mail.err action(type=\"omsmtpblock\")\n");
	snprintf(ctl.programs, sizeof(ctl.programs), "%s/bin", ctl.dir);
	write_program("iptables", IPTABLES("4"));
	write_program("ip6tables", IPTABLES("6"));
	write_program("iptables-save", SAVE("4"));
	write_program("ip6tables-save", SAVE("6"));
}

TEST_EACH(before, ctl_close)

static void want_file(const char *path, const char *want)
{
	char whole[256], *got;

	snprintf(whole, sizeof(whole), "%s/%s", ctl.dir, path);
	got = temp_file_read(whole);
	want_str(got, want);
	free(got);
}

static const char several[] =
	"mail.err action(type=\"omsmtpblock\" ipv4Prefix=\"21\" ipv6Prefix=\"64\" banTime=\"60\")\n"
	"mail.info action(type=\"omsmtpblock\" list=\"b\" list6=\"b6\" trigger=\"connect\")\n";

#define RULE4 "-p tcp --dport 25 -m recent --name spammer --update --seconds 600 -j DROP"
#define RULE6 "-p tcp --dport 25 -m recent --name spammer6 --update --seconds 600 -j DROP"

static const struct print_row {
	const char *label;
	const char *config;	/* NULL: the plain one */
	const char *words, *golden;
	const char *capacity;	/* NULL: the module is not loaded */
	bool loaded;		/* and not built in */
} print_rows[] = {
	{ "recent", NULL, "setup recent", "setup-recent.txt", NULL, false },
	{ "recent, JSON", NULL, "--json setup recent", "setup-recent.json", NULL, false },
	{ "recent, several", several, "setup recent --ports 25 --ports 587",
	  "setup-recent-several.txt", "100\n", false },
	{ "recent, a /64", NULL, "setup recent --IPv6Prefix 64", "setup-recent-64.txt", "5000\n",
	  true },
	{ "recent, loaded", NULL, "setup recent", "setup-recent-loaded.txt", "200\n", true },
	{ "recent, large", NULL, "setup recent --list other", "setup-recent-large.txt", "5000\n",
	  true },
	{ "recent, though the action has nftables",
	  "action(type=\"omsmtpblock\" backend=\"nftables\" list=\"n\" list6=\"n6\")",
	  "setup recent", "setup-recent-other.txt", "5000\n", true },
	{ "nftables", NULL, "setup nftables", "setup-nftables.txt", NULL, false },
	{ "nftables, several", several, "setup nftables", "setup-nftables-several.txt", NULL,
	  false },
	{ "nftables, JSON", NULL, "--json setup nftables", "setup-nftables.json", NULL, false },
};

TEST_ROWS(prints_what_to_type, print_rows)
{
	if (row->config)
		ctl_configure(row->config);
	if (row->capacity)
		fakelists_limit(&ctl.lists, "xt_recent", row->capacity);
	if (row->loaded)
		ctl_write("module/xt_recent/initstate", "live\n");
	want_golden(row->words, row->golden);
	want_file("bin/log", NULL);
}

TEST(applies_once)
{
	ctl_write("bin/rules4", "-A INPUT -m state --state ESTABLISHED -j ACCEPT\n");
	want_golden("setup recent --apply", "setup-apply.txt");
	want_file("bin/rules4",
		  "-A INPUT " RULE4 "\n-A INPUT -m state --state ESTABLISHED -j ACCEPT\n");
	want_file("bin/rules6", "-A INPUT " RULE6 "\n");
	want_golden("--json setup recent --apply", "setup-apply-again.json");
	want_file("bin/log", "iptables -w -I INPUT " RULE4 "\nip6tables -w -I INPUT " RULE6
				   "\n");
}

/* Rules that are similar to ours but do not suffice. */
static const struct there_row {
	const char *label, *rules;
	bool enough;
} there_rows[] = {
	{ "ours", "-A INPUT " RULE4 "\n", true },
	{ "with the mask of a whole address",
	  "-A INPUT -p tcp -m tcp --dport 25 -m recent --update --seconds 600 --name spammer "
	  "--mask 255.255.255.255 --rsource -j DROP\n", true },
	{ "in a chain", ":S - [0:0]\n-A INPUT -p tcp -m tcp --dport 25 -j S\n-A S -m recent "
	  "--update --seconds 600 --name spammer -j DROP\n", true },
	{ "behind established",
	  "-A INPUT -m state --state ESTABLISHED -j ACCEPT\n-A INPUT " RULE4 "\n", false },
	{ "another list", "-A INPUT -p tcp --dport 25 -m recent --name spam --update --seconds 600 "
	  "-j DROP\n", false },
	{ "another port", "-A INPUT -p tcp --dport 26 -m recent --name spammer --update --seconds "
	  "600 -j DROP\n", false },
	{ "another time", "-A INPUT -p tcp --dport 25 -m recent --name spammer --update --seconds "
	  "60 -j DROP\n", false },
	{ "another mask", "-A INPUT -p tcp --dport 25 -m recent --name spammer --mask "
	  "255.255.255.0 --update --seconds 600 -j DROP\n", false },
	{ "not renewing", "-A INPUT -p tcp --dport 25 -m recent --name spammer --rcheck --seconds "
	  "600 -j DROP\n", false },
	{ "not dropping", "-A INPUT -p tcp --dport 25 -m recent --name spammer --update --seconds "
	  "600 -j LOG\n", false },
	{ "by destination", "-A INPUT -p tcp --dport 25 -m recent --name spammer --rdest --update "
	  "--seconds 600 -j DROP\n", false },
};

TEST_ROWS(knows_what_is_there, there_rows)
{
	ctl_write("bin/rules4", row->rules);
	ctl_run("setup recent --apply --list spammer");
	want_str(ctl.err, "");
	want_int(strstr(ctl.out, "\nalready there: iptables") != NULL, row->enough);
	want_int(strstr(ctl.out, "\nadded: iptables") != NULL, !row->enough);
	want_file("bin/log", row->enough ? NULL : "iptables -w -I INPUT " RULE4 "\n");
}

/* What the run added is removed again, and nothing else. */
TEST(failure_is_undone)
{
	ctl_configure(several);
	ctl_write("bin/rules4", "-A INPUT -p tcp -j ACCEPT\n");
	ctl_write("bin/broken", "ip6tables\n");
	want_run("setup recent --apply --list b --list6 b6", 1, "",
		 "smtpblockctl: this command failed, run it to see why: ip6tables -I INPUT -p tcp "
		 "--dport 25 -m recent --name b6 --update --seconds 600 -j DROP\n");
	want_file("bin/rules4", "-A INPUT -p tcp -j ACCEPT\n");
	want_file("bin/rules6", "");
}

TEST(what_is_missing_is_told)
{
	ctl_write("bin/denied", "");
	want_run("setup recent --apply", 1, "",
		 "smtpblockctl: iptables-save cannot read the rules: run this as root\n");
	snprintf(ctl.programs, sizeof(ctl.programs), "/nowhere");
	want_run("setup recent --apply --list6 spammer6", 1, "",
		 "smtpblockctl: ip6tables is not installed: install iptables, or use "
		 "backend=\"nftables\"\n");
}

static const struct wrong_row {
	const char *label, *words, *err;
} wrong_rows[] = {
	{ "no backend", "setup --ports 25", "setup: these options need recent or nftables" },
	{ "no such backend", "setup ipset", "setup: the backend is recent or nftables, not ipset" },
	{ "null", "setup null --apply", "setup: the backend is recent or nftables, not null" },
	{ "two", "setup recent nftables", "setup: only one backend is allowed" },
	{ "as an option", "setup --backend recent",
	  "setup: write recent or nftables without --backend" },
	{ "no such option", "setup recent --appl", "unknown option --appl" },
	{ "a value too many", "setup recent --apply=yes", "unknown option --apply" },
	{ "no port", "setup recent --ports 0", "parameter ports: \"0\" is not allowed: write "
	  "a number from 1 to 65535" },
};

TEST_ROWS(refuses_wrong_words, wrong_rows)
{
	ctl_run(row->words);
	want_int(ctl.status, 2);
	want_str(ctl.out, "");
	if (!strstr(ctl.err, row->err))
		want_str(ctl.err, row->err);
	want_file("bin/log", NULL);
}

/* Output that is too long: whether it contains the rule is unknown. */
TEST(more_rules_than_can_be_read)
{
	write_program("iptables-save",
		      "#!/bin/sh\n"
		      "printf '*filter\\n:INPUT ACCEPT [0:0]\\n#'\n"
		      "head -c 67108864 /dev/zero | tr '\\0' '#'\n"
		      "printf '\\n-A INPUT " RULE4 "\\nCOMMIT\\n'\n");
	want_run("setup recent --apply", 1, "", "smtpblockctl: iptables: File too large\n");
}
