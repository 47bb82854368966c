# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""BLOCK in every form that a postmaster can write into BLACKLISTS.

The TXT record; a message with its own 5xx code and the address in it; one
without a code; one of 200 characters, which courier cuts in the log; a 451, which is
not a permanent reject; a zone without BLOCK, which rejects nobody.
"""
# backends: both

from lib.courier import BLOCK_TXT, block_message
from lib.scenario import MAILBOX, listed, mail_host

LONG = "Mail from this address is refused because " + "it is listed " * 12 + "somewhere"

FORMS = {
    "the TXT record": (BLOCK_TXT, 511, True),
    "a message with 550 and the address": (block_message("550 Go away: see bl.lab/?ip=@"), 550,
                                           True),
    "a message without a code": (block_message("Go away"), 511, True),
    "a message that the log cuts": (block_message(LONG), 511, True),
    "a 451": (block_message("451 Try later"), 451, False),
    "a zone without BLOCK": ("-block=bl.lab", 250, False),
}


def scenario(points):
    for number, (label, (blacklists, code, blocked)) in enumerate(FORMS.items(), 1):
        with points.part(label), mail_host(points, blacklists=blacklists) as host:
            _, child = host.rejects(listed(number), code, to=MAILBOX)
            if blocked:
                host.blocks(listed(number))
                host.ends(child)
            else:
                host.spares(listed(number), pids=[child.pid])
