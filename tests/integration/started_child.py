#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Without the sender's credentials, courier's line at a child's start makes the child
known: his reject takes no search.

Searches are the caretaker's, so it is held when the reject comes: the worker alone
has to block the address and end the child. With mail.err, where no start is heard of,
it cannot, and both wait for the caretaker.
"""

from pathlib import Path

from lib import processes, tap, threads
from lib.attack import counters, restart
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host
from lib.wait import wait_for


def reads(pid, thread):
    """How many read(2) it has made; the first of each turn takes its wake-up."""
    words = Path(f"/proc/{pid}/task/{thread}/io").read_text(encoding="ascii").split()
    return int(words[words.index("syscr:") + 1])


def is_punished(host, source, child):
    return host.is_blocked(source) and processes.gone(child.pid)


def one_selector(points, host, selector, source):
    """The first client that this rsyslogd hears of."""
    restart(host, action(selector, terminate_delay=0))
    caretaker, = threads.named(host.rsyslog.pid, "smtpblock")
    wait_for(lambda: threads.state(caretaker) == "S", 5, "the caretaker to sleep")
    before = reads(host.rsyslog.pid, caretaker)
    session, child = host.open(source)
    with session:
        known = selector != "mail.err"
        if known:
            wait_for(lambda: reads(host.rsyslog.pid, caretaker) > before, 3,
                     "the look for who has started")
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
