#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Addresses that are never blocked, and settings that never block.

RELAYCLIENT, the allow list, loopback and the host's own addresses, whatever they do:
trigger="reject" would act on any 5xx. Then dryRun, and the null backend, which blocks
nothing but terminates smtpds.
"""

import socket

from lib import processes, tap
from lib.rsyslog import action
from lib.netns import Network
from lib.scenario import NOBODY, listed, mail_host, ordinary
from lib.smtp import Session
from lib.wait import stays

RELAY = (ordinary(50), listed(50))


def restart(host, **parameters):
    host.rsyslog.stop()
    host.rsyslog.rules = action(**parameters)
    host.rsyslog.start()


def untouched(points, host, source, label, session=None):
    """The client gets a 5xx and stays."""
    if session is None:
        session, child = host.open(source)
    else:
        session.greet()
        child = host.courier.child_of(session)
    with session:
        code = session.recipient(NOBODY).code
        points.ok(500 <= code <= 599, f"{label}: gets a 5xx", code)
        points.ok(stays(lambda: processes.alive(child.pid) and not host.is_blocked(source), 0.6),
                  f"{label}: neither blocked nor signalled", host.rsyslog.own())


class OwnSession(Session):
    """A client on the mail host itself."""

    def __init__(self, address):
        super().__init__(OwnNetwork(address), address)


class OwnNetwork:
    """A session uses it like a Network, but it stays on the mail host."""

    def __init__(self, address):
        self.address = address

    def socket(self, source):
        client = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
        client.bind((source, 0))
        return client

    def mx_for(self, _):
        return self.address


def guilty(points, host, source, label):
    """The control: any other client is blocked for the same."""
    session, child = host.open(source)
    with session:
        points.ok(session.recipient(NOBODY).code >= 500, f"{label}: gets a 5xx")
        points.until(lambda: host.is_blocked(source) and processes.gone(child.pid), 4,
                     f"{label}: blocked, the smtpd gone", host.rsyslog.own)


def exempt(points, host):
    restart(host, trigger="reject", allow=["10.9.2.64/26", "fd00:9::2:40/122", listed(70)])
    guilty(points, host, ordinary(1), "anybody")
    for source in RELAY:
        untouched(points, host, source, f"RELAYCLIENT {source}")
    for source in (ordinary(64), ordinary(127), ordinary(0x7f, 6), listed(70)):
        untouched(points, host, source, f"allowed {source}")
    guilty(points, host, ordinary(128), "the address after an allowed prefix")
    guilty(points, host, ordinary(0x80, 6), "the IPv6 address after an allowed prefix")
    for address in ("127.0.0.1", "127.0.0.2", "::1", Network.MX4, Network.MX6):
        untouched(points, host, address, f"own address {address}", OwnSession(address))


def dry_run(points, host):
    restart(host, dryRun="on")
    untouched(points, host, listed(1), "dryRun")
    points.until(lambda: host.rsyslog.logged(rf"omsmtpblock.*{listed(1)}"), 5,
                 "dryRun: what would have been done is logged", host.rsyslog.own)


def null_backend(points, host):
    restart(host, backend="null")
    session, child = host.open(listed(2))
    with session:
        points.equal(session.recipient(NOBODY).code, 511, "backend null: rejected")
        points.until(lambda: processes.gone(child.pid), 4, "backend null: the smtpd is gone")
        points.ok(not host.is_blocked(listed(2)), "backend null: the list is empty")


def scenario(points):
    with mail_host(relay_clients=RELAY) as host:
        for check in (exempt, dry_run, null_backend):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
