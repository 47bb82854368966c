/* How many slots each DNSBL zone's listings freed.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/dnsbl_stats.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

TEST(counted_by_name)
{
	struct dnsbl_stats dnsbl_stats;
	char text[200];

	dnsbl_stats_init(&dnsbl_stats);
	want_int(dnsbl_stats_known(&dnsbl_stats), 0);
	want_int(dnsbl_stats_format(&dnsbl_stats, 0, text, sizeof(text)), 0);
	want_str(text, "");
	dnsbl_stats_count(&dnsbl_stats, "sbl.example");
	dnsbl_stats_count(&dnsbl_stats, "xbl.example");
	dnsbl_stats_count(&dnsbl_stats, "sbl.example");
	want_int(dnsbl_stats_known(&dnsbl_stats), 2);
	want_str(dnsbl_stats_name(&dnsbl_stats, 0), "sbl.example");
	want_int(atomic_load(dnsbl_stats_saved(&dnsbl_stats, 0)), 2);
	want_int(atomic_load(dnsbl_stats_saved(&dnsbl_stats, 1)), 1);
	want_int(dnsbl_stats_format(&dnsbl_stats, 0, text, sizeof(text)), 2);
	want_str(text, "sbl.example=2 xbl.example=1");
	want_int(dnsbl_stats_format(&dnsbl_stats, 0, text, 20), 1);
	want_str(text, "sbl.example=2");
	want_int(dnsbl_stats_format(&dnsbl_stats, 1, text, 20), 2);
	want_str(text, "xbl.example=1");
	dnsbl_stats_done(&dnsbl_stats);
}

TEST(strange_names_are_cleaned)
{
	struct dnsbl_stats dnsbl_stats;
	char name[300];

	dnsbl_stats_init(&dnsbl_stats);
	dnsbl_stats_count(&dnsbl_stats, "a b\n\xc3\xb6\"1\"");
	want_str(dnsbl_stats_name(&dnsbl_stats, 0), "a?b????1?");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	dnsbl_stats_count(&dnsbl_stats, name);
	want_int(strlen(dnsbl_stats_name(&dnsbl_stats, 1)), ZONE_NAME_SIZE - 1);
	dnsbl_stats_count(&dnsbl_stats, "");
	want_str(dnsbl_stats_name(&dnsbl_stats, 2), "");
	dnsbl_stats_done(&dnsbl_stats);
}

TEST(the_last_is_for_all_others)
{
	struct dnsbl_stats dnsbl_stats;
	char name[20];
	unsigned int i;

	dnsbl_stats_init(&dnsbl_stats);
	for (i = 0; i < 3 * DNSBL_STATS_MAX; i++) {
		snprintf(name, sizeof(name), "zone%u", i);
		dnsbl_stats_count(&dnsbl_stats, name);
	}
	want_int(dnsbl_stats_known(&dnsbl_stats), DNSBL_STATS_MAX);
	want_str(dnsbl_stats_name(&dnsbl_stats, DNSBL_STATS_MAX - 2), "zone30");
	want_str(dnsbl_stats_name(&dnsbl_stats, DNSBL_STATS_MAX - 1), "other");
	want_int(atomic_load(dnsbl_stats_saved(&dnsbl_stats, DNSBL_STATS_MAX - 1)),
		 2 * DNSBL_STATS_MAX + 1);
	dnsbl_stats_count(&dnsbl_stats, "zone7");
	want_int(atomic_load(dnsbl_stats_saved(&dnsbl_stats, 7)), 2);
	dnsbl_stats_done(&dnsbl_stats);
}

static void *count_all(void *data)
{
	char name[20];
	int i;

	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "zone%d", i % 20);
		dnsbl_stats_count(data, name);
	}
	return NULL;
}

TEST(several_threads)
{
	pthread_t threads[4];
	struct dnsbl_stats dnsbl_stats;
	unsigned int i;

	dnsbl_stats_init(&dnsbl_stats);
	for (i = 0; i < COUNT_OF(threads); i++)
		want_int(pthread_create(&threads[i], NULL, count_all, &dnsbl_stats), 0);
	for (i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	want_int(dnsbl_stats_known(&dnsbl_stats), 20);
	for (i = 0; i < 20; i++)
		want_int(atomic_load(dnsbl_stats_saved(&dnsbl_stats, i)), 2000);
	dnsbl_stats_done(&dnsbl_stats);
}
