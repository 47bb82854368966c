/* Does what was decided: blocks the address, ends the child, counts.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "enforcer.h"

#include <errno.h>

void enforcer_block(const struct enforcer *enforcer,
		    const struct courierlog_line *line)
{
	if (enforcer->settings->dry_run) {
		const struct evidence_query query = { .addr = line->addr,
						      .port = line->port };

		counters_add(enforcer->counters, COUNTER_WOULD_BLOCK, 1);
		enforcer_ask(enforcer, QUESTION_REPORT, &query, line);
		return;
	}
	if (blocks_add(enforcer->blocks, &line->addr, caretaker_now()))
		caretaker_wake(enforcer->caretaker);
}

void enforcer_end(const struct enforcer *enforcer,
		  const struct child_rules *rules, struct child *child)
{
	const struct settings *s = enforcer->settings;
	struct termination t = {
		.rules = rules,
		.counters = enforcer->counters,
		.notices = enforcer->notices,
		.signal = s->terminate_signal,
		.kill_after = s->terminate_kill_after,
	};

	if (!s->terminate || s->dry_run) {
		child_done(child);
		return;
	}
	t.child = child_take(child);
	if (s->terminate_delay == 0)
		terminator_signal(&t);
	caretaker_terminate(enforcer->caretaker, &t,
			    caretaker_now() + s->terminate_delay);
}

void enforcer_ask(const struct enforcer *enforcer, enum question_kind kind,
		  const struct evidence_query *query,
		  const struct courierlog_line *line)
{
	if (questions_put(enforcer->questions, kind, query, line) < 0) {
		if (kind == QUESTION_PROVE)
			counters_add(enforcer->counters, COUNTER_REFUSED_BUSY, 1);
		notices_raise(enforcer->notices, NOTICE_BUSY, 0);
	}
	caretaker_wake(enforcer->caretaker);
}

void enforcer_count(const struct enforcer *enforcer, struct decision decision)
{
	enum counter id;

	switch (decision.reason) {
	case REASON_OLD:
		id = COUNTER_OLD;
		break;
	case REASON_NOT_A_PEER:
	case REASON_OWN_ADDRESS:
	case REASON_ALLOW_LIST:
	case REASON_RELAY_CLIENT:
		id = COUNTER_ALLOWED;
		break;
	case REASON_NOT_LISTED:
	case REASON_DNSBL_ERROR:
	case REASON_OTHER_REPLY:
	case REASON_PATTERN:
		id = COUNTER_NOT_LISTED;
		break;
	case REASON_PATTERN_LIMIT:
		id = COUNTER_PATTERN_LIMIT;
		break;
	default:
		return;
	}
	counters_add(enforcer->counters, id, 1);
}

void enforcer_note_look(const struct enforcer *enforcer, int err)
{
	switch (err) {
	case -EACCES:
	case -ENOSYS:
	case -EMFILE:
	case -ENFILE:
		if (notices_raise(enforcer->notices, NOTICE_LOOK, -err))
			caretaker_wake(enforcer->caretaker);
		break;
	default:
		break;
	}
}

void enforcer_refuse(const struct enforcer *enforcer, int err)
{
	enum counter id = COUNTER_REFUSED_RIGHTS;

	if (err == -ESRCH)
		id = COUNTER_REFUSED_GONE;
	else if (err == -EPERM)
		id = COUNTER_REFUSED_SENDER;
	else if (err == -EAGAIN)
		id = COUNTER_REFUSED_NO_CHILD;
	counters_add(enforcer->counters, id, 1);
	enforcer_note_look(enforcer, err);
}
