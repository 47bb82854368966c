#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A connection that was not rejected survives, even with the ports of one that was.

A rejected client cuts its connection before its smtpd is signalled, and connects again
from the same address and port, before or after the smtpd's exit. No rule drops packets
here. The processes of the first connection are stopped meanwhile, so that the signal
reaches them. The reset of the first connection must not hit the second one, and no
process of the second one may be signalled.
"""
# limit: 120

import contextlib
import itertools
import os
import signal

from lib import processes, tap
from lib.attack import counters, restart
from lib.courier import Courier
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import NOBODY, listed, mail_host
from lib.smtp import Closed
from lib.wait import stays, wait_for

PORTS = (25, 465)
KINDS = (
    ("plain", {"port": 25}),
    ("465", {"port": 465, "tls": True}),
    ("STARTTLS", {"port": 25, "starttls": True}),
)
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
    exit of the rejected client's smtpd, or after it."""

    def __init__(self, host, kind, after, source):
        self.kind, self.how = kind
        self.name = f"{self.kind}, {'after' if after else 'before'} the smtpd's exit"
        self.after = after
        self.host = host
        self.first, self.child = host.open(source, **self.how)
        self.old = set()
        self.second = None
        self.new = set()

    def reject(self, points, label):
        """The module has pinned the smtpd, and the client is gone."""
        points.equal(self.first.recipient(NOBODY).code, 511,
                     f"{label}, {self.name}: a client is rejected")
        wait_for(lambda: self.child.pid in processes.pinned_by(self.host.rsyslog.pid), 2,
                 "the smtpd to be pinned")
        self.old = serving(self.first)
        send_all(self.old, signal.SIGSTOP)
        self.first.cut()
        if not self.after:
            self.connect_again()
        points.ok(not self.is_signalled(),
                  f"{label}, {self.name}: all of this happened before the signal")

    def connect_again(self):
        """Returns without a second session if it is closed before it starts."""
        with contextlib.suppress(Closed, OSError):
            self.second, _ = self.host.open(self.first.source, source_port=self.first.source_port,
                                            **self.how)
            self.new = lasting(self.second) - self.old

    def is_signalled(self):
        return processes.pending_signals(self.child.pid) >> signal.SIGTERM - 1 & 1

    def end(self, points, label):
        """The signal terminates the smtpd; the reset would come later."""
        points.until(self.is_signalled, 5, f"{label}, {self.name}: the smtpd is signalled",
                     self.host.rsyslog.own)
        send_all(self.old, signal.SIGCONT)
        points.until(lambda: processes.gone(self.child.pid), 4,
                     f"{label}, {self.name}: and gone", self.host.rsyslog.own)
        if self.after:
            self.connect_again()

    def is_unharmed(self):
        return self.second and not self.second.is_reset() and all(map(processes.alive, self.new))


def judge(points, host, pairs, label):
    """No process of the second connections may exit."""
    stays(lambda: any(pair.is_unharmed() for pair in pairs), LONG_ENOUGH)
    for pair in pairs:
        points.ok(pair.is_unharmed(),
                  f"{label}, {pair.name}: the second connection is not reset, its processes live")
        points.ok(pair.second and pair.second.lives(), f"{label}, {pair.name}: and answers")
    count = counters(host.rsyslog)
    points.equal((count["ended"], count.get("resets", 0)), (len(pairs), 0),
                 f"{label}: all smtpds were terminated, no connection was reset")


def one_way(points, host, number, selector, imuxsock):
    label = f"{selector}, {'credentials' if imuxsock else 'no credentials'}"
    restart(host, action(selector, ports=PORTS, backend="null", terminate_delay=DELAY,
                         terminate_killAfter=0), imuxsock=imuxsock)
    pairs = [Pair(host, kind, after, listed(number + i))
             for i, (kind, after) in enumerate(itertools.product(KINDS, (False, True)))]
    for pair in pairs:
        pair.reject(points, label)
    for pair in pairs:
        pair.end(points, label)
    judge(points, host, pairs, label)
    for pair in pairs:
        if pair.second:
            pair.second.close()


def scenario(points):
    with mail_host(action(ports=PORTS), ports=PORTS) as host:
        ways = [(selector, imuxsock) for selector in ("mail.info", "mail.err")
                for imuxsock in (CREDENTIALS, "")]
        for number, way in enumerate(ways):
            with tap.part(points, str(way)):
                one_way(points, host, 10 * number + 1, *way)


if __name__ == "__main__":
    tap.main(scenario)
