/* The parameters of one action: their names, defaults, bounds and values.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/array.h"
#include "lib/text.h"
#include "lib/users.h"
#include "policy/allowfile.h"

static const struct settings_word backend_words[] = {
	{ "recent", BACKEND_RECENT },
	{ "nftables", BACKEND_NFTABLES },
	{ "null", BACKEND_NULL },
	{ NULL, 0 },
};

static const struct settings_word trigger_words[] = {
	{ "dnsbl", TRIGGER_DNSBL },
	{ "reject", TRIGGER_REJECT },
	{ "connect", TRIGGER_CONNECT },
	{ "auth", TRIGGER_AUTH },
	{ "relay", TRIGGER_RELAY },
	{ "protocol", TRIGGER_PROTOCOL },
	{ NULL, 0 },
};

static const struct settings_word input_words[] = {
	{ "courier", INPUT_COURIER },
	{ "address", INPUT_ADDRESS },
	{ NULL, 0 },
};

static const struct settings_word verify_words[] = {
	{ "child", VERIFY_CHILD },
	{ "sender", VERIFY_SENDER },
	{ "none", VERIFY_NONE },
	{ NULL, 0 },
};

static const struct settings_word signal_words[] = {
	{ "TERM", SIGTERM },
	{ "HUP", SIGHUP },
	{ "KILL", SIGKILL },
	{ NULL, 0 },
};

/* The name becomes part of a path in /proc and of a command shown to the admin: allow only
 * characters that are special in neither. */
static bool is_list_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-.";

	return name[0] != '.' && name[0] != '-' &&
	       name[strspn(name, allowed)] == '\0';
}

static bool is_absolute_path(const char *path)
{
	return path[0] == '/';
}

#define FIELD(field) .offset = offsetof(struct settings, field)
/* Any text that is not empty and fits the field. */
#define TEXT_FIELD(field) \
	FIELD(field), .min = 1, \
	.max = sizeof(((struct settings *)NULL)->field) - 1
#define LIST_NAME_FIELD(field) \
	TEXT_FIELD(field), .accepts = is_list_name, \
	.hint = "write 1 to 199 letters, digits, '_', '-' or '.', " \
		"a letter, digit or '_' first"

static const struct settings_row rows[] = {
	{ "backend", SETTINGS_WORD, "recent", FIELD(backend),
	  .words = backend_words },
	{ "list", SETTINGS_TEXT, "spammer", LIST_NAME_FIELD(list) },
	{ "list6", SETTINGS_TEXT, "spammer6", LIST_NAME_FIELD(list6) },
	{ "listSize", SETTINGS_UINT, "65536", FIELD(list_size), .min = 1,
	  .max = SETTINGS_LIST_SIZE_MAX },
	{ "ports", SETTINGS_PORTS, "25", FIELD(ports), .min = 1, .max = 65535 },
	{ "trigger", SETTINGS_WORD, "dnsbl", FIELD(trigger),
	  .words = trigger_words },
	{ "replyPattern", SETTINGS_PATTERN, "^511 ", FIELD(reply_pattern) },
	{ "threshold", SETTINGS_UINT, "1", FIELD(threshold), .min = 1,
	  .max = 1000 },
	{ "window", SETTINGS_UINT, "600", FIELD(window), .min = 1, .max = 86400,
	  .unit = "s" },
	{ "banTime", SETTINGS_UINT, "600", FIELD(ban_time), .min = 1,
	  .max = 31536000, .unit = "s" },
	{ "ipv4Prefix", SETTINGS_UINT, "32", FIELD(ipv4_prefix), .min = 8,
	  .max = 32 },
	{ "ipv6Prefix", SETTINGS_UINT, NULL, FIELD(ipv6_prefix), .min = 16,
	  .max = 128 },
	{ "terminate", SETTINGS_BOOL, "on", FIELD(terminate) },
	{ "terminate.delay", SETTINGS_UINT, "200", FIELD(terminate_delay),
	  .max = 5000, .unit = "ms" },
	{ "terminate.signal", SETTINGS_WORD, "TERM", FIELD(terminate_signal),
	  .words = signal_words },
	{ "terminate.killAfter", SETTINGS_UINT, "2000",
	  FIELD(terminate_kill_after), .max = 60000, .unit = "ms" },
	{ "terminate.reset", SETTINGS_BOOL, "on", FIELD(terminate_reset) },
	{ "connect.reply", SETTINGS_BOOL, "on", FIELD(connect_reply) },
	{ "early", SETTINGS_BOOL, "on", FIELD(early) },
	{ "pressure", SETTINGS_UINT, "50", FIELD(pressure), .max = 100,
	  .unit = "%" },
	{ "verify", SETTINGS_WORD, "child", FIELD(verify),
	  .words = verify_words },
	{ "courierUser", SETTINGS_TEXT, "courier", TEXT_FIELD(courier_user),
	  .hint = "write the name of the user that courier's processes run as" },
	{ "allow", SETTINGS_CIDRS, NULL, FIELD(allow) },
	{ "allowFile", SETTINGS_TEXT, NULL, TEXT_FIELD(allow_file),
	  .accepts = is_absolute_path,
	  .hint = "write an absolute path of up to 255 characters" },
	{ "blockBehindProxy", SETTINGS_BOOL, "off", FIELD(block_behind_proxy) },
	{ "maxBlocks", SETTINGS_UINT, "10000", FIELD(max_blocks), .min = 1,
	  .max = 100000000 },
	{ "maxBlocks.interval", SETTINGS_UINT, "60", FIELD(max_blocks_interval),
	  .min = 1, .max = 86400, .unit = "s" },
	{ "dryRun", SETTINGS_BOOL, "off", FIELD(dry_run) },
	{ "input", SETTINGS_WORD, "courier", FIELD(input),
	  .words = input_words },
	{ "template", SETTINGS_TEXT, NULL, TEXT_FIELD(template_name),
	  .hint = "write the name of a template, 1 to 127 characters" },
	{ "eventRuleset", SETTINGS_TEXT, NULL, TEXT_FIELD(event_ruleset),
	  .hint = "write the name of a ruleset, 1 to 127 characters" },
	{ "statsName", SETTINGS_TEXT, NULL, LIST_NAME_FIELD(stats_name) },
};

#define ROW_COUNT COUNT_OF(rows)

/* The parameter that is being set, and where an error message goes. */
struct assignment {
	const struct settings_row *row;
	const char *value;
	void *field;
	char *errbuf;
	size_t errbuf_size;
};

const struct settings_row *settings_rows(size_t *ret_count)
{
	*ret_count = ROW_COUNT;
	return rows;
}

static const struct settings_row *find_row(const char *name)
{
	size_t i;

	for (i = 0; i < ROW_COUNT; i++)
		if (strcasecmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* Write 'parameter NAME: "VALUE" is not allowed: WHY', quoting up to 80 characters of the
 * value. Always returns -EINVAL. */
static int refuse(const struct assignment *a, const char *why)
{
	snprintf(a->errbuf, a->errbuf_size,
		 "parameter %s: \"%.80s\" is not allowed: %s", a->row->name,
		 a->value, why);
	return -EINVAL;
}

static int set_bool(const struct assignment *a)
{
	bool *field = a->field;

	if (strcasecmp(a->value, "on") == 0)
		*field = true;
	else if (strcasecmp(a->value, "off") == 0)
		*field = false;
	else
		return refuse(a, "write on or off");
	return 0;
}

static int set_uint(const struct assignment *a)
{
	const char *unit = a->row->unit ? a->row->unit : "";
	unsigned int *field = a->field;
	size_t digits = strspn(a->value, "0123456789");
	unsigned long n = strtoul(a->value, NULL, 10);
	char why[96];

	/* 10 digits always fit an unsigned long. */
	if (digits > 0 && digits <= 10 && a->value[digits] == '\0' &&
	    n >= a->row->min && n <= a->row->max) {
		*field = (unsigned int)n;
		return 0;
	}
	snprintf(why, sizeof(why), "write a number from %u to %u%s%s", a->row->min,
		 a->row->max, *unit ? " " : "", unit);
	return refuse(a, why);
}

static int set_word(const struct assignment *a)
{
	const struct settings_word *w;
	int *field = a->field;
	struct text_buf text;
	char why[128];

	for (w = a->row->words; w->word; w++) {
		if (strcasecmp(a->value, w->word) == 0) {
			*field = w->value;
			return 0;
		}
	}
	text = text_buf_of(why, sizeof(why));
	for (w = a->row->words; w->word; w++)
		text_append(&text, "%s%s",
			    w == a->row->words ? "write " : w[1].word ? ", " : " or ", w->word);
	return refuse(a, why);
}

static int set_text(const struct assignment *a)
{
	size_t len = strlen(a->value);

	if (len < a->row->min || len > a->row->max ||
	    (a->row->accepts && !a->row->accepts(a->value)))
		return refuse(a, a->row->hint);
	memcpy(a->field, a->value, len + 1);
	return 0;
}

static int set_pattern(const struct assignment *a)
{
	struct reply_regex **field = a->field;
	struct reply_regex *regex;
	char wrong[192], why[256];
	int r;

	r = reply_regex_new(a->value, &regex, wrong, sizeof(wrong));
	if (r == -EINVAL) {
		snprintf(why, sizeof(why),
			 "%s; write a PCRE2 expression, such as ^511 ", wrong);
		return refuse(a, why);
	}
	if (r < 0)
		return r;
	reply_regex_free(*field);
	*field = regex;
	return 0;
}

static int refuse_cidr(const struct assignment *a, int err,
		       const struct cidr *meant)
{
	char text[CIDR_TEXT_SIZE], why[128];

	if (err == -EDOM)
		snprintf(why, sizeof(why), "did you mean %s?",
			 cidr_format(meant, text));
	else if (err == -ERANGE)
		snprintf(why, sizeof(why), "write a prefix length up to 32 for "
					   "IPv4, up to 128 for IPv6");
	else
		snprintf(why, sizeof(why), "write an address or a prefix, such as "
					   "192.0.2.0/24 or 2001:db8::/32");
	return refuse(a, why);
}

static int set_cidrs(const struct assignment *a)
{
	struct prefix_set **field = a->field;
	struct cidr cidr;
	int r;

	r = cidr_parse(a->value, strlen(a->value), &cidr);
	if (r < 0)
		return refuse_cidr(a, r, &cidr);
	if (!*field)
		r = prefix_set_new(field);
	return r < 0 ? r : prefix_set_add(*field, &cidr);
}

/* The port's index in the list, or where to insert it. */
static unsigned int place_of(const struct settings_ports *ports, uint16_t port)
{
	unsigned int i = 0;

	while (i < ports->count && ports->list[i] < port)
		i++;
	return i;
}

static int set_ports(const struct assignment *a)
{
	struct settings_ports *ports = a->field;
	struct assignment number = *a;
	unsigned int port, i;
	int r;

	number.field = &port;
	r = set_uint(&number);
	if (r < 0)
		return r;
	i = place_of(ports, (uint16_t)port);
	if (i < ports->count && ports->list[i] == port)
		return 0;
	if (ports->count == SETTINGS_PORTS_MAX)
		return refuse(a, "write up to 64 ports");
	memmove(&ports->list[i + 1], &ports->list[i],
		(ports->count - i) * sizeof(ports->list[0]));
	ports->list[i] = (uint16_t)port;
	ports->count++;
	return 0;
}

static int assign(const struct assignment *a)
{
	switch (a->row->type) {
	case SETTINGS_BOOL:
		return set_bool(a);
	case SETTINGS_UINT:
		return set_uint(a);
	case SETTINGS_WORD:
		return set_word(a);
	case SETTINGS_TEXT:
		return set_text(a);
	case SETTINGS_PATTERN:
		return set_pattern(a);
	case SETTINGS_CIDRS:
		return set_cidrs(a);
	case SETTINGS_PORTS:
		return set_ports(a);
	}
	return -ENOENT;
}

static int set_row(struct settings *settings, const struct settings_row *row,
		   const char *value, char *errbuf, size_t errbuf_size)
{
	const struct assignment a = {
		.row = row,
		.value = value,
		.field = (char *)settings + row->offset,
		.errbuf = errbuf,
		.errbuf_size = errbuf_size,
	};

	return assign(&a);
}

int settings_init(struct settings *settings)
{
	char ignored[1];
	size_t i;
	int r;

	memset(settings, 0, sizeof(*settings));
	for (i = 0; i < ROW_COUNT; i++) {
		if (!rows[i].default_text)
			continue;
		r = set_row(settings, &rows[i], rows[i].default_text, ignored,
			    sizeof(ignored));
		if (r < 0) {
			settings_done(settings);
			return r;
		}
	}
	return 0;
}

void settings_done(struct settings *settings)
{
	reply_regex_free(settings->reply_pattern);
	prefix_set_free(settings->allow);
	settings->reply_pattern = NULL;
	settings->allow = NULL;
}

bool settings_is_list(const struct settings_row *row)
{
	return row->type == SETTINGS_CIDRS || row->type == SETTINGS_PORTS;
}

/* The first port in the configuration replaces the default. */
static int set_port(struct settings *settings, const struct settings_row *row,
		    const char *value, char *errbuf, size_t errbuf_size)
{
	const struct settings_ports before = settings->ports;
	int r;

	if (!settings->ports_set)
		settings->ports.count = 0;
	r = set_row(settings, row, value, errbuf, errbuf_size);
	if (r < 0)
		settings->ports = before;
	else
		settings->ports_set = true;
	return r;
}

int settings_set(struct settings *settings, const char *name, const char *value,
		 char *errbuf, size_t errbuf_size)
{
	const struct settings_row *row = find_row(name);
	int r;

	if (!row) {
		snprintf(errbuf, errbuf_size, "there is no parameter %.40s", name);
		return -ENOENT;
	}
	if (row->type == SETTINGS_PORTS)
		return set_port(settings, row, value, errbuf, errbuf_size);
	r = set_row(settings, row, value, errbuf, errbuf_size);
	if (r == 0 && row->offset == offsetof(struct settings, courier_user))
		settings->courier_user_set = true;
	if (r == 0 && (row->offset == offsetof(struct settings, early) ||
		       row->offset == offsetof(struct settings, pressure)))
		settings->rules_set = true;
	return r;
}

static int check_user(const struct settings *settings, char *errbuf,
		      size_t errbuf_size)
{
	uid_t uid;

	if (!settings->courier_user_set ||
	    settings_courier_uid(settings, &uid) != -ENOENT)
		return 0;
	snprintf(errbuf, errbuf_size,
		 "parameter courierUser: there is no user \"%.80s\": write "
		 "the user that courier's processes run as",
		 settings->courier_user);
	return -EINVAL;
}

static int check_together(const struct settings *settings, char *errbuf,
			  size_t errbuf_size)
{
	const char *wrong = NULL;

	if (settings->input == INPUT_ADDRESS && settings->verify != VERIFY_NONE)
		wrong = "input=\"address\" has no process to verify: write "
			"verify=\"none\" as well, and let only trusted senders use "
			"this action";
	else if (settings->input == INPUT_COURIER && settings->template_name[0])
		wrong = "template is for input=\"address\" only: courier's log lines "
			"need none";
	else if (settings->input == INPUT_ADDRESS && settings->event_ruleset[0])
		wrong = "input=\"address\" raises no events, because the decision "
			"was made elsewhere: leave eventRuleset out";
	else if (settings->trigger == TRIGGER_CONNECT &&
		 settings->verify != VERIFY_CHILD)
		wrong = "trigger=\"connect\" needs the session's process: write "
			"verify=\"child\"";
	if (!wrong)
		return 0;
	snprintf(errbuf, errbuf_size, "%s", wrong);
	return -EINVAL;
}

/* Can nft read this name of a set back from a file? */
static bool is_set_name(const char *name)
{
	return strlen(name) < SETTINGS_NFT_NAME_SIZE &&
	       (name[0] < '0' || name[0] > '9');
}

static int check_sets(const struct settings *settings, char *errbuf,
		      size_t errbuf_size)
{
	const char *wrong = settings->list;

	if (settings->backend != BACKEND_NFTABLES)
		return 0;
	if (strcmp(settings->list, settings->list6) == 0) {
		snprintf(errbuf, errbuf_size,
			 "parameters list and list6: with backend=\"nftables\" "
			 "the two sets cannot both be named \"%.80s\"",
			 settings->list);
		return -EINVAL;
	}
	if (is_set_name(wrong))
		wrong = settings->list6;
	if (is_set_name(wrong))
		return 0;
	snprintf(errbuf, errbuf_size,
		 "parameter %s: \"%.80s\" is not allowed with "
		 "backend=\"nftables\": write 1 to 100 characters, a letter or "
		 "'_' first",
		 wrong == settings->list ? "list" : "list6", wrong);
	return -EINVAL;
}

/* Only a check: the engine reads the file again. */
static int check_allow_file(const struct settings *settings, char *errbuf,
			    size_t errbuf_size)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file;
	int r;

	r = allowfile_new(settings->allow_file, &file, wrong);
	if (r == 0)
		allowfile_free(file);
	else if (r != -ENOMEM)
		snprintf(errbuf, errbuf_size, "parameter allowFile: %s", wrong);
	return r == 0 || r == -ENOMEM ? r : -EINVAL;
}

int settings_check(struct settings *settings, char *errbuf, size_t errbuf_size)
{
	int r;

	if (settings->allow)
		prefix_set_seal(settings->allow);
	r = check_user(settings, errbuf, errbuf_size);
	if (r == 0)
		r = check_together(settings, errbuf, errbuf_size);
	if (r == 0)
		r = check_sets(settings, errbuf, errbuf_size);
	return r < 0 ? r : check_allow_file(settings, errbuf, errbuf_size);
}

const char *settings_warning(const struct settings *settings, unsigned int which)
{
	bool counted = settings->trigger == TRIGGER_AUTH ||
		       settings->trigger == TRIGGER_RELAY ||
		       settings->trigger == TRIGGER_PROTOCOL;
	const struct {
		bool holds;
		const char *text;
	} all[] = {
		{ settings->verify == VERIFY_NONE &&
			  settings->input == INPUT_COURIER,
		  "verify=\"none\" believes every line: anyone who can write to "
		  "the log, including any local user, decides who is blocked" },
		{ settings->verify == VERIFY_SENDER,
		  "verify=\"sender\" believes $!pid and $!uid: no parser that "
		  "takes them from the message, such as mmjsonparse, may run "
		  "before this action" },
		{ (settings->trigger == TRIGGER_REJECT || counted) &&
			  settings->verify != VERIFY_NONE,
		  "this trigger needs the sender's credentials (imuxsock "
		  "with SysSock.Annotate=\"on\" SysSock.ParseTrusted=\"on\"): "
		  "without them any local user can have a connected client "
		  "blocked; with them any local user can stop rsyslogd's input, "
		  "see SECURITY" },
		{ settings->trigger == TRIGGER_REJECT || settings->trigger == TRIGGER_RELAY,
		  "this trigger can be aimed: whoever writes through a large provider to an "
		  "address that courier rejects has the provider's servers blocked. Use "
		  "trigger=\"dnsbl\", or name the providers in allow or allowFile" },
		{ counted && settings->threshold == 1,
		  "a single mistake blocks a user's address: with this trigger "
		  "write a threshold above 1" },
	};
	unsigned int i;

	for (i = 0; i < COUNT_OF(all); i++)
		if (all[i].holds && which-- == 0)
			return all[i].text;
	return NULL;
}

static bool writes(const struct settings *settings)
{
	return settings->backend != BACKEND_NULL && !settings->dry_run;
}

static bool same_ports(const struct settings_ports *a, const struct settings_ports *b)
{
	return a->count == b->count && memcmp(a->list, b->list, a->count * sizeof(*a->list)) == 0;
}

/* The first parameter of the lists that is not the same; NULL: all are. */
static const char *other_parameter(const struct settings *a, const struct settings *b)
{
	static const struct addr ipv6 = { .family = ADDR_IPV6 };
	bool nftables = a->backend == BACKEND_NFTABLES;
	const struct {
		bool differs;
		const char *name;
	} all[] = {
		{ a->backend != b->backend, "backend" },
		{ strcmp(a->list, b->list) != 0, "list" },
		{ strcmp(a->list6, b->list6) != 0, "list6" },
		{ a->ban_time != b->ban_time, "banTime" },
		{ a->ipv4_prefix != b->ipv4_prefix, "ipv4Prefix" },
		{ settings_prefix(a, &ipv6) != settings_prefix(b, &ipv6), "ipv6Prefix" },
		{ nftables && !same_ports(&a->ports, &b->ports), "ports" },
		{ nftables && a->list_size != b->list_size, "listSize" },
	};
	unsigned int i;

	for (i = 0; i < COUNT_OF(all); i++)
		if (all[i].differs)
			return all[i].name;
	return NULL;
}

char *settings_clash(const struct settings *earlier, const struct settings *later,
		     char buf[static SETTINGS_CLASH_SIZE])
{
	bool same4 = strcmp(earlier->list, later->list) == 0;
	const char *name = other_parameter(earlier, later);

	if (!name || !writes(earlier) || !writes(later) ||
	    (!same4 && strcmp(earlier->list6, later->list6) != 0))
		return NULL;
	snprintf(buf, SETTINGS_CLASH_SIZE,
		 "an earlier action has the same %s=\"%s\" and another %s: write the same %s into "
		 "both, or give each action a list and a list6 of its own",
		 same4 ? "list" : "list6", same4 ? later->list : later->list6, name, name);
	return buf;
}

bool settings_end_children(const struct settings *settings)
{
	return settings->terminate && !settings->dry_run;
}

unsigned int settings_prefix(const struct settings *settings,
			     const struct addr *addr)
{
	if (addr->family == ADDR_IPV4)
		return settings->ipv4_prefix;
	if (settings->ipv6_prefix)
		return settings->ipv6_prefix;
	/* A rule of xt_recent without --mask never matches an entry of 64 bits. */
	return settings->backend == BACKEND_NFTABLES ? 64 : 128;
}

const char *settings_list(const struct settings *settings, int family)
{
	return family == ADDR_IPV4 ? settings->list : settings->list6;
}

const char *settings_word(const char *name, int value)
{
	const struct settings_row *row = find_row(name);
	const struct settings_word *w;

	if (!row || row->type != SETTINGS_WORD)
		return NULL;
	for (w = row->words; w->word; w++)
		if (w->value == value)
			return w->word;
	return NULL;
}

int settings_courier_uid(const struct settings *settings, uid_t *ret_uid)
{
	return users_find(settings->courier_user, ret_uid);
}
