# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A listed client on port 25, both families, however rsyslogd is set up.

Nothing is left of its session; the neighbour's connection and mail are unharmed.
"""
# backends: both

import itertools

from lib.rsyslog import CREDENTIALS, SEVERAL_WORKERS, action
from lib.scenario import Neighbour, listed, mail_host

ACTION_QUEUE = {"queue_type": "linkedList", "queue_workerThreads": 4,
                "queue_workerThreadMinimumMessages": 1}

SETUPS = (
    ("rsyslogd -n, credentials", CREDENTIALS, "", {}, False),
    ("rsyslogd -n, no credentials", "", "", {}, False),
    ("PID from the system only", 'SysSock.UsePIDFromSystem="on"', "", {}, False),
    ("trusted properties only", 'SysSock.Annotate="on" SysSock.ParseTrusted="on"', "", {}, False),
    ("forking, credentials", CREDENTIALS, "", {}, True),
    ("forking, no credentials", "", "", {}, True),
    ("four workers, credentials", CREDENTIALS, SEVERAL_WORKERS, {}, False),
    ("four workers of the action, no credentials", "", SEVERAL_WORKERS, ACTION_QUEUE, False),
)
AT_ONCE = 20
numbers = itertools.count(1)


def many_at_once(points, host):
    """All rejects of a burst are acted on, whichever worker gets them."""
    clients = [host.open(listed(next(numbers))) for _ in range(AT_ONCE)]
    for session, _ in clients:
        session.try_recipient()
    replies = [[session.reply().code for _ in range(2)] for session, _ in clients]
    points.equal(replies, [[250, 511]] * AT_ONCE, f"{AT_ONCE} at once see their 511")
    host.blocks(*(session.source for session, _ in clients))
    host.ends(*(child for _, child in clients))


def scenario(points):
    with mail_host(points, delivery=True) as host:
        for label, imuxsock, settings, parameters, forking in SETUPS:
            with host.part(label):
                host.restart(action(**parameters), forking=forking, imuxsock=imuxsock,
                             settings=settings)
                neighbour = Neighbour(host)
                for family in (4, 6):
                    host.block(listed(next(numbers), family))
                if settings:
                    many_at_once(points, host)
                neighbour.sends_its_mail()
