# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Addresses that are never blocked, whatever they do, and settings that never block."""

from lib.netns import Network, OwnHost
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host, ordinary

RELAY = (ordinary(50), listed(50))


def untouched(host, label, source, **how):
    """The client gets a 5xx and stays."""
    with host.points.label(f"{label} {source}"):
        session, child = host.open(source, **how)
        code = session.recipient(NOBODY).code
        host.points.ok(500 <= code <= 599, "gets a 5xx", code)
        host.spares(source, pids=[child.pid])


def guilty(host, label, source):
    """The control: any other client is blocked for the same."""
    with host.points.label(label):
        session, child = host.open(source)
        host.points.ok(session.recipient(NOBODY).code >= 500, "gets a 5xx")
        host.blocks(source, deadline=4)
        host.ends(child)


def exempt(points, host):
    host.restart(action(trigger="reject", allow=["10.9.2.64/26", "fd00:9::2:40/122", listed(70)]))
    guilty(host, "anybody", ordinary(1))
    for source in RELAY:
        untouched(host, "RELAYCLIENT", source)
    for source in (ordinary(64), ordinary(127), ordinary(0x7f, 6), listed(70)):
        untouched(host, "allowed", source)
    guilty(host, "the address after an allowed prefix", ordinary(128))
    guilty(host, "the IPv6 address after an allowed prefix", ordinary(0x80, 6))
    for address in ("127.0.0.1", "127.0.0.2", "::1", Network.MX4, Network.MX6):
        untouched(host, "own address", address, network=OwnHost(address))


def dry_run(points, host):
    host.restart(action(dryRun="on"))
    untouched(host, "listed", listed(1))
    points.until(lambda: host.rsyslog.logged(rf"omsmtpblock.*{listed(1)}"), 5,
                 "what would have been done is logged")


def null_backend(points, host):
    host.restart(action(backend="null"))
    _, child = host.rejects(listed(2))
    host.ends(child)
    points.ok(not host.is_blocked(listed(2)), "the list is empty")


def scenario(points):
    with mail_host(points, relay_clients=RELAY) as host:
        host.parts(exempt, dry_run, null_backend)
