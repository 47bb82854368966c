#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""ipv4Prefix and ipv6Prefix: a whole prefix is blocked, or nothing in it.

The rule has the mask; written addresses are masked. A prefix that contains an allowed
address or one of the host's own is not blocked, even if the own address was added later.
"""
# backends: both

import contextlib

from lib import processes, tap
from lib.attack import Counted, harmless, restart
from lib.dnsbl import A, ask
from lib.firewall import connects, drops, kernel_list
from lib.netns import run
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host
from lib.wait import wait_for

RULES = action(ipv4Prefix=24, ipv6Prefix=64, list="nets4", list6="nets6",
               allow=["10.9.5.77", "fd00:9:0:5::77"])


def rejected(points, host, source, label):
    """A listed client gets its 511. Returns session and smtpd."""
    session, child = host.open(source)
    points.equal(session.recipient(NOBODY).code, 511, f"{label}: rejected")
    return session, child


def prefix_is_blocked(points, host, recent, source, neighbour, outsider, written):
    label = f"{source}"
    with Counted(points, host, label, "nets4", triggers=1, blocks=1, ended=1):
        session, child = rejected(points, host, source, label)
        with session:
            points.until(lambda: recent.addresses() == {written}, 3,
                         f"{label}: {written} is written", recent.addresses, host.rsyslog.own)
            points.until(lambda: processes.gone(child.pid), 3, f"{label}: the smtpd is gone")
    points.ok(drops(recent, host.network, neighbour),
              f"{label}: a packet of {neighbour} is dropped")
    points.ok(connects(host.network, outsider), f"{label}: {outsider} gets through")


def spared(points, host, recents, source, label):
    before = [recent.addresses() for recent in recents]
    session, child = host.open(source)
    with session, harmless(points, host, label, pids=[child.pid], name="nets4", triggers=1,
                           allowed=1):
        points.equal(session.recipient(NOBODY).code, 511, f"{label}: rejected")
    points.equal([recent.addresses() for recent in recents], before, f"{label}: nothing is written")


def neighbour_allowed(points, host, recents):
    spared(points, host, recents, "10.9.5.1", "allowed neighbour")


def own_address_later(points, host, recents):
    """An address that the host gets while rsyslogd runs."""
    with Counted(points, host, "own address", "nets4", triggers=1, blocks=1, ended=1):
        session, child = rejected(points, host, "10.9.6.1", "before it is the host's own prefix")
        with session:
            points.until(lambda: "10.9.6.0" in recents[0].addresses(), 3,
                         "before it is the host's own prefix: blocked")
            points.until(lambda: processes.gone(child.pid), 3,
                         "before it is the host's own prefix: the smtpd is gone")
    recents[0].flush()
    run("ip", "addr", "add", "10.9.6.99/32", "dev", "lo")
    # The kernel announces it; nothing else shows that the module has noticed.
    spared(points, host, recents, "10.9.6.2", "own neighbour")
    run("ip", "addr", "del", "10.9.6.99/32", "dev", "lo")


def scenario(points):
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(mail_host())
        for entry in ("10.9.5.0/24", "10.9.6.0/24", "fd00:9::/64"):
            host.dnsbl.add(entry)
        wait_for(lambda: ask(host.dnsbl.name_of("10.9.6.1"), A), 5, "the DNSBL to list more")
        recents = [stack.enter_context(kernel_list(4, "nets4", mask="255.255.255.0")),
                   stack.enter_context(kernel_list(6, "nets6", mask="ffff:ffff:ffff:ffff::"))]
        restart(host, RULES)
        with tap.part(points, "IPv4"):
            prefix_is_blocked(points, host, recents[0], listed(1), listed(200), "10.9.2.1",
                              "10.9.1.0")
        with tap.part(points, "IPv6"):
            prefix_is_blocked(points, host, recents[1], listed(1, 6), listed(0xff, 6), "10.9.2.1",
                              "fd00:9::")
        for check in (neighbour_allowed, own_address_later):
            with tap.part(points, check.__name__):
                check(points, host, recents)


if __name__ == "__main__":
    tap.main(scenario)
