#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The summary of several runs, side by side: table.py NAME=RESULTS..."""

import argparse

from results import Run

LABEL, COLUMN = 46, 20


def wait(seconds, run):
    if seconds >= run.wave["patience"]:
        return f"gave up at {run.wave['patience']:g} s"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


# The rows of the summary: label and text.
ROWS = (
    ("slots taken at the peak", lambda run: f"{run.peak} of {run.wave['slots']}"),
    ("seconds with all slots taken", lambda run: f"{run.seconds_at_limit:.0f}"),
    ("slots taken at the end", lambda run: f"{run.at_end}"),
    ("ordinary sender: mails accepted", lambda run: f"{run.accepted} of {len(run.mails)}"),
    ("    in the Maildir", lambda run: f"{len(run.delivered)} of {len(run.mails)}"),
    ("    median wait until accepted", lambda run: wait(run.median_wait, run)),
    ("    worst wait", lambda run: wait(run.worst_wait, run)),
    ("listed senders: connections tried", lambda run: f"{len(run.visits)}"),
    ("    taken by courier", lambda run: f"{len(run.greeted)}"),
    ("    that saw their 511", lambda run: f"{run.seen(511)}"),
    ("addresses on the kernel's list", lambda run: f"{len(run.blocked)}"),
    ("children ended by the module", lambda run: f"{run.counters.get('ended', '-')}"),
)


def table(runs):
    lines = [" " * LABEL + "".join(f"{run.name:>{COLUMN}}" for run in runs)]
    lines += [f"{label:<{LABEL}}" + "".join(f"{show(run):>{COLUMN}}" for run in runs)
              for label, show in ROWS]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def about_the_load(runs):
    """The cost of the measurement itself, and whether it kept its pace."""
    cpu = ", ".join(f"{run.load_cpu:.1f} s" for run in runs)
    late = max(run.lateness for run in runs)
    return (f"The load and the watching took {cpu} of CPU time; "
            f"no connection was tried later than {late * 1000:.0f} ms after its time.\n")


def named_runs(words):
    return [Run(*word.split("=", 1)) for word in words]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="NAME=RESULTS")
    runs = named_runs(parser.parse_args().runs)
    print(table(runs) + "\n" + about_the_load(runs), end="")


if __name__ == "__main__":
    main()
