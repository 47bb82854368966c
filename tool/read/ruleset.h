/* iptables' rules, as iptables-save(8) prints them: does a packet come to the rule
 * that looks at our list, and what stands in its way?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RULESET_H
#define SMTPBLOCKCTL_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ruleset;

/* Longest rule that is quoted, NUL included; a longer one is cut. */
#define RULESET_RULE_SIZE 256

/* A rule with a recent match on one list. */
struct ruleset_recent {
	char text[RULESET_RULE_SIZE];	/* as iptables-save prints it */
	bool update;		/* renews the entry; else it only looks (--rcheck) */
	bool drops;		/* -j DROP or REJECT, on the list's sources */
	bool rdest;		/* looks at the destination address */
	unsigned int seconds;	/* 0: no limit */
	unsigned int hitcount;	/* 0, 1: one entry is enough */
	char mask[64];		/* --mask; "": none is printed (old versions) */
};

enum ruleset_way {
	RULESET_REACHED,	/* the packet comes to the rule */
	RULESET_ACCEPTED,	/* another rule accepts it before */
	RULESET_STOPPED,	/* another rule drops it before */
	RULESET_MISSED,		/* it passes by: no rule leads there */
};

struct ruleset_answer {
	bool exists;		/* a rule names the list at all */
	struct ruleset_recent rule; /* if so: the one that is reached, or the first */
	enum ruleset_way new_connections;
	enum ruleset_way established;	/* packets of connections that are open */
	char before[RULESET_RULE_SIZE];	/* what accepts or stops the packet; or "" */
};

/* Take the text of iptables-save or ip6tables-save. What is in no known form is left
 * out. Returns 0 and the caller owns *ret_ruleset; -ENOMEM. */
int ruleset_parse(const char *text, size_t len, struct ruleset **ret_ruleset);

/* NULL is allowed. */
void ruleset_free(struct ruleset *ruleset);

/* Follow a TCP packet from anywhere outside to this port of the host through the
 * chains that see it on its way in (raw PREROUTING, mangle PREROUTING and INPUT,
 * filter INPUT). Rules for certain sources or with other matches hold for some
 * packets only: they are taken to let this one pass. */
void ruleset_ask(const struct ruleset *ruleset, const char *list, uint16_t port,
		 struct ruleset_answer *ret_answer);

#endif
