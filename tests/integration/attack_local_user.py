# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A local user logs a listed client's reject through /dev/log, without effect.

The user knows the address, the port and the DNSBL's text. With the sender's credentials,
and without.
"""
# backends: both

from lib.attack import Forger
from lib.scenario import (MAILBOX, SENDERS, listed, mail_host, ordinary, reject_line)
from lib.wait import wait_for

ABSENT = "10.9.4.1"


def hinted(child):
    """The tag of a sender that names the smtpd's PID as its own."""
    return f"courieresmtpd[{child.pid}]"


def absent(points, host, forger, known):
    with host.harmless(sources=[ABSENT], pids=[forger.pid], triggers=1, rejects=1,
                       **{"refused__sender" if known else "refused__no_child": 1}):
        forger.log(reject_line(ABSENT))


def forge_twice(host, forger, session, child, counter="refused__sender"):
    with host.harmless(sources=[session.source], pids=[forger.pid, child.pid], triggers=2,
                       rejects=2, **{counter: 2}):
        forger.log(reject_line(session.source, session.source_port))
        forger.log(reject_line(session.source, session.source_port), tag=hinted(child))
    host.serves(session, child)


def unlisted(points, host, forger, known):
    forge_twice(host, forger, *host.open(ordinary(1)), "refused__sender" if known else "not_listed")


def before_ehlo(points, host, forger, known):
    """courieresmtpd has not started a submit yet."""
    forge_twice(host, forger, *host.greeted(listed(1)))


def after_ehlo(points, host, forger, known):
    """The client's submit knows that it is listed; the client may be about to log in."""
    session, child = host.open(listed(4))
    wait_for(lambda: any(process.name == "submit" for process in host.courier.serving(listed(4))),
             3, "its submit")
    forge_twice(host, forger, session, child)


def after_mail(points, host, forger, known):
    """The client cannot log in now. Without credentials the user cannot be told from courier:
    SECURITY says so, and so does this."""
    session, child = host.open(listed(4))
    points.equal(session.command("MAIL FROM:<a@b.example>").code, 250, "MAIL is accepted")
    if known:
        forge_twice(host, forger, session, child)
        return
    forger.log(reject_line(listed(4), session.source_port))
    host.blocks(listed(4))
    host.ends(child)


def logged_in(points, host, forger, known):
    session, child = host.open(listed(2))
    host.logs_in(session)
    forge_twice(host, forger, session, child)
    points.equal(session.command(f"RCPT TO:<{MAILBOX}>").code, 250, "its mail goes on")


def without_port(points, host, forger, known):
    """courier before 1.0.12 wrote no port: that does not avoid the proof either."""
    _, child = host.greeted(listed(3))
    with host.harmless(sources=[listed(3)], pids=[forger.pid, child.pid], triggers=1, rejects=1,
                       refused__sender=1):
        forger.log(reject_line(listed(3)).replace(",port=4711", ""))


def another_session(points, host, forger, known):
    """A hint at an smtpd that serves another port, or another address; and no hint."""
    session, child = host.open(listed(5))
    port = session.source_port
    for source, number, tag in ((listed(5), 1, hinted(child)), (listed(6), port, hinted(child)),
                                (listed(5), 1, "courieresmtpd")):
        forger.log(reject_line(source, number), tag=tag)
        host.writes(source, f"port={number},")
        host.spares(listed(5), listed(6), pids=[child.pid, forger.pid])


ATTACKS = (absent, unlisted, before_ehlo, after_ehlo, after_mail, logged_in, without_port,
           another_session)


def scenario(points):
    with mail_host(points) as host:
        for number, (sender, imuxsock) in enumerate(SENDERS.items()):
            host.restart(imuxsock=imuxsock)
            with Forger() as forger:
                for attack in ATTACKS:
                    with host.part(f"{sender}, {attack.__name__}"):
                        attack(points, host, forger, bool(imuxsock))
            # A client that courier itself rejects is blocked, by the same rsyslogd.
            with host.part(f"{sender}, the control"), \
                    host.counted(triggers=1, rejects=1, blocks=1, ended=1):
                host.block(listed(10 + number))
