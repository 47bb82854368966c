#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Listed smtpds are pinned when they start, and unpinned when they exit.

With mail.info the module gets a line about each smtpd's start. It pins those that have a
BLOCK, with and without the sender's credentials, and no others. Pins cost descriptors:
none is left over, however the smtpd exits.

Pinned is not proven: a process whose couriertcpd has exited meanwhile is not an smtpd any
more.
"""

import os
import signal

from lib import processes, tap
from lib.attack import counters, restart
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import MAILBOX, NOBODY, listed, mail_host, ordinary
from lib.wait import stays, wait_for

WAVE = 20


def pinned(host):
    """The PIDs that rsyslogd has pinned, except the tcpds."""
    tcpds = {process.pid for process in processes.named("couriertcpd")}
    return processes.pinned_by(host.rsyslog.pid) - tcpds


def start_of(host, source):
    """A client that has been greeted and sends nothing."""
    session = host.session(source)
    session.greet()
    return session, host.courier.child_of(session)


def one_child(points, host, label):
    session, child = start_of(host, listed(1))
    with session:
        points.until(lambda: child.pid in pinned(host), 3,
                     f"{label}: a listed client's smtpd is pinned",
                     lambda: pinned(host), host.rsyslog.own)
        other, its_smtpd = start_of(host, ordinary(1))
        with other:
            points.equal(other.recipient(MAILBOX).code, 250,
                         f"{label}: an unlisted client is served")
            points.ok(its_smtpd.pid not in pinned(host), f"{label}: and its smtpd not pinned")
        points.equal(session.recipient(NOBODY).code, 511, f"{label}: the listed client is rejected")
        points.until(lambda: processes.gone(child.pid), 4, f"{label}: its smtpd is gone")
    points.until(lambda: not pinned(host), 4, f"{label}: nothing is pinned any more",
                 lambda: pinned(host))
    points.ok(host.is_blocked(listed(1)), f"{label}: the client is blocked")


def wave(points, host, label):
    """Half of the clients disconnect by themselves."""
    clients = [start_of(host, listed(10 + number)) for number in range(WAVE)]
    points.until(lambda: {child.pid for _, child in clients} <= pinned(host), 4,
                 f"{label}: {WAVE} smtpds are pinned", lambda: pinned(host))
    for session, _ in clients[::2]:
        session.close()
    for session, _ in clients[1::2]:
        session.recipient(NOBODY)
    points.until(lambda: all(processes.gone(child.pid) for _, child in clients), 6,
                 f"{label}: all are gone", host.courier.slots)
    points.until(lambda: not pinned(host), 4, f"{label}: nothing is pinned any more",
                 lambda: pinned(host))
    for session, _ in clients[1::2]:
        session.close()
    # Counted once the module has seen their ends, which may be after this test has.
    points.until(lambda: counters(host.rsyslog).get("ended") == 1 + WAVE // 2, 3,
                 f"{label}: half were terminated", host.rsyslog.own)


def orphan(points, host):
    """couriertcpd is killed: its smtpd lives on without it."""
    session, child = start_of(host, listed(60))
    with session:
        wait_for(lambda: child.pid in pinned(host), 3, "a pinned smtpd")
        os.kill(child.parent, signal.SIGKILL)
        wait_for(lambda: processes.look(child.pid).parent != child.parent, 3, "an orphan")
        points.equal(session.recipient(NOBODY).code, 511, "an orphan is rejected")
        points.until(lambda: counters(host.rsyslog).get("refused.sender") == 1, 3,
                     "its line is refused", host.rsyslog.own)
        points.ok(stays(lambda: processes.alive(child.pid), 1.0), "its process is not signalled")
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
