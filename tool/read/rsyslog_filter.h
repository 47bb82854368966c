/* Does a message pass the filters before an action in rsyslog's configuration?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RSYSLOG_FILTER_H
#define SMTPBLOCKCTL_RSYSLOG_FILTER_H

#include "tool/read/rsyslog_conf.h"

/* Ordered so that "and" is the minimum, "or" the maximum and "not" the negation. */
enum answer {
	ANSWER_NO = -1,
	ANSWER_UNSURE = 0,	/* it depends on unknown values */
	ANSWER_YES = 1,
};

/* A sample of the messages that the action needs. */
struct specimen {
	int facility;		/* syslog's number: mail is 2 */
	int severity;		/* err is 3 */
	const char *program;	/* "courieresmtpd" */
	const char *message;	/* the constant part of its text: other parts are unknown, so
				 * only a match in this part is certain */
};

/* Would the filter pass the sample? NULL passes everything. Evaluates selectors, property
 * filters on the members of specimen, and expressions with and, or, not, comparisons and
 * prifilt(). */
enum answer rsyslog_filter_passes(const struct rsyslog_conf_filter *filter,
				  const struct specimen *specimen);

#endif
