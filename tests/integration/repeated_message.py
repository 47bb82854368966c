# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""$RepeatedMsgReduction on, as in Ubuntu's and SUSE's rsyslog.conf.

rsyslog's input passes the first of five equal rejects on and counts the others. Its summary
counts as four triggers.
"""
# backends: both

from lib.rsyslog import action
from lib.scenario import mail_host, ordinary

RULES = action(trigger="relay", threshold=5)


def scenario(points):
    with mail_host(points, RULES, settings="$RepeatedMsgReduction on\n") as host:
        session, child = host.open(ordinary(1))
        with host.counted("five equal rejects", triggers=2, below_threshold=1, blocks=1, ended=1):
            session.command("MAIL FROM:<a@b.example>")
            codes = [session.command("RCPT TO:<c@elsewhere.example>").code for _ in range(5)]
            points.equal(codes, [513] * 5, "five rejects")
            # Any other message makes rsyslog log the summary.
            host.open(ordinary(2))
            host.writes("message repeated 4 times: [")
            host.blocks(session.source)
            host.ends(child)
        points.ok(not host.rsyslog.logged("unknown form"), "no line was unknown")
