# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""trigger="connect": a listed client is rejected at `started`.

That is before the tarpit and before any dialogue. A plain connection reads 554 as the answer
to its first command; nothing is written into a TLS stream; a 4xx in BLOCK causes no block.
"""
# backends: both
# limit: 90

import contextlib
import ssl

from lib.courier import block_message
from lib.rsyslog import action
from lib.scenario import MAILBOX, PORTS, listed, mail_host, ordinary
from lib.smtp import Closed

SESSIONS = 100


def rules(**parameters):
    return action("mail.info", trigger="connect", ports=PORTS, **parameters)


def rejected_at_start(host, source, port=25):
    """A client that sends EHLO at once; it may get an answer before the 554.

    All replies are in the session's `replies`; how it ended is returned, too.
    """
    session = host.session(source, port)
    with contextlib.suppress(Closed):
        session.greet()
    how = session.ended(60)
    session.close()
    return session, how


def read_the_554(session):
    return session.replies[0].code == 220 and session.saw(554)


def every_session_reads_it(points, host):
    sources = [listed(number) for number in range(1, SESSIONS + 1)]
    with host.counted(triggers=SESSIONS, blocks=SESSIONS, replies=SESSIONS, ended=SESSIONS):
        results = [rejected_at_start(host, source) for source in sources]
    informed = [session for session, _ in results if read_the_554(session)]
    points.equal(len(informed), SESSIONS, f"{SESSIONS} of {SESSIONS} sessions read the 554")
    points.ok(all(f"5.7.1 Listed in lab DNSBL, {session.source}" in
                  [reply.text for reply in session.replies] for session in informed),
              "it has the DNSBL's text")
    points.equal([how for _, how in results].count(None), 0, "every connection is ended")
    points.equal(host.list4.addresses(), set(sources), "every address is on the list")
    host.drops(listed(1))
    points.until(lambda: not host.courier.slots(), 3, "no slot is taken", host.courier.slots)
    # Lists keep 100 addresses if xt_recent is built into the kernel, and the module
    # itself counts when they are full.
    host.restart(rules())


def ipv6_and_submission_port(points, host):
    """A port with STARTTLS is plain at first, and so is the reply."""
    for source, port in ((listed(1, 6), 25), (listed(121), 587)):
        with host.counted(source, triggers=1, blocks=1, replies=1, ended=1):
            session, how = rejected_at_start(host, source, port)
        points.ok(read_the_554(session) and how, f"{source} reads the 554, then the end",
                  session.replies)
        host.blocks(source, deadline=2)


def silent_client(points, host):
    """Before the tarpit: its slot is freed all the same."""
    source = listed(120)
    with host.counted(triggers=1, blocks=1, replies=1, ended=1):
        host.session(source)
        host.blocks(source)
        host.frees_slot(source)


def not_listed(points, host):
    with host.counted(triggers=1, not_listed=1):
        _, child = host.rejects(ordinary(1), 250, to=MAILBOX)
    host.spares(ordinary(1), pids=[child.pid])


def tls_port(points, host):
    """465 sends nothing but TLS, and the smtpd is terminated."""
    source, broken = listed(122), None
    with host.counted(triggers=1, blocks=1, ended=1):
        session = host.session(source, 465, tls=True)
        try:
            session.greet()
        except Closed:
            pass
        except ssl.SSLError as problem:
            broken = problem
        host.blocks(source)
        host.frees_slot(source)
        points.ok(broken is None and not session.saw(554),
                  "nothing was written into the TLS stream", broken, session.replies)


def reply_off(points, host):
    host.restart(rules(connect_reply="off"))
    with host.counted(triggers=1, blocks=1, ended=1):
        session, how = rejected_at_start(host, listed(123))
        points.ok(how and not session.saw(554), "no 554, but an end", session.replies, how)


def dry_run(points, host):
    host.restart(rules(dryRun="on"))
    source = listed(124)
    with host.counted(triggers=1, would_block=1):
        _, child = host.greeted(source)
        points.until(lambda: host.rsyslog.logged(f"dryRun: would block {source} port"), 3,
                     "it is logged")
        host.spares(source, pids=[child.pid])


def temporary(points):
    """A BLOCK with 451 asks the client to try again."""
    with mail_host(points, rules(), blacklists=block_message("451 Try again later")) as host:
        with host.counted(triggers=1, temporary=1):
            _, child = host.greeted(listed(1))
        points.equal(child.environment.get("BLOCK"), "451 Try again later", "BLOCK has it")
        host.spares(listed(1), pids=[child.pid])


def scenario(points):
    with mail_host(points, rules(), ports=PORTS, tarpit=True) as host:
        host.parts(every_session_reads_it, ipv6_and_submission_port, silent_client, not_listed,
                   tls_port, reply_off, dry_run)
    points.parts((temporary,))
