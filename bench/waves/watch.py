#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Samples the slots of courier's listeners: one CSV row per sample, at the end.

The columns are the ports. Then writes to --held which hosts have a slot after the last sample: each
client's address and the port. The bots are still there at that moment.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

INTERVAL = 0.05

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from lib import processes  # noqa: E402


def watch(pids, start, duration):
    rows = []
    for look in range(round(duration / INTERVAL) + 1):
        due = look * INTERVAL
        time.sleep(max(0.0, start + due - time.monotonic()))
        rows.append((f"{time.monotonic() - start:.3f}",
                     *(len(processes.children(pid)) for pid in pids)))
    return rows


def held(pids, ports):
    for pid, port in zip(pids, ports):
        for child in map(processes.look, processes.children(pid)):
            if child and child.state != "Z":
                yield child.address or "", port


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tcpds", required=True, help="PORT=PID,...: the listening couriertcpds")
    parser.add_argument("--held", type=Path, required=True)
    parser.add_argument("--duration", type=float, required=True, help="seconds in all")
    parser.add_argument("--start", type=float, required=True, help="monotonic time of second 0")
    options = parser.parse_args()
    ports, pids = zip(*(map(int, word.split("=")) for word in options.tcpds.split(",")))
    rows = watch(pids, options.start, options.duration)
    with open(options.held, "w", encoding="ascii") as table:
        csv.writer(table).writerows([("address", "port"), *held(pids, ports)])
    csv.writer(sys.stdout).writerows([("seconds", *ports), *rows])


if __name__ == "__main__":
    main()
