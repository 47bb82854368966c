# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""How many lines rsyslogd handles per second, with the module and with simpler actions.

    sudo bench/run burst [-- [--rounds N] [--lines N] [--only TEXT]]

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

us of CPU is the time that rsyslogd's threads except the input's spent on a line: the
worker, which runs the actions, and the module's threads. It has no waits for the sender
in it, and other processes disturb it less.
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
from shared.flood import PORT, flood, make_board, rsyslogd
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


def available(options, variants):
    """Without variants that this build does not support."""
    board, good = make_board(options), []
    for variant in variants:
        if rsyslogd(options, variant.rule, board).validate()[0] == 0:
            good.append(variant)
        else:
            print(f"left out, as this build does not know it: {variant.name}")
    return good


# --- the report ------------------------------------------------------------

def over_rounds(variant, name, what):
    return [figure[what] for figure in variant.rounds.get(name, [])]


def beyond(variant, by_name, name, what):
    """us a line more than the floor, round by round; None without one."""
    floor = by_name.get(variant.floor)
    if not floor:
        return None
    return figures.differences(over_rounds(variant, name, what), over_rounds(floor, name, what))


def print_input(options, variants, name):
    by_name = {variant.name: variant for variant in variants}
    print(f"\n{options.lines} lines over {name}\n{'':<36}{'ms':>8}{'lines/s':>10}"
          f"{'us a line':>24}{'beyond its floor':>26}{'us of CPU':>22}{'beyond':>24}")
    for variant in variants:
        took, cpu = (over_rounds(variant, name, what) for what in ("us", "cpu us"))
        more = [beyond(variant, by_name, name, what) for what in ("us", "cpu us")]
        cells = [figures.spread(values, "+", 2) if values else "" for values in more]
        us = statistics.median(took)
        print(f"{variant.name:<36}{us * options.lines / 1e3:>8.0f}{1e6 / us:>10.0f}"
              f"{figures.spread(took, digits=2):>24}{cells[0]:>26}"
              f"{figures.spread(cpu, digits=2):>22}{cells[1]:>24}")


def print_goals(variants, goals):
    by_name = {variant.name: variant for variant in variants}
    print()
    for variant in variants:
        if not variant.goal or variant.floor not in by_name:
            continue
        for name in INPUTS:
            for what, label in (("us", "time"), ("cpu us", "CPU")):
                more = statistics.median(beyond(variant, by_name, name, what))
                goals.at_most(f"{variant.name}, beyond {variant.floor}, {name}, {label}", more,
                              variant.goal, "us a line", 2)


def draw(options, variants):
    if not options.plots:
        return
    rows = [[variant.name] + [statistics.median(over_rounds(variant, name, "us"))
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
    variants = available(options, [v for v in VARIANTS if options.only in v.name])
    run_rounds(options, variants)
    for name in INPUTS:
        print_input(options, variants, name)
    print_goals(variants, goals)
    draw(options, variants)
    return {"lines": options.lines,
            "floors": {variant.name: variant.floor for variant in variants},
            "variants": {variant.name: variant.rounds for variant in variants}}
