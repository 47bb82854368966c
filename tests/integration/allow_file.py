#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""allowFile: read at the start and at HUP, all of it or nothing.

An address that the host gets while rsyslogd runs counts as its own from then on.
"""

import socket

from lib import processes, tap
from lib.attack import QUIET, Counted, counters, harmless
from lib.dnsbl import A, ask
from lib.netns import run
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host, workdir
from lib.smtp import Session
from lib.wait import stays, wait_for

FIRST = f"""# addresses that are never blocked
{listed(1)}        # one of them
\t10.9.1.64/26

fd00:9::1:40/122
"""
SECOND = f"{listed(2)}\n"
BROKEN = f"{listed(3)}\n# and a slip of the pen\n10.0.0.1/8\n"
COMPLAINT = 'line 3: "10.0.0.1/8": did you mean 10.0.0.0/8?'


def spared(points, host, source, label, session=None):
    """A client that was just rejected is neither blocked nor signalled."""
    session = session or host.session(source)
    with session:
        session.greet()
        child = host.courier.child_of(session)
        with harmless(points, host, f"{label}: {source} is spared", sources=[source],
                      pids=[child.pid], allowed=1):
            points.equal(session.recipient(NOBODY).code, 511, f"{label}: {source} is rejected")


def blocked(points, host, source, label):
    session, child = host.open(source)
    with session, Counted(points, host, f"{label}: {source} is blocked", triggers=1, blocks=1,
                          ended=1):
        points.equal(session.recipient(NOBODY).code, 511, f"{label}: {source} is rejected")
        points.until(lambda: host.is_blocked(source) and processes.gone(child.pid), 3,
                     f"{label}: {source} is blocked, its smtpd terminated", host.rsyslog.own)


def reread(host, file, text):
    """The counters are logged after the file was read."""
    file.write_text(text)
    counters(host.rsyslog)


def first_reading(points, host):
    for source in (listed(1), listed(64), listed(127), listed(0x40, 6), listed(0x7f, 6)):
        spared(points, host, source, "as started")
    for source in (listed(128), listed(0x80, 6)):
        blocked(points, host, source, "as started")


def not_reread_yet(points, host, source):
    """Without the counters: they need a HUP."""
    session, child = host.open(source)
    with session:
        points.equal(session.recipient(NOBODY).code, 511, f"before the HUP: {source} is rejected")
        points.ok(stays(lambda: processes.alive(child.pid) and not host.is_blocked(source), QUIET),
                  f"before the HUP: {source} is spared")


def reading_at_hup(points, host, file):
    file.write_text(SECOND)
    not_reread_yet(points, host, listed(65))
    reread(host, file, SECOND)
    spared(points, host, listed(2), "after the HUP")
    blocked(points, host, listed(66), "after the HUP")


def broken_at_hup(points, host, file):
    complaints = lambda: [line for line in host.rsyslog.own() if COMPLAINT in line]
    reread(host, file, BROKEN)
    points.ok(complaints() and f"{file}, {COMPLAINT}" in complaints()[0]
              and "the previous list stays in use" in complaints()[0],
              "broken: file, line and correction are logged", host.rsyslog.own()[-5:])
    spared(points, host, listed(2), "broken")
    blocked(points, host, listed(3), "broken: not even its first line counts")
    status, text = host.rsyslog.validate()
    points.equal(status, 1, "broken: rsyslogd -N1 ends with 1")
    points.ok(f"{file}, {COMPLAINT}" in text, "broken: and prints the same", text)


def vanished_at_hup(points, host, file):
    file.unlink()
    counters(host.rsyslog)
    points.ok(host.rsyslog.logged(f"allowFile: {file}: No such file"), "vanished: it is logged",
              host.rsyslog.own()[-5:])
    spared(points, host, listed(2), "vanished")


class Loopback:
    """A client on the mail host itself; a session uses it like a Network."""

    def socket(self, source):
        client = socket.socket(socket.AF_INET)
        client.bind((source, 0))
        return client

    def mx_for(self, source):
        return source


def own_address_later(points, host):
    """The client's address becomes one of the host's own."""
    source = "10.9.3.9"
    run("ip", "addr", "add", f"{source}/32", "dev", "lo")
    spared(points, host, source, "own address", Session(Loopback(), source))
    run("ip", "addr", "del", f"{source}/32", "dev", "lo")
    blocked(points, host, source, "own no more")


def scenario(points):
    file = workdir() / "allowed"
    file.write_text(FIRST)
    with mail_host(action(allowFile=file)) as host:
        host.dnsbl.add("10.9.3.0/24")
        wait_for(lambda: ask(host.dnsbl.name_of("10.9.3.9"), A), 5, "the DNSBL to list more")
        with tap.part(points, "first_reading"):
            first_reading(points, host)
        for check in (reading_at_hup, broken_at_hup, vanished_at_hup):
            with tap.part(points, check.__name__):
                check(points, host, file)
        with tap.part(points, "own_address_later"):
            own_address_later(points, host)


if __name__ == "__main__":
    tap.main(scenario)
