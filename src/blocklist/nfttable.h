/* The contents of our nftables table, as netlink messages and as text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NFTTABLE_H
#define SMTPBLOCK_NFTTABLE_H

#include "blocklist/backend.h"
#include "blocklist/nftlink.h"

/* One table for all actions, with one chain, and a set and a rule for each list:
 *
 *	tcp dport PORTS ip saddr @LIST update @LIST { ip saddr timeout BANTIME }
 *	counter drop comment "omsmtpblock LIST HASH"
 *
 * HASH covers all parameters of the rule and the set, but not the addresses: a rule with
 * the right hash need not be compared further. */
#define NFTTABLE_NAME "omsmtpblock"
#define NFTTABLE_CHAIN "input"

/* Before filter chains (0), after connection tracking (-200). */
#define NFTTABLE_PRIORITY (-10)

/* Flags of the sets: with timeouts, and updated by a rule. */
#define NFTTABLE_SET_FLAGS (NFT_SET_TIMEOUT | NFT_SET_EVAL)

/* "omsmtpblock LIST 01234567" */
#define NFTTABLE_COMMENT_SIZE (SETTINGS_NFT_NAME_SIZE + 24)

/* A list's set and rule. */
struct nfttable_list {
	int family;		/* enum addr_family */
	char name[SETTINGS_NFT_NAME_SIZE];
	unsigned int prefix;	/* addresses are masked to this */
};

/* One action's part of the table. */
struct nfttable {
	struct nfttable_list lists[2];	/* IPv4, IPv6 */
	unsigned int ban_time;		/* s */
	unsigned int size;		/* of a set */
	struct settings_ports ports;
};

/* Copies what it needs. Returns 0 or -ENAMETOOLONG. */
int nfttable_init(struct nfttable *table, const struct backend_config *config);

/* The key of the set: its type (a number of nft's, which the kernel only stores) and its
 * length in bytes. */
uint32_t nfttable_key_type(int family);
uint32_t nfttable_key_size(int family);

/* The comment of the list's rule; without the hash it ends in a blank. Returns buf. */
char *nfttable_comment(const struct nfttable *table, int which, bool with_hash,
		       char buf[static NFTTABLE_COMMENT_SIZE]);

/* The whole table as a file for nft -f. If it is loaded where part of the table exists,
 * rules are duplicated. Writes at most size bytes with the NUL. Returns the length of the
 * whole text, as snprintf(3). */
size_t nfttable_text(const struct nfttable *table, char *buf, size_t size);

/* Messages for a transaction that has begun. All return 0, or -ENOBUFS if it is full. */

/* The table, which may exist; the chain, which must not. */
int nfttable_put_table(struct nftlink *link);
int nfttable_put_chain(struct nftlink *link);

/* The list's set (0: IPv4, 1: IPv6), which must not exist, and its rule, which is appended. */
int nfttable_put_set(struct nftlink *link, const struct nfttable *table,
		     int which);
int nfttable_put_rule(struct nftlink *link, const struct nfttable *table,
		      int which);

/* Remove a set, which no rule may use at that point; remove a rule by its handle. */
int nfttable_drop_set(struct nftlink *link, const char *name);
int nfttable_drop_rule(struct nftlink *link, uint64_t handle);

/* Add or remove one address. The transaction fails with -ENOENT if there is no such set,
 * and when removing if the address is not in it. Adding an address that is in the set
 * changes nothing before Linux 6.12, and renews its timeout since then. timeout is in ms;
 * 0: the set's own. */
int nfttable_put_address(struct nftlink *link, const char *name,
			 const struct addr *addr, uint64_t timeout);
/* Add an address; the transaction fails with -EEXIST if it is in the set. */
int nfttable_put_new_address(struct nftlink *link, const char *name,
			     const struct addr *addr, uint64_t timeout);
int nfttable_drop_address(struct nftlink *link, const char *name,
			  const struct addr *addr);

/* Remove all addresses from the set. */
int nfttable_drop_addresses(struct nftlink *link, const char *name);

#endif
