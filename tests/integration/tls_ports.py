# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Listed clients behind TLS: STARTTLS on 25, 465, and 587 plain and with STARTTLS.

No couriertls is left, although the client never closes its end and KILL is not used. With
terminate.delay="0" TERM comes before the block, and the 511 may not arrive.
"""
# backends: both

import itertools

from lib.rsyslog import CREDENTIALS, action
from lib.scenario import PORTS, SENDERS, WAYS, Neighbour, listed, mail_host

RULES = action(terminate_killAfter=0, ports=PORTS)
AT_ONCE = action(terminate_killAfter=0, terminate_delay=0, ports=PORTS)


def at_once(host, source, how, cuts):
    """No process is left of a client that is terminated without delay."""
    session, child = host.open(source, **how)
    session.try_recipient()
    host.blocks(source)
    if cuts:
        session.cut()
    host.ends(child)
    host.frees_slot(source)


def scenario(points):
    numbers = itertools.count(1)
    with mail_host(points, RULES, ports=PORTS, delivery=True) as host:
        for sender, imuxsock in SENDERS.items():
            host.restart(RULES, imuxsock=imuxsock)
            neighbour = Neighbour(host)
            for way, family in itertools.product(WAYS, (4, 6)):
                if way != "25":     # listed_client
                    with host.part(f"{way}, {sender}, IPv{family}"):
                        host.block(listed(next(numbers), family), **WAYS[way])
            neighbour.sends_its_mail()
        host.restart(AT_ONCE, imuxsock=CREDENTIALS)
        neighbour = Neighbour(host)
        for (way, how), cuts in itertools.product(WAYS.items(), (False, True)):
            with host.part(f"{way}, no delay{', cut by the client' if cuts else ''}"):
                at_once(host, listed(next(numbers)), how, cuts)
        neighbour.sends_its_mail()
