# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Goals with their verdicts, and the JSON file of a part."""

import json
import os

# The command line of bench/run.
COMMAND = os.environ.get("OMSMTPBLOCK_BENCH_COMMAND", "")


class Wrong(Exception):
    """An invalid measurement; the text is the reason."""


class Goals:
    """A goal, and whether it was reached."""

    def __init__(self):
        self.all = []

    def at_most(self, what, value, limit, unit, digits=1):
        reached = value <= limit
        self.all.append({"what": what, "value": value, "limit": limit, "unit": unit,
                         "reached": reached})
        print(f"goal: {what}: at most {limit:g} {unit}: {value:.{digits}f} {unit}: "
              f"{'reached' if reached else 'MISSED'}")
        return reached

    def reached(self):
        return all(goal["reached"] for goal in self.all)


def write_json(path, part, facts, goals, **data):
    """One file per part: the machine, the command, all rounds, the verdicts."""
    if not path:
        return
    path.write_text(json.dumps({"part": part, "command": COMMAND, "machine": facts, **data,
                                "goals": goals.all}, indent=1) + "\n", encoding="utf-8")
