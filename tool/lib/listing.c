/* What the kernel's lists hold.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/listing.h"

#include <errno.h>
#include <stdlib.h>

#include "tool/lib/output.h"

/* What each() fills. */
struct collector {
	struct listing *listing;
	const struct place *place;
	struct listing_list *list;
};

static int make_room(struct listing *listing)
{
	size_t room = listing->room ? 2 * listing->room : 64;
	void *entries;

	if (listing->count < listing->room)
		return 0;
	entries = reallocarray(listing->entries, room, sizeof(*listing->entries));
	if (!entries)
		return -ENOMEM;
	listing->entries = entries;
	listing->room = room;
	return 0;
}

static int collect(void *ctx, const struct backend_entry *entry)
{
	struct collector *c = ctx;
	struct listing *listing = c->listing;
	int r;

	c->list->held++;
	if (entry->left > 0)
		c->list->blocked++;
	if (entry->left <= 0 && !listing->all) {
		listing->over++;
		return 0;
	}
	r = make_room(listing);
	if (r < 0)
		return r;
	listing->entries[listing->count++] = (struct listing_entry){
		.place = c->place,
		.addr = entry->addr,
		.since = listing->now - entry->age / 1000,
		.until = listing->now - entry->age / 1000 + (entry->age + entry->left) / 1000,
		.left = entry->left > 0 ? (entry->left + 999) / 1000 : entry->left / 1000,
	};
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct listing_entry *x = a, *y = b;

	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return addr_compare(&x->addr, &y->addr);
}

/* Returns 0, also where there is no list. */
static int read_place(const struct context *context, const struct place *place,
		      struct listing_list *list, struct listing *listing)
{
	struct collector collector = { .listing = listing, .place = place, .list = list };
	int r = place_foreach(place, collect, &collector);

	list->there = r != -ENOENT;
	if (r == -ENOENT)
		place_failed(context, place, r);
	else if (r == -ENOMEM)
		return failed(context, "no memory");
	else if (r < 0)
		return place_failed(context, place, r);
	return 0;
}

static int read_places(const struct context *context, const struct places *places,
		       struct listing *listing)
{
	int status = 0;
	size_t i;

	for (i = 0; status == 0 && i < places->count; i++)
		status = read_place(context, &places->all[i], &listing->lists[i], listing);
	return status;
}

bool listing_any(const struct places *places, const struct listing *listing)
{
	size_t i;

	for (i = 0; i < places->count; i++)
		if (listing->lists[i].there)
			return true;
	return false;
}

bool listing_overflows(const struct place *place, const struct listing_list *list)
{
	return list->there && list->blocked >= place_capacity(place);
}

int listing_read(const struct context *context, const struct places *places, bool all,
		 struct listing *ret_listing)
{
	struct listing listing = { .all = all, .now = time(NULL) };
	int status = STATUS_FAILED;

	listing.lists = calloc(places->count, sizeof(*listing.lists));
	if (listing.lists)
		status = read_places(context, places, &listing);
	else
		failed(context, "no memory");
	if (status != 0) {
		listing_done(&listing);
		return status;
	}
	if (listing.count > 0)
		qsort(listing.entries, listing.count, sizeof(*listing.entries), compare);
	*ret_listing = listing;
	return 0;
}

void listing_done(struct listing *listing)
{
	free(listing->entries);
	free(listing->lists);
}

char *listing_address(const struct listing_entry *entry, char buf[static CIDR_TEXT_SIZE])
{
	struct cidr target = place_target(entry->place, &entry->addr);

	if (target.prefix == addr_bits(&entry->addr) ||
	    addr_compare(&target.net, &entry->addr) != 0)
		return addr_format(&entry->addr, buf);
	return cidr_format(&target, buf);
}

struct fjson_object *listing_json_entry(const struct listing_entry *entry)
{
	struct fjson_object *object = fjson_object_new_object();
	char address[CIDR_TEXT_SIZE];

	output_add_text(object, "address", listing_address(entry, address));
	output_add_text(object, "list", entry->place->name);
	output_add_time(object, "since", entry->since);
	output_add_time(object, "until", entry->until);
	output_add_number(object, "left_s", entry->left);
	return object;
}

static struct fjson_object *json_list(const struct place *place, const struct listing_list *list)
{
	struct fjson_object *object = fjson_object_new_object();
	size_t capacity = place_capacity(place);

	output_add_text(object, "list", place->name);
	output_add_text(object, "family", place_family(place));
	output_add_text(object, "backend", place_backend(place));
	output_add_text(object, "source", place->action->source);
	output_add_number(object, "ban_time_s", place->action->settings.ban_time);
	output_add_bool(object, "there", list->there);
	output_add_number(object, "held", (int64_t)list->held);
	output_add_number(object, "blocked", (int64_t)list->blocked);
	output_add_bool(object, "overflows", listing_overflows(place, list));
	if (capacity == SIZE_MAX)
		output_add_text(object, "capacity", NULL);
	else
		output_add_number(object, "capacity", (int64_t)capacity);
	return object;
}

struct fjson_object *listing_json_lists(const struct places *places,
					const struct listing *listing)
{
	struct fjson_object *lists = fjson_object_new_array();
	size_t i;

	for (i = 0; i < places->count; i++)
		fjson_object_array_add(lists, json_list(&places->all[i], &listing->lists[i]));
	return lists;
}
