#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""No list in the kernel: never created, or created for one family only.

smtpds are terminated all the same, the addresses are queued and written as soon as the
list exists, and one message names the command to type.
"""

import re

from lib import processes, tap
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host


def reject_and_end(points, host, source, label):
    session, child = host.open(source)
    with session:
        points.equal(session.recipient(NOBODY).code, 511, f"{label}: rejected")
        points.until(lambda: processes.gone(child.pid), 4, f"{label}: the smtpd is gone",
                     host.rsyslog.own)


def commands(host, program, name):
    """Lines that name the command to type."""
    return host.rsyslog.logged(rf"\b{program} .*-m recent .*--name {re.escape(name)}\b.*--update")


def no_lists(points, host):
    host.list4.remove()
    host.list6.remove()
    sources = [listed(number, family) for number in (1, 2, 3) for family in (4, 6)]
    for source in sources:
        reject_and_end(points, host, source, f"no list, {source}")
    points.until(lambda: commands(host, "iptables", "spammer"), 5,
                 "the command for IPv4 is logged", host.rsyslog.own)
    points.until(lambda: commands(host, "ip6tables", "spammer6"), 5,
                 "the command for IPv6 is logged", host.rsyslog.own)
    points.equal((len(commands(host, "iptables", "spammer")),
                  len(commands(host, "ip6tables", "spammer6"))), (1, 1), "each of them once")
    host.list4.install()
    host.list6.install()
    points.until(lambda: all(map(host.is_blocked, sources)), 5,
                 "the addresses are on the lists once these exist",
                 lambda: [host.list4.addresses(), host.list6.addresses()])
    reject_and_end(points, host, listed(4), "after that")
    points.until(lambda: host.is_blocked(listed(4)), 3, "after that: blocked as usual")


def one_family(points, host, family):
    """The list of one family is missing; the other family must work."""
    missing, there = (host.list4, host.list6) if family == 4 else (host.list6, host.list4)
    missing.remove()
    label = f"no list for IPv{family}"
    for number in (11, 12):
        reject_and_end(points, host, listed(number + family, family), label)
        source = listed(number + family, there.family)
        reject_and_end(points, host, source, f"{label}, the other family")
        points.until(lambda: host.is_blocked(source), 3, f"{label}: the other family is blocked")
    missing.install()


def named_lists(points, host):
    """The command names the configured lists."""
    host.rsyslog.stop()
    host.rsyslog.rules = action(list="listed-hosts", list6="listed-hosts6")
    host.rsyslog.start()
    reject_and_end(points, host, listed(31), "a configured list")
    points.until(lambda: commands(host, "iptables", "listed-hosts"), 5,
                 "a configured list: the command names it", host.rsyslog.own)


def scenario(points):
    with mail_host() as host:
        with tap.part(points, "no lists"):
            no_lists(points, host)
        for family in (4, 6):
            with tap.part(points, f"no list for IPv{family}"):
                one_family(points, host, family)
        with tap.part(points, "named lists"):
            named_lists(points, host)


if __name__ == "__main__":
    tap.main(scenario)
