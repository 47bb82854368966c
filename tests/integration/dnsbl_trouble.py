# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A DNSBL that lists every address by mistake causes no blocks.

Large DNSBLs answer 127.255.255.254 to a resolver they do not serve; an expired zone answers
with some address. courier rejects every client; the module counts, and warns once.
"""

import socket

from lib.dnsbl import A, ask
from lib.rsyslog import action
from lib.scenario import listed, mail_host
from lib.wait import wait_for

WORLD = ("0.0.0.0/1", "128.0.0.0/1")
CONNECT = action("mail.info", trigger="connect")


def answers(host, address):
    """From now on the DNSBL answers so for every address."""
    host.dnsbl.answer = address
    for entry in WORLD:
        host.dnsbl.add(entry)
    wait_for(lambda: ask(host.dnsbl.name_of("10.9.3.1"), A) == [socket.inet_aton(address)], 5,
             f"the DNSBL to answer {address}")


def nobody_is_blocked(host, rules, address):
    host.restart(rules)
    answers(host, address)
    sources = [f"10.9.3.{number}" for number in (1, 2, 3)]
    with host.counted(triggers=3, dnsbl_errors=3):
        opened = [host.rejects(source) for source in sources]
        host.logs_once("returned an error code")
        host.spares(*sources, pids=[child.pid for _, child in opened])


def scenario(points):
    with mail_host(points) as host:
        for label, rules, address in (("dnsbl, 127.255.255.254", action(), "127.255.255.254"),
                                      ("dnsbl, 1.2.3.4", action(), "1.2.3.4"),
                                      ("connect, 127.255.255.254", CONNECT, "127.255.255.254")):
            with host.part(label):
                nobody_is_blocked(host, rules, address)
        with host.part("a valid answer"):
            host.restart(action())
            answers(host, "127.0.0.4")
            with host.counted(triggers=1, blocks=1, ended=1):
                host.block(listed(9))
