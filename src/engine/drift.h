/* Remembers one line in an unknown form, to be shown to the admin once an hour: a
 * change of courier's wording must not silence the module unseen.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_DRIFT_H
#define SMTPBLOCK_DRIFT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters of a sample, NUL included. */
#define DRIFT_SAMPLE_SIZE 101

struct drift {
	pthread_mutex_t lock;	/* what follows; private */
	int64_t quiet_until;	/* ms */
	unsigned long lines;	/* since the last report */
	bool waiting;
	char sample[DRIFT_SAMPLE_SIZE];
};

/* Before the first use, and after the last. */
void drift_init(struct drift *drift);
void drift_done(struct drift *drift);

/* A line in an unknown form came at now (ms). Returns true if there is something
 * to report: drift_take() has to be called. Any thread. */
bool drift_note(struct drift *drift, int64_t now, const char *text, size_t len);

/* Take the report: false if there is none. The sample is safe to log. */
bool drift_take(struct drift *drift, unsigned long *ret_lines,
		char ret_sample[static DRIFT_SAMPLE_SIZE]);

#endif
