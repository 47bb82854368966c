# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""rsyslogd stops in under 2 s, and HUP does no harm.

With signals pending, with a full queue, while lines pour in. A pending signal is
delivered or dropped; no other process is ever signalled.
"""

# backends: both
# serial: the time to stop is measured

import os

from lib import processes
from lib.attack import Chatter
from lib.rsyslog import action
from lib.scenario import SENDERS, listed, mail_host, ordinary
from lib.wait import wait_for

LIMIT = 2.0


def idle(points, host):
    """No message so far: the background thread may not have done anything yet."""
    host.restart()
    points.at_most(host.rsyslog.stop(), LIMIT, "seconds to stop")
    host.restart(forking=True)
    # rsyslogd itself waits a second for an input thread, sometimes twice.
    points.at_most(host.rsyslog.stop(), 2 * LIMIT, "forking: seconds to stop")


def pending_signals(points, host):
    host.restart(action(terminate_delay=5000))
    neighbour = host.open(ordinary(1))
    sources = [listed(number) for number in range(1, 21)]
    for source in sources:
        host.rejects(source)
    wait_for(lambda: len(host.list4.addresses()) == 20, 5, "20 blocks")
    before = {process.pid for process in processes.every()}
    guilty = {process.pid for source in sources for process in host.courier.serving(source)}
    points.at_most(host.rsyslog.stop(), LIMIT, "20 of them: seconds to stop")
    after = {process.pid for process in processes.every()}
    points.ok(before - after <= guilty | {host.rsyslog.pid},
              "no process but their smtpds has exited", before - after - guilty)
    host.serves(*neighbour)


def full_queue(points, host):
    """A small queue with lines in it, each of which needs a search."""
    for sender, imuxsock in SENDERS.items():
        host.restart(action(queue_type="fixedArray", queue_size=500), imuxsock=imuxsock,
                     settings='main_queue(queue.size="1000")\n')
        with Chatter() as flood:
            wait_for(lambda: flood.sent > 3000, 20, "3000 lines")
            points.at_most(host.rsyslog.stop(), LIMIT, f"lines pour in, {sender}: seconds to stop")


def hup(points, host):
    host.restart(imuxsock=SENDERS["credentials"], settings="")
    for number in range(31, 37):
        host.block(listed(number))
        host.rsyslog.hup()
    rotated = host.rsyslog.mail_log.with_suffix(".1")
    os.rename(host.rsyslog.mail_log, rotated)
    host.rsyslog.hup()
    host.block(listed(37))
    host.writes(listed(37))
    points.at_most(host.rsyslog.stop(), LIMIT, "seconds to stop")


def scenario(points):
    with mail_host(points) as host:
        host.parts(idle, pending_signals, full_queue, hup)
