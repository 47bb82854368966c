# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Waiting for events, never for time."""

import os
import time

# Multiplies deadlines: an instrument makes everything slower, and some machines are slow.
PATIENCE = float(os.environ.get("OMSMTPBLOCK_PATIENCE", "1"))

# The least time to wait for an event that must come. On a busy machine it comes late; a long
# deadline costs nothing when it comes early.
MUST_COME = 60


class Timeout(Exception):
    """A condition did not come true before its deadline."""


def wait_for(condition, deadline, what, *, exact=False, longest=0.02):
    """Return the first true value of condition().

    `deadline` is the longest time it takes on an idle machine, in seconds. The limit is
    MUST_COME if that is longer, unless the time itself is under test (`exact`). Raises
    Timeout after the limit times PATIENCE; `what` says what was waited
    for. An exception of condition() is the caller's. Between two looks lie at most
    `longest` seconds.
    """
    limit = PATIENCE * (deadline if exact else max(deadline, MUST_COME))
    end = time.monotonic() + limit
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Timeout(f"waited {limit:g} s for {what}; last seen: {value!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, longest)


def stays(condition, seconds):
    """True if condition() is true now and at every check for `seconds`.

    For events that must *not* happen: the caller chooses a time in which the event would
    have happened, and names the event in the test's name.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            return False
        time.sleep(0.01)
    return bool(condition())
