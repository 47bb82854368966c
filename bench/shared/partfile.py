# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Goals with their verdicts, and the JSON file of a part."""

import json
import os

# What was typed to get here, from bench/run.
COMMAND = os.environ.get("OMSMTPBLOCK_BENCH_COMMAND", "")


class Wrong(Exception):
    """A measurement that cannot be counted, and why."""


class Goals:
    """What was to be reached, and whether it was."""

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
    """One file a part: the machine, what was asked for, all rounds, the verdicts."""
    if not path:
        return
    path.write_text(json.dumps({"part": part, "command": COMMAND, "machine": facts, **data,
                                "goals": goals.all}, indent=1) + "\n", encoding="utf-8")
