#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The proof that each verify mode requires, and what it rejects.

The forged lines are logged by a process that is not an smtpd, here by the test itself, as
root; or without credentials, if rsyslogd does not ask for them.
"""

import os
import signal
import sys

from lib import processes, rsyslog, tap
from lib.netns import run
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import listed, mail_host, ordinary
from lib.wait import stays

ABSENT = "10.9.4.1"


def restart(host, imuxsock, **parameters):
    host.rsyslog.stop()
    host.list4.flush()
    host.rsyslog.imuxsock = imuxsock
    host.rsyslog.rules = action(**parameters)
    host.rsyslog.start()


def reject_line(source, port=4711):
    return (f"error,relay=::ffff:{source},port={port},from=<a@b.example>,to=<x@mx.lab>:"
            f" 511 Listed in lab DNSBL, {source}")


def log_reject(source, port=4711, tag="courieresmtpd"):
    rsyslog.log(reject_line(source, port), tag=tag)


def nothing_happens(points, host, label, source, *pids):
    points.until(lambda: any(source in line for line in host.rsyslog.mail()), 5,
                 f"{label}: the line is logged")
    points.ok(stays(lambda: not host.is_blocked(source) and all(map(processes.alive, pids)), 0.6),
              f"{label}: nobody blocked, nobody signalled", host.list4.addresses())


def forged(points, host):
    """With credentials a line counts only from the smtpd itself."""
    restart(host, CREDENTIALS)
    session, child = host.open(listed(1))
    with session:
        log_reject(listed(1), session.source_port)
        nothing_happens(points, host, "child, credentials: a stranger's line", listed(1), child.pid,
                        os.getpid())
    log_reject(ABSENT)
    nothing_happens(points, host, "child, credentials: an absent address", ABSENT, os.getpid())


def without_credentials(points, host):
    """Without credentials, an smtpd has to serve the address, and to be listed."""
    restart(host, "")
    log_reject(ABSENT)
    nothing_happens(points, host, "child, no credentials: an absent address", ABSENT)
    session, child = host.open(ordinary(1))
    with session:
        log_reject(ordinary(1), session.source_port)
        nothing_happens(points, host, "child, no credentials: an unlisted client", ordinary(1),
                        child.pid)
    session, child = host.open(listed(3))
    with session:
        log_reject(listed(3), 1, f"courieresmtpd[{child.pid}]")
        nothing_happens(points, host, "child, no credentials: a hint, another port", listed(3),
                        child.pid)
        log_reject(listed(4), session.source_port, f"courieresmtpd[{child.pid}]")
        nothing_happens(points, host, "child, no credentials: a hint, another address", listed(4),
                        child.pid)
        points.ok(not host.is_blocked(listed(3)),
                  "child, no credentials: the smtpd's own client is not blocked")
    session, child = host.open(listed(2))
    with session:
        log_reject(listed(2), 1 if session.source_port != 1 else 2)
        nothing_happens(points, host, "child, no credentials: another port", listed(2), child.pid)
        log_reject(listed(2), session.source_port)
        points.until(lambda: host.is_blocked(listed(2)) and processes.gone(child.pid), 4,
                     "child, no credentials: the smtpd that serves it is found", host.rsyslog.own)


def sender(points, host):
    """The sender of a line was courier's, and has exited."""
    restart(host, CREDENTIALS, verify="sender")
    log_reject(ABSENT)
    nothing_happens(points, host, "sender: a line of a stranger that is alive", ABSENT, os.getpid())


def log_as(host, user, address):
    """A process of that user logs a reject and exits before rsyslogd reads it."""
    os.kill(host.rsyslog.pid, signal.SIGSTOP)
    text = f"from lib.rsyslog import log; log({reject_line(address)!r})"
    run("setpriv", f"--reuid={user}", "--clear-groups", sys.executable, "-c", text)
    os.kill(host.rsyslog.pid, signal.SIGCONT)


def departed(points, host):
    """The sender has exited: only its credentials from the kernel are left."""
    restart(host, CREDENTIALS, verify="sender")
    log_as(host, "nobody", "10.9.4.2")
    nothing_happens(points, host, "sender: a line of the user nobody, process exited", "10.9.4.2")
    log_as(host, "courier", "10.9.4.3")
    points.until(lambda: host.is_blocked("10.9.4.3"), 3,
                 "sender: a line of the user courier, process exited, counts", host.rsyslog.own)
    restart(host, CREDENTIALS)
    log_as(host, "courier", "10.9.4.4")
    nothing_happens(points, host, "child: a line of the user courier, process exited", "10.9.4.4")


def none(points, host):
    restart(host, "", verify="none")
    session, child = host.open(ordinary(2))
    with session:
        log_reject(ABSENT)
        points.until(lambda: host.is_blocked(ABSENT), 3, "none: the line says so", host.rsyslog.own)
        points.ok(processes.alive(child.pid), "none: another address' smtpd lives")


def scenario(points):
    with mail_host() as host:
        for check in (forged, without_credentials, sender, departed, none):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
