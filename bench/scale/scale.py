# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Large numbers: of addresses below the threshold, of allowed prefixes, of lines
of an old log.

    sudo bench/run scale [-- OPTION...]

  threshold   ns per trigger and memory per address, by the number of addresses (memory.c)
  allow       ns per lookup in the allow list, by the number of its entries
              (../allow/lookup.c)
  replay      time and memory of smtpblockctl test and replay for large mail logs
"""

import json
import os
import subprocess
import time
from pathlib import Path

from lib.netns import run
from shared.partfile import Wrong

GENERATE = Path(__file__).resolve().parents[1] / "replay" / "generate"
MANY_ADDRESSES = ("--addresses", "2000000", "--rate", "40", "--slots", "10000", "--every", "600",
                  "--traditional")
OPTIONS = {"addresses": (1000000, "in the threshold's memory"), "lines": (1000000, "of the log")}

FEW_ENTRIES, MANY_ENTRIES = 10, 100000


def measure_threshold(options):
    sizes = [str(n) for n in (1000, 10000, 100000, options.addresses)]
    return [json.loads(line) for line in run(options.programs / "memory", *sizes).splitlines()]


def measure_allow(options):
    """Entries, ns a lookup, ms to read the file."""
    lines = run(options.programs / "lookup").splitlines()[1:]
    return [dict(zip(("entries", "ns", "read ms"), map(float, line.split()))) for line in lines]


def timed(command):
    """Seconds, and peak memory in kB."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Wrong(f"{command[1]} ended with status {process.returncode}")
    return seconds, usage.ru_maxrss


def measure_replay(options, goals):
    """A log with waves of few addresses, and one with very many addresses."""
    log = options.work / "mail.log"
    for name, words in (("waves", ()), ("many", MANY_ADDRESSES)):
        with open(log, "wb") as file:
            subprocess.run([GENERATE, "--lines", str(options.lines), *words], stdout=file,
                           check=True)
        for command in (("test", "--json"), ("replay", "--json"), ("replay",)):
            seconds, peak = timed([options.programs / "smtpblockctl", *command, log])
            goals.at_most(f"{' '.join(command)} of {options.lines} lines, {name}", seconds,
                          10 * options.lines / 1e6, "s", 2)
    log.unlink()
    return {"lines": options.lines, "seconds": seconds, "peak kB": peak}


def judge(found, goals):
    last = found["threshold"][-1]
    goals.at_most(f"memory for {last['addresses']} addresses", last["kB"] / 1024, 48, "MB")
    goals.at_most(f"forgotten of {last['addresses']} addresses", last["forgotten"], 0, "addresses",
                  0)
    by_entries = {row["entries"]: row["ns"] for row in found["allow"]}
    goals.at_most(f"lookup among {MANY_ENTRIES} entries, more than among {FEW_ENTRIES}",
                  by_entries[MANY_ENTRIES] - by_entries[FEW_ENTRIES], 1000, "ns")


def measure(options, goals):
    found = {"threshold": measure_threshold(options), "allow": measure_allow(options),
             "replay": measure_replay(options, goals)}
    judge(found, goals)
    return found
