/* Submits the engine's events to rulesets, in its own thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_EVENT_RULESET_H
#define OMSMTPBLOCK_EVENT_RULESET_H

#include "rsyslog.h"

#include "engine/engine.h"
#include "status/events.h"

/* Find the ruleset in the configuration; NULL if there is none. *warning (warning may be
 * NULL) is a sentence if the ruleset is not suitable for events, otherwise NULL. */
ruleset_t *event_ruleset_find(rsconf_t *conf, const char *name, const char **warning);

/* Where the events of one action go: the listener of struct event. */
struct event_listener {
	ruleset_t *ruleset;	/* valid until rsyslogd frees its rulesets.. */
	bool has_queue;		/* ..of its own, not direct; valid as long as the listener */
};

/* While the configuration is loaded. */
struct event_listener event_listener_of(ruleset_t *ruleset);

/* Start submitting events, each to the ruleset of its listener. rsyslogd ends the
 * thread together with its inputs, before the queues. Only one may run at a time. Returns 0
 * or -EAGAIN. */
int event_ruleset_start(struct events *events);

/* A thread of rsyslogd's ends that has passed lines to the engine. If it is one of the main
 * queue's and the announcing thread has ended before it, then submit the events of these
 * lines, for which the background thread gets a little time. */
void event_ruleset_end_worker(const struct engine *engine);

#endif
