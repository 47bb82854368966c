# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Without the sender's credentials, courier's line about an smtpd's start gets the smtpd
pinned: its reject needs no search.

The background thread does the searches. It is suspended when the reject comes, so the
worker alone must signal the smtpd. With mail.err there is no line about the start: the
worker cannot, and waits for the background thread. That blocks the address in both cases.
"""

from lib import processes, threads
from lib.courier import NO_LOGIN
from lib.rsyslog import action
from lib.scenario import listed, mail_host
from lib.wait import wait_for


def one_selector(points, host, selector, source):
    """The first client that this rsyslogd sees."""
    host.restart(action(selector, terminate_delay=0, early="off", pressure=0))
    background = threads.single(host.rsyslog.pid, "smtpblock")
    wait_for(lambda: threads.state(background) == "S", 5, "the background thread to sleep")
    known = selector != "mail.err"
    session, child = (host.pin if known else host.open)(source)
    is_done = lambda: host.is_blocked(source) and processes.gone(child.pid)
    # It sleeps again once its work is done.
    with threads.suspended(background):
        session.try_recipient()
        if known:
            host.ends(child, deadline=3)
        else:
            host.writes("511", source)
            points.ok(not is_done(), "waits for a search")
    points.until(is_done, 3, "blocked and terminated")
    points.equal(host.rsyslog.counters()["blocks"], 1, "counted once")


def scenario(points):
    # Where courier offers a login such a line needs a look at submit.
    with mail_host(points, imuxsock="", port_variables={25: NO_LOGIN}) as host:
        for number, selector in enumerate(("mail.err", "mail.info", "mail.*"), 1):
            with host.part(selector):
                one_selector(points, host, selector, listed(number))
