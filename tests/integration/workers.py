# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Four workers of one action, all at once: waves, lines without a session, HUPs; in the end
rsyslogd is stopped in the middle of a wave. The main scenario for run --under.

In the waves, fewer lines than searches fit into the queue (LOOKUP_QUEUE_MAX), so that none is
refused as busy, however slow the machine is.
"""

import contextlib
import itertools
import threading

from lib.attack import Chatter
from lib.rsyslog import SEVERAL_WORKERS, action
from lib.scenario import NOBODY, SENDERS, listed, mail_host, ordinary
from lib.smtp import Closed
from lib.wait import PATIENCE, wait_for

RULES = action(queue_type="linkedList", queue_workerThreads=4,
               queue_workerThreadMinimumMessages=1, queue_dequeueBatchSize=1)
CLIENTS, EACH = 4, 5
LINES = 1000 // (CLIENTS * EACH)
numbers = itertools.count(1)


class Bot(threading.Thread):
    """One connection after the other, each from another listed address, each until the
    server ends it. Before each come lines without a session. Every third time rsyslogd gets
    a HUP meanwhile."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.sources = host, [listed(next(numbers)) for _ in range(EACH)]
        self.rejected, self.ended = 0, 0

    def run(self):
        for number, source in enumerate(self.sources):
            Chatter(LINES).run()
            with contextlib.suppress(Closed), self.host.session(source) as session:
                session.greet()
                self.rejected += session.recipient(NOBODY).code == 511
                if number % 3 == 0:
                    self.host.rsyslog.hup()
                self.ended += session.ended(10 * PATIENCE) is not None


def wave(points, host):
    bots = [Bot(host) for _ in range(CLIENTS)]
    for bot in bots:
        bot.start()
    for bot in bots:
        bot.join()
    points.equal([(bot.rejected, bot.ended) for bot in bots], [(EACH, EACH)] * CLIENTS,
                 "every client sees its 511, then the end")
    sources = [source for bot in bots for source in bot.sources]
    host.blocks(*sources)
    points.until(lambda: not any(map(host.courier.serving, sources)), 5,
                 "all their smtpds are gone")
    points.until(lambda: host.rsyslog.counters().get("ended") == CLIENTS * EACH, 5,
                 "every smtpd is counted once", host.rsyslog.counters)


def stop_in_a_wave(points, host):
    """Lines are in the queue, signals are pending, workers are busy."""
    clients = [host.open(listed(next(numbers))) for _ in range(CLIENTS * 5)]
    for session, _ in clients:
        session.try_recipient()
    with Chatter(5000, 250):
        wait_for(lambda: host.is_blocked(clients[0][0].source), 5, "the first block")
        points.at_most(host.rsyslog.stop(), 4, "stopped in a wave, seconds to stop")


def scenario(points):
    with mail_host(points) as host:
        for sender, imuxsock in SENDERS.items():
            host.restart(RULES, imuxsock=imuxsock, settings=SEVERAL_WORKERS)
            with host.part(sender):
                neighbour = host.open(ordinary(1))
                wave(points, host)
                stop_in_a_wave(points, host)
                host.serves(*neighbour)
