/* Submits the engine's events to rulesets, in its own thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_EVENT_RULESET_H
#define OMSMTPBLOCK_EVENT_RULESET_H

#include "rsyslog.h"

#include "status/events.h"

/* Find the ruleset in the configuration; NULL if there is none. *warning (warning may be
 * NULL) is a sentence if the ruleset is not suitable for events, otherwise NULL. */
ruleset_t *event_ruleset_find(rsconf_t *conf, const char *name, const char **warning);

/* Start submitting events, each to the ruleset that is its listener. rsyslogd ends the
 * thread together with its inputs, before the queues. After that the main queue's threads
 * submit the events that they cause. Only one may run at a time. Returns 0 or -EAGAIN. */
int event_ruleset_start(struct events *events);

#endif
