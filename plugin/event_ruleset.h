/* Hands the engine's events to rulesets, in a thread of its own.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_EVENT_RULESET_H
#define OMSMTPBLOCK_EVENT_RULESET_H

#include "rsyslog.h"

#include "status/events.h"

/* The ruleset of that name in the configuration; NULL if there is none. warning
 * (may be NULL) gets a sentence where it is not fit for events, or NULL. */
ruleset_t *event_ruleset_find(rsconf_t *conf, const char *name, const char **warning);

/* Start handing events over, each to the ruleset that is its listener. rsyslogd
 * ends the thread together with its inputs, before it takes the queues down; what
 * comes of lines that the main queue held until then is handed over by its threads.
 * One at a time. Returns 0 or -EAGAIN. */
int event_ruleset_start(struct events *events);

#endif
