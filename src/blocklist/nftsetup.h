/* Sees that our nftables table is there, as it should be.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NFTSETUP_H
#define SMTPBLOCK_NFTSETUP_H

#include "blocklist/nftstate.h"

/* What a list's set and rule may be. */
enum nftsetup_demand {
	/* Exactly as the table says. What is not is replaced, and the addresses of
	 * the set are kept with the time they have left. */
	NFTSETUP_EXACT,
	/* Something that drops: another action with the same list may have other
	 * parameters, and the last one that started has its way. */
	NFTSETUP_WORKING,
};

/* Make what is missing. Other lists' sets and rules and all outside of our table
 * stay as they are. Returns 0, and what is there afterwards in *ret_state;
 * -EEXIST: a chain of our name is none that input goes through; -EBUSY: somebody
 * else's rule uses a set that has to be replaced; -EAGAIN: somebody kept changing
 * the rules meanwhile; -ENOMEM; otherwise as nftlink_commit(). */
int nftsetup_ensure(struct nftlink *link, const struct nfttable *table,
		    enum nftsetup_demand demand, struct nftstate *ret_state);

/* For the tool. */

/* Set the table up as the module does when it starts; *ret_changed tells whether
 * anything was to be done. Returns 0; -ENAMETOOLONG; otherwise as
 * nftsetup_ensure(). */
int nftsetup_apply(const struct backend_config *config, bool *ret_changed);

/* What is there of it: see nftstate_works() and nftstate_is_as_wanted(). Changes
 * nothing. Returns 0; -ENAMETOOLONG; -ENOMEM; otherwise as nftstate_read(). */
int nftsetup_look(const struct backend_config *config,
		  struct nftstate *ret_state);

#endif
