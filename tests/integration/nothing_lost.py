# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong with the module, the log file beside the action has every line.

Each time a wave of rejects comes: the file has every line as it was sent, once; a message to
the admin appears once, before the second half of the wave; rsyslogd stops in under 2 s.
OMSMTPBLOCK_FLOOD=1000000 in the environment makes the floods longer.
"""
# serial: uses all processors, and the time to stop is measured
# limit: 400

import collections
import contextlib
import itertools
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from lib import processes, threads
from lib.attack import suspended
from lib.eventlog import ruleset
from lib.firewall import NftList, kernel_list
from lib.netns import run
from lib.rsyslog import Rsyslog, action, log
from lib.scenario import workdir
from lib.wait import PATIENCE, wait_for

LIMIT = 2.0
# From a line to its appearance in the file, while others keep the module waiting, without
# the time spent waiting for a processor.
STALL = 0.1
SHORT = int(20_000 / PATIENCE)
# In each half more than maxBlocks allows and the module's event queue has room for.
FLOOD = max(int(int(os.environ.get("OMSMTPBLOCK_FLOOD", "100000")) / PATIENCE), 30_000)
DEADLINE = 30 + FLOOD / 10_000
BELIEVED = {"verify": "none", "maxBlocks": 100_000_000}
# When rsyslogd stops, it drops what is in its queue after 1.5 s.
QUEUE = 'main_queue(queue.size="2000" queue.timeoutEnqueue="60000")\n'
# Known warnings, which -N1 prints too.
EXPECTED = r'verify="none" believes every line'
# rsyslogd's main queue has one thread at the start of a wave.
BACKGROUND = "smtpblock"
AS_COURIER = processes.as_user("courier")

# Logs what it reads. A line that rsyslogd does not accept is sent again, to the next one.
SENDER = r"""
import socket, sys, time
end = time.monotonic() + float(sys.argv[1])

def connected():
    while time.monotonic() < end:
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if sender.connect_ex("/dev/log") == 0:
            return sender
        time.sleep(0.002)
    sys.exit("nobody takes lines")

def send(sender, message):
    while True:
        try:
            sender.send(message)
            return sender
        except ConnectionError:
            sender = connected()

head = f"<19>{time.strftime('%b %d %H:%M:%S')} courieresmtpd: ".encode()
sender = connected()
for line in sys.stdin.buffer:
    sender = send(sender, head + line.rstrip(b"\n"))
"""


def rejects(first, count):
    """Different lines, each of another listed client."""
    return [f"error,relay=::ffff:11.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255},"
            f"port={n % 60000 + 1024},from=<a@b.example>,to=<{n}@mx.lab>: 511 Listed"
            for n in range(first, first + count)]


class Wave:
    """A process of courier's user that logs these lines as fast as they are accepted."""

    def __init__(self, lines):
        path = Path("/tmp/wave")
        path.write_text("".join(f"{line}\n" for line in lines))
        with open(path, "rb") as file:
            self.process = subprocess.Popen(
                [*AS_COURIER, sys.executable, "-I", "-c", SENDER,
                 str(DEADLINE * PATIENCE)], stdin=file)

    def wait(self):
        if self.process.wait(DEADLINE * PATIENCE) != 0:
            raise RuntimeError("the wave did not get through")


def written(daemon):
    """The courier lines of the log file, as they were sent."""
    beginning = re.compile(r"^err courieresmtpd(\[\d+\])?: (?=error)")
    return [beginning.sub("", line) for line in daemon.mail()]


def size(daemon):
    return daemon.mail_log.stat().st_size if daemon.mail_log.exists() else 0


def has_all(points, daemon, lines):
    lengths = sum(len(line) + len("err courieresmtpd: \n") for line in lines)
    points.until(lambda: size(daemon) >= lengths and len(daemon.mail()) >= len(lines), DEADLINE,
                 "the log file gets the wave",
                 lambda: f"{len(daemon.mail())} of {len(lines)} lines")
    missing = collections.Counter(lines)
    missing.subtract(written(daemon))
    wrong = [(line, -count) for line, count in missing.items() if count]
    points.ok(not wrong, f"it has each of {len(lines)} lines, once", len(wrong), wrong[:3])


def fault_messages(daemon):
    """The module's messages about what is wrong, or no longer wrong."""
    return [re.sub(r" \[v8\..*", "", line.partition("omsmtpblock: ")[2])
            for line in daemon.logged("omsmtpblock: (?!action)") if EXPECTED not in line]


def logged_once(points, daemon, pattern):
    """One message about the fault, if there is one, and no message twice."""
    if pattern:
        points.equal(len([text for text in fault_messages(daemon) if re.search(pattern, text)]), 1,
                     "the fault is logged once")
    times = collections.Counter(re.sub(r"\d+", "N", text) for text in fault_messages(daemon))
    points.equal([text for text, count in times.items() if count > 1], [], "and no message twice")


@contextlib.contextmanager
def broken(points, pattern, rules, *, prefix=(), **options):
    """rsyslogd with a module that has a fault; it must stop in time."""
    daemon = Rsyslog(workdir(), rules, **options)
    points.shown = [lambda: daemon.own()[-10:]]
    daemon.start(prefix=prefix)
    try:
        yield daemon
        points.at_most(daemon.stop(), LIMIT, "seconds to stop")
        logged_once(points, daemon, pattern)
        daemon.mail_log.unlink()
    finally:
        if processes.alive(daemon.pid):
            daemon.kill()


def in_halves(points, pattern, rules, *, count=SHORT, meanwhile=None, **options):
    """Half a wave, then the message to the admin, then the other half."""
    with broken(points, pattern, rules, **options) as daemon:
        lines = rejects(0, count)
        with meanwhile(daemon) if meanwhile else contextlib.nullcontext():
            Wave(lines[:count // 2]).wait()
            if meanwhile:
                wait_for(lambda: len(daemon.mail()) >= count // 2, DEADLINE, "half a wave")
        points.until(lambda: any(re.search(pattern, text) for text in fault_messages(daemon)), 10,
                     "it is logged")
        Wave(lines[count // 2:]).wait()
        has_all(points, daemon, lines)


def no_courier_user(points):
    """A host that has rsyslog's configuration, but no courier."""
    passwd = Path("/tmp/passwd")
    passwd.write_text(re.sub(r"^courier:.*\n", "", Path("/etc/passwd").read_text(), flags=re.M))
    run("mount", "--bind", passwd, "/etc/passwd")
    try:
        in_halves(points, r"there is no user courier", action())
    finally:
        run("umount", "/etc/passwd")


def background_suspended(daemon):
    """That thread searches for smtpds."""
    return threads.suspended(threads.single(daemon.pid, BACKGROUND))


# The message to the admin, the rules, whether there are lists, and in_halves()'s options.
FAULTS = {
    "no list": (r"iptables .*--name spammer .*--update", action(**BELIEVED), False, {}),
    "no rights": (r"no permission to read.*CAP_SYS_PTRACE", action(), False,
                  {"prefix": ("setpriv", "--bounding-set=-kill,-sys_ptrace,-net_admin")}),
    "nftables without CAP_NET_ADMIN": (
        r"no permission to change nftables", action(backend="nftables", **BELIEVED), False,
        {"prefix": ("setpriv", "--bounding-set=-net_admin")}),
    # More addresses than maxBlocks allows and than the list has room for.
    "a flood of blocks": (r"^maxBlocks: .* addresses were blocked", action(verify="none"), True,
                          {"count": FLOOD}),
    # Lines without the sender's PID, faster than the module can search.
    "a flood of searches": (r"lines came faster than their sessions", action(), True,
                            {"count": FLOOD, "meanwhile": background_suspended, "imuxsock": ""}),
}


# Without rsyslogd's own wait for a hanging action when it stops: 2.5 s by default.
SHORT_QUEUE = ('queue.type="linkedList" queue.size="100" queue.timeoutEnqueue="300"'
               ' queue.timeoutShutdown="10" queue.timeoutActionCompletion="10"')


def hanging_events(points):
    """The ruleset's queue is full, and its reader never reads."""
    run("ip", "link", "set", "lo", "up")
    run("sysctl", "-qw", "net.ipv4.tcp_wmem=4096 4096 4096")
    with socket.socket() as collector, kernel_list(4), kernel_list(6):
        collector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        collector.bind(("127.0.0.1", 0))
        collector.listen()
        port = collector.getsockname()[1]
        rules = ruleset(f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp")',
                        SHORT_QUEUE) + action(eventRuleset="blocks", **BELIEVED)
        in_halves(points, r"some block events were lost", rules, count=FLOOD)


class Trickle:
    """The beginning of a wave, a line at a time."""

    def __init__(self, daemon, lines):
        self.daemon, self.lines, self.sent = daemon, lines, 0

    def goes_on(self):
        """The seconds until one more line is in the file, without the time spent waiting for a
        processor."""
        line = self.lines[self.sent]
        self.sent += 1
        began, before = self.clock(), size(self.daemon)
        log(line)
        wait_for(lambda: size(self.daemon) > before, 10, "the line to be in the file")
        return self.clock() - began

    def clock(self):
        """Counts time while neither this process nor a thread of rsyslogd waits for a processor."""
        return time.monotonic() - sum(threads.scheduled(thread)[1] / 1e9
                                      for thread in (os.getpid(), *threads.of(self.daemon.pid)))


class Holder:
    """Programs that keep nf_tables' lock: each loads a set that takes long."""

    ELEMENTS = ", ".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255} . {n + 1}-60000"
                         for n in range(20_000))
    numbers = itertools.count()     # a set that already exists takes no time

    def __init__(self, sets=4):
        self.sets = sets
        self.processes = []
        self.begin()

    def begin(self):
        for number in itertools.islice(self.numbers, self.sets):
            path = Path(f"/tmp/set{number}")
            path.write_text(f"table ip holder{number} {{ set s {{\n"
                            "type ipv4_addr . inet_service; flags interval;\n"
                            f"elements = {{ {self.ELEMENTS} }}\n}}\n}}\n")
            self.processes.append(subprocess.Popen(["nft", "-f", path]))

    def goes_on(self):
        return any(process.poll() is None for process in self.processes)

    def keeps_on(self):
        """The next programs start when these are done."""
        if not self.goes_on():
            self.begin()
        return True

    def wait(self):
        return [process.wait(DEADLINE) for process in self.processes]


NFTABLES = action(backend="nftables", listSize=1_000_000, **BELIEVED)


def waits_for_nf_tables(daemon):
    """The background thread sleeps uninterruptibly in the kernel until it gets the lock."""
    return any(threads.state(thread) == "D" for thread in threads.named(daemon.pid, BACKGROUND))


def blocks(lines):
    """These lines' addresses are all in the set."""
    wanted = {re.search(r"ffff:([\d.]+)", line)[1] for line in lines}
    return wanted <= set(NftList(4).entries())


def until_locked(points, daemon, trickle, holder):
    points.until(lambda: holder.keeps_on() and trickle.goes_on() and waits_for_nf_tables(daemon),
                 20, "the background thread waits")


def nf_tables_locked_by_others(points):
    with broken(points, None, NFTABLES) as daemon:
        lines = rejects(0, FLOOD)
        trickle, holder, took = Trickle(daemon, lines), Holder(), []
        while holder.goes_on():
            took.append(trickle.goes_on())
        points.at_most(max(took), STALL, "seconds from a line to the file")
        until_locked(points, daemon, trickle, holder)
        wave = Wave(lines[trickle.sent:])
        points.equal(set(holder.wait()), {0}, "they load their sets")
        wave.wait()
        has_all(points, daemon, lines)
        points.until(lambda: blocks(lines), DEADLINE, "every address is blocked")


def nf_tables_locked_without_delay(points):
    """With terminate.delay="0" nothing may wait for the block, least of all the log."""
    rules = action(backend="nftables", listSize=1_000_000, terminate_delay=0, **BELIEVED)
    with broken(points, None, rules) as daemon:
        lines = rejects(0, FLOOD)
        trickle, holder, took = Trickle(daemon, lines), Holder(), []
        while holder.goes_on():
            took.append(trickle.goes_on())
        points.at_most(max(took), STALL, "seconds from a line to the file")
        points.until(lambda: blocks(lines[:trickle.sent]), DEADLINE, "every address is blocked")


def stopped_while_nf_tables_is_locked(points):
    """Addresses that were not yet on the list are written when rsyslogd stops. That waits
    for the other programs, for as long as these take."""
    with broken(points, None, NFTABLES) as daemon:
        lines = rejects(0, SHORT)
        trickle, holder = Trickle(daemon, lines), Holder(sets=2)
        until_locked(points, daemon, trickle, holder)
        points.at_most(daemon.stop(), LIMIT, "seconds to stop in it")
        holder.wait()
        has_all(points, daemon, lines[:trickle.sent])
        points.ok(blocks(lines[:trickle.sent]), "every address is blocked")
        daemon.start()


def suspended_in_a_wave(points):
    with kernel_list(4), kernel_list(6), broken(points, None, action(**BELIEVED)) as daemon:
        lines = rejects(0, FLOOD)
        wave = Wave(lines)
        wait_for(lambda: size(daemon) > FLOOD * 20, 20, "a part of the wave")
        with suspended(daemon.pid):
            wait_for(lambda: threads.state(daemon.pid) == "T", 5, "rsyslogd to be suspended")
            points.until(lambda: threads.state(wave.process.pid) == "S", 5, "the sender waits")
        wave.wait()
        has_all(points, daemon, lines)


def gap(daemon, lines):
    """Places in the wave of lines that are not in the file."""
    found = set(written(daemon))
    return [place for place, line in enumerate(lines) if line not in found]


def together(places):
    return not places or places[-1] - places[0] == len(places) - 1


def stopped_in_the_middle(points):
    """Lines in rsyslogd's socket are lost; the lines it had read are written.

    The socket holds max_dgram_qlen lines and one; rsyslogd has read one more.
    """
    at_most = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 2
    with broken(points, None, action(**BELIEVED), settings=QUEUE) as daemon:
        lines = rejects(0, FLOOD)
        wave = Wave(lines)
        wait_for(lambda: size(daemon) > FLOOD * 20, 20, "a part of the wave")
        points.at_most(daemon.stop(), LIMIT, "seconds to stop in it")
        points.ok(wave.process.poll() is None, "the wave goes on")
        logged_once(points, daemon, r"iptables .*--name spammer .*--update")
        daemon.start()
        wave.wait()
        points.until(lambda: lines[-1] in daemon.mail()[-1], DEADLINE, "the log file gets the rest")
        places = gap(daemon, lines)
        points.note(f"{len(places)} lines were in the socket")
        points.ok(len(places) <= at_most and together(places),
                  f"it has each line that was read, of {len(lines)}", places[:50])
        points.equal(len(written(daemon)), len(lines) - len(places), "and once")


def scenario(points):
    for name, (pattern, rules, lists, options) in FAULTS.items():
        with points.part(name), contextlib.ExitStack() as stack:
            for family in (4, 6) if lists else ():
                stack.enter_context(kernel_list(family))
            in_halves(points, pattern, rules, **options)
    points.parts((no_courier_user, hanging_events, nf_tables_locked_by_others,
                  nf_tables_locked_without_delay, stopped_while_nf_tables_is_locked,
                  suspended_in_a_wave, stopped_in_the_middle))
