# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The firewall is reloaded under rsyslogd, in the middle of a wave.

The list is missing for 150 ms, then there is a new, empty one. No line is lost.
"""

# backends: both
# serial: lines are logged at a steady pace

import time

from lib import rsyslog
from lib.rsyslog import action
from lib.scenario import listed, mail_host, reject_line
from lib.wait import wait_for

PACE, GAP = 0.004, 0.150


def source(number):
    return f"10.9.4.{number}"


def log_until(end, number):
    """Rejects new addresses until a given moment; returns the next number."""
    while time.monotonic() < end:
        rsyslog.log(reject_line(source(number)))
        number += 1
        time.sleep(PACE)
    return number


def wave(points, host):
    """Lines from another host: the module is configured to believe them."""
    for number in range(20):
        rsyslog.log(reject_line(source(number)))
    wait_for(lambda: len(host.list4.addresses()) == 20, 5, "the first 20 addresses on the list")
    host.list4.remove()
    gone_at = time.monotonic()
    last = log_until(gone_at + GAP, 20)
    host.list4.install()
    points.note(f"the list was missing for {(time.monotonic() - gone_at) * 1000:.0f} ms")
    last = log_until(time.monotonic() + GAP, last)
    points.ok(last >= 40, "it went on meanwhile", last)
    host.blocks(*map(source, range(20, last)), deadline=5)


def new_list_at_once(points, host):
    """The list is replaced between two lines: the old descriptor is stale."""
    host.list4.remove()
    host.list4.install()
    rsyslog.log(reject_line(source(200)))
    host.blocks(source(200))


def session_in_the_gap(points, host):
    host.restart(action())
    session, child = host.open(listed(1))
    host.list4.remove()
    session.try_recipient()
    host.ends(child)
    host.list4.install()
    host.blocks(listed(1), deadline=5)


def scenario(points):
    with mail_host(points, action(verify="none", terminate="off")) as host:
        host.parts(wave, new_list_at_once, session_in_the_gap)
