# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The cost of a message: instructions, system calls; and rsyslogd's memory.

    sudo bench/run cost [-- OPTION...]

Instructions and system calls are counted, not timed: they are the same on a busy
machine. A small program (drive.c) handles a message like the plugin, so that rsyslogd is
not in the figures: it splits the template's record and passes it to the engine.

  instructions   valgrind --tool=callgrind, of everything called for a message in the
                 worker, including the C library; eventfds stand in for pidfds, which
                 valgrind does not support
  system calls   strace, in the worker and in the background thread. The goal is for the
                 worker, which logging waits for. Several blocks at a time cost the
                 background thread less each: here they come one by one. Resets are off,
                 as they come a second later: each takes two more calls
  growth         both, of the worker, with 150 and with 600 smtpds
  memory         rsyslogd's, with and without the module: idle, after many messages, with
                 many blocks

The smtpds are those of the latency bench: executables, user and environment as courier's,
each with a connection over loopback. "No credentials" are lines of smtpds that are in the
index.

A goal for system calls excludes futex: whether a lock is contended depends on the
scheduler, and strace makes it likely. Each figure has a limit a third above the present
value: CASES has the measured values, ROOM the third. After a change of the code that needs
less (or more, for a reason), measure again and update them. Growth is of the median
message: on a busy machine a few wait for the background thread's scan and then search by
themselves, however many smtpds there are.
"""

import itertools
import re
import signal
import statistics
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lib import processes
from lib.firewall import RecentList
from lib.wait import wait_for
from shared.esmtpd import ESMTPD, make_connections_possible
from shared.flood import flood, make_board, rsyslogd
from shared.partfile import Wrong

# The stand-ins for courier offer no login: without this their sessions end before the line.
LINES_ALONE = ("--set", "early=off", "--set", "pressure=0")
UNPROVEN = ("--set", "verify=none", "--set", "terminate=off", "--set", "maxBlocks=100000000")
ENDED = ("--set", "terminate.reset=off")
AT_ONCE = ("--set", "terminate.delay=0", *ENDED)
FEW, MANY = 150, 600
COUNT, CHILDREN_COUNT, SKIP = 1000, 60, 20
OPTIONS = {"only": ("", "instructions, calls, growth or memory"),
           "quick": (False, "neither memory nor delays: under a minute"),
           "cases": ("", "those with this in their name"),
           "messages": (1000000, "for memory"), "blocks": (100000, "for memory")}


@dataclass
class Case:
    """A kind of message: drive's options, and the goals."""

    name: str
    options: tuple
    children: bool = False      # they send it
    instructions: int = 0       # measured when this was written; 0: no limit
    calls: float = 0


ROOM = 4 / 3
CASES = (
    Case("foreign line", ("--kind", "foreign"), False, 551),
    Case("reject refused by policy", ("--age", "10000"), False, 1088),
    Case("block, no proof, no terminate", UNPROVEN, False, 2383, 2),
    Case("block, no proof, null backend", (*UNPROVEN, "--set", "backend=null"), False, 2079),
    Case("block, no proof, nftables", (*UNPROVEN, "--set", "backend=nftables"), False, 1845),
    Case("block, proof", ("--set", "terminate=off"), True, 6163, 6),
    Case("block, proof, terminate at once", AT_ONCE, True, 7435, 7),
    Case("the same, delay 200 ms", ENDED, True, 7074),
    Case("the same, at once, no credentials", (*AT_ONCE, "--anonymous"), True, 7577, 9),
)


class Drive:
    """The program, under a tool, with or without smtpds that send to it.

    Their clients are blocked in the end, so each run has other clients.
    """

    addresses = itertools.count(0, 2 * MANY)

    def __init__(self, options, case, children=MANY):
        self.options, self.case, self.children = options, case, children
        self.socket = options.work / "log"
        self.board = options.work / "board"

    def count(self):
        return CHILDREN_COUNT if self.case.children else COUNT

    def command(self, more):
        words = [self.options.programs / "drive", f"--count={self.count()}", f"--skip={SKIP}",
                 *LINES_ALONE, *self.case.options, *more]
        return words + (["--listen", self.socket, "--board", self.board]
                        if self.case.children else [])

    def run(self, tool, *more):
        """Runs it to its end; returns the counters that it prints."""
        make_board(self.options)
        self.socket.unlink(missing_ok=True)
        process = subprocess.Popen([*tool, *self.command(more)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        tcpd = None
        try:
            if self.case.children:
                wait_for(self.socket.exists, 20, "drive's socket")
                tcpd = self.start_tcpd()
            out, err = process.communicate(timeout=180)
        finally:
            if tcpd:
                self.stop_tcpd(tcpd)
        if process.returncode:
            raise Wrong(f"{self.case.name}: drive ended with {process.returncode}: {err[-2000:]}")
        self.check(out, err)

    def check(self, out, err):
        counted = {name: int(value) for name, value in re.findall(r"([\w.]+)=(\d+)", out)}
        want, children = self.count() + SKIP, self.case.children
        blocked = counted.get("blocks", 0) + counted.get("renewals", 0)
        if counted.get("lines") != want or (children and blocked != want) or \
                (self.case.name.startswith("block") and blocked != want):
            raise Wrong(f"{self.case.name}: {want} lines, counted {counted}\n{err[-2000:]}")

    def start_tcpd(self):
        """As many samples as drive needs; the smtpds log one after the other."""
        ends = "terminate=off" not in self.case.options
        lane = f"{self.socket},oldest,{'term' if ends else 'note'},plain,silent,unlisted"
        return subprocess.Popen(
            ["setpriv", "--reuid=courier", "--regid=courier", "--clear-groups",
             self.options.programs / "couriertcpd", f"--children={self.children}",
             "--warm-up=0", f"--samples={self.count() + SKIP}", "--burst=1000000",
             "--pace=20000", "--connect=1", f"--first={next(self.addresses)}", self.board,
             self.options.programs / "courieresmtpd", lane],
            env=ESMTPD, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    @staticmethod
    def stop_tcpd(process):
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise Wrong("couriertcpd did not end") from None


# --- instructions ----------------------------------------------------------

def instructions(options, case, children=FEW):
    """Instructions per message, and the functions with most of them."""
    drive, out = Drive(options, case, children), options.work / "callgrind"
    drive.run(("valgrind", "--tool=callgrind", "--toggle-collect=handle_record",
               "--trace-children=no", f"--callgrind-out-file={out}", "-q"), "--pretend")
    total = re.search(r"^(?:summary|totals): (\d+)", out.read_text(errors="replace"), re.M)
    return {"instructions": int(total.group(1)) / drive.count(), "most in": most(out, drive)}


def most(out, drive):
    """[function, instructions per message] of those with the most."""
    text = subprocess.run(["callgrind_annotate", "--inclusive=no", out], text=True,
                          capture_output=True, check=False).stdout
    found = re.findall(r"^\s*([\d,]+) \(\s*[\d.]+%\)\s+\S*:(\w+)", text, re.M)
    return [[name, int(number.replace(",", "")) / drive.count()] for number, name in found[:8]]


# --- system calls ----------------------------------------------------------

def calls_of(trace):
    """System calls between the marks, of the worker, which sets them, and of the background
    thread; and each message's calls without locks in the worker, if it receives them."""
    worker, other, counting, main, single = Counter(), Counter(), False, None, [0]
    for line in trace.read_text(errors="replace").splitlines():
        found = re.match(r"(\d+) +(\w+)\(", line)
        if not found:
            continue            # resumed, or a signal
        thread, name = found.groups()
        if name == "getppid":
            counting, main = not counting, thread
        elif counting and name == "recvmsg" and thread == main:
            single.append(0)
        elif counting and name not in ("recvmsg", "nanosleep", "clock_nanosleep"):
            (worker if thread == main else other)[name] += 1
            single[-1] += thread == main and name != "futex"
    return worker, other, statistics.median(single[1:] or single)


def per_message(counter, count):
    return {name: round(number / count, 2) for name, number in counter.most_common()
            if number >= count / 20}


def calls(options, case, children=MANY):
    drive, trace = Drive(options, case, children), options.work / "trace"
    drive.run(("strace", "--follow-forks", "-qq", "--signal=none", f"--output={trace}"))
    worker, other, median = calls_of(trace)
    return {"worker": sum(worker.values()) / drive.count(), "median message": median,
            "worker but locks": (sum(worker.values()) - worker["futex"]) / drive.count(),
            "background": sum(other.values()) / drive.count(),
            "both": (sum(worker.values()) + sum(other.values())) / drive.count(),
            "worker by name": per_message(worker, drive.count()),
            "background by name": per_message(other, drive.count())}


# --- growth ----------------------------------------------------------------

def growth(options, case, found):
    """With few smtpds and with many; figures that exist already are not counted again."""
    few = found.get("instructions", {}).get(case.name) or instructions(options, case)
    many = found.get("calls", {}).get(case.name) or calls(options, case)
    return [few | calls(options, case, FEW), instructions(options, case, MANY) | many]


# --- memory ----------------------------------------------------------------

def memory(options, action):
    """In kB: idle, after many messages of few addresses, with many blocks."""
    board = make_board(options)
    with rsyslogd(options, f"action({action})", board) as daemon:
        flood(options, board, 10)
        figures = {"idle": processes.memory(daemon.pid)}
        flood(options, board, options.messages, "--addresses=90")
        figures["messages"] = processes.memory(daemon.pid)
        flood(options, board, options.blocks)
        figures["blocks"] = processes.memory(daemon.pid)
        if "omsmtpblock" in action:
            figures["counters"] = daemon.counters("cost")
    return figures


def measure_memory(options):
    ours = 'type="omsmtpblock" list="cost" terminate="off" verify="none" maxBlocks="100000000"'
    actions = {"none": 'type="omfloor" template="least" mode="none"', "recent": ours,
               "nftables": f'{ours} backend="nftables" listSize="1000000"'}
    board = make_board(options)
    return {name: memory(options, action) for name, action in actions.items()
            if rsyslogd(options, f"action({action})", board).validate()[0] == 0}


# --- the report ------------------------------------------------------------

def judge(found, goals):
    """A check of each smtpd would need at least one instruction per smtpd."""
    for case in CASES:
        one = found.get("instructions", {}).get(case.name)
        if one and case.instructions:
            goals.at_most(case.name, one["instructions"], round(case.instructions * ROOM),
                          "instructions", 0)
    for case in CASES:
        one = found.get("calls", {}).get(case.name)
        if one and case.calls:
            goals.at_most(f"{case.name}, the worker's", one["worker but locks"],
                          round(case.calls * ROOM, 2), "system calls", 2)
    for name, (few, many) in found.get("growth", {}).items():
        title = f"{name}: more in the worker with {MANY} children than with {FEW}"
        goals.at_most(title, many["median message"] - few["median message"], 0.5, "system calls", 2)
        goals.at_most(title, many["instructions"] - few["instructions"], MANY - FEW,
                      "instructions", 0)
    # PSS depends on other running rsyslogds; RSS does not.
    for name, one in found.get("memory", {}).items():
        if name != "none":
            more = one["idle"]["Rss"] - found["memory"]["none"]["idle"]["Rss"]
            goals.at_most(f"{name}, idle: RSS more than without", more, 3000, "kB", 0)


def knows_nftables(options):
    result = subprocess.run([options.programs / "drive", "--set", "backend=nftables",
                             "--count", "1"], capture_output=True, check=False)
    return result.returncode == 0


def measure(options, goals):
    for family, name in ((4, "spammer"), (4, "cost"), (6, None)):
        RecentList(family, name).install()
    make_connections_possible()
    with_nft = knows_nftables(options)
    cases = [case for case in CASES if options.cases in case.name
             and (with_nft or "nftables" not in case.name)
             and not (options.quick and "delay" in case.name)]
    found = {}
    if options.only in ("", "instructions"):
        found["instructions"] = {case.name: instructions(options, case) for case in cases}
    if options.only in ("", "calls"):
        found["calls"] = {case.name: calls(options, case) for case in cases}
    if options.only in ("", "growth"):
        found["growth"] = {case.name: growth(options, case, found) for case in cases
                           if case.children and "delay" not in case.name}
    if options.only == "memory" or not (options.only or options.quick):
        found["memory"] = measure_memory(options)
    judge(found, goals)
    return found
