/* Parse a line of a log file: its header and where the message begins.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SYSLOG_LINE_H
#define SMTPBLOCKCTL_SYSLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The kind of time in a line. */
enum syslog_line_stamp {
	SYSLOG_LINE_NO_STAMP,
	SYSLOG_LINE_EPOCH,	/* with a zone: epoch holds it */
	SYSLOG_LINE_WALL,	/* local time without a zone: wall holds it */
};

/* A time without a zone. Each field is in its range, but the day may exceed its month. */
struct syslog_line_wall {
	int year;		/* 0: not in the line */
	int month, day;		/* from 1 */
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

/* Parse a line; a CR and LF at its end are ignored. Known forms:
 *
 *   Nov 23 12:00:00 mx courieresmtpd[7]: ...     files, journalctl -o short
 *   YYYY-MM-DDT12:00:00.5+01:00 mx courieresmtpd[7]: ...     files, -o short-iso
 *   1700740800.123 mx courieresmtpd[7]: ...      journalctl -o short-unix
 *   <19>Nov 23 12:00:00 courieresmtpd: ...       datagrams, with or without a host
 *   <19>1 YYYY-MM-DDT12:00:00Z mx courieresmtpd 7 - - ...    RFC 5424
 *   mail.err courieresmtpd[7]: ...               as syslog.conf(5) writes it
 *   Nov 23 12:00:00 <mail.err> mx courieresmtpd: ...     FreeBSD's syslogd -vv; <2.3> with -v
 *   Nov 23 12:00:00 src@mx courieresmtpd: ...    syslog-ng; a/b with chain_hostnames
 *
 * and parts of them. A line in no known form is all message. Only the start of a line is
 * parsed, once, so a client's text in the message cannot pass for a header. Every text is
 * accepted. Any thread. */
void syslog_line_parse(const char *line, size_t len, struct syslog_line *ret_line);

/* Parse a time of RFC 3339 with its zone; text must contain nothing else. A fraction is
 * ignored. *ret_epoch is in s. Returns false, with *ret_epoch untouched, if it is no such
 * time. Any thread. */
bool syslog_line_time(const char *text, size_t len, int64_t *ret_epoch);

/* Days from the epoch to this day, negative before it. Days beyond the end of a month
 * continue in the next one. Any thread. */
int64_t syslog_line_days(int year, int month, int day);

#endif
