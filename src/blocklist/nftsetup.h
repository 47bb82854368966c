/* Sets up our nftables table.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NFTSETUP_H
#define SMTPBLOCK_NFTSETUP_H

#include "blocklist/nftstate.h"

/* How closely a list's set and rule must match. */
enum nftsetup_demand {
	/* Exactly as configured. What differs is replaced; addresses of a set keep their
	 * remaining time. */
	NFTSETUP_EXACT,
	/* Any set and rule that work: another action with the same list may have other
	 * parameters, and the action that started last wins. */
	NFTSETUP_WORKING,
};

/* Create what is missing. Sets and rules of other lists, and everything outside our table,
 * stay as they are. Returns 0, with the resulting state in *ret_state; -EEXIST: our chain
 * exists but is not an input filter chain; -EBUSY: a foreign rule uses a set that must be
 * replaced; -EAGAIN: other programs kept changing the ruleset; -ENOMEM; otherwise as
 * nftlink_commit(). */
int nftsetup_ensure(struct nftlink *link, const struct nfttable *table,
		    enum nftsetup_demand demand, struct nftstate *ret_state);

/* For the tool. */

/* Set up the table as the module does at start; *ret_changed: something was changed.
 * Returns 0; -ENAMETOOLONG; otherwise as nftsetup_ensure(). */
int nftsetup_apply(const struct backend_config *config, bool *ret_changed);

/* Read the table's state, for nftstate_works() and nftstate_is_as_wanted(). Changes
 * nothing. Returns 0; -ENAMETOOLONG; -ENOMEM; otherwise as nftstate_read(). */
int nftsetup_look(const struct backend_config *config,
		  struct nftstate *ret_state);

#endif
