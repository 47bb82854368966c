# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""ipv4Prefix and ipv6Prefix: a whole prefix is blocked, or nothing in it.

A prefix that contains an allowed address or one of the host's own is not blocked, even if
the own address was added later.
"""
# backends: both

from lib.firewall import connects, kernel_list
from lib.netns import run
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host

RULES = action(ipv4Prefix=24, ipv6Prefix=64, list="nets4", list6="nets6",
               allow=["10.9.5.77", "fd00:9:0:5::77"])


def blocked(host, source, written):
    with host.counted(source, name="nets4", triggers=1, blocks=1, ended=1):
        _, child = host.rejects(source)
        recent = host.list_for(source)
        host.points.until(lambda: recent.addresses() == {written}, 3, f"{written} is written",
                          recent.addresses)
        host.ends(child, deadline=3)


def spared(points, host, source):
    before = host.blocked()
    session, child = host.open(source)
    with host.harmless(source, pids=[child.pid], name="nets4", triggers=1, allowed=1):
        points.equal(session.recipient(NOBODY).code, 511, "rejected")
    points.equal(host.blocked(), before, "nothing is written")


def prefix_is_blocked(points, host):
    for source, neighbour, written in ((listed(1), listed(200), "10.9.1.0"),
                                       (listed(1, 6), listed(0xff, 6), "fd00:9::")):
        blocked(host, source, written)
        host.drops(neighbour)
        points.ok(connects(host.network, "10.9.2.1"), "others get through")


def neighbour_allowed(points, host):
    spared(points, host, "10.9.5.1")


def own_address_later(points, host):
    """An address that the host gets while rsyslogd runs."""
    host.list4.flush()
    blocked(host, "10.9.6.1", "10.9.6.0")
    host.list4.flush()
    run("ip", "addr", "add", "10.9.6.99/32", "dev", "lo")
    # The kernel announces it; nothing else shows that the module has noticed.
    spared(points, host, "10.9.6.2")
    run("ip", "addr", "del", "10.9.6.99/32", "dev", "lo")


def scenario(points):
    with mail_host(points) as host, kernel_list(4, "nets4", mask="255.255.255.0") as host.list4, \
            kernel_list(6, "nets6", mask="ffff:ffff:ffff:ffff::") as host.list6:
        for entry in ("10.9.5.0/24", "10.9.6.0/24", "fd00:9::/64"):
            host.dnsbl.add(entry)
        host.restart(RULES)
        host.parts(prefix_is_blocked, neighbour_allowed, own_address_later)
