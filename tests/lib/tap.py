# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Test results as TAP on standard output."""

import contextlib
import sys
import traceback

from lib.wait import PATIENCE, Timeout, wait_for


class Tap:
    """Numbers the points and records whether one failed."""

    def __init__(self, out=sys.stdout):
        self.count = 0
        self.failed = 0
        self._out = out

    def _print(self, text):
        print(text, file=self._out, flush=True)

    def note(self, text):
        """Prints text that is not a result."""
        for line in str(text).splitlines():
            self._print(f"# {line}")

    def ok(self, passed, name, *details):
        """One point; `details` are shown if it failed."""
        self.count += 1
        self._print(f"{'ok' if passed else 'not ok'} {self.count} - {name}")
        if not passed:
            self.failed += 1
            for detail in details:
                self.note(detail)
        return bool(passed)

    def equal(self, got, want, name):
        return self.ok(got == want, name, f"got:  {got!r}", f"want: {want!r}")

    def at_most(self, got, limit, name):
        """One point: a time or a size, which an instrument makes larger."""
        limit *= PATIENCE
        return self.ok(got <= limit, f"{name} ({got:.3g}, at most {limit:.3g})")

    def until(self, condition, deadline, name, *details, exact=False):
        """One point: condition() comes true, see wait_for() about the deadline.

        Details may be callables: they are called after the deadline.
        """
        try:
            wait_for(condition, deadline, name, exact=exact)
        except Timeout as late:
            shown = [detail() if callable(detail) else detail for detail in details]
            return self.ok(False, name, str(late), *shown)
        return self.ok(True, name)

    def skip(self, name, missing):
        self.count += 1
        self._print(f"ok {self.count} - {name} # SKIP {missing}")

    def finish(self):
        """Prints the plan. Returns the exit status."""
        self._print(f"1..{self.count}")
        return 1 if self.failed else 0


@contextlib.contextmanager
def part(tap, name):
    """A part of a scenario: an exception in it fails that part, the next one runs."""
    try:
        yield
    except Exception:
        tap.ok(False, f"{name}: ran to its end", traceback.format_exc())


def main(scenario):
    """Run scenario(tap), print the plan, exit."""
    tap = Tap()
    with part(tap, "the scenario"):
        scenario(tap)
    sys.exit(tap.finish())
