/* The curves of a replay, in characters and as SVG.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_PICTURE_H
#define SMTPBLOCKCTL_PICTURE_H

#include <stdio.h>

#include "tool/replay/slots.h"

struct picture {
	struct slots_curve curve;
	uint32_t limit;		/* slots that there are; 0: nobody knows */
	uint32_t peak;		/* the most that were taken */
};

/* A chart of some lines. */
void picture_print(FILE *out, const struct picture *picture);

/* A whole SVG document, readable on light and dark ground. title is ASCII without
 * markup. */
void picture_draw(FILE *out, const struct picture *picture, const char *title);

#endif
