/* Counts recent triggers per address: threshold and window.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_THRESHOLD_H
#define SMTPBLOCK_THRESHOLD_H

#include "lib/addr.h"

/* Keeps as many trigger times per address as the threshold needs, so the window slides
 * exactly. Not thread-safe. Memory is bounded: a new address replaces the one that was quiet
 * longest. The cost of a hit does not depend on the number of addresses, not even in the
 * worst case. */
struct threshold;

/* Upper limit of memory; the address space is reserved at once. */
#define THRESHOLD_BYTES_MAX (48UL << 20)

/* The threshold is reached by threshold hits within window seconds. Memory is touched only
 * as addresses come. Returns 0 or -ENOMEM. The caller owns *ret_threshold. */
int threshold_new(unsigned int threshold, unsigned int window, struct threshold **ret_threshold);
void threshold_free(struct threshold *hits);

/* Count a trigger from addr that was logged this many times. Returns 1 if the threshold is
 * reached, else 0. Allocates nothing. *ret_forgot is set if an address within its window had
 * to be dropped. */
int threshold_hit(struct threshold *hits, const struct addr *addr, unsigned int times,
		  int64_t now_ms, bool *ret_forgot);

/* The largest number of addresses. */
size_t threshold_max(const struct threshold *hits);

#endif
