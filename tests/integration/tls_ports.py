#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Listed clients behind TLS: STARTTLS on 25, 465, and 587 plain and with STARTTLS.

No couriertls is left, although the client never closes its end. On 465 couriertls has the
slot, so it must exit. KILL is not used here: TERM has to be enough. With
terminate.delay="0" TERM comes before the block, and the 511 may not arrive; the client may
be gone, too.
"""
# backends: both

import itertools

from lib import processes, tap
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import NOBODY, Neighbour, block, listed, mail_host

PORT_NUMBERS = (25, 465, 587)
PORTS = (
    ("STARTTLS on 25", {"port": 25, "starttls": True}),
    ("465", {"port": 465, "tls": True}),
    ("587", {"port": 587}),
    ("STARTTLS on 587", {"port": 587, "starttls": True}),
)


def at_once(points, host, source, label, *, cuts=False, **how):
    """No process is left of a client that is terminated without delay: four points."""
    session, child = host.open(source, **how)
    session.command("MAIL FROM:<a@b.example>")
    session.send(f"RCPT TO:<{NOBODY}>")
    points.until(lambda: host.is_blocked(source), 3, f"{label}: the address is on the list",
                 host.rsyslog.own)
    if cuts:
        session.cut()
    points.until(lambda: processes.gone(child.pid), 4, f"{label}: the smtpd is gone",
                 lambda: processes.look(child.pid), host.rsyslog.own)
    points.until(lambda: not host.courier.serving(source), 4,
                 f"{label}: no process serves the client",
                 lambda: host.courier.serving(source))
    points.until(lambda: not host.courier.slots_of(source), 2, f"{label}: the slot is free",
                 host.courier.slots)
    session.close()


def without_delay(points, host, numbers):
    host.rsyslog.stop()
    host.rsyslog.rules = action(terminate_killAfter=0, terminate_delay=0, ports=PORT_NUMBERS)
    host.rsyslog.start()
    neighbour = Neighbour(host)
    for (name, how), cuts in itertools.product((("plain", {"port": 25}), *PORTS), (False, True)):
        label = f"{name}, no delay{', cut by the client' if cuts else ''}"
        with tap.part(points, label):
            at_once(points, host, listed(next(numbers)), label, cuts=cuts, **how)
    neighbour.sends_his_mail(points, "no delay")


def scenario(points):
    numbers = itertools.count(1)
    with mail_host(action(terminate_killAfter=0, ports=PORT_NUMBERS), ports=PORT_NUMBERS,
                   delivery=True) as host:
        for sender, imuxsock in (("credentials", CREDENTIALS), ("no credentials", "")):
            host.rsyslog.stop()
            host.rsyslog.imuxsock = imuxsock
            host.rsyslog.start()
            neighbour = Neighbour(host)
            for (name, how), family in itertools.product(PORTS, (4, 6)):
                label = f"{name}, {sender}, IPv{family}"
                with tap.part(points, label):
                    block(points, host, listed(next(numbers), family), label, **how)
            neighbour.sends_his_mail(points, sender)
        host.rsyslog.imuxsock = CREDENTIALS
        without_delay(points, host, numbers)


if __name__ == "__main__":
    tap.main(scenario)
