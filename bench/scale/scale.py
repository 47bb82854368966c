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


def measure_allow(options):
    """Entries, ns a lookup, ms to read the file."""
    lines = run(options.programs / "lookup").splitlines()[1:]
    return [dict(zip(("entries", "ns", "read ms"), map(float, line.split()))) for line in lines]


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


def judge(found, goals):
    last = found["threshold"][-1]
    goals.at_most(f"memory for {last['addresses']} addresses", last["kB"] / 1024, 48, "MB")
    goals.at_most(f"forgotten of {last['addresses']} addresses", last["forgotten"], 0, "addresses",
                  0)
    by_entries = {row["entries"]: row["ns"] for row in found["allow"]}
    goals.at_most(f"lookup among {MANY_ENTRIES} entries, more than among {FEW_ENTRIES}",
                  by_entries[MANY_ENTRIES] - by_entries[FEW_ENTRIES], 1000, "ns")
    if found["replay"]:
        goals.at_most("replay", found["replay"]["seconds"], 10 * found["replay"]["lines"] / 1e6,
                      "s")


def measure(options, goals):
    found = {"threshold": measure_threshold(options), "allow": measure_allow(options),
             "replay": measure_replay(options)}
    judge(found, goals)
    return found
