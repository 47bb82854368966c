/* nf_tables of the test's own, in a network namespace, and its netlink with faults.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_NFTSPACE_H
#define TESTS_UNIT_NFTSPACE_H

#include <libmnl/libmnl.h>

#include "tests/unit/support.h"

/* Go into a new network namespace, for good. Returns NULL, or what is lacking for
 * tests in it: rights, nf_tables or the program nft. To be called once, before
 * any thread. */
const char *nftspace_enter(void);

/* Run nft with these arguments. Returns what it said, on either output; the
 * caller frees. */
char *nftspace_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and it must not complain. */
void nftspace_do(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Does the ruleset, as nft prints it, have this text? */
bool nftspace_has(const char *text);

/* Faults. Only in programs that are linked with the --wrap options for them, see
 * Makefile.am. Each stays until the next nftspace_reset(). */
struct nftspace_faults {
	int open_err;		/* no socket: this errno.. */
	int bind_err;
	int send_err;
	unsigned int send_times; /* ..of sending, so often; 0: always */
	int receive_err;	/* ..of the first receiving after each sending */
	/* Not the kernel answers, but this; NULL: the kernel. Called once for
	 * what is sent; the answer goes to buf, its length is returned. */
	size_t (*answer)(const void *sent, size_t size, char *buf, size_t room);
	/* Done before the nth sending from now, 1: the next. */
	void (*before)(void);
	unsigned int before_nth;
};

extern struct nftspace_faults nftspace_faults;

void nftspace_reset(void);

/* Calls since nftspace_reset(). */
extern unsigned int nftspace_opened, nftspace_sent;

/* One netlink error message, or with err 0 a confirmation, as the kernel writes
 * it; returns the end of it. */
char *nftspace_error(char *at, uint32_t seq, int err);

#endif
