/* rsyslog's configuration: does the action get the lines it needs?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/array.h"
#include "tool/check/checks.h"
#include "tool/read/rsyslog_filter.h"

#define PLACE_SIZE 600
#define PROBLEMS_MAX 3
#define DEPTH_MAX 8

/* Lines per second in a busy wave: 20 connections with some lines each. */
#define WAVE_LINES 100

/* --- the file ------------------------------------------------------------ */

static void check_problems(struct checks *checks)
{
	const char *problem;
	size_t i;

	for (i = 0; i < PROBLEMS_MAX; i++) {
		problem = rsyslog_conf_problem(checks->host->conf, i);
		if (!problem)
			return;
		check_warning(checks, "rsyslog.config", "rsyslogd -N1", "%s", problem);
	}
}

static void check_file(struct checks *checks)
{
	const struct host *host = checks->host;

	if (!host->conf) {
		check_broken(checks, "rsyslog.config", "smtpblockctl --config FILE check", "%s",
			     host->conf_error);
		return;
	}
	check_problems(checks);
	if (!rsyslog_conf_problem(host->conf, 0))
		check_ok(checks, "rsyslog.config", "%s was read", host->context->config);
}

/* Is the module file in one of the directories that rsyslogd may search? The package's own,
 * then those of distributions. */
static bool has_module_file(const struct host *host, const char *name,
			    char path[static PATH_MAX])
{
	static const char *const dirs[] = {
		MODULE_DIR,
		"/usr/lib/x86_64-linux-gnu/rsyslog",
		"/usr/lib/aarch64-linux-gnu/rsyslog",
		"/usr/lib64/rsyslog",
		"/usr/lib/rsyslog",
		"/usr/local/lib/rsyslog",
	};
	char file[PATH_MAX];
	size_t i;

	if (name[0] == '/')
		return access(host_path(host, name, path), R_OK) == 0;
	for (i = 0; i < COUNT_OF(dirs); i++) {
		snprintf(file, sizeof(file), "%s/%s.so", dirs[i], name);
		if (access(host_path(host, file, path), R_OK) == 0)
			return true;
	}
	return false;
}

static void check_module(struct checks *checks)
{
	const struct rsyslog_conf_item *item = host_module(checks->host, "omsmtpblock");
	char path[PATH_MAX], place[PLACE_SIZE];
	const char *name;

	if (!item) {
		check_broken(checks, "rsyslog.module",
			     "write  module(load=\"omsmtpblock\")  into rsyslog's configuration",
			     "the module is not loaded");
		return;
	}
	check_place(item, place, sizeof(place));
	name = rsyslog_conf_value(item, "load");
	if (name && has_module_file(checks->host, name, path))
		check_ok(checks, "rsyslog.module", "%s loads %s", place, path);
	else
		check_broken(checks, "rsyslog.module",
			     "install it where rsyslogd looks for modules, or write its full path",
			     "%s loads %s, which is not there", place, name ? name : "nothing");
}

/* Does an earlier action write to its lists, with other parameters? */
static void check_clash(struct checks *checks, const struct host_action *action)
{
	char text[SETTINGS_CLASH_SIZE], place[PLACE_SIZE];
	const struct host_action *earlier;

	for (earlier = checks->host->actions; earlier < action; earlier++) {
		if (earlier->error[0] ||
		    !settings_clash(&earlier->settings, &action->settings, text))
			continue;
		check_warning(checks, "rsyslog.settings", "", "%s: %s",
			      check_place(action->item, place, sizeof(place)), text);
		return;
	}
}

static void check_action(struct checks *checks, const struct host_action *action)
{
	char place[PLACE_SIZE];
	const char *warning;
	unsigned int i;

	if (!action->item) {
		check_broken(checks, "rsyslog.action",
			     "write  mail.err action(type=\"omsmtpblock\")  into rsyslog's "
			     "configuration",
			     "there is no action of type omsmtpblock");
		return;
	}
	if (action->error[0]) {
		check_broken(checks, "rsyslog.action", "rsyslogd -N1", "%s", action->error);
		return;
	}
	check_ok(checks, "rsyslog.action", "%s, lists %s and %s",
		 check_place(action->item, place, sizeof(place)), action->settings.list,
		 action->settings.list6);
	for (i = 0; (warning = settings_warning(&action->settings, i)) != NULL; i++)
		check_warning(checks, "rsyslog.settings", "", "%s: %s", place, warning);
	if (action->settings.dry_run)
		check_warning(checks, "rsyslog.settings", "take dryRun out of the action",
			      "%s: dryRun is on, nobody is blocked", place);
	if (action->settings.backend == BACKEND_NULL)
		check_warning(checks, "rsyslog.settings", "take backend out of the action",
			      "%s: backend=\"null\" blocks nobody", place);
	check_clash(checks, action);
}

void check_rsyslog_conf(struct checks *checks)
{
	const struct host *host = checks->host;
	size_t i;

	check_file(checks);
	if (!host->conf)
		return;
	check_module(checks);
	for (i = 0; i < host->action_count; i++)
		check_action(checks, &host->actions[i]);
}

/* --- where lines come in ------------------------------------------------- */

static bool is_journald_there(const struct host *host)
{
	char path[PATH_MAX];

	return access(host_path(host, "/run/systemd/journal/dev-log", path), F_OK) == 0;
}

/* Without the sender's credentials any local user can get a connected client blocked. */
static bool trigger_wants_credentials(const struct settings *settings)
{
	return settings->verify != VERIFY_NONE && settings->trigger != TRIGGER_DNSBL &&
	       settings->trigger != TRIGGER_CONNECT;
}

/* With the sender's credentials, imuxsock reads /proc of every sender; a sender can make
 * this wait as long as it likes. */
static void check_trade(struct checks *checks, const struct settings *settings,
			const char *place)
{
	if (settings->verify == VERIFY_SENDER || trigger_wants_credentials(settings))
		check_ok(checks, "rsyslog.credentials",
			 "%s: the kernel says who logs, which this action needs; any local user "
			 "can stop rsyslogd's input, see SECURITY",
			 place);
	else
		check_warning(checks, "rsyslog.credentials",
			      "take SysSock.Annotate and SysSock.ParseTrusted out, unless you "
			      "trust all local users",
			      "%s: the kernel says who logs, but any local user can stop "
			      "rsyslogd's input, see SECURITY",
			      place);
}

static void check_no_credentials(struct checks *checks, const struct settings *settings,
				 const char *place)
{
	if (settings->verify == VERIFY_SENDER)
		check_broken(checks, "rsyslog.credentials",
			     CHECK_CREDENTIALS "  (" CHECK_TRADE ")",
			     "%s: verify=\"sender\" needs to know the sender", place);
	else if (trigger_wants_credentials(settings))
		check_warning(checks, "rsyslog.credentials",
			      CHECK_CREDENTIALS "  (" CHECK_TRADE ")",
			      "%s does not pass on who logs: with this trigger any local user can "
			      "have a connected client blocked",
			      place);
	else
		check_ok(checks, "rsyslog.credentials",
			 "%s does not pass on who logs, and this action does without it", place);
}

static void check_credentials(struct checks *checks, const struct settings *settings,
			      const struct rsyslog_conf_item *item)
{
	bool annotate = rsyslog_conf_is_on(item, "SysSock.Annotate", false);
	bool parse = rsyslog_conf_is_on(item, "SysSock.ParseTrusted", false);
	char place[PLACE_SIZE];

	check_place(item, place, sizeof(place));
	if (annotate && parse)
		check_trade(checks, settings, place);
	else if (annotate)
		check_broken(checks, "rsyslog.credentials",
			     "take SysSock.Annotate out, or write SysSock.ParseTrusted=\"on\" "
			     "beside it  (" CHECK_TRADE ")",
			     "%s: Annotate without ParseTrusted writes the sender into the "
			     "message, as anybody could",
			     place);
	else
		check_no_credentials(checks, settings, place);
}

static long number_of(const struct rsyslog_conf_item *item, const char *name, long otherwise)
{
	const char *text = rsyslog_conf_value(item, name);

	return text ? strtol(text, NULL, 10) : otherwise;
}

/* imuxsock counts lines per process, and an smtpd logs few. But if journald or courierlogger
 * passes the lines on, all of them come from that one process. */
static void check_socket_limit(struct checks *checks, const struct rsyslog_conf_item *item)
{
	long interval = number_of(item, "SysSock.RateLimit.Interval", 0);
	long burst = number_of(item, "SysSock.RateLimit.Burst", 200);
	bool shared = is_journald_there(checks->host) || host_drops(checks->host);
	long least = shared ? WAVE_LINES * interval : 20;
	char place[PLACE_SIZE];

	check_place(item, place, sizeof(place));
	if (interval <= 0)
		check_ok(checks, "rsyslog.ratelimit", "imuxsock drops no lines");
	else if (burst < least)
		check_warning(checks, "rsyslog.ratelimit",
			      "write SysSock.RateLimit.Interval=\"0\" where imuxsock is loaded",
			      "%s: imuxsock drops what is more than %ld lines in %ld s of %s",
			      place, burst, interval,
			      shared ? "one process, through which all of a wave comes" :
				       "one child");
	else
		check_ok(checks, "rsyslog.ratelimit",
			 "imuxsock takes %ld lines in %ld s of one process", burst, interval);
}

static void check_journal_limit(struct checks *checks, const struct rsyslog_conf_item *item)
{
	long interval = number_of(item, "Ratelimit.Interval", 600);
	long burst = number_of(item, "Ratelimit.Burst", 20000);
	char place[PLACE_SIZE];

	if (interval <= 0 || burst >= WAVE_LINES * interval)
		check_ok(checks, "rsyslog.ratelimit", "imjournal drops no lines of a wave");
	else
		check_warning(checks, "rsyslog.ratelimit",
			      "write Ratelimit.Interval=\"0\" where imjournal is loaded",
			      "%s: imjournal drops what is more than %ld lines in %ld s of all",
			      check_place(item, place, sizeof(place)), burst, interval);
}

void check_inputs(struct checks *checks, const struct host_action *action)
{
	const struct settings *settings = &action->settings;
	const struct rsyslog_conf_item *socket = host_module(checks->host, "imuxsock");
	const struct rsyslog_conf_item *journal = host_module(checks->host, "imjournal");

	if (!action->item || settings->input != INPUT_COURIER)
		return;
	if (host_takes_socket(socket)) {
		check_credentials(checks, settings, socket);
		check_socket_limit(checks, socket);
	}
	if (journal)
		check_journal_limit(checks, journal);
	if (journal && !host_takes_socket(socket))
		check_ok(checks, "rsyslog.credentials", "the journal says who logs");
	if (!journal && !host_takes_socket(socket) && settings->verify != VERIFY_NONE)
		check_broken(checks, "rsyslog.input", "module(load=\"imuxsock\")",
			     "neither imuxsock nor imjournal is loaded: nothing that courier logs "
			     "comes in");
}

/* --- statements before the action ---------------------------------------- */

/* A kind of line that the trigger needs. */
struct need {
	int trigger;
	bool drop;	/* only if courier drops connections itself */
	int severity;
	const char *selector;
	const char *message;
};

static const struct need needs[] = {
	{ TRIGGER_DNSBL, false, LOG_ERR, "mail.err",
	  "error,relay=::ffff:192.0.2.7,port=41703,from=<a@b.example>,to=<c@d.example>: 511 " },
	{ TRIGGER_DNSBL, true, LOG_WARNING, "mail.warning",
	  "dropped blocked connection from ::ffff:192.0.2.7" },
	{ TRIGGER_REJECT, false, LOG_ERR, "mail.err",
	  "error,relay=::ffff:192.0.2.7,port=41703,from=<a@b.example>,to=<c@d.example>: 5" },
	{ TRIGGER_CONNECT, false, LOG_INFO, "mail.info",
	  "started,ip=[::ffff:192.0.2.7],port=[41703]" },
	{ TRIGGER_AUTH, false, LOG_INFO, "mail.info",
	  "error,relay=::ffff:192.0.2.7,port=41703,msg=\"535 Authentication failed.\",cmd: " },
	{ TRIGGER_RELAY, false, LOG_ERR, "mail.err",
	  "error,relay=::ffff:192.0.2.7,port=41703,from=<a@b.example>,to=<c@d.example>: 513 " },
	{ TRIGGER_PROTOCOL, false, LOG_INFO, "mail.info",
	  "error,relay=::ffff:192.0.2.7,port=41703,msg=\"502 ESMTP command error\",cmd: " },
};

/* How far the line gets. */
struct way {
	const struct rsyslog_conf *conf;
	struct specimen specimen;
	enum answer answer;
	const struct rsyslog_conf_item *culprit; /* what may discard it; NULL: nothing */
};

static bool is_discard(const struct rsyslog_conf_item *item)
{
	if (item->kind == RSYSLOG_CONF_ACTION) {
		const char *type = rsyslog_conf_value(item, "type");

		return type && strcasecmp(type, "omdiscard") == 0;
	}
	return item->kind == RSYSLOG_CONF_STATEMENT &&
	       (strcmp(item->text, "stop") == 0 || strcmp(item->text, "~") == 0);
}

static void worsen(struct way *way, enum answer answer, const struct rsyslog_conf_item *culprit)
{
	if (answer >= way->answer)
		return;
	way->answer = answer;
	way->culprit = culprit;
}

static void reach_ruleset(struct way *way, const char *ruleset, unsigned int depth);

/* Follow the line to the item number index from the start of its ruleset. */
static void reach_item(struct way *way, size_t index, unsigned int depth)
{
	const struct rsyslog_conf_item *goal = rsyslog_conf_at(way->conf, index);
	size_t i;

	for (i = 0; i < index; i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(way->conf, i);
		enum answer passes;

		if (item->disabled || strcmp(item->ruleset, goal->ruleset) != 0 ||
		    !is_discard(item))
			continue;
		passes = rsyslog_filter_passes(item->filter, &way->specimen);
		worsen(way, (enum answer)-(int)passes, item);
	}
	worsen(way, rsyslog_filter_passes(goal->filter, &way->specimen), goal);
	if (goal->ruleset[0] != '\0')
		reach_ruleset(way, goal->ruleset, depth);
}

static bool is_call_of(const struct rsyslog_conf_item *item, const char *ruleset)
{
	const char *called = rsyslog_conf_called(item);

	return called && strcasecmp(called, ruleset) == 0;
}

/* Does an input use the ruleset, or is it the default one? */
static bool is_fed(const struct rsyslog_conf_item *item, const char *ruleset)
{
	const char *name = NULL;

	if (item->kind == RSYSLOG_CONF_INPUT)
		name = rsyslog_conf_value(item, "ruleset");
	else if (item->kind == RSYSLOG_CONF_DIRECTIVE &&
		 strcasecmp(item->name, "DefaultRuleset") == 0)
		name = item->text;
	return name && strcasecmp(name, ruleset) == 0;
}

/* Use the best of the paths that lead to it. */
static void reach_ruleset(struct way *way, const char *ruleset, unsigned int depth)
{
	struct way best = { .answer = ANSWER_NO };
	size_t i;

	for (i = 0; depth < DEPTH_MAX && i < rsyslog_conf_count(way->conf); i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(way->conf, i);
		struct way one = { .conf = way->conf, .specimen = way->specimen,
				   .answer = ANSWER_YES };

		if (item->disabled)
			continue;
		if (is_call_of(item, ruleset))
			reach_item(&one, i, depth + 1);
		else if (!is_fed(item, ruleset))
			continue;
		if (!best.culprit || one.answer > best.answer)
			best = one;
		if (one.answer == ANSWER_YES)
			return;
	}
	worsen(way, best.answer, best.culprit);
}

static void report_reach(struct checks *checks, const struct way *way, const struct need *need,
			 const struct rsyslog_conf_item *action)
{
	char place[PLACE_SIZE], type[CHECK_TYPE_SIZE] = "", culprit[PLACE_SIZE];
	bool own = way->culprit == action;

	check_place(action, place, sizeof(place));
	check_place(way->culprit, culprit, sizeof(culprit));
	if (way->answer == ANSWER_YES) {
		check_ok(checks, "rsyslog.reach", "%s of courier comes to %s", need->selector,
			 place);
		return;
	}
	if (own)
		snprintf(type, sizeof(type), "write  %s  in front of the action", need->selector);
	else if (way->culprit)
		snprintf(type, sizeof(type), "move the action before %s", culprit);
	else
		snprintf(type, sizeof(type), "call %s", action->ruleset);
	if (way->answer == ANSWER_NO)
		check_broken(checks, "rsyslog.reach", type, "%s of courier does not come to %s: %s",
			     need->selector, place,
			     own ? "its filter lets none through" :
			     way->culprit ? "it is discarded before" :
					    "nothing leads to its ruleset");
	else
		check_warning(checks, "rsyslog.reach", type,
			      "cannot tell whether %s of courier comes to %s: it depends on the "
			      "filter at %s",
			      need->selector, place, culprit);
}

static size_t index_of(const struct rsyslog_conf *conf, const struct rsyslog_conf_item *item)
{
	size_t i = 0;

	while (rsyslog_conf_at(conf, i) != item)
		i++;
	return i;
}

void check_reach(struct checks *checks, const struct host_action *action)
{
	const struct host *host = checks->host;
	size_t i, index;

	if (!action->item || action->settings.input != INPUT_COURIER)
		return;
	index = index_of(host->conf, action->item);
	for (i = 0; i < COUNT_OF(needs); i++) {
		const struct need *need = &needs[i];
		struct way way = { .conf = host->conf, .answer = ANSWER_YES };

		if (need->trigger != action->settings.trigger)
			continue;
		if (need->trigger == TRIGGER_DNSBL && need->drop != host_drops(host))
			continue;
		way.specimen = (struct specimen){ .facility = LOG_MAIL >> 3,
						  .severity = need->severity,
						  .program = "courieresmtpd",
						  .message = need->message };
		reach_item(&way, index, 0);
		report_reach(checks, &way, need, action->item);
	}
}
