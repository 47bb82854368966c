#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Listed children are held from their start, and let go of when they end.

With mail.info the module hears of each child's start. It holds those that carry a
BLOCK, with and without the sender's credentials, and nobody else. What is held costs
descriptors: none is left over, however the child ends.

Held is not proven: one whose couriertcpd has ended meanwhile is no child any more.
"""

import os
import signal

from lib import processes, tap
from lib.attack import counters, restart
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import MAILBOX, NOBODY, listed, mail_host, ordinary
from lib.wait import stays, wait_for

WAVE = 20


def held(host):
    """The PIDs that rsyslogd has pinned, but for the listeners."""
    listeners = {process.pid for process in processes.named("couriertcpd")}
    return processes.pinned_by(host.rsyslog.pid) - listeners


def start_of(host, source):
    """A client who has been greeted and says nothing."""
    session = host.session(source)
    session.greet()
    return session, host.courier.child_of(session)


def one_child(points, host, label):
    session, child = start_of(host, listed(1))
    with session:
        points.until(lambda: child.pid in held(host), 3, f"{label}: a listed child is held",
                     lambda: held(host), host.rsyslog.own)
        other, his = start_of(host, ordinary(1))
        with other:
            points.equal(other.recipient(MAILBOX).code, 250, f"{label}: another is served")
            points.ok(his.pid not in held(host), f"{label}: and not held")
        points.equal(session.recipient(NOBODY).code, 511, f"{label}: the listed one is rejected")
        points.until(lambda: processes.gone(child.pid), 4, f"{label}: his child is gone")
    points.until(lambda: not held(host), 4, f"{label}: nothing is held any more",
                 lambda: held(host))
    points.ok(host.is_blocked(listed(1)), f"{label}: he is blocked")


def wave(points, host, label):
    """Half of them leave of themselves."""
    clients = [start_of(host, listed(10 + number)) for number in range(WAVE)]
    points.until(lambda: {child.pid for _, child in clients} <= held(host), 4,
                 f"{label}: {WAVE} children are held", lambda: held(host))
    for session, _ in clients[::2]:
        session.close()
    for session, _ in clients[1::2]:
        session.recipient(NOBODY)
    points.until(lambda: all(processes.gone(child.pid) for _, child in clients), 6,
                 f"{label}: all are gone", host.courier.slots)
    points.until(lambda: not held(host), 4, f"{label}: nothing is held any more",
                 lambda: held(host))
    for session, _ in clients[1::2]:
        session.close()
    # Counted once their ends were seen, which may be after ours.
    points.until(lambda: counters(host.rsyslog).get("ended") == 1 + WAVE // 2, 3,
                 f"{label}: half were ended", host.rsyslog.own)


def orphan(points, host):
    """courier is restarted the hard way: its child lives on without it."""
    session, child = start_of(host, listed(60))
    with session:
        wait_for(lambda: child.pid in held(host), 3, "a held child")
        os.kill(child.parent, signal.SIGKILL)
        wait_for(lambda: processes.look(child.pid).parent != child.parent, 3, "an orphan")
        points.equal(session.recipient(NOBODY).code, 511, "an orphan is rejected")
        points.until(lambda: counters(host.rsyslog).get("refused.sender") == 1, 3,
                     "his line is refused", host.rsyslog.own)
        points.ok(stays(lambda: processes.alive(child.pid), 1.0), "he is left alone")
        points.ok(not host.is_blocked(listed(60)), "and is not blocked")


def scenario(points):
    with mail_host(action("mail.info")) as host:
        for label, credentials in (("no credentials", ""), ("credentials", CREDENTIALS)):
            restart(host, action("mail.info"), imuxsock=credentials)
            with tap.part(points, label):
                one_child(points, host, label)
                wave(points, host, label)
        with tap.part(points, "orphan"):
            orphan(points, host)


if __name__ == "__main__":
    tap.main(scenario)
