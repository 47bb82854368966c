#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""While the background thread is suspended, the other threads go on.

The worker still blocks and terminates sessions that are pinned. After 5 s it reports the
stall, once, and terminates without the delay, which the background thread would have
timed. Stopping rsyslogd does not wait for that thread either.
"""

import contextlib
import time

from lib import processes, rsyslog, tap, threads
from lib.attack import restart
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host
from lib.wait import stays, wait_for

STALL = "omsmtpblock: the background thread has not responded for 5 s"
GOES_ON = "omsmtpblock: the background thread is running again"
# BACKGROUND_STALL_MS, plus the lag of the coarse clock.
STALLED_AFTER = 5.2
STOP_LIMIT = 3.0


def background(host):
    return threads.single(host.rsyslog.pid, "smtpblock")


def submit_of(child):
    return next((process.pid for process in processes.named("submit")
                 if process.parent == child.pid), None)


def pinned(host, source):
    session, child = host.open(source)
    wait_for(lambda: {child.pid, submit_of(child)} <= processes.pinned_by(host.rsyslog.pid), 5,
             "a pinned session")
    return session, child


def logs(points, host, label):
    """A line of another program is written to the file behind the action."""
    rsyslog.log(f"a line of another program, {label}", tag="other")
    points.until(lambda: any(f"another program, {label}" in line for line in host.rsyslog.mail()),
                 1, f"{label}: another program's line is written", exact=True)


def stalled(points, host):
    restart(host, action("mail.info"))
    clients = [pinned(host, listed(number)) for number in (1, 2, 3)]
    children = [child.pid for _, child in clients]
    with contextlib.ExitStack() as stack:
        for session, _ in clients:
            stack.enter_context(session)
        with threads.suspended(background(host)):
            clients[0][0].send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{NOBODY}>")
            points.until(lambda: host.is_blocked(listed(1)), 3, "its address is blocked")
            began = time.monotonic()
            logs(points, host, "stalled")
            points.ok(stays(lambda: processes.alive(children[0]),
                            began + STALLED_AFTER - time.monotonic()),
                      "the delay is over for no session")
            points.equal(host.rsyslog.logged(STALL), [], "nothing is reported yet")
            for session, _ in clients[1:]:
                session.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{NOBODY}>")
            points.until(lambda: all(map(processes.gone, children[1:])), 3,
                         "later sessions are terminated at once", host.rsyslog.own)
            points.until(lambda: host.rsyslog.logged(STALL), 3, "the stall is reported")
        points.until(lambda: processes.gone(children[0]), 3, "the first is terminated afterwards")
        points.until(lambda: host.rsyslog.logged(GOES_ON), 3, "that it goes on is reported")
        # rsyslogd writes errors to its standard error, too.
        points.equal(len([line for line in host.rsyslog.logged(STALL) if line.startswith("err ")]),
                     1, "the stall was reported once")


def stops(points, host):
    restart(host, action("mail.info"))
    session, _ = pinned(host, listed(10))
    thread = background(host)
    with session, threads.suspended(thread), threads.collected(thread):
        points.at_most(host.rsyslog.stop(), STOP_LIMIT, "seconds to stop while it is suspended")
    # By then rsyslogd no longer logs.
    points.ok(host.rsyslog.logged("was abandoned"), "that it was abandoned is reported",
              host.rsyslog.own())


def scenario(points):
    with mail_host(action("mail.info"), imuxsock="") as host:
        for check in (stalled, stops):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
