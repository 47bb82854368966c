/* Which DNSBL is worth its query.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/zones.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void zones_init(struct zones *zones)
{
	memset(zones, 0, sizeof(*zones));
	pthread_mutex_init(&zones->lock, NULL);
}

void zones_done(struct zones *zones)
{
	pthread_mutex_destroy(&zones->lock);
}

static void clean(char to[static ZONE_NAME_SIZE], const char *name)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < ZONE_NAME_SIZE; i++) {
		unsigned char ch = (unsigned char)name[i];

		to[i] = (ch < 0x80 && isalnum(ch)) || strchr(".-_", ch) ?
				name[i] :
				'?';
	}
	to[i] = '\0';
}

/* With the lock held. Returns z->count if it is not there. */
static unsigned int find(const struct zones *z, const char *name)
{
	unsigned int i;

	for (i = 0; i < z->count; i++)
		if (strcmp(z->all[i].name, name) == 0)
			break;
	return i;
}

/* With the lock held. A zone's name is not touched any more once it is counted in. */
static unsigned int find_or_add(struct zones *z, const char *name)
{
	unsigned int i = find(z, name);

	if (i < z->count)
		return i;
	if (z->count == ZONES_MAX)
		return ZONES_MAX - 1;
	snprintf(z->all[i].name, ZONE_NAME_SIZE, "%s",
		 i == ZONES_MAX - 1 ? "other" : name);
	z->count++;
	return i;
}

void zones_count(struct zones *zones, const char *name)
{
	char text[ZONE_NAME_SIZE];
	unsigned int i;

	clean(text, name);
	pthread_mutex_lock(&zones->lock);
	i = find_or_add(zones, text);
	pthread_mutex_unlock(&zones->lock);
	atomic_fetch_add_explicit(&zones->all[i].saved, 1, memory_order_relaxed);
}

unsigned int zones_known(struct zones *zones)
{
	unsigned int count;

	pthread_mutex_lock(&zones->lock);
	count = zones->count;
	pthread_mutex_unlock(&zones->lock);
	return count;
}

const char *zones_name(const struct zones *zones, unsigned int which)
{
	return zones->all[which].name;
}

const atomic_uint_least64_t *zones_saved(const struct zones *zones, unsigned int which)
{
	return &zones->all[which].saved;
}

unsigned int zones_format(struct zones *zones, unsigned int from, char *buf, size_t size)
{
	unsigned int count = zones_known(zones), i;
	size_t used = 0;
	int n;

	buf[0] = '\0';
	for (i = from; i < count; i++) {
		n = snprintf(buf + used, size - used, "%s%s=%" PRIu64,
			     used ? " " : "", zones->all[i].name,
			     atomic_load(&zones->all[i].saved));
		if (n < 0 || (size_t)n >= size - used) {
			buf[used] = '\0';
			break;
		}
		used += (size_t)n;
	}
	return i;
}
