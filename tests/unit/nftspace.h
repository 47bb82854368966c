/* A private nf_tables, in a network namespace, and its netlink with faults.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_NFTSPACE_H
#define TESTS_UNIT_NFTSPACE_H

#include <libmnl/libmnl.h>

#include "blocklist/nfttable.h"
#include "tests/unit/support.h"

/* Enter a new network namespace, permanently, in the first call. Returns NULL, or what tests
 * in it need and is missing: capabilities, nf_tables or the program nft. For TEST_NEEDING(). */
const char *nftspace_enter(void);

/* Points that need it. */
#define TEST_NFT(name) TEST_NEEDING(nftspace_enter, name)
#define TEST_NFT_ROWS(name, rows) TEST_ROWS_NEEDING(nftspace_enter, name, rows, "%s", row->label)

/* Without faults, and with an empty ruleset if the namespace was entered. */
void nftspace_clean(void);

/* Run nft with these arguments. Returns its output and errors; the caller frees. */
char *nftspace_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and it must not print errors. */
void nftspace_do(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Parameters: sets a and b of 1000 addresses, 600 s, port 25. */
extern const struct backend_config nftspace_config;

/* Load the table's text into nft. */
void nftspace_load(const struct nfttable *table);

/* Does the ruleset, as nft prints it, contain this text? */
bool nftspace_has(const char *text);

/* Faults. Only in programs that are linked with the --wrap options for them, see
 * Makefile.am. Each remains until the next nftspace_reset(). */
struct nftspace_faults {
	int open_err;		/* errno of socket(2).. */
	int bind_err;
	int send_err;
	unsigned int send_times; /* ..of sending, this many times; 0: always */
	int receive_err;	/* ..of the first receive after each send */
	/* Answers instead of the kernel; NULL: the kernel answers. Called once per
	 * send; writes the answer to buf and returns its length. */
	size_t (*answer)(const void *sent, size_t size, char *buf, size_t room);
	/* Called before the nth send from now, 1: the next. */
	void (*before)(void);
	unsigned int before_nth;
};

extern struct nftspace_faults nftspace_faults;

void nftspace_reset(void);

/* Calls since nftspace_reset(). */
extern unsigned int nftspace_opened, nftspace_sent;

/* Write one netlink error message, or with err 0 an acknowledgement, as the kernel does.
 * Returns its end. */
char *nftspace_error(char *at, uint32_t seq, int err);

#endif
