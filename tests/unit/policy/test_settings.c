/* The parameters: names, defaults, bounds, wrong values and checks of the combination.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/settings.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/unit/support.h"

#define ERROR_SIZE 512
#define TEXT_SIZE 300

/* Texts of a given length, for bounds. */
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X80 X10 X10 X10 X10 X10 X10 X10 X10
#define X199 X100 X80 X10 "xxxxxxxxx"
#define X254 X100 X100 X10 X10 X10 X10 X10 "xxxx"
#define X127 X100 X10 X10 "xxxxxxx"

#define LIST_WANTED                                                        \
	"write 1 to 199 letters, digits, '_', '-' or '.', a letter, digit or " \
	"'_' first"
#define CIDR_WANTED \
	"write an address or a prefix, such as 192.0.2.0/24 or 2001:db8::/32"
#define CIDR_LENGTH "write a prefix length up to 32 for IPv4, up to 128 for IPv6"
#define USER_WANTED "write the name of the user that courier's processes run as"
#define PATH_WANTED "write an absolute path of up to 255 characters"
#define TEMPLATE_WANTED "write the name of a template, 1 to 127 characters"
#define RULESET_WANTED "write the name of a ruleset, 1 to 127 characters"
#define PATTERN_WANTED "; write a PCRE2 expression, such as ^511 "
#define ON_OFF "write on or off"
#define BACKENDS "write recent, nftables or null"
#define TRIGGERS \
	"write dnsbl, reject, connect, auth, relay or protocol"

#define NUMBER "write a number from "

/* The effect of a parameter's default, as effect() writes it; values that are allowed, with
 * their effect behind a '=' if it is not the same text; values that are refused, and why. */
static const struct parameter_row {
	const char *label, *usual, *good, *bad, *why;
} parameter_rows[] = {
	{ "backend", "recent", "recent|nftables|null", "ipset||recent ", BACKENDS },
	{ "BackEnd", NULL, "NULL=null", NULL, NULL },
	{ "list", "spammer", "a|_A-z.0|" X199, X199 "x||..|-j|a/b|a b|a;b|b\xc3\xb6se",
	  LIST_WANTED },
	{ "list6", "spammer6", "a|" X199, X199 "x||.a", LIST_WANTED },
	{ "listSize", "65536", "1|16777216", "0|16777217", NUMBER "1 to 16777216" },
	{ "ports", "25", "1|587|65535", "0|65536|25,465|smtp|", NUMBER "1 to 65535" },
	{ "trigger", "dnsbl", "dnsbl|reject|connect|auth|relay|protocol|DNSBL=dnsbl", "helo|dnsb",
	  TRIGGERS },
	{ "replyPattern", "511", "^55=550 554|=511 550 554 -511", "(",
	  "missing closing parenthesis at character 2" PATTERN_WANTED },
	{ "replyPattern", NULL, NULL, "a[z-a]",
	  "range out of order in character class at character 5" PATTERN_WANTED },
	{ "replyPattern", NULL, NULL, "*",
	  "quantifier does not follow a repeatable item at character 1" PATTERN_WANTED },
	{ "threshold", "1", "1|1000",
	  "0|1001||-1|+5| 5|5 |0x5|5.0|4294967297|18446744073709551617", NUMBER "1 to 1000" },
	{ "window", "600", "1|86400", "0|86401|10m", NUMBER "1 to 86400 s" },
	{ "banTime", "600", "1|31536000", "0|31536001|600s", NUMBER "1 to 31536000 s" },
	{ "ipv4Prefix", "32", "8|32", "7|33|/24", NUMBER "8 to 32" },
	{ "ipv6Prefix", "0", "16|128", "15|129", NUMBER "16 to 128" },
	{ "terminate", "on", "on|off|OFF=off", "yes|1|", ON_OFF },
	{ "terminate.delay", "200", "0|5000", "5001|-1|-0", NUMBER "0 to 5000 ms" },
	{ "terminate.signal", "TERM", "TERM|HUP|KILL|kill=KILL", "SIGTERM|15",
	  "write TERM, HUP or KILL" },
	{ "terminate.killAfter", "2000", "0|60000", "60001|-1|never", NUMBER "0 to 60000 ms" },
	{ "terminate.reset", "on", "on|off", "yes", ON_OFF },
	{ "connect.reply", "on", "on|off", "554", ON_OFF },
	{ "early", "on", "on|off", "soon", ON_OFF },
	{ "pressure", "50", "0|100", "101|50%", NUMBER "0 to 100 %" },
	{ "verify", "child", "child|sender|none", "off", "write child, sender or none" },
	{ "courierUser", "courier", "root|" X254 "x", X254 "xx|", USER_WANTED },
	{ "allow", "",
	  "192.0.2.7|192.0.2.0/24=192.0.2.7 192.0.2.255|0.0.0.0/0=192.0.2.7 192.0.2.255|"
	  "192.0.2.255/32=192.0.2.255|::ffff:192.0.2.7=192.0.2.7|2001:db8::/32=2001:db8::7|"
	  "2001:db8::7/128=2001:db8::7|::/0=2001:db8::7",
	  "|192.0.2|192.0.02.7|fe80::1%eth0|192.0.2.0/|192.0.2.1,192.0.2.2|mail.example.org",
	  CIDR_WANTED },
	{ "allow", NULL, NULL, "192.0.2.0/33|2001:db8::/129", CIDR_LENGTH },
	{ "allow", NULL, NULL, "10.0.0.1/8", "did you mean 10.0.0.0/8?" },
	{ "allow", NULL, NULL, "2001:db8::1/32", "did you mean 2001:db8::/32?" },
	{ "allowFile", "", "/a|/" X254, "/" X254 "x|allow.txt|", PATH_WANTED },
	{ "maxBlocks", "10000", "1|100000000", "0|100000001", NUMBER "1 to 100000000" },
	{ "maxBlocks.interval", "60", "1|86400", "0|86401", NUMBER "1 to 86400 s" },
	{ "blockBehindProxy", "off", "on|off", "1", ON_OFF },
	{ "dryRun", "off", "on|off", "true", ON_OFF },
	{ "input", "courier", "courier|address", "json", "write courier or address" },
	{ "template", "", "a|" X127, X127 "x|", TEMPLATE_WANTED },
	{ "eventRuleset", "", "a|" X127, X127 "x|", RULESET_WANTED },
	{ "statsName", "", "a|" X199, X199 "x||a b", LIST_WANTED },
};

/* Of each point: the defaults, and the last message. */
static struct settings s;
static char wrong[ERROR_SIZE];

static void before(void)
{
	want_int(settings_init(&s), 0);
	wrong[0] = '\0';
}

static void after(void)
{
	settings_done(&s);
}

TEST_EACH(before, after)

static int set(const char *name, const char *value)
{
	return settings_set(&s, name, value, wrong, sizeof(wrong));
}

/* Which rows of the table settings.c has. */
static const struct settings_row *find_row(const char *name)
{
	const struct settings_row *rows;
	size_t count, i;

	rows = settings_rows(&count);
	for (i = 0; i < count; i++)
		if (strcasecmp(rows[i].name, name) == 0)
			return &rows[i];
	print_message("# there is no parameter %s\n", name);
	fail();
	return NULL;
}

static void add_word(char *text, const char *word)
{
	size_t used = strlen(text);

	snprintf(text + used, TEXT_SIZE - used, "%s%s", used ? " " : "", word);
}

/* Of some replies, those that match. */
static void pattern_effect(const struct reply_regex *regex, char *text)
{
	static const char *const replies[][2] = {
		{ "511", "511 Listed" },
		{ "550", "550 User <c@d.example> unknown" },
		{ "554", "554 Too large" },
		{ "-511", "-511 Listed" },
	};
	struct reply_regex_scratch *scratch = NULL;
	size_t i;

	want_int(reply_regex_scratch_new(regex, &scratch), 0);
	for (i = 0; i < COUNT_OF(replies); i++)
		if (reply_regex_match(regex, scratch, replies[i][1], strlen(replies[i][1])) ==
		    1)
			add_word(text, replies[i][0]);
	reply_regex_scratch_free(scratch);
}

/* Of some addresses, those that are in the list. */
static void allow_effect(struct prefix_set *allow, char *text)
{
	static const char *const addrs[] = { "192.0.2.7", "192.0.2.255", "2001:db8::7" };
	struct addr addr;
	size_t i;

	if (allow)
		prefix_set_seal(allow);
	for (i = 0; i < COUNT_OF(addrs); i++) {
		want_int(addr_parse(addrs[i], strlen(addrs[i]), &addr), 0);
		if (prefix_set_contains(allow, &addr))
			add_word(text, addrs[i]);
	}
}

static void ports_effect(const struct settings_ports *ports, char *text)
{
	char number[8];
	unsigned int i;

	for (i = 0; i < ports->count; i++) {
		snprintf(number, sizeof(number), "%u", ports->list[i]);
		add_word(text, number);
	}
}

/* The effect of a parameter, as a text. */
static char *effect(const char *name, char text[static TEXT_SIZE])
{
	const struct settings_row *row = find_row(name);
	const void *field = (const char *)&s + row->offset;

	text[0] = '\0';
	switch (row->type) {
	case SETTINGS_BOOL:
		return strcpy(text, *(const bool *)field ? "on" : "off");
	case SETTINGS_UINT:
		sprintf(text, "%u", *(const unsigned int *)field);
		break;
	case SETTINGS_WORD:
		add_word(text, settings_word(row->name, *(const int *)field));
		break;
	case SETTINGS_PATTERN:
		pattern_effect(s.reply_pattern, text);
		break;
	case SETTINGS_CIDRS:
		allow_effect(s.allow, text);
		break;
	case SETTINGS_PORTS:
		ports_effect(field, text);
		break;
	case SETTINGS_TEXT:
		add_word(text, field);
		break;
	}
	return text;
}

static void want_effect(const char *name, const char *want)
{
	char text[TEXT_SIZE];

	want_str(effect(name, text), want);
}

/* Copy the first value of a list. Returns what is behind it; NULL: nothing. */
static const char *take_value(const char *list, char value[static TEXT_SIZE])
{
	size_t len = strcspn(list, "|");

	snprintf(value, TEXT_SIZE, "%.*s", (int)len, list);
	return list[len] ? list + len + 1 : NULL;
}

static void value_has_its_effect(const char *name, char *value)
{
	char *want = strchr(value, '=');

	if (want)
		*want++ = '\0';
	want_int(set(name, value), 0);
	want_str(wrong, "");
	want_effect(name, want ? want : value);
	after();
	before();
}

/* It leaves the parameter as it was. */
static void value_is_refused(const struct parameter_row *row, const char *value)
{
	char before_it[TEXT_SIZE], want[ERROR_SIZE];

	effect(row->label, before_it);
	snprintf(want, sizeof(want), "parameter %s: \"%.80s\" is not allowed: %s", row->label,
		 value, row->why);
	want_int(set(row->label, value), -EINVAL);
	want_str(wrong, want);
	want_effect(row->label, before_it);
	want_int(s.courier_user_set, false);
}

TEST_ROWS(parameter, parameter_rows)
{
	const char *good = row->good, *bad = row->bad;
	char value[TEXT_SIZE];

	if (row->usual)
		want_effect(row->label, row->usual);
	while (good) {
		good = take_value(good, value);
		value_has_its_effect(row->label, value);
	}
	while (bad) {
		bad = take_value(bad, value);
		value_is_refused(row, value);
	}
}

static bool lists(const char *list, const char *text)
{
	char value[TEXT_SIZE] = "";

	while (list && strcmp(value, text) != 0)
		list = take_value(list, value);
	return strcmp(value, text) == 0;
}

static bool lists_number(const char *list, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return lists(list, text);
}

static const struct parameter_row *first_row(const char *name)
{
	size_t i = 0;

	while (i < COUNT_OF(parameter_rows) - 1 && strcmp(parameter_rows[i].label, name) != 0)
		i++;
	want_str(parameter_rows[i].label, name);
	return &parameter_rows[i];
}

/* A parameter that is new in settings.c has to be in the table, with its words and bounds. */
TEST(each_parameter_is_tested)
{
	const struct settings_row *row;
	const struct settings_word *w;
	size_t count;

	for (row = settings_rows(&count); count > 0; row++, count--) {
		const struct parameter_row *p = first_row(row->name);

		want_int(p->usual && p->good && p->bad, true);
		for (w = row->words; w && w->word; w++)
			want_int(lists(p->good, w->word), true);
		if (row->type != SETTINGS_UINT)
			continue;
		want_int(lists_number(p->good, row->min), true);
		want_int(lists_number(p->good, row->max), true);
		want_int(lists_number(p->bad, row->max + 1), true);
		want_int(row->min == 0 || lists_number(p->bad, row->min - 1), true);
	}
}

TEST(unknown_name_is_reported)
{
	want_int(set("lists", "a"), -ENOENT);
	want_str(wrong, "there is no parameter lists");
	want_int(set(X80, "a"), -ENOENT);
	want_str(wrong, "there is no parameter " X10 X10 X10 X10);
}

/* The buffer bounds the message, whatever was written. */
TEST(long_value_is_cut_in_message)
{
	char small[20];

	want_int(settings_set(&s, "threshold", X254, small, sizeof(small)), -EINVAL);
	want_str(small, "parameter threshold");
}

/* Parameters that take several values, one call each. Ports: the first one replaces the
 * default; they are sorted, and each is there once. */
TEST(lists_grow)
{
	want_int(set("allow", "2001:db8::/32"), 0);
	want_int(set("allow", "192.0.2.7"), 0);
	want_int(set("allow", "nonsense"), -EINVAL);
	want_effect("allow", "192.0.2.7 2001:db8::7");
	want_int(set("ports", "0"), -EINVAL);
	want_effect("ports", "25");
	want_int(set("ports", "587"), 0);
	want_effect("ports", "587");
	want_int(set("ports", "25"), 0);
	want_int(set("ports", "465"), 0);
	want_int(set("ports", "587"), 0);
	want_int(set("ports", "25"), 0);
	want_effect("ports", "25 465 587");
}

TEST(ports_have_a_bound)
{
	char port[8];
	int i;

	for (i = 1; i <= SETTINGS_PORTS_MAX; i++) {
		snprintf(port, sizeof(port), "%d", 1000 - i);
		want_int(set("ports", port), 0);
	}
	want_int(set("ports", "999"), 0);
	want_int(set("ports", "1"), -EINVAL);
	want_str(wrong, "parameter ports: \"1\" is not allowed: write up to 64 ports");
	want_int(s.ports.count, SETTINGS_PORTS_MAX);
	want_int(s.ports.list[0], 1000 - SETTINGS_PORTS_MAX);
}

TEST(signals_are_the_systems)
{
	want_int(s.terminate_signal, SIGTERM);
	want_int(set("terminate.signal", "HUP"), 0);
	want_int(s.terminate_signal, SIGHUP);
	want_int(set("terminate.signal", "KILL"), 0);
	want_int(s.terminate_signal, SIGKILL);
}

static int check_all(void)
{
	return settings_check(&s, wrong, sizeof(wrong));
}

#define ADDRESS_ALONE                                                        \
	"input=\"address\" has no process to verify: write verify=\"none\" " \
	"as well, and let only trusted senders use this action"
#define TEMPLATE_ALONE \
	"template is for input=\"address\" only: courier's log lines need none"
#define SET_NAME(parameter, name)                                              \
	"parameter " parameter ": \"" name                                     \
	"\" is not allowed with backend=\"nftables\": write 1 to 100 characters, " \
	"a letter or '_' first"
#define CONNECT_ALONE \
	"trigger=\"connect\" needs the session's process: write verify=\"child\""

static const struct check_row {
	const char *label, *set, *wrong;	/* NULL: all is well */
} check_rows[] = {
	{ "defaults", "", NULL },
	{ "allow list", "allow=192.0.2.0/24", NULL },
	{ "address, nothing else", "input=address", ADDRESS_ALONE },
	{ "address, sender", "input=address verify=sender", ADDRESS_ALONE },
	{ "address, none", "input=address verify=none", NULL },
	{ "address, template", "input=address verify=none template=t", NULL },
	{ "template, nothing else", "template=t", TEMPLATE_ALONE },
	{ "template, courier", "input=courier verify=none template=t", TEMPLATE_ALONE },
	{ "address, events", "input=address verify=none eventRuleset=r",
	  "input=\"address\" raises no events, because the decision was made "
	  "elsewhere: leave eventRuleset out" },
	{ "events", "eventRuleset=r", NULL },
	{ "connect, child", "trigger=connect", NULL },
	{ "connect, sender", "trigger=connect verify=sender", CONNECT_ALONE },
	{ "connect, none", "trigger=connect verify=none", CONNECT_ALONE },
	{ "sets", "backend=nftables", NULL },
	{ "sets, names of 100", "backend=nftables list=" X100 " list6=a", NULL },
	{ "sets, a name of 101", "backend=nftables list=" X100 "x", SET_NAME("list", X80) },
	{ "sets, a name of 101, IPv6", "backend=nftables list6=" X100 "x", SET_NAME("list6", X80) },
	{ "sets, a digit first", "backend=nftables list6=6spammers",
	  SET_NAME("list6", "6spammers") },
	{ "lists, a digit first", "backend=recent list6=6spammers", NULL },
	{ "sets with one name", "backend=nftables list=a list6=a",
	  "parameters list and list6: with backend=\"nftables\" the two sets "
	  "cannot both be named \"a\"" },
	{ "lists with one name", "backend=recent list=a list6=a", NULL },
	{ "user that exists", "courierUser=root", NULL },
	{ "user that does not", "courierUser=smtpblock-nobody-has-this",
	  "parameter courierUser: there is no user "
	  "\"smtpblock-nobody-has-this\": write the user that courier's "
	  "processes run as" },
	{ "allow file that is not there", "allowFile=/nonexistent/allow",
	  "parameter allowFile: /nonexistent/allow: No such file or directory" },
};

TEST_ROWS(check, check_rows)
{
	support_set(&s, row->set);
	want_int(check_all(), row->wrong ? -EINVAL : 0);
	want_str(wrong, row->wrong ? row->wrong : "");
}

/* Only a user that was set is an error. */
TEST(default_user_may_be_missing)
{
	uid_t uid = 4711;

	strcpy(s.courier_user, "smtpblock-nobody-has-this");
	want_int(check_all(), 0);
	want_int(settings_courier_uid(&s, &uid), -ENOENT);
	want_int(uid, 4711);
}

TEST(broken_allow_file_is_reported)
{
	char path[160], text[200], want[ERROR_SIZE];
	char *dir = temp_dir_new();

	snprintf(path, sizeof(path), "%s/allow", dir);
	temp_file_write(path, "192.0.2.7\n10.0.0.1/8\n");
	snprintf(text, sizeof(text), "allowFile=%s", path);
	snprintf(want, sizeof(want),
		 "parameter allowFile: %s, line 2: \"10.0.0.1/8\": did you mean "
		 "10.0.0.0/8?",
		 path);
	support_set(&s, text);
	want_int(check_all(), -EINVAL);
	want_str(wrong, want);
	temp_file_write(path, "192.0.2.7\n10.0.0.0/8\n");
	want_int(check_all(), 0);
	temp_dir_remove(dir);
}

TEST(check_seals_allow_list)
{
	static const char *const inside[] = { "203.0.113.9", "198.51.100.9", "192.0.2.9" };
	struct addr addr;
	size_t i;

	support_set(&s, "allow=203.0.113.0/24 allow=198.51.100.0/24 allow=192.0.2.0/24");
	want_int(check_all(), 0);
	for (i = 0; i < COUNT_OF(inside); i++) {
		want_int(addr_parse(inside[i], strlen(inside[i]), &addr), 0);
		want_int(prefix_set_contains(s.allow, &addr), true);
	}
}

#define WARN_NONE                                                           \
	"verify=\"none\" believes every line: anyone who can write to the " \
	"log, including any local user, decides who is blocked"
#define WARN_SENDER                                                         \
	"verify=\"sender\" believes $!pid and $!uid: no parser that takes " \
	"them from the message, such as mmjsonparse, may run before this "  \
	"action"
#define WARN_CREDENTIALS                                                     \
	"this trigger needs the sender's credentials (imuxsock with " \
	"SysSock.Annotate=\"on\" SysSock.ParseTrusted=\"on\"): without them " \
	"any local user can have a connected client blocked; with them any " \
	"local user can stop rsyslogd's input, see SECURITY"
#define WARN_ONE                                                           \
	"a single mistake blocks a user's address: with this trigger write " \
	"a threshold above 1"

#define WARN_AIMED                                                         \
	"this trigger can be aimed: whoever writes through a large "      \
	"provider to an address that courier rejects has the provider's " \
	"servers blocked. Use trigger=\"dnsbl\", or name the providers in " \
	"allow or allowFile"

static const struct warning_row {
	const char *label, *set, *first, *second, *third;
} warning_rows[] = {
	{ "defaults", "", NULL, NULL, NULL },
	{ "none", "verify=none", WARN_NONE, NULL, NULL },
	{ "none, address", "verify=none input=address", NULL, NULL, NULL },
	{ "sender", "verify=sender", WARN_SENDER, NULL, NULL },
	{ "reject, child", "trigger=reject", WARN_CREDENTIALS, WARN_AIMED, NULL },
	{ "reject, none", "trigger=reject verify=none", WARN_NONE, WARN_AIMED, NULL },
	{ "reject, sender", "trigger=reject verify=sender", WARN_SENDER, WARN_CREDENTIALS,
	  WARN_AIMED },
	{ "connect", "trigger=connect", NULL, NULL, NULL },
	{ "auth, 1", "trigger=auth", WARN_CREDENTIALS, WARN_ONE, NULL },
	{ "relay, 1", "trigger=relay", WARN_CREDENTIALS, WARN_AIMED, WARN_ONE },
	{ "protocol, 1", "trigger=protocol", WARN_CREDENTIALS, WARN_ONE, NULL },
	{ "auth, 2", "trigger=auth threshold=2", WARN_CREDENTIALS, NULL, NULL },
	{ "relay, 2", "trigger=relay threshold=2", WARN_CREDENTIALS, WARN_AIMED, NULL },
	{ "protocol, 2", "trigger=protocol threshold=2", WARN_CREDENTIALS, NULL, NULL },
	{ "two", "trigger=auth verify=none", WARN_NONE, WARN_ONE, NULL },
};

TEST_ROWS(warning, warning_rows)
{
	support_set(&s, row->set);
	want_str(settings_warning(&s, 0), row->first);
	want_str(settings_warning(&s, 1), row->second);
	want_str(settings_warning(&s, 2), row->third);
	want_str(settings_warning(&s, 3), NULL);
}

/* The later action of two; the parameter that differs, NULL: none. */
static const struct clash_row {
	const char *label, *earlier, *later, *list, *name;
} clash_rows[] = {
	{ "defaults", "", "", NULL, NULL },
	{ "what is not the list's", "", "trigger=auth verify=none threshold=3", NULL, NULL },
	{ "other lists", "", "list=a list6=b banTime=7", NULL, NULL },
	{ "one backend", "", "backend=nftables ipv6Prefix=128", "list=\"spammer\"", "backend" },
	{ "no list", "banTime=7", "backend=null", NULL, NULL },
	{ "nothing is written", "banTime=7 dryRun=on", "", NULL, NULL },
	{ "ban time", "", "banTime=7", "list=\"spammer\"", "banTime" },
	{ "only IPv4's list", "", "list6=b", "list=\"spammer\"", "list6" },
	{ "only IPv6's list", "", "list=b", "list6=\"spammer6\"", "list" },
	{ "prefix of IPv4", "", "ipv4Prefix=24", "list=\"spammer\"", "ipv4Prefix" },
	{ "prefix of IPv6", "", "ipv6Prefix=64", "list=\"spammer\"", "ipv6Prefix" },
	{ "the default prefix", "", "ipv6Prefix=128", NULL, NULL },
	{ "ports of a rule", "", "ports=26", NULL, NULL },
	{ "ports", "backend=nftables", "backend=nftables ports=26", "list=\"spammer\"", "ports" },
	{ "size", "backend=nftables", "backend=nftables listSize=7", "list=\"spammer\"",
	  "listSize" },
	{ "size of a rule's list", "", "listSize=7", NULL, NULL },
};

TEST_ROWS(clash, clash_rows)
{
	char got[SETTINGS_CLASH_SIZE], want[SETTINGS_CLASH_SIZE] = "";
	struct settings later;

	want_int(settings_init(&later), 0);
	support_set(&s, row->earlier);
	support_set(&later, row->later);
	if (row->name)
		snprintf(want, sizeof(want),
			 "an earlier action has the same %s and another %s: write the same %s into "
			 "both, or give each action a list and a list6 of its own",
			 row->list, row->name, row->name);
	want_str(settings_clash(&s, &later, got), row->name ? want : NULL);
	settings_done(&later);
}

TEST(prefix_is_the_familys)
{
	const struct addr ipv4 = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } };
	const struct addr ipv6 = { .family = ADDR_IPV6, .bytes = { 0x20, 1 } };

	want_int(settings_prefix(&s, &ipv4), 32);
	want_int(settings_prefix(&s, &ipv6), 128);
	support_set(&s, "backend=nftables");
	want_int(settings_prefix(&s, &ipv4), 32);
	want_int(settings_prefix(&s, &ipv6), 64);
	support_set(&s, "backend=null");
	want_int(settings_prefix(&s, &ipv6), 128);
	support_set(&s, "backend=nftables ipv6Prefix=128");
	want_int(settings_prefix(&s, &ipv6), 128);
	support_set(&s, "ipv4Prefix=24 ipv6Prefix=64");
	want_int(settings_prefix(&s, &ipv4), 24);
	want_int(settings_prefix(&s, &ipv6), 64);
}

TEST(words_are_found)
{
	want_str(settings_word("backend", BACKEND_NULL), "null");
	want_str(settings_word("VERIFY", VERIFY_SENDER), "sender");
	want_str(settings_word("terminate.signal", SIGHUP), "HUP");
	want_str(settings_word("trigger", 77), NULL);
	want_str(settings_word("trigger", -1), NULL);
	want_str(settings_word("threshold", 1), NULL);
	want_str(settings_word("nothing", 0), NULL);
}

/* A user database with entries of that size, or that fails with that error. */
static struct {
	size_t needs;
	int err;
} database;

int __real_getpwnam_r(const char *name, struct passwd *pwd, char *buf, size_t size,
		      struct passwd **ret_found);
int __wrap_getpwnam_r(const char *name, struct passwd *pwd, char *buf, size_t size,
		      struct passwd **ret_found);

int __wrap_getpwnam_r(const char *name, struct passwd *pwd, char *buf, size_t size,
		      struct passwd **ret_found)
{
	*ret_found = NULL;
	if (size < database.needs)
		return ERANGE;
	if (database.err)
		return database.err;
	return __real_getpwnam_r(name, pwd, buf, size, ret_found);
}

static const struct database_row {
	const char *label;
	size_t needs;
	int err, want;
} database_rows[] = {
	{ "a short entry", 100, 0, 0 },
	{ "a long one", 5000, 0, 0 },
	{ "a very long one", 300000, 0, 0 },
	{ "one without an end", SIZE_MAX, 0, -ERANGE },
	{ "it does not answer", 0, EIO, -EIO },
	{ "no descriptor for it", 0, EMFILE, -EMFILE },
	{ "not there", 0, ENOENT, -ENOENT },
	{ "not there, in other words", 0, ESRCH, -ENOENT },
	{ "not there, as a bad descriptor", 0, EBADF, -ENOENT },
	{ "not there, as a lack of rights", 0, EPERM, -ENOENT },
};

TEST_ROWS(user_database_answers, database_rows)
{
	uid_t uid = 4711;

	support_set(&s, "courierUser=root");
	database.needs = row->needs;
	database.err = row->err;
	want_int(settings_courier_uid(&s, &uid), row->want);
	database.needs = 0;
	database.err = 0;
	want_int(uid, row->want == 0 ? 0 : 4711);
}

TEST(users_uid_is_found)
{
	uid_t uid = 4711;

	want_int(s.courier_user_set, false);
	support_set(&s, "courierUser=root");
	want_int(s.courier_user_set, true);
	want_int(settings_courier_uid(&s, &uid), 0);
	want_int(uid, 0);
}

TEST(done_twice_does_nothing)
{
	support_set(&s, "allow=192.0.2.7");
	settings_done(&s);
	want_int(s.reply_pattern == NULL, true);
	want_int(s.allow == NULL, true);
}

/* The example and the manual. */

static char *read_source(const char *name)
{
	const char *top = getenv("SOURCES");
	char path[512], *text;

	snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
	text = temp_file_read(path);
	if (!text)
		print_message("# cannot read %s\n", path);
	want_int(text != NULL, true);
	return text;
}

static void want_within(const char *text, const char *want, const char *where)
{
	if (strstr(text, want))
		return;
	print_message("# %s lacks: %s\n", where, want);
	fail();
}

TEST(example_shows_each_default)
{
	char *text = read_source("rsyslog.d/omsmtpblock.conf"), want[ERROR_SIZE];
	const struct settings_row *row;
	size_t count;

	for (row = settings_rows(&count); count > 0; row++, count--) {
		if (row->default_text)
			snprintf(want, sizeof(want), "\n#\t%s=\"%s\"", row->name,
				 row->default_text);
		else
			snprintf(want, sizeof(want), "\n#\t%s%s", row->name,
				 settings_is_list(row) ? "=[" :
							       ": no default");
		want_within(text, want, "the example");
	}
	free(text);
}

/* Behind the title of a parameter's section; NULL if there is none. */
static const char *find_section(const char *manual, const char *name)
{
	char title[128], marks[64];

	memset(marks, '^', sizeof(marks));
	snprintf(title, sizeof(title), "\n\n%s\n%.*s\n\n", name, (int)strlen(name), marks);
	manual = strstr(manual, title);
	return manual ? manual + strlen(title) : NULL;
}

/* The fields of the section's table with default and bounds. */
static void want_manual_row(const char *section, const struct settings_row *row)
{
	char want[ERROR_SIZE], line[ERROR_SIZE];
	const char *at = strstr(section, "\n   \"");

	assert_non_null(at);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
	snprintf(want, sizeof(want), "\", \"%s\", ",
		 row->default_text		     ? row->default_text :
		 strcmp(row->name, "template") == 0 ? "built in" :
						       "none");
	want_within(line, want, row->name);
	if (row->type != SETTINGS_UINT)
		return;
	snprintf(want, sizeof(want), ", \"%u to %u\", ", row->min, row->max);
	want_within(line, want, row->name);
}

TEST(manual_has_each_parameter)
{
	char *manual = read_source("doc/omsmtpblock.rst");
	const struct settings_row *row;
	const char *section;
	size_t count;

	for (row = settings_rows(&count); count > 0; row++, count--) {
		section = find_section(manual, row->name);
		if (!section)
			print_message("# the manual lacks %s\n", row->name);
		assert_non_null(section);
		want_manual_row(section, row);
	}
	free(manual);
}

static int make_settings(void *data)
{
	struct settings other;
	int r = settings_init(&other);

	(void)data;
	if (r == 0)
		settings_done(&other);
	return r;
}

/* Without memory for a new value the old one stays. */
static int set_owned(void *data)
{
	const struct reply_regex *old = s.reply_pattern;
	int r = set("replyPattern", "^55");

	(void)data;
	want_int(s.reply_pattern == old, r < 0);
	if (r == 0)
		r = set("allow", "192.0.2.7");
	want_effect("allow", r == 0 ? "192.0.2.7" : "");
	return r;
}

static int check_whole(void *data)
{
	(void)data;
	return check_all();
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(make_settings, NULL) >= 1, true);
	want_int(memory_fail_each(set_owned, NULL) >= 2, true);
	want_int(memory_fail_each(check_whole, NULL) >= 1, true);
}
