# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Listed smtpds are pinned when they start, and unpinned when they exit.

With mail.info the module gets a line about each start. Pins cost descriptors: none is left
over, however the smtpd exits. Pinned is not proven: a process whose couriertcpd has exited
is not an smtpd any more.
"""

import os
import signal

from lib import processes
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import MAILBOX, NOBODY, SENDERS, listed, mail_host, ordinary
from lib.wait import wait_for

WAVE = 20


def pinned(host):
    """The PIDs that rsyslogd has pinned, except the tcpds."""
    tcpds = {process.pid for process in processes.named("couriertcpd")}
    return processes.pinned_by(host.rsyslog.pid) - tcpds


def unpins(host):
    host.points.until(lambda: not pinned(host), 4, "nothing is pinned any more",
                      lambda: pinned(host))


def one_child(points, host):
    session, child = host.open(listed(1))
    points.until(lambda: child.pid in pinned(host), 3, "a listed client's smtpd is pinned",
                 lambda: pinned(host))
    _, its_smtpd = host.rejects(ordinary(1), 250, to=MAILBOX)
    points.ok(its_smtpd.pid not in pinned(host), "and an unlisted client's is not")
    points.equal(session.recipient(NOBODY).code, 511, "the listed client is rejected")
    host.ends(child)
    unpins(host)
    host.blocks(listed(1))


def wave(points, host):
    """Half of the clients disconnect by themselves."""
    clients = [host.open(listed(10 + number)) for number in range(WAVE)]
    children = [child for _, child in clients]
    points.until(lambda: {child.pid for child in children} <= pinned(host), 4,
                 f"{WAVE} smtpds are pinned", lambda: pinned(host))
    for session, _ in clients[::2]:
        session.close()
    for session, _ in clients[1::2]:
        session.recipient(NOBODY)
    host.ends(*children, deadline=6)
    unpins(host)
    # Counted once the module has seen their ends, which may be after this test has.
    points.until(lambda: host.rsyslog.counters().get("ended") == 1 + WAVE // 2, 3,
                 "half were terminated")


def orphan(points, host):
    """couriertcpd is killed: its smtpd lives on without it."""
    host.restart(action("mail.info"), imuxsock=CREDENTIALS)
    session, child = host.open(listed(60))
    wait_for(lambda: child.pid in pinned(host), 3, "a pinned smtpd")
    os.kill(child.parent, signal.SIGKILL)
    wait_for(lambda: processes.look(child.pid).parent != child.parent, 3, "an orphan")
    points.equal(session.recipient(NOBODY).code, 511, "an orphan is rejected")
    points.until(lambda: host.rsyslog.counters().get("refused.sender") == 1, 3,
                 "its line is refused")
    host.spares(listed(60), pids=[child.pid], seconds=1)


def scenario(points):
    with mail_host(points) as host:
        for sender, imuxsock in SENDERS.items():
            host.restart(action("mail.info"), imuxsock=imuxsock)
            with host.part(sender):
                one_child(points, host)
                wave(points, host)
        host.parts(orphan)
