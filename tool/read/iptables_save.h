/* The output of iptables-save(8): does a packet reach the rule that matches our list,
 * and if not, which rule prevents it?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_IPTABLES_SAVE_H
#define SMTPBLOCKCTL_IPTABLES_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iptables_save;

/* Longest text of a rule, NUL included; longer ones are cut. */
#define IPTABLES_RULE_SIZE 256

/* A rule with a recent match on one list. */
struct iptables_save_recent {
	char text[IPTABLES_RULE_SIZE];	/* as iptables-save prints it */
	bool update;		/* --update, renews the entry; else --rcheck */
	bool drops;		/* -j DROP or REJECT for sources on the list */
	bool rdest;		/* matches the destination address */
	unsigned int seconds;	/* 0: no limit */
	unsigned int hitcount;	/* 0, 1: one entry is enough */
	char mask[64];		/* --mask; "": none is printed (old versions) */
};

enum iptables_save_way {
	IPTABLES_REACHED,	/* the packet reaches the rule */
	IPTABLES_ACCEPTED,	/* another rule accepts it before */
	IPTABLES_STOPPED,	/* another rule drops it before */
	IPTABLES_MISSED,	/* no rule leads there */
};

struct iptables_save_answer {
	bool exists;		/* a rule names the list */
	struct iptables_save_recent rule; /* if it exists: the rule reached, or the first one */
	enum iptables_save_way new_connections;
	enum iptables_save_way established;	/* for packets of open connections */
	char before[IPTABLES_RULE_SIZE];	/* the rule that accepts or drops the packet;
						 * or "" */
};

/* Parse the output of iptables-save or ip6tables-save. Lines of unknown form are skipped.
 * Returns 0 and the caller owns *ret_ruleset; -ENOMEM. */
int iptables_save_parse(const char *text, size_t len, struct iptables_save **ret_ruleset);

/* NULL is allowed. */
void iptables_save_free(struct iptables_save *rules);

/* Follow a TCP packet from any outside address to this port of the host through the chains
 * that see incoming packets (raw PREROUTING, mangle PREROUTING and INPUT, filter INPUT).
 * Rules with further conditions, such as source addresses, match only some packets: they are
 * assumed not to match this one. */
void iptables_save_ask(const struct iptables_save *rules, const char *list, uint16_t port,
		       struct iptables_save_answer *ret_answer);

#endif
