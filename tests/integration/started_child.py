#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Without the sender's credentials, courier's line at a child's start has the child
pinned: its reject takes no look at it.

Searches are the caretaker's, so it is held when the reject comes: the worker alone
has to block the address and end the child. With mail.err, where no start is heard of,
it cannot, and both wait for the caretaker.
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
    """The child, and its submit, by which it is seen that nobody has logged in."""
    return {child.pid, submit_of(child)} <= processes.pinned_by(host.rsyslog.pid)


def is_punished(host, source, child):
    return host.is_blocked(source) and processes.gone(child.pid)


def one_selector(points, host, selector, source):
    """The first client that this rsyslogd hears of."""
    restart(host, action(selector, terminate_delay=0))
    caretaker, = threads.named(host.rsyslog.pid, "smtpblock")
    wait_for(lambda: threads.state(caretaker) == "S", 5, "the caretaker to sleep")
    session, child = host.open(source)
    with session:
        known = selector != "mail.err"
        if known:
            wait_for(lambda: is_pinned(host, child), 3, "the child to be pinned")
        # It sleeps when it has done what it woke up for.
        with threads.held(caretaker):
            session.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{NOBODY}>")
            if known:
                points.until(lambda: is_punished(host, source, child), 3,
                             f"{selector}: he is blocked and gone without a search",
                             host.rsyslog.own)
            else:
                wait_for(lambda: any("511" in line and source in line
                                     for line in host.rsyslog.mail()), 3, "the reject")
                points.ok(not is_punished(host, source, child),
                          f"{selector}: he waits for a search")
        points.until(lambda: is_punished(host, source, child), 3,
                     f"{selector}: he is blocked and gone", host.rsyslog.own)
        points.equal(counters(host.rsyslog)["blocks"], 1, f"{selector}: counted once")


def scenario(points):
    with mail_host(imuxsock="") as host:
        for number, selector in enumerate(("mail.err", "mail.info", "mail.*"), 1):
            with tap.part(points, selector):
                one_selector(points, host, selector, listed(number))


if __name__ == "__main__":
    tap.main(scenario)
