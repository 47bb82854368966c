/* What the admin has to be told: each thing once, until it is mended.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ALERTS_H
#define SMTPBLOCK_ALERTS_H

#include <stdatomic.h>
#include <stdbool.h>

enum alert {
	ALERT_LIST4,		/* the IPv4 list cannot be written; errno */
	ALERT_LIST6,		/* the IPv6 list cannot be written; errno */
	ALERT_LIST4_BACK,	/* it can again; addresses put on it */
	ALERT_LIST6_BACK,
	ALERT_OVERFLOW4,	/* the IPv4 list is too small */
	ALERT_OVERFLOW6,	/* the IPv6 list is too small */
	ALERT_LOOK,		/* courier's processes cannot be looked at; errno */
	ALERT_HELD,		/* a process of courier's keeps whoever looks at it waiting */
	ALERT_SIGNAL,		/* nor signalled; errno */
	ALERT_RESET,		/* nor their connections reset; errno */
	ALERT_REPLY,		/* nor their clients told; errno */
	ALERT_DROP,		/* -drop wants verify="sender" */
	ALERT_DNSBL,		/* a DNSBL answers what is no listing */
	ALERT_BUDGET,		/* maxBlocks is used up */
	ALERT_BUDGET_OPEN,	/* and is not any more */
	ALERT_USER,		/* courierUser cannot be looked up; errno */
	ALERT_USER_BACK,	/* and is there now */
	ALERT_BUSY,		/* more lines than can be looked into */
	ALERT_EVENTS,		/* eventRuleset is too slow */
	ALERT_HOSTADDRS,	/* own addresses cannot be read */
	ALERT_COUNT
};

/* Whoever meets a condition raises it; only the background thread, which may wait, says
 * it. Any thread may raise and clear. */
struct alerts {
	struct alert_state {
		atomic_int state;	/* private */
		atomic_int detail;	/* of the last time it was raised */
	} all[ALERT_COUNT];
};

/* The condition holds; detail is the number that goes with it (above; an errno
 * is positive), or 0. True if it is news: somebody should call alerts_next().
 * Cheap when it is none. */
bool alerts_raise(struct alerts *alerts, enum alert id, int detail);

/* The condition is over. True if it had been said. */
bool alerts_clear(struct alerts *alerts, enum alert id);

/* One that was raised and not said yet, which counts as said from now on.
 * Returns false if there is none. */
bool alerts_next(struct alerts *alerts, enum alert *ret_id, int *ret_detail);

/* Say everything again that is raised after this (HUP). */
void alerts_reset(struct alerts *alerts);

#endif
