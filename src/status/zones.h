/* Which DNSBL is worth its query: how many slots each zone's listings freed.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ZONES_H
#define SMTPBLOCK_ZONES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A server asks a handful of them; what is more counts as the last one, "other". */
#define ZONES_MAX 32
#define ZONE_NAME_SIZE 64

struct zones {
	pthread_mutex_t lock;		/* of count; private, as is the rest */
	unsigned int count;
	struct zone {
		char name[ZONE_NAME_SIZE];
		atomic_uint_least64_t saved;
	} all[ZONES_MAX];
};

/* Before the first use, and after the last. */
void zones_init(struct zones *zones);
void zones_done(struct zones *zones);

/* One slot more that this zone's listing freed. What no DNSBL's name has in it
 * (letters, digits, '.', '-', '_') becomes '?', and a long name is cut. Any
 * thread. */
void zones_count(struct zones *zones, const char *name);

/* How many zones there are by now: never fewer later. Any thread. */
unsigned int zones_known(struct zones *zones);

/* The name of a zone, and its count, for which < zones_known(). Valid as long as
 * zones are. Any thread. */
const char *zones_name(const struct zones *zones, unsigned int which);
const atomic_uint_least64_t *zones_saved(const struct zones *zones,
					 unsigned int which);

/* "a.example=3 b.example=1", from that zone on, as many as fit: at least one if size
 * is that of a name and 22 more. Returns the first that is left out, zones_known() if
 * none is. */
unsigned int zones_format(struct zones *zones, unsigned int from, char *buf, size_t size);

#endif
