/* The state of our nftables table in the kernel.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NFTSTATE_H
#define SMTPBLOCK_NFTSTATE_H

#include "blocklist/nfttable.h"

/* The most rules of one list that are recorded. There is more than one only if our table
 * was loaded again from a file. */
#define NFTSTATE_RULES_MAX 64

/* The state of a list. */
struct nftstate_list {
	bool set;		/* a set of that name.. */
	bool usable;		/* ..for addresses of the family, with timeouts.. */
	bool as_wanted;		/* ..of this size, with this timeout */
	uint64_t set_handle;
	unsigned int rules;	/* number of rules with our comment.. */
	bool rule_as_wanted;	/* ..exactly one, with the whole comment */
	uint64_t rule_handles[NFTSTATE_RULES_MAX];
};

struct nftstate {
	uint32_t genid;		/* generation of the ruleset when read */
	bool table;
	uint64_t table_handle;
	bool chain;		/* a chain of that name.. */
	bool hooked;		/* ..which is an input filter chain */
	struct nftstate_list lists[2];
};

/* Read the table's state. Changes nothing. Returns 0, even if nothing exists; -EAGAIN:
 * other programs kept changing the ruleset; otherwise as nftlink_ask(). */
int nftstate_read(struct nftlink *link, const struct nfttable *table,
		  struct nftstate *ret_state);

/* Does everything exist that drops the list's packets, whoever made it and with whatever
 * parameters? */
bool nftstate_works(const struct nftstate *state, int which);

/* The same, and exactly as configured? */
bool nftstate_is_as_wanted(const struct nftstate *state, int which);

/* The addresses of a set. */
struct nftstate_addresses {
	struct nftstate_address {
		struct addr addr;
		int64_t left;	/* ms until it expires; > 0 */
	} *all;
	size_t count;
};

/* Read the addresses of a list's set (0: IPv4, 1: IPv6). Returns 0; -ENOENT: no such set;
 * -ENOMEM; otherwise as nftlink_ask(). On success the caller frees ret_addresses->all. */
int nftstate_read_addresses(struct nftlink *link, const struct nfttable *table,
			    int which,
			    struct nftstate_addresses *ret_addresses);

#endif
