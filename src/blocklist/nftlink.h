/* A netlink socket to nf_tables: transactions, queries and answers.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NFTLINK_H
#define SMTPBLOCK_NFTLINK_H

#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

/* The kernel handles a request and queues its answers before send(2) returns, so reading
 * never blocks. But send(2) itself may block, uninterruptibly: transactions of all programs
 * are serialized, and a large one takes tenths of a second. Not thread-safe. */
struct nftlink;

/* The space for each message's attributes. Not checked at run time: all messages stay
 * within it by construction. */
#define NFTLINK_MESSAGE_MAX 4096

/* Opens no socket yet: that is done when it is needed, and retried until it succeeds.
 * Returns 0 or -ENOMEM. The caller owns. */
int nftlink_new(struct nftlink **ret_link);
void nftlink_free(struct nftlink *link);	/* NULL is allowed */

/* Begin a transaction; discards an uncommitted one. genid is the generation of the ruleset
 * it is made for, from nftlink_generation(): in another generation the commit fails with
 * -ERESTART. 0: any generation. */
void nftlink_begin(struct nftlink *link, uint32_t genid);

/* The transaction's next message: a header, to be followed by attributes before the next
 * call. type is NFT_MSG_*, family NFPROTO_*, flags NLM_F_*. Returns NULL if the transaction
 * is full. */
struct nlmsghdr *nftlink_message(struct nftlink *link, uint16_t type,
				 uint16_t family, uint16_t flags);

/* Called for each message of a transaction that failed; index counts from 0, err is an
 * errno. There may be several: the kernel tries all messages before it gives up. */
typedef void nftlink_error_fn(void *ctx, unsigned int index, int err);

/* Commit the transaction: all of it or nothing. fn may be NULL. Returns 0; the -errno of
 * the first message that failed; -EPERM: no CAP_NET_ADMIN; -EAFNOSUPPORT, -EPROTONOSUPPORT:
 * netlink is not allowed; -EOPNOTSUPP: no nf_tables; -ENOBUFS: too many errors, fn was not
 * called for all; -EIO: no answer. */
int nftlink_commit(struct nftlink *link, nftlink_error_fn *fn, void *ctx);

/* Begin a query: a header as above; NLM_F_DUMP in flags asks for all objects. Discards an
 * uncommitted transaction. */
struct nlmsghdr *nftlink_question(struct nftlink *link, uint16_t type,
				  uint16_t family, uint16_t flags);

/* Called for each message of an answer. Returns 0 to continue. */
typedef int nftlink_answer_fn(void *ctx, const struct nlmsghdr *nlh);

/* Send the query. Returns 0; what fn returned, if not 0; -ENOENT: no such object; -EINTR:
 * the ruleset changed during a dump, so the answer may be incomplete; otherwise as
 * nftlink_commit(). */
int nftlink_ask(struct nftlink *link, nftlink_answer_fn *fn, void *ctx);

/* The ruleset's generation in this network namespace; each transaction of any program
 * changes it. Returns 0 or as nftlink_ask(). */
int nftlink_generation(struct nftlink *link, uint32_t *ret_genid);

#endif
