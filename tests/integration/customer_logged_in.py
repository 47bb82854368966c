#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A customer from a listed address who logged in is never blocked.

The customer mistypes a recipient and gets 550 User unknown; the smtpd's BLOCK is still in
/proc. The connection lives, the address is not on the list, and mail to the right
recipient is delivered. The same client without login is blocked.
"""
# backends: both

import itertools

from lib import processes, tap
from lib.rsyslog import CREDENTIALS
from lib.scenario import MAILBOX, NOBODY, PASSWORD, USER, block, listed, mail_host
from lib.wait import stays

WAYS = (
    ("plain on 25", {"port": 25}),
    ("STARTTLS on 25", {"port": 25, "starttls": True}),
    ("465", {"port": 465, "tls": True}),
    ("STARTTLS on 587", {"port": 587, "starttls": True}),
)


def customer(points, host, source, label, how):
    session, child = host.open(source, **how)
    with session:
        points.equal(session.login(USER, PASSWORD).code, 235, f"{label}: the login works")
        points.ok("BLOCK" in child.environment, f"{label}: the smtpd's BLOCK is there to mislead")
        points.equal(session.recipient(NOBODY).code, 550,
                     f"{label}: a mistyped recipient is rejected")
        points.until(lambda: any(f"port={session.source_port}," in line and " 550 " in line
                                 for line in host.rsyslog.mail()), 5,
                     f"{label}: that is logged")
        # The delay before a signal is 200 ms, the block comes before it.
        points.ok(stays(lambda: processes.alive(child.pid) and not host.is_blocked(source), 0.6),
                  f"{label}: neither blocked nor signalled",
                  host.list_for(source).addresses(), host.rsyslog.own())
        points.equal(session.command(f"RCPT TO:<{MAILBOX}>").code, 250,
                     f"{label}: the session goes on")
        mark = f"mail of {source}"
        points.equal(session.data(f"Subject: {mark}\r\n\r\n").code, 250,
                     f"{label}: and sends a mail")
    points.until(lambda: any(mark in mail for mail in host.courier.mails(USER)), 10,
                 f"{label}: the mail is delivered")


def scenario(points):
    numbers = itertools.count(1)
    with mail_host(ports=(25, 465, 587), delivery=True) as host:
        for sender, imuxsock in (("credentials", CREDENTIALS), ("no credentials", "")):
            host.rsyslog.stop()
            host.rsyslog.imuxsock = imuxsock
            host.rsyslog.start()
            for name, how in WAYS:
                label = f"{name}, {sender}"
                with tap.part(points, label):
                    customer(points, host, listed(next(numbers)), label, how)
            block(points, host, listed(next(numbers)), f"without login, {sender}")


if __name__ == "__main__":
    tap.main(scenario)
