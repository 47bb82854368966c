/* What courier's log lines say. The only file that knows courier's wording.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_COURIERLOG_H
#define SMTPBLOCK_COURIERLOG_H

#include "lib/addr.h"

/* Which line it is; the forms are those of courier's courieresmtpd.c, tcpd.c
 * and libs/lcclog.c, 1.0.16. */
enum courierlog_kind {
	/* Nothing of ours. */
	COURIERLOG_OTHER,
	/* error,relay=ADDR[,port=N][,ident=..],from=..[,to=..]: CODE text
	 * A reply of submit that was given to the client. mail.err. */
	COURIERLOG_REJECT,
	/* error,relay=ADDR[,port=N][,ident=".."],msg="CODE text",cmd: line
	 * A reply of courieresmtpd's own. mail.info. */
	COURIERLOG_ERROR,
	/* started,ip=[ADDR][,port=[N]]   mail.info */
	COURIERLOG_STARTED,
	/* dropped blocked connection from ADDR   mail.warning */
	COURIERLOG_DROPPED,
	/* N active connections.  N maximum active connections.
	 * Maximum connection limit reached for ADDR   mail.warning, mail.alert */
	COURIERLOG_PRESSURE,
	/* Begins like one of the above and goes on in no known way: courier's
	 * wording may have changed. */
	COURIERLOG_UNKNOWN,
};

/* syslog(3) severities that courier logs with. */
#define COURIERLOG_SEVERITY_ERR 3
#define COURIERLOG_SEVERITY_INFO 6
#define COURIERLOG_SEVERITY_ANY (-1)

struct courierlog_line {
	enum courierlog_kind kind;
	/* The peer, from the first field: a client has no hand in it. Valid in
	 * REJECT, ERROR, STARTED, DROPPED. */
	struct addr addr;
	uint16_t port;		/* the peer's; 0: the line has none */
	uint16_t code;		/* 100..999; 0: the line has none */
	/* The reply, code included, within the scanned text; NULL if none. In
	 * REJECT courier wrote it, cut at 128 characters and "..." where it is
	 * longer. In ERROR it ends with the line, client text included. */
	const char *reply;
	size_t reply_len;
	/* PRESSURE: how many connections courier counts; 0: the line is about
	 * one address. full: they are as many as it takes (MAXDAEMONS). */
	unsigned long active;
	bool full;
};

/* Scan one message, without the syslog header and tag; leading blanks and
 * trailing blanks and newlines do not count.
 * The scan goes left to right with a bound on every token and never searches
 * client text for who the client is. severity tells the two error forms apart,
 * which a client with an ident server could blur: the reject form is
 * logged with severity err, the other with info. COURIERLOG_SEVERITY_ANY (a
 * log file does not say): an error line without msg= is the reject form.
 * Every text gets an answer; *ret_line points into msg. Any thread. */
void courierlog_scan(const char *msg, size_t len, int severity,
		     struct courierlog_line *ret_line);

/* Does a message that is COURIERLOG_OTHER look like a reject in a form that we do not
 * know: is there a ": 5xx " in it? What submitclient reports of a broken submit does
 * not count. Worth asking of what courieresmtpd logs with severity err; most lines
 * are not, and are spared the search. Any thread. */
bool courierlog_gives_reply(const char *msg, size_t len);

/* Scan "ADDR" or "ADDR PORT", the text of an action with input="address":
 * COURIERLOG_REJECT without code and reply, or COURIERLOG_UNKNOWN. */
void courierlog_scan_address(const char *text, size_t len,
			     struct courierlog_line *ret_line);

/* Is reply what courier logs when it answers with this text, of which the
 * client was told "511 text", or just text where that begins with a code?
 * The rules of libs/lcclog.c apply: 128 characters and "...", \r dropped, \n
 * as '/', other control characters as '.'. Empty texts match nothing. */
bool courierlog_reply_is(const char *reply, size_t reply_len, const char *text);

#endif
