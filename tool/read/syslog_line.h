/* One line of a log file: where its message begins, and what stands before it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SYSLOG_LINE_H
#define SMTPBLOCKCTL_SYSLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a line says about its time. */
enum syslog_line_stamp {
	SYSLOG_LINE_NO_STAMP,
	SYSLOG_LINE_EPOCH,	/* with a zone: epoch holds it */
	SYSLOG_LINE_WALL,	/* what a clock on the wall showed: wall holds it */
};

/* A time without a zone. Within its bounds, but a day may be one too many for
 * its month. */
struct syslog_line_wall {
	int year;		/* 0: the line does not say */
	int month, day;		/* 1.. */
	int hour, minute, second; /* second up to 60 */
};

/* The texts point into the line. */
struct syslog_line {
	int severity;		/* syslog's; COURIERLOG_SEVERITY_ANY: unknown */
	enum syslog_line_stamp stamp;
	int64_t epoch;		/* s */
	struct syslog_line_wall wall;
	const char *tag;	/* the program's name; NULL: none */
	size_t tag_len;
	pid_t pid;		/* 0: none */
	const char *text;	/* the message */
	size_t text_len;
};

/* Take a line apart; a CR and LF at its end do not count. These forms are known:
 *
 *   Nov 23 12:00:00 mx courieresmtpd[7]: ...     files, journalctl -o short
 *   YYYY-MM-DDT12:00:00.5+01:00 mx courieresmtpd[7]: ...     files, -o short-iso
 *   1700740800.123 mx courieresmtpd[7]: ...      journalctl -o short-unix
 *   <19>Nov 23 12:00:00 courieresmtpd: ...       datagrams, with a host or without
 *   <19>1 YYYY-MM-DDT12:00:00Z mx courieresmtpd 7 - - ...    RFC 5424
 *   mail.err courieresmtpd[7]: ...               as syslog.conf(5) writes it
 *
 * and parts of them. A line in no such form is all message. Only the front of
 * a line is looked at, once: what a client brings into the message cannot
 * pass for a header. Every text gets an answer. Any thread. */
void syslog_line_parse(const char *line, size_t len, struct syslog_line *ret_line);

/* Read a time of RFC 3339, its zone included, that fills text exactly; a fraction does
 * not count. *ret_epoch is in s. Returns false with it untouched: it is none. Any
 * thread. */
bool syslog_line_time(const char *text, size_t len, int64_t *ret_epoch);

/* Days from the epoch to this day, before it negative. Days
 * beyond the end of a month go on in the next. Any thread. */
int64_t syslog_line_days(int year, int month, int day);

#endif
