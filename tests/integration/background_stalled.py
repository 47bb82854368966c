# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""While the background thread is suspended, the other threads go on.

After 5 s the worker reports the stall, once, and terminates sessions that are pinned without
the delay, which the background thread would have timed. Their addresses are blocked once that
thread goes on. Stopping rsyslogd does not wait for that thread either.
"""

import time

from lib import processes, rsyslog, threads
from lib.rsyslog import action
from lib.scenario import listed, mail_host
from lib.wait import stays

STALL = "omsmtpblock: the background thread has not responded for 5 s"
GOES_ON = "omsmtpblock: the background thread is running again"
# BACKGROUND_STALL_MS, plus the lag of the coarse clock.
STALLED_AFTER = 5.2
STOP_LIMIT = 3.0


def background(host):
    return threads.single(host.rsyslog.pid, "smtpblock")


def stalled(points, host):
    host.restart(action("mail.info"))
    clients = [host.pin(listed(number)) for number in (1, 2, 3)]
    (first, its_smtpd), *later = clients
    with threads.suspended(background(host)):
        first.try_recipient()
        host.writes("511", listed(1))
        began = time.monotonic()
        # It is written to the file behind the action.
        rsyslog.log("a line of another program", tag="other")
        points.until(lambda: any("of another program" in line for line in host.rsyslog.mail()), 1,
                     "another program's line is written", exact=True)
        points.ok(stays(lambda: processes.alive(its_smtpd.pid),
                        began + STALLED_AFTER - time.monotonic()),
                  "the delay is over for no session")
        points.equal(host.rsyslog.logged(STALL), [], "nothing is reported yet")
        for session, _ in later:
            session.try_recipient()
        # Terminated at once.
        host.ends(*(child for _, child in later), deadline=3)
        points.until(lambda: host.rsyslog.logged(STALL), 3, "the stall is reported")
    host.ends(its_smtpd, deadline=3)
    host.blocks(*(listed(number) for number in (1, 2, 3)))
    points.until(lambda: host.rsyslog.logged(GOES_ON), 3, "that it goes on is reported")
    # rsyslogd writes errors to its standard error, too.
    points.equal(len([line for line in host.rsyslog.logged(STALL) if line.startswith("err ")]),
                 1, "the stall was reported once")


def stops(points, host):
    host.restart(action("mail.info"))
    session, _ = host.pin(listed(10))
    thread = background(host)
    with threads.suspended(thread), threads.collected(thread):
        session.try_recipient()
        host.writes("511", listed(10))
        points.at_most(host.rsyslog.stop(), STOP_LIMIT, "seconds to stop while it is suspended")
    # By then rsyslogd no longer logs.
    points.ok(host.rsyslog.logged("was abandoned; .* is not done: 1 triggers"),
              "that it was abandoned, and what is left, is reported", host.rsyslog.own()[-3:])


def scenario(points):
    with mail_host(points) as host:
        host.parts(stalled, stops)
