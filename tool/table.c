/* What is known about so many connections or addresses, and no more.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* No entry. */
#define NONE UINT32_MAX
#define FIRST_ROOM 256

/* Entries stay where they are, by number; a full table gives its oldest entry
 * away. */
struct entry {
	struct table_key key;
	uint32_t next;		/* in its bucket */
	uint32_t newer, older;	/* by their last look */
};

struct table {
	size_t value_size;
	uint32_t max, room, count;
	uint32_t newest, oldest;
	unsigned long forgotten;
	uint64_t seed;
	struct entry *entries;
	unsigned char *values;
	uint32_t *buckets;	/* room of them, a power of 2 */
};

int table_new(size_t value_size, uint32_t max, struct table **ret_table)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->value_size = value_size;
	t->max = max;
	t->newest = t->oldest = NONE;
	/* Without randomness the order is the same each time, no more. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) < 0)
		t->seed = 0;
	*ret_table = t;
	return 0;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	free(table->entries);
	free(table->values);
	free(table->buckets);
	free(table);
}

static void *value_of(const struct table *t, uint32_t n)
{
	return t->values + n * t->value_size;
}

static uint32_t *bucket_of(const struct table *t, const struct table_key *key)
{
	uint64_t salt = ((uint64_t)key->port << 32 | (uint32_t)key->pid) *
			0x9e3779b97f4a7c15U;

	return &t->buckets[addr_hash(&key->addr, t->seed ^ salt) & (t->room - 1)];
}

static bool same_key(const struct table_key *a, const struct table_key *b)
{
	return a->port == b->port && a->pid == b->pid &&
	       addr_compare(&a->addr, &b->addr) == 0;
}

static void unlink_entry(struct table *t, uint32_t n)
{
	const struct entry *e = &t->entries[n];

	if (e->newer == NONE)
		t->newest = e->older;
	else
		t->entries[e->newer].older = e->older;
	if (e->older == NONE)
		t->oldest = e->newer;
	else
		t->entries[e->older].newer = e->newer;
}

static void make_newest(struct table *t, uint32_t n)
{
	t->entries[n].newer = NONE;
	t->entries[n].older = t->newest;
	if (t->newest == NONE)
		t->oldest = n;
	else
		t->entries[t->newest].newer = n;
	t->newest = n;
}

static void put_into_bucket(struct table *t, uint32_t n)
{
	uint32_t *bucket = bucket_of(t, &t->entries[n].key);

	t->entries[n].next = *bucket;
	*bucket = n;
}

static void take_from_bucket(struct table *t, uint32_t n)
{
	uint32_t *at = bucket_of(t, &t->entries[n].key);

	while (*at != n)
		at = &t->entries[*at].next;
	*at = t->entries[n].next;
}

static int resize(void **array, size_t count, size_t size)
{
	void *larger = reallocarray(*array, count, size);

	if (!larger)
		return -ENOMEM;
	*array = larger;
	return 0;
}

/* Double the room. An array that grew alone does no harm. */
static int grow(struct table *t)
{
	uint32_t room = t->room ? 2 * t->room : FIRST_ROOM, n;

	if (resize((void **)&t->entries, room, sizeof(*t->entries)) < 0 ||
	    resize((void **)&t->values, room, t->value_size) < 0 ||
	    resize((void **)&t->buckets, room, sizeof(*t->buckets)) < 0)
		return -ENOMEM;
	t->room = room;
	memset(t->buckets, 0xff, room * sizeof(*t->buckets));
	for (n = 0; n < t->count; n++)
		put_into_bucket(t, n);
	return 0;
}

static uint32_t find(const struct table *t, const struct table_key *key)
{
	uint32_t n;

	if (t->room == 0)
		return NONE;
	for (n = *bucket_of(t, key); n != NONE; n = t->entries[n].next)
		if (same_key(&t->entries[n].key, key))
			break;
	return n;
}

void *table_find(struct table *table, const struct table_key *key)
{
	uint32_t n = find(table, key);

	if (n == NONE)
		return NULL;
	unlink_entry(table, n);
	make_newest(table, n);
	return value_of(table, n);
}

/* Room for one more: a new entry, or the oldest. */
static int take_entry(struct table *t, uint32_t *ret_entry)
{
	if (t->count < t->max) {
		if (t->count == t->room && grow(t) < 0)
			return -ENOMEM;
		*ret_entry = t->count++;
		return 0;
	}
	*ret_entry = t->oldest;
	take_from_bucket(t, t->oldest);
	unlink_entry(t, t->oldest);
	t->forgotten++;
	return 0;
}

int table_add(struct table *table, const struct table_key *key, void **ret_value)
{
	uint32_t n;
	int r;

	r = take_entry(table, &n);
	if (r < 0)
		return r;
	table->entries[n].key = *key;
	put_into_bucket(table, n);
	make_newest(table, n);
	*ret_value = memset(value_of(table, n), 0, table->value_size);
	return 0;
}

uint32_t table_count(const struct table *table)
{
	return table->count;
}

void *table_at(const struct table *table, uint32_t n, struct table_key *ret_key)
{
	*ret_key = table->entries[n].key;
	return value_of(table, n);
}

unsigned long table_forgotten(const struct table *table)
{
	return table->forgotten;
}
