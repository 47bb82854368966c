/* What a replay has found, for people and for programs.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_REPORT_H
#define SMTPBLOCKCTL_REPORT_H

#include <stdio.h>

#include "tool/replay/simulate.h"

struct report {
	const struct simulation *simulation;	/* finished */
	struct simulate_model model;
	unsigned long lines;		/* of the log */
	unsigned long unstamped;	/* of courier's form, perhaps, but no time */
	unsigned long late;		/* out of order */
	int64_t from, until;		/* s since the epoch; the first and last */
	uint32_t limit;			/* slots that there are; 0: nobody knows */
	const char *limit_source;	/* who says so */
	unsigned long top;		/* addresses to show */
};

/* Tables and a chart. Returns 0 or -ENOMEM. */
int report_print(FILE *out, const struct report *report);

/* One JSON document. Returns 0 or -ENOMEM. */
int report_json(FILE *out, const struct report *report);

/* An SVG document. */
void report_draw(FILE *out, const struct report *report);

#endif
