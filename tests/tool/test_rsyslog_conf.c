/* The reader of rsyslog's configuration: text in, items out.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/rsyslog_conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

/* What was read, as text: one line per item, then the problems. */
struct dump {
	char text[4096];
	size_t used;
};

__attribute__((format(printf, 2, 3)))
static void print(struct dump *dump, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(dump->text + dump->used, sizeof(dump->text) - dump->used, format, args);
	va_end(args);
	dump->used += (size_t)n;
}

static void dump_filter(struct dump *dump, const struct rsyslog_conf_filter *filter)
{
	static const char *const names[] = { "", "", "if ", "else ", "foreach " };

	if (!filter)
		return;
	dump_filter(dump, filter->outer);
	print(dump, " {%s%s}", names[filter->condition], filter->text);
}

static void dump_params(struct dump *dump, const struct rsyslog_conf_item *item)
{
	size_t i, v;

	for (i = 0; i < item->count; i++) {
		print(dump, " %s=", item->params[i].name);
		for (v = 0; v < item->params[i].count; v++)
			print(dump, "%s%s", v ? "," : "", item->params[i].values[v]);
	}
}

static void dump_item(struct dump *dump, const struct rsyslog_conf_item *item)
{
	static const char *const kinds[] = { "module", "input", "action", "ruleset",
					     "include", "object", "directive", "statement" };

	print(dump, "%u %s", item->line, kinds[item->kind]);
	dump_filter(dump, item->filter);
	if (item->kind == RSYSLOG_CONF_OBJECT || item->kind == RSYSLOG_CONF_DIRECTIVE)
		print(dump, " %s", item->name);
	if (item->kind == RSYSLOG_CONF_DIRECTIVE || item->kind == RSYSLOG_CONF_STATEMENT)
		print(dump, " \"%s\"", item->text);
	dump_params(dump, item);
	print(dump, "%s%s%s\n", *item->ruleset ? " in " : "", item->ruleset,
	      item->disabled ? " off" : "");
}

/* Of each point: what was read, and the last message. */
static struct rsyslog_conf *conf;
static char errbuf[RSYSLOG_CONF_ERROR_SIZE];

static void dump_conf(struct dump *dump)
{
	const char *problem;
	size_t i;

	for (i = 0; i < rsyslog_conf_count(conf); i++)
		dump_item(dump, rsyslog_conf_at(conf, i));
	for (i = 0; (problem = rsyslog_conf_problem(conf, i)); i++)
		print(dump, "%s\n", problem);
}

static void before(void)
{
	conf = NULL;
	errbuf[0] = '\0';
}

static void after(void)
{
	rsyslog_conf_free(conf);
}

TEST_EACH(before, after)

static void read_text(const char *text)
{
	char *copy = support_exact_copy(text, strlen(text));

	want_int(rsyslog_conf_read_text(copy, strlen(text), "M", &conf), 0);
	free(copy);
}

static const struct text_row {
	const char *label, *text, *want;
} text_rows[] = {
	{ "empty", "", "" },
	{ "comments", "# one\n/* two\n */ # three", "" },
	{ "what a user writes",
	  "module(load=\"imuxsock\" SysSock.UsePIDFromSystem=\"on\")   # best\n"
	  "module(load=\"omsmtpblock\")\n"
	  "mail.err action(type=\"omsmtpblock\")\n",
	  "1 module load=imuxsock SysSock.UsePIDFromSystem=on\n"
	  "2 module load=omsmtpblock\n"
	  "3 action {mail.err} type=omsmtpblock\n" },
	{ "over lines, with comments",
	  "action ( type = \"omsmtpblock\" # ) \n#\tlist=\"x\"\n /* list6=\"y\" */\n"
	  "banTime=\"60\", allow=[\"192.0.2.0/24\",\n # more\n\"::1\" ] )\nstop",
	  "1 action type=omsmtpblock banTime=60 allow=192.0.2.0/24,::1\n"
	  "7 statement \"stop\"\n" },
	{ "escapes", "template(name=\"a\\\"b\\\\c\\n\\101\\x42\\q\" string='it\\'s')",
	  "1 object template name=a\"b\\c\nABq string=it's\n" },
	{ "backticks and bare words", "global(a=`echo $X` b=5)",
	  "1 object global a=echo $X b=5\n" },
	{ "arrays", "input(type=\"imudp\" port=[\"1\" \"2\",\"3\",] x=[])",
	  "1 input type=imudp port=1,2,3 x=\n" },
	{ "stock Debian",
	  "$FileOwner root\n*.*;auth,authpriv.none\t\t-/var/log/syslog\n"
	  "mail.*  -/var/log/mail.log # here\n*.emerg :omusrmsg:*\n"
	  "$ModLoad imtcp\n$SystemLogRateLimitInterval 5 # s\n",
	  "1 directive FileOwner \"root\"\n"
	  "2 statement {*.*;auth,authpriv.none} \"-/var/log/syslog\"\n"
	  "3 statement {mail.*} \"-/var/log/mail.log\"\n"
	  "4 statement {*.emerg} \":omusrmsg:*\"\n"
	  "5 module load=imtcp\n"
	  "6 directive SystemLogRateLimitInterval \"5\"\n" },
	{ "selector over lines", "*.info;\\\n\tmail.none /var/log/messages\n",
	  "2 statement {*.info;mail.none} \"/var/log/messages\"\n" },
	{ "and",
	  "mail.err action(type=\"omsmtpblock\")\n& action(type=\"omfile\" file=\"x\")\n"
	  "# no filter any more\n& stop\nkern.* ~\n",
	  "1 action {mail.err} type=omsmtpblock\n"
	  "2 action {mail.err} type=omfile file=x\n"
	  "4 statement {mail.err} \"stop\"\n"
	  "5 statement {kern.*} \"~\"\n" },
	{ "and, behind no filter", "action(type=\"a\")\n& action(type=\"b\")\n& stop",
	  "1 action type=a\n2 action type=b\n3 statement \"stop\"\n" },
	{ "property filter",
	  ":msg, contains, \"then \\\" {\" @@host:10514\n& stop\n",
	  "1 statement {:msg, contains, \"then \\\" {\"} \"@@host:10514\"\n"
	  "2 statement {:msg, contains, \"then \\\" {\"} \"stop\"\n" },
	{ "if",
	  "if $programname == 'courieresmtpd'  /* then */\n and $msg contains \"then \" then {\n"
	  "  mail.err action(type=\"omsmtpblock\")\n  stop\n} else if 1 then stop\n"
	  "else action(type=\"omfile\")\naction(type=\"omfwd\")",
	  "3 action {if $programname == 'courieresmtpd' and $msg contains \"then \"} {mail.err} "
	  "type=omsmtpblock\n"
	  "4 statement {if $programname == 'courieresmtpd' and $msg contains \"then \"} "
	  "\"stop\"\n"
	  "5 statement {else $programname == 'courieresmtpd' and $msg contains \"then \"} "
	  "{if 1} \"stop\"\n"
	  "6 action {else $programname == 'courieresmtpd' and $msg contains \"then \"} "
	  "{else 1} type=omfile\n"
	  "7 action type=omfwd\n" },
	{ "if without blanks", "if($a)then{stop}", "1 statement {if ($a)} \"stop\"\n" },
	{ "if, then an action in the old form",
	  "if $syslogfacility-text == 'mail' then /var/log/mail.log\nstop\n",
	  "1 statement {if $syslogfacility-text == 'mail'} \"/var/log/mail.log\"\n"
	  "2 statement \"stop\"\n" },
	{ "script",
	  "set $.x = \"a;b\";\nunset $.x;\ncall  relay\ncall_indirect $.r;\n"
	  "foreach ($.i in $!list) do { stop }\nreload_lookup_table(\"t\")\n",
	  "1 statement \"set $.x = \"a;b\"\"\n2 statement \"unset $.x\"\n"
	  "3 statement \"call relay\"\n4 statement \"call_indirect $.r\"\n"
	  "5 statement {foreach $.i in $!list} \"stop\"\n"
	  "6 object reload_lookup_table\n"
	  "M line 6: name=\"value\" or ) expected\n" },
	{ "ruleset",
	  "ruleset(name=\"in\" queue.type=\"LinkedList\") {\n mail.err {\n"
	  "action(type=\"omsmtpblock\" config.enabled=\"off\") } }\n"
	  "input(type=\"imudp\" ruleset=\"in\")\n"
	  "if 1 then { ruleset(name=\"b\") { stop } stop }\n",
	  "1 ruleset name=in queue.type=LinkedList\n"
	  "3 action {mail.err} type=omsmtpblock config.enabled=off in in off\n"
	  "4 input type=imudp ruleset=in\n"
	  "5 ruleset {if 1} name=b\n"
	  "5 statement \"stop\" in b\n5 statement {if 1} \"stop\"\n" },
	{ "ruleset in the old form", "$RuleSet a\nstop\n$RuleSet RSYSLOG_DefaultRuleset\nstop\n",
	  "1 directive RuleSet \"a\"\n2 statement \"stop\" in a\n"
	  "3 directive RuleSet \"RSYSLOG_DefaultRuleset\" in a\n4 statement \"stop\"\n" },
	{ "list templates are passed over",
	  "template(name=\"t\" type=\"list\") { constant(value=\"}\") # }\n"
	  " property(name=\"msg\") { } }\nstop",
	  "1 object template name=t type=list\n3 statement \"stop\"\n" },
	{ "included text", "mail.* include(text=\"stop\\naction(type='a')\")\n",
	  "1 include {mail.*} text=stop\naction(type='a')\n1 statement {mail.*} \"stop\"\n"
	  "2 action {mail.*} type=a\n" },
	{ "missing files",
	  "include(file=\"/nowhere/a.conf\")\ninclude(file=\"/nowhere/b\" mode=\"optional\")\n"
	  "$IncludeConfig /nowhere/*.conf\n",
	  "1 include file=/nowhere/a.conf\n2 include file=/nowhere/b mode=optional\n"
	  "3 include file=/nowhere/*.conf\n"
	  "M line 1: /nowhere/a.conf: No such file or directory\n" },
	{ "broken: string", "action(type=\"omsmtpblock", "1 action\n"
	  "M line 1: name=\"value\" or ) expected\n" },
	{ "broken: parameter", "action(type) stop\naction(= \"x\" y=\"z\")\nstop",
	  "1 action\n1 statement \"stop\"\n2 action\n3 statement \"stop\"\n"
	  "M line 1: name=\"value\" or ) expected\nM line 2: name=\"value\" or ) expected\n" },
	{ "broken: braces", "}\nmail.err {\nstop\n",
	  "3 statement {mail.err} \"stop\"\n"
	  "M line 1: } without its {\nM line 2: { without its }\n" },
	{ "broken: if", "if 1 stop\n", "M line 1: if without its then\n" },
	{ "broken: nothing behind a filter", "mail.err \n",
	  "M line 2: nothing follows mail.err\n" },
	{ "broken: property", ":msg, contains, x\nstop",
	  "2 statement \"stop\"\nM line 1: a property filter ends with a \"string\"\n" },
};

TEST_ROWS(reads_text, text_rows)
{
	struct dump dump = { .used = 0 };

	read_text(row->text);
	dump_conf(&dump);
	want_str(dump.text, row->want);
}

TEST(follows_includes)
{
	char *dir = temp_dir_new(), path[256], text[640];
	struct dump dump = { .used = 0 };

	snprintf(path, sizeof(path), "%s/d/20.conf", dir);
	temp_file_write(path, "mail.err action(type=\"omsmtpblock\" list=\"b\")\n");
	snprintf(path, sizeof(path), "%s/d/10.conf", dir);
	temp_file_write(path, "\nmodule(load=\"/usr/lib/omsmtpblock.so\")\n");
	snprintf(path, sizeof(path), "%s/d/30.other", dir);
	temp_file_write(path, "stop");
	snprintf(path, sizeof(path), "%s/main.conf", dir);
	snprintf(text, sizeof(text), "include(file=\"%s/d/*.conf\")\nstop\n$IncludeConfig %s/d/\n",
		 dir, dir);
	temp_file_write(path, text);
	want_int(rsyslog_conf_read(path, &conf, errbuf), 0);
	want_int(rsyslog_conf_count(conf), 8);
	want_str(rsyslog_conf_value(rsyslog_conf_at(conf, 1), "LOAD"), "/usr/lib/omsmtpblock.so");
	want_int(rsyslog_conf_at(conf, 1)->line, 2);
	want_str(strrchr(rsyslog_conf_at(conf, 1)->file, '/'), "/10.conf");
	want_str(strrchr(rsyslog_conf_at(conf, 2)->file, '/'), "/20.conf");
	want_str(rsyslog_conf_at(conf, 3)->text, "stop");
	want_str(rsyslog_conf_at(conf, 7)->text, "stop");
	dump_conf(&dump);
	want_str(rsyslog_conf_problem(conf, 0), NULL);
	temp_dir_remove(dir);
}

static bool has_problem(const char *what)
{
	const char *problem;
	size_t i;

	for (i = 0; (problem = rsyslog_conf_problem(conf, i)); i++)
		if (strstr(problem, what))
			return true;
	return false;
}

/* A file that includes itself, twice. */
TEST(endless_includes_end)
{
	char *dir = temp_dir_new(), path[256], text[640];

	snprintf(path, sizeof(path), "%s/a.conf", dir);
	snprintf(text, sizeof(text), "include(file=\"%s\")\n$IncludeConfig %s\n", path, path);
	temp_file_write(path, text);
	want_int(rsyslog_conf_read(path, &conf, errbuf), 0);
	want_int(has_problem("includes too deep"), true);
	want_int(has_problem("too many included files"), true);
	temp_dir_remove(dir);
}

TEST(missing_file_is_told)
{
	want_int(rsyslog_conf_read("/nowhere/rsyslog.conf", &conf, errbuf), -ENOENT);
	want_str(errbuf, "/nowhere/rsyslog.conf: No such file or directory");
	want_int(rsyslog_conf_read("/", &conf, errbuf), -EISDIR);
	want_str(errbuf, "/: Is a directory");
}

/* The same bytes n times. */
static void read_many(const char *bytes, size_t n)
{
	size_t len = strlen(bytes), i;
	char *text = malloc(n * len);

	for (i = 0; i < n; i++)
		memcpy(text + i * len, bytes, len);
	want_int(rsyslog_conf_read_text(text, n * len, "M", &conf), 0);
	free(text);
}

static const char *const nested[] = { "mail.err {", "mail.err ", "if 1 then ",
				      "if 1 then stop else " };

TEST_ROWS_AS(depth_is_bounded, nested, "%s", *row)
{
	read_many(*row, 100000);
	want_str(rsyslog_conf_problem(conf, 0), "M line 1: too deep");
}

TEST(number_is_bounded)
{
	read_many("stop\n", RSYSLOG_CONF_OBJECTS_MAX + 10);
	want_int(rsyslog_conf_count(conf), RSYSLOG_CONF_OBJECTS_MAX);
	want_str(rsyslog_conf_problem(conf, 0), "M line 100001: too many objects");
	want_str(rsyslog_conf_problem(conf, 1), NULL);
}

/* Valid text with bytes changed or cut off: the parser ends and stays within bounds, which
 * sanitizers check. */
TEST(survives_garbage)
{
	static const char bytes[] = "\"'`(){}[]&$:\\#/*=,;\n \0ax";
	uint64_t random = 5;
	size_t i, j, len;
	char *text;

	for (i = 0; i < 20000; i++) {
		const char *good = text_rows[i % COUNT_OF(text_rows)].text;

		len = strlen(good);
		len -= len ? support_random(&random) % len : 0;
		text = support_exact_copy(good, len);
		for (j = 0; j < 4 && len > 0; j++)
			text[support_random(&random) % len] =
				bytes[support_random(&random) % (sizeof(bytes) - 1)];
		want_int(rsyslog_conf_read_text(text, len, "M", &conf), 0);
		after();
		before();
		free(text);
	}
}

TEST(finds_by_type)
{
	static const char text[] =
		"module(load=\"omsmtpblock2\")\naction(type=\"omfile\")\n"
		"action(type=\"OMsmtpblock\" list=\"a\")\n"
		"action(type=\"omsmtpblock\" list=\"b\" config.enabled=\"off\")\n"
		"module(load=\"/x/omsmtpblock.so\")\naction(type=\"omsmtpblock\" list=\"c\")\n";
	size_t from = 0;

	read_text(text);
	want_int(rsyslog_conf_next(conf, RSYSLOG_CONF_ACTION, "omsmtpblock", &from)->line, 3);
	want_int(rsyslog_conf_next(conf, RSYSLOG_CONF_ACTION, "omsmtpblock", &from)->line, 6);
	want_int(rsyslog_conf_next(conf, RSYSLOG_CONF_ACTION, "omsmtpblock", &from) == NULL, true);
	from = 0;
	want_int(rsyslog_conf_next(conf, RSYSLOG_CONF_MODULE, "omsmtpblock", &from)->line, 5);
	want_int(rsyslog_conf_next(conf, RSYSLOG_CONF_MODULE, "omsmtpblock", &from) == NULL, true);
}

static const struct file_row {
	const char *label, *text, *want;	/* NULL: it writes none */
} file_rows[] = {
	{ "omfile", "action(type=\"omfile\" file=\"/var/log/a;b\")", "/var/log/a;b" },
	{ "in any case", "action(TYPE=\"omFile\" File=\"/ab\")", "/ab" },
	{ "off", "action(type=\"omfile\" file=\"/a\" config.enabled=\"off\")", NULL },
	{ "named by each message", "action(type=\"omfile\" dynaFile=\"a\")", NULL },
	{ "relative", "action(type=\"omfile\" file=\"a\")", NULL },
	{ "another module's", "action(type=\"ompipe\" file=\"/a\")", NULL },
	{ "the old form", "*.* /var/log/a", "/var/log/a" },
	{ "not synced, with a template", "*.* -/var/log/a;t", "/var/log/a" },
	{ "a host", "*.* @host", NULL },
	{ "a pipe", "*.* |/dev/xconsole", NULL },
	{ "a statement", "stop", NULL },
	{ "no action", "input(type=\"omfile\" file=\"/a\")", NULL },
};

TEST_ROWS(tells_the_file, file_rows)
{
	char path[16] = "";
	bool is_file;

	read_text(row->text);
	is_file = rsyslog_conf_file(rsyslog_conf_at(conf, 0), path, sizeof(path));
	want_str(is_file ? path : NULL, row->want);
	want_int(rsyslog_conf_file(rsyslog_conf_at(conf, 0), path, 2), false);
}

static const struct settings_row_ {
	const char *label, *text, *want;	/* NULL: they are good */
	unsigned int ban_time;			/* then */
	const char *list, *allowed;
} settings_rows_[] = {
	{ "defaults", "action(type=\"omsmtpblock\")", NULL, 600, "spammer", NULL },
	{ "rsyslog's own",
	  "action(name=\"n\" type=\"omsmtpblock\" queue.type=\"Direct\" "
	  "action.resumeRetryCount=\"-1\" config.enabled=\"on\" banTime=\"1200\")", NULL,
	  1200, "spammer", NULL },
	{ "several, in any case, one of them a list of values",
	  "action(TYPE=\"omsmtpblock\" BANTIME=\"7\" list=\"mine\" "
	  "allow=[\"192.0.2.7\", \"2001:db8::/32\"])", NULL, 7, "mine", "2001:db8::9" },
	{ "out of bounds", "action(type=\"omsmtpblock\"\n banTime=\"0\")",
	  "M line 2: parameter banTime: \"0\" is not allowed: write a number from 1 to "
	  "31536000 s", 0, NULL, NULL },
	{ "unknown", "\naction(type=\"omsmtpblock\" bantme=\"5\")",
	  "M line 2: there is no parameter bantme", 0, NULL, NULL },
	{ "together", "\naction(type=\"omsmtpblock\"\ninput=\"address\")",
	  "M line 2: input=\"address\" has no process to verify: write verify=\"none\" as well, "
	  "and let only trusted senders use this action", 0, NULL, NULL },
};

static void want_settings(struct settings *settings, const struct settings_row_ *row)
{
	struct addr addr;

	want_int(settings->ban_time, row->ban_time);
	want_str(settings->list, row->list);
	if (row->allowed) {
		want_int(addr_parse(row->allowed, strlen(row->allowed), &addr), 0);
		want_int(prefix_set_contains(settings->allow, &addr), true);
	}
	settings_done(settings);
}

TEST_ROWS(makes_settings, settings_rows_)
{
	struct settings settings;

	read_text(row->text);
	want_int(rsyslog_conf_settings(rsyslog_conf_at(conf, 0), &settings, errbuf),
		 row->want ? -EINVAL : 0);
	if (row->want)
		want_str(errbuf, row->want);
	else
		want_settings(&settings, row);
}

static int read_once(void *data)
{
	const char *text = *(const char **)data;
	struct rsyslog_conf *once;
	int r = rsyslog_conf_read_text(text, strlen(text), "M", &once);

	if (r == 0)
		rsyslog_conf_free(once);
	return r;
}

TEST_ROWS(lack_of_memory_is_told, text_rows)
{
	const char *text = row->text;

	want_int(memory_fail_each(read_once, &text) > 0, true);
}
