/* A log played again: which slots were taken without the module, and which would
 * have been with it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SIMULATE_H
#define SMTPBLOCKCTL_SIMULATE_H

#include "lib/lru.h"
#include "tool/lib/verdict.h"
#include "tool/replay/timeline.h"

/* courier logs when a connection starts and what goes wrong, but not its end. It is
 * taken to last, without the module,
 *
 *   - session seconds, if nothing but its start is logged;
 *   - from its start to idle seconds behind its last line otherwise;
 *   - until another one starts from the same address and port.
 *
 * With the module the same lines come, but for the connections of a blocked
 * address: those that would start within banTime do not come, and renew the block,
 * as the rules' --update does; one that was open ends with its own next line that
 * triggers. Without a port in the lines the PID tells connections apart; without
 * both a line belongs to the address's newest. */
struct simulate_model {
	int64_t session, idle;	/* s */
};

/* Longest session or idle. */
#define SIMULATE_SECONDS_MAX 3600

/* What is known about an address, or the prefix that is blocked for it. */
struct simulate_host {
	unsigned long connections, kept_out;
	unsigned long blocks;	/* how often it was put on the list */
	int64_t first_block, blocked_until;
	int64_t slot_time[COURSE_COUNT]; /* s */
};

struct simulate_totals {
	unsigned long lines;		/* of courier's, with a time */
	unsigned long connections, kept_out;
	unsigned long ended;		/* children, by the module */
	unsigned long blocks, hosts_blocked;
	unsigned long over_budget;	/* triggers that maxBlocks left unblocked */
	/* courier's own figures. */
	unsigned long active;		/* the most that it logged */
	unsigned long limit;		/* MAXDAEMONS, as it logged it; 0: never */
	unsigned long full;		/* lines that say so */
	unsigned long full_address;	/* the same of one address's share */
};

struct simulation;

/* judge and model outlive it. Returns 0 or -ENOMEM. The caller owns
 * *ret_simulation. */
int simulation_new(const struct judge *judge, const struct simulate_model *model,
		   struct simulation **ret_simulation);
void simulation_free(struct simulation *simulation);

/* One line, logged at time, in s since the epoch; times do not go back. */
void simulation_line(struct simulation *simulation, const struct syslog_line *line,
		     int64_t time);

/* No more comes. */
void simulation_finish(struct simulation *simulation);

/* Valid until simulation_free(). */
const struct simulate_totals *simulation_totals(const struct simulation *simulation);
const struct settings *simulation_settings(const struct simulation *simulation);
const struct timeline *simulation_slots(const struct simulation *simulation);
/* Of struct simulate_host by struct addr. */
const struct lru *simulation_hosts(const struct simulation *simulation);

#endif
