/* How many slots each DNSBL zone's listings freed.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/dnsbl_stats.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

static struct dnsbl_stats stats;

static void before(void)
{
	memset(&stats, 0, sizeof(stats));
}

TEST_EACH(before, NULL)

static void want_saved(unsigned int zone, const char *name, unsigned int saved)
{
	want_str(dnsbl_stats_name(&stats, zone), name);
	want_int(atomic_load(dnsbl_stats_saved(&stats, zone)), saved);
}

TEST(counted_by_name)
{
	char text[200];

	want_int(dnsbl_stats_known(&stats), 0);
	want_int(dnsbl_stats_format(&stats, 0, text, sizeof(text)), 0);
	want_str(text, "");
	dnsbl_stats_count(&stats, "sbl.example");
	dnsbl_stats_count(&stats, "xbl.example");
	dnsbl_stats_count(&stats, "sbl.example");
	want_int(dnsbl_stats_known(&stats), 2);
	want_saved(0, "sbl.example", 2);
	want_saved(1, "xbl.example", 1);
	want_int(dnsbl_stats_format(&stats, 0, text, sizeof(text)), 2);
	want_str(text, "sbl.example=2 xbl.example=1");
	want_int(dnsbl_stats_format(&stats, 0, text, 20), 1);
	want_str(text, "sbl.example=2");
	want_int(dnsbl_stats_format(&stats, 1, text, 20), 2);
	want_str(text, "xbl.example=1");
}

TEST(strange_names_are_cleaned)
{
	char name[300];

	dnsbl_stats_count(&stats, "a b\n\xc3\xb6\"1\"");
	want_str(dnsbl_stats_name(&stats, 0), "a?b????1?");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	dnsbl_stats_count(&stats, name);
	want_int(strlen(dnsbl_stats_name(&stats, 1)), ZONE_NAME_SIZE - 1);
	dnsbl_stats_count(&stats, "");
	want_str(dnsbl_stats_name(&stats, 2), "");
}

TEST(the_last_is_for_all_others)
{
	char name[20];
	unsigned int i;

	for (i = 0; i < 3 * DNSBL_STATS_MAX; i++) {
		snprintf(name, sizeof(name), "zone%u", i);
		dnsbl_stats_count(&stats, name);
	}
	want_int(dnsbl_stats_known(&stats), DNSBL_STATS_MAX);
	want_str(dnsbl_stats_name(&stats, DNSBL_STATS_MAX - 2), "zone30");
	want_saved(DNSBL_STATS_MAX - 1, "other", 2 * DNSBL_STATS_MAX + 1);
	dnsbl_stats_count(&stats, "zone7");
	want_int(atomic_load(dnsbl_stats_saved(&stats, 7)), 2);
}
