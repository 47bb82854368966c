/* The curves of a replay, in characters and as SVG.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_CHART_H
#define SMTPBLOCKCTL_CHART_H

#include <stdio.h>

#include "tool/replay/timeline.h"

struct chart {
	struct timeline_curve curve;
	uint32_t limit;		/* slots that there are; 0: nobody knows */
	uint32_t peak;		/* the most that were taken */
};

/* A chart of some lines. */
void chart_print(FILE *out, const struct chart *chart);

/* A whole SVG document, readable on light and dark ground. title is ASCII without
 * markup. */
void chart_draw(FILE *out, const struct chart *chart, const char *title);

#endif
