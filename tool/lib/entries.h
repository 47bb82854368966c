/* The entries of the kernel's lists, ordered by time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_ENTRIES_H
#define SMTPBLOCKCTL_ENTRIES_H

#include <json.h>
#include <time.h>

#include "tool/lib/targets.h"

struct entries_entry {
	const struct target *target;
	struct addr addr;
	time_t since;		/* time of the block or of the last dropped packet */
	time_t until;
	int64_t left;		/* s until it expires, rounded up; <= 0: expired */
};

/* The entries of one list, in the order of the targets. */
struct entries_list {
	bool there;
	size_t total;		/* all entries in the kernel */
	size_t blocked;		/* of these, not expired */
};

struct entries {
	struct entries_entry *entries;	/* oldest first */
	size_t count;
	size_t expired;		/* expired ones that were left out */
	struct entries_list *lists;
	bool all;
	time_t now;
};

/* Read all lists. all: include expired entries. A list that does not exist is reported on
 * stderr and is no error. Returns 0 and the caller calls entries_done(); or a STATUS_ after
 * reporting the error. */
int entries_read(const struct context *context, const struct targets *targets, bool all,
		 struct entries *ret_listing);
void entries_done(struct entries *entries);

/* Does any of the lists exist? */
bool entries_any(const struct targets *targets, const struct entries *entries);

/* Is the list full of live blocks? Then a recent list has dropped its oldest block early, or
 * will with the next one; an nftables set accepts no more. While a list has expired entries
 * no live block is lost: the kernel drops the entry that was seen longest ago. */
bool entries_overflows(const struct target *target, const struct entries_list *list);

/* Format the address, or the prefix if prefixes are blocked. Returns buf. */
char *entries_address(const struct entries_entry *entry, char buf[static CIDR_TEXT_SIZE]);

/* Returns the entry as JSON; the caller owns it. */
struct fjson_object *entries_json_entry(const struct entries_entry *entry);
struct fjson_object *entries_json_lists(const struct targets *targets,
					const struct entries *entries);

#endif
