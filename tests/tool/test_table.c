/* Tests of the table that keeps so many values and no more.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <errno.h>
#include <string.h>

#include "../unit/support.h"

static struct table_key key_of(unsigned int n)
{
	struct table_key key = { .addr.family = ADDR_IPV4 };

	memcpy(key.addr.bytes, &n, sizeof(n));
	return key;
}

static unsigned int *add(struct table *table, unsigned int n)
{
	const struct table_key key = key_of(n);
	void *value;

	want_int(table_add(table, &key, &value), 0);
	*(unsigned int *)value += n;
	return value;
}

static unsigned int *find(struct table *table, unsigned int n)
{
	const struct table_key key = key_of(n);

	return table_find(table, &key);
}

static void want_value(struct table *table, unsigned int n)
{
	const unsigned int *value = find(table, n);

	assert_non_null(value);
	want_int(*value, n);
}

static void values_are_found_again(void **state)
{
	struct table *table;
	unsigned int n;

	(void)state;
	want_int(table_new(sizeof(unsigned int), 5000, &table), 0);
	assert_null(find(table, 1));
	for (n = 1; n <= 5000; n++)
		add(table, n);
	for (n = 1; n <= 5000; n++)
		want_value(table, n);
	assert_null(find(table, 5001));
	want_int(table_count(table), 5000);
	want_int(table_forgotten(table), 0);
	table_free(table);
}

/* So many that some share a bucket. */
static void ports_and_pids_tell_apart(void **state)
{
	struct table_key key = key_of(1);
	struct table *table;
	unsigned int i;
	void *value;

	(void)state;
	want_int(table_new(sizeof(unsigned int), 4000, &table), 0);
	for (i = 0; i < 2000; i++) {
		key.port = i < 1000 ? (uint16_t)i : 0;
		key.pid = i < 1000 ? 0 : (pid_t)i;
		assert_null(table_find(table, &key));
		want_int(table_add(table, &key, &value), 0);
	}
	want_int(table_count(table), 2000);
	table_free(table);
}

/* In a full table the one not looked at for longest makes room, again and again. */
static void the_oldest_makes_room(void **state)
{
	struct table *table;
	unsigned int n;

	(void)state;
	want_int(table_new(sizeof(unsigned int), 3, &table), 0);
	for (n = 1; n <= 3; n++)
		add(table, n);
	want_value(table, 1);
	add(table, 4);
	assert_null(find(table, 2));
	want_value(table, 3);
	want_value(table, 1);
	add(table, 5);
	assert_null(find(table, 4));
	for (n = 100; n < 10100; n++)
		add(table, n);
	for (n = 10097; n < 10100; n++)
		want_value(table, n);
	assert_null(find(table, 1));
	want_int(table_count(table), 3);
	want_int(table_forgotten(table), 10002);
	table_free(table);
}

static void all_are_seen_once(void **state)
{
	unsigned int seen[4] = { 0 };
	struct table_key key, want;
	struct table *table;
	unsigned int n, *value;

	(void)state;
	want_int(table_new(sizeof(unsigned int), 3, &table), 0);
	for (n = 0; n < 4; n++)
		add(table, n);
	for (n = 0; n < table_count(table); n++) {
		value = table_at(table, n, &key);
		want = key_of(*value);
		want_mem(&key, &want, sizeof(key));
		seen[*value]++;
	}
	for (n = 0; n < 4; n++)
		want_int(seen[n], n > 0);
	table_free(table);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, values_are_found_again);
	SUITE_TEST(suite, ports_and_pids_tell_apart);
	SUITE_TEST(suite, the_oldest_makes_room);
	SUITE_TEST(suite, all_are_seen_once);
	return suite_run(suite, "table");
}
