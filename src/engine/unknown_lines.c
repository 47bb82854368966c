/* Keeps a sample of lines with an unknown form.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/unknown_lines.h"

#include <string.h>

#include "engine/alert_text.h"

#define QUIET_MS 3600000

void unknown_lines_init(struct unknown_lines *unknown_lines)
{
	*unknown_lines = (struct unknown_lines){ .quiet_until = 0 };
	pthread_mutex_init(&unknown_lines->lock, NULL);
}

void unknown_lines_done(struct unknown_lines *unknown_lines)
{
	pthread_mutex_destroy(&unknown_lines->lock);
}

bool unknown_lines_note(struct unknown_lines *unknown_lines, int64_t now, const char *text,
			size_t len)
{
	bool news;

	pthread_mutex_lock(&unknown_lines->lock);
	unknown_lines->lines++;
	news = now >= unknown_lines->quiet_until;
	if (news) {
		unknown_lines->quiet_until = now + QUIET_MS;
		unknown_lines->waiting = true;
		alert_text_clean(text, len, unknown_lines->sample,
				 sizeof(unknown_lines->sample));
	}
	pthread_mutex_unlock(&unknown_lines->lock);
	return news;
}

bool unknown_lines_take(struct unknown_lines *unknown_lines, unsigned long *ret_lines,
			char ret_sample[static UNKNOWN_LINES_SAMPLE_SIZE])
{
	bool waiting;

	pthread_mutex_lock(&unknown_lines->lock);
	waiting = unknown_lines->waiting;
	if (waiting) {
		*ret_lines = unknown_lines->lines;
		memcpy(ret_sample, unknown_lines->sample, UNKNOWN_LINES_SAMPLE_SIZE);
		unknown_lines->lines = 0;
		unknown_lines->waiting = false;
	}
	pthread_mutex_unlock(&unknown_lines->lock);
	return waiting;
}
