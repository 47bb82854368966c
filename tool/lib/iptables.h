/* The iptables and ip6tables rules that drop packets from addresses on recent lists:
 * build, find, insert and delete them.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_IPTABLES_H
#define SMTPBLOCKCTL_IPTABLES_H

#include "tool/lib/targets.h"

/* Most ports of one multiport match (XT_MULTI_PORTS of linux/netfilter/xt_multiport.h). */
#define IPTABLES_PORTS_MAX 15

struct iptables_save;

/* One rule for one list and up to IPTABLES_PORTS_MAX of its ports. */
struct iptables_rule {
	const struct target *target;
	const uint16_t *ports;
	unsigned int port_count;
	char text[640];		/* "iptables -I INPUT -p tcp .. -j DROP" */
};

/* Number of rules that the list needs for its ports. */
unsigned int iptables_rules(const struct target *target);

/* Build rule number which (from 0). It is inserted at the top of INPUT, before any rule that
 * accepts packets of established connections. */
void iptables_make(const struct target *target, unsigned int which,
		   struct iptables_rule *ret_rule);

/* Build a rule for these ports, which the caller keeps. */
void iptables_make_for(const struct target *target, const uint16_t *ports, unsigned int count,
		       struct iptables_rule *ret_rule);

/* Does a rule with this --mask, as iptables-save prints it ("": none), match the list's
 * addresses? iptables prints the mask of a single address too; old versions print none. */
bool iptables_is_mask(const struct target *target, const char *text);

/* Run iptables-save or the like and parse its output. Returns 0 and the caller calls
 * iptables_save_free(); -ENOENT: it is not installed; -EACCES: it failed; -errno. */
int iptables_read(const struct context *context, const char *program,
		  struct iptables_save **ret_rules);

/* Does a rule exist that has the same effect for all these ports, before any rule that
 * accepts the packet? A rule in a user-defined chain counts too. Returns 1 or 0; -ENOENT:
 * iptables-save is not installed; -EACCES: it failed; -errno. */
int iptables_is_there(const struct context *context, const struct iptables_rule *rule);

/* Insert or delete the rule, of which only the text is used. Returns 0; -ENOENT: iptables is not
 * installed; -EIO: it failed; -errno. */
int iptables_insert(const struct context *context, const struct iptables_rule *rule);
int iptables_delete(const struct context *context, const struct iptables_rule *rule);

/* Does exactly this rule exist, wherever it is? Only the rule's text is used. Returns 1 or 0;
 * -ENOENT: iptables is not installed; -errno. */
int iptables_is_exactly(const struct context *context, const struct iptables_rule *rule);

#endif
