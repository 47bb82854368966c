/* Why an address was blocked: the module's event and the log line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/block_reason.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/text.h"
#include "tool/lib/spawn.h"
#include "tool/lib/verdict.h"
#include "tool/read/line_reader.h"
#include "tool/read/rsyslog_filter.h"
#include "tool/read/syslog_time.h"

/* Tolerance in seconds: the clocks of log and kernel differ, and logging takes time. */
#define SLACK 5

/* Only this many of the newest journal lines are read. */
#define JOURNAL_LINES "100000"

struct search {
	const struct context *context;
	const struct target *target;
	struct addr addr;
	time_t until, now;
	bool at_proxy;		/* search for a block that was left to the proxy */
	struct judge judge;	/* everything but the scratch belongs to the target's action */
	struct block_reason *reason;
};

/* The line's time by itself, without the lines before it; 0: it has none. */
static int64_t time_of(const struct search *search, const struct syslog_line *line)
{
	struct syslog_time clock;
	int64_t when;

	syslog_time_init(&clock, search->now);
	return syslog_time_read(&clock, line, &when) ? when : 0;
}

/* Is the line about the event's client? Without an event: about the address, or another one
 * in the prefix that is blocked with it? */
static bool is_of_client(const struct search *search, const struct courierlog_line *found)
{
	const struct logged_event *logged = &search->reason->event.logged;
	struct cidr target, other;

	if (search->reason->event.found)
		return addr_compare(&logged->addr, &found->addr) == 0 &&
		       (logged->port == 0 || found->port == 0 || logged->port == found->port);
	target = target_name(search->target, &search->addr);
	other = target_name(search->target, &found->addr);
	return addr_compare(&target.net, &other.net) == 0;
}

/* Could this line have started the block? A line that only fails replyPattern may have: with
 * verify="child" the BLOCK of the smtpd decides, not the pattern. */
static bool starts_block(const struct search *search, const struct syslog_line *line)
{
	struct courierlog_line found;
	struct decision d = verdict_line(&search->judge, line, &found);
	int64_t when;

	if (d.verdict == VERDICT_NOT_A_TRIGGER && d.reason != REASON_PATTERN)
		return false;
	if (d.verdict == VERDICT_UNPROVEN)
		return false;
	if (!is_of_client(search, &found))
		return false;
	when = time_of(search, line);
	return when == 0 || when <= search->until + SLACK;
}

/* Lines contain text that clients choose: keep control characters off the terminal. */
static void keep(struct block_reason *reason, const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	text_clean(line, len, reason->text, sizeof(reason->text));
	reason->found = true;
}

static void take_log(struct block_reason *reason, const char *name)
{
	if (reason->log_count < BLOCK_REASON_LOGS_MAX)
		snprintf(reason->logs[reason->log_count++], PATH_MAX, "%s", name);
	snprintf(reason->where, sizeof(reason->where), "%s", name);
}

/* --- files --------------------------------------------------------------- */

/* Reads to the end: the last match counts. */
static void search_lines(struct search *search, struct line_reader *log)
{
	struct syslog_line line;
	const char *text;
	size_t len;

	while (line_reader_next(log, &text, &len) == 1) {
		syslog_line_parse(text, len, &line);
		if (!starts_block(search, &line))
			continue;
		keep(search->reason, text, len);
		search->reason->number = line_reader_number(log);
	}
}

static bool was_searched(const struct block_reason *reason, const char *path)
{
	size_t i;

	for (i = 0; i < reason->log_count; i++)
		if (strcmp(reason->logs[i], path) == 0)
			return true;
	return false;
}

/* rsyslogd may also write to a terminal or a pipe: reading these never ends. */
static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Open a file unless it was searched before. NULL: it was, or it cannot be read. path is set
 * to its path on this system. */
static struct line_reader *open_file(struct search *search, const char *name,
				     char path[PATH_MAX])
{
	struct line_reader *log;

	snprintf(path, PATH_MAX, "%s%s", search->context->system_root, name);
	if (was_searched(search->reason, path) || !is_file(path) ||
	    line_reader_open(path, &log) < 0)
		return NULL;
	take_log(search->reason, path);
	return log;
}

static void search_file(struct search *search, const char *name)
{
	char path[PATH_MAX];
	struct line_reader *log;

	if (search->reason->found)
		return;
	log = open_file(search, name, path);
	if (!log)
		return;
	search_lines(search, log);
	line_reader_close(log);
}

/* Search the files that courier's rejects are written to. */
static void search_configured(struct search *search, const struct rsyslog_conf *conf)
{
	static const struct specimen reject = { LOG_MAIL >> 3, LOG_ERR, "courieresmtpd",
						"error,relay=" };
	char path[PATH_MAX];
	size_t i;

	for (i = 0; conf && i < rsyslog_conf_count(conf); i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(conf, i);

		if (rsyslog_conf_file(item, path, sizeof(path)) &&
		    rsyslog_filter_passes(item->filter, &reject) != ANSWER_NO)
			search_file(search, path);
	}
}

/* --- the journal --------------------------------------------------------- */

/* Newest line first: the first match counts. */
static void search_journal_text(struct search *search, const char *text, size_t len)
{
	const char *end = text + len;
	struct syslog_line line;

	while (text < end && !search->reason->found) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = newline ? (size_t)(newline - text) : (size_t)(end - text);

		syslog_line_parse(text, n, &line);
		if (starts_block(search, &line))
			keep(search->reason, text, n);
		text += n + 1;
	}
}

/* Filters by courier's tags. couriertcpd's smtpd processes log as courieresmtpd. */
static void search_journal(struct search *search)
{
	static const char *const argv[] = {
		"journalctl", "-q", "--no-pager", "-o", "short-iso", "-r", "-n",
		JOURNAL_LINES, "-t", "courieresmtpd", NULL,
	};
	char *output;
	size_t len;
	int r = spawn_run(search->context->programs, argv, &output, &len);

	if (r < 0)
		return;
	if (r == 0 && len > 0) {
		take_log(search->reason, "journal");
		search_journal_text(search, output, len);
	}
	free(output);
}

/* --- events -------------------------------------------------------------- */

/* Can this be the block's event? */
static bool is_of_block(const struct search *search, const struct logged_event *logged)
{
	return logged->at_proxy == search->at_proxy &&
	       strcmp(logged->list, search->target->name) == 0 &&
	       logged->at <= search->until + SLACK &&
	       event_log_covers(logged, &search->addr);
}

/* Cheap test before parsing. The module writes addresses as addr_format() does. */
static bool may_be_of_block(const char *address, const char *line, size_t len)
{
	static const char prefix[] = "\"prefix\"";

	return memmem(line, len, address, strlen(address)) ||
	       memmem(line, len, prefix, strlen(prefix));
}

/* The last match counts. */
static void search_events(struct search *search, struct event_log_reader *reader,
			  struct line_reader *log, const char *path)
{
	struct block_reason_event *event = &search->reason->event;
	char address[ADDR_TEXT_SIZE];
	struct logged_event logged;
	const char *text;
	size_t len;

	addr_format(&search->addr, address);
	while (line_reader_next(log, &text, &len) == 1) {
		if (!may_be_of_block(address, text, len) ||
		    !event_log_parse(reader, text, len, &logged) ||
		    !is_of_block(search, &logged) ||
		    (event->found && logged.at < event->logged.at))
			continue;
		event->logged = logged;
		event->number = line_reader_number(log);
		snprintf(event->where, sizeof(event->where), "%s", path);
		event->found = true;
	}
}

static void search_ruleset(struct search *search, struct event_log_reader *reader,
			   const struct rsyslog_conf *conf, const char *ruleset)
{
	char name[PATH_MAX], path[PATH_MAX];
	struct line_reader *log;
	size_t from = 0;

	while (event_log_next_file(conf, ruleset, &from, name)) {
		log = open_file(search, name, path);
		if (!log)
			continue;
		search_events(search, reader, log, path);
		line_reader_close(log);
	}
}

/* Searches the events of all actions that use the list. */
static int find_event(struct search *search, const struct rsyslog_conf *conf,
		      const struct targets *targets)
{
	struct event_log_reader *reader = event_log_reader_new();
	const struct settings *settings;
	size_t i;

	if (!reader)
		return -ENOMEM;
	for (i = 0; conf && i < targets->action_count; i++) {
		settings = &targets->actions[i].settings;
		if (strcmp(search->target->name, settings_list(settings, search->addr.family)) == 0)
			search_ruleset(search, reader, conf, settings->event_ruleset);
	}
	event_log_reader_free(reader);
	return 0;
}

/* --- event and line ------------------------------------------------------ */

static void find_line(struct search *search, const struct rsyslog_conf *conf)
{
	if (search->reason->event.found)
		search->until = search->reason->event.logged.at;
	search_journal(search);
	search_configured(search, conf);
	search_file(search, "/var/log/mail.err");
	search_file(search, "/var/log/mail.log");
}

int block_reason_find(const struct context *context, const struct rsyslog_conf *conf,
		      const struct targets *targets, const struct target *target,
		      const struct addr *addr, time_t until, struct block_reason *ret_cause)
{
	struct search search = {
		.context = context,
		.target = target,
		.addr = *addr,
		.until = until,
		.now = time(NULL),
		.judge = { .settings = target->action->settings,
			   .allow_file = target->action->allow_file,
			   .own = targets->local_addrs },
		.reason = ret_cause,
	};
	int r;

	memset(ret_cause, 0, sizeof(*ret_cause));
	r = reply_regex_scratch_new(target->action->settings.reply_pattern,
				    &search.judge.scratch);
	if (r < 0)
		return r;
	r = find_event(&search, conf, targets);
	if (r == 0)
		find_line(&search, conf);
	reply_regex_scratch_free(search.judge.scratch);
	return r;
}

int block_reason_find_proxied(const struct context *context, const struct rsyslog_conf *conf,
			      const struct targets *targets, const struct target *target,
			      const struct addr *addr, struct block_reason *ret_cause)
{
	struct search search = {
		.context = context,
		.target = target,
		.addr = *addr,
		.until = time(NULL),
		.at_proxy = true,
		.reason = ret_cause,
	};

	memset(ret_cause, 0, sizeof(*ret_cause));
	return find_event(&search, conf, targets);
}
