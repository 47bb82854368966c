/* The checks of "smtpblockctl check": each adds lines of what it found.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_CHECKS_H
#define SMTPBLOCKCTL_CHECKS_H

#include "site.h"

enum check_status {
	CHECK_OK,
	CHECK_WARNING,		/* it works, but not as well as it could; or it cannot be
				 * told whether it does */
	CHECK_BROKEN,		/* nobody is blocked, or nobody ended, as it is */
};

struct check_result {
	enum check_status status;
	const char *id;		/* "list.ipv4": not freed */
	char *why;
	char *type;		/* what to type; "": nothing */
};

struct checks {
	const struct site *site;
	struct check_result *results;
	size_t count;
	bool out_of_memory;	/* a result is missing */
};

/* Longest text of what to type, for those who put one together. */
#define CHECK_TYPE_SIZE 1024

/* Add a line. type is copied, why is a format. A line that is there already, as
 * several actions may give the same, is not added again. */
void check_ok(struct checks *checks, const char *id, const char *why, ...)
	__attribute__((format(printf, 3, 4)));
void check_warning(struct checks *checks, const char *id, const char *type, const char *why,
		   ...) __attribute__((format(printf, 4, 5)));
void check_broken(struct checks *checks, const char *id, const char *type, const char *why,
		  ...) __attribute__((format(printf, 4, 5)));

/* For checks that find out in more than one place. */
void check_add(struct checks *checks, enum check_status status, const char *id,
	       const char *type, const char *why, ...) __attribute__((format(printf, 5, 6)));

/* "FILE line N" of where an item stands. Returns buf. */
char *check_place(const struct rsyslogconf_item *item, char *buf, size_t size);

/* Does courier drop listed connections itself (-drop)? */
bool site_drops(const struct site *site);

/* What imuxsock needs to pass on the sender's credentials, and what that costs: see
 * SECURITY. */
#define CHECK_CREDENTIALS                                                                        \
	"module(load=\"imuxsock\" SysSock.UsePIDFromSystem=\"on\" SysSock.Annotate=\"on\" "      \
	"SysSock.ParseTrusted=\"on\")"
#define CHECK_TRADE "any local user can then stop rsyslogd's input, see SECURITY"

/* Does the sender's PID come with every line of courier's, if only in the tag? A local
 * user can forge the tag, a client of courier's cannot. */
bool site_knows_pids(const struct site *site);

/* One function a subject. Those with an action are called for each. */
void check_kernel(struct checks *checks, const struct site_action *action);
void check_lists(struct checks *checks, const struct site_action *action);
void check_nftables(struct checks *checks, const struct site_action *action);
void check_rules(struct checks *checks, const struct site_action *action);
void check_namespaces(struct checks *checks);
void check_courier(struct checks *checks);
void check_courier_action(struct checks *checks, const struct site_action *action);
void check_rsyslog(struct checks *checks);
void check_inputs(struct checks *checks, const struct site_action *action);
void check_reach(struct checks *checks, const struct site_action *action);
void check_parsers(struct checks *checks, const struct site_action *action);
void check_journald(struct checks *checks);
void check_rsyslogd(struct checks *checks);
void check_held(struct checks *checks);
void check_rights(struct checks *checks, const struct site_action *action);
void check_unit(struct checks *checks, const struct site_action *action);

#endif
