# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""BLOCK in every form that a postmaster can write into BLACKLISTS, and the tarpit."""
# backends: both

import itertools

from lib.courier import BLOCK_TXT, block_message
from lib.scenario import MAILBOX, listed, mail_host

LONG = "Mail from this address is refused because " + "it is listed " * 12 + "somewhere"

# The blacklists, courier's reply, and whether that is a reject.
FORMS = {
    "the TXT record": (BLOCK_TXT, 511, True),
    "a message with 550 and the address": (block_message("550 Go away: see bl.lab/?ip=@"), 550,
                                           True),
    "a message without a code": (block_message("Go away"), 511, True),
    "a message that the log cuts": (block_message(LONG), 511, True),
    "a 451": (block_message("451 Try later"), 451, False),
    "a zone without BLOCK": ("-block=bl.lab", 250, False),
}

# Blocks outlive a mail host with nftables.
numbers = itertools.count(1)


def one_form(points, code, blocked, **courier):
    """Several clients wait for their reply at a time."""
    with mail_host(points, **courier) as host:
        clients = [host.open(listed(next(numbers))) for _ in range(3)]
        sources, children = [session.source for session, _ in clients], [c for _, c in clients]
        for session, _ in clients:
            session.try_recipient(MAILBOX)
        points.equal([[session.reply().code for _ in range(2)] for session, _ in clients],
                     [[250, code]] * 3, f"answered with {code}")
        if blocked:
            host.blocks(*sources)
            host.ends(*children)
        else:
            host.spares(*sources, pids=[child.pid for child in children])


def scenario(points):
    for name, (blacklists, code, blocked) in FORMS.items():
        with points.part(name):
            one_form(points, code, blocked, blacklists=blacklists)
    # courier's default: the reject comes 8 s late. Every other scenario runs without it.
    with points.part("TARPIT=1"):
        one_form(points, 511, True, tarpit=True)
