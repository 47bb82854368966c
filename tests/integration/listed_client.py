#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A listed client on port 25, both families, however rsyslogd is set up.

Its packets are dropped, its smtpd and submit are gone, nothing is left; the neighbour's
connection and mail are unharmed. With the sender's credentials in the message and
without, in the foreground and forking, one worker and several.
"""
# backends: both

import itertools

from lib import processes, tap
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import NOBODY, Neighbour, block, listed, mail_host

SEVERAL = ('main_queue(queue.workerThreads="4" queue.workerThreadMinimumMessages="1"'
           ' queue.dequeueBatchSize="1")\n')
ACTION_QUEUE = {"queue_type": "linkedList", "queue_workerThreads": 4,
                "queue_workerThreadMinimumMessages": 1}

SETUPS = (
    ("rsyslogd -n, credentials", CREDENTIALS, "", {}, False),
    ("rsyslogd -n, no credentials", "", "", {}, False),
    ("PID from the system only", 'SysSock.UsePIDFromSystem="on"', "", {}, False),
    ("trusted properties only", 'SysSock.Annotate="on" SysSock.ParseTrusted="on"', "", {}, False),
    ("forking, credentials", CREDENTIALS, "", {}, True),
    ("forking, no credentials", "", "", {}, True),
    ("four workers, credentials", CREDENTIALS, SEVERAL, {}, False),
    ("four workers of the action, no credentials", "", SEVERAL, ACTION_QUEUE, False),
)


AT_ONCE = 20


def many_at_once(points, host, label, numbers):
    """All rejects of a burst are acted on, whichever worker gets them."""
    clients = []
    for _ in range(AT_ONCE):
        source = listed(next(numbers))
        clients.append((source, *host.open(source)))
    for _, session, _ in clients:
        session.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{NOBODY}>")
    replies = [[session.reply().code for _ in range(2)] for _, session, _ in clients]
    points.equal(replies, [[250, 511]] * AT_ONCE, f"{label}: {AT_ONCE} at once see their 511")
    points.until(lambda: all(host.is_blocked(source) for source, _, _ in clients), 3,
                 f"{label}: {AT_ONCE} at once are on the list", host.list4.addresses)
    points.until(lambda: all(processes.gone(child.pid) for _, _, child in clients), 4,
                 f"{label}: {AT_ONCE} at once: the smtpds are gone", host.rsyslog.own)
    for _, session, _ in clients:
        session.close()


def one_setup(points, host, setup, numbers):
    label, imuxsock, settings, parameters, forking = setup
    host.rsyslog.stop()
    host.rsyslog.imuxsock, host.rsyslog.settings = imuxsock, settings
    host.rsyslog.rules = action(**parameters)
    host.rsyslog.start(forking=forking)
    neighbour = Neighbour(host)
    for family in (4, 6):
        block(points, host, listed(next(numbers), family), f"{label}, IPv{family}")
    if settings:
        many_at_once(points, host, label, numbers)
    neighbour.sends_his_mail(points, label)


def scenario(points):
    numbers = itertools.count(1)
    with mail_host(delivery=True) as host:
        for setup in SETUPS:
            with tap.part(points, setup[0]):
                one_setup(points, host, setup, numbers)


if __name__ == "__main__":
    tap.main(scenario)
