/* The part of setup that concerns the lists alone.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SETUP_PART_H
#define SMTPBLOCKCTL_SETUP_PART_H

#include "tool/lib/targets.h"

/* setup recent, setup nftables: argv as of the subcommand. Returns a STATUS_. */
int setup_part(struct context *context, int argc, char **argv);

#define SETUP_PART_HELP                                                                   \
	"setup recent and setup nftables concern the lists alone. They print what to run:\n" \
	"for recent the rules of iptables and ip6tables, as a script for sh; for nftables\n"  \
	"the table, as a file for nft -f. Rules go to the top of INPUT, before any rule\n"    \
	"that accepts established connections.\n\n"                                          \
	"  --apply        run it. Existing rules are kept; if a rule cannot be inserted,\n"   \
	"                 those of this run are removed again. --undo does not know them\n"   \
	TARGETS_HELP_WITH("")

#endif
