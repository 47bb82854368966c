# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Silent listed clients leave slots to others: they end with a 421, the oldest first.

MAXDAEMONS=20: 16 listed clients connect and say nothing, on 25 and, as TLS handshakes, on 465. A
customer who has logged in keeps the session, an ordinary sender gets a slot. A client that stays
silent for the third time is blocked.
"""
# limit: 90

import contextlib

from lib import processes
from lib.scenario import MAILBOX, PASSWORD, USER, listed, mail_host, ordinary

SLOTS, CROWD = 20, 16
SHARE = SLOTS // 2


def silent_on(points, host, port):
    """Returns the sessions."""
    crowd = []
    for number in range(CROWD):
        client = host.network.socket(listed(10 + number))
        client.settimeout(3)
        with contextlib.suppress(OSError):  # it may be blocked already
            client.connect((host.network.MX4, port))
        crowd.append(client)
    points.until(lambda: len([p for p in host.courier.slots() if p.local_port in (None, port)])
                 <= SHARE + 1, 15, f"silent on {port}: at most half of the slots are taken",
                 lambda: len(host.courier.slots()))
    return crowd


def blocked(host):
    return [number for number in range(CROWD) if host.is_blocked(listed(10 + number))]


def scenario(points):
    with mail_host(points, imuxsock="", tarpit=True, ports=(25, 465),
                   maxdaemons=SLOTS) as host:
        customer, his = host.open(listed(1))
        points.equal(customer.login(USER, PASSWORD).code, 235, "a customer logs in")
        crowd = silent_on(points, host, 25)
        crowd[0].settimeout(5)
        points.ok(b"421 " in crowd[0].recv(4096) + crowd[0].recv(4096), "the oldest reads a 421")
        with host.session(ordinary(1)) as sender:
            sender.greet()
            points.equal(sender.recipient(MAILBOX).code, 250, "an ordinary sender is served")
        points.ok(processes.alive(his.pid) and customer.recipient(MAILBOX).code == 250,
                  "the customer keeps the session")
        points.equal(len([line for line in host.rsyslog.own() if "listed sessions take" in line]),
                     1, "that is logged once")
        more = silent_on(points, host, 465)
        points.until(lambda: host.rsyslog.counters()["early.pressure"] >= 2 * (CROWD - SHARE), 10,
                     "each end is counted, TLS handshakes too")
        points.equal(blocked(host), [], "twice silent: nobody is blocked")
        for _ in range(4):
            more += silent_on(points, host, 25) if not blocked(host) else []
        points.until(lambda: blocked(host), 10, "who stays silent for the third time is blocked")
        points.ok(not host.is_blocked(listed(1)), "the customer is not")
        for client in crowd + more:
            client.close()
        customer.close()
