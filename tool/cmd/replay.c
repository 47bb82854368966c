/* smtpblockctl replay: compare the load of an old log without and with the module.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool/read/courierconf.h"
#include "tool/read/line_reader.h"
#include "tool/read/syslog_time.h"
#include "tool/replay/report.h"

#define DEFAULT_SESSION 5
#define DEFAULT_IDLE 10
#define DEFAULT_TOP 10

/* The command line. */
struct request {
	const char *path;	/* NULL: not given */
	const char *svg;	/* NULL: no SVG */
	struct simulate_model model;
	unsigned long limit;	/* 0: not given */
	unsigned long top;
	struct judge judge;
};

/* --- the command line --- */

/* Parse a number up to max, or report a usage error. */
static int take_number(const struct context *context, struct arguments *a,
		       unsigned long min, unsigned long max, unsigned long *ret_number)
{
	const char *value = arguments_value(a);
	size_t digits = value ? strspn(value, "0123456789") : 0;
	unsigned long n = 0;

	if (digits > 0 && digits <= 10 && value[digits] == '\0')
		n = strtoul(value, NULL, 10);
	else
		digits = 0;
	if (digits == 0 || n < min || n > max)
		return usage_error(context, "option --%s requires a number from %lu to %lu",
				   a->name, min, max);
	*ret_number = n;
	return STATUS_DONE;
}

static int take_seconds(const struct context *context, struct arguments *a,
			int64_t *ret_seconds)
{
	unsigned long n;
	int status = take_number(context, a, 0, SIMULATE_SECONDS_MAX, &n);

	if (status == STATUS_DONE)
		*ret_seconds = (int64_t)n;
	return status;
}

static int take_svg(const struct context *context, struct arguments *a, const char **ret_svg)
{
	*ret_svg = arguments_value(a);
	return *ret_svg ? STATUS_DONE :
			  usage_error(context, "option --svg requires a file name");
}

static int take_option(const struct context *context, struct arguments *a, void *data)
{
	struct request *q = data;

	if (strcasecmp(a->name, "session") == 0)
		return take_seconds(context, a, &q->model.session);
	if (strcasecmp(a->name, "idle") == 0)
		return take_seconds(context, a, &q->model.idle);
	if (strcasecmp(a->name, "max") == 0)
		return take_number(context, a, 1, TIMELINE_MAX, &q->limit);
	if (strcasecmp(a->name, "top") == 0)
		return take_number(context, a, 0, 1000000, &q->top);
	if (strcasecmp(a->name, "svg") == 0)
		return take_svg(context, a, &q->svg);
	return -1;
}

static int check_request(const struct context *context, struct request *q)
{
	if (!q->path)
		return usage_error(context, "replay: no FILE given; - is standard input");
	if (q->judge.settings.input != INPUT_COURIER)
		return usage_error(context, "replay needs courier's lines: remove --input");
	return verdict_ready(&q->judge, context);
}

/* --- the log --- */

static void play_line(struct simulation *simulation, struct syslog_time *clock,
		      struct report *report, const char *text, size_t len)
{
	struct syslog_line line;
	int64_t time;

	syslog_line_parse(text, len, &line);
	report->lines++;
	if (!syslog_time_read(clock, &line, &time)) {
		report->unstamped++;
		return;
	}
	if (report->lines == report->unstamped + 1)
		report->from = time;
	report->until = time;
	simulation_line(simulation, &line, time);
}

static int play_lines(const struct context *context, const struct request *q,
		      struct line_reader *log, struct simulation *simulation,
		      struct report *report)
{
	struct syslog_time clock;
	const char *text;
	size_t len;
	int r;

	syslog_time_init(&clock, time(NULL));
	while ((r = line_reader_next(log, &text, &len)) > 0) {
		if (line_reader_compressed(log))
			return verdict_log_failed(context, q->path,
						  "the file is compressed; run: zcat FILE | "
						  "smtpblockctl replay -");
		play_line(simulation, &clock, report, text, len);
	}
	if (r < 0)
		return verdict_log_failed(context, q->path, strerror(-r));
	if (report->lines == report->unstamped)
		return verdict_log_failed(context, q->path, "no line has a time");
	if (simulation_totals(simulation)->couriers == 0)
		return verdict_log_failed(context, q->path, "no line with a time is courier's");
	simulation_finish(simulation);
	report->late = clock.late;
	return STATUS_DONE;
}

static int play_file(const struct context *context, const struct request *q,
		     struct simulation *simulation, struct report *report)
{
	struct line_reader *log;
	int status, r;

	r = line_reader_open(q->path, &log);
	if (r < 0)
		return verdict_log_failed(context, q->path, strerror(-r));
	status = play_lines(context, q, log, simulation, report);
	line_reader_close(log);
	return status;
}

/* --- the result --- */

/* MAXDAEMONS of courier on this host; 0: courier is not installed or does not set it. */
static uint32_t read_maxdaemons(const struct context *context)
{
	struct courierconf *conf;
	char path[PATH_MAX];
	long slots = 0;

	snprintf(path, sizeof(path), "%s/esmtpd", context->courier_etc);
	if (courierconf_new(&conf) < 0)
		return 0;
	if (courierconf_read(conf, path) == 0)
		slots = courierconf_number(conf, "MAXDAEMONS", 0);
	courierconf_free(conf);
	return slots <= TIMELINE_MAX ? (uint32_t)slots : 0;
}

/* Find the number of slots from the best source. The log may come from another host, so it
 * can only prove a lower bound of the limit. */
static void find_limit(const struct context *context, const struct request *q,
		       struct report *report)
{
	const struct simulate_totals *t = simulation_totals(report->simulation);

	report->limit_source = "set by --max";
	report->limit = (uint32_t)q->limit;
	if (report->limit == 0 && t->limit <= TIMELINE_MAX) {
		report->limit_source = "logged by courier";
		report->limit = (uint32_t)t->limit;
	}
	if (report->limit == 0) {
		report->limit_source = "MAXDAEMONS in this host's esmtpd";
		report->limit = read_maxdaemons(context);
	}
	if (report->limit < t->active && q->limit == 0)
		report->limit = 0;
}

/* root writes into directories of others: only a regular file may be replaced. A link would
 * be replaced, too, /dev/stdout for example. */
static bool is_replaceable(const char *path)
{
	struct stat status;

	return lstat(path, &status) < 0 || S_ISREG(status.st_mode);
}

/* Create a file beside path; name gets its name. Nobody else could have put it there. */
static FILE *open_beside(const char *path, char name[static PATH_MAX])
{
	mode_t mask = umask(0);
	FILE *file = NULL;
	int fd = -1;

	umask(mask);
	if (snprintf(name, PATH_MAX, "%s.XXXXXX", path) < PATH_MAX)
		fd = mkostemp(name, O_CLOEXEC);
	else
		errno = ENAMETOOLONG;
	if (fd >= 0 && fchmod(fd, 0666 & ~mask) == 0)
		file = fdopen(fd, "w");
	if (fd >= 0 && !file) {
		close(fd);
		unlink(name);
	}
	return file;
}

/* Write a new file, then rename it: path is the old file or the new one as a whole. */
static int write_svg(const struct context *context, const char *path,
		     const struct report *report)
{
	char name[PATH_MAX];
	FILE *file;
	bool bad;

	if (!is_replaceable(path))
		return failed(context, "%s: not a regular file", path);
	file = open_beside(path, name);
	if (!file)
		return failed(context, "%s: %s", path, strerror(errno));
	report_draw(file, report);
	bad = ferror(file) != 0;
	if (fclose(file) != 0 || bad || rename(name, path) < 0) {
		unlink(name);
		return failed(context, "%s: cannot write the file", path);
	}
	return STATUS_DONE;
}

/* Writes the SVG first: if that fails, print no report. */
static int print_results(const struct context *context, const struct request *q,
			 const struct report *report)
{
	int status = STATUS_DONE, r;

	if (q->svg)
		status = write_svg(context, q->svg, report);
	if (status != STATUS_DONE)
		return status;
	r = context->json ? report_json(context->out, report) :
			    report_print(context->out, report);
	return r < 0 ? failed(context, "out of memory") : STATUS_DONE;
}

static int replay(const struct context *context, const struct request *q)
{
	struct report report = { .model = q->model, .top = q->top };
	struct simulation *simulation;
	int status;

	if (simulation_new(&q->judge, &q->model, &simulation) < 0)
		return failed(context, "out of memory");
	report.simulation = simulation;
	status = play_file(context, q, simulation, &report);
	if (status == STATUS_DONE) {
		find_limit(context, q, &report);
		status = print_results(context, q, &report);
	}
	simulation_free(simulation);
	return status;
}

static int run(struct context *context, int argc, char **argv)
{
	struct request q = {
		.model = { .session = DEFAULT_SESSION, .idle = DEFAULT_IDLE },
		.top = DEFAULT_TOP,
	};
	int status;

	if (verdict_init(&q.judge) < 0)
		return failed(context, "out of memory");
	status = verdict_arguments(&q.judge, context, argc, argv, take_option, &q, &q.path);
	if (status == STATUS_DONE)
		status = check_request(context, &q);
	if (status == STATUS_DONE)
		status = replay(context, &q);
	verdict_done(&q.judge);
	return status;
}

const struct command command_replay = {
	.name = "replay",
	.arguments = "[OPTION...] FILE",
	.summary = "Estimate an old log's load with the module",
	.help = "FILE is a mail log, ordered by time, in one of the forms that test accepts;\n"
		"- is standard input: zcat mail.log.*.gz | smtpblockctl replay -\n"
		"\n"
		"  --max N        number of slots (MAXDAEMONS); the default is what courier\n"
		"                 logged when all were in use, or the value in this host's\n"
		"                 esmtpd\n"
		"  --session S    seconds that a connection lasts if only its start is\n"
		"                 logged (5)\n"
		"  --idle S       seconds that a connection with errors lasts after the\n"
		"                 last error (10)\n"
		"  --top N        addresses to show, ordered by the slot time they used (10)\n"
		"  --svg FILE     draw both curves into a new file, which replaces FILE\n"
		"  --json         print one document with the curves and all blocked addresses\n"
		"  --NAME VALUE   any parameter of the module, as in test; here threshold,\n"
		"                 window, banTime, maxBlocks, prefixes and terminate have an\n"
		"                 effect\n"
		"\n"
		"The result is an estimate. courier logs the start of a connection and its\n"
		"errors, but not its end: --session and --idle determine the curve without the\n"
		"module. courier's own counts (\"270 active connections.\") are printed for\n"
		"comparison. With the module, the same clients connect, except that no\n"
		"connection of a blocked address starts until banTime after its last attempt;\n"
		"one that was open ends when its own next line triggers. early and pressure are\n"
		"not simulated, because the log does not show what they see. The estimate does\n"
		"not include clients that would have used the freed slots. Lines are taken as\n"
		"verified, as in test. The couriertcpd processes of several ports (25, 465, 587)\n"
		"are counted together: courier's lines do not name the port.\n"
		"\n"
		"The exit status is 1 if no line with a time is courier's, by its tag or form.\n"
		"\n"
		"Times without a zone are in this host's zone (TZ). Times without a year are\n"
		"within the last twelve months.\n"
		"\n"
		"  smtpblockctl replay --svg wave.svg /var/log/mail.log.1\n",
	.run = run,
};
