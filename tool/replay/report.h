/* Print the results of a replay, for people or as JSON.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_REPORT_H
#define SMTPBLOCKCTL_REPORT_H

#include <stdio.h>

#include "tool/replay/simulate.h"

struct report {
	const struct simulation *simulation;	/* finished */
	struct simulate_model model;
	unsigned long lines;		/* lines of the log */
	unsigned long unstamped;	/* perhaps courier's lines, but without a time */
	unsigned long late;		/* lines out of order */
	int64_t from, until;		/* first and last line, s since the epoch */
	uint32_t limit;			/* available slots; 0: unknown */
	const char *limit_source;	/* where the limit comes from */
	unsigned long top;		/* number of addresses to show */
};

/* Print tables and a chart. Returns 0 or -ENOMEM. */
int report_print(FILE *out, const struct report *report);

/* Print one JSON document. Returns 0 or -ENOMEM. */
int report_json(FILE *out, const struct report *report);

/* Write an SVG document. */
void report_draw(FILE *out, const struct report *report);

#endif
