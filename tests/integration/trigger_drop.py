#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""courier with -drop: the line's sender has exited before it can be checked.

With verify="sender" and the sender's credentials from the kernel, the address is blocked.
Without either nothing is blocked; it is counted, and the remedy is logged once.
"""


from lib import tap
from lib.attack import Counted, Forger, harmless, log_and_leave, restart
from lib.firewall import drops
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import listed, mail_host, ordinary

SENDER = action("mail.warning", verify="sender")
CHILD = action("mail.warning")


def dropped(host, source):
    """A listed client's whole session: the connection ends without a reply."""
    with host.session(source) as session:
        return session.ended(60), session.replies


def was_dropped(points, host, source, label):
    how, replies = dropped(host, source)
    points.ok(how and not replies, f"{label}: courier drops the connection", how, replies)
    points.until(lambda: any(f"dropped blocked connection from ::ffff:{source}" in line
                             for line in host.rsyslog.mail()), 3, f"{label}: and logs it",
                 host.rsyslog.mail)


def sender_blocks(points, host):
    restart(host, SENDER)
    with Counted(points, host, "sender", triggers=1, blocks=1):
        was_dropped(points, host, listed(1), "sender")
        points.until(lambda: host.is_blocked(listed(1)), 3, "sender: the address is on the list",
                     host.rsyslog.own)
    points.ok(drops(host.list4, host.network, listed(1)), "sender: the next packet is dropped")


def advice(host):
    return host.rsyslog.logged(r'omsmtpblock: .*-drop.*verify="sender"')


def refused(points, host, label, rules, imuxsock, number):
    restart(host, rules, imuxsock=imuxsock)
    before = len(advice(host))
    with harmless(points, host, label, sources=[listed(number), listed(number + 1)], triggers=2,
                  refused__gone=2):
        was_dropped(points, host, listed(number), label)
        was_dropped(points, host, listed(number + 1), label)
        points.until(lambda: len(advice(host)) > before, 3, f"{label}: the remedy is logged",
                     host.rsyslog.own)
        points.equal(len(advice(host)) - before, 1, f"{label}: once")


def forged(points, host):
    """A stranger, alive or exited; courier's own user, but another program."""
    restart(host, SENDER, imuxsock=CREDENTIALS)
    line = "dropped blocked connection from ::ffff:10.9.4.{}"
    with Forger() as forger, harmless(points, host, "a stranger that is alive",
                                      sources=["10.9.4.1"],
                                      pids=[forger.pid], triggers=1, refused__sender=1):
        forger.log(line.format(1), "warning")
    with harmless(points, host, "a stranger that has exited", sources=["10.9.4.2"], triggers=1,
                  refused__sender=1):
        log_and_leave(host, line.format(2), severity="warning")
    with Forger("courier") as forger, \
            harmless(points, host, "courier's user, another program", sources=["10.9.4.3"],
                     pids=[forger.pid], triggers=1, refused__sender=1):
        forger.log(line.format(3), "warning")


def scenario(points):
    with mail_host(SENDER, drop=True) as host:
        with tap.part(points, "sender"):
            sender_blocks(points, host)
        for label, rules, imuxsock, number in (
                ("child, credentials", CHILD, CREDENTIALS, 10),
                ("child, no credentials", CHILD, "", 20),
                ("sender, no credentials", SENDER, "", 30)):
            with tap.part(points, label):
                refused(points, host, label, rules, imuxsock, number)
        with tap.part(points, "forged"):
            forged(points, host)
        with tap.part(points, "ordinary"), host.session(ordinary(1)) as session:
            points.equal(session.reply().code, 220, "an unlisted client is served")


if __name__ == "__main__":
    tap.main(scenario)
