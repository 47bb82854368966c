/* Alerts for the admin, each logged once until it is fixed.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ALERTS_H
#define SMTPBLOCK_ALERTS_H

#include <stdatomic.h>
#include <stdbool.h>

enum alert {
	ALERT_LIST4,		/* the IPv4 list cannot be written; errno */
	ALERT_LIST6,		/* the IPv6 list cannot be written; errno */
	ALERT_LIST4_BACK,	/* it can again; number of addresses written */
	ALERT_LIST6_BACK,
	ALERT_OVERFLOW4,	/* the IPv4 list is too small */
	ALERT_OVERFLOW6,	/* the IPv6 list is too small */
	ALERT_LOOK,		/* courier's processes cannot be read; errno */
	ALERT_HELD,		/* reading a process of courier's user blocks */
	ALERT_SIGNAL,		/* courier's processes cannot be signalled; errno */
	ALERT_RESET,		/* connections cannot be reset; errno */
	ALERT_REPLY,		/* connect.reply cannot be written; errno */
	ALERT_DROP,		/* -drop needs verify="sender" */
	ALERT_DNSBL,		/* a DNSBL returned what is not a listing */
	ALERT_BUDGET,		/* maxBlocks is used up */
	ALERT_BUDGET_OPEN,	/* maxBlocks allows blocks again */
	ALERT_USER,		/* courierUser cannot be looked up; errno */
	ALERT_USER_BACK,	/* courierUser was found */
	ALERT_PROXY,		/* clients come through a proxy */
	ALERT_BUSY,		/* more lines than can be searched for */
	ALERT_EVENTS,		/* EVENTS_MAX events wait for eventRuleset */
	ALERT_HOSTADDRS,	/* the host's addresses cannot be read */
	ALERT_UNBLOCK,		/* unblocks by hand are not known; errno */
	ALERT_COUNT
};

/* Any thread may raise and clear an alert. Only the background thread, which may block,
 * logs it. */
struct alerts {
	struct alert_state {
		atomic_int state;	/* private */
		atomic_int detail;	/* of the last raise */
	} all[ALERT_COUNT];
};

/* The condition holds. detail is the number that goes with it (see above; an errno is
 * positive), or 0. Returns true if the alert is new: alerts_next() has to be called. Cheap
 * if it is not. */
bool alerts_raise(struct alerts *alerts, enum alert id, int detail);

/* The condition is over. Returns true if the alert had been logged. */
bool alerts_clear(struct alerts *alerts, enum alert id);

/* The next alert to log, which counts as logged from now on. Returns false if there is none. */
bool alerts_next(struct alerts *alerts, enum alert *ret_id, int *ret_detail);

/* Log every alert again that is raised after this (HUP). */
void alerts_reset(struct alerts *alerts);

#endif
