/* smtpblockctl add, del, flush: blocks by hand. All arguments and lists are looked at
 * before the first write, so that a mistake leaves nothing half done.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	size_t count, room;
};

static int add_task(struct job *job, const struct addr *addr, const struct target *target)
{
	size_t room = job->room ? 2 * job->room : 16;
	void *tasks;

	if (job->count == job->room) {
		tasks = reallocarray(job->tasks, room, sizeof(*job->tasks));
		if (!tasks)
			return failed(job->context, "no memory");
		job->tasks = tasks;
		job->room = room;
	}
	job->tasks[job->count++] = (struct task){ .addr = *addr, .target = target };
	return 0;
}

static char *format_task(const struct task *task, char buf[static CIDR_TEXT_SIZE])
{
	struct cidr target = target_name(task->target, &task->addr);

	if (target.prefix == addr_bits(&task->addr))
		return addr_format(&task->addr, buf);
	return cidr_format(&target, buf);
}

/* An address, or just the prefix that would be blocked for it. */
static int check_prefix(const struct context *context, const char *text,
			const struct cidr *cidr, const struct target *target)
{
	unsigned int prefix = settings_prefix(&target->action->settings, &cidr->net);

	if (cidr->prefix == addr_bits(&cidr->net) || cidr->prefix == prefix)
		return 0;
	return usage_error(context,
			   "%.60s: %s=\"%u\" is what %s has: write an address, or a /%u", text,
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
				   "\"%.60s\" is no address: write one such as 192.0.2.7 or "
				   "2001:db8::7",
				   text);
	return 0;
}

/* --- add ------------------------------------------------------------------- */

/* "--list6 a or --list6 b" */
static int which_list(const struct job *job, int family)
{
	const char *option = family == ADDR_IPV4 ? "--list" : "--list6";
	char text[512] = "";
	size_t used = 0, i;

	for (i = 0; i < job->targets.count && used < sizeof(text); i++)
		if (job->targets.all[i].family == family)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s",
						 used ? " or " : "", option,
						 job->targets.all[i].name);
	return usage_error(job->context, "on which list? write %s", text);
}

/* The one list of that family. */
static int only_place(const struct job *job, int family, const struct target **ret_place)
{
	size_t i;

	*ret_place = NULL;
	for (i = 0; i < job->targets.count; i++) {
		if (job->targets.all[i].family != family)
			continue;
		if (*ret_place)
			return which_list(job, family);
		*ret_place = &job->targets.all[i];
	}
	if (!*ret_place)
		return usage_error(job->context, "no list of %s addresses is named: write %s NAME",
				   family == ADDR_IPV4 ? "IPv4" : "IPv6",
				   family == ADDR_IPV4 ? "--list" : "--list6");
	return 0;
}

static int plan_add(struct job *job, const char *text)
{
	const struct target *target;
	enum reason reason;
	struct cidr cidr;
	int status;

	status = parse(job->context, text, &cidr);
	if (status == 0)
		status = only_place(job, cidr.net.family, &target);
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

static int count_living(void *ctx, const struct backend_entry *entry)
{
	size_t *count = ctx;

	*count += entry->left > 0;
	return 0;
}

/* The kernel lets a living block go for a new one without a word. */
static void warn_of_evictions(const struct job *job)
{
	const struct target *target;
	size_t living, i;

	for (i = 0; i < job->targets.count; i++) {
		target = &job->targets.all[i];
		living = 0;
		if (target->backend->ops->evicts_oldest &&
		    target_foreach(target, count_living, &living) == 0 &&
		    living >= target_capacity(target))
			target_failed(job->context, target, -ENFILE);
	}
}

static void tell_add(const struct context *context, const struct task *task)
{
	char address[CIDR_TEXT_SIZE], span[OUTPUT_TIME_SIZE];

	fprintf(context->out, "%s is blocked for %s: on %s\n", format_task(task, address),
		output_span(task->target->action->settings.ban_time, span), task->target->name);
}

/* --- del ------------------------------------------------------------------- */

static int is_address(void *ctx, const struct backend_entry *entry)
{
	return addr_compare(ctx, &entry->addr) == 0;
}

/* Returns 1: it is there; 0: it is not; -errno. */
static int holds(const struct target *target, const struct addr *addr)
{
	struct addr wanted = *addr;

	return target_foreach(target, is_address, &wanted);
}

/* It is on none of the lists that there are. */
static int not_there(const struct job *job, const char *text, int family,
		     const struct target *missing)
{
	char names[512] = "";
	size_t used = 0, i;

	for (i = 0; i < job->targets.count && used < sizeof(names); i++)
		if (job->targets.all[i].family == family)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? " or " : "", job->targets.all[i].name);
	if (used == 0)
		return usage_error(job->context, "no list of %s addresses is named: write %s NAME",
				   family == ADDR_IPV4 ? "IPv4" : "IPv6",
				   family == ADDR_IPV4 ? "--list" : "--list6");
	if (missing)
		return target_failed(job->context, missing, -ENOENT);
	return failed(job->context, "%.60s is not on %s", text, names);
}

/* Every list that has it. */
static int plan_del(struct job *job, const char *text)
{
	const struct target *place, *missing = NULL;
	size_t before = job->count, i;
	struct cidr cidr, target;
	int status, r;

	status = parse(job->context, text, &cidr);
	for (i = 0; status == 0 && i < job->targets.count; i++) {
		place = &job->targets.all[i];
		if (place->family != cidr.net.family)
			continue;
		status = check_prefix(job->context, text, &cidr, place);
		target = target_name(place, &cidr.net);
		r = status == 0 ? holds(place, &target.net) : 0;
		if (r == -ENOENT)
			missing = place;
		else if (r < 0)
			status = target_failed(job->context, place, r);
		else if (r > 0)
			status = add_task(job, &target.net, place);
	}
	if (status == 0 && job->count == before)
		status = not_there(job, text, cidr.net.family, missing);
	return status;
}

/* Somebody else may have been faster. */
static int del_one(const struct task *task)
{
	int r = target_remove(task->target, &task->addr);

	return r == -ESRCH ? 0 : r;
}

static void tell_del(const struct context *context, const struct task *task)
{
	char address[CIDR_TEXT_SIZE];

	fprintf(context->out, "%s is taken off %s\n", format_task(task, address),
		task->target->name);
}

/* --- both ------------------------------------------------------------------ */

struct work {
	const char *name;
	const char *done;	/* under this name in JSON */
	int (*plan)(struct job *job, const char *text);
	int (*one)(const struct task *task);
	void (*tell)(const struct context *context, const struct task *task);
};

static const struct work work_add = { "add", "added", plan_add, add_one, tell_add };
static const struct work work_del = { "del", "removed", plan_del, del_one, tell_del };

/* May all lists be written? */
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
	struct fjson_object *done = fjson_object_new_array(), *one;
	char address[CIDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < count; i++) {
		one = fjson_object_new_object();
		output_add_text(one, "address", format_task(&job->tasks[i], address));
		output_add_text(one, "list", job->tasks[i].target->name);
		fjson_object_array_add(done, one);
	}
	fjson_object_object_add(whole, work->done, done);
	output_json(whole, job->context->out);
}

/* A write that fails although all was well before ends it: what was done is told. */
static int do_tasks(const struct job *job, const struct work *work)
{
	size_t done;
	int r = 0;

	for (done = 0; done < job->count && r >= 0; done++) {
		r = work->one(&job->tasks[done]);
		if (r < 0)
			break;
		if (!job->context->json)
			work->tell(job->context, &job->tasks[done]);
	}
	if (job->context->json)
		print_json(job, work, done);
	return r < 0 ? target_failed(job->context, job->tasks[done].target, r) : 0;
}

/* The operands are what lies between the options, at the front of argv. */
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
	if (status == 0)
		status = do_tasks(&job, work);
	if (status == 0 && work == &work_add)
		warn_of_evictions(&job);
	free(job.tasks);
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
		status = usage_error(context, "there is no option %s", arguments.operand);
	if (status == 0 && count == 0)
		status = usage_error(context, "%s which address?", work->name);
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

/* How many each list holds; SIZE_MAX: it is not there. */
static int count_places(const struct context *context, const struct targets *targets,
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

static void tell_flush(const struct context *context, const struct targets *targets,
		       const size_t *counts)
{
	struct fjson_object *whole = fjson_object_new_object();
	struct fjson_object *flushed = fjson_object_new_array(), *one;
	size_t i;

	for (i = 0; i < targets->count; i++) {
		if (counts[i] == SIZE_MAX)
			continue;
		one = fjson_object_new_object();
		output_add_text(one, "list", targets->all[i].name);
		output_add_number(one, "count", (int64_t)counts[i]);
		fjson_object_array_add(flushed, one);
		if (!context->json)
			fprintf(context->out, "%zu address%s taken off %s\n", counts[i],
				counts[i] == 1 ? "" : "es", targets->all[i].name);
	}
	fjson_object_object_add(whole, "flushed", flushed);
	if (context->json)
		output_json(whole, context->out);
	else
		fjson_object_put(whole);
}

static int flush_places(const struct context *context, const struct targets *targets)
{
	size_t *counts = calloc(targets->count, sizeof(*counts)), i;
	int status, r = 0;

	if (!counts)
		return failed(context, "no memory");
	status = count_places(context, targets, counts);
	for (i = 0; status == 0 && i < targets->count; i++) {
		if (counts[i] != SIZE_MAX)
			r = target_flush(&targets->all[i]);
		if (r < 0)
			status = target_failed(context, &targets->all[i], r);
	}
	if (status == 0)
		tell_flush(context, targets, counts);
	free(counts);
	return status;
}

/* Lists of several actions: which is meant? */
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
		status = usage_error(context, "there are lists of several actions: write --list "
					      "NAME, --list6 NAME or --all");
	else
		status = flush_places(context, &targets);
	targets_done(&targets);
	return status;
}

static int run_flush(struct context *context, int argc, char **argv)
{
	struct arguments arguments = { .argc = argc, .argv = argv, .at = 1 };
	struct targets_options options = { .takes_all = true };
	enum argument kind;
	int status;

	status = targets_options_take(context, &options, &arguments, &kind);
	if (status == 0 && kind != ARGUMENT_END)
		status = usage_error(context,
				     "flush takes lists, not %s: one address is taken off by del",
				     arguments.operand);
	return status != 0 ? status : do_flush(context, &options);
}

const struct command command_add = {
	.name = "add",
	.arguments = "[OPTION...] ADDR...",
	.summary = "Block addresses",
	.help = "The same addresses are refused as by the module: loopback, the host's own, those\n"
		"on its allow lists. An address that is blocked already is blocked anew.\n\n"
		TARGETS_HELP "\n"
		"  smtpblockctl add 192.0.2.7 2001:db8::7\n",
	.run = run_add,
};

const struct command command_del = {
	.name = "del",
	.arguments = "[OPTION...] ADDR...",
	.summary = "Let addresses through again",
	.help = "An address is taken off every list that has it. One that is on none is an error,\n"
		"and then nothing is done.\n\n" TARGETS_HELP
		"\n"
		"  smtpblockctl del 192.0.2.7\n",
	.run = run_del,
};

const struct command command_flush = {
	.name = "flush",
	.arguments = "[--all] [OPTION...]",
	.summary = "Let everybody through again",
	.help = "Takes all addresses off the action's lists, at once and without a question.\n\n"
		"  --all          the lists of all actions, where there are several\n" TARGETS_HELP
		"\n"
		"  smtpblockctl flush\n"
		"  smtpblockctl flush --list6 spammer6\n",
	.run = run_flush,
};
