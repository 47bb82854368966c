/* Counters per DNSBL.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/dnsbl_stats.h"

#include <inttypes.h>
#include <string.h>

#include "lib/text.h"

static void clean(char to[static ZONE_NAME_SIZE], const char *name)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789.-_?";
	char *p = text_copy(name, strlen(name), to, ZONE_NAME_SIZE);

	while (*(p += strspn(p, kept)))
		*p = '?';
}

/* Returns z->count if the zone is not there. */
static unsigned int find(const struct dnsbl_stats *z, const char *name)
{
	unsigned int i;

	for (i = 0; i < z->count; i++)
		if (strcmp(z->all[i].name, name) == 0)
			break;
	return i;
}

static unsigned int find_or_add(struct dnsbl_stats *z, const char *name)
{
	unsigned int i = find(z, name);

	if (i < z->count)
		return i;
	if (z->count == DNSBL_STATS_MAX)
		return DNSBL_STATS_MAX - 1;
	if (i == DNSBL_STATS_MAX - 1)
		name = "other";
	text_copy(name, strlen(name), z->all[i].name, ZONE_NAME_SIZE);
	z->count++;
	return i;
}

void dnsbl_stats_count(struct dnsbl_stats *dnsbl_stats, const char *name)
{
	char text[ZONE_NAME_SIZE];
	unsigned int i;

	clean(text, name);
	i = find_or_add(dnsbl_stats, text);
	atomic_fetch_add_explicit(&dnsbl_stats->all[i].saved, 1, memory_order_relaxed);
}

unsigned int dnsbl_stats_known(const struct dnsbl_stats *dnsbl_stats)
{
	return dnsbl_stats->count;
}

const char *dnsbl_stats_name(const struct dnsbl_stats *dnsbl_stats, unsigned int which)
{
	return dnsbl_stats->all[which].name;
}

const atomic_uint_least64_t *dnsbl_stats_saved(const struct dnsbl_stats *dnsbl_stats,
					       unsigned int which)
{
	return &dnsbl_stats->all[which].saved;
}

unsigned int dnsbl_stats_format(const struct dnsbl_stats *dnsbl_stats, unsigned int from,
				char *buf, size_t size)
{
	unsigned int count = dnsbl_stats->count, i;
	struct text_buf text = text_buf_of(buf, size);

	for (i = from; i < count; i++)
		if (!text_append(&text, "%s%s=%" PRIu64, text.used ? " " : "",
				 dnsbl_stats->all[i].name,
				 atomic_load(&dnsbl_stats->all[i].saved)))
			break;
	return i;
}
