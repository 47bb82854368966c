#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Listed clients behind TLS: STARTTLS on 25, 465, and 587 plain and with STARTTLS.

No couriertls is left, although the client never closes his end; on 465 the
slot is couriertls', so it counts that this one ends. Nothing is killed here:
TERM has to be enough.
"""
# backends: both

import itertools

from lib import tap
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import Neighbour, block, listed, mail_host

PORT_NUMBERS = (25, 465, 587)
PORTS = (
    ("STARTTLS on 25", {"port": 25, "starttls": True}),
    ("465", {"port": 465, "tls": True}),
    ("587", {"port": 587}),
    ("STARTTLS on 587", {"port": 587, "starttls": True}),
)


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


if __name__ == "__main__":
    tap.main(scenario)
