#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Records when addresses get on the kernel's list: one CSV row per address, at the end.

recent      The list has the time of each entry's first packets, in jiffies, so reading it
            twice a second gives the moment to a tick. A second list, "clock", maps
            jiffies to time.
nftables    The kernel announces every new element.
"""

import argparse
import csv
import re
import select
import subprocess
import sys
import time
from pathlib import Path

INTERVAL = 0.5
RECENT = Path("/proc/net/xt_recent")
PROBE = "192.0.2.1"


def stamps(line):
    """A list line's address, and its oldest time, in jiffies."""
    found = re.match(r"src=(\S+) .* oldest_pkt: \d+ (.*)", line)
    return found.group(1), min(int(stamp) for stamp in found.group(2).split(","))


def tick():
    """A jiffy, and the monotonic time at which it began."""
    clock, before = RECENT / "clock", None
    while True:
        clock.write_text("/\n")
        clock.write_text(f"+{PROBE}\n")
        now = time.monotonic()
        _, jiffy = stamps(clock.read_text())
        if before is not None and jiffy != before:
            return jiffy, now
        before = jiffy


def watch_recent(options, end):
    first, found = tick(), {}
    while time.monotonic() < end:
        for line in (RECENT / options.list).read_text().splitlines():
            found.setdefault(*stamps(line))
        time.sleep(INTERVAL)
    last = tick()
    length = (last[1] - first[1]) / (last[0] - first[0])
    return {address: first[1] + (jiffy + 0.5 - first[0]) * length
            for address, jiffy in found.items()}


def watch_nftables(options, end):
    element = re.compile(rf"(?:add|create) element \S+ \S+ {re.escape(options.list)} {{ (\S+)")
    found = {}
    with subprocess.Popen(["stdbuf", "-oL", "nft", "monitor", "new", "elements"],
                          stdout=subprocess.PIPE) as monitor:
        rest = b""
        while (left := end - time.monotonic()) > 0:
            if not select.select([monitor.stdout], [], [], left)[0]:
                break
            now = time.monotonic()
            *lines, rest = (rest + monitor.stdout.read1(1 << 16)).split(b"\n")
            for line in lines:
                if match := element.match(line.decode()):
                    found.setdefault(match.group(1), now)
        monitor.terminate()
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("recent", "nftables"), required=True)
    parser.add_argument("--list", default="spammer", help="name of the list or set")
    parser.add_argument("--duration", type=float, required=True, help="seconds in all")
    parser.add_argument("--start", type=float, required=True, help="monotonic time of second 0")
    return parser.parse_args()


def main():
    options = arguments()
    watch = {"recent": watch_recent, "nftables": watch_nftables}[options.backend]
    rows = csv.writer(sys.stdout)
    rows.writerow(("address", "seconds"))
    for address, when in watch(options, options.start + options.duration).items():
        rows.writerow((address, f"{when - options.start:.4f}"))


if __name__ == "__main__":
    main()
