#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A local user logs a listed client's reject through /dev/log, without effect.

The user knows the address, the port and the DNSBL's text. The address is not connected;
or connected and not listed; or listed, connected and idle; or that of a listed customer
who has logged in and begun a mail. With the sender's credentials, and without.
"""
# backends: both
# limit: 60

from lib import tap
from lib.attack import Forger, Counted, harmless, reject_line, restart
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import MAILBOX, PASSWORD, USER, block, listed, mail_host, ordinary
from lib.wait import wait_for

ABSENT = "10.9.4.1"


def hinted(child):
    """The tag of a sender that names the smtpd's PID as its own."""
    return f"courieresmtpd[{child.pid}]"


def absent(points, host, forger, label, why):
    with harmless(points, host, f"{label}, not connected", sources=[ABSENT], pids=[forger.pid],
                  triggers=1, rejects=1, **{why["absent"]: 1}):
        forger.log(reject_line(ABSENT))


def unlisted(points, host, forger, label, why):
    source = ordinary(1)
    session, child = host.open(source)
    with session, harmless(points, host, f"{label}, connected, not listed", sources=[source],
                           pids=[forger.pid, child.pid], triggers=2, rejects=2,
                           **{why["unlisted"]: 2}):
        forger.log(reject_line(source, session.source_port))
        forger.log(reject_line(source, session.source_port), tag=hinted(child))


def forge_twice(points, host, forger, label, session, child):
    with harmless(points, host, label, sources=[session.source], pids=[forger.pid, child.pid],
                  triggers=2, rejects=2, refused__sender=2):
        forger.log(reject_line(session.source, session.source_port))
        forger.log(reject_line(session.source, session.source_port), tag=hinted(child))
    points.ok(session.lives(), f"{label}: the session goes on")


def before_ehlo(points, host, forger, label, why):
    """courieresmtpd has not started a submit yet."""
    session = host.session(listed(1))
    with session:
        session.reply()
        forge_twice(points, host, forger, f"{label}, listed, before EHLO", session,
                    host.courier.child_of(session))


def after_ehlo(points, host, forger, label, why):
    """The client's submit knows that it is listed; the client may be about to log in."""
    session, child = host.open(listed(4))
    with session:
        wait_for(lambda: any(process.name == "submit"
                             for process in host.courier.serving(listed(4))), 3, "its submit")
        forge_twice(points, host, forger, f"{label}, listed, after EHLO", session, child)


def logged_in(points, host, forger, label, why):
    source = listed(2)
    session, child = host.open(source)
    with session:
        points.equal(session.login(USER, PASSWORD).code, 235,
                     f"{label}, logged in: the login works")
        points.equal(session.command("MAIL FROM:<a@b.example>").code, 250,
                     f"{label}, logged in: a mail has begun")
        with harmless(points, host, f"{label}, logged in", sources=[source],
                      pids=[forger.pid, child.pid], triggers=2, rejects=2, refused__sender=2):
            forger.log(reject_line(source, session.source_port))
            forger.log(reject_line(source, session.source_port), tag=hinted(child))
        points.equal(session.command(f"RCPT TO:<{MAILBOX}>").code, 250,
                     f"{label}, logged in: the session goes on")


def without_port(points, host, forger, label, why):
    """courier before 1.0.12 wrote no port: that does not avoid the proof either."""
    session = host.session(listed(3))
    with session:
        session.reply()
        child = host.courier.child_of(session)
        with harmless(points, host, f"{label}, no port in the line", sources=[listed(3)],
                      pids=[forger.pid, child.pid], triggers=1, rejects=1, refused__sender=1):
            forger.log(reject_line(listed(3)).replace(",port=4711", ""))


ATTACKS = (absent, unlisted, before_ehlo, after_ehlo, logged_in, without_port)


def control(points, host, label, source):
    """A client that courier itself rejects is blocked, by the same rsyslogd."""
    with Counted(points, host, f"{label}, the control", triggers=1, rejects=1, blocks=1, ended=1):
        block(points, host, source, f"{label}, the control")


def scenario(points):
    ways = (("credentials", CREDENTIALS, {"absent": "refused__sender",
                                          "unlisted": "refused__sender"}),
            ("no credentials", "", {"absent": "refused__no_child", "unlisted": "not_listed"}))
    with mail_host() as host:
        for number, (label, imuxsock, why) in enumerate(ways):
            restart(host, action(), imuxsock=imuxsock)
            with Forger() as forger:
                for attack in ATTACKS:
                    # Then the user cannot be told from courier: SECURITY says so.
                    if attack is after_ehlo and not imuxsock:
                        continue
                    with tap.part(points, f"{label}, {attack.__name__}"):
                        attack(points, host, forger, label, why)
            control(points, host, label, listed(10 + number))


if __name__ == "__main__":
    tap.main(scenario)
