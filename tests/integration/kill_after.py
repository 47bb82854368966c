# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""terminate.signal, terminate.killAfter, terminate.delay, terminate="off".

A stopped smtpd keeps TERM pending. After killAfter it gets KILL; with killAfter="0" it
never does.
"""

# backends: both
# serial: the times between reject, TERM and KILL are measured

import os
import signal
import time

from lib import processes
from lib.rsyslog import action
from lib.scenario import listed, mail_host
from lib.wait import stays, wait_for


def rejected(host, source, **parameters):
    """A client that has just got its 511 from a new rsyslogd: its smtpd, and the time."""
    host.restart(action(**parameters))
    session, child = host.rejects(source)
    return child, session.replies[-1].at


def gone_after(child, since):
    wait_for(lambda: processes.gone(child.pid), 6, "the smtpd's end")
    return time.monotonic() - since


def stopped_child(points, host):
    child, at = rejected(host, listed(1), terminate_delay=300, terminate_killAfter=700)
    os.kill(child.pid, signal.SIGSTOP)
    seconds = gone_after(child, at)
    points.ok(0.9 <= seconds <= 2.0, f"it is killed after 300 + 700 ms ({seconds:.2f} s)")


def never_killed(points, host):
    child, _ = rejected(host, listed(2), terminate_killAfter=0)
    os.kill(child.pid, signal.SIGSTOP)
    points.ok(stays(lambda: processes.alive(child.pid), 3.0), 'with killAfter="0"')
    os.kill(child.pid, signal.SIGCONT)
    # TERM was waiting for it.
    host.ends(child, deadline=2)


def delays(points, host):
    for number, milliseconds in enumerate((0, 200, 1000), 3):
        host.restart(action(terminate_delay=milliseconds))
        session, child = host.open(listed(number))
        began = time.monotonic()
        session.try_recipient()
        seconds = gone_after(child, began)
        low, high = milliseconds / 1000, milliseconds / 1000 + 1.5
        points.ok(low <= seconds <= high, f"{milliseconds} ms: gone within {low} to {high} s",
                  f"got: {seconds:.3f} s")
        host.blocks(listed(number), deadline=2)


def signals(points, host):
    for number, name in enumerate(("TERM", "HUP", "KILL"), 11):
        child, at = rejected(host, listed(number), terminate_signal=name, terminate_killAfter=0)
        points.ok(gone_after(child, at) < 2, f"{name} terminates the smtpd")


def not_terminated(points, host):
    child, _ = rejected(host, listed(21), terminate="off")
    host.blocks(listed(21), deadline=2)
    points.ok(stays(lambda: processes.alive(child.pid), 1.0), 'with terminate="off"')


def scenario(points):
    with mail_host(points) as host:
        host.parts(stopped_child, never_killed, delays, signals, not_terminated)
