/* smtpblockctl why: show whether an address is blocked, and why.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool/lib/block_reason.h"
#include "tool/lib/command.h"
#include "tool/lib/entries.h"
#include "tool/lib/output.h"
#include "tool/read/syslog_time.h"

/* Most entries of one address, on all lists. */
#define BLOCKS_MAX 64

/* Everything known about one address. */
struct answer {
	const struct context *context;
	struct addr addr;
	char address[ADDR_TEXT_SIZE];
	const struct target *target;	/* the list being read */
	struct entries_entry blocks[BLOCKS_MAX];	/* expired ones, too */
	size_t count;
	bool blocked;
	size_t unread;		/* lists that could not be read */
	time_t now;
	const char *exempt;	/* why it is never blocked; NULL: it can be */
	struct block_reason reason;
	char lift[ADDR_TEXT_SIZE + 32];
};

/* --- search ------------------------------------------------------------- */

static int take_entry(void *ctx, const struct backend_entry *entry)
{
	struct answer *answer = ctx;
	struct cidr target = target_name(answer->target, &answer->addr);
	struct entries_entry *block;

	if (addr_compare(&entry->addr, &target.net) != 0 &&
	    addr_compare(&entry->addr, &answer->addr) != 0)
		return 0;
	if (answer->count == BLOCKS_MAX)
		return 0;
	block = &answer->blocks[answer->count++];
	block->target = answer->target;
	block->addr = entry->addr;
	block->since = answer->now - (time_t)(entry->age / 1000);
	block->left = (entry->left + 999) / 1000;
	block->until = answer->now + (time_t)(entry->left / 1000);
	answer->blocked |= entry->left > 0;
	return 0;
}

static void read_lists(struct answer *answer, const struct targets *targets)
{
	size_t i;
	int r;

	for (i = 0; i < targets->count; i++) {
		if (targets->all[i].family != answer->addr.family)
			continue;
		answer->target = &targets->all[i];
		r = target_foreach(answer->target, take_entry, answer);
		if (r < 0) {
			target_failed(answer->context, answer->target, r);
			answer->unread++;
		}
	}
}

/* An address is exempt only if all actions exempt it. */
static void judge(struct answer *answer, const struct targets *targets)
{
	size_t i;

	for (i = 0; i < targets->count; i++) {
		enum reason reason;

		if (targets->all[i].family != answer->addr.family)
			continue;
		reason = target_judge(targets, &targets->all[i], &answer->addr);
		answer->exempt = policy_reason_text(reason);
		if (reason == REASON_TRIGGERED)
			answer->exempt = NULL;
		if (!answer->exempt)
			return;
	}
}

static const struct entries_entry *newest_block(const struct answer *answer)
{
	const struct entries_entry *newest = NULL;
	size_t i;

	for (i = 0; i < answer->count; i++)
		if (!newest || answer->blocks[i].since > newest->since)
			newest = &answer->blocks[i];
	return newest;
}

/* It is on no list. Was its block left to a proxy? */
static int find_proxied(struct answer *answer, const struct rsyslog_conf *conf,
			const struct targets *targets)
{
	size_t i;
	int r = 0;

	for (i = 0; i < targets->count && r == 0 && !answer->reason.event.found; i++)
		if (targets->all[i].family == answer->addr.family)
			r = block_reason_find_proxied(answer->context, conf, targets,
						      &targets->all[i], &answer->addr,
						      &answer->reason);
	return r;
}

/* Find the reason of the newest block. */
static int find_reason(struct answer *answer, const struct targets *targets)
{
	const struct entries_entry *newest = newest_block(answer);
	char errbuf[RSYSLOG_CONF_ERROR_SIZE];
	struct rsyslog_conf *conf = NULL;
	int r;

	r = rsyslog_conf_read(answer->context->config, &conf, errbuf);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		conf = NULL;
	if (newest)
		r = block_reason_find(answer->context, conf, targets, newest->target,
				      &answer->addr, newest->since, &answer->reason);
	else
		r = find_proxied(answer, conf, targets);
	if (conf)
		rsyslog_conf_free(conf);
	return r;
}

static int find_out(struct answer *answer, const struct targets *targets)
{
	int r;

	read_lists(answer, targets);
	judge(answer, targets);
	r = find_reason(answer, targets);
	if (r < 0)
		return failed(answer->context, "out of memory");
	snprintf(answer->lift, sizeof(answer->lift), "smtpblockctl del %s", answer->address);
	return 0;
}

/* --- output -------------------------------------------------------------- */

static void print_block(const struct answer *answer, const struct entries_entry *block)
{
	FILE *out = answer->context->out;
	char address[CIDR_TEXT_SIZE], when[SYSLOG_TIME_TEXT_SIZE], span[OUTPUT_SPAN_SIZE];

	fprintf(out, "  %s on list %s (%s)\n", entries_address(block, address),
		block->target->name, block->target->action->source);
	fprintf(out, "    since    %s, ", syslog_time_format(block->since, when));
	fprintf(out, "%s ago (the block or the last dropped packet)\n",
		output_span(answer->now - block->since, span));
	fprintf(out, "    until    %s", syslog_time_format(block->until, when));
	if (block->left > 0)
		fprintf(out, ", in %s; each dropped packet renews it\n",
			output_span(block->left, span));
	else
		fputs(", expired\n", out);
}

/* The prefix that was blocked; NULL: only the address. */
static const char *event_prefix(const struct logged_event *logged, char buf[CIDR_TEXT_SIZE])
{
	return logged->target.prefix < addr_bits(&logged->addr)
		       ? cidr_format(&logged->target, buf)
		       : NULL;
}

static void print_done(const struct logged_event *logged, FILE *out)
{
	char address[CIDR_TEXT_SIZE], span[OUTPUT_SPAN_SIZE];
	const char *prefix = event_prefix(logged, address);

	fprintf(out, "    action   %s %s", prefix ? prefix : addr_format(&logged->addr, address),
		logged->at_proxy ? "left to the proxy to block" : "blocked");
	if (logged->seconds)
		fprintf(out, " for %s", output_span(logged->seconds, span));
	if (logged->pid)
		fprintf(out, ", smtpd %d %s", (int)logged->pid,
			logged->ends_child ? "terminated" : "not terminated");
	fputc('\n', out);
}

/* Print the module's event: no other program can write it. */
static void print_event(const struct answer *answer)
{
	const struct logged_event *logged = &answer->reason.event.logged;
	char text[SYSLOG_TIME_TEXT_SIZE], address[ADDR_TEXT_SIZE];
	FILE *out = answer->context->out;

	fprintf(out, "  reason   the module's event of %s, %s line %lu\n",
		syslog_time_format(logged->at, text), answer->reason.event.where,
		answer->reason.event.number);
	fprintf(out, "    trigger  %s\n", logged->trigger[0] ? logged->trigger : "unknown");
	if (logged->rule[0])
		fprintf(out, "    rule     %s\n", logged->rule);
	if (logged->reply[0])
		fprintf(out, "    reply    %s\n", logged->reply);
	if (logged->zone[0])
		fprintf(out, "    zone     %s\n", logged->zone);
	fprintf(out, "    client   %s", addr_format(&logged->addr, address));
	if (logged->port)
		fprintf(out, ", port %d", (int)logged->port);
	fputc('\n', out);
	print_done(logged, out);
}

static void print_line(const struct answer *answer, const char *label)
{
	const struct block_reason *reason = &answer->reason;
	FILE *out = answer->context->out;

	fprintf(out, "  %-7s  %s", label, reason->where);
	if (reason->number > 0)
		fprintf(out, " line %lu", reason->number);
	fprintf(out, ": %s\n", reason->text);
}

static void print_logs(const struct answer *answer)
{
	const struct block_reason *reason = &answer->reason;
	size_t i;

	fputs("  reason   unknown: ", answer->context->out);
	if (reason->log_count == 0)
		fputs("no log could be read\n", answer->context->out);
	for (i = 0; i < reason->log_count; i++)
		fprintf(answer->context->out, "%s%s", i ? ", " : "no line found in ",
			reason->logs[i]);
	if (reason->log_count > 0)
		fputs("; added by hand, or the log is older\n", answer->context->out);
}

static void print_reason(const struct answer *answer)
{
	const struct block_reason *reason = &answer->reason;

	if (reason->event.found)
		print_event(answer);
	if (reason->found)
		print_line(answer, reason->event.found ? "line" : "reason");
	else if (!reason->event.found)
		print_logs(answer);
}

static void print_text(const struct answer *answer)
{
	FILE *out = answer->context->out;
	size_t i;

	fprintf(out, "%s is %sblocked.\n", answer->address, answer->blocked ? "" : "not ");
	for (i = 0; i < answer->count; i++)
		print_block(answer, &answer->blocks[i]);
	if (answer->count > 0 || answer->reason.event.found)
		print_reason(answer);
	if (answer->blocked)
		fprintf(out, "  unblock  %s\n", answer->lift);
	if (answer->exempt)
		fprintf(out, "  The module never blocks it: %s.\n", answer->exempt);
	else if (!answer->blocked && !answer->reason.event.logged.at_proxy)
		fputs("  The module blocks it if a log line about it triggers the action.\n", out);
}

static struct fjson_object *event_as_json(const struct block_reason_event *event)
{
	const struct logged_event *logged = &event->logged;
	char address[CIDR_TEXT_SIZE];
	struct fjson_object *object;

	if (!event->found)
		return NULL;
	object = fjson_object_new_object();
	output_add_text(object, "log", event->where);
	output_add_number(object, "number", (int64_t)event->number);
	output_add_time(object, "time", logged->at);
	output_add_text(object, "address", addr_format(&logged->addr, address));
	output_add_text(object, "prefix", event_prefix(logged, address));
	output_add_text(object, "list", logged->list);
	output_add_known(object, "seconds", logged->seconds);
	output_add_text(object, "trigger", logged->trigger);
	output_add_text(object, "rule", logged->rule);
	output_add_text(object, "reply", logged->reply);
	output_add_text(object, "zone", logged->zone);
	output_add_known(object, "port", logged->port);
	output_add_known(object, "pid", logged->pid);
	output_add_text(object, "child", logged->ends_child ? "end" : "keep");
	output_add_bool(object, "proxy", logged->at_proxy);
	return object;
}

static struct fjson_object *line_as_json(const struct block_reason *reason)
{
	struct fjson_object *object;

	if (!reason->found)
		return NULL;
	object = fjson_object_new_object();
	output_add_text(object, "log", reason->where);
	output_add_known(object, "number", (int64_t)reason->number);
	output_add_text(object, "text", reason->text);
	return object;
}

static void print_json(const struct answer *answer)
{
	struct fjson_object *whole = fjson_object_new_object();
	struct fjson_object *blocks, *logs;
	size_t i;

	output_add_text(whole, "address", answer->address);
	output_add_bool(whole, "blocked", answer->blocked);
	blocks = output_add_array(whole, "blocks");
	for (i = 0; i < answer->count; i++) {
		struct fjson_object *block = entries_json_entry(&answer->blocks[i]);

		output_add_text(block, "source", answer->blocks[i].target->action->source);
		fjson_object_array_add(blocks, block);
	}
	fjson_object_object_add(whole, "event", event_as_json(&answer->reason.event));
	fjson_object_object_add(whole, "line", line_as_json(&answer->reason));
	logs = output_add_array(whole, "searched");
	for (i = 0; i < answer->reason.log_count; i++)
		fjson_object_array_add(logs, fjson_object_new_string(answer->reason.logs[i]));
	output_add_text(whole, "spared", answer->exempt);
	output_add_text(whole, "lift", answer->blocked ? answer->lift : NULL);
	output_json(whole, answer->context->out);
}

/* --- the command --------------------------------------------------------- */

static int answer_from(struct answer *answer, const struct targets *targets)
{
	int status = find_out(answer, targets);

	if (status != 0)
		return status;
	/* An unreadable list gives no answer. */
	if (!answer->blocked && answer->unread > 0)
		return STATUS_FAILED;
	if (answer->context->json)
		print_json(answer);
	else
		print_text(answer);
	return answer->blocked ? STATUS_DONE : STATUS_FAILED;
}

static int why(const struct context *context, const struct targets_options *options,
	       const char *text)
{
	struct answer *answer;
	struct targets targets;
	int status = targets_open(context, options, &targets);

	if (status != 0)
		return status;
	answer = calloc(1, sizeof(*answer));
	if (!answer) {
		targets_done(&targets);
		return failed(context, "out of memory");
	}
	answer->context = context;
	answer->now = time(NULL);
	addr_parse(text, strlen(text), &answer->addr);
	addr_format(&answer->addr, answer->address);
	status = targets_know_host(context, &targets);
	if (status == 0)
		status = answer_from(answer, &targets);
	free(answer);
	targets_done(&targets);
	return status;
}

static int run(struct context *context, int argc, char **argv)
{
	struct arguments arguments = { .argc = argc, .argv = argv, .at = 1 };
	struct targets_options options = { .count = 0 };
	const char *text = NULL;
	enum argument kind;
	struct addr addr;
	int status;

	while ((status = targets_options_take(context, &options, &arguments, &kind)) == 0 &&
	       kind == ARGUMENT_OPERAND && !text)
		text = arguments.operand;
	if (status != 0)
		return status;
	if (kind != ARGUMENT_END)
		return usage_error(context, "why: unexpected argument %s", arguments.operand);
	if (!text)
		return usage_error(context, "why: no address given");
	if (addr_parse(text, strlen(text), &addr) < 0)
		return usage_error(context, "\"%s\" is not an IP address", text);
	return why(context, &options, text);
}

const struct command command_why = {
	.name = "why",
	.arguments = "[OPTION...] ADDR",
	.summary = "Show whether an address is blocked, and why",
	.help =
		"If the action has an eventRuleset, why looks for the block's event in the files\n"
		"that this ruleset writes. The event shows what triggered the block, the reply,\n"
		"the DNSBL's zone and what was done. Every local user can write to the log, but\n"
		"only the module to these files. A ruleset or file that receives other messages,\n"
		"too, is skipped, and so is a log line that does not match the event.\n"
		"\n"
		"For the log line, why searches the journal and the files that rsyslog's\n"
		"configuration writes mail.err to, or else /var/log/mail.err and mail.log. The\n"
		"last line that names the address and starts a block counts. Text that clients\n"
		"write into lines is ignored. If prefixes are blocked, a line about any address\n"
		"in the prefix counts.\n"
		"\n"
		"For an address that is on no list, why searches the same files for the last\n"
		"block that was left to a proxy in front of courier.\n\n" TARGETS_HELP
		"\n"
		"With --json: an object with the members address, blocked, blocks (as in list,\n"
		"with their source), event (log, number, time, address, prefix, list, seconds,\n"
		"trigger, reply, zone, port, pid, child, proxy; or null), line (log, number,\n"
		"text; or null), searched, spared (why it is never blocked, or null) and lift\n"
		"(the command that unblocks it, or null).\n"
		"\n"
		"Exit status: 0 blocked, 1 not blocked or not known, 2 usage error.\n"
		"\n"
		"  smtpblockctl why 192.0.2.7\n",
	.run = run,
};
