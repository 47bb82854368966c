#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""rsyslogd stops in under 2 s, and HUP does no harm.

With signals pending, with a full queue, while lines pour in. A pending signal is
delivered or dropped; no other process is ever signalled.
"""

# backends: both
# serial: the time to stop is measured

import os
import threading

from lib import processes, rsyslog, tap
from lib.rsyslog import action
from lib.scenario import NOBODY, block, listed, mail_host, ordinary
from lib.wait import wait_for

LIMIT = 2.0


def restart(host, settings="", **parameters):
    if processes.alive(host.rsyslog.pid):
        host.rsyslog.stop()
    host.rsyslog.settings = settings
    host.rsyslog.rules = action(**parameters)
    host.rsyslog.start()


def pending_signals(points, host):
    restart(host, terminate_delay=5000)
    neighbour, his_child = host.open(ordinary(1))
    clients = [host.open(listed(number)) for number in range(1, 21)]
    for session, _ in clients:
        session.recipient(NOBODY)
    wait_for(lambda: len(host.list4.addresses()) == 20, 5, "20 blocks")
    before = {process.pid for process in processes.every()}
    guilty = {process.pid for number in range(1, 21)
              for process in host.courier.serving(listed(number))}
    seconds = host.rsyslog.stop()
    points.at_most(seconds, LIMIT, "20 signals pending: seconds to stop")
    after = {process.pid for process in processes.every()}
    points.ok(before - after <= guilty | {host.rsyslog.pid},
              "20 signals pending: no process but their smtpds has exited",
              before - after - guilty)
    points.ok(neighbour.lives() and processes.alive(his_child.pid), "the neighbour's smtpd lives")
    for session, _ in (*clients, (neighbour, his_child)):
        session.close()


class Flood(threading.Thread):
    """Rejects of new addresses, as fast as rsyslogd takes them."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sent = 0
        self.over = False

    def run(self):
        while not self.over:
            address = f"10.9.{self.sent // 250 % 250}.{self.sent % 250 + 1}"
            try:
                rsyslog.log(f"error,relay=::ffff:{address},port=1025,from=<a@b.example>,"
                            f"to=<x@mx.lab>: 511 Listed in lab DNSBL, {address}")
            except OSError:
                return
            self.sent += 1

    def stop(self):
        self.over = True
        self.join(10)


def full_queue(points, host):
    """A small queue with lines in it, each of which needs a search."""
    for label, imuxsock in (("credentials", rsyslog.CREDENTIALS), ("no credentials", "")):
        host.rsyslog.imuxsock = imuxsock
        restart(host, 'main_queue(queue.size="1000")\n', queue_type="fixedArray", queue_size=500)
        flood = Flood()
        flood.start()
        wait_for(lambda: flood.sent > 3000, 20, "3000 lines")
        seconds = host.rsyslog.stop()
        flood.stop()
        points.at_most(seconds, LIMIT, f"lines pour in, {label}: seconds to stop")


def hup(points, host):
    host.rsyslog.imuxsock = rsyslog.CREDENTIALS
    restart(host)
    block(points, host, listed(31), "before HUP")
    for number in range(32, 37):
        host.rsyslog.hup()
        block(points, host, listed(number), f"HUP {number - 31}")
    rotated = host.rsyslog.mail_log.with_suffix(".1")
    os.rename(host.rsyslog.mail_log, rotated)
    host.rsyslog.hup()
    block(points, host, listed(37), "the log rotated")
    points.until(lambda: any(listed(37) in line for line in host.rsyslog.mail()), 5,
                 "the log rotated: the new file has the line")
    points.at_most(host.rsyslog.stop(), LIMIT, "after HUP: seconds to stop")


def idle(points, host):
    """No message so far: the background thread may not have done anything yet."""
    restart(host)
    points.at_most(host.rsyslog.stop(), LIMIT, "no message yet: seconds to stop")
    restart(host)
    host.rsyslog.stop()
    host.rsyslog.start(forking=True)
    # rsyslogd itself waits a second for an input thread, sometimes twice.
    points.at_most(host.rsyslog.stop(), 2 * LIMIT, "no message yet, forking: seconds to stop")


def scenario(points):
    with mail_host() as host:
        for check in (idle, pending_signals, full_queue, hup):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
