/* smtpblockctl add, del, flush: change the lists by hand. All arguments and lists are
 * checked before the first write, so an error leaves nothing half done.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blocklist/unblock.h"
#include "lib/array.h"
#include "lib/text.h"
#include "tool/check/host.h"
#include "tool/lib/command.h"
#include "tool/lib/output.h"
#include "tool/lib/targets.h"

/* One address on one list. */
struct task {
	struct addr addr;	/* masked */
	const struct target *target;
};

struct job {
	const struct context *context;
	struct targets targets;
	struct task *tasks;
	size_t count;
	struct unblock *unblocks;	/* del: what the module must forget */
	size_t unblock_count;
};

static int add_task(struct job *job, const struct addr *addr, const struct target *target)
{
	struct task *task = array_add(&job->tasks, &job->count);

	if (!task)
		return failed(job->context, "out of memory");
	*task = (struct task){ .addr = *addr, .target = target };
	return 0;
}

static char *format_task(const struct task *task, char buf[static CIDR_TEXT_SIZE])
{
	struct cidr target = target_name(task->target, &task->addr);

	if (target.prefix == addr_bits(&task->addr))
		return addr_format(&task->addr, buf);
	return cidr_format(&target, buf);
}

/* Accepts an address, or exactly the prefix that would be blocked for it. */
static int check_prefix(const struct context *context, const char *text,
			const struct cidr *cidr, const struct target *target)
{
	unsigned int prefix = settings_prefix(&target->action->settings, &cidr->net);

	if (cidr->prefix == addr_bits(&cidr->net) || cidr->prefix == prefix)
		return 0;
	return usage_error(context,
			   "%.60s: with %s=\"%u\" on %s use an address, or a /%u", text,
			   target->family == ADDR_IPV4 ? "ipv4Prefix" : "ipv6Prefix", prefix,
			   target->name, prefix);
}

static int parse(const struct context *context, const char *text, struct cidr *ret_cidr)
{
	char meant[CIDR_TEXT_SIZE];
	int r = cidr_parse(text, strlen(text), ret_cidr);

	if (r == -EDOM)
		return usage_error(context, "%.60s: did you mean %s?", text,
				   cidr_format(ret_cidr, meant));
	if (r < 0)
		return usage_error(context,
				   "\"%.60s\" is not an IP address such as 192.0.2.7 or "
				   "2001:db8::7",
				   text);
	return 0;
}

/* --- add ------------------------------------------------------------------- */

#define NAMES_SIZE 512

/* Write the names of the lists of that family: "a or b". Returns how long they are. */
static size_t join_names(const struct job *job, int family, const char *before,
			 char names[static NAMES_SIZE])
{
	struct text_buf text = text_buf_of(names, NAMES_SIZE);
	size_t i;

	for (i = 0; i < job->targets.count; i++)
		if (job->targets.all[i].family == family)
			text_append(&text, "%s%s%s", text.used ? " or " : "", before,
				    job->targets.all[i].name);
	return text.used;
}

/* Reports that several lists match: "--list6 a or --list6 b". */
static int which_list(const struct job *job, int family)
{
	const char *option = family == ADDR_IPV4 ? "--list " : "--list6 ";
	char text[NAMES_SIZE];

	join_names(job, family, option, text);
	return usage_error(job->context, "several lists match: use %s", text);
}

static int no_list(const struct job *job, int family)
{
	bool four = family == ADDR_IPV4;

	return usage_error(job->context, "no list for %s addresses: use %s NAME",
			   four ? "IPv4" : "IPv6", four ? "--list" : "--list6");
}

/* Find the only list of that family. */
static int only_target(const struct job *job, int family, const struct target **ret_target)
{
	size_t i;

	*ret_target = NULL;
	for (i = 0; i < job->targets.count; i++) {
		if (job->targets.all[i].family != family)
			continue;
		if (*ret_target)
			return which_list(job, family);
		*ret_target = &job->targets.all[i];
	}
	return *ret_target ? 0 : no_list(job, family);
}

static int plan_add(struct job *job, const char *text)
{
	const struct target *target;
	enum reason reason;
	struct cidr cidr;
	int status;

	status = parse(job->context, text, &cidr);
	if (status == 0)
		status = only_target(job, cidr.net.family, &target);
	if (status == 0)
		status = check_prefix(job->context, text, &cidr, target);
	if (status != 0)
		return status;
	reason = target_judge(&job->targets, target, &cidr.net);
	if (reason != REASON_TRIGGERED)
		return failed(job->context, "%.60s is never blocked: %s", text,
			      policy_reason_text(reason));
	cidr = target_name(target, &cidr.net);
	return add_task(job, &cidr.net, target);
}

static int add_one(const struct task *task)
{
	return target_add(task->target, &task->addr);
}

static int count_live(void *ctx, const struct backend_entry *entry)
{
	size_t *count = ctx;

	*count += entry->left > 0;
	return 0;
}

/* recent drops live blocks for new ones without reporting it. */
static void warn_of_evictions(const struct job *job)
{
	const struct target *target;
	size_t live, i;

	for (i = 0; i < job->targets.count; i++) {
		target = &job->targets.all[i];
		live = 0;
		if (target->backend->ops->evicts_oldest &&
		    target_foreach(target, count_live, &live) == 0 &&
		    live >= target_capacity(target))
			target_failed(job->context, target, -ENFILE);
	}
}

static void print_added(const struct context *context, const struct task *task)
{
	char address[CIDR_TEXT_SIZE], span[OUTPUT_SPAN_SIZE];

	fprintf(context->out, "%s is blocked on %s for %s\n", format_task(task, address),
		task->target->name, output_span(task->target->action->settings.ban_time, span));
}

/* --- the module's memory ---------------------------------------------------- */

static struct unblock unblock_of(const struct target *target, const struct cidr *net)
{
	struct unblock unblock = { .net = *net };

	snprintf(unblock.backend, sizeof(unblock.backend), "%s", target_backend(target));
	snprintf(unblock.list, sizeof(unblock.list), "%s", target->name);
	return unblock;
}

#define NOT_TOLD "the module is not told, and blocks the addresses again when the firewall is " \
		 "reloaded: "

/* Does a rsyslogd that has the action run, without watching for unblocks? */
static bool is_deaf(const struct context *context)
{
	struct host host;
	bool deaf;

	if (unblock_is_watched(context->system_root))
		return false;
	deaf = host_open(&host, context) == 0 && host.rsyslogd.pid != 0 && host.actions[0].item;
	host_close(&host);
	return deaf;
}

/* The module writes what it remembers to a recreated list. If it cannot be told, the addresses
 * are removed all the same. */
static void tell_module(const struct context *context, const struct unblock *unblocks,
			size_t count)
{
	int r = unblock_write(context->system_root, unblocks, count);

	if (r == -EPERM)
		failed(context, NOT_TOLD UNBLOCK_DIR " and the files in it must belong to root, "
				"and nobody else may write to them");
	else if (r < 0)
		failed(context, NOT_TOLD UNBLOCK_DIR ": %s", strerrordesc_np(-r));
	else if (is_deaf(context))
		failed(context, NOT_TOLD "rsyslogd does not watch " UNBLOCK_DIR
				"; its messages have the reason");
}

/* --- del ------------------------------------------------------------------- */

/* On this list the address may also be waiting. */
static int add_unblock(struct job *job, const struct addr *addr, const struct target *target)
{
	struct unblock *unblock = array_add(&job->unblocks, &job->unblock_count);

	if (!unblock)
		return failed(job->context, "out of memory");
	*unblock = unblock_of(target, &(struct cidr){ *addr, (uint8_t)addr_bits(addr) });
	return 0;
}

static int is_address(void *ctx, const struct backend_entry *entry)
{
	return addr_compare(ctx, &entry->addr) == 0;
}

/* Returns 1: the address is on the list; 0: it is not; -errno. */
static int is_listed(const struct target *target, const struct addr *addr)
{
	struct addr wanted = *addr;

	return target_foreach(target, is_address, &wanted);
}

/* Reports that the address is on none of the existing lists. It may be waiting in the module, for
 * a list that a reload of the firewall is about to create: the module has to forget it all the
 * same. Its unblocks are those from first on. */
static int not_there(const struct job *job, const char *text, int family,
		     const struct target *missing, size_t first)
{
	char names[NAMES_SIZE];

	if (join_names(job, family, "", names) == 0)
		return no_list(job, family);
	tell_module(job->context, &job->unblocks[first], job->unblock_count - first);
	if (missing)
		return target_failed(job->context, missing, -ENOENT);
	return failed(job->context, "%.60s is not on %s", text, names);
}

/* Plans a removal from every list that has the address. */
static int plan_del(struct job *job, const char *text)
{
	const struct target *list, *missing = NULL;
	size_t before = job->count, first = job->unblock_count, i;
	struct cidr cidr, target;
	int status, r;

	status = parse(job->context, text, &cidr);
	for (i = 0; status == 0 && i < job->targets.count; i++) {
		list = &job->targets.all[i];
		if (list->family != cidr.net.family)
			continue;
		status = check_prefix(job->context, text, &cidr, list);
		target = target_name(list, &cidr.net);
		r = status == 0 ? is_listed(list, &target.net) : 0;
		if (r == -ENOENT)
			missing = list;
		else if (r < 0)
			status = target_failed(job->context, list, r);
		else if (r > 0)
			status = add_task(job, &target.net, list);
		if (status == 0)
			status = add_unblock(job, &target.net, list);
	}
	if (status == 0 && job->count == before)
		status = not_there(job, text, cidr.net.family, missing, first);
	return status;
}

/* Another process may have removed the address meanwhile. */
static int del_one(const struct task *task)
{
	int r = target_remove(task->target, &task->addr);

	return r == -ESRCH ? 0 : r;
}

static void print_removed(const struct context *context, const struct task *task)
{
	char address[CIDR_TEXT_SIZE];

	fprintf(context->out, "%s is removed from %s\n", format_task(task, address),
		task->target->name);
}

/* --- add and del ----------------------------------------------------------- */

struct work {
	const char *name;
	const char *done;	/* member name in JSON */
	int (*plan)(struct job *job, const char *text);
	int (*one)(const struct task *task);
	void (*print)(const struct context *context, const struct task *task);
};

static const struct work work_add = { "add", "added", plan_add, add_one, print_added };
static const struct work work_del = { "del", "removed", plan_del, del_one, print_removed };

/* Can all lists be written? */
static int check_lists(const struct job *job)
{
	size_t i;
	int r;

	for (i = 0; i < job->count; i++) {
		r = target_check(job->tasks[i].target);
		if (r < 0)
			return target_failed(job->context, job->tasks[i].target, r);
	}
	return 0;
}

static void print_json(const struct job *job, const struct work *work, size_t count)
{
	struct fjson_object *whole = fjson_object_new_object();
	struct fjson_object *done = output_add_array(whole, work->done), *one;
	char address[CIDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < count; i++) {
		one = output_add_object(done);
		output_add_text(one, "address", format_task(&job->tasks[i], address));
		output_add_text(one, "list", job->tasks[i].target->name);
	}
	output_json(whole, job->context->out);
}

/* If a write fails after all checks passed, stop. What was done so far is printed. */
static int do_tasks(const struct job *job, const struct work *work)
{
	size_t done;
	int r = 0;

	for (done = 0; done < job->count && r >= 0; done++) {
		r = work->one(&job->tasks[done]);
		if (r < 0)
			break;
		if (!job->context->json)
			work->print(job->context, &job->tasks[done]);
	}
	if (job->context->json)
		print_json(job, work, done);
	return r < 0 ? target_failed(job->context, job->tasks[done].target, r) : 0;
}

/* run_work() moved the operands to the front of argv. */
static int do_work(const struct context *context, const struct targets_options *options,
		   const struct work *work, int count, char **operands)
{
	struct job job = { .context = context };
	int status, i;

	status = targets_open(context, options, &job.targets);
	if (status != 0)
		return status;
	status = targets_know_host(context, &job.targets);
	for (i = 0; status == 0 && i < count; i++)
		status = work->plan(&job, operands[i]);
	if (status == 0)
		status = check_lists(&job);
	if (status == 0 && job.unblock_count > 0)
		tell_module(context, job.unblocks, job.unblock_count);
	if (status == 0)
		status = do_tasks(&job, work);
	if (status == 0 && work == &work_add)
		warn_of_evictions(&job);
	free(job.tasks);
	free(job.unblocks);
	targets_done(&job.targets);
	return status;
}

static int run_work(const struct context *context, const struct work *work, int argc, char **argv)
{
	struct arguments arguments = { .argc = argc, .argv = argv, .at = 1 };
	struct targets_options options = { .count = 0 };
	enum argument kind;
	int status, count = 0;

	while ((status = targets_options_take(context, &options, &arguments, &kind)) == 0 &&
	       kind == ARGUMENT_OPERAND)
		argv[count++] = argv[arguments.at - 1];
	if (status == 0 && kind == ARGUMENT_STRANGE)
		status = usage_error(context, "unknown option %s", arguments.operand);
	if (status == 0 && count == 0)
		status = usage_error(context, "%s: no address given", work->name);
	return status != 0 ? status : do_work(context, &options, work, count, argv);
}

static int run_add(struct context *context, int argc, char **argv)
{
	return run_work(context, &work_add, argc, argv);
}

static int run_del(struct context *context, int argc, char **argv)
{
	return run_work(context, &work_del, argc, argv);
}

/* --- flush ----------------------------------------------------------------- */

static int count_entry(void *ctx, const struct backend_entry *entry)
{
	size_t *count = ctx;

	(void)entry;
	(*count)++;
	return 0;
}

/* Count the entries of each list; SIZE_MAX: the list does not exist. */
static int count_lists(const struct context *context, const struct targets *targets,
		       size_t *counts)
{
	bool any = false;
	size_t i;
	int r;

	for (i = 0; i < targets->count; i++) {
		counts[i] = 0;
		r = target_foreach(&targets->all[i], count_entry, &counts[i]);
		if (r == 0)
			r = target_check(&targets->all[i]);
		if (r < 0 && r != -ENOENT)
			return target_failed(context, &targets->all[i], r);
		if (r == -ENOENT)
			counts[i] = SIZE_MAX;
		else
			any = true;
	}
	return any ? 0 : target_failed(context, &targets->all[0], -ENOENT);
}

static void print_flushed(const struct context *context, const struct targets *targets,
			  const size_t *counts)
{
	struct fjson_object *whole = fjson_object_new_object();
	struct fjson_object *flushed = output_add_array(whole, "flushed"), *one;
	size_t i;

	for (i = 0; i < targets->count; i++) {
		if (counts[i] == SIZE_MAX)
			continue;
		one = output_add_object(flushed);
		output_add_text(one, "list", targets->all[i].name);
		output_add_number(one, "count", (int64_t)counts[i]);
		if (!context->json)
			fprintf(context->out, "%zu address%s removed from %s\n", counts[i],
				counts[i] == 1 ? "" : "es", targets->all[i].name);
	}
	if (context->json)
		output_json(whole, context->out);
	else
		fjson_object_put(whole);
}

/* Blocks that wait for a missing list are forgotten, too. */
static int tell_of_flush(const struct context *context, const struct targets *targets)
{
	struct unblock *unblocks = calloc(targets->count, sizeof(*unblocks));
	struct cidr all = { .prefix = 0 };
	size_t i;

	if (!unblocks)
		return failed(context, "out of memory");
	for (i = 0; i < targets->count; i++) {
		all.net.family = (uint8_t)targets->all[i].family;
		unblocks[i] = unblock_of(&targets->all[i], &all);
	}
	tell_module(context, unblocks, targets->count);
	free(unblocks);
	return 0;
}

static int flush_lists(const struct context *context, const struct targets *targets)
{
	size_t *counts = calloc(targets->count, sizeof(*counts)), i;
	int status, r = 0;

	if (!counts)
		return failed(context, "out of memory");
	status = count_lists(context, targets, counts);
	if (status == 0)
		status = tell_of_flush(context, targets);
	for (i = 0; status == 0 && i < targets->count; i++) {
		if (counts[i] != SIZE_MAX)
			r = target_flush(&targets->all[i]);
		if (r < 0)
			status = target_failed(context, &targets->all[i], r);
	}
	if (status == 0)
		print_flushed(context, targets, counts);
	free(counts);
	return status;
}

/* Do the lists belong to several actions? */
static bool is_ambiguous(const struct targets *targets)
{
	size_t i;

	for (i = 1; i < targets->count; i++)
		if (targets->all[i].action != targets->all[0].action)
			return true;
	return false;
}

static int do_flush(const struct context *context, const struct targets_options *options)
{
	struct targets targets;
	int status;

	status = targets_open(context, options, &targets);
	if (status != 0)
		return status;
	if (!options->all && !options->list && !options->list6 && is_ambiguous(&targets))
		status = usage_error(context, "there are lists of several actions: use --list "
					      "NAME, --list6 NAME or --all");
	else
		status = flush_lists(context, &targets);
	targets_done(&targets);
	return status;
}

static int run_flush(struct context *context, int argc, char **argv)
{
	struct targets_options options = { .takes_all = true };
	int status = targets_options_only(context, &options, argc, argv,
					  "; del unblocks one address");

	return status != 0 ? status : do_flush(context, &options);
}

const struct command command_add = {
	.name = "add",
	.arguments = "[OPTION...] ADDR...",
	.summary = "Block addresses",
	.help = "Refuses addresses that the module never blocks: loopback, the host's own, those\n"
		"on its allow lists. If an address is blocked already, its block is renewed.\n\n"
		TARGETS_HELP "\n"
		"  smtpblockctl add 192.0.2.7 2001:db8::7\n",
	.run = run_add,
};

const struct command command_del = {
	.name = "del",
	.arguments = "[OPTION...] ADDR...",
	.summary = "Unblock addresses",
	.help = "Removes each address from every list that has it. An address that is on no list\n"
		"is an error, and then nothing is removed; if it waits in the module, it is\n"
		"forgotten there.\n\n" TARGETS_HELP
		"\n"
		"  smtpblockctl del 192.0.2.7\n",
	.run = run_del,
};

const struct command command_flush = {
	.name = "flush",
	.arguments = "[--all] [OPTION...]",
	.summary = "Unblock all addresses",
	.help = "Removes all addresses from the action's lists, without asking first.\n\n"
		"  --all          the lists of all actions, if there are several\n" TARGETS_HELP
		"\n"
		"  smtpblockctl flush\n"
		"  smtpblockctl flush --list6 spammer6\n",
	.run = run_flush,
};
