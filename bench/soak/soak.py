# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Ten million lines through one rsyslogd: does its memory grow?

    sudo bench/run soak [-- OPTION...]

Three actions get each line: one that blocks every address and sends events to a ruleset,
one that counts up to a threshold, one that requires proof from an smtpd. Addresses are not
repeated (soaksender.py), so that memory kept for each of them would show. The first fifth
of the lines fills everything that has a limit, mainly the threshold's table; after that
nothing may grow. Each step ends when all actions have counted its last line. Takes about
ten minutes; --lines 1000000 --step 50000 is for a quick test, and misses the goal, as the
threshold's table is not full after a fifth of that.
"""

import subprocess
import sys
import time
from pathlib import Path

from lib import processes
from lib.firewall import RecentList
from lib.rsyslog import Rsyslog
from lib.wait import wait_for
from shared import gnuplot
from shared.partfile import Wrong

SENDER = Path(__file__).resolve().with_name("soaksender.py")
OPTIONS = {"lines": (10_000_000, "in all"), "step": (500_000, "lines between two looks"),
           "backend": ("recent", "or nftables, or null")}

# The memory of rsyslogd's own queues, 3000 messages, when they are full for the first time.
# A leak of malloc's minimum, 32 bytes, at each reject would be 150 MB.
GROWTH_KB = 4096
LISTS = ("soak", "threshold", "proof")


def rules(options):
    """Small queues: messages that wait in rsyslogd are not growth of the module."""
    return ('ruleset(name="blocks" queue.type="linkedList" queue.size="1000"'
            ' queue.timeoutEnqueue="0") { action(type="omfile" file="/dev/null") }\n'
            'mail.* action(type="omsmtpblock" list="soak" list6="soak6" verify="none"'
            f' backend="{options.backend}" maxBlocks="100000000" eventRuleset="blocks")\n'
            'mail.* action(type="omsmtpblock" list="threshold" list6="threshold6"'
            ' trigger="reject" threshold="3" verify="none" dryRun="on")\n'
            'mail.* action(type="omsmtpblock" list="proof" list6="proof6" early="off"'
            ' pressure="0")\n')


def run_step(daemon, first, count):
    """Seconds for these lines, and the memory after them."""
    began = time.monotonic()
    result = subprocess.run([sys.executable, SENDER, daemon.socket, str(first),
                             str(count)], check=False, timeout=600)
    if result.returncode:
        raise Wrong(f"the sender ended with status {result.returncode}")
    wait_for(lambda: all(daemon.counters(name).get("lines") == first + count for name in LISTS), 60,
             "the last line of a step")
    return {"lines": first + count, "seconds": time.monotonic() - began} \
        | processes.memory(daemon.pid)


def soak(options):
    """One row per step, the counters at the end, and the seconds to stop."""
    rows = []
    with Rsyslog(options.work, rules(options), quiet=True, socket_path=options.work / "log",
                 settings='main_queue(queue.size="2000" queue.timeoutEnqueue="60000")\n') as daemon:
        for first in range(0, options.lines, options.step):
            rows.append(run_step(daemon, first, min(options.step, options.lines - first)))
            print_row(rows[-1], options.step)
        return rows, {name: daemon.counters(name) for name in LISTS}, daemon.stop()


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


def measure(options, goals):
    for name in LISTS:
        RecentList(4, name).install()
        RecentList(6, name + "6").install()
    print(f"{'lines':>10}{'RSS, kB':>10}{'own, kB':>12}{'lines/s':>10}")
    rows, counters, end = soak(options)
    for name, values in counters.items():
        print(f"{name}: " + " ".join(f"{key}={value}" for key, value in values.items()))
    judge(goals, options, rows, end)
    draw(options, rows)
    return {"backend": options.backend, "steps": rows, "counters": counters, "end": end}
