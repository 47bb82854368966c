# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""How many lines rsyslogd handles per second, with the module and with simpler actions.

    sudo bench/run burst [-- OPTION...]

A sender (flood.c) hands lines to the stock rsyslogd as fast as it takes them,
over a Unix socket (imuxsock) or TCP (imptcp): rejects of distinct addresses, or
lines of another program. A marker comes last. The main queue has one worker, so the
marker's action (omfloor) is called when all lines are handled: that ends the
measurement. Each variant has its own rsyslogd in each round; the variants take turns.
Differences are taken within a round.

  stop                   the rule discards the line
  no-op                  an action that does nothing, with the shortest template
  no-op, our template    the same with the module's template
  omfile                 to /dev/null, rsyslog's own format
  the list's two calls   only writes another address to the list each time, with our
                         template: the kernel's share of a block
  ours ...               terminate="off" verify="none": each line is a block. With
                         nftables the background thread writes them, in batches, and the
                         measurement ends when the last one is in the kernel's set; the
                         part nftables has the cost of a single block

us of CPU is the time that rsyslogd's threads except the input's spent on a line. It has no
waits for the sender in it, and other processes disturb it less.
"""

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from lib import threads
from lib.firewall import RecentList
from lib.wait import Timeout, wait_for
from shared import figures, gnuplot
from shared.flood import PORT, flood, known, make_board, rsyslogd
from shared.partfile import Wrong

OPTIONS = {"rounds": (5, "how many"), "lines": (200000, "of a flood"),
           "warm-up": (2000, "lines before"), "only": ("", "variants with this in their name")}
OURS = 'type="omsmtpblock" list="burst" terminate="off" verify="none" maxBlocks="100000000"'
TEMPLATE = '" omsmtpblock"'     # the module's, with verify="none"
NOOP, SAME = "no-op", "no-op, our template"


@dataclass
class Variant:
    """One row: the action of mail.err, and the row it is compared with."""

    name: str
    rule: str
    kind: str = "reject"
    floor: str = ""
    goal: float = 0             # us a line beyond the floor
    rounds: dict = field(default_factory=dict)

    def is_module(self):
        return "omsmtpblock" in self.rule and "omfloor" not in self.rule


VARIANTS = [
    Variant("stop", "stop"),
    Variant(NOOP, 'action(type="omfloor" template="least" mode="none")'),
    Variant(SAME, f'action(type="omfloor" template={TEMPLATE} mode="none")', floor=NOOP),
    Variant("omfile to /dev/null", 'action(type="omfile" file="/dev/null")', floor=NOOP),
    Variant("no-op, our template, foreign lines",
            f'action(type="omfloor" template={TEMPLATE} mode="none")', "foreign"),
    Variant("ours, foreign lines", f"action({OURS})", "foreign",
            "no-op, our template, foreign lines", 0.3),
    Variant("the list's two calls, our template",
            f'action(type="omfloor" template={TEMPLATE} mode="list" '
            'board="/proc/net/xt_recent/burst")', floor=SAME),
    Variant("ours, recent", f"action({OURS})", floor=SAME, goal=1),
    Variant("ours, nftables", f'action({OURS} backend="nftables" listSize="1000000")',
            floor=SAME, goal=8),
]
INPUTS = ("imptcp", "imuxsock")


def is_done(variant, daemon, lines):
    """Whether the module has counted every line, and written every block."""
    counted = daemon.counters("burst")
    written = counted.get("blocks", 0) + counted.get("renewals", 0)
    return counted.get("lines") == lines and (variant.kind != "reject" or written == lines)


def finish(variant, daemon, lines):
    """Seconds until the last block is written, 0 if it is already; Wrong if it never is:
    then the figures are invalid."""
    began = time.monotonic()
    if not variant.is_module() or is_done(variant, daemon, lines):
        return 0
    try:
        wait_for(lambda: is_done(variant, daemon, lines), 20, "the last block", longest=0.005)
    except Timeout as wrong:
        raise Wrong(f"{variant.name}: {lines} lines, counted {daemon.counters('burst')}: {wrong}\n"
                    f"{daemon.own()}") from wrong
    return time.monotonic() - began


def run_one(options, variant, name):
    """One flood: seconds, and ns of CPU by thread."""
    board = make_board(options)
    with rsyslogd(options, variant.rule, board) as daemon:
        to = f"tcp:{PORT}" if name == "imptcp" else f"unix:{daemon.socket}"
        kind = f"--kind={variant.kind}"
        flood(options, board, options.warm_up, kind, to=to)
        finish(variant, daemon, options.warm_up)
        before = threads.processor_time(daemon.pid)
        seconds = flood(options, board, options.lines, kind, to=to)
        seconds += finish(variant, daemon, options.warm_up + options.lines)
        after = threads.processor_time(daemon.pid)
    spent = {thread: after[thread] - before.get(thread, 0) for thread in after}
    cpu = sum(ns for thread, ns in spent.items() if not thread.startswith("in:"))
    return {"us": seconds * 1e6 / options.lines, "cpu us": cpu / 1e3 / options.lines,
            "ns by thread": {thread: ns / options.lines for thread, ns in spent.items()}}


def flush():
    Path("/proc/net/xt_recent/burst").write_text("/", encoding="ascii")
    subprocess.run(["nft", "delete", "table", "inet", "omsmtpblock"], capture_output=True,
                   check=False)


# --- the report ------------------------------------------------------------

def judge(variants, goals):
    by_name = {variant.name: variant for variant in variants}
    for variant in variants:
        if not variant.goal or variant.floor not in by_name:
            continue
        for name in INPUTS:
            for what, label in (("us", "time"), ("cpu us", "CPU")):
                mine, floor = ([each[what] for each in one.rounds[name]]
                               for one in (variant, by_name[variant.floor]))
                goals.at_most(f"{variant.name}, beyond {variant.floor}, {name}, {label}",
                              statistics.median(figures.differences(mine, floor)), variant.goal,
                              "us a line", 2)


def draw(options, variants):
    if not options.plots:
        return
    rows = [[variant.name] + [statistics.median(each["us"] for each in variant.rounds[name])
                              for name in INPUTS] for variant in variants]
    gnuplot.draw(options.plots / "burst.svg", (
        f"set title '{options.lines} log lines as fast as rsyslogd takes them'\n"
        "set ylabel 'us a line'\nset yrange [0:*]\nset style data histograms\n"
        "set style histogram clustered gap 1\nset style fill solid 0.9\n"
        "set xtics rotate by -25\n"
        "plot " + ", ".join(f"$data0 using {2 + number}:xtic(1) title '{name}' "
                            f"linecolor rgb '{gnuplot.COLOURS[number]}'"
                            for number, name in enumerate(INPUTS))), [rows])


def run_rounds(options, variants):
    for number in range(1, options.rounds + 1):
        for name in INPUTS:
            for variant in variants:
                flush()
                variant.rounds.setdefault(name, []).append(run_one(options, variant, name))
        medians = ", ".join(f"{variant.rounds['imptcp'][-1]['us']:.2f}" for variant in variants)
        print(f"round {number} of {options.rounds}: {medians} us a line over imptcp",
              file=sys.stderr, flush=True)


def measure(options, goals):
    RecentList(4, "burst").install()
    RecentList(6).install()
    board = make_board(options)
    variants = known([v for v in VARIANTS if options.only in v.name],
                     lambda variant: rsyslogd(options, variant.rule, board))
    run_rounds(options, variants)
    judge(variants, goals)
    draw(options, variants)
    return {"lines": options.lines, "floors": {variant.name: variant.floor for variant in variants},
            "variants": {variant.name: variant.rounds for variant in variants}}
