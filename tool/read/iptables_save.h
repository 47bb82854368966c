/* iptables' rules, as iptables-save(8) prints them: does a packet come to the rule
 * that looks at our list, and what stands in its way?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_IPTABLES_SAVE_H
#define SMTPBLOCKCTL_IPTABLES_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iptables_save;

/* Longest rule that is quoted, NUL included; a longer one is cut. */
#define IPTABLES_RULE_SIZE 256

/* A rule with a recent match on one list. */
struct iptables_save_recent {
	char text[IPTABLES_RULE_SIZE];	/* as iptables-save prints it */
	bool update;		/* renews the entry; else it only looks (--rcheck) */
	bool drops;		/* -j DROP or REJECT, on the list's sources */
	bool rdest;		/* looks at the destination address */
	unsigned int seconds;	/* 0: no limit */
	unsigned int hitcount;	/* 0, 1: one entry is enough */
	char mask[64];		/* --mask; "": none is printed (old versions) */
};

enum iptables_save_way {
	IPTABLES_REACHED,	/* the packet comes to the rule */
	IPTABLES_ACCEPTED,	/* another rule accepts it before */
	IPTABLES_STOPPED,	/* another rule drops it before */
	IPTABLES_MISSED,	/* it passes by: no rule leads there */
};

struct iptables_save_answer {
	bool exists;		/* a rule names the list at all */
	struct iptables_save_recent rule; /* if so: the one that is reached, or the first */
	enum iptables_save_way new_connections;
	enum iptables_save_way established;	/* packets of connections that are open */
	char before[IPTABLES_RULE_SIZE];	/* what accepts or stops the packet; or "" */
};

/* Take the text of iptables-save or ip6tables-save. What is in no known form is left
 * out. Returns 0 and the caller owns *ret_ruleset; -ENOMEM. */
int iptables_save_parse(const char *text, size_t len, struct iptables_save **ret_ruleset);

/* NULL is allowed. */
void iptables_save_free(struct iptables_save *rules);

/* Follow a TCP packet from anywhere outside to this port of the host through the
 * chains that see it on its way in (raw PREROUTING, mangle PREROUTING and INPUT,
 * filter INPUT). Rules for certain sources or with other matches hold for some
 * packets only: they are taken to let this one pass. */
void iptables_save_ask(const struct iptables_save *rules, const char *list, uint16_t port,
		       struct iptables_save_answer *ret_answer);

#endif
