# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Events that a part waits for."""

import time


class Wrong(Exception):
    """A measurement that cannot be counted, and why."""


def wait_for(condition, seconds, what):
    """Waits for the event; its deadline is an error."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Wrong(f"{what} did not come in {seconds} s")
        time.sleep(0.005)
