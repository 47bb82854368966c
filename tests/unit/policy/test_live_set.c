/* A set of prefixes that is replaced while others look up.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/live_set.h"

#include <pthread.h>
#include <string.h>

#include "tests/unit/support.h"

static struct cidr parse(const char *text)
{
	struct cidr cidr;

	want_int(cidr_parse(text, strlen(text), &cidr), 0);
	return cidr;
}

/* Of up to two prefixes; NULL: none. */
static struct prefix_set *set_of(const char *first, const char *second)
{
	const char *const texts[] = { first, second };
	struct prefix_set *set;
	struct cidr cidr;
	size_t i;

	want_int(prefix_set_new(&set), 0);
	for (i = 0; i < 2 && texts[i]; i++) {
		cidr = parse(texts[i]);
		want_int(prefix_set_add(set, &cidr), 0);
	}
	prefix_set_seal(set);
	return set;
}

static bool contains(struct live_set *set, const char *text)
{
	const struct cidr host = parse(text);

	return live_set_contains(set, &host.net);
}

static bool overlaps(struct live_set *set, const char *text)
{
	const struct cidr cidr = parse(text);

	return live_set_overlaps(set, &cidr);
}

TEST(last_set_counts)
{
	struct live_set set;

	live_set_init(&set);
	want_int(contains(&set, "192.0.2.7") || overlaps(&set, "0.0.0.0/0"), false);
	live_set_replace(&set, set_of("192.0.2.0/24", NULL));
	want_int(contains(&set, "192.0.2.7"), true);
	want_int(contains(&set, "192.0.3.7"), false);
	want_int(overlaps(&set, "192.0.0.0/16"), true);
	want_int(overlaps(&set, "198.51.100.0/24"), false);
	live_set_replace(&set, set_of("198.51.100.0/24", NULL));
	want_int(contains(&set, "192.0.2.7") || overlaps(&set, "192.0.0.0/16"), false);
	want_int(contains(&set, "198.51.100.1"), true);
	live_set_replace(&set, set_of(NULL, NULL));
	want_int(contains(&set, "198.51.100.1") || overlaps(&set, "0.0.0.0/0"), false);
	live_set_done(&set);
}

static void *replace_often(void *data)
{
	int i;

	for (i = 0; i < 2000; i++)
		live_set_replace(data, set_of("192.0.2.0/24", i % 2 ? "198.51.100.1" : NULL));
	return NULL;
}

/* What is in all of them is found at any time. */
TEST(looked_up_meanwhile)
{
	unsigned int wrong = 0, i;
	struct live_set set;
	pthread_t thread;

	live_set_init(&set);
	live_set_replace(&set, set_of("192.0.2.0/24", NULL));
	want_int(pthread_create(&thread, NULL, replace_often, &set), 0);
	for (i = 0; i < 20000; i++)
		wrong += !contains(&set, "192.0.2.7") || !overlaps(&set, "192.0.0.0/16") ||
			 contains(&set, "203.0.113.1");
	want_int(pthread_join(thread, NULL), 0);
	want_int(wrong, 0);
	live_set_done(&set);
}
