#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Four workers of one action, all at once: waves of listed clients, lines without
credentials, HUPs; in the end rsyslogd is stopped in the middle of a wave.

The main scenario for tests/integration/run --under. Without an instrument, too, all
clients are on the list, and all their smtpds are gone and no others.
"""

import contextlib
import itertools
import threading

from lib import processes, rsyslog, tap
from lib.attack import counters, reject_line
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import NOBODY, listed, mail_host, ordinary
from lib.smtp import Closed
from lib.wait import PATIENCE, wait_for

RULES = action(queue_type="linkedList", queue_workerThreads=4,
               queue_workerThreadMinimumMessages=1, queue_dequeueBatchSize=1)
SEVERAL = ('main_queue(queue.workerThreads="4" queue.workerThreadMinimumMessages="1"'
           ' queue.dequeueBatchSize="1")\n')

CLIENTS, EACH = 4, 5


class Bot(threading.Thread):
    """One connection after the other, each from another listed address, each until the
    server ends it. Every third time rsyslogd gets a HUP meanwhile."""

    def __init__(self, host, sources):
        super().__init__(daemon=True)
        self.host, self.sources = host, sources
        self.rejected, self.ended = 0, 0

    def run(self):
        for number, source in enumerate(self.sources):
            with contextlib.suppress(Closed), self.host.session(source) as session:
                session.greet()
                self.rejected += session.recipient(NOBODY).code == 511
                if number % 3 == 0:
                    self.host.rsyslog.hup()
                self.ended += session.ended(10 * PATIENCE) is not None


class Chatter(threading.Thread):
    """Rejects of addresses without a session, for as long as the wave goes on."""

    LIMIT = 5000

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()

    def run(self):
        with contextlib.suppress(OSError):  # rsyslogd has been stopped
            for number in range(self.LIMIT):
                if self.over.is_set():
                    return
                rsyslog.log(reject_line(f"10.9.3.{number % 250 + 1}"))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def wave(points, host, label, numbers):
    bots = [Bot(host, [listed(next(numbers)) for _ in range(EACH)]) for _ in range(CLIENTS)]
    with Chatter():
        for bot in bots:
            bot.start()
        for bot in bots:
            bot.join()
    points.equal([(bot.rejected, bot.ended) for bot in bots], [(EACH, EACH)] * CLIENTS,
                 f"{label}: every client sees its 511, then the end")
    sources = [source for bot in bots for source in bot.sources]
    points.until(lambda: all(map(host.is_blocked, sources)), 3, f"{label}: all are on the list",
                 host.list4.addresses, host.rsyslog.own)
    points.until(lambda: not any(map(host.courier.serving, sources)), 5,
                 f"{label}: all their smtpds are gone", host.rsyslog.own)


def one_setup(points, host, label, imuxsock, numbers):
    if processes.alive(host.rsyslog.pid):
        host.rsyslog.stop()
    host.list4.flush()
    host.rsyslog.imuxsock, host.rsyslog.settings = imuxsock, SEVERAL
    host.rsyslog.start()
    neighbour, his_child = host.open(ordinary(1))
    with neighbour:
        wave(points, host, label, numbers)
        points.until(lambda: counters(host.rsyslog).get("ended") == CLIENTS * EACH, 5,
                     f"{label}: every smtpd is counted once", lambda: counters(host.rsyslog))
        stop_in_a_wave(points, host, label, numbers)
        points.ok(neighbour.lives() and processes.alive(his_child.pid),
                  f"{label}: the neighbour's smtpd lives")


def stop_in_a_wave(points, host, label, numbers):
    """Lines are in the queue, signals are pending, workers are busy."""
    clients = [host.open(listed(next(numbers))) for _ in range(CLIENTS * 5)]
    for session, _ in clients:
        session.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{NOBODY}>")
    with Chatter():
        wait_for(lambda: host.is_blocked(clients[0][0].source), 5, "the first block")
        seconds = host.rsyslog.stop()
    points.at_most(seconds, 4, f"{label}: stopped in a wave, seconds to stop")
    for session, _ in clients:
        session.close()


def scenario(points):
    numbers = itertools.count(1)
    with mail_host(RULES) as host:
        for label, imuxsock in (("credentials", CREDENTIALS), ("no credentials", "")):
            with tap.part(points, label):
                one_setup(points, host, label, imuxsock, numbers)


if __name__ == "__main__":
    tap.main(scenario)
