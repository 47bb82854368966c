/* The checks of "smtpblockctl check"; each adds its results.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_CHECKS_H
#define SMTPBLOCKCTL_CHECKS_H

#include "tool/check/results.h"

/* Does courier drop listed connections itself (-drop)? */
bool host_drops(const struct host *host);

/* The imuxsock parameters that pass on the sender's credentials. For their cost see
 * SECURITY. */
#define CHECK_CREDENTIALS                                                                        \
	"module(load=\"imuxsock\" SysSock.UsePIDFromSystem=\"on\" SysSock.Annotate=\"on\" "      \
	"SysSock.ParseTrusted=\"on\")"
#define CHECK_TRADE "any local user can then stop rsyslogd's input, see SECURITY"

/* One function for each subject. Those with an action parameter are called for each action. */
void check_kernel(struct checks *checks, const struct host_action *action);
void check_lists(struct checks *checks, const struct host_action *action);
void check_nftables(struct checks *checks, const struct host_action *action);
void check_rules(struct checks *checks, const struct host_action *action);
void check_namespaces(struct checks *checks);
void check_courier(struct checks *checks);
void check_courier_action(struct checks *checks, const struct host_action *action);
void check_rsyslog_conf(struct checks *checks);
void check_inputs(struct checks *checks, const struct host_action *action);
void check_reach(struct checks *checks, const struct host_action *action);
void check_parsers(struct checks *checks, const struct host_action *action);
void check_journald(struct checks *checks);
void check_rsyslog_process(struct checks *checks);
void check_stuck(struct checks *checks);
void check_rights(struct checks *checks, const struct host_action *action);
void check_unit(struct checks *checks, const struct host_action *action);

#endif
