#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Without the sender's credentials, courier's line about an smtpd's start gets the smtpd
pinned: its reject needs no search.

The background thread does the searches. It is suspended when the reject comes, so the
worker alone must block the address and signal the smtpd. With mail.err there is no line
about the start: the worker cannot, and both wait for the background thread.
"""

from lib import processes, tap, threads
from lib.attack import counters, restart
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host
from lib.wait import wait_for


def submit_of(child):
    return next((process.pid for process in processes.named("submit")
                 if process.parent == child.pid), None)


def is_pinned(host, child):
    """The smtpd, and its submit, which shows that there was no login."""
    return {child.pid, submit_of(child)} <= processes.pinned_by(host.rsyslog.pid)


def is_done(host, source, child):
    return host.is_blocked(source) and processes.gone(child.pid)


def one_selector(points, host, selector, source):
    """The first client that this rsyslogd sees."""
    restart(host, action(selector, terminate_delay=0))
    background = threads.single(host.rsyslog.pid, "smtpblock")
    wait_for(lambda: threads.state(background) == "S", 5, "the background thread to sleep")
    session, child = host.open(source)
    with session:
        known = selector != "mail.err"
        if known:
            wait_for(lambda: is_pinned(host, child), 3, "the smtpd to be pinned")
        # It sleeps again once its work is done.
        with threads.suspended(background):
            session.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{NOBODY}>")
            if known:
                points.until(lambda: is_done(host, source, child), 3,
                             f"{selector}: blocked and terminated without a search",
                             host.rsyslog.own)
            else:
                wait_for(lambda: any("511" in line and source in line
                                     for line in host.rsyslog.mail()), 3, "the reject")
                points.ok(not is_done(host, source, child),
                          f"{selector}: waits for a search")
        points.until(lambda: is_done(host, source, child), 3,
                     f"{selector}: blocked and terminated", host.rsyslog.own)
        points.equal(counters(host.rsyslog)["blocks"], 1, f"{selector}: counted once")


def scenario(points):
    with mail_host(imuxsock="") as host:
        for number, selector in enumerate(("mail.err", "mail.info", "mail.*"), 1):
            with tap.part(points, selector):
                one_selector(points, host, selector, listed(number))


if __name__ == "__main__":
    tap.main(scenario)
