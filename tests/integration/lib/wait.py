# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Waiting for events, never for time."""

import os
import time

# Deadlines are multiplied with this: under an instrument all is slower.
PATIENCE = float(os.environ.get("OMSMTPBLOCK_PATIENCE", "1"))


class Timeout(Exception):
    """A condition did not come true before its deadline."""


def wait_for(condition, deadline, what):
    """Return the first true value of condition().

    Raises Timeout after `deadline` seconds (times PATIENCE); `what` says what was waited for.
    An exception of condition() is the caller's.
    """
    end = time.monotonic() + deadline * PATIENCE
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Timeout(f"waited {deadline} s for {what}; last seen: {value!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def stays(condition, seconds):
    """True when condition() holds now and at every look for `seconds`.

    For what must *not* happen: the caller chooses a time in which it would
    have happened, and says in the test's name what would have.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            return False
        time.sleep(0.01)
    return bool(condition())
