/* What the kernel's lists hold, in the order of time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_ENTRIES_H
#define SMTPBLOCKCTL_ENTRIES_H

#include <json.h>
#include <time.h>

#include "tool/lib/targets.h"

struct entries_entry {
	const struct target *target;
	struct addr addr;
	time_t since;		/* of the block or the last dropped packet */
	time_t until;
	int64_t left;		/* s, rounded up; <= 0: its time is over */
};

/* Of one list, beside the places' order. */
struct entries_list {
	bool there;
	size_t held;		/* all that the kernel holds */
	size_t blocked;		/* of them, those whose time is not over */
};

struct entries {
	struct entries_entry *entries;	/* the oldest first */
	size_t count, room;
	size_t over;		/* left out, as their time is over */
	struct entries_list *lists;
	bool all;
	time_t now;
};

/* Read all lists. all: with those whose time is over. A list that is not there is
 * told on stderr, and is no error. Returns 0 and the caller calls entries_done(); or
 * a STATUS_ once the complaint is written. */
int entries_read(const struct context *context, const struct targets *targets, bool all,
		 struct entries *ret_listing);
void entries_done(struct entries *entries);

/* Is any of the lists there? */
bool entries_any(const struct targets *targets, const struct entries *entries);

/* Does the list hold nothing but living blocks, as many as it can? Then recent has
 * let the oldest of them go before their time, or will with the next one; nftables
 * takes no more. One that holds some whose time is over has lost none that was alive:
 * the kernel drops the one that was seen longest ago. */
bool entries_overflows(const struct target *target, const struct entries_list *list);

/* The address, or the prefix where whole prefixes are blocked. Returns buf. */
char *entries_address(const struct entries_entry *entry, char buf[static CIDR_TEXT_SIZE]);

/* As JSON; the caller owns it. */
struct fjson_object *entries_json_entry(const struct entries_entry *entry);
struct fjson_object *entries_json_lists(const struct targets *targets,
					const struct entries *entries);

#endif
