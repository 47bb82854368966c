/* What the kernel's lists hold, in the order of time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_LISTING_H
#define SMTPBLOCKCTL_LISTING_H

#include <json.h>
#include <time.h>

#include "tool/lib/places.h"

struct listing_entry {
	const struct place *place;
	struct addr addr;
	time_t since;		/* of the block or the last dropped packet */
	time_t until;
	int64_t left;		/* s, rounded up; <= 0: its time is over */
};

/* Of one list, beside the places' order. */
struct listing_list {
	bool there;
	size_t held;		/* all that the kernel holds */
	size_t blocked;		/* of them, those whose time is not over */
};

struct listing {
	struct listing_entry *entries;	/* the oldest first */
	size_t count, room;
	size_t over;		/* left out, as their time is over */
	struct listing_list *lists;
	bool all;
	time_t now;
};

/* Read all lists. all: with those whose time is over. A list that is not there is
 * told on stderr, and is no error. Returns 0 and the caller calls listing_done(); or
 * a STATUS_ once the complaint is written. */
int listing_read(const struct context *context, const struct places *places, bool all,
		 struct listing *ret_listing);
void listing_done(struct listing *listing);

/* Is any of the lists there? */
bool listing_any(const struct places *places, const struct listing *listing);

/* Does the list hold nothing but living blocks, as many as it can? Then recent has
 * let the oldest of them go before their time, or will with the next one; nftables
 * takes no more. One that holds some whose time is over has lost none that was alive:
 * the kernel drops the one that was seen longest ago. */
bool listing_overflows(const struct place *place, const struct listing_list *list);

/* The address, or the prefix where whole prefixes are blocked. Returns buf. */
char *listing_address(const struct listing_entry *entry, char buf[static CIDR_TEXT_SIZE]);

/* As JSON; the caller owns it. */
struct fjson_object *listing_json_entry(const struct listing_entry *entry);
struct fjson_object *listing_json_lists(const struct places *places,
					const struct listing *listing);

#endif
