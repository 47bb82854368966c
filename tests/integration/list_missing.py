# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""No list in the kernel: never created, or created for one family only.

smtpds are terminated all the same, the addresses are written as soon as the list exists, and
one message names the command to type.
"""

import re

from lib.rsyslog import action
from lib.scenario import listed, mail_host


def reject_and_end(host, source):
    _, child = host.rejects(source)
    host.ends(child)


def command(program, name):
    """A line that names the command to type."""
    return rf"\b{program} .*-m recent .*--name {re.escape(name)}\b.*--update"


def no_lists(points, host):
    host.list4.remove()
    host.list6.remove()
    sources = [listed(number, family) for number in (1, 2, 3) for family in (4, 6)]
    for source in sources:
        reject_and_end(host, source)
    host.logs_once(command("iptables", "spammer"))
    host.logs_once(command("ip6tables", "spammer6"))
    host.list4.install()
    host.list6.install()
    host.blocks(*sources, deadline=5)
    reject_and_end(host, listed(4))
    host.blocks(listed(4))


def one_family(points, host, family):
    """The list of one family is missing; the other family must work."""
    missing, there = (host.list4, host.list6) if family == 4 else (host.list6, host.list4)
    missing.remove()
    for number in (11, 12):
        reject_and_end(host, listed(number + family, family))
        source = listed(number + family, there.family)
        reject_and_end(host, source)
        host.blocks(source)
    missing.install()


def named_lists(points, host):
    """The command names the configured lists."""
    host.restart(action(list="listed-hosts", list6="listed-hosts6"))
    reject_and_end(host, listed(31))
    host.logs_once(command("iptables", "listed-hosts"))


def scenario(points):
    with mail_host(points) as host:
        host.parts(no_lists)
        for family in (4, 6):
            with host.part(f"no list for IPv{family}"):
                one_family(points, host, family)
        host.parts(named_lists)
