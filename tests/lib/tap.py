# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Test results as TAP on standard output."""

import contextlib
import sys
import traceback

from lib.wait import PATIENCE, Timeout, wait_for


class Tap:
    """Numbers the points and records whether one failed. Their names begin with the labels
    of the blocks of code that they are in."""

    def __init__(self, out=sys.stdout):
        self.count = 0
        self.failed = 0
        self.shown = []     # more details of each failed point, as callables
        self._labels = []
        self._out = out

    def _print(self, text):
        print(text, file=self._out, flush=True)

    def _labelled(self, text):
        return f"{', '.join(self._labels)}: {text}" if self._labels else text

    def note(self, text):
        """Prints what is not a result: text, or lines."""
        for line in text if isinstance(text, list) else str(text).splitlines():
            self._print(f"# {line}")

    def ok(self, passed, name, *details):
        """One point. If it failed, `details` are shown; those that are callables are called."""
        self.count += 1
        self._print(f"{'ok' if passed else 'not ok'} {self.count} - {self._labelled(name)}")
        if not passed:
            self.failed += 1
            for detail in (*details, *self.shown):
                self.note(detail() if callable(detail) else detail)
        return bool(passed)

    def equal(self, got, want, name, *details):
        return self.ok(got == want, name, f"got:  {got!r}", f"want: {want!r}", *details)

    def at_most(self, got, limit, name):
        """One point: a time or a size, which an instrument makes larger."""
        limit *= PATIENCE
        return self.ok(got <= limit, f"{name} ({got:.3g}, at most {limit:.3g})")

    def until(self, condition, deadline, name, *details, exact=False):
        """One point: condition() comes true, see wait_for() about the deadline."""
        try:
            wait_for(condition, deadline, name, exact=exact)
        except Timeout as late:
            return self.ok(False, name, str(late), *details)
        return self.ok(True, name)

    def skip(self, name, missing):
        self.count += 1
        self._print(f"ok {self.count} - {self._labelled(name)} # SKIP {missing}")

    @contextlib.contextmanager
    def label(self, text):
        before = self._labels
        self._labels = before + [text] if text else before
        try:
            yield
        finally:
            self._labels = before

    @contextlib.contextmanager
    def part(self, name):
        """A labelled part of a scenario: an exception in it fails that part, the next one runs."""
        with self.label(name):
            try:
                yield
            except Exception:
                self.ok(False, "ran to its end", traceback.format_exc())

    def parts(self, checks, *words):
        """Each of these functions is a part: check(points, *words)."""
        for check in checks:
            with self.part(check.__name__.replace("_", " ")):
                check(self, *words)

    def finish(self):
        """Prints the plan. Returns the exit status."""
        self._print(f"1..{self.count}")
        return 1 if self.failed else 0


def main(scenario):
    """Run scenario(tap), print the plan, exit."""
    tap = Tap()
    with tap.part(""):
        scenario(tap)
    sys.exit(tap.finish())
