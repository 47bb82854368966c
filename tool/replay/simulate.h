/* Replay a log: which slots were in use without the module, and which would have been
 * with it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SIMULATE_H
#define SMTPBLOCKCTL_SIMULATE_H

#include "lib/lru.h"
#include "tool/lib/verdict.h"
#include "tool/replay/timeline.h"

/* courier logs the start of a connection and errors, but not the end. The model assumes that
 * without the module a connection lasts
 *
 *   - session seconds, if only its start is logged;
 *   - from its start to idle seconds after its last line otherwise;
 *   - at most until another one starts from the same address and port.
 *
 * With the module, the same lines are logged except for connections of a blocked address.
 * Those that would start within banTime are kept out and renew the block, as the rules'
 * --update does. One that was open ends with its own next line that triggers. If lines have
 * no port, the PID identifies the connection; without both, a line belongs to the newest
 * connection of its address. */
struct simulate_model {
	int64_t session, idle;	/* s */
};

/* Upper limit of session and idle, in s. */
#define SIMULATE_SECONDS_MAX 3600

/* Results for an address, or for the prefix that is blocked with it. */
struct simulate_host {
	unsigned long connections, kept_out;
	unsigned long blocks;	/* times it was blocked */
	int64_t first_block, blocked_until;
	int64_t slot_time[COURSE_COUNT]; /* s */
};

struct simulate_totals {
	unsigned long lines;		/* courier's lines that have a time */
	unsigned long couriers;		/* lines that look like courier's */
	unsigned long connections, kept_out;
	unsigned long ended;		/* smtpd processes that the module terminated */
	unsigned long blocks, hosts_blocked;
	unsigned long over_budget;	/* triggers that maxBlocks kept from blocking */
	/* Figures that courier logged. */
	unsigned long active;		/* most active processes */
	unsigned long limit;		/* MAXDAEMONS; 0: never logged */
	unsigned long full;		/* lines about all slots in use */
	unsigned long full_address;	/* the same for the limit of one address */
};

struct simulation;

/* The caller keeps judge and model until simulation_free(). Returns 0 or -ENOMEM. The caller
 * owns *ret_simulation. */
int simulation_new(const struct judge *judge, const struct simulate_model *model,
		   struct simulation **ret_simulation);
void simulation_free(struct simulation *simulation);

/* Process one line, logged at time, in s since the epoch. Times must not decrease. */
void simulation_line(struct simulation *simulation, const struct syslog_line *line,
		     int64_t time);

/* Call this after the last line. */
void simulation_finish(struct simulation *simulation);

/* Valid until simulation_free(). */
const struct simulate_totals *simulation_totals(const struct simulation *simulation);
const struct settings *simulation_settings(const struct simulation *simulation);
const struct timeline *simulation_slots(const struct simulation *simulation);
/* struct simulate_host by struct addr. */
const struct lru *simulation_hosts(const struct simulation *simulation);

#endif
