/* Tests of the filters before an action in rsyslog.conf.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/rsyslog_filter.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

/* A reject by courier, of severity err. */
static const struct specimen reject = {
	.facility = 2,
	.severity = 3,
	.program = "courieresmtpd",
	.message = "error,relay=::ffff:192.0.2.7,port=41703,from=<a@b>,to=<c@d>: 511 Listed",
};

/* Filters before an action that is in no block: the reject passes, does not pass, or that is
 * unknown. */
static const char *const passing[] = {
	"*.*", "mail.err", "mail.=err", "mail.*;mail.!=info", "mail.*;mail.!crit",
	"mail.none;mail.err", "auth,mail.info", "auth.none;*.err", "16.3", "MAIL.ERR", "mail.error",
	":programname, isequal, \"courieresmtpd\"", ":programname, !isequal, \"courier\"",
	":programname, startswith, \"courier\"", ":programname, contains, \"esmtp\"",
	":programname, !contains, \"imap\"", ":syslogtag, startswith, \"courieresmtpd\"",
	":syslogfacility-text, isequal, \"mail\"", ":syslogseverity-text, isequal, \"err\"",
	":syslogseverity, isequal, \"3\"", ":msg, contains, \"error,relay=\"",
	"if $syslogfacility-text == 'mail' then", "if $syslogfacility-text <> \"auth\" then",
	"if $syslogfacility == 2 and $syslogseverity <= 3 then", "if $syslogseverity < 4 then",
	"if $syslogseverity > 2 then", "if $syslogseverity >= 3 then",
	"if $syslogseverity == '3' then", "if $pri == 19 then",
	"if not ($programname == 'cron') then",
	"if $programname == 'cron' or $syslogfacility-text == 'mail' then",
	"if $x == 1 or $programname == 'courieresmtpd' then",
	"if $programname == ['cron', 'courieresmtpd'] then",
	"if $programname startswith 'courier' then", "if $programname startswith_i 'COURIER' then",
	"if $programname contains_i 'ESMTP' then", "if $msg contains 'relay=' then",
	"if prifilt(\"mail.err\") then",
	"if prifilt(\"mail.err\") and not prifilt(\"*.crit\") then", "if 1 then",
};
static const char *const stopping[] = {
	"mail.crit", "mail.=info", "mail.!err", "mail.*;mail.!err", "mail.*;mail.!=err",
	"mail.*;mail.!*", "*.*;mail.none", "auth.*", "16.2", ":programname, isequal, \"courier\"",
	":programname, startswith, \"Courier\"", ":programname, contains, \"imap\"",
	":syslogseverity-text, isequal, \"info\"", ":syslogseverity, !isequal, \"3\"",
	":msg, !contains, \"error,relay=\"", "if $syslogfacility-text != 'mail' then",
	"if $syslogseverity < 3 then", "if $syslogseverity > 3 then",
	"if $syslogseverity >= 4 then", "if $syslogseverity <= 2 then",
	"if $syslogseverity != 3 then", "if $syslogseverity == $syslogfacility then",
	"if not not $programname == 'cron' then",
	"if $programname == 'cron' or $syslogfacility-text == 'auth' then",
	"if $programname == 'cron' and $x == 1 then",
	"if $programname == 'a' or $programname == 'b' and $x == 1 then",
	"if $programname == ['cron', 'sshd'] then", "if $programname contains 'COURIER' then",
	"if prifilt('mail.crit') then", "if 0 then",
};
static const char *const unsure[] = {
	":programname, regex, \"c.*\"", ":syslogtag, isequal, \"courieresmtpd:\"",
	":msg, contains, \"198.51.100.1\"", ":hostname, isequal, \"mx\"",
	"if $x == 1 and $programname == 'courieresmtpd' then",
	"if $x == 1 or $programname == 'cron' then", "if not ($x == 1) then",
	"if $msg contains 'spam' then", "if re_match($msg, 'a(b') then", "if $!uid == 102 then",
};

/* Is the action of this text reached? */
static enum answer ask(const char *text)
{
	const struct rsyslog_conf_item *item;
	struct rsyslog_conf *conf;
	enum answer answer;
	size_t from = 0;

	want_int(rsyslog_conf_read_text(text, strlen(text), "test", &conf), 0);
	item = rsyslog_conf_next(conf, RSYSLOG_CONF_ACTION, "omx", &from);
	assert_non_null(item);
	answer = rsyslog_filter_passes(item->filter, &reject);
	rsyslog_conf_free(conf);
	return answer;
}

static enum answer ask_filter(const char *filter)
{
	char text[512];

	snprintf(text, sizeof(text), "%s action(type=\"omx\")\n", filter);
	return ask(text);
}

TEST_ROWS_AS(passes, passing, "%s", *row)
{
	want_int(ask_filter(*row), ANSWER_YES);
}

TEST_ROWS_AS(stops, stopping, "%s", *row)
{
	want_int(ask_filter(*row), ANSWER_NO);
}

TEST_ROWS_AS(is_unsure, unsure, "%s", *row)
{
	want_int(ask_filter(*row), ANSWER_UNSURE);
}

TEST(test_no_filter)
{
	want_int(ask("action(type=\"omx\")\n"), ANSWER_YES);
}

/* All filters around it must pass. */
TEST(test_outer)
{
	want_int(ask("mail.* {\nif $syslogseverity <= 3 then {\naction(type=\"omx\")\n}\n}\n"),
		 ANSWER_YES);
	want_int(ask("auth.* {\nif $syslogseverity <= 3 then {\naction(type=\"omx\")\n}\n}\n"),
		 ANSWER_NO);
	want_int(ask("if $x == 1 then {\nmail.* action(type=\"omx\")\n}\n"), ANSWER_UNSURE);
}

TEST(test_else)
{
	want_int(ask("if $programname == 'cron' then {\nstop\n} else {\naction(type=\"omx\")\n}\n"),
		 ANSWER_YES);
	want_int(ask("if $syslogfacility == 2 then {\nstop\n} else {\naction(type=\"omx\")\n}\n"),
		 ANSWER_NO);
}

/* Any depth of nesting is handled. */
TEST(test_depth)
{
	char text[4096] = "if ";
	size_t len = 3;

	memset(text + len, '(', 1000);
	len += 1000;
	len += (size_t)sprintf(text + len, "1");
	memset(text + len, ')', 1000);
	sprintf(text + len + 1000, " then action(type=\"omx\")\n");
	want_int(ask(text), ANSWER_UNSURE);
}
