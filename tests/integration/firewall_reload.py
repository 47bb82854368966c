#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The firewall is reloaded under rsyslogd, in the middle of a wave.

The list is missing for 150 ms, then there is a new, empty one. No line is lost: every
address logged since the old list was removed is on the new one, and an smtpd whose reject
falls into the gap is terminated all the same.
"""

# backends: both
# serial: lines are logged at a steady pace

import time

from lib import processes, rsyslog, tap
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host
from lib.wait import wait_for

PACE, GAP = 0.004, 0.150


def source(number):
    return f"10.9.4.{number}"


def log_reject(number):
    rsyslog.log(f"error,relay=::ffff:{source(number)},port={1024 + number},from=<a@b.example>,"
                f"to=<x@mx.lab>: 511 Listed in lab DNSBL, {source(number)}")


def log_until(end, number):
    """Rejects new addresses until a given moment; returns the next number."""
    while time.monotonic() < end:
        log_reject(number)
        number += 1
        time.sleep(PACE)
    return number


def wave(points, host):
    """Lines from another host: the module is configured to believe them."""
    for number in range(20):
        log_reject(number)
    wait_for(lambda: len(host.list4.addresses()) == 20, 5, "the first 20 addresses on the list")
    host.list4.remove()
    gone_at = time.monotonic()
    last = log_until(gone_at + GAP, 20)
    host.list4.install()
    points.note(f"the list was missing for {(time.monotonic() - gone_at) * 1000:.0f} ms")
    last = log_until(time.monotonic() + GAP, last)
    wanted = {source(number) for number in range(20, last)}
    points.ok(len(wanted) >= 20, "a wave went on meanwhile", len(wanted))
    points.until(lambda: wanted <= host.list4.addresses(), 5,
                 "every address logged since then is on the new list",
                 lambda: f"missing: {sorted(wanted - host.list4.addresses())}", host.rsyslog.own)


def new_list_at_once(points, host):
    """The list is replaced between two lines: the old descriptor is stale."""
    host.list4.remove()
    host.list4.install()
    log_reject(200)
    points.until(lambda: source(200) in host.list4.addresses(), 3,
                 "a line right after a reload is acted on", host.rsyslog.own)


def child_in_the_gap(points, host):
    """A reject while there is no list."""
    session, child = host.open(listed(1))
    with session:
        host.list4.remove()
        points.equal(session.recipient(NOBODY).code, 511, "a client is rejected in the gap")
        points.until(lambda: processes.gone(child.pid), 4,
                     "its smtpd is gone although there is no list",
                     host.rsyslog.own)
        host.list4.install()
        points.until(lambda: host.is_blocked(listed(1)), 5,
                     "the client is on the list once there is one",
                     host.rsyslog.own)


def scenario(points):
    with mail_host(action(verify="none", terminate="off")) as host:
        with tap.part(points, "wave"):
            wave(points, host)
        with tap.part(points, "new list"):
            new_list_at_once(points, host)
        host.rsyslog.stop()
        host.rsyslog.rules = action()
        host.rsyslog.start()
        with tap.part(points, "session in the gap"):
            child_in_the_gap(points, host)


if __name__ == "__main__":
    tap.main(scenario)
