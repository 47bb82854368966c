/* What holds for every line, found independently of courierlog.c: for the fuzz target and the
 * unit test. A broken rule ends the program, see fuzz.h.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_COURIERLOG_RULES_H
#define TESTS_FUZZ_COURIERLOG_RULES_H

#include "courier/courierlog.h"

/* courier's limit on one field, see courierlog.h. */
#define COURIERLOG_FIELD_MAX 128

/* The result of courierlog_scan(). */
void courierlog_rules_check(const struct courierlog_line *line, int severity,
			    const char *msg, size_t len);

/* Call courierlog_scan_address(), and check its result. */
void courierlog_rules_check_address(const char *text, size_t len);

/* Format a reply as courier logs it, by a second implementation of its rules. Returns its
 * length. */
size_t courierlog_rules_log(const char *prefix, const char *text, char *buf, size_t size);

#endif
