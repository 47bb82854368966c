#!/usr/bin/env python3
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

from lib import processes, tap
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host
from lib.wait import stays, wait_for


def restart(host, **parameters):
    host.rsyslog.stop()
    host.rsyslog.rules = action(**parameters)
    host.rsyslog.start()


def rejected(host, source):
    """A session that has just got its 511, its smtpd, and the time."""
    session, child = host.open(source)
    reply = session.recipient(NOBODY)
    assert reply.code == 511, reply
    return session, child, reply.at


def gone_after(child, since, deadline=6):
    wait_for(lambda: processes.gone(child.pid), deadline, "the smtpd's end")
    return time.monotonic() - since


def stopped_child(points, host):
    restart(host, terminate_delay=300, terminate_killAfter=700)
    session, child, at = rejected(host, listed(1))
    os.kill(child.pid, signal.SIGSTOP)
    seconds = gone_after(child, at)
    points.ok(0.9 <= seconds <= 2.0,
              f"a stopped smtpd is killed after 300 + 700 ms ({seconds:.2f} s)")
    session.close()


def never_killed(points, host):
    restart(host, terminate_killAfter=0)
    session, child, _ = rejected(host, listed(2))
    os.kill(child.pid, signal.SIGSTOP)
    points.ok(stays(lambda: processes.alive(child.pid), 3.0), 'killAfter="0": it is not killed')
    os.kill(child.pid, signal.SIGCONT)
    points.until(lambda: processes.gone(child.pid), 2, 'killAfter="0": TERM was waiting for it')
    session.close()


def delays(points, host):
    for number, milliseconds in enumerate((0, 200, 1000), 3):
        restart(host, terminate_delay=milliseconds)
        session, child = host.open(listed(number))
        began = time.monotonic()
        session.send("MAIL FROM:<a@b.example>")
        session.send(f"RCPT TO:<{NOBODY}>")
        seconds = gone_after(child, began)
        low, high = milliseconds / 1000, milliseconds / 1000 + 1.5
        points.ok(low <= seconds <= high, f"delay {milliseconds} ms: gone within {low} to {high} s",
                  f"got: {seconds:.3f} s")
        points.until(lambda: host.is_blocked(listed(number)), 2,
                     f"delay {milliseconds} ms: blocked")
        session.close()


def signals(points, host):
    for number, name in enumerate(("TERM", "HUP", "KILL"), 11):
        restart(host, terminate_signal=name, terminate_killAfter=0)
        session, child, at = rejected(host, listed(number))
        points.ok(gone_after(child, at) < 2, f"signal {name} terminates the smtpd")
        session.close()


def not_terminated(points, host):
    restart(host, terminate="off")
    session, child, _ = rejected(host, listed(21))
    points.until(lambda: host.is_blocked(listed(21)), 2, 'terminate="off": blocked')
    points.ok(stays(lambda: processes.alive(child.pid), 1.0), 'terminate="off": the smtpd lives')
    session.close()


def scenario(points):
    with mail_host() as host:
        for check in (stopped_child, never_killed, delays, signals, not_terminated):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
