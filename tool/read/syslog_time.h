/* The times of a log's lines, one after the other.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SYSLOG_TIME_H
#define SMTPBLOCKCTL_SYSLOG_TIME_H

#include "tool/read/syslog_line.h"

/* A line without a year is of the year that is nearest to the line before it; the
 * first one of the last that does not lie in the future. Times without a zone
 * are this host's (TZ); the hour that comes twice when summer ends is told apart
 * by what was before. */
struct syslog_time {
	int64_t today;		/* no first line is a day later */
	bool started;
	int64_t last;		/* the latest so far */
	unsigned long late;	/* lines more than a minute before it */
	/* The hour that was looked up last. */
	struct syslog_line_wall hour;
	int64_t hour_starts;
	bool hour_twice;	/* and again an hour later */
};

/* now is what the year is guessed by, in s since the epoch. */
void syslog_time_init(struct syslog_time *clock, int64_t now);

/* When the line was logged, in s since the epoch, but not before a line that came
 * earlier: a log is taken to be in order. False: it does not say. */
bool syslog_time_read(struct syslog_time *clock, const struct syslog_line *line,
		      int64_t *ret_time);

#define SYSLOG_TIME_TEXT_SIZE 32

/* "YYYY-MM-DD HH:MM:SS" of this host's zone. Returns text. */
const char *syslog_time_format(int64_t time, char text[static SYSLOG_TIME_TEXT_SIZE]);

/* The same as RFC 3339 has it, with the zone. Returns text. */
const char *syslog_time_format_iso(int64_t time, char text[static SYSLOG_TIME_TEXT_SIZE]);

/* A label for an axis on which step seconds lie between two: days, or the time
 * of day. Returns text. */
const char *syslog_time_format_tick(int64_t time, int64_t step,
				    char text[static SYSLOG_TIME_TEXT_SIZE]);

/* How far this host's zone is ahead of UTC at that time, in s. */
int64_t syslog_time_offset(int64_t time);

#endif
