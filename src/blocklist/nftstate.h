/* Our nftables table as it is in the kernel.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NFTSTATE_H
#define SMTPBLOCK_NFTSTATE_H

#include "blocklist/nfttable.h"

/* Rules of one list that are looked at: more than one are there only after
 * somebody loaded our table a second time. */
#define NFTSTATE_RULES_MAX 64

/* What is there of a list. */
struct nftstate_list {
	bool set;		/* a set of that name.. */
	bool usable;		/* ..for addresses of the family, with timeouts.. */
	bool as_wanted;		/* ..of this size, with this timeout */
	uint64_t set_handle;
	unsigned int rules;	/* with our comment.. */
	bool rule_as_wanted;	/* ..one, with all of it */
	uint64_t rule_handles[NFTSTATE_RULES_MAX];
};

struct nftstate {
	uint32_t genid;		/* it was so in this generation of the rules */
	bool table;
	uint64_t table_handle;
	bool chain;		/* one of that name.. */
	bool hooked;		/* ..that input goes through */
	struct nftstate_list lists[2];
};

/* What is there of what that table should be. Changes nothing. Returns 0, also if
 * there is nothing; -EAGAIN: somebody kept changing the rules meanwhile; otherwise
 * as nftlink_ask(). */
int nftstate_read(struct nftlink *link, const struct nfttable *table,
		  struct nftstate *ret_state);

/* Is everything there that drops packets of that list, whoever made it and with
 * whatever parameters? */
bool nftstate_works(const struct nftstate *state, int which);

/* The same, and exactly as the table should be? */
bool nftstate_is_as_wanted(const struct nftstate *state, int which);

/* The addresses of a set. */
struct nftstate_addresses {
	struct nftstate_address {
		struct addr addr;
		int64_t left;	/* ms until it is off the set; > 0 */
	} *all;
	size_t count, room;
};

/* Read the addresses of a list's set (0: IPv4, 1: IPv6). Returns 0; -ENOENT: there
 * is no such set; -ENOMEM; otherwise as nftlink_ask(). On success the caller frees
 * ret_addresses->all. */
int nftstate_read_addresses(struct nftlink *link, const struct nfttable *table,
			    int which,
			    struct nftstate_addresses *ret_addresses);

#endif
