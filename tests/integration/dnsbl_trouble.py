#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A DNSBL that lists every address by mistake causes no blocks.

Large DNSBLs answer 127.255.255.254 to a resolver they do not serve; an expired zone
answers with some address. courier then rejects every client; the module blocks nobody,
counts, and warns once. A valid answer blocks as usual.
"""

import socket

from lib import processes, tap
from lib.attack import QUIET, Counted, restart
from lib.dnsbl import A, ask
from lib.rsyslog import action
from lib.scenario import NOBODY, block, listed, mail_host
from lib.wait import stays, wait_for

WORLD = ("0.0.0.0/1", "128.0.0.0/1")


def answers(host, address):
    """From now on the DNSBL answers so for every address."""
    host.dnsbl.answer = address
    for entry in WORLD:
        host.dnsbl.add(entry)
    wait_for(lambda: ask(host.dnsbl.name_of("10.9.3.1"), A) == [socket.inet_aton(address)], 5,
             f"the DNSBL to answer {address}")


def warnings(host):
    return len(host.rsyslog.logged("returned an error code"))


def nobody_is_blocked(points, host, rules, label, address):
    restart(host, rules)
    answers(host, address)
    warned = warnings(host)
    sources = [f"10.9.3.{number}" for number in (1, 2, 3)]
    with Counted(points, host, label, triggers=3, dnsbl_errors=3):
        opened = [host.open(source) for source in sources]
        codes = [session.recipient(NOBODY).code for session, _ in opened]
        points.equal(codes, [511] * 3, f"{label}: courier rejects every client")
        points.until(lambda: warnings(host) > warned, 3, f"{label}: a warning", host.rsyslog.own)
        points.ok(stays(lambda: all(processes.alive(child.pid) for _, child in opened)
                        and not host.list4.addresses(), QUIET),
                  f"{label}: nobody blocked, nobody signalled")
        points.equal(warnings(host) - warned, 1, f"{label}: one")
    for session, _ in opened:
        session.close()


DNSBL, CONNECT = action(), action("mail.info", trigger="connect")


def scenario(points):
    with mail_host() as host:
        for label, rules, address in (("dnsbl, 127.255.255.254", DNSBL, "127.255.255.254"),
                                      ("dnsbl, 1.2.3.4", DNSBL, "1.2.3.4"),
                                      ("connect, 127.255.255.254", CONNECT, "127.255.255.254")):
            with tap.part(points, label):
                nobody_is_blocked(points, host, rules, label, address)
        with tap.part(points, "a valid answer"):
            restart(host, DNSBL)
            answers(host, "127.0.0.4")
            with Counted(points, host, "a valid answer", triggers=1, blocks=1, ended=1):
                block(points, host, listed(9), "a valid answer")


if __name__ == "__main__":
    tap.main(scenario)
