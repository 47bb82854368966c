#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""$RepeatedMsgReduction on, as in Ubuntu's and SUSE's rsyslog.conf.

rsyslog's input passes the first of five equal rejects on and counts the others. Its summary
counts as four triggers.
"""
# backends: both

from lib import processes, tap
from lib.attack import Counted
from lib.rsyslog import action
from lib.scenario import mail_host, ordinary

RULES = action(trigger="relay", threshold=5)
SUMMARY = "message repeated 4 times: ["


def scenario(points):
    with mail_host(RULES, settings="$RepeatedMsgReduction on\n") as host:
        source = ordinary(1)
        session, child = host.open(source)
        with session, Counted(points, host, "five equal rejects", triggers=2,
                              below_threshold=1, blocks=1, ended=1):
            session.command("MAIL FROM:<a@b.example>")
            codes = [session.command("RCPT TO:<c@elsewhere.example>").code for _ in range(5)]
            points.equal(codes, [513] * 5, "five rejects")
            # Any other message makes rsyslog log the summary.
            with host.session(ordinary(2)) as other:
                other.greet()
                points.until(lambda: SUMMARY in host.rsyslog.mail_log.read_text(), 3,
                             "rsyslog summarizes four of them")
                points.until(lambda: host.is_blocked(source), 3, "the address is blocked",
                             host.rsyslog.own)
                points.until(lambda: processes.gone(child.pid), 3, "the session is terminated")
        points.ok(not host.rsyslog.logged("unknown form"), "no line was unknown",
                  host.rsyslog.own)


if __name__ == "__main__":
    tap.main(scenario)
