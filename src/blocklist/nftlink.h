/* A netlink socket to nf_tables: transactions, questions and their answers.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NFTLINK_H
#define SMTPBLOCK_NFTLINK_H

#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

/* The kernel handles a request, and writes its answers, before send(2) returns:
 * nothing here waits for more than a system call, and reading never blocks. But a
 * transaction takes its turn with those of other programs, and a large one takes
 * the kernel tenths of a second: send(2) lasts as long, and cannot be interrupted.
 * Not for several threads at once. */
struct nftlink;

/* The room that each message has behind its header. Nobody checks it at run
 * time: what is written has bounds that keep within it. */
#define NFTLINK_MESSAGE_MAX 4096

/* No socket yet: it is opened when it is needed, and tried again as long as that
 * fails. Returns 0 or -ENOMEM. The caller owns. */
int nftlink_new(struct nftlink **ret_link);
void nftlink_free(struct nftlink *link);	/* NULL is allowed */

/* Begin a transaction; what was not committed of the last one is forgotten.
 * genid is the generation of the rules that it is made for, as
 * nftlink_generation() told: in another one it fails with -ERESTART. 0: in
 * any. */
void nftlink_begin(struct nftlink *link, uint32_t genid);

/* Its next message: a header, to be filled with attributes before the next call.
 * type is NFT_MSG_*, family NFPROTO_*, flags NLM_F_*. NULL: it is full. */
struct nlmsghdr *nftlink_message(struct nftlink *link, uint16_t type,
				 uint16_t family, uint16_t flags);

/* One message of the transaction failed; index counts from 0, err is an errno.
 * The kernel goes through all of them before it gives up, so there may be
 * several. */
typedef void nftlink_error_fn(void *ctx, unsigned int index, int err);

/* Have the kernel do all of the transaction, or nothing. fn may be NULL. Returns
 * 0; the -errno of the first message that failed; -EPERM: no CAP_NET_ADMIN;
 * -EAFNOSUPPORT, -EPROTONOSUPPORT: no netlink for us; -EOPNOTSUPP: no nf_tables;
 * -ENOBUFS: more errors than can be read, fn was not called for all; -EIO: no
 * answer. */
int nftlink_commit(struct nftlink *link, nftlink_error_fn *fn, void *ctx);

/* A question: a header as above; with NLM_F_DUMP in flags it asks for all that
 * there are. Forgets a transaction that has begun. */
struct nlmsghdr *nftlink_question(struct nftlink *link, uint16_t type,
				  uint16_t family, uint16_t flags);

/* One message of an answer. Returns 0; anything else ends it. */
typedef int nftlink_answer_fn(void *ctx, const struct nlmsghdr *nlh);

/* Send the question. Returns 0; what fn returned, if that was not 0; -ENOENT: there
 * is no such thing; -EINTR: a dump during which the rules changed, so that it
 * may lack something; otherwise as nftlink_commit(). */
int nftlink_ask(struct nftlink *link, nftlink_answer_fn *fn, void *ctx);

/* The generation of the rules of this network namespace: another one after each
 * transaction of anybody. Returns 0 or as nftlink_ask(). */
int nftlink_generation(struct nftlink *link, uint32_t *ret_genid);

#endif
