/* Which DNSBL is worth its query: how many slots each zone's listings freed.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_DNSBL_STATS_H
#define SMTPBLOCK_DNSBL_STATS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A server asks a handful of them; what is more counts as the last one, "other". */
#define DNSBL_STATS_MAX 32
#define ZONE_NAME_SIZE 64

struct dnsbl_stats {
	pthread_mutex_t lock;		/* of count; private, as is the rest */
	unsigned int count;
	struct zone {
		char name[ZONE_NAME_SIZE];
		atomic_uint_least64_t saved;
	} all[DNSBL_STATS_MAX];
};

/* Before the first use, and after the last. */
void dnsbl_stats_init(struct dnsbl_stats *dnsbl_stats);
void dnsbl_stats_done(struct dnsbl_stats *dnsbl_stats);

/* One slot more that this zone's listing freed. What no DNSBL's name has in it
 * (letters, digits, '.', '-', '_') becomes '?', and a long name is cut. Any
 * thread. */
void dnsbl_stats_count(struct dnsbl_stats *dnsbl_stats, const char *name);

/* How many zones there are by now: never fewer later. Any thread. */
unsigned int dnsbl_stats_known(struct dnsbl_stats *dnsbl_stats);

/* The name of a zone, and its count, for which < dnsbl_stats_known(). Valid as long as
 * zones are. Any thread. */
const char *dnsbl_stats_name(const struct dnsbl_stats *dnsbl_stats, unsigned int which);
const atomic_uint_least64_t *dnsbl_stats_saved(const struct dnsbl_stats *dnsbl_stats,
					       unsigned int which);

/* "a.example=3 b.example=1", from that zone on, as many as fit: at least one if size
 * is that of a name and 22 more. Returns the first that is left out, dnsbl_stats_known() if
 * none is. */
unsigned int dnsbl_stats_format(struct dnsbl_stats *dnsbl_stats, unsigned int from, char *buf,
				size_t size);

#endif
