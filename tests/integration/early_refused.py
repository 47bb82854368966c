# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""With TARPIT=1 a refused client is terminated before courier logs the refusal.

The client reads courier's own reply, 8 s earlier, and a relay attempt its 511. A client in the
tarpit for another reason is left alone: a customer who logged in and mistypes a recipient, one who
mistypes the password, one who sends MAIL before AUTH, gets a 502 and starts again. Where
esmtpacceptmailfor.dat is missing that last one is refused. The times from RCPT to the reply are
printed.
"""
# limit: 150

import itertools
import os
import statistics
import threading
import time

from lib import processes
from lib.scenario import MAILBOX, NOBODY, PASSWORD, USER, listed, mail_host
from lib.smtp import Closed

WAYS = (
    ("25", {}),
    ("STARTTLS", {"starttls": True}),
    ("465", {"port": 465, "tls": True}),
    ("587", {"port": 587}),
)


def refused(points, host, source, label, how, *, to=NOBODY):
    """Returns the time from RCPT to the end of the smtpd."""
    session, child = host.open(source, **how)
    with session:
        session.command("MAIL FROM:<a@b.example>")
        began = time.monotonic()
        session.send(f"RCPT TO:<{to}>")
        ending = session.ended(6)
        points.until(lambda: processes.gone(child.pid), 4, f"{label}: the smtpd is gone")
        took = time.monotonic() - began
        points.ok(ending == "end" and took < 4, f"{label}: long before the tarpit is over", took,
                  ending)
        if not how or how == {"port": 587}:
            points.ok(session.replies[-1].code == 511
                      and session.replies[-1].text.startswith("Listed in lab DNSBL"),
                      f"{label}: the client reads courier's reply", session.replies)
        points.until(lambda: host.is_blocked(source), 3, f"{label}: the address is on the list")
        points.until(lambda: not host.courier.serving(source), 4, f"{label}: nothing is left",
                     lambda: host.courier.serving(source))
    return took


class Customers:
    """Customers from listed addresses, all at once: each stays in the tarpit for 8 s."""

    def __init__(self, points, host):
        self.points, self.host = points, host
        self.threads = []
        self.failures = []

    def start(self, label, source, talk, **how):
        thread = threading.Thread(target=self._run, args=(label, source, talk, how))
        thread.start()
        self.threads.append((label, thread))

    def _run(self, label, source, talk, how):
        try:
            session, child = self.host.open(source, **how)
            with session:
                talk(session)
                if not processes.alive(child.pid) or self.host.is_blocked(source):
                    self.failures.append((label, "terminated or blocked"))
        except (Closed, OSError, AssertionError) as problem:
            self.failures.append((label, repr(problem)))

    def finish(self):
        for _, thread in self.threads:
            thread.join()
        for label, _ in self.threads:
            self.points.equal([why for who, why in self.failures if who == label], [],
                              f"{label}: served to the end")


def expect(reply, code):
    assert reply.code == code, reply


def mistypes_recipient(session):
    expect(session.login(USER, PASSWORD), 235)
    expect(session.recipient(NOBODY), 550)
    expect(session.command(f"RCPT TO:<{MAILBOX}>"), 250)
    expect(session.data("Subject: x\r\n\r\n"), 250)


def mistypes_password(session):
    expect(session.login(USER, "wrong"), 535)
    expect(session.login(USER, PASSWORD), 235)
    expect(session.recipient(MAILBOX), 250)


def sends_mail_first(session):
    expect(session.command("MAIL FROM:<a@b.example>"), 250)
    expect(session.login(USER, PASSWORD), 502)
    expect(session.command("RSET"), 250)
    expect(session.login(USER, PASSWORD), 235)
    expect(session.recipient(MAILBOX), 250)


TALKS = (("mistyped recipient", mistypes_recipient), ("mistyped password", mistypes_password),
         ("MAIL before AUTH", sends_mail_first))


def customers(points, host, numbers):
    crowd = Customers(points, host)
    for label, talk in TALKS:
        for way, how in WAYS[:1] if talk is sends_mail_first else WAYS:
            crowd.start(f"{label}, {way}", listed(next(numbers)), talk, **how)
    crowd.finish()


def without_file(points, host, numbers):
    """submit leaves no sign of a recipient; MAIL has to do."""
    os.unlink("/etc/courier/esmtpacceptmailfor.dat")
    source = listed(next(numbers))
    session, _ = host.open(source)
    with session:
        session.command("MAIL FROM:<a@b.example>")
        session.send("AUTH PLAIN AGVyaW4AcHc=")
        points.ok(session.ended(6) == "end" and session.replies[-1].code == 511,
                  "no esmtpacceptmailfor.dat: MAIL before AUTH looks like a refused client",
                  session.replies)
    refused(points, host, listed(next(numbers)), "no esmtpacceptmailfor.dat", {}, to=MAILBOX)


def scenario(points):
    numbers = itertools.count(1)
    with mail_host(points, imuxsock="", tarpit=True, ports=(25, 465, 587),
                   delivery=True) as host:
        for label, how in WAYS:
            refused(points, host, listed(next(numbers)), label, how)
        refused(points, host, listed(next(numbers), 6), "IPv6", {})
        refused(points, host, listed(next(numbers)), "relay attempt", {}, to="x@foreign.example")
        times = [refused(points, host, listed(next(numbers)), f"once more, {i}", {})
                 for i in range(10)]
        print(f"# from RCPT to the end of the smtpd: median {statistics.median(times) * 1000:.0f}"
              f" ms, worst {max(times) * 1000:.0f} ms")
        customers(points, host, numbers)
        without_file(points, host, numbers)
        points.equal([line for line in host.rsyslog.mail() if ": 511 " in line], [],
                     "courier had no refusal to log")
