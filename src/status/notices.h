/* What the admin has to be told: each thing once, until it is mended.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NOTICES_H
#define SMTPBLOCK_NOTICES_H

#include <stdatomic.h>
#include <stdbool.h>

enum notice {
	NOTICE_LIST4,		/* the IPv4 list cannot be written; errno */
	NOTICE_LIST6,		/* the IPv6 list cannot be written; errno */
	NOTICE_LIST4_BACK,	/* it can again; addresses put on it */
	NOTICE_LIST6_BACK,
	NOTICE_OVERFLOW4,	/* the IPv4 list is too small */
	NOTICE_OVERFLOW6,	/* the IPv6 list is too small */
	NOTICE_LOOK,		/* courier's processes cannot be looked at; errno */
	NOTICE_HELD,		/* a process of courier's keeps whoever looks at it waiting */
	NOTICE_SIGNAL,		/* nor signalled; errno */
	NOTICE_RESET,		/* nor their connections reset; errno */
	NOTICE_REPLY,		/* nor their clients told; errno */
	NOTICE_DROP,		/* -drop wants verify="sender" */
	NOTICE_DNSBL,		/* a DNSBL answers what is no listing */
	NOTICE_BUDGET,		/* maxBlocks is used up */
	NOTICE_BUDGET_OPEN,	/* and is not any more */
	NOTICE_USER,		/* courierUser cannot be looked up; errno */
	NOTICE_USER_BACK,	/* and is there now */
	NOTICE_BUSY,		/* more lines than can be looked into */
	NOTICE_EVENTS,		/* eventRuleset is too slow */
	NOTICE_HOSTADDRS,	/* own addresses cannot be read */
	NOTICE_COUNT
};

/* Whoever meets a condition raises it; only the background thread, which may wait, says
 * it. Any thread may raise and clear. */
struct notices {
	struct notice_state {
		atomic_int state;	/* private */
		atomic_int detail;	/* of the last time it was raised */
	} all[NOTICE_COUNT];
};

/* The condition holds; detail is the number that goes with it (above; an errno
 * is positive), or 0. True if it is news: somebody should call notices_next().
 * Cheap when it is none. */
bool notices_raise(struct notices *notices, enum notice id, int detail);

/* The condition is over. True if it had been said. */
bool notices_clear(struct notices *notices, enum notice id);

/* One that was raised and not said yet, which counts as said from now on.
 * Returns false if there is none. */
bool notices_next(struct notices *notices, enum notice *ret_id,
		  int *ret_detail);

/* Say everything again that is raised after this (HUP). */
void notices_reset(struct notices *notices);

#endif
