# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The time from the log line to the list, and to the SIGTERM, beside floors.

    sudo bench/run latency [-- OPTION...]

Stand-ins for couriertcpd and its smtpds (couriertcpd.c, courieresmtpd.c,
submit.c: executables, user and environment as courier's) log over private sockets to the
stock rsyslogd, one line at a time. Each of the variants below has its own rsyslogd; they
take turns of --burst lines each, so that other load on the machine affects all of them. A
round ends when each has had --samples lines; then all are restarted. A figure is the median
of its rounds. This is repeated for each number of smtpds; 0 means only the one that logs.

Times start right before the smtpd's send(2):

  on the list        the module's write to the kernel's list or set has returned
                     (listclock.c, loaded into rsyslogd, records it)
  SIGTERM received   the smtpd, which waits for signals, has received it

and the floors (omfloor.c), under the same rsyslogd with the same input:

  no-op action       the action's first statement records the time
  kill(pid)          the action's first statement sends SIGTERM; without
                     credentials the PID comes from the line's tag, which courier's own
                     lines do not have

With credentials, imuxsock gets the sender from the kernel and /proc before any action is
called: those floors include that. Without them the module finds the smtpd in its index,
which has it when it is 0.1 s old ("warm"), or by reading couriertcpd's children ("cold"). It
also reads the smtpd's submit, since the line alone does not prove who wrote it. "Started" is
a new smtpd whose action gets mail.info too, with courier's line about its start.

Very many smtpds take long to start: that number has two rounds at most, unless --full.
Without --awake the figures include the time that a processor takes to wake, which is long in
a virtual machine, and longer after a long sleep.

"Login offered" are smtpds with ESMTPAUTH. Without credentials their submit must have accepted
MAIL, which it is read for. They have a couriertcpd of their own, which runs after the other one.

Addresses are distinct; the list of xt_recent has room for the kernel's ip_list_tot (100 by
default) and evicts the oldest, which the module detects and logs once.
"""

import contextlib
import itertools
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from lib.firewall import RecentList
from lib.rsyslog import CREDENTIALS, Rsyslog
from shared import figures, gnuplot, hostfacts
from shared.esmtpd import ESMTPD, OPEN_ESMTPD, make_connections_possible
from shared.flood import known, make_board
from shared.partfile import Wrong

OPTIONS = {"rounds": (3, "how many"), "samples": (100, "of each variant in a round"),
           "full": (False, "1000 samples, all rounds"), "warm-up": (30, "lines before"),
           "burst": (25, "lines a turn"), "children": ("0,300,2000,10000", "how many are alive"),
           "pace": (5000, "us between two lines"), "addresses": (0, "so many, used in turn"),
           "only": ("", "variants with this in their name; and floors"),
           "awake": (False, "let no processor sleep")}
NOTE = 'type="omfloor" template="pid" mode="note" board="{board}"'
KILL = 'type="omfloor" template="pid" mode="kill"'
# Only lines are measured.
RECENT = ('type="omsmtpblock" list="{list}" terminate.delay="0" maxBlocks="100000000" '
          'early="off" pressure="0" ')
NFTABLES = RECENT + 'backend="nftables" list6="{list}6" '
# The longest start of an smtpd in seconds, with very many of them.
START_SECONDS = 0.05
VERY_MANY, THEIR_ROUNDS = 10000, 2
# Each couriertcpd has its own clients: the kernel remembers ended connections for a minute.
FIRST_CLIENTS = itertools.count(0, 50000)


@dataclass
class Variant:
    """One row: rsyslogd's action on the line, and which smtpd logs it."""

    name: str
    action: str
    credentials: bool
    floor: str = ""             # name of the variant it is compared with
    goal: float = 0             # us over that floor, at the median
    log: str = "oldest"
    selector: str = "mail.err"
    login: bool = False         # courier offers one
    rounds: dict = field(default_factory=dict)  # by the number of children

    def is_module(self):
        return "omsmtpblock" in self.action

    def list(self):
        """A separate list, as the kernel's lists have room for few addresses."""
        return re.sub(r"\W+", "_", self.name)

    def lane(self, socket):
        """For couriertcpd. Only a floor without credentials needs the PID in the tag."""
        plain = self.credentials or self.is_module()
        return ",".join((str(socket), self.log, "note" if self.action == NOTE else "term",
                         "plain" if plain else "pid",
                         "started" if self.selector == "mail.info" else "silent",
                         "listed" if self.is_module() else "unlisted"))

    def pid_property(self):
        return "%$!pid%" if self.credentials else "%procid%"

    def fits(self, children):
        """The only smtpd cannot be old."""
        return children > 1 or self.credentials or self.log == "newest" or not self.is_module()


WITH, WITHOUT = "kill(pid), credentials", "kill(pid), no credentials"
# An smtpd that has just been started is not as cold as one that has waited.
NEW_WITH, NEW_WITHOUT = WITH + ", new child", WITHOUT + ", new child"
VARIANTS = [
    Variant("no-op action, no credentials", NOTE, False),
    Variant("no-op action, credentials", NOTE, True),
    Variant(WITHOUT, KILL, False),
    Variant(WITH, KILL, True),
    Variant(NEW_WITHOUT, KILL, False, log="newest"),
    Variant(NEW_WITH, KILL, True, log="newest"),
    Variant("recent, credentials", RECENT, True, WITH, 20),
    Variant("recent, credentials, started", RECENT, True, NEW_WITH, 20, log="newest",
            selector="mail.info"),
    Variant("recent, no credentials, warm", RECENT, False, WITHOUT, 40),
    Variant("recent, no credentials, cold", RECENT, False, NEW_WITHOUT, log="newest"),
    Variant("recent, no credentials, cold, started", RECENT, False, NEW_WITHOUT, log="newest",
            selector="mail.info"),
    Variant("recent, no credentials, login offered, warm", RECENT, False, WITHOUT, login=True),
    Variant("recent, no credentials, login offered, cold", RECENT, False, NEW_WITHOUT, log="newest",
            login=True),
    Variant("nftables, credentials", NFTABLES, True, WITH, 20),
    Variant("nftables, no credentials, warm", NFTABLES, False, WITHOUT, 40),
]


def rsyslogd(options, number, variant, board):
    """With one action, on its own socket; not yet started."""
    floor = "" if variant.is_module() else f'module(load="{options.programs}/omfloor.so")\n'
    return Rsyslog(
        options.work, name=str(number), quiet=True, socket_path=options.work / str(number) / "log",
        imuxsock=CREDENTIALS if variant.credentials else "",
        settings=f'{floor}template(name="pid" type="string" string="{variant.pid_property()}")\n',
        rules=f"{variant.selector} "
              f"action({variant.action.format(board=board, list=variant.list())})\n",
        environment=os.environ | {"LD_PRELOAD": str(options.programs / "listclock.so"),
                                  "OMSMTPBLOCK_BENCH_BOARD": str(board)})


def account(variant, daemon):
    """The evidence about one that failed."""
    counted = daemon.counters(variant.list()) if variant.is_module() else ""
    return f"{daemon.socket}, {variant.name}: {counted}\n{daemon.own()}"


def run_tcpd(options, children, running, board, login):
    """The samples of each variant in us: (action begun, on the list, SIGTERM received)."""
    command = ["prlimit", f"--nofile={children + 100}",
               "setpriv", "--reuid=courier", "--regid=courier", "--clear-groups",
               options.programs / "couriertcpd", f"--children={children}",
               f"--warm-up={options.warm_up}", f"--samples={options.samples}",
               f"--burst={options.burst}", f"--pace={options.pace}",
               f"--addresses={options.addresses}", f"--first={next(FIRST_CLIENTS)}",
               "--connect=1", board, options.programs / "courieresmtpd",
               *(variant.lane(daemon.socket) for variant, daemon in running)]
    lines = (options.samples + options.warm_up) * len(running)
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False,
                            env=OPEN_ESMTPD if login else ESMTPD,
                            stdin=subprocess.DEVNULL,
                            timeout=60 + lines * (options.pace + 20000) / 1e6
                            + (lines + children) * START_SECONDS)
    if result.returncode:
        raise Wrong("\n".join((f"couriertcpd ended with status {result.returncode}",
                               *(account(*one) for one in running))))
    samples = [[] for _ in running]
    for line in result.stdout.splitlines():
        lane, *times = line.split()
        samples[int(lane)].append([None if word == "-" else int(word) / 1000 for word in times])
    return samples


def check_module(options, variant, daemon):
    """Checks that every line caused a block and a termination; otherwise the times are
    invalid."""
    lines = options.samples + options.warm_up
    counted = daemon.counters(variant.list())
    done = counted.get("blocks", 0) + counted.get("renewals", 0)
    if done != lines or counted.get("ended") != lines:
        raise Wrong(f"{variant.name}: {lines} lines: {counted}\n{daemon.own()}")
    if variant.action == RECENT:
        path = Path("/proc/net/xt_recent", variant.list())
        listed = len(path.read_text(encoding="ascii").splitlines())
        if listed != min(lines, hostfacts.list_holds(), options.addresses or lines):
            raise Wrong(f"{variant.name}: {lines} lines, {listed} addresses on the list")


def samples_of(rows, column, wanted):
    values = [row[column] for row in rows if row[column] is not None]
    if len(values) != (len(rows) if wanted else 0):
        raise Wrong(f"{len(values)} times in column {column} of {len(rows)} samples")
    return values


def result_of(options, variant, daemon, rows):
    """One variant's figures in one round."""
    if len(rows) != options.samples:
        raise Wrong(f"{len(rows)} samples, want {options.samples}")
    if variant.is_module():
        check_module(options, variant, daemon)
    noted = variant.action == NOTE
    return {"begun": figures.describe(samples_of(rows, 0, noted)),
            "listed": figures.describe(samples_of(rows, 1, variant.is_module())),
            "signalled": figures.describe(samples_of(rows, 2, not noted))}


def run_side_by_side(options, children, login, board, running):
    """These variants, with a couriertcpd that offers a login, or one that does not."""
    samples = run_tcpd(options, children, running, board, login) if running else []
    for (variant, daemon), rows in zip(running, samples):
        variant.rounds.setdefault(children, []).append(result_of(options, variant, daemon, rows))


def run_round(options, children, variants):
    """All variants."""
    board, running = make_board(options), []
    with contextlib.ExitStack() as daemons:
        for number, variant in enumerate(variants):
            if variant.action == RECENT:
                RecentList(4, variant.list()).flush()
            running.append((variant, daemons.enter_context(
                rsyslogd(options, number, variant, board))))
        for login in (False, True):
            run_side_by_side(options, children, login, board,
                             [one for one in running if one[0].login == login])


# --- the report ------------------------------------------------------------

def over_rounds(variant, children, what, figure):
    return [result[what][figure] for result in variant.rounds.get(children, []) if result[what]]


def over_floor(variant, floor, children, what="signalled"):
    """The medians' difference, round by round."""
    return figures.differences(over_rounds(variant, children, what, "p50"),
                               over_rounds(floor, children, what, "p50"))


def shown(children):
    return 0 if children == 1 else children


def judge(options, variants, goals):
    by_name = {variant.name: variant for variant in variants}
    for variant in variants:
        floor = by_name.get(variant.floor)
        if not floor or not variant.goal:
            continue
        measured = [n for n in options.children if n in variant.rounds]
        over = {n: statistics.median(over_floor(variant, floor, n)) for n in measured}
        for children in measured:
            goals.at_most(f"{variant.name}, {shown(children)} children: p50 over its floor",
                          over[children], variant.goal, "us")
        if 300 in over and 10000 in over:
            goals.at_most(f"{variant.name}: the same, more with 10000 children than with 300",
                          over[10000] - over[300], 10, "us")


def draw(options, variants):
    """SIGTERM received, by the number of children."""
    curves = [(variant, [[shown(n), statistics.median(over_rounds(variant, n, "signalled", "p50"))]
                         for n in options.children if over_rounds(variant, n, "signalled", "p50")])
              for variant in variants]
    curves = [(variant, rows) for variant, rows in curves if rows]
    if not options.plots or not curves:
        return
    gnuplot.draw(options.plots / "latency.svg", (
        "set title 'From the log line to the SIGTERM, median'\nset ylabel 'us'\n"
        "set xlabel 'children alive'\nset logscale y\nset logscale x\n"
        "set xtics ('0' 30, '300' 300, '2000' 2000, '10000' 10000)\nset xrange [25:13000]\n"
        "plot " + ", ".join(
            f"$data{number} using ($1 < 30 ? 30 : $1):2 with linespoints pointtype 7 pointsize 0.5 "
            f"linewidth 2 dashtype {1 if variant.is_module() else 2} "
            f"linecolor rgb '{gnuplot.COLOURS[number % len(gnuplot.COLOURS)]}' "
            f"title {gnuplot.quoted(variant.name)}" for number, (variant, _) in enumerate(curves))),
        [rows for _, rows in curves], size="900,520")


# --- the run ---------------------------------------------------------------

def keep_awake():
    """Processes that use only otherwise idle time."""
    return [subprocess.Popen(["taskset", "--cpu-list", str(number), "chrt", "--idle", "0",
                              sys.executable, "-c", "while True: pass"])
            for number in sorted(os.sched_getaffinity(0))]


def run_rounds(options, variants):
    spinners = keep_awake() if options.awake else []
    try:
        for number in range(1, options.rounds + 1):
            for children in options.children:
                if children >= VERY_MANY and number > THEIR_ROUNDS and not options.full:
                    continue
                some = [variant for variant in variants if variant.fits(children)]
                run_round(options, children, some)
                show_progress(options, number, children, some)
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def show_progress(options, number, children, variants):
    medians = ", ".join(f"{(result['signalled'] or result['begun'])['p50']:.0f}"
                        for result in (variant.rounds[children][-1] for variant in variants))
    print(f"round {number} of {options.rounds}, {shown(children)} children: medians {medians} us",
          file=sys.stderr, flush=True)


def measure(options, goals):
    options.samples = 1000 if options.full else options.samples
    options.children = [max(1, int(number)) for number in options.children.split(",")]
    board = make_board(options)
    variants = known([variant for variant in VARIANTS if options.only in variant.name
                      or not variant.is_module()],
                     lambda variant: rsyslogd(options, 0, variant, board))
    for variant in variants:
        if variant.action == RECENT:
            RecentList(4, variant.list()).install()
    RecentList(6).install()
    make_connections_possible()
    run_rounds(options, variants)
    judge(options, variants, goals)
    draw(options, variants)
    return {"samples": options.samples, "awake": options.awake,
            "floors": {variant.name: variant.floor for variant in variants},
            "variants": {variant.name: variant.rounds for variant in variants}}
