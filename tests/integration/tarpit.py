# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""TARPIT=1, courier's default: the reject comes 8 s late and is acted on all the same.

(Every other scenario runs without the tarpit.) Several clients wait at a time.
"""

from lib.scenario import listed, mail_host, ordinary


def scenario(points):
    with mail_host(points, tarpit=True) as host:
        clients = [host.open(listed(number)) for number in range(1, 5)]
        neighbour = host.open(ordinary(1))
        for session, _ in clients:
            session.try_recipient()
        for session, child in clients:
            points.equal([session.reply().code for _ in range(2)], [250, 511],
                         f"{session.source} sees its 511 after the tarpit")
            host.blocks(session.source)
            host.ends(child)
        host.serves(*neighbour)
