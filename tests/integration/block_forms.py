#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""BLOCK in every form that a postmaster can write into BLACKLISTS.

The TXT record; a message with its own 5xx code and the address in it; one
without a code; one of 200 characters, which courier cuts in the log; a 451, which is
not a permanent reject; a zone without BLOCK, which rejects nobody.
"""
# backends: both

from lib import processes, tap
from lib.courier import BLOCK_TXT, block_message
from lib.rsyslog import action
from lib.scenario import MAILBOX, listed, mail_host
from lib.wait import stays

LONG = "Mail from this address is refused because " + "it is listed " * 12 + "somewhere"

FORMS = (
    ("the TXT record", BLOCK_TXT, 511, True),
    ("a message with 550 and the address", block_message("550 Go away: see bl.lab/?ip=@"), 550,
     True),
    ("a message without a code", block_message("Go away"), 511, True),
    ("a message that the log cuts", block_message(LONG), 511, True),
    ("a 451", block_message("451 Try later"), 451, False),
    ("a zone without BLOCK", "-block=bl.lab", 250, False),
)


def one_form(points, host, source, form):
    label, _, code, blocked = form
    session, child = host.open(source)
    with session:
        points.equal(session.recipient(MAILBOX).code, code, f"{label}: answered with {code}")
        if blocked:
            points.until(lambda: host.is_blocked(source) and processes.gone(child.pid), 4,
                         f"{label}: blocked, the smtpd gone", host.rsyslog.own, host.rsyslog.mail)
        else:
            points.ok(stays(lambda: processes.alive(child.pid) and not host.is_blocked(source),
                            0.6), f"{label}: nobody blocked, nobody signalled", host.rsyslog.own())


def scenario(points):
    for number, form in enumerate(FORMS, 1):
        with tap.part(points, form[0]), mail_host(action(), blacklists=form[1]) as host:
            one_form(points, host, listed(number), form)


if __name__ == "__main__":
    tap.main(scenario)
