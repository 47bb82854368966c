/* Our nftables table: what belongs into it, as netlink messages and as text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NFTTABLE_H
#define SMTPBLOCK_NFTTABLE_H

#include "blocklist/backend.h"
#include "blocklist/nftlink.h"

/* One table for all actions, one chain in it, and for each list a set and a rule:
 *
 *	tcp dport PORTS ip saddr @LIST update @LIST { ip saddr timeout BANTIME }
 *	counter drop comment "omsmtpblock LIST HASH"
 *
 * The HASH is of all that makes the rule and the set (but for addresses): a rule
 * that has it needs no closer look. */
#define NFTTABLE_NAME "omsmtpblock"
#define NFTTABLE_CHAIN "input"

/* Before the filter chains (0), behind connection tracking (-200). */
#define NFTTABLE_PRIORITY (-10)

/* Flags of the sets: with timeouts, and changed by a rule. */
#define NFTTABLE_SET_FLAGS (NFT_SET_TIMEOUT | NFT_SET_EVAL)

/* "omsmtpblock LIST 01234567" */
#define NFTTABLE_COMMENT_SIZE (SETTINGS_NFT_NAME_SIZE + 24)

/* A list's set and rule. */
struct nfttable_list {
	int family;		/* enum addr_family */
	char name[SETTINGS_NFT_NAME_SIZE];
	unsigned int prefix;	/* addresses are masked to that */
};

/* What one action wants of the table. */
struct nfttable {
	struct nfttable_list lists[2];	/* IPv4, IPv6 */
	unsigned int ban_time;		/* s */
	unsigned int size;		/* addresses a set holds */
	struct settings_ports ports;
};

/* Copies what it needs. Returns 0 or -ENAMETOOLONG. */
int nfttable_init(struct nfttable *table, const struct backend_config *config);

/* The set's key as nft names it: type (of nft's own numbers, which the kernel only
 * keeps) and length in bytes. */
uint32_t nfttable_key_type(int family);
uint32_t nfttable_key_size(int family);

/* The comment of the list's rule; without the hash it is followed by a blank.
 * Returns buf. */
char *nfttable_comment(const struct nfttable *table, int which, bool with_hash,
		       char buf[static NFTTABLE_COMMENT_SIZE]);

/* All of the table as a file for nft -f; may be loaded where part of it is there,
 * but then has its rules twice. At most size bytes with the NUL. Returns the
 * length that the whole has, as snprintf(3). */
size_t nfttable_text(const struct nfttable *table, char *buf, size_t size);

/* Messages for a transaction that has begun. All return 0, or -ENOBUFS when it is
 * full. */

/* The table, which may be there; the chain, which must not. */
int nfttable_put_table(struct nftlink *link);
int nfttable_put_chain(struct nftlink *link);

/* The list's set (0: IPv4, 1: IPv6), which must not be there, and its rule, which
 * is appended. */
int nfttable_put_set(struct nftlink *link, const struct nfttable *table,
		     int which);
int nfttable_put_rule(struct nftlink *link, const struct nfttable *table,
		      int which);

/* Remove a set, which no rule may use then; a rule by its handle. */
int nfttable_drop_set(struct nftlink *link, const char *name);
int nfttable_drop_rule(struct nftlink *link, uint64_t handle);

/* One address in or out of the set. The transaction fails with -ENOENT where there
 * is no such set, and at out where it does not hold the address. An address that
 * is in it stays as it is (before Linux 6.12; its timeout is renewed since then).
 * timeout is in ms; 0: the set's own. */
int nfttable_put_address(struct nftlink *link, const char *name,
			 const struct addr *addr, uint64_t timeout);
/* The same; the transaction fails with -EEXIST where the set has the address. */
int nfttable_put_new_address(struct nftlink *link, const char *name,
			     const struct addr *addr, uint64_t timeout);
int nfttable_drop_address(struct nftlink *link, const char *name,
			  const struct addr *addr);

/* All addresses out of the set. */
int nfttable_drop_addresses(struct nftlink *link, const char *name);

#endif
