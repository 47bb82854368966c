# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Large numbers: of addresses below the threshold, of allowed prefixes, of lines
of an old log.

    sudo bench/run scale [-- [--addresses N] [--lines N] [--json FILE]]

  threshold   ns per trigger and memory per address, by the number of addresses (memory.c)
  allow       ns per lookup in the allow list, by the number of its entries
              (../allow/lookup.c)
  replay      time and memory of smtpblockctl replay for a large mail log
"""

import json
import os
import re
import subprocess
import time

from lib.netns import run
from shared.partfile import Wrong

OPTIONS = {"addresses": (1000000, "in the threshold's memory"), "lines": (1000000, "of the log")}

FEW_ENTRIES, MANY_ENTRIES = 10, 100000


def measure_threshold(options):
    sizes = [str(n) for n in (1000, 10000, 100000, options.addresses)]
    return [json.loads(line) for line in run(options.programs / "memory", *sizes).splitlines()]


def print_threshold(rows, goals):
    print(f"\n{'addresses in the threshold memory':<36}{'ns, first':>10}{'ns, again':>10}"
          f"{'kB':>10}{'forgotten':>11}")
    for row in rows:
        print(f"{row['addresses']:<36}{row['first ns']:>10.0f}{row['again ns']:>10.0f}"
              f"{row['kB']:>10}{row['forgotten']:>11}")
    last = rows[-1]
    goals.at_most(f"memory for {last['addresses']} addresses", last["kB"] / 1024, 48, "MB")
    goals.at_most(f"forgotten of {last['addresses']} addresses", last["forgotten"], 0, "addresses",
                  0)


def measure_allow(options):
    """Entries, ns a lookup, ms to read the file."""
    lines = run(options.programs / "lookup").splitlines()[1:]
    return [dict(zip(("entries", "ns", "read ms"), map(float, line.split()))) for line in lines]


def print_allow(rows, goals):
    print(f"\n{'entries of the allow list':<36}{'ns a lookup':>12}{'ms to read':>12}")
    for row in rows:
        print(f"{row['entries']:<36.0f}{row['ns']:>12.1f}{row['read ms']:>12.1f}")
    by_entries = {row["entries"]: row["ns"] for row in rows}
    goals.at_most(f"lookup among {MANY_ENTRIES} entries, more than among {FEW_ENTRIES}",
                  by_entries[MANY_ENTRIES] - by_entries[FEW_ENTRIES], 1000, "ns")


def write_log(path, lines):
    """A day's mail log: connections from many addresses, one in ten of them listed."""
    with open(path, "w", encoding="ascii") as log:
        for n in range(lines // 2):
            second = n * 86400 // (lines // 2)
            stamp = f"Mar 14 {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02} mx"
            addr = f"::ffff:100.{64 + (n >> 16 & 63)}.{n >> 8 & 255}.{n & 255}"
            log.write(f"{stamp} courieresmtpd: started,ip=[{addr}],port=[{1024 + n % 60000}]\n")
            reply = "511 Listed in lab DNSBL" if n % 10 == 0 else "550 User <x> unknown"
            log.write(f"{stamp} courieresmtpd: error,relay={addr},port={1024 + n % 60000},"
                      f"from=<a@b.example>,to=<x@mx.lab>: {reply}\n")


def measure_replay(options):
    """Seconds and peak memory; None if the build has no replay."""
    tool, log = options.programs / "smtpblockctl", options.work / "mail.log"
    if not re.search(r"^\s*replay\b", run(tool, "--help"), re.M):
        return None
    write_log(log, options.lines)
    began = time.monotonic()
    process = subprocess.Popen([tool, "replay", log], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    log.unlink()
    if process.returncode:
        raise Wrong(f"replay ended with status {process.returncode}")
    return {"lines": options.lines, "seconds": seconds, "peak kB": usage.ru_maxrss}


def print_replay(figures, goals):
    if not figures:
        print("\nleft out, as this build does not know it: smtpblockctl replay")
        return
    print(f"\nreplay of {figures['lines']} lines: {figures['seconds']:.2f} s, "
          f"{figures['peak kB']} kB at the peak")
    goals.at_most("replay", figures["seconds"], 10 * figures["lines"] / 1e6, "s")


def measure(options, goals):
    found = {}
    for name, measured, show in (("threshold", measure_threshold, print_threshold),
                                 ("allow", measure_allow, print_allow),
                                 ("replay", measure_replay, print_replay)):
        found[name] = measured(options)
        show(found[name], goals)
    return found
