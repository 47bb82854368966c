/* smtpblockctl test: show the verdict on each line of a log, and its reason.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tool/lib/names.h"
#include "tool/lib/verdict.h"
#include "tool/read/line_reader.h"

struct totals {
	unsigned long lines, hidden, understood, couriers;
	unsigned long verdicts[VERDICT_UNPROVEN + 1];
};

/* The result for one line. */
struct report {
	unsigned long number;
	const char *kind;
	char ip[ADDR_TEXT_SIZE];	/* "": none */
	unsigned int port, code;	/* 0: none */
	struct decision decision;
	bool understood;		/* the line has a log's form, from courier or not */
	bool couriers;			/* it looks like courier's */
};

static void print_number(FILE *out, const char *name, unsigned int number)
{
	if (number)
		fprintf(out, "\"%s\":%u,", name, number);
	else
		fprintf(out, "\"%s\":null,", name);
}

/* All texts are constants or addresses, so nothing needs escaping. */
static void print_json(FILE *out, const struct report *r)
{
	fprintf(out, "{\"line\":%lu,\"kind\":\"%s\",", r->number, r->kind);
	if (*r->ip)
		fprintf(out, "\"ip\":\"%s\",", r->ip);
	else
		fputs("\"ip\":null,", out);
	print_number(out, "port", r->port);
	print_number(out, "code", r->code);
	fprintf(out, "\"verdict\":\"%s\",\"reason\":\"%s\"}\n",
		names_verdict(r->decision.verdict), policy_reason_text(r->decision.reason));
}

static void print_cell(FILE *out, int width, unsigned int number)
{
	if (number)
		fprintf(out, "%-*u ", width, number);
	else
		fprintf(out, "%-*s ", width, "-");
}

static void print_row(FILE *out, const struct report *r)
{
	fprintf(out, "%6lu  %-8s ", r->number, r->kind);
	print_cell(out, 4, r->code);
	fprintf(out, "%-15s ", *r->ip ? r->ip : "-");
	print_cell(out, 5, r->port);
	fprintf(out, "%-7s  %s\n", names_verdict(r->decision.verdict),
		policy_reason_text(r->decision.reason));
}

static void print_totals(FILE *out, const struct line_reader *log, const struct totals *t)
{
	fprintf(out, "%lu line%s: %lu block, %lu ignore, %lu allowed, %lu refused\n", t->lines,
		t->lines == 1 ? "" : "s", t->verdicts[VERDICT_BLOCK],
		t->verdicts[VERDICT_NOT_A_TRIGGER], t->verdicts[VERDICT_EXEMPT],
		t->verdicts[VERDICT_UNPROVEN]);
	if (t->hidden)
		fprintf(out, "%lu of them not from courier (not shown)\n", t->hidden);
	if (line_reader_cut(log))
		fprintf(out, "%lu of them longer than %d bytes (the rest was ignored)\n",
			line_reader_cut(log), LINE_READER_MAX);
}

static bool is_foreign(const struct report *r)
{
	return strcmp(r->kind, "other") == 0 && !*r->ip;
}

/* Is the line in a form that logs have? A word and a colon alone also occur in other text. */
static bool has_log_form(const struct syslog_line *line, const struct report *r)
{
	return line->stamp != SYSLOG_LINE_NO_STAMP ||
	       line->severity != COURIERLOG_SEVERITY_ANY || r->couriers;
}

static struct report judge_text(const struct judge *judge, const char *text, size_t len)
{
	struct courierlog_line found;
	struct report report = { .ip = "" };
	struct syslog_line line;

	syslog_line_parse(text, len, &line);
	report.decision = verdict_line(judge, &line, &found);
	report.kind = judge->settings.input == INPUT_ADDRESS ? "other" :
							       names_kind(&found);
	if (found.addr.family)
		addr_format(&found.addr, report.ip);
	report.port = found.port;
	report.code = found.code;
	report.couriers = verdict_is_couriers(&line, &found);
	report.understood = has_log_form(&line, &report);
	return report;
}

static void print_line(const struct context *context, const struct report *r, struct totals *t)
{
	t->lines++;
	t->understood += r->understood;
	t->couriers += r->couriers;
	t->verdicts[r->decision.verdict]++;
	if (context->json) {
		print_json(context->out, r);
	} else if (is_foreign(r)) {
		t->hidden++;
	} else {
		if (t->lines == t->hidden + 1)
			fputs("  LINE  KIND     CODE ADDRESS         PORT  VERDICT  REASON\n",
			      context->out);
		print_row(context->out, r);
	}
}

/* Does the text contain a line that we understand? The last one may be incomplete. */
static bool has_line(const struct judge *judge, const char *text, size_t len)
{
	const char *newline;
	size_t size;

	for (; len > 0; text += size, len -= size) {
		newline = memchr(text, '\n', len);
		size = newline ? (size_t)(newline - text) + 1 : len;
		if (judge_text(judge, text, size).understood)
			return true;
	}
	return false;
}

/* Is this another kind of file? Checked before any output. NULs alone are no proof: a crash
 * leaves them in logs, too. */
static bool is_not_a_log(const struct judge *judge, struct line_reader *log)
{
	const char *text;
	size_t len;

	return line_reader_peek(log, &text, &len) > 0 && !line_reader_compressed(log) &&
	       memchr(text, '\0', len) && !has_line(judge, text, len);
}

/* JSON output has an object for every line, so it needs no totals. */
static int finish(const struct context *context, const char *path,
		  const struct line_reader *log, const struct totals *totals)
{
	if (context->json)
		return STATUS_DONE;
	if (totals->lines > 0 && totals->understood == 0)
		return verdict_log_failed(context, path, "no line has a known form");
	if (totals->lines > 0 && totals->couriers == 0)
		return verdict_log_failed(context, path, "no line is courier's");
	print_totals(context->out, log, totals);
	return STATUS_DONE;
}

static int test_lines(const struct context *context, const struct judge *judge,
		      const char *path, struct line_reader *log)
{
	struct totals totals = { .lines = 0 };
	struct report report;
	const char *text;
	size_t len;
	int r;

	if (is_not_a_log(judge, log))
		return verdict_log_failed(context, path,
				   "not a log: it has NUL bytes and no line of a known form");
	while ((r = line_reader_next(log, &text, &len)) > 0) {
		if (line_reader_compressed(log))
			return verdict_log_failed(context, path,
					   "the file is compressed; run: zcat FILE | "
					   "smtpblockctl test");
		report = judge_text(judge, text, len);
		report.number = line_reader_number(log);
		print_line(context, &report, &totals);
	}
	if (r < 0)
		return verdict_log_failed(context, path, strerror(-r));
	return finish(context, path, log, &totals);
}

static int test_file(const struct context *context, const struct judge *judge,
		     const char *path)
{
	struct line_reader *log;
	int status, r;

	r = line_reader_open(path, &log);
	if (r < 0)
		return verdict_log_failed(context, path, strerror(-r));
	status = test_lines(context, judge, path, log);
	line_reader_close(log);
	return status;
}

static int run(struct context *context, int argc, char **argv)
{
	const char *path = "-";
	struct judge judge;
	int status;

	if (verdict_init(&judge) < 0)
		return failed(context, "out of memory");
	status = verdict_arguments(&judge, context, argc, argv, NULL, NULL, &path);
	if (status == STATUS_DONE)
		status = verdict_ready(&judge, context);
	if (status == STATUS_DONE)
		status = test_file(context, &judge, path);
	verdict_done(&judge);
	return status;
}

const struct command command_test = {
	.name = "test",
	.arguments = "[OPTION...] [FILE]",
	.summary = "Show the verdict for each line of a log",
	.help = "FILE is a log file; the default, or -, is standard input. Its lines may have\n"
		"the form of log files (\"Nov 23 12:00:00 mx courieresmtpd: ...\", or with a time\n"
		"of RFC 3339), of journalctl (-o short, short-iso, short-unix), of datagrams\n"
		"(\"<19>Nov 23 12:00:00 ...\"), of RFC 5424, of syslog-ng, of FreeBSD's syslogd,\n"
		"or \"mail.err courieresmtpd: ...\".\n"
		"The message alone is accepted, too.\n"
		"\n"
		"  --NAME VALUE   any parameter of the module, for example\n"
		"                 --trigger dnsbl --allow 10.0.0.0/8 --allowFile /etc/allow\n"
		"                 Some, such as list, have no effect here.\n"
		"  --json         print one object per line of the log\n"
		"\n"
		"The module's own code decides, but there is no process to inspect: lines are\n"
		"taken as verified, and trigger=\"dnsbl\" is decided by replyPattern. Each line\n"
		"is judged alone: threshold, maxBlocks, earlier blocks and its age are ignored.\n"
		"A line without a priority is taken to have the severity that courier gives it.\n"
		"This host's own addresses are allowed, as in the module.\n"
		"\n"
		"The exit status is 1 if the input is not a log: it begins with bytes that no\n"
		"log has, or no line is courier's, by its tag or its form (with --json lines\n"
		"are still judged). An empty log is valid.\n"
		"\n"
		"JSON: {\"line\":N,\"kind\":K,\"ip\":A,\"port\":N,\"code\":N,\"verdict\":V,\n"
		"\"reason\":R}; ip, port and code are null if the line has none.\n"
		"  kind      reject, relay (a reject with 513), auth (535), protocol (other\n"
		"            replies of courieresmtpd itself), started, dropped, pressure,\n"
		"            other\n"
		"  verdict   block, ignore, allowed (never blocked); refused (not\n"
		"            verified) does not occur here\n"
		"  reason    trigger (it blocks), or why it does not; these texts are the\n"
		"            same in all releases:\n"
		"              not a line that the trigger is about\n"
		"              not logged with the severity of such a line\n"
		"              a temporary reject\n"
		"              the reply does not match replyPattern\n"
		"              replyPattern took too many steps\n"
		"              a loopback, link-local or reserved address\n"
		"              an address of this host or its gateway\n"
		"              on the allow list\n"
		"              in a prefix with an allowed address\n"
		"\n"
		"  journalctl -t courieresmtpd | smtpblockctl test --trigger reject\n",
	.run = run,
};
