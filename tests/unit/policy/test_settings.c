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

/* A value, and the result: its effect, as effect() writes it, or the reason for refusal.
 * Without a value: the effect of the default. */
static const struct value_row {
	const char *name, *value, *effect, *why;
} value_rows[] = {
	{ "backend", NULL, "recent", NULL },
	{ "backend", "recent", "recent", NULL },
	{ "backend", "nftables", "nftables", NULL },
	{ "backend", "null", "null", NULL },
	{ "BackEnd", "NULL", "null", NULL },
	{ "backend", "ipset", NULL, BACKENDS },
	{ "backend", "", NULL, BACKENDS },
	{ "backend", "recent ", NULL, BACKENDS },

	{ "list", NULL, "spammer", NULL },
	{ "list", "a", "a", NULL },
	{ "list", "_A-z.0", "_A-z.0", NULL },
	{ "list", X199, X199, NULL },
	{ "list", X199 "x", NULL, LIST_WANTED },
	{ "list", "", NULL, LIST_WANTED },
	{ "list", "..", NULL, LIST_WANTED },
	{ "list", "-j", NULL, LIST_WANTED },
	{ "list", "a/b", NULL, LIST_WANTED },
	{ "list", "a b", NULL, LIST_WANTED },
	{ "list", "a;b", NULL, LIST_WANTED },
	{ "list", "b\xc3\xb6se", NULL, LIST_WANTED },

	{ "list6", NULL, "spammer6", NULL },
	{ "list6", "a", "a", NULL },
	{ "list6", X199, X199, NULL },
	{ "list6", X199 "x", NULL, LIST_WANTED },
	{ "list6", "", NULL, LIST_WANTED },
	{ "list6", ".a", NULL, LIST_WANTED },

	{ "listSize", NULL, "65536", NULL },
	{ "listSize", "1", "1", NULL },
	{ "listSize", "16777216", "16777216", NULL },
	{ "listSize", "0", NULL, "write a number from 1 to 16777216" },
	{ "listSize", "16777217", NULL, "write a number from 1 to 16777216" },

	{ "ports", NULL, "25", NULL },
	{ "ports", "1", "1", NULL },
	{ "ports", "587", "587", NULL },
	{ "ports", "65535", "65535", NULL },
	{ "ports", "0", NULL, "write a number from 1 to 65535" },
	{ "ports", "65536", NULL, "write a number from 1 to 65535" },
	{ "ports", "25,465", NULL, "write a number from 1 to 65535" },
	{ "ports", "smtp", NULL, "write a number from 1 to 65535" },
	{ "ports", "", NULL, "write a number from 1 to 65535" },

	{ "trigger", NULL, "dnsbl", NULL },
	{ "trigger", "dnsbl", "dnsbl", NULL },
	{ "trigger", "reject", "reject", NULL },
	{ "trigger", "connect", "connect", NULL },
	{ "trigger", "auth", "auth", NULL },
	{ "trigger", "relay", "relay", NULL },
	{ "trigger", "protocol", "protocol", NULL },
	{ "trigger", "DNSBL", "dnsbl", NULL },
	{ "trigger", "helo", NULL, TRIGGERS },
	{ "trigger", "dnsb", NULL, TRIGGERS },

	{ "replyPattern", NULL, "511", NULL },
	{ "replyPattern", "^55", "550 554", NULL },
	{ "replyPattern", "", "511 550 554 -511", NULL },
	{ "replyPattern", "(", NULL,
	  "missing closing parenthesis at character 2" PATTERN_WANTED },
	{ "replyPattern", "a[z-a]", NULL,
	  "range out of order in character class at character 5" PATTERN_WANTED },
	{ "replyPattern", "*", NULL,
	  "quantifier does not follow a repeatable item at character 1"
	  PATTERN_WANTED },

	{ "threshold", NULL, "1", NULL },
	{ "threshold", "1", "1", NULL },
	{ "threshold", "1000", "1000", NULL },
	{ "threshold", "0", NULL, "write a number from 1 to 1000" },
	{ "threshold", "1001", NULL, "write a number from 1 to 1000" },
	{ "threshold", "", NULL, "write a number from 1 to 1000" },
	{ "threshold", "-1", NULL, "write a number from 1 to 1000" },
	{ "threshold", "+5", NULL, "write a number from 1 to 1000" },
	{ "threshold", " 5", NULL, "write a number from 1 to 1000" },
	{ "threshold", "5 ", NULL, "write a number from 1 to 1000" },
	{ "threshold", "0x5", NULL, "write a number from 1 to 1000" },
	{ "threshold", "5.0", NULL, "write a number from 1 to 1000" },
	{ "threshold", "4294967297", NULL, "write a number from 1 to 1000" },
	{ "threshold", "18446744073709551617", NULL,
	  "write a number from 1 to 1000" },

	{ "window", NULL, "600", NULL },
	{ "window", "1", "1", NULL },
	{ "window", "86400", "86400", NULL },
	{ "window", "0", NULL, "write a number from 1 to 86400 s" },
	{ "window", "86401", NULL, "write a number from 1 to 86400 s" },
	{ "window", "10m", NULL, "write a number from 1 to 86400 s" },

	{ "banTime", NULL, "600", NULL },
	{ "banTime", "1", "1", NULL },
	{ "banTime", "31536000", "31536000", NULL },
	{ "banTime", "0", NULL, "write a number from 1 to 31536000 s" },
	{ "banTime", "31536001", NULL, "write a number from 1 to 31536000 s" },
	{ "banTime", "600s", NULL, "write a number from 1 to 31536000 s" },

	{ "ipv4Prefix", NULL, "32", NULL },
	{ "ipv4Prefix", "8", "8", NULL },
	{ "ipv4Prefix", "32", "32", NULL },
	{ "ipv4Prefix", "7", NULL, "write a number from 8 to 32" },
	{ "ipv4Prefix", "33", NULL, "write a number from 8 to 32" },
	{ "ipv4Prefix", "/24", NULL, "write a number from 8 to 32" },

	{ "ipv6Prefix", NULL, "128", NULL },
	{ "ipv6Prefix", "16", "16", NULL },
	{ "ipv6Prefix", "128", "128", NULL },
	{ "ipv6Prefix", "15", NULL, "write a number from 16 to 128" },
	{ "ipv6Prefix", "129", NULL, "write a number from 16 to 128" },

	{ "terminate", NULL, "on", NULL },
	{ "terminate", "on", "on", NULL },
	{ "terminate", "off", "off", NULL },
	{ "terminate", "OFF", "off", NULL },
	{ "terminate", "yes", NULL, ON_OFF },
	{ "terminate", "1", NULL, ON_OFF },
	{ "terminate", "", NULL, ON_OFF },

	{ "terminate.delay", NULL, "200", NULL },
	{ "terminate.delay", "0", "0", NULL },
	{ "terminate.delay", "5000", "5000", NULL },
	{ "terminate.delay", "5001", NULL, "write a number from 0 to 5000 ms" },
	{ "terminate.delay", "-1", NULL, "write a number from 0 to 5000 ms" },
	{ "terminate.delay", "-0", NULL, "write a number from 0 to 5000 ms" },

	{ "terminate.signal", NULL, "TERM", NULL },
	{ "terminate.signal", "TERM", "TERM", NULL },
	{ "terminate.signal", "HUP", "HUP", NULL },
	{ "terminate.signal", "KILL", "KILL", NULL },
	{ "terminate.signal", "kill", "KILL", NULL },
	{ "terminate.signal", "SIGTERM", NULL, "write TERM, HUP or KILL" },
	{ "terminate.signal", "15", NULL, "write TERM, HUP or KILL" },

	{ "terminate.killAfter", NULL, "2000", NULL },
	{ "terminate.killAfter", "0", "0", NULL },
	{ "terminate.killAfter", "60000", "60000", NULL },
	{ "terminate.killAfter", "60001", NULL,
	  "write a number from 0 to 60000 ms" },
	{ "terminate.killAfter", "-1", NULL,
	  "write a number from 0 to 60000 ms" },
	{ "terminate.killAfter", "never", NULL,
	  "write a number from 0 to 60000 ms" },

	{ "terminate.reset", NULL, "on", NULL },
	{ "terminate.reset", "on", "on", NULL },
	{ "terminate.reset", "off", "off", NULL },
	{ "terminate.reset", "yes", NULL, ON_OFF },
	{ "connect.reply", NULL, "on", NULL },
	{ "connect.reply", "on", "on", NULL },
	{ "connect.reply", "off", "off", NULL },
	{ "connect.reply", "554", NULL, ON_OFF },

	{ "verify", NULL, "child", NULL },
	{ "verify", "child", "child", NULL },
	{ "verify", "sender", "sender", NULL },
	{ "verify", "none", "none", NULL },
	{ "verify", "off", NULL, "write child, sender or none" },

	{ "courierUser", NULL, "courier", NULL },
	{ "courierUser", "root", "root", NULL },
	{ "courierUser", X254 "x", X254 "x", NULL },
	{ "courierUser", X254 "xx", NULL, USER_WANTED },
	{ "courierUser", "", NULL, USER_WANTED },

	{ "allow", NULL, "", NULL },
	{ "allow", "192.0.2.7", "192.0.2.7", NULL },
	{ "allow", "192.0.2.0/24", "192.0.2.7 192.0.2.255", NULL },
	{ "allow", "0.0.0.0/0", "192.0.2.7 192.0.2.255", NULL },
	{ "allow", "192.0.2.255/32", "192.0.2.255", NULL },
	{ "allow", "::ffff:192.0.2.7", "192.0.2.7", NULL },
	{ "allow", "2001:db8::/32", "2001:db8::7", NULL },
	{ "allow", "2001:db8::7/128", "2001:db8::7", NULL },
	{ "allow", "::/0", "2001:db8::7", NULL },
	{ "allow", "10.0.0.1/8", NULL, "did you mean 10.0.0.0/8?" },
	{ "allow", "2001:db8::1/32", NULL, "did you mean 2001:db8::/32?" },
	{ "allow", "192.0.2.0/33", NULL, CIDR_LENGTH },
	{ "allow", "2001:db8::/129", NULL, CIDR_LENGTH },
	{ "allow", "", NULL, CIDR_WANTED },
	{ "allow", "192.0.2", NULL, CIDR_WANTED },
	{ "allow", "192.0.02.7", NULL, CIDR_WANTED },
	{ "allow", "fe80::1%eth0", NULL, CIDR_WANTED },
	{ "allow", "192.0.2.0/", NULL, CIDR_WANTED },
	{ "allow", "192.0.2.1,192.0.2.2", NULL, CIDR_WANTED },
	{ "allow", "mail.example.org", NULL, CIDR_WANTED },

	{ "allowFile", NULL, "", NULL },
	{ "allowFile", "/a", "/a", NULL },
	{ "allowFile", "/" X254, "/" X254, NULL },
	{ "allowFile", "/" X254 "x", NULL, PATH_WANTED },
	{ "allowFile", "allow.txt", NULL, PATH_WANTED },
	{ "allowFile", "", NULL, PATH_WANTED },

	{ "maxBlocks", NULL, "10000", NULL },
	{ "maxBlocks", "1", "1", NULL },
	{ "maxBlocks", "100000000", "100000000", NULL },
	{ "maxBlocks", "0", NULL, "write a number from 1 to 100000000" },
	{ "maxBlocks", "100000001", NULL, "write a number from 1 to 100000000" },

	{ "maxBlocks.interval", NULL, "60", NULL },
	{ "maxBlocks.interval", "1", "1", NULL },
	{ "maxBlocks.interval", "86400", "86400", NULL },
	{ "maxBlocks.interval", "0", NULL, "write a number from 1 to 86400 s" },
	{ "maxBlocks.interval", "86401", NULL,
	  "write a number from 1 to 86400 s" },

	{ "dryRun", NULL, "off", NULL },
	{ "dryRun", "on", "on", NULL },
	{ "dryRun", "off", "off", NULL },
	{ "dryRun", "true", NULL, ON_OFF },

	{ "input", NULL, "courier", NULL },
	{ "input", "courier", "courier", NULL },
	{ "input", "address", "address", NULL },
	{ "input", "json", NULL, "write courier or address" },

	{ "template", NULL, "", NULL },
	{ "template", "a", "a", NULL },
	{ "template", X127, X127, NULL },
	{ "template", X127 "x", NULL, TEMPLATE_WANTED },
	{ "template", "", NULL, TEMPLATE_WANTED },

	{ "eventRuleset", NULL, "", NULL },
	{ "eventRuleset", "a", "a", NULL },
	{ "eventRuleset", X127, X127, NULL },
	{ "eventRuleset", X127 "x", NULL, RULESET_WANTED },
	{ "eventRuleset", "", NULL, RULESET_WANTED },

	{ "statsName", NULL, "", NULL },
	{ "statsName", "a", "a", NULL },
	{ "statsName", X199, X199, NULL },
	{ "statsName", X199 "x", NULL, LIST_WANTED },
	{ "statsName", "", NULL, LIST_WANTED },
	{ "statsName", "a b", NULL, LIST_WANTED },
};

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
	static const char *const addrs[] = { "192.0.2.7", "192.0.2.255",
					     "2001:db8::7" };
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

/* The effect of the parameter's field, as a text. */
static char *effect(const struct settings *s, const struct settings_row *row,
		    char text[static TEXT_SIZE])
{
	const void *field = (const char *)s + row->offset;

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
		pattern_effect(s->reply_pattern, text);
		break;
	case SETTINGS_CIDRS:
		allow_effect(s->allow, text);
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

static void defaults(struct settings *s)
{
	want_int(settings_init(s), 0);
}

/* A refused value leaves the parameter as it was. */
static void value_is_refused(struct settings *s, const struct value_row *v,
			     const struct settings_row *row)
{
	char before[TEXT_SIZE], after[TEXT_SIZE];
	char got[ERROR_SIZE] = "", want[ERROR_SIZE];

	effect(s, row, before);
	snprintf(want, sizeof(want), "parameter %s: \"%.80s\" is not allowed: %s",
		 row->name, v->value, v->why);
	want_int(settings_set(s, v->name, v->value, got, sizeof(got)), -EINVAL);
	want_str(got, want);
	want_str(effect(s, row, after), before);
	want_int(s->courier_user_set, false);
}

TEST_ROWS_AS(value, value_rows, "%s=%.40s", row->name, row->value ? row->value : "(default)")
{
	const struct settings_row *parameter = find_row(row->name);
	char got[ERROR_SIZE] = "", text[TEXT_SIZE];
	struct settings s;

	defaults(&s);
	if (row->why) {
		value_is_refused(&s, row, parameter);
	} else {
		if (row->value)
			want_int(settings_set(&s, row->name, row->value, got, sizeof(got)), 0);
		want_str(got, "");
		want_str(effect(&s, parameter, text), row->effect);
	}
	settings_done(&s);
}

/* Has the table this value (NULL: the default; "?": any that is refused)? */
static void want_value(const struct settings_row *row, const char *text)
{
	bool refused = text && strcmp(text, "?") == 0;
	size_t i;

	for (i = 0; i < COUNT_OF(value_rows); i++) {
		const struct value_row *v = &value_rows[i];

		if (strcmp(v->name, row->name) != 0)
			continue;
		if (refused ? v->why != NULL :
		    text    ? v->value && strcmp(v->value, text) == 0 :
			      !v->value)
			return;
	}
	print_message("# value_rows lacks %s=%s\n", row->name,
		      text ? text : "(default)");
	fail();
}

static void want_number(const struct settings_row *row, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	want_value(row, text);
}

/* A parameter that is new in settings.c has to be in the table. */
TEST(each_parameter_is_tested)
{
	const struct settings_row *row;
	const struct settings_word *w;
	size_t count;

	for (row = settings_rows(&count); count > 0; row++, count--) {
		want_value(row, NULL);
		want_value(row, "?");
		for (w = row->words; w && w->word; w++)
			want_value(row, w->word);
		if (row->type != SETTINGS_UINT)
			continue;
		want_number(row, row->min);
		want_number(row, row->max);
		want_number(row, row->max + 1);
		if (row->min > 0)
			want_number(row, row->min - 1);
	}
}

TEST(unknown_name_is_reported)
{
	char wrong[ERROR_SIZE] = "";
	struct settings s;

	defaults(&s);
	want_int(settings_set(&s, "lists", "a", wrong, sizeof(wrong)), -ENOENT);
	want_str(wrong, "there is no parameter lists");
	want_int(settings_set(&s, X80, "a", wrong, sizeof(wrong)), -ENOENT);
	want_str(wrong, "there is no parameter " X10 X10 X10 X10);
	settings_done(&s);
}

/* The buffer bounds the message, whatever was written. */
TEST(long_value_is_cut_in_message)
{
	char wrong[20];
	struct settings s;

	defaults(&s);
	want_int(settings_set(&s, "threshold", X254, wrong, sizeof(wrong)),
		 -EINVAL);
	want_str(wrong, "parameter threshold");
	settings_done(&s);
}

TEST(allow_grows)
{
	char text[TEXT_SIZE], wrong[ERROR_SIZE];
	const struct settings_row *row = find_row("allow");
	struct settings s;

	defaults(&s);
	want_int(settings_set(&s, "allow", "2001:db8::/32", wrong, sizeof(wrong)), 0);
	want_int(settings_set(&s, "allow", "192.0.2.7", wrong, sizeof(wrong)), 0);
	want_int(settings_set(&s, "allow", "nonsense", wrong, sizeof(wrong)),
		 -EINVAL);
	want_str(effect(&s, row, text), "192.0.2.7 2001:db8::7");
	settings_done(&s);
}

static void set_port(struct settings *s, const char *port, int want)
{
	char wrong[ERROR_SIZE];

	want_int(settings_set(s, "ports", port, wrong, sizeof(wrong)), want);
}

/* The first one replaces the default; they are sorted, and each is there once. */
TEST(ports_grow)
{
	const struct settings_row *row = find_row("ports");
	char text[TEXT_SIZE];
	struct settings s;

	defaults(&s);
	set_port(&s, "0", -EINVAL);
	want_str(effect(&s, row, text), "25");
	set_port(&s, "587", 0);
	want_str(effect(&s, row, text), "587");
	set_port(&s, "25", 0);
	set_port(&s, "465", 0);
	set_port(&s, "587", 0);
	set_port(&s, "25", 0);
	want_str(effect(&s, row, text), "25 465 587");
	settings_done(&s);
}

TEST(ports_have_a_bound)
{
	char port[8], wrong[ERROR_SIZE];
	struct settings s;
	int i;

	defaults(&s);
	for (i = 1; i <= SETTINGS_PORTS_MAX; i++) {
		snprintf(port, sizeof(port), "%d", 1000 - i);
		set_port(&s, port, 0);
	}
	set_port(&s, "999", 0);
	want_int(settings_set(&s, "ports", "1", wrong, sizeof(wrong)), -EINVAL);
	want_str(wrong, "parameter ports: \"1\" is not allowed: write up to 64 "
			"ports");
	want_int(s.ports.count, SETTINGS_PORTS_MAX);
	want_int(s.ports.list[0], 1000 - SETTINGS_PORTS_MAX);
	settings_done(&s);
}

TEST(signals_are_the_systems)
{
	char wrong[ERROR_SIZE];
	struct settings s;

	defaults(&s);
	want_int(s.terminate_signal, SIGTERM);
	want_int(settings_set(&s, "terminate.signal", "HUP", wrong, sizeof(wrong)), 0);
	want_int(s.terminate_signal, SIGHUP);
	want_int(settings_set(&s, "terminate.signal", "KILL", wrong, sizeof(wrong)), 0);
	want_int(s.terminate_signal, SIGKILL);
	settings_done(&s);
}

/* "name=value name=value": for values without blanks. */
static void set_all(struct settings *s, const char *text)
{
	char copy[ERROR_SIZE], wrong[ERROR_SIZE] = "", *save = NULL, *name, *equals;

	snprintf(copy, sizeof(copy), "%s", text);
	for (name = strtok_r(copy, " ", &save); name;
	     name = strtok_r(NULL, " ", &save)) {
		equals = strchr(name, '=');
		*equals = '\0';
		want_int(settings_set(s, name, equals + 1, wrong, sizeof(wrong)), 0);
		want_str(wrong, "");
	}
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
	{ "template, courier", "input=courier verify=none template=t",
	  TEMPLATE_ALONE },
	{ "address, events", "input=address verify=none eventRuleset=r",
	  "input=\"address\" raises no events, because the decision was made "
	  "elsewhere: leave eventRuleset out" },
	{ "events", "eventRuleset=r", NULL },
	{ "connect, child", "trigger=connect", NULL },
	{ "connect, sender", "trigger=connect verify=sender", CONNECT_ALONE },
	{ "connect, none", "trigger=connect verify=none", CONNECT_ALONE },
	{ "sets", "backend=nftables", NULL },
	{ "sets, names of 100", "backend=nftables list=" X100 " list6=a", NULL },
	{ "sets, a name of 101", "backend=nftables list=" X100 "x",
	  SET_NAME("list", X80) },
	{ "sets, a name of 101, IPv6", "backend=nftables list6=" X100 "x",
	  SET_NAME("list6", X80) },
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
	char wrong[ERROR_SIZE] = "";
	struct settings s;

	defaults(&s);
	set_all(&s, row->set);
	want_int(settings_check(&s, wrong, sizeof(wrong)), row->wrong ? -EINVAL : 0);
	want_str(wrong, row->wrong ? row->wrong : "");
	settings_done(&s);
}

/* Only a user that was set is an error. */
TEST(default_user_may_be_missing)
{
	char wrong[ERROR_SIZE] = "";
	struct settings s;
	uid_t uid = 4711;

	defaults(&s);
	strcpy(s.courier_user, "smtpblock-nobody-has-this");
	want_int(settings_check(&s, wrong, sizeof(wrong)), 0);
	want_int(settings_courier_uid(&s, &uid), -ENOENT);
	want_int(uid, 4711);
	settings_done(&s);
}

TEST(broken_allow_file_is_reported)
{
	char path[160], text[200], wrong[ERROR_SIZE] = "", want[ERROR_SIZE];
	char *dir = temp_dir_new();
	struct settings s;

	snprintf(path, sizeof(path), "%s/allow", dir);
	temp_file_write(path, "192.0.2.7\n10.0.0.1/8\n");
	snprintf(text, sizeof(text), "allowFile=%s", path);
	snprintf(want, sizeof(want),
		 "parameter allowFile: %s, line 2: \"10.0.0.1/8\": did you mean "
		 "10.0.0.0/8?",
		 path);
	defaults(&s);
	set_all(&s, text);
	want_int(settings_check(&s, wrong, sizeof(wrong)), -EINVAL);
	want_str(wrong, want);
	temp_file_write(path, "192.0.2.7\n10.0.0.0/8\n");
	want_int(settings_check(&s, wrong, sizeof(wrong)), 0);
	settings_done(&s);
	temp_dir_remove(dir);
}

TEST(check_seals_allow_list)
{
	static const char *const inside[] = { "203.0.113.9", "198.51.100.9",
					      "192.0.2.9" };
	char wrong[ERROR_SIZE];
	struct settings s;
	struct addr addr;
	size_t i;

	defaults(&s);
	set_all(&s, "allow=203.0.113.0/24 allow=198.51.100.0/24 allow=192.0.2.0/24");
	want_int(settings_check(&s, wrong, sizeof(wrong)), 0);
	for (i = 0; i < COUNT_OF(inside); i++) {
		want_int(addr_parse(inside[i], strlen(inside[i]), &addr), 0);
		want_int(prefix_set_contains(s.allow, &addr), true);
	}
	settings_done(&s);
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

static const struct warning_row {
	const char *label, *set, *first, *second;
} warning_rows[] = {
	{ "defaults", "", NULL, NULL },
	{ "none", "verify=none", WARN_NONE, NULL },
	{ "none, address", "verify=none input=address", NULL, NULL },
	{ "sender", "verify=sender", WARN_SENDER, NULL },
	{ "reject, child", "trigger=reject", WARN_CREDENTIALS, NULL },
	{ "reject, none", "trigger=reject verify=none", WARN_NONE, NULL },
	{ "reject, sender", "trigger=reject verify=sender", WARN_SENDER,
	  WARN_CREDENTIALS },
	{ "connect", "trigger=connect", NULL, NULL },
	{ "auth, 1", "trigger=auth", WARN_CREDENTIALS, WARN_ONE },
	{ "relay, 1", "trigger=relay", WARN_CREDENTIALS, WARN_ONE },
	{ "protocol, 1", "trigger=protocol", WARN_CREDENTIALS, WARN_ONE },
	{ "auth, 2", "trigger=auth threshold=2", WARN_CREDENTIALS, NULL },
	{ "relay, 2", "trigger=relay threshold=2", WARN_CREDENTIALS, NULL },
	{ "protocol, 2", "trigger=protocol threshold=2", WARN_CREDENTIALS, NULL },
	{ "two", "trigger=auth verify=none", WARN_NONE, WARN_ONE },
};

TEST_ROWS(warning, warning_rows)
{
	struct settings s;

	defaults(&s);
	set_all(&s, row->set);
	want_str(settings_warning(&s, 0), row->first);
	want_str(settings_warning(&s, 1), row->second);
	want_str(settings_warning(&s, 2), NULL);
	settings_done(&s);
}

TEST(prefix_is_the_familys)
{
	const struct addr ipv4 = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } };
	const struct addr ipv6 = { .family = ADDR_IPV6, .bytes = { 0x20, 1 } };
	struct settings s;

	defaults(&s);
	want_int(settings_prefix(&s, &ipv4), 32);
	want_int(settings_prefix(&s, &ipv6), 128);
	set_all(&s, "ipv4Prefix=24 ipv6Prefix=64");
	want_int(settings_prefix(&s, &ipv4), 24);
	want_int(settings_prefix(&s, &ipv6), 64);
	settings_done(&s);
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
	struct settings s;
	uid_t uid = 4711;

	defaults(&s);
	set_all(&s, "courierUser=root");
	database.needs = row->needs;
	database.err = row->err;
	want_int(settings_courier_uid(&s, &uid), row->want);
	database.needs = 0;
	database.err = 0;
	want_int(uid, row->want == 0 ? 0 : 4711);
	settings_done(&s);
}

TEST(users_uid_is_found)
{
	struct settings s;
	uid_t uid = 4711;

	defaults(&s);
	want_int(s.courier_user_set, false);
	set_all(&s, "courierUser=root");
	want_int(s.courier_user_set, true);
	want_int(settings_courier_uid(&s, &uid), 0);
	want_int(uid, 0);
	settings_done(&s);
}

TEST(done_twice_does_nothing)
{
	struct settings s;

	defaults(&s);
	set_all(&s, "allow=192.0.2.7");
	settings_done(&s);
	want_int(s.reply_pattern == NULL, true);
	want_int(s.allow == NULL, true);
	settings_done(&s);
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
	snprintf(title, sizeof(title), "\n\n%s\n%.*s\n\n", name,
		 (int)strlen(name), marks);
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

/* A parameter's section must not describe one that is no more. */
TEST(manual_has_no_other_parameter)
{
	char *manual = read_source("doc/omsmtpblock.rst");
	const char *at = strstr(manual, "\nAction Parameters\n");
	size_t count, sections = 0;

	assert_non_null(at);
	while ((at = strstr(at + 1, "\n.. csv-table::\n   :header: \"type\"")))
		sections++;
	settings_rows(&count);
	want_int(sections, count);
	free(manual);
}

static int make_settings(void *data)
{
	struct settings s;
	int r = settings_init(&s);

	(void)data;
	if (r == 0)
		settings_done(&s);
	return r;
}

/* Without memory for a new value the old one stays. */
static int set_owned(void *data)
{
	char wrong[ERROR_SIZE], text[TEXT_SIZE];
	struct settings *s = data;
	const struct reply_regex *before = s->reply_pattern;
	int r;

	r = settings_set(s, "replyPattern", "^55", wrong, sizeof(wrong));
	want_int(s->reply_pattern == before, r < 0);
	if (r == 0)
		r = settings_set(s, "allow", "192.0.2.7", wrong, sizeof(wrong));
	want_str(effect(s, find_row("allow"), text), r == 0 ? "192.0.2.7" : "");
	return r;
}

static int check_whole(void *data)
{
	char wrong[ERROR_SIZE];

	return settings_check(data, wrong, sizeof(wrong));
}

TEST(survives_lack_of_memory)
{
	struct settings s;

	want_int(memory_fail_each(make_settings, NULL) >= 1, true);
	defaults(&s);
	want_int(memory_fail_each(set_owned, &s) >= 2, true);
	want_int(memory_fail_each(check_whole, &s) >= 1, true);
	settings_done(&s);
}
