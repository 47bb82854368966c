/* Draw the curves of a replay as text and as SVG.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_CHART_H
#define SMTPBLOCKCTL_CHART_H

#include <stdio.h>

#include "tool/replay/timeline.h"

struct chart {
	struct timeline_curve curve;
	uint32_t limit;		/* available slots; 0: unknown */
	uint32_t peak;		/* the most slots in use */
};

/* Print a text chart of a few lines. */
void chart_print(FILE *out, const struct chart *chart);

/* Write a complete SVG document, readable on light and dark backgrounds. title is ASCII
 * without markup. */
void chart_draw(FILE *out, const struct chart *chart, const char *title);

#endif
