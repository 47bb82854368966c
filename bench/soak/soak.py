#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Ten million lines through one rsyslogd: does its memory grow?

    sudo bench/run soak [-- [--lines N] [--step N] [--backend NAME] [--check]]

Three actions get each line: one that blocks every address and sends events to a ruleset,
one that counts up to a threshold, one that requires proof from an smtpd. Addresses are not
repeated (soaksender.py), so that memory kept for each of them would show. The first fifth
of the lines fills everything that has a limit, mainly the threshold's table; after that
nothing may grow. Each step ends when all actions have counted its last line. Takes about
ten minutes; --lines 1000000 --step 50000 is for a quick test, and misses the goal, as the
threshold's table is not full after a fifth of that.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from shared import gnuplot, hostfacts, partfile, rsyslogd  # noqa: E402
from shared.partfile import Wrong  # noqa: E402
from lib.wait import Timeout, wait_for  # noqa: E402

# The memory of rsyslogd's own queues, 3000 messages, when they are full for the first time.
# A leak of malloc's minimum, 32 bytes, at each reject would be 150 MB.
GROWTH_KB = 4096
LISTS = ("soak", "threshold", "proof")


def rules(options):
    """Small queues: messages that wait in rsyslogd are not growth of the module."""
    return (f'main_queue(queue.size="2000" queue.timeoutEnqueue="60000")\n'
            f'module(load="{options.programs}/omsmtpblock.so")\n'
            f'ruleset(name="blocks" queue.type="linkedList" queue.size="1000"'
            f' queue.timeoutEnqueue="0") {{ action(type="omfile" file="/dev/null") }}\n'
            f'mail.* action(type="omsmtpblock" list="soak" list6="soak6" verify="none"'
            f' backend="{options.backend}" {rsyslogd.UNBOUNDED} eventRuleset="blocks")\n'
            f'mail.* action(type="omsmtpblock" list="threshold" list6="threshold6"'
            f' trigger="reject" threshold="3" verify="none" dryRun="on")\n'
            f'mail.* action(type="omsmtpblock" list="proof" list6="proof6")\n')


def make_lists():
    """In this namespace only."""
    for program, end in (("iptables", ""), ("ip6tables", "6")):
        for name in LISTS:
            subprocess.run([program, "-A", "INPUT", "-p", "tcp", "--dport", "25", "-m", "recent",
                            "--name", name + end, "--update", "--seconds", "600", "-j", "DROP"],
                           check=True)


def summaries(text):
    """By list."""
    return {name: {key: int(value) for key, value in re.findall(r"([\w.]+)=(\d+)", rest)}
            for name, rest in re.findall(r"action with list (\w+) and \w+: (.*)", text)}


def counted(daemon):
    """Each action's counters, which it logs at HUP."""
    before = len(daemon.logged())
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: set(LISTS) <= summaries(daemon.logged()[before:]).keys() or daemon.wake(), 60,
             "the counters")
    return summaries(daemon.logged()[before:])


def all_seen(daemon, lines):
    found = counted(daemon)
    return all(found.get(name, {}).get("lines") == lines for name in LISTS)


def run_step(daemon, first, count):
    """Seconds for these lines, and the memory after them."""
    began = time.monotonic()
    result = subprocess.run([sys.executable, HERE / "soaksender.py", daemon.socket, str(first),
                             str(count)], check=False, timeout=600)
    if result.returncode:
        raise Wrong(f"the sender ended with status {result.returncode}")
    wait_for(lambda: all_seen(daemon, first + count), 60, "the last line of a step")
    return {"lines": first + count, "seconds": time.monotonic() - began} | daemon.memory()


def soak(options):
    """One row per step, and the counters at the end."""
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True, mode=0o755)
    daemon = rsyslogd.Rsyslogd(options.work / "rsyslog", rules(options),
                               imuxsock=rsyslogd.CREDENTIALS)
    rows = []
    try:
        daemon.wait_ready()
        for first in range(0, options.lines, options.step):
            rows.append(run_step(daemon, first, min(options.step, options.lines - first)))
            print_row(rows[-1], options.step)
        counters = counted(daemon)
    finally:
        began = time.monotonic()
        daemon.stop()
    return rows, counters, time.monotonic() - began


def print_row(row, step):
    print(f"{row['lines']:>10}{row['Rss']:>10}{row['Anonymous']:>12}"
          f"{step / row['seconds']:>10.0f}", flush=True)


def judge(goals, options, rows, end):
    """Growth from the end of the first fifth, without a correction for noise."""
    full = next(row for row in rows if row["lines"] >= options.lines / 5)
    later = [row["Anonymous"] for row in rows if row["lines"] >= full["lines"]]
    goals.at_most(f"growth after {full['lines']} lines, at the end",
                  later[-1] - full["Anonymous"], GROWTH_KB, "kB", 0)
    goals.at_most(f"growth after {full['lines']} lines, at its highest",
                  max(later) - full["Anonymous"], GROWTH_KB, "kB", 0)
    goals.at_most("time to end", end, 2, "s", 2)


def draw(options, rows):
    if options.plots:
        gnuplot.draw(options.plots / "soak.svg", (
            f"set title 'Memory of rsyslogd over {options.lines} lines'\n"
            "set xlabel 'million lines'\nset ylabel 'MB'\nset yrange [0:*]\n"
            f"plot $data0 using 1:2 with lines linewidth 2 linecolor rgb '{gnuplot.COLOURS[1]}'"
            " title 'its own'"),
            [[(row["lines"] / 1e6, row["Anonymous"] / 1024) for row in rows]])


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--step", type=int, default=500_000, help="lines between two looks")
    parser.add_argument("--backend", default="recent", choices=("recent", "nftables", "null"))
    parser.add_argument("--json", type=Path, help="all figures go to this file")
    parser.add_argument("--plots", type=Path, help="the plot goes to this directory")
    parser.add_argument("--check", action="store_true", help="fail where a goal is missed")
    parser.add_argument("--programs", type=Path, required=True, help="what was built")
    parser.add_argument("--work", type=Path, default=Path("/run/soak"))
    return parser.parse_args()


def main():
    options = parse_options()
    if os.environ.get("OMSMTPBLOCK_IN_LAB") != "1" or os.geteuid() != 0:
        sys.exit("measure: runs in the lab only: sudo bench/run soak")
    make_lists()
    facts, goals = hostfacts.facts(), partfile.Goals()
    print(f"{'lines':>10}{'RSS, kB':>10}{'own, kB':>12}{'lines/s':>10}")
    rows, counters, end = soak(options)
    for name, values in counters.items():
        print(f"{name}: " + " ".join(f"{key}={value}" for key, value in values.items()))
    judge(goals, options, rows, end)
    draw(options, rows)
    print("\n" + hostfacts.describe(facts))
    partfile.write_json(options.json, "soak", facts, goals, backend=options.backend, steps=rows,
                      counters=counters, end=end)
    return 0 if goals.reached() or not options.check else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Timeout, Wrong) as wrong:
        sys.exit(f"measure: {wrong}")
