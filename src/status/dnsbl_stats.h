/* Counters per DNSBL: slots freed because of a listing in each zone.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_DNSBL_STATS_H
#define SMTPBLOCK_DNSBL_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A server queries a handful of zones; from this one on all count as "other". */
#define DNSBL_STATS_MAX 32
#define ZONE_NAME_SIZE 64

/* All 0 is an empty table. One thread owns it; any thread may read a counter that
 * dnsbl_stats_saved() has returned. The members are private. */
struct dnsbl_stats {
	unsigned int count;
	struct zone {
		char name[ZONE_NAME_SIZE];
		atomic_uint_least64_t saved;
	} all[DNSBL_STATS_MAX];
};

/* Count a slot that this zone's listing freed. Characters that are not allowed in a zone's
 * name (other than letters, digits, '.', '-', '_') become '?', and a long name is cut. */
void dnsbl_stats_count(struct dnsbl_stats *dnsbl_stats, const char *name);

/* The number of zones so far; it never decreases. */
unsigned int dnsbl_stats_known(const struct dnsbl_stats *dnsbl_stats);

/* The name of a zone and its counter, for which < dnsbl_stats_known(). Valid as long as
 * dnsbl_stats. */
const char *dnsbl_stats_name(const struct dnsbl_stats *dnsbl_stats, unsigned int which);
const atomic_uint_least64_t *dnsbl_stats_saved(const struct dnsbl_stats *dnsbl_stats,
					       unsigned int which);

/* Write "a.example=3 b.example=1" for the zones from that index on, as many as fit: at
 * least one if size has room for a name and 22 more. Returns the index of the first zone
 * left out, or dnsbl_stats_known(). */
unsigned int dnsbl_stats_format(const struct dnsbl_stats *dnsbl_stats, unsigned int from,
				char *buf, size_t size);

#endif
