/* Which DNSBL is worth its query.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "zones.h"

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

/* Returns ZONES_MAX if it is not there. */
static unsigned int find(const struct zones *z, const char *name)
{
	unsigned int count = zones_known(z), i;

	for (i = 0; i < count; i++)
		if (strcmp(z->all[i].name, name) == 0)
			return i;
	return ZONES_MAX;
}

/* With the lock held. A zone is not touched any more once it is counted in. */
static unsigned int add(struct zones *z, const char *name)
{
	unsigned int count = atomic_load(&z->count);

	if (count >= ZONES_MAX - 1)
		name = "other";
	if (count == ZONES_MAX)
		return ZONES_MAX - 1;
	snprintf(z->all[count].name, ZONE_NAME_SIZE, "%s", name);
	atomic_store(&z->count, count + 1);
	return count;
}

static unsigned int find_or_add(struct zones *z, const char *name)
{
	unsigned int i;

	pthread_mutex_lock(&z->lock);
	i = find(z, name);
	if (i == ZONES_MAX)
		i = add(z, name);
	pthread_mutex_unlock(&z->lock);
	return i;
}

void zones_count(struct zones *zones, const char *name)
{
	char text[ZONE_NAME_SIZE];
	unsigned int i;

	clean(text, name);
	i = find(zones, text);
	if (i == ZONES_MAX)
		i = find_or_add(zones, text);
	atomic_fetch_add_explicit(&zones->all[i].saved, 1, memory_order_relaxed);
}

unsigned int zones_known(const struct zones *zones)
{
	return atomic_load(&zones->count);
}

const char *zones_name(const struct zones *zones, unsigned int which)
{
	return zones->all[which].name;
}

const atomic_uint_least64_t *zones_saved(const struct zones *zones, unsigned int which)
{
	return &zones->all[which].saved;
}

char *zones_format(const struct zones *zones, char *buf, size_t size)
{
	unsigned int count = zones_known(zones), i;
	size_t used = 0;
	int n;

	buf[0] = '\0';
	for (i = 0; i < count; i++) {
		n = snprintf(buf + used, size - used, "%s%s=%" PRIu64,
			     used ? " " : "", zones->all[i].name,
			     atomic_load(&zones->all[i].saved));
		if (n < 0 || (size_t)n >= size - used) {
			buf[used] = '\0';
			break;
		}
		used += (size_t)n;
	}
	return buf;
}
