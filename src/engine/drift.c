/* Remembers one line in an unknown form.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/drift.h"

#include <string.h>

#include "engine/advice.h"

#define QUIET_MS 3600000

void drift_init(struct drift *drift)
{
	*drift = (struct drift){ .quiet_until = 0 };
	pthread_mutex_init(&drift->lock, NULL);
}

void drift_done(struct drift *drift)
{
	pthread_mutex_destroy(&drift->lock);
}

bool drift_note(struct drift *drift, int64_t now, const char *text, size_t len)
{
	bool news;

	pthread_mutex_lock(&drift->lock);
	drift->lines++;
	news = now >= drift->quiet_until;
	if (news) {
		drift->quiet_until = now + QUIET_MS;
		drift->waiting = true;
		advice_clean(text, len, drift->sample, sizeof(drift->sample));
	}
	pthread_mutex_unlock(&drift->lock);
	return news;
}

bool drift_take(struct drift *drift, unsigned long *ret_lines,
		char ret_sample[static DRIFT_SAMPLE_SIZE])
{
	bool waiting;

	pthread_mutex_lock(&drift->lock);
	waiting = drift->waiting;
	if (waiting) {
		*ret_lines = drift->lines;
		memcpy(ret_sample, drift->sample, DRIFT_SAMPLE_SIZE);
		drift->lines = 0;
		drift->waiting = false;
	}
	pthread_mutex_unlock(&drift->lock);
	return waiting;
}
