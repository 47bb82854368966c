/* Keeps a sample of lines with an unknown form, reported to the admin once an hour: if
 * courier's wording changes, the module must not fail silently.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_UNKNOWN_LINES_H
#define SMTPBLOCK_UNKNOWN_LINES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters of a sample, NUL included. */
#define UNKNOWN_LINES_SAMPLE_SIZE 101

struct unknown_lines {
	pthread_mutex_t lock;	/* of what follows; private */
	int64_t quiet_until;	/* ms */
	unsigned long lines;	/* since the last report */
	bool waiting;
	char sample[UNKNOWN_LINES_SAMPLE_SIZE];
};

/* Call before the first and after the last use. */
void unknown_lines_init(struct unknown_lines *unknown_lines);
void unknown_lines_done(struct unknown_lines *unknown_lines);

/* Note a line in an unknown form, at now (ms). Returns true if there is something to
 * report: call unknown_lines_take(). Any thread. */
bool unknown_lines_note(struct unknown_lines *unknown_lines, int64_t now, const char *text,
			size_t len);

/* Take the report. Returns false if there is none. The sample is safe to log. */
bool unknown_lines_take(struct unknown_lines *unknown_lines, unsigned long *ret_lines,
			char ret_sample[static UNKNOWN_LINES_SAMPLE_SIZE]);

#endif
