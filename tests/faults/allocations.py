# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Each memory allocation of the module fails once, then with all later ones: see run.

Each time with a fresh rsyslogd, since some are made only once. Allocations of the C
library on the module's behalf (opendir, getline) are not included.
"""

import argparse
import contextlib
import mmap
import os
import struct
import subprocess
from pathlib import Path

from lib.faults import PATHS, Bystanders, Calls, my_share
from lib.netns import run as run_command
from lib.rsyslog import module_path
from lib.scenario import mail_host, workdir

SOURCE = Path(__file__).resolve().with_name("allocations.c")
FIELDS = ("begin", "end", "fails", "last", "count", "failed", "caller")
FOR_EVER = 2**64 - 1
# rsyslog's macro BEGINcreateWrkrInstance allocates. If that fails it does not call the
# module: the action loses the line, whatever the module does.
RSYSLOG_OWN = "createWrkrInstance"


class Board:
    """Memory shared with rsyslogd: see allocations.c."""

    def __init__(self, path):
        path.write_bytes(bytes(8 * len(FIELDS)))
        self._offset = 0
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def __getitem__(self, field):
        return struct.unpack_from("=Q", self._map, 8 * FIELDS.index(field))[0]

    def __setitem__(self, field, value):
        struct.pack_into("=Q", self._map, 8 * FIELDS.index(field), value)

    @contextlib.contextmanager
    def failing(self, pid, first, last):
        """Fails those allocations of the module in that rsyslogd; 0 and 0 only counts."""
        words = next(line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
                     if line.endswith("/omsmtpblock.so") and " r-xp " in line)
        begin, end = words[0].split("-")
        self._offset = int(words[2], 16)
        for field, value in (("count", 0), ("failed", 0), ("fails", first), ("last", last),
                             ("begin", int(begin, 16)), ("end", int(end, 16))):
            self[field] = value
        yield
        self["begin"] = self["end"] = 0

    def function(self):
        """The function in which the first failed allocation is."""
        address = hex(self._offset + self["caller"] - 1)
        return run_command("addr2line", "-fe", module_path(), address).split("\n")[0]


def preload(rsyslog):
    """Prepares rsyslogd's environment; returns the board."""
    library, path = workdir() / "allocations.so", workdir() / "board"
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", library, SOURCE],
                   check=True)
    board = Board(path)
    rsyslog.environment = os.environ | {"LD_PRELOAD": str(library), "FAULTS_BOARD": str(path)}
    return board


def run(calls, board, path, first=0, last=0):
    trial = calls.trial(path)
    trial.fresh()
    trial.run(board.failing(calls.host.rsyslog.pid, first, last), every=last == FOR_EVER)
    if last != FOR_EVER:
        trial.must_be_done()
    trial.finish()
    return trial


def try_path(points, calls, board, path, only):
    trial = run(calls, board, path)
    count = board["count"]
    points.ok(not trial.problems, f"{path} session, no fault: {count} allocations",
              "; ".join(trial.problems), trial.notes())
    for number in [only] if only else range(1, count + 1):
        for last, often in ((number, "once"), (FOR_EVER, "every")):
            label = f"{path} session: allocation {number} of {count}, {often}"
            with points.part(label):
                trial, function = run(calls, board, path, number, last), board.function()
                if function == RSYSLOG_OWN:
                    points.skip(label, "rsyslog's own, for a worker of the action")
                    continue
                points.ok(not trial.problems, label, "; ".join(trial.problems))
                points.note(f"  {board['failed']} failed, in {function}; {trial.notes()}")


def scenario(points):
    parser = argparse.ArgumentParser(prog="run allocations")
    parser.add_argument("--path", choices=PATHS)
    parser.add_argument("--allocation", type=int, metavar="N", help="this one only")
    options = parser.parse_args()
    share, shares = my_share()
    with mail_host(points) as host, Bystanders(host) as bystanders:
        board = preload(host.rsyslog)
        for number, path in enumerate(PATHS):
            if options.path in (None, path) and number % shares == share:
                try_path(points, Calls(host, bystanders), board, path, options.allocation)
