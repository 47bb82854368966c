/* Does what was decided: blocks the address, ends the child, counts.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ENFORCER_H
#define SMTPBLOCK_ENFORCER_H

#include "blocks.h"
#include "caretaker.h"
#include "policy.h"
#include "questions.h"

/* What it works with; all of it belongs to the engine. Any thread may call the
 * functions below, none waits. */
struct enforcer {
	const struct settings *settings;
	struct counters *counters;
	struct notices *notices;
	struct blocks *blocks;
	struct questions *questions;
	struct caretaker *caretaker;
};

/* Block the line's address. With dryRun it is only counted and reported. */
void enforcer_block(const struct enforcer *enforcer,
		    const struct courierlog_line *line);

/* End a proven child, which is taken over: after terminate.delay, or at once
 * when that is 0. With terminate="off" or dryRun it is let go. */
void enforcer_end(const struct enforcer *enforcer,
		  const struct child_rules *rules, struct child *child);

/* Hand a line to the caretaker. One too many is counted as refused. */
void enforcer_ask(const struct enforcer *enforcer, enum question_kind kind,
		  const struct evidence_query *query,
		  const struct courierlog_line *line);

/* Count a decision that is not to block. */
void enforcer_count(const struct enforcer *enforcer, struct decision decision);

/* Count that the proof is missing, and raise what the admin can mend. err is
 * what evidence.h returned: -ESRCH, -EPERM, -EACCES ... */
void enforcer_refuse(const struct enforcer *enforcer, int err);

/* Raise what keeps us from looking at processes; other errors are nothing. */
void enforcer_note_look(const struct enforcer *enforcer, int err);

#endif
