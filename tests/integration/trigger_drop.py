# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""courier with -drop: the line's sender has exited before it can be checked.

Only with verify="sender" and the sender's credentials the address is blocked. Otherwise the
remedy is logged once.
"""

from lib.attack import Forger, log_and_leave
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import listed, mail_host, ordinary

SENDER = action("mail.warning", verify="sender")
CHILD = action("mail.warning")


def was_dropped(host, source):
    """A listed client's whole session: the connection ends without a reply."""
    session = host.session(source)
    how = session.ended(60)
    host.points.ok(how and not session.replies, "courier drops the connection", how,
                   session.replies)
    host.writes(f"dropped blocked connection from ::ffff:{source}")


def sender_blocks(points, host):
    with host.counted(triggers=1, blocks=1):
        was_dropped(host, listed(1))
        host.blocks(listed(1))
    host.drops(listed(1))


def refused(host, rules, imuxsock, number):
    host.restart(rules, imuxsock=imuxsock)
    sources = [listed(number), listed(number + 1)]
    with host.harmless(sources=sources, triggers=2, refused__gone=2):
        for source in sources:
            was_dropped(host, source)
        host.logs_once(r'omsmtpblock: .*-drop.*verify="sender"')


def forged(points, host):
    """A stranger, alive or exited; courier's own user, but another program."""
    host.restart(SENDER, imuxsock=CREDENTIALS)
    line = "dropped blocked connection from ::ffff:10.9.4.{}"
    for number, user in enumerate(("nobody", "courier"), 1):
        with Forger(user) as forger, \
                host.harmless(f"{user}, alive", sources=[f"10.9.4.{number}"], pids=[forger.pid],
                              triggers=1, refused__sender=1):
            forger.log(line.format(number), "warning")
    with host.harmless("nobody, exited", sources=["10.9.4.3"], triggers=1, refused__sender=1):
        log_and_leave(host, line.format(3), severity="warning")


def unlisted(points, host):
    points.equal(host.session(ordinary(1)).reply().code, 220, "served")


def scenario(points):
    with mail_host(points, SENDER, drop=True) as host:
        host.parts(sender_blocks)
        for label, rules, imuxsock, number in (
                ("child, credentials", CHILD, CREDENTIALS, 10),
                ("child, no credentials", CHILD, "", 20),
                ("sender, no credentials", SENDER, "", 30)):
            with host.part(label):
                refused(host, rules, imuxsock, number)
        host.parts(forged, unlisted)
