# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A connection that was not rejected survives, even with the ports of one that was.

A rejected client cuts its connection before its smtpd is signalled, and connects again from
the same address and port, before or after the smtpd's exit. Neither the reset of the first
connection nor a signal may hit the second one. No rule drops packets here.
"""
# limit: 120

import contextlib
import itertools
import os
import signal

from lib import processes
from lib.courier import Courier
from lib.rsyslog import action
from lib.scenario import NOBODY, SENDERS, WAYS, listed, mail_host
from lib.smtp import Closed
from lib.wait import stays, wait_for

PORTS = (25, 465)
# In ms: by then the client has cut its connection and connected again.
DELAY = 2000
# The reset comes a second after the smtpd's exit, and after the checks before it.
LONG_ENOUGH = 2.5


def serving(session):
    """The PIDs of all processes of the connections with those addresses and ports."""
    return {process.pid for process in Courier.serving(session.source, session.source_port)}


def lasting(session):
    """Those that last as long as the connection; helpers forked for STARTTLS do not."""
    slots = {process.pid for process in Courier.slots()}
    return {process.pid for process in Courier.serving(session.source, session.source_port)
            if process.pid in slots or process.name == "couriertls"}


def send_all(pids, number):
    for pid in pids:
        os.kill(pid, number)


class Pair:
    """A rejected client, and the one that has its port afterwards: connected before the
    exit of the rejected client's smtpd, or after it. Its points have its name."""

    def __init__(self, host, way, after, source):
        self.name = f"{way}, {'after' if after else 'before'} the smtpd's exit"
        self.after = after
        self.host, self.points, self.how = host, host.points, WAYS[way]
        self.first, self.child = host.open(source, **self.how)
        self.old = set()
        self.second = None
        self.new = set()

    def reject(self):
        """The module has pinned the smtpd, and the client is gone."""
        self.points.equal(self.first.recipient(NOBODY).code, 511, "a client is rejected")
        wait_for(lambda: self.child.pid in processes.pinned_by(self.host.rsyslog.pid), 2,
                 "the smtpd to be pinned")
        self.old = serving(self.first)
        send_all(self.old, signal.SIGSTOP)
        self.first.cut()
        if not self.after:
            self.connect_again()
        self.points.ok(not self.is_signalled(), "all of this happened before the signal")

    def connect_again(self):
        """Returns without a second session if it is closed before it starts."""
        with contextlib.suppress(Closed, OSError):
            self.second, _ = self.host.open(self.first.source, source_port=self.first.source_port,
                                            **self.how)
            self.new = lasting(self.second) - self.old

    def is_signalled(self):
        return processes.pending_signals(self.child.pid) >> signal.SIGTERM - 1 & 1

    def end(self):
        """The signal terminates the smtpd; the reset would come later."""
        self.points.until(self.is_signalled, 5, "the smtpd is signalled")
        send_all(self.old, signal.SIGCONT)
        self.host.ends(self.child)
        if self.after:
            self.connect_again()

    def is_unharmed(self):
        return self.second and not self.second.is_reset() and all(map(processes.alive, self.new))

    def judge(self):
        self.points.ok(self.is_unharmed(), "the second connection is not reset, its processes live")
        self.points.ok(self.second and self.second.lives(), "and answers")


def one_way(points, host, number, selector, imuxsock):
    host.restart(action(selector, ports=PORTS, backend="null", terminate_delay=DELAY,
                        terminate_killAfter=0), imuxsock=imuxsock)
    ways = itertools.product(("25", "465", "STARTTLS on 25"), (False, True))
    pairs = [Pair(host, way, after, listed(number + i)) for i, (way, after) in enumerate(ways)]
    for step in (Pair.reject, Pair.end, Pair.judge):
        if step is Pair.judge:  # no process of the second connections may exit
            stays(lambda: any(pair.is_unharmed() for pair in pairs), LONG_ENOUGH)
        for pair in pairs:
            with points.label(pair.name):
                step(pair)
    count = host.rsyslog.counters()
    points.equal((count["ended"], count.get("resets", 0)), (len(pairs), 0),
                 "all smtpds were terminated, no connection was reset")


def scenario(points):
    with mail_host(points, action(ports=PORTS), ports=PORTS) as host:
        ways = itertools.product(("mail.info", "mail.err"), SENDERS)
        for number, (selector, sender) in enumerate(ways):
            with host.part(f"{selector}, {sender}"):
                one_way(points, host, 10 * number + 1, selector, SENDERS[sender])
