/* smtpblockctl status: an overview of slots, blocks and room on the lists.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "tool/check/slots_now.h"
#include "tool/lib/command.h"
#include "tool/lib/entries.h"
#include "tool/lib/output.h"
#include "tool/read/syslog_time.h"

#define LAST_BLOCKS 5

/* Width of a full bar. */
#define BAR_WIDTH 30

struct overview {
	const struct context *context;
	struct targets targets;
	struct entries entries;
	struct slots_now slots[HOST_DAEMONS_MAX];
	size_t slot_count;
	bool hidden;		/* processes cannot be read: no permission */
	bool stuck;		/* some processes block whoever reads them */
};

/* One row of the table: how much of a resource is used. */
struct gauge {
	char what[SETTINGS_LIST_SIZE + 8];
	size_t used;
	size_t max;		/* 0: unknown; SIZE_MAX: unlimited */
};

static void add_gauge(const struct overview *o, struct output_table *table,
		      const struct gauge *gauge)
{
	char used[24], max[24] = "    -", bar[BAR_WIDTH + 1] = "";
	size_t filled, i;

	snprintf(used, sizeof(used), "%5zu", gauge->used);
	if (gauge->max != 0 && gauge->max != SIZE_MAX) {
		snprintf(max, sizeof(max), "%5zu", gauge->max);
		filled = gauge->used >= gauge->max ? BAR_WIDTH :
						     gauge->used * BAR_WIDTH / gauge->max;
		for (i = 0; i < BAR_WIDTH && o->context->terminal; i++)
			bar[i] = i < filled ? '#' : '.';
	}
	output_table_add(table, (const char *const[]){ gauge->what, used, max, bar });
}

static const char *const proxy_suffixes[] = {
	[TCPD_PROXY_NONE] = "",
	[TCPD_PROXY_SOME] = ", partly behind a proxy",
	[TCPD_PROXY_ALL] = ", behind a proxy",
};

static const char *const proxy_words[] = {
	[TCPD_PROXY_NONE] = "none",
	[TCPD_PROXY_SOME] = "some",
	[TCPD_PROXY_ALL] = "all",
};

static void add_slots(const struct overview *o, struct output_table *table)
{
	struct gauge gauge;
	size_t i;

	for (i = 0; i < o->slot_count; i++) {
		gauge.used = o->slots[i].used;
		gauge.max = o->slots[i].max > 0 ? (size_t)o->slots[i].max : 0;
		snprintf(gauge.what, sizeof(gauge.what), "slots of port %s%s",
			 *o->slots[i].port ? o->slots[i].port : "?",
			 proxy_suffixes[o->slots[i].proxy]);
		add_gauge(o, table, &gauge);
	}
}

static void add_lists(const struct overview *o, struct output_table *table)
{
	struct gauge gauge;
	size_t i;

	for (i = 0; i < o->targets.count; i++) {
		if (!o->entries.lists[i].there)
			continue;
		gauge.used = o->entries.lists[i].blocked;
		gauge.max = target_capacity(&o->targets.all[i]);
		snprintf(gauge.what, sizeof(gauge.what), "list %s", o->targets.all[i].name);
		add_gauge(o, table, &gauge);
	}
}

static void print_gauges(const struct overview *o)
{
	static const char *const headings[] = { "", " USED", "   OF", "", NULL };
	struct output_table *table = output_table_new(headings);

	add_slots(o, table);
	add_lists(o, table);
	output_table_print(table, o->context);
}

/* Print what is wrong. */
static void print_remarks(const struct overview *o)
{
	const struct target *target;
	char advice[1024];
	size_t i;

	if (o->slot_count == 0 && o->hidden)
		fputs("Cannot read couriertcpd's slots: run this as root.\n",
		      o->context->out);
	else if (o->slot_count == 0)
		fputs(o->stuck ? "Some processes block whatever reads them: run smtpblockctl "
				"check.\n"
			      : "No couriertcpd is running.\n",
		      o->context->out);
	for (i = 0; i < o->targets.count; i++) {
		target = &o->targets.all[i];
		if (entries_overflows(target, &o->entries.lists[i]))
			fprintf(o->context->out, "Full: %s\n",
				target->backend->ops->advice(target->backend, target->family,
							     ENOSPC, advice, sizeof(advice)));
	}
}

static size_t first_of_last(const struct overview *o)
{
	return o->entries.count > LAST_BLOCKS ? o->entries.count - LAST_BLOCKS : 0;
}

/* Newest block first. */
static void print_last(const struct overview *o)
{
	static const char *const headings[] = { "LAST BLOCKS", "LIST", "SINCE", "LEFT", NULL };
	char address[CIDR_TEXT_SIZE], since[SYSLOG_TIME_TEXT_SIZE], left[OUTPUT_SPAN_SIZE];
	struct output_table *table = output_table_new(headings);
	const struct entries_entry *e;
	size_t i;

	for (i = o->entries.count; i > first_of_last(o); i--) {
		e = &o->entries.entries[i - 1];
		output_table_add(table, (const char *const[]){ entries_address(e, address),
							       e->target->name,
							       syslog_time_format(e->since, since),
							       output_span(e->left, left) });
	}
	fputc('\n', o->context->out);
	output_table_print(table, o->context);
}

static void print_text(const struct overview *o)
{
	targets_print_sources(&o->targets, o->context->out);
	if (o->slot_count > 0 || entries_any(&o->targets, &o->entries))
		print_gauges(o);
	print_remarks(o);
	if (o->entries.count > 0)
		print_last(o);
}

static void json_slots(const struct overview *o, struct fjson_object *slots)
{
	struct fjson_object *one;
	size_t i;

	for (i = 0; i < o->slot_count; i++) {
		one = output_add_object(slots);
		output_add_text(one, "port", o->slots[i].port);
		output_add_number(one, "pid", o->slots[i].pid);
		output_add_text(one, "proxy", proxy_words[o->slots[i].proxy]);
		output_add_number(one, "used", (int64_t)o->slots[i].used);
		output_add_known(one, "max", o->slots[i].max);
	}
}

static void print_json(const struct overview *o)
{
	struct fjson_object *whole = fjson_object_new_object(), *last;
	size_t i;

	json_slots(o, output_add_array(whole, "slots"));
	fjson_object_object_add(whole, "lists", entries_json_lists(&o->targets, &o->entries));
	last = output_add_array(whole, "last_blocks");
	for (i = o->entries.count; i > first_of_last(o); i--)
		fjson_object_array_add(last, entries_json_entry(&o->entries.entries[i - 1]));
	output_json(whole, o->context->out);
}

static int read_slots(struct overview *o)
{
	struct host host;
	int r = host_open(&host, o->context);

	if (r == 0)
		o->slot_count = slots_now_read(&host, o->slots);
	o->hidden = host.hidden;
	o->stuck = host.looks && host.looks->stuck_count > 0;
	host_close(&host);
	return r < 0 ? failed(o->context, "out of memory") : 0;
}

/* Prints the slots even if no list exists. */
static int print_status(struct overview *o)
{
	int status = entries_read(o->context, &o->targets, false, &o->entries);

	if (status != 0)
		return status;
	status = read_slots(o);
	if (status == 0) {
		if (o->context->json)
			print_json(o);
		else
			print_text(o);
		if (!entries_any(&o->targets, &o->entries))
			status = STATUS_FAILED;
	}
	entries_done(&o->entries);
	return status;
}

static int run_status(struct context *context, int argc, char **argv)
{
	struct overview overview = { .context = context };
	struct targets_options options = { .count = 0 };
	int status = targets_options_only(context, &options, argc, argv, "");

	if (status == 0)
		status = targets_open(context, &options, &overview.targets);
	if (status != 0)
		return status;
	status = print_status(&overview);
	targets_done(&overview.targets);
	return status;
}

const struct command command_status = {
	.name = "status",
	.arguments = "[OPTION...]",
	.summary = "Show slots, lists and the last blocks",
	.help =
		"Shows the slots in use of each couriertcpd (its children; the limit is\n"
		"MAXDAEMONS), whether it is behind a proxy (-haproxy), the blocks on each list\n"
		"and its capacity, a warning if a list overflows, and the last blocks, newest\n"
		"first.\n\n"
		TARGETS_HELP "\n"
		"  smtpblockctl status\n"
		"  watch -n 2 smtpblockctl status\n",
	.run = run_status,
};
