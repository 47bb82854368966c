/* The times of the lines of a log.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SYSLOG_TIME_H
#define SMTPBLOCKCTL_SYSLOG_TIME_H

#include "tool/read/syslog_line.h"

/* A line without a year gets the year nearest to the line before it; the first line gets the
 * latest year in which it is not in the future. Times without a zone are in this host's
 * (TZ). The hour that occurs twice at the end of summer time is resolved by the lines
 * before. */
struct syslog_time {
	int64_t today;		/* the first line is at most one day later */
	bool started;
	int64_t last;		/* latest time so far */
	unsigned long late;	/* lines more than a minute before last */
	/* The hour that was looked up last. */
	struct syslog_line_wall hour;
	int64_t hour_starts;
	bool hour_twice;	/* the hour occurs twice */
};

/* now, in s since the epoch, is used to guess the year. */
void syslog_time_init(struct syslog_time *clock, int64_t now);

/* When the line was logged, in s since the epoch, but never before an earlier line: a log is
 * assumed to be in order. False: the line has no time. */
bool syslog_time_read(struct syslog_time *clock, const struct syslog_line *line,
		      int64_t *ret_time);

#define SYSLOG_TIME_TEXT_SIZE 32

/* Format as "YYYY-MM-DD HH:MM:SS" in this host's zone. Returns text. */
const char *syslog_time_format(int64_t time, char text[static SYSLOG_TIME_TEXT_SIZE]);

/* Format as RFC 3339 with the zone. Returns text. */
const char *syslog_time_format_iso(int64_t time, char text[static SYSLOG_TIME_TEXT_SIZE]);

/* Format the label of an axis with labels every step seconds: the day, or the time of day.
 * Returns text. */
const char *syslog_time_format_tick(int64_t time, int64_t step,
				    char text[static SYSLOG_TIME_TEXT_SIZE]);

/* This host's offset from UTC at that time, in s. */
int64_t syslog_time_offset(int64_t time);

#endif
