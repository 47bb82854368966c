/* How often an address triggered lately: for thresholds.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_THRESHOLD_H
#define SMTPBLOCK_THRESHOLD_H

#include "lib/addr.h"

/* The last triggers of each address, as many as the threshold needs, so that the
 * window slides exactly. Memory is bounded whatever comes: the address that was
 * quiet longest is forgotten for a new one. The cost of a hit does not depend on
 * how many there are, that of the dearest hit neither. */
struct threshold;

/* What a tally takes at most; of address space, at once. */
#define THRESHOLD_BYTES_MAX (48UL << 20)

/* threshold hits within window seconds are wanted. Memory is touched as addresses
 * come. Returns 0 or -ENOMEM. The caller owns *ret_tally. */
int threshold_new(unsigned int threshold, unsigned int window, struct threshold **ret_tally);
void threshold_free(struct threshold *hits);

/* One trigger from addr, at now (ms). Returns 1 if the threshold is reached with
 * it, 0 if not: it takes no memory. *ret_forgot is set if an address within its
 * window had to be forgotten. Any thread. */
int threshold_hit(struct threshold *hits, const struct addr *addr, int64_t now,
		  bool *ret_forgot);

/* How many addresses it can hold. */
size_t threshold_max(const struct threshold *hits);

#endif
