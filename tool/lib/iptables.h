/* The rules of iptables and ip6tables that give recent's lists a meaning: put
 * together, looked for, inserted.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_IPTABLES_H
#define SMTPBLOCKCTL_IPTABLES_H

#include "tool/lib/targets.h"

/* What the multiport match takes (XT_MULTI_PORTS of linux/netfilter/xt_multiport.h). */
#define IPTABLES_PORTS_MAX 15

/* One rule for one list and up to that many of its ports. */
struct iptables_rule {
	const struct target *target;
	const uint16_t *ports;
	unsigned int port_count;
	char text[640];		/* "iptables -I INPUT -p tcp .. -j DROP" */
};

/* How many rules the list needs for its ports. */
unsigned int iptables_rules(const struct target *target);

/* Put rule number which (from 0) together. It goes to the top of INPUT: whatever
 * accepts packets of established connections comes behind it. */
void iptables_make(const struct target *target, unsigned int which,
		   struct iptables_rule *ret_rule);

/* Is a rule in force that does the same for all these ports, before anything accepts
 * the packet? One that somebody wrote into a chain of his own counts too. Returns 1
 * or 0; -ENOENT: there is no such program as iptables-save; -EACCES: it failed;
 * -errno. */
int iptables_is_there(const struct context *context, const struct iptables_rule *rule);

/* Insert the rule, or delete it again. Returns 0; -ENOENT: there is no such program;
 * -EIO: it failed; -errno. */
int iptables_insert(const struct context *context, const struct iptables_rule *rule);
int iptables_delete(const struct context *context, const struct iptables_rule *rule);

#endif
