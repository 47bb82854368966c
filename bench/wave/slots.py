#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Watches a courier's slots: one CSV row per sample, to standard output.

    slots         children of that couriertcpd, which MAXDAEMONS limits
    connections   established connections on its port, as netstat shows them;
                  once the slots are taken, these wait for one in the backlog
    forks         processes and threads started since the first sample, in this PID
                  namespace
"""

import argparse
import csv
import sys
import time
from pathlib import Path

COLUMNS = ("seconds", "slots", "connections", "forks")
ESTABLISHED = "01"


def slots(pid):
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def connections(port):
    local = f":{port:04X}"
    return sum(_established(line, local) for table in ("tcp", "tcp6")
               for line in Path(f"/proc/net/{table}").read_text().splitlines())


def _established(line, local):
    words = line.split()
    return words[1].endswith(local) and words[3] == ESTABLISHED


class Forks:
    """The number of PIDs assigned since the last sample. They go up by one.

    At the end of the range they restart after RESERVED_PIDS (kernel/pid.c).
    """

    RESERVED = 300

    def __init__(self):
        self._most = int(Path("/proc/sys/kernel/pid_max").read_text())
        self._last = self._look()
        self.count = 0

    @staticmethod
    def _look():
        return int(Path("/proc/loadavg").read_text().split()[-1])

    def look(self):
        now = self._look()
        around = self._most - self.RESERVED if now < self._last else 0
        self.count += now - self._last + around
        self._last = now
        return self.count


def watch(options):
    """Samples at fixed times, so that the rows of several hosts match."""
    rows = csv.writer(sys.stdout)
    rows.writerow(COLUMNS)
    forks = Forks()
    for look in range(round(options.duration / options.interval) + 1):
        due = look * options.interval
        time.sleep(max(0.0, options.start + due - time.monotonic()))
        rows.writerow((f"{due:.2f}", slots(options.pid), connections(options.port),
                       forks.look()))
        sys.stdout.flush()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pid", type=int, required=True, help="the listening couriertcpd")
    parser.add_argument("--port", type=int, default=25)
    parser.add_argument("--interval", type=float, default=0.2, help="seconds between samples")
    parser.add_argument("--duration", type=float, required=True, help="seconds in all")
    parser.add_argument("--start", type=float, required=True, help="monotonic time of second 0")
    return parser.parse_args()


if __name__ == "__main__":
    watch(arguments())
