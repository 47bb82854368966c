# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The time of day jumps by an hour, forward and back; and everything stands still for a while.

Delays, windows and limits go on as if nothing had happened: no session ends earlier, no address is
blocked without its count, no line is taken for an old one. rsyslogd has a time of day of its own;
the machine's is not touched. Suspended are all processes of the mail host: for a suspended
machine the clocks that matter stand still, too, for a paused container they go on.
"""
# backends: both
# serial: delays are measured
# limit: 60

import contextlib
import os
import signal
import time

from lib import processes, rsyslog, threads
from lib.attack import Chatter
from lib.courier import EXECUTABLES
from lib.eventlog import events, to_file
from lib.rsyslog import action
from lib.scenario import listed, mail_host, ordinary, reject_line, workdir
from lib.wait import stays, wait_for
from lib.wallclock import WallClock

HOUR = 3600
JUMPS = {"forward": HOUR, "back": -HOUR}
DELAY = 3000
# More than BACKGROUND_STALL_MS, kill_after and the interval of maxBlocks.
SUSPENDED = 7
STALL = "omsmtpblock: the background thread has not responded"


def source(number):
    """A client without a session."""
    return f"10.9.4.{number}"


def jumps(points, host, clock, by):
    clock.set(0)
    path = workdir() / f"jump{by}.json"
    host.restart(to_file(path) + action(terminate_delay=DELAY, eventRuleset="blocks"),
                 prefix=clock.words)
    neighbour = host.open(ordinary(1))
    began = time.monotonic()
    _, child = host.rejects(listed(1))
    host.blocks(listed(1))
    clock.set(by)
    points.ok(stays(lambda: processes.alive(child.pid),
                    began + DELAY / 1000 - 0.2 - time.monotonic()), "the delay is not over")
    host.ends(child)
    _, child = host.rejects(listed(2))
    host.blocks(listed(2))
    host.ends(child)
    points.ok(host.is_blocked(listed(1)), "the first address is still blocked")
    host.serves(*neighbour)
    points.until(lambda: len(events(path)) == 2, 5, "both are reported")
    points.equal(host.rsyslog.counters().get("old"), None, "no line is taken for an old one")
    times = [time.mktime(time.strptime(event["time"][:19], "%Y-%m-%dT%H:%M:%S"))
             for event in events(path)]
    points.ok(abs(times[1] - times[0] - by) < 60, "with the time of day", times)


def counts_go_on(points, host, clock, by):
    """Windows of the threshold and of maxBlocks."""
    clock.set(0)
    host.restart(action(verify="none", terminate="off", trigger="reject", threshold=3, window=600,
                        maxBlocks=2, maxBlocks_interval=600), prefix=clock.words)

    def reject(number, times):
        before = host.rsyslog.counters().get("triggers", 0)
        for _ in range(times):
            rsyslog.log(reject_line(source(number)))
        wait_for(lambda: host.rsyslog.counters().get("triggers", 0) == before + times, 5,
                 "the lines")
    reject(1, 2)
    clock.set(by)
    reject(1, 1)
    host.blocks(source(1))
    reject(2, 2)
    host.spares(source(2))
    reject(3, 3)
    host.blocks(source(3))
    reject(4, 3)
    clock.set(0)
    reject(5, 3)
    host.spares(source(2), source(4), source(5))
    points.equal(host.rsyslog.counters().get("refused.budget"), 2, "maxBlocks allows no more")


@contextlib.contextmanager
def all_suspended(host):
    """rsyslogd and every process of courier's."""
    pids = [host.rsyslog.pid, *(process.pid for process in processes.named(*EXECUTABLES))]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for pid in pids:
            wait_for(lambda pid=pid: threads.state(pid) in "TZ", 5, f"{pid} to be suspended")
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def servers():
    return {process.pid for process in processes.named("courieresmtpd", "couriertcpd")}


def suspended_in_a_wave(points, host):
    """Signals are pending, sessions are pinned, and lines pour in."""
    host.restart(action("mail.info", terminate_delay=1000))
    neighbour = host.open(ordinary(1))
    pinned = [host.pin(listed(number)) for number in range(1, 4)]
    children = [host.rejects(listed(number))[1] for number in range(11, 31)]
    before = servers()
    with Chatter() as flood:
        wait_for(lambda: flood.sent > 1000, 20, "1000 lines")
        with all_suspended(host):
            time.sleep(SUSPENDED)
        host.ends(*children)
        sent = flood.sent
        wait_for(lambda: flood.sent > sent + 1000, 20, "the wave to go on")
        points.ok(all(processes.alive(child.pid) for _, child in pinned),
                  "pinned sessions that were not rejected go on")
    points.equal(before - servers(), {child.pid for child in children},
                 "no other smtpd or couriertcpd has exited")
    host.serves(*neighbour)
    host.blocks(*(child.address for child in children))
    points.equal(host.rsyslog.logged(STALL), [], "no thread is reported as stalled")
    for session, _ in pinned:
        session.try_recipient()
    host.ends(*(child for _, child in pinned))
    host.blocks(*(session.source for session, _ in pinned))
    points.equal(host.rsyslog.counters().get("ended"), 23, "each session is counted once")


def scenario(points):
    with mail_host(points) as host:
        clock = WallClock(host.rsyslog.workdir)
        for name, by in JUMPS.items():
            with host.part(f"an hour {name}"):
                jumps(points, host, clock, by)
            with host.part(f"an hour {name}, counts"):
                counts_go_on(points, host, clock, by)
        host.parts(suspended_in_a_wave)
