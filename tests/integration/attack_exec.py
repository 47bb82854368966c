# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A process stuck in execve(2) delays neither the log nor anything else.

A reader of more than its status waits for as long as the attacker likes (lib/heldexec.py).
An ordinary user, or a process of courier's user, logs a line that triggers a scan, with and
without the stuck process's PID. In the last part the attacker has taken over a session.
Meanwhile lines are written, listed clients are blocked, rsyslogd stops and starts, and
smtpblockctl answers.
"""
# limit: 240

import contextlib
import dataclasses
import itertools
import os
import time
from pathlib import Path

from lib import instrument, processes, threads
from lib.attack import Forger, smtpd_environment
from lib.ctl import ctl
from lib.heldexec import Holder, SlowFile, Unavailable, waits
from lib.rsyslog import action, log
from lib.scenario import NOBODY, listed, mail_host
from lib.smtp import Closed
from lib.wait import Timeout, wait_for

# The search for leaks suspends all threads at exit. It waits for one that waits in the kernel
# for a stuck process, which a process without sanitizers does not.
instrument.ADDRESS_OPTIONS = ":detect_leaks=0"
os.environ["ASAN_OPTIONS"] = "detect_leaks=0"  # of smtpblockctl

ABSENT, PORT = "10.9.4.1", 4711
ATTACKERS = ("nobody", "courier")

REJECT = "error,relay=::ffff:{ip},port={port},from=<a@b.example>,to=<x@mx.lab>: 511 Listed"
STARTED = "started,ip=[::ffff:{ip}],port=[{port}]"
PLAIN, NAMED = "courieresmtpd", "courieresmtpd[{pid}]"

# No two clients of the scenario have the same address.
clients = map(listed, itertools.count(1))
marks = (f"line {number} of another program" for number in itertools.count(1))


@dataclasses.dataclass(frozen=True)
class Case:
    """The attacker's line, and the action that gets it.

    `attested`: the action takes the PID in the tag as if the kernel had reported it.
    rsyslogd itself would wait if it asked the kernel, so the rules set the result.
    """

    name: str
    text: str
    tag: str = PLAIN
    severity: str = "err"
    attested: bool = False
    trigger: str = "dnsbl"
    refused: str = ""  # the counter

    def rules(self, host):
        selector = "mail.err" if self.severity == "err" else "mail.info"
        return ("set $!pid = $procid;\n" if self.attested else "") \
            + action(selector, trigger=self.trigger) \
            + f'user.* action(type="omfile" file="{behind(host)}")\n'

    def send(self, forger, stuck, ip=ABSENT, port=PORT):
        forger.log(self.text.format(ip=ip, port=port), self.severity,
                   self.tag.format(pid=stuck.pid))


STRANGERS = (
    Case("no PID", REJECT, refused="refused.no_child"),
    Case("hinted", REJECT, NAMED, refused="refused.sender"),
    Case("attested", REJECT, NAMED, attested=True, refused="refused.sender"),
    Case("started as an error", STARTED),
    Case("started as an error, attested", STARTED, NAMED, attested=True),
    Case("started", STARTED, severity="info"),
    Case("started, attested", STARTED, NAMED, severity="info", attested=True),
    Case("connect, hinted", STARTED, NAMED, severity="info", trigger="connect",
         refused="refused.sender"),
)

SESSIONS = (
    Case("no PID", REJECT),
    Case("hinted", REJECT, NAMED),
    Case("attested", REJECT, NAMED, attested=True),
    Case("started", STARTED, NAMED, severity="info"),
    Case("connect, hinted", STARTED, NAMED, severity="info", trigger="connect"),
    Case("connect, attested", STARTED, NAMED, severity="info", attested=True,
         trigger="connect"),
)


def behind(host):
    """Where lines of other programs go, by a later action of the same worker."""
    return host.rsyslog.workdir / "behind.log"


def where(host):
    """Where in the kernel each thread of rsyslogd is."""
    tasks = [Path(f"/proc/{thread}") for thread in threads.of(host.rsyslog.pid)]
    return [f"{(task / 'comm').read_text().strip()}: {(task / 'wchan').read_text()}"
            for task in tasks]


def goes_on(points, host):
    """One point: another program's line is written."""
    mark = next(marks)
    behind(host).touch()
    log(mark, "user.info", tag="other")
    return points.until(lambda: mark in behind(host).read_text(), 1,
                        "another program's line is written", lambda: where(host))


def speak(session, trigger, deadline):
    """The client's commands, up to its reject."""
    with contextlib.suppress(Closed):
        session.greet()
        if trigger == "connect":
            session.ended(deadline)
        else:
            session.recipient(NOBODY)


def client(points, host, trigger, deadline=3):
    """One point: a listed client of the real courier is rejected, blocked, terminated."""
    source, courier = next(clients), host.courier
    session = host.session(source)
    speak(session, trigger, deadline)
    return points.until(
        lambda: host.is_blocked(source) and session.saw(554 if trigger == "connect" else 511)
        and not courier.serving(source) and not courier.slots_of(source), deadline,
        "a listed client is rejected, blocked, and its smtpd is terminated", lambda: where(host))


def within(points, slow_file, stuck, limit, name, call):
    """One or two points: call() returns in time, and all stuck processes are still stuck.

    If it takes too long, the stuck processes are released, so that it returns.
    """
    def all_stuck():
        return all(slow_file.holds(process.pid) for process in stuck)

    stuck_before, began = all_stuck(), time.monotonic()
    with slow_file.released_after(limit + 0.5):
        result = call()
    if points.at_most(time.monotonic() - began, limit, name) and stuck_before:
        points.ok(all_stuck(), f"{name}: all processes are still stuck")
    return result


def counted(points, host, case):
    """One point: the forged line was refused as expected, and one client blocked."""
    want = {"blocks": 1, "ended": 1} | ({case.refused: 1} if case.refused else {})

    def seen():
        return {key: value for key, value in host.rsyslog.counters().items()
                if key in ("blocks", "ended") or key.startswith("refused.")}

    with contextlib.suppress(Timeout):
        wait_for(lambda: seen() == want, 3, "the counters")
    return points.equal(seen(), want, "counted exactly")


def stop(points, host, slow_file, stuck, name="rsyslogd stops"):
    within(points, slow_file, stuck, 3, name, host.rsyslog.stop)


def by_stranger(points, host, slow_file, user, case):
    """A line from a process of the user, while another one is stuck."""
    host.restart(case.rules(host), imuxsock="")
    with Forger(user) as forger, Holder(user, slow_file) as holder:
        stuck = holder.hold(environment=smtpd_environment(ABSENT, PORT))
        case.send(forger, stuck)
        # After a first failure the others would only wait for the same thing.
        if goes_on(points, host) and client(points, host, case.trigger) \
                and goes_on(points, host) and counted(points, host, case):
            points.ok(stuck.unharmed() and not host.is_blocked(ABSENT),
                      "the stuck process is neither blocked nor signalled")
        stop(points, host, slow_file, [stuck])


def make_known(host, forger):
    """A line for which no smtpd is found makes the module look for all tcpds."""
    for text, severity in ((REJECT, "err"), (STARTED, "info")):
        forger.log(text.format(ip=ABSENT, port=PORT), severity)
    wait_for(lambda: host.rsyslog.counters().get("refused.no_child"), 5, "the search")


def sessions(points, host, listener):
    """Three processes below a tcpd. Two of them look like sessions until they exec."""
    peers = [(next(clients), PORT + number) for number in range(3)]
    programs = ("courieresmtpd", "courieresmtpd", "python3")
    stuck = [listener.start(before=program, environment=smtpd_environment(*peer), shared=True)
             for program, peer in zip(programs, peers)]
    pinned = lambda: {process.pid for process in stuck} & processes.pinned_by(host.rsyslog.pid)
    with contextlib.suppress(Timeout):
        wait_for(lambda: len(pinned()) >= 2, 3, "two pins")
    points.note(f"{len(pinned())} of the sessions taken over were pinned before")
    return list(zip(stuck, peers))


def by_session(points, host, slow_file, case):
    """Sessions that were taken over; the tcpd is a stand-in that accepts no connections."""
    host.restart(case.rules(host), imuxsock="")
    with Forger("courier") as forger, \
            Holder("courier", slow_file, program="couriertcpd") as listener:
        make_known(host, forger)
        taken = sessions(points, host, listener)
        # The decision about the first is carried out while it is stuck.
        (first, peer), *others = taken
        case.send(forger, first, *peer)
        first.go()
        for stuck, peer in others:
            stuck.go()
            case.send(forger, stuck, *peer)
        if goes_on(points, host) and client(points, host, case.trigger, 5):
            goes_on(points, host)
        stop(points, host, slow_file, [stuck for stuck, _ in taken])


@contextlib.contextmanager
def decoys(slow_file):
    """Stuck processes of both users, with the names that the module and the tool look for."""
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(Holder(user, slow_file)) for user in ATTACKERS]
        yield [holder.hold(name, environment=smtpd_environment(ABSENT, PORT)) for holder in holders
               for name in ("rsyslogd", "couriertcpd", "courieresmtpd")]


def tools(points, host, slow_file):
    """smtpblockctl reads all processes."""
    host.restart(imuxsock="")
    for word, good in (("status", (0,)), ("check", (0, 1))):
        with decoys(slow_file) as stuck:
            result = within(points, slow_file, stuck, 10, f"{word} ends",
                            lambda: ctl(word, config=host.rsyslog.config))
            points.ok(result.status in good and result.out and not result.err,
                      f"{word} has an answer", result)


def start(points, host, slow_file):
    """rsyslogd looks for a tcpd when it starts; the second time that user has none."""
    host.restart(imuxsock="")
    with decoys(slow_file) as stuck:
        stop(points, host, slow_file, stuck)
        within(points, slow_file, stuck, 3, "rsyslogd starts", host.rsyslog.start)
        client(points, host, "dnsbl")
        stop(points, host, slow_file, stuck, "rsyslogd stops again")
        host.rsyslog.rules = action(courierUser=ATTACKERS[0])
        within(points, slow_file, stuck, 3, "it starts without a tcpd", host.rsyslog.start)
        stop(points, host, slow_file, stuck, "and stops")


def attack_works(points, slow_file):
    with Holder("nobody", slow_file) as holder:
        stuck = holder.hold()
        points.ok(waits(f"/proc/{stuck.pid}/environ"), "a reader of its environment waits")
        points.equal(processes.look(stuck.pid).name, "courieresmtpd",
                     "a reader of its status does not")
        exe = "waits" if waits(f"/proc/{stuck.pid}/exe") else "does not: an older kernel"
        points.note(f"a reader of its exe {exe}")


def attacks():
    for user, case in itertools.product(ATTACKERS, STRANGERS):
        yield f"{user}, {case.name}", by_stranger, (user, case)
    for case in SESSIONS:
        yield f"sessions, {case.name}", by_session, (case,)
    yield "smtpblockctl", tools, ()
    yield "start", start, ()


def scenario(points):
    try:
        with SlowFile() as slow_file, mail_host(points) as host:
            attack_works(points, slow_file)
            for name, attack, words in attacks():
                with host.part(name):
                    attack(points, host, slow_file, *words)
    except Unavailable as missing:
        points.skip("a process that is stuck in execve(2)", missing)
