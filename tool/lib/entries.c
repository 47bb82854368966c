/* The entries of the kernel's lists.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/entries.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/array.h"
#include "tool/lib/output.h"

/* Filled by the backend's foreach(). */
struct collector {
	struct entries *entries;
	const struct target *target;
	struct entries_list *list;
};

static int collect(void *ctx, const struct backend_entry *entry)
{
	struct collector *c = ctx;
	struct entries *entries = c->entries;
	struct entries_entry *added;

	c->list->total++;
	if (entry->left > 0)
		c->list->blocked++;
	if (entry->left <= 0 && !entries->all) {
		entries->expired++;
		return 0;
	}
	added = array_add(&entries->entries, &entries->count);
	if (!added)
		return -ENOMEM;
	*added = (struct entries_entry){
		.target = c->target,
		.addr = entry->addr,
		.since = entries->now - entry->age / 1000,
		.until = entries->now - entry->age / 1000 + (entry->age + entry->left) / 1000,
		.left = entry->left > 0 ? (entry->left + 999) / 1000 : entry->left / 1000,
	};
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct entries_entry *x = a, *y = b;

	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return addr_compare(&x->addr, &y->addr);
}

/* Returns 0, even if the list does not exist. */
static int read_list(const struct context *context, const struct target *target,
		     struct entries_list *list, struct entries *entries)
{
	struct collector collector = { .entries = entries, .target = target, .list = list };
	int r = target_foreach(target, collect, &collector);

	list->there = r != -ENOENT;
	if (r == -ENOENT)
		target_failed(context, target, r);
	else if (r == -ENOMEM)
		return failed(context, "out of memory");
	else if (r < 0)
		return target_failed(context, target, r);
	return 0;
}

static int read_places(const struct context *context, const struct targets *targets,
		       struct entries *entries)
{
	int status = 0;
	size_t i;

	for (i = 0; status == 0 && i < targets->count; i++)
		status = read_list(context, &targets->all[i], &entries->lists[i], entries);
	return status;
}

bool entries_any(const struct targets *targets, const struct entries *entries)
{
	size_t i;

	for (i = 0; i < targets->count; i++)
		if (entries->lists[i].there)
			return true;
	return false;
}

bool entries_overflows(const struct target *target, const struct entries_list *list)
{
	return list->there && list->blocked >= target_capacity(target);
}

int entries_read(const struct context *context, const struct targets *targets, bool all,
		 struct entries *ret_listing)
{
	struct entries entries = { .all = all, .now = time(NULL) };
	int status = STATUS_FAILED;

	entries.lists = calloc(targets->count, sizeof(*entries.lists));
	if (entries.lists)
		status = read_places(context, targets, &entries);
	else
		failed(context, "out of memory");
	if (status != 0) {
		entries_done(&entries);
		return status;
	}
	if (entries.count > 0)
		qsort(entries.entries, entries.count, sizeof(*entries.entries), compare);
	*ret_listing = entries;
	return 0;
}

void entries_done(struct entries *entries)
{
	free(entries->entries);
	free(entries->lists);
}

char *entries_address(const struct entries_entry *entry, char buf[static CIDR_TEXT_SIZE])
{
	struct cidr target = target_name(entry->target, &entry->addr);

	if (target.prefix == addr_bits(&entry->addr) ||
	    addr_compare(&target.net, &entry->addr) != 0)
		return addr_format(&entry->addr, buf);
	return cidr_format(&target, buf);
}

struct fjson_object *entries_json_entry(const struct entries_entry *entry)
{
	struct fjson_object *object = fjson_object_new_object();
	char address[CIDR_TEXT_SIZE];

	output_add_text(object, "address", entries_address(entry, address));
	output_add_text(object, "list", entry->target->name);
	output_add_time(object, "since", entry->since);
	output_add_time(object, "until", entry->until);
	output_add_number(object, "left_s", entry->left);
	return object;
}

static void json_list(const struct target *target, const struct entries_list *list,
		      struct fjson_object *object)
{
	size_t capacity = target_capacity(target);

	output_add_text(object, "list", target->name);
	output_add_text(object, "family", target_family(target));
	output_add_text(object, "backend", target_backend(target));
	output_add_text(object, "source", target->action->source);
	output_add_number(object, "ban_time_s", target->action->settings.ban_time);
	output_add_bool(object, "there", list->there);
	output_add_number(object, "held", (int64_t)list->total);
	output_add_number(object, "blocked", (int64_t)list->blocked);
	output_add_bool(object, "overflows", entries_overflows(target, list));
	output_add_known(object, "capacity", capacity == SIZE_MAX ? 0 : (int64_t)capacity);
}

struct fjson_object *entries_json_lists(const struct targets *targets,
					const struct entries *entries)
{
	struct fjson_object *lists = fjson_object_new_array();
	size_t i;

	for (i = 0; i < targets->count; i++)
		json_list(&targets->all[i], &entries->lists[i], output_add_object(lists));
	return lists;
}
