/* Tests of the filters: those that an rsyslog.conf has in front of an action.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/rsyslog_filter.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

/* A reject of courier's, of severity err. */
static const struct specimen reject = {
	.facility = 2,
	.severity = 3,
	.program = "courieresmtpd",
	.message = "error,relay=::ffff:192.0.2.7,port=41703,from=<a@b>,to=<c@d>: 511 Listed",
};

struct row {
	const char *label;	/* the filter */
	enum answer want;
};

/* What stands in front of an action that is in no block. */
static const struct row rows[] = {
	{ "*.*", ANSWER_YES },
	{ "mail.err", ANSWER_YES },
	{ "mail.crit", ANSWER_NO },
	{ "mail.=err", ANSWER_YES },
	{ "mail.=info", ANSWER_NO },
	{ "mail.!err", ANSWER_NO },
	{ "mail.*;mail.!err", ANSWER_NO },
	{ "mail.*;mail.!=err", ANSWER_NO },
	{ "mail.*;mail.!=info", ANSWER_YES },
	{ "mail.*;mail.!crit", ANSWER_YES },
	{ "mail.*;mail.!*", ANSWER_NO },
	{ "*.*;mail.none", ANSWER_NO },
	{ "mail.none;mail.err", ANSWER_YES },
	{ "auth.*", ANSWER_NO },
	{ "auth,mail.info", ANSWER_YES },
	{ "auth.none;*.err", ANSWER_YES },
	{ "16.3", ANSWER_YES },
	{ "16.2", ANSWER_NO },
	{ "MAIL.ERR", ANSWER_YES },
	{ "mail.error", ANSWER_YES },
	{ ":programname, isequal, \"courieresmtpd\"", ANSWER_YES },
	{ ":programname, isequal, \"courier\"", ANSWER_NO },
	{ ":programname, !isequal, \"courier\"", ANSWER_YES },
	{ ":programname, startswith, \"courier\"", ANSWER_YES },
	{ ":programname, startswith, \"Courier\"", ANSWER_NO },
	{ ":programname, contains, \"esmtp\"", ANSWER_YES },
	{ ":programname, contains, \"imap\"", ANSWER_NO },
	{ ":programname, !contains, \"imap\"", ANSWER_YES },
	{ ":programname, regex, \"c.*\"", ANSWER_UNSURE },
	{ ":syslogtag, isequal, \"courieresmtpd:\"", ANSWER_UNSURE },
	{ ":syslogtag, startswith, \"courieresmtpd\"", ANSWER_YES },
	{ ":syslogfacility-text, isequal, \"mail\"", ANSWER_YES },
	{ ":syslogseverity-text, isequal, \"err\"", ANSWER_YES },
	{ ":syslogseverity-text, isequal, \"info\"", ANSWER_NO },
	{ ":syslogseverity, isequal, \"3\"", ANSWER_YES },
	{ ":syslogseverity, !isequal, \"3\"", ANSWER_NO },
	{ ":msg, contains, \"error,relay=\"", ANSWER_YES },
	{ ":msg, contains, \"198.51.100.1\"", ANSWER_UNSURE },
	{ ":msg, !contains, \"error,relay=\"", ANSWER_NO },
	{ ":hostname, isequal, \"mx\"", ANSWER_UNSURE },
	{ "if $syslogfacility-text == 'mail' then", ANSWER_YES },
	{ "if $syslogfacility-text != 'mail' then", ANSWER_NO },
	{ "if $syslogfacility-text <> \"auth\" then", ANSWER_YES },
	{ "if $syslogfacility == 2 and $syslogseverity <= 3 then", ANSWER_YES },
	{ "if $syslogseverity < 3 then", ANSWER_NO },
	{ "if $syslogseverity < 4 then", ANSWER_YES },
	{ "if $syslogseverity > 2 then", ANSWER_YES },
	{ "if $syslogseverity > 3 then", ANSWER_NO },
	{ "if $syslogseverity >= 3 then", ANSWER_YES },
	{ "if $syslogseverity >= 4 then", ANSWER_NO },
	{ "if $syslogseverity <= 2 then", ANSWER_NO },
	{ "if $syslogseverity != 3 then", ANSWER_NO },
	{ "if $syslogseverity == '3' then", ANSWER_YES },
	{ "if $pri == 19 then", ANSWER_YES },
	{ "if $syslogseverity == $syslogfacility then", ANSWER_NO },
	{ "if not ($programname == 'cron') then", ANSWER_YES },
	{ "if not not $programname == 'cron' then", ANSWER_NO },
	{ "if $programname == 'cron' or $syslogfacility-text == 'mail' then", ANSWER_YES },
	{ "if $programname == 'cron' or $syslogfacility-text == 'auth' then", ANSWER_NO },
	{ "if $programname == 'cron' and $x == 1 then", ANSWER_NO },
	{ "if $x == 1 and $programname == 'courieresmtpd' then", ANSWER_UNSURE },
	{ "if $x == 1 or $programname == 'courieresmtpd' then", ANSWER_YES },
	{ "if $x == 1 or $programname == 'cron' then", ANSWER_UNSURE },
	{ "if not ($x == 1) then", ANSWER_UNSURE },
	{ "if $programname == 'a' or $programname == 'b' and $x == 1 then", ANSWER_NO },
	{ "if $programname == ['cron', 'courieresmtpd'] then", ANSWER_YES },
	{ "if $programname == ['cron', 'sshd'] then", ANSWER_NO },
	{ "if $programname startswith 'courier' then", ANSWER_YES },
	{ "if $programname startswith_i 'COURIER' then", ANSWER_YES },
	{ "if $programname contains 'COURIER' then", ANSWER_NO },
	{ "if $programname contains_i 'ESMTP' then", ANSWER_YES },
	{ "if $msg contains 'relay=' then", ANSWER_YES },
	{ "if $msg contains 'spam' then", ANSWER_UNSURE },
	{ "if prifilt(\"mail.err\") then", ANSWER_YES },
	{ "if prifilt('mail.crit') then", ANSWER_NO },
	{ "if prifilt(\"mail.err\") and not prifilt(\"*.crit\") then", ANSWER_YES },
	{ "if re_match($msg, 'a(b') then", ANSWER_UNSURE },
	{ "if $!uid == 102 then", ANSWER_UNSURE },
	{ "if 1 then", ANSWER_YES },
	{ "if 0 then", ANSWER_NO },
};

/* Is the action of this text reached? */
static enum answer ask(const char *text, const struct specimen *specimen)
{
	const struct rsyslog_conf_item *item;
	struct rsyslog_conf *conf;
	enum answer answer;
	size_t from = 0;

	want_int(rsyslog_conf_read_text(text, strlen(text), "test", &conf), 0);
	item = rsyslog_conf_next(conf, RSYSLOG_CONF_ACTION, "omx", &from);
	assert_non_null(item);
	answer = rsyslog_filter_passes(item->filter, specimen);
	rsyslog_conf_free(conf);
	return answer;
}

TEST_ROWS(test_filter, rows)
{
	char text[512];

	snprintf(text, sizeof(text), "%s action(type=\"omx\")\n", row->label);
	want_int(ask(text, &reject), row->want);
}

TEST(test_no_filter)
{
	want_int(ask("action(type=\"omx\")\n", &reject), ANSWER_YES);
}

/* All that stand around it have to hold. */
TEST(test_outer)
{
	want_int(ask("mail.* {\nif $syslogseverity <= 3 then {\naction(type=\"omx\")\n}\n}\n",
		     &reject), ANSWER_YES);
	want_int(ask("auth.* {\nif $syslogseverity <= 3 then {\naction(type=\"omx\")\n}\n}\n",
		     &reject), ANSWER_NO);
	want_int(ask("if $x == 1 then {\nmail.* action(type=\"omx\")\n}\n", &reject),
		 ANSWER_UNSURE);
}

TEST(test_else)
{
	want_int(ask("if $programname == 'cron' then {\nstop\n} else {\naction(type=\"omx\")\n}\n",
		     &reject), ANSWER_YES);
	want_int(ask("if $syslogfacility == 2 then {\nstop\n} else {\naction(type=\"omx\")\n}\n",
		     &reject), ANSWER_NO);
}

/* However deep it goes, it comes back. */
TEST(test_depth)
{
	char text[4096] = "if ";
	size_t len = 3;

	memset(text + len, '(', 1000);
	len += 1000;
	len += (size_t)sprintf(text + len, "1");
	memset(text + len, ')', 1000);
	sprintf(text + len + 1000, " then action(type=\"omx\")\n");
	want_int(ask(text, &reject), ANSWER_UNSURE);
}
