# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Where courier offers no login, a listed session is terminated as soon as it is seen.

That is how Debian installs courier. The client reads a 554 with the DNSBL's text, also if it is
silent; the address is blocked; nothing of courier's was logged. Sessions of others, and those
of early="off", are left alone. Where only TLS offers a login, nothing happens either.
"""
# backends: both

import itertools

from lib import processes
from lib.rsyslog import action
from lib.scenario import MAILBOX, listed, mail_host, ordinary
from lib.smtp import Session
from lib.wait import stays


def is_ended(points, host, source, label, **how):
    """The client does nothing but read."""
    port = how.get("port", 25)
    with Session(host.network, source, **how) as session:
        ending = session.ended(5)
        points.ok(ending == "end", f"{label}: the session ends", ending)
        if port != 465:
            points.equal([reply.code for reply in session.replies][-1:], [554],
                         f"{label}: the client reads a 554")
            points.ok("Listed in lab DNSBL" in session.replies[-1].text,
                      f"{label}: with the DNSBL's text", session.replies)
        points.until(lambda: host.is_blocked(source), 3, f"{label}: the address is on the list")
        points.until(lambda: not host.courier.slots_of(source), 3, f"{label}: the slot is free")
    points.equal([line for line in host.rsyslog.mail() if source in line and "error" in line], [],
                 f"{label}: courier had nothing to log")


def is_kept(points, host, source, label, **how):
    session, child = host.open(source, **how)
    with session:
        points.ok(stays(lambda: processes.alive(child.pid) and not host.is_blocked(source), 0.6),
                  f"{label}: the session is kept")


def scenario(points):
    numbers = itertools.count(1)
    with mail_host(points, variables={"ESMTPAUTH": "", "ESMTPAUTH_TLS": ""}, tarpit=True,
                   ports=(25, 465, 587), delivery=True) as host:
        neighbour, his = host.open(ordinary(1))
        for port in (25, 587, 465):
            is_ended(points, host, listed(next(numbers)), f"port {port}", port=port,
                     tls=port == 465)
        is_ended(points, host, listed(next(numbers), 6), "IPv6")
        points.ok(processes.alive(his.pid), "the neighbour's session goes on")
        points.equal(neighbour.recipient(MAILBOX).code, 250, "and its recipient is accepted")
        neighbour.close()
        host.restart(action(early="off", pressure="0"))
        is_kept(points, host, listed(next(numbers)), 'early="off"')
        host.restart(action(dryRun="on"))
        source = listed(next(numbers))
        is_kept(points, host, source, 'dryRun="on"')
        points.until(lambda: any(f"would terminate the session of {source}" in line
                                 and "no-login" in line for line in host.rsyslog.own()), 3,
                     'dryRun="on": it is reported')
    with mail_host(points, variables={"ESMTPAUTH": ""}, tarpit=True) as host:
        is_kept(points, host, listed(next(numbers)), "a login with TLS only")
