/* The words for line kinds and verdicts in the output.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/names.h"

const char *names_kind(const struct courierlog_line *line)
{
	switch (line->kind) {
	case COURIERLOG_REJECT:
		return line->code == 513 ? "relay" : "reject";
	case COURIERLOG_ERROR:
		return line->code == 535 ? "auth" : "protocol";
	case COURIERLOG_STARTED:
		return "started";
	case COURIERLOG_DROPPED:
		return "dropped";
	case COURIERLOG_PRESSURE:
		return "pressure";
	case COURIERLOG_OTHER:
	case COURIERLOG_UNKNOWN:
	default:
		return "other";
	}
}

const char *names_verdict(enum verdict verdict)
{
	static const char *const words[] = {
		[VERDICT_BLOCK] = "block",
		[VERDICT_NOT_A_TRIGGER] = "ignore",
		[VERDICT_EXEMPT] = "allowed",
		[VERDICT_UNPROVEN] = "refused",
	};

	return words[verdict];
}
