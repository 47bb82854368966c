/* How many slots each DNSBL zone's listings freed.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/zones.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

static void counted_by_name(void **state)
{
	struct zones zones;
	char text[200];

	(void)state;
	zones_init(&zones);
	want_int(zones_known(&zones), 0);
	want_int(zones_format(&zones, 0, text, sizeof(text)), 0);
	want_str(text, "");
	zones_count(&zones, "sbl.example");
	zones_count(&zones, "xbl.example");
	zones_count(&zones, "sbl.example");
	want_int(zones_known(&zones), 2);
	want_str(zones_name(&zones, 0), "sbl.example");
	want_int(atomic_load(zones_saved(&zones, 0)), 2);
	want_int(atomic_load(zones_saved(&zones, 1)), 1);
	want_int(zones_format(&zones, 0, text, sizeof(text)), 2);
	want_str(text, "sbl.example=2 xbl.example=1");
	want_int(zones_format(&zones, 0, text, 20), 1);
	want_str(text, "sbl.example=2");
	want_int(zones_format(&zones, 1, text, 20), 2);
	want_str(text, "xbl.example=1");
	zones_done(&zones);
}

static void strange_names_are_cleaned(void **state)
{
	struct zones zones;
	char name[300];

	(void)state;
	zones_init(&zones);
	zones_count(&zones, "a b\n\xc3\xb6\"1\"");
	want_str(zones_name(&zones, 0), "a?b????1?");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	zones_count(&zones, name);
	want_int(strlen(zones_name(&zones, 1)), ZONE_NAME_SIZE - 1);
	zones_count(&zones, "");
	want_str(zones_name(&zones, 2), "");
	zones_done(&zones);
}

static void the_last_is_for_all_others(void **state)
{
	struct zones zones;
	char name[20];
	unsigned int i;

	(void)state;
	zones_init(&zones);
	for (i = 0; i < 3 * ZONES_MAX; i++) {
		snprintf(name, sizeof(name), "zone%u", i);
		zones_count(&zones, name);
	}
	want_int(zones_known(&zones), ZONES_MAX);
	want_str(zones_name(&zones, ZONES_MAX - 2), "zone30");
	want_str(zones_name(&zones, ZONES_MAX - 1), "other");
	want_int(atomic_load(zones_saved(&zones, ZONES_MAX - 1)), 2 * ZONES_MAX + 1);
	zones_count(&zones, "zone7");
	want_int(atomic_load(zones_saved(&zones, 7)), 2);
	zones_done(&zones);
}

static void *count_all(void *data)
{
	char name[20];
	int i;

	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "zone%d", i % 20);
		zones_count(data, name);
	}
	return NULL;
}

static void several_threads(void **state)
{
	pthread_t threads[4];
	struct zones zones;
	unsigned int i;

	(void)state;
	zones_init(&zones);
	for (i = 0; i < COUNT_OF(threads); i++)
		want_int(pthread_create(&threads[i], NULL, count_all, &zones), 0);
	for (i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	want_int(zones_known(&zones), 20);
	for (i = 0; i < 20; i++)
		want_int(atomic_load(zones_saved(&zones, i)), 2000);
	zones_done(&zones);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, counted_by_name);
	SUITE_TEST(suite, strange_names_are_cleaned);
	SUITE_TEST(suite, the_last_is_for_all_others);
	SUITE_TEST(suite, several_threads);
	return suite_run(suite, "zones");
}
