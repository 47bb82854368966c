/* Values by address: found again, the oldest evicted, keys compared by all their
 * bytes.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/lru.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/support.h"

struct key {
	struct addr addr;
	uint8_t unused;
	uint16_t port;
	uint32_t pid;
};

static struct key key_of(unsigned int n)
{
	struct key key = { .addr.family = ADDR_IPV4 };

	memcpy(key.addr.bytes, &n, sizeof(n));
	return key;
}

static struct lru *new_lru(size_t max)
{
	struct lru *lru = NULL;

	want_int(lru_new(sizeof(struct key), sizeof(int64_t), max, &lru), 0);
	return lru;
}

static void add(struct lru *lru, unsigned int n)
{
	const struct key key = key_of(n);
	int64_t *value = lru_add(lru, &key);

	want_int((uintptr_t)value % sizeof(*value), 0);
	want_int(*value, 0);
	*value = n;
}

static const int64_t *find(struct lru *lru, unsigned int n)
{
	const struct key key = key_of(n);

	return lru_find(lru, &key);
}

static void want_value(struct lru *lru, unsigned int n)
{
	const int64_t *value = find(lru, n);

	assert_non_null(value);
	want_int(*value, n);
}

TEST(values_are_found_again)
{
	struct lru *lru = new_lru(5000);
	unsigned int n;

	want_int(lru_max(lru), 5000);
	assert_null(find(lru, 1));
	for (n = 1; n <= 5000; n++)
		add(lru, n);
	for (n = 1; n <= 5000; n++)
		want_value(lru, n);
	assert_null(find(lru, 5001));
	want_int(lru_count(lru), 5000);
	want_int(lru_forgotten(lru), 0);
	lru_free(lru);
}

/* Enough for some to share a chain. */
TEST(all_bytes_of_a_key_count)
{
	struct key key = key_of(1);
	struct lru *lru = new_lru(4000);
	uint16_t i;

	for (i = 0; i < 2000; i++) {
		key.port = i < 1000 ? i : 0;
		key.pid = i < 1000 ? 0 : i;
		assert_null(lru_find(lru, &key));
		*(int64_t *)lru_add(lru, &key) = i;
	}
	want_int(lru_count(lru), 2000);
	key.pid = 1234;
	want_int(*(int64_t *)lru_find(lru, &key), 1234);
	lru_free(lru);
}

/* A full table gives away the value not looked at for longest, again and again. */
TEST(the_oldest_makes_room)
{
	struct lru *lru = new_lru(3);
	unsigned int n;

	for (n = 1; n <= 3; n++) {
		assert_null(lru_victim(lru));
		add(lru, n);
	}
	want_value(lru, 1);
	want_int(*(const int64_t *)lru_victim(lru), 2);
	add(lru, 4);
	assert_null(find(lru, 2));
	want_value(lru, 3);
	want_value(lru, 1);
	add(lru, 5);
	assert_null(find(lru, 4));
	for (n = 100; n < 10100; n++)
		add(lru, n);
	for (n = 10097; n < 10100; n++)
		want_value(lru, n);
	assert_null(find(lru, 1));
	want_int(lru_count(lru), 3);
	want_int(lru_forgotten(lru), 10002);
	lru_free(lru);
}

TEST(all_are_seen_once)
{
	struct lru *lru = new_lru(3);
	unsigned int seen[4] = { 0 };
	const int64_t *value;
	const void *key;
	struct key want;
	unsigned int n;

	for (n = 0; n < 4; n++)
		add(lru, n);
	for (n = 0; n < lru_count(lru); n++) {
		value = lru_at(lru, n, &key);
		want = key_of((unsigned int)*value);
		want_mem(key, &want, sizeof(want));
		seen[*value]++;
	}
	for (n = 0; n < 4; n++)
		want_int(seen[n], n > 0);
	lru_free(lru);
}

/* Numbers of 32 bits are packed without gaps. */
TEST(entries_are_small)
{
	want_int(lru_entry_size(sizeof(struct addr), 8), 4 + 12 + 20 + 8);
	want_int(lru_entry_size(sizeof(struct addr), 12), 4 + 12 + 20 + 12);
	want_int(lru_entry_size(sizeof(struct key), 8), 4 + 12 + 28 + 8);
}

static int make(void *data)
{
	struct lru *lru = NULL;
	int r = lru_new(sizeof(struct addr), 8, 100, &lru);

	(void)data;
	lru_free(lru);
	return r;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(make, NULL) >= 2, true);
}
