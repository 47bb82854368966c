/* Does a message get through the filters that stand in front of an action in
 * rsyslog's configuration?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RSYSLOG_FILTER_H
#define SMTPBLOCKCTL_RSYSLOG_FILTER_H

#include "tool/read/rsyslog_conf.h"

/* In this order: and is the least, or is the greatest, not is the negative. */
enum answer {
	ANSWER_NO = -1,
	ANSWER_UNSURE = 0,	/* it depends on what is not known here */
	ANSWER_YES = 1,
};

/* A message such as the action needs. */
struct specimen {
	int facility;		/* syslog's numbers: mail is 2 */
	int severity;		/* err is 3 */
	const char *program;	/* "courieresmtpd" */
	const char *message;	/* its text; what differs from line to line is not
				 * known, so that only what is found in it counts */
};

/* filter NULL: everything gets through. Selectors, property filters on what a
 * specimen has, and expressions with and, or, not, comparisons and prifilt() are
 * worked out. */
enum answer rsyslog_filter_passes(const struct rsyslog_conf_filter *filter,
				  const struct specimen *specimen);

#endif
