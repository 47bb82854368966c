#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""trigger="connect": a listed client is rejected at `started`.

That is before the tarpit (TARPIT is on here) and before any dialogue. On a plain
connection it reads 554 as the answer to its first command; nothing is written into a TLS
stream; a 4xx in BLOCK causes no block.
"""
# backends: both
# limit: 90

import contextlib
import ssl

from lib import processes, tap
from lib.attack import QUIET, Counted, restart
from lib.courier import block_message
from lib.firewall import drops
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import MAILBOX, listed, mail_host, ordinary
from lib.smtp import Closed
from lib.wait import stays

SESSIONS = 100
PORTS = (25, 465, 587)


def rules(**parameters):
    return action("mail.info", trigger="connect", ports=PORTS, **parameters)


def rejected_at_start(host, source, port=25):
    """A client that sends EHLO at once; it may get an answer before the 554.

    All replies are in the session's `replies`; how it ended is returned, too.
    """
    session = host.session(source, port)
    with session:
        with contextlib.suppress(Closed):
            session.greet()
        return session, session.ended(60)


def read_the_554(session):
    return session.replies[0].code == 220 and session.saw(554)


def every_session_reads_it(points, host):
    restart(host, rules())
    with Counted(points, host, f"{SESSIONS} sessions", triggers=SESSIONS, blocks=SESSIONS,
                 replies=SESSIONS, ended=SESSIONS):
        results = [rejected_at_start(host, listed(number)) for number in range(1, SESSIONS + 1)]
    informed = [session for session, _ in results if read_the_554(session)]
    points.equal(len(informed), SESSIONS, f"{SESSIONS} of {SESSIONS} sessions read the 554")
    points.ok(all(f"5.7.1 Listed in lab DNSBL, {session.source}" in
                  [reply.text for reply in session.replies] for session in informed),
              "it has the DNSBL's text")
    points.equal([how for _, how in results].count(None), 0, "every connection is ended")
    points.equal(host.list4.addresses(), {listed(n) for n in range(1, SESSIONS + 1)},
                 "every address is on the list")
    points.ok(drops(host.list4, host.network, listed(1)), "the next packet is dropped")
    points.until(lambda: not host.courier.slots(), 3, "no slot is taken", host.courier.slots)
    # Lists keep 100 addresses if xt_recent is built into the kernel, and the module
    # itself counts when they are full.
    restart(host, rules())


def ipv6(points, host):
    with Counted(points, host, "IPv6", triggers=1, blocks=1, replies=1, ended=1):
        session, _ = rejected_at_start(host, listed(1, 6))
    points.ok(read_the_554(session), "IPv6: the client reads the 554", session.replies)
    points.until(lambda: host.is_blocked(listed(1, 6)), 2, "IPv6: on the list")


def before_the_tarpit(points, host):
    """A client that sends nothing at all: its slot is freed all the same."""
    source = listed(120)
    with Counted(points, host, "a silent client", triggers=1, blocks=1, replies=1,
                 ended=1), host.session(source):
        points.until(lambda: host.is_blocked(source), 3, "a silent client is on the list",
                     host.rsyslog.own)
        points.until(lambda: not host.courier.slots_of(source), 3, "a silent client's slot is free",
                     host.courier.slots)


def not_listed(points, host):
    with Counted(points, host, "not listed", triggers=1, not_listed=1):
        session, child = host.open(ordinary(1))
    with session:
        points.ok(stays(lambda: processes.alive(child.pid) and not host.is_blocked(ordinary(1)),
                        QUIET), "not listed: neither blocked nor terminated")
        points.equal(session.recipient(MAILBOX).code, 250, "not listed: served")


def submission_port(points, host):
    """A port with STARTTLS is plain at first, and so is the reply."""
    with Counted(points, host, "587", triggers=1, blocks=1, replies=1, ended=1):
        session, how = rejected_at_start(host, listed(121), 587)
    points.ok(read_the_554(session), "587: the client reads the 554 in plain", session.replies)
    points.ok(how, "587: the connection is ended")


def tls_port(points, host):
    """465 sends nothing but TLS, and the smtpd is terminated."""
    source = listed(122)
    with Counted(points, host, "465", triggers=1, blocks=1, ended=1):
        broken = None
        with host.session(source, 465, tls=True) as session:
            try:
                session.reply()
                session.command("EHLO client.example")
            except Closed:
                pass
            except ssl.SSLError as problem:
                broken = problem
            codes = [reply.code for reply in session.replies]
            points.until(lambda: host.is_blocked(source), 3, "465: on the list", host.rsyslog.own)
            points.until(lambda: not host.courier.serving(source), 3,
                         "465: the smtpd and its couriertls are gone",
                         lambda: host.courier.serving(source))
        points.ok(broken is None and 554 not in codes,
                  "465: nothing was written into the TLS stream", broken, codes)


def reply_off(points, host):
    restart(host, rules(connect_reply="off"))
    source = listed(123)
    with Counted(points, host, 'connect.reply="off"', triggers=1, blocks=1, ended=1):
        session, how = rejected_at_start(host, source)
        points.ok(how and not session.saw(554), 'connect.reply="off": no 554, but an end',
                  session.replies, how)


def dry_run(points, host):
    restart(host, rules(dryRun="on"))
    source = listed(124)
    with Counted(points, host, "dryRun", triggers=1, would_block=1):
        with host.session(source) as session:
            session.reply()
            child = host.courier.child_of(session)
            points.until(lambda: host.rsyslog.logged(f"dryRun: would block {source} port"), 3,
                         "dryRun: it is logged")
            points.ok(stays(lambda: processes.alive(child.pid), 0.4)
                      and not host.is_blocked(source), "dryRun: nothing is done")


def temporary(points):
    """A BLOCK with 451 asks the client to try again."""
    with mail_host(rules(), imuxsock=CREDENTIALS,
                   blacklists=block_message("451 Try again later")) as host:
        source = listed(1)
        with Counted(points, host, "451", triggers=1, temporary=1):
            session = host.session(source)
            session.reply()
            child = host.courier.child_of(session)
        with session:
            points.equal(child.environment.get("BLOCK"), "451 Try again later",
                         "451: BLOCK has it")
            points.ok(stays(lambda: processes.alive(child.pid) and not host.is_blocked(source),
                            QUIET), "451: neither blocked nor terminated")


CHECKS = (every_session_reads_it, ipv6, before_the_tarpit, not_listed, submission_port, tls_port,
          reply_off, dry_run)


def scenario(points):
    with mail_host(rules(), ports=PORTS, tarpit=True) as host:
        for check in CHECKS:
            with tap.part(points, check.__name__):
                check(points, host)
    with tap.part(points, "temporary"):
        temporary(points)


if __name__ == "__main__":
    tap.main(scenario)
