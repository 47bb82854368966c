/* An action's counters in impstats.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_STATS_H
#define OMSMTPBLOCK_STATS_H

#include "engine/engine.h"

/* The statsobj interface differs between releases of rsyslog. If it is not the one this was
 * built for, all functions do nothing and no counters are shown. */
struct stats;

/* Show the engine's counters in impstats; they stay in the engine. Returns NULL if they
 * cannot be shown. The caller owns the result and frees it before the engine. */
struct stats *stats_new(const struct engine *engine);
void stats_free(struct stats *stats);	/* NULL is allowed */

/* Show a zone's counter, too: an engine_zone_fn, with the stats as ctx. */
void stats_add_zone(void *stats, const char *zone,
		    const atomic_uint_least64_t *saved);

/* Get and release the interface: in modInit and modExit. */
void stats_open(void);
void stats_close(void);

#endif
