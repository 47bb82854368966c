/* What courier's log lines say. The only file that knows courier's wording.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_COURIERLOG_H
#define SMTPBLOCK_COURIERLOG_H

#include "lib/addr.h"

/* The kinds of lines. The forms are those of courier 1.0.16: courieresmtpd.c, tcpd.c and
 * libs/lcclog.c. */
enum courierlog_kind {
	/* Of no interest here. */
	COURIERLOG_OTHER,
	/* error,relay=ADDR[,port=N][,ident=..],from=..[,to=..]: CODE text
	 * A reply of submit, which courieresmtpd passes on to the client. mail.err. */
	COURIERLOG_REJECT,
	/* error,relay=ADDR[,port=N][,ident=".."],msg="CODE text",cmd: line
	 * A reply that courieresmtpd gives itself. mail.info. Errors of its own have no
	 * CODE: msg="writev: Broken pipe". */
	COURIERLOG_ERROR,
	/* started,ip=[ADDR][,port=[N]]   mail.info */
	COURIERLOG_STARTED,
	/* dropped blocked connection from ADDR   mail.warning */
	COURIERLOG_DROPPED,
	/* N active connections.  N maximum active connections.
	 * Maximum connection limit reached for ADDR   mail.warning, mail.alert */
	COURIERLOG_PRESSURE,
	/* Begins like one of the above, but the rest has no known form: courier's wording may
	 * have changed. */
	COURIERLOG_UNKNOWN,
};

/* The syslog(3) severities that courier uses. */
#define COURIERLOG_SEVERITY_ERR 3
#define COURIERLOG_SEVERITY_INFO 6
#define COURIERLOG_SEVERITY_ANY (-1)

struct courierlog_line {
	enum courierlog_kind kind;
	/* The client's address, from the first field, which a client cannot influence.
	 * Valid in REJECT, ERROR, STARTED and DROPPED. */
	struct addr addr;
	uint16_t port;		/* the client's; 0: the line has none */
	uint16_t code;		/* 100..999; 0: the line has none */
	/* How often courier logged it: 1, or the count of rsyslog's summary of equal lines,
	 * "message repeated N times: [ LINE]" ($RepeatedMsgReduction). */
	unsigned int times;
	/* The reply with its code, within the scanned text; NULL if there is none. In
	 * REJECT courier wrote it; courier cuts a longer reply at 128 characters and
	 * appends "...". In ERROR it extends to the end of the line and includes client
	 * text. */
	const char *reply;
	size_t reply_len;
	/* PRESSURE: the number of connections that courier counts; 0: the line is about
	 * one address. full: MAXDAEMONS is reached. */
	int64_t active;
	bool full;
};

/* Scan one message without its syslog header and tag. Leading blanks, trailing blanks and
 * newlines are ignored.
 * The scan goes left to right with a bound on every token. It never searches client text
 * for the client's identity. A client with an ident server can make the two error forms
 * look alike, so severity decides: courier logs the reject form with err and the other one
 * with info. With COURIERLOG_SEVERITY_ANY (a log file has no severities) an error line
 * without msg= is the reject form.
 * Never fails; *ret_line points into msg. Any thread. */
void courierlog_scan(const char *msg, size_t len, int severity,
		     struct courierlog_line *ret_line);

/* Does a COURIERLOG_OTHER message look like a reject in an unknown form, that is, does it
 * contain ": 5xx "? Errors that submitclient reports about a broken submit do not count.
 * Call this only for lines that courieresmtpd logs with severity err; most lines are not
 * such, which saves the search. Any thread. */
bool courierlog_gives_reply(const char *msg, size_t len);

/* Scan "ADDR" or "ADDR PORT", the text of an action with input="address". The result is
 * COURIERLOG_REJECT without code and reply, or COURIERLOG_UNKNOWN. Any thread. */
void courierlog_scan_address(const char *text, size_t len,
			     struct courierlog_line *ret_line);

/* Is reply the logged form of a rejection with this text? The client receives "511 text",
 * or text alone if it begins with a code. libs/lcclog.c logs at most 128 characters and
 * then "...", drops \r, and writes \n as '/' and other control characters as '.'. An empty
 * reply or text matches nothing. Any thread. */
bool courierlog_reply_is(const char *reply, size_t reply_len, const char *text);

#endif
