#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Listed customers log in, and send RSET and mails, while the rules act on bots beside them.

courier replaces submit at a login, at RSET and after each mail: a look at the wrong moment
shows no submit, or the one from before the login. No session with a login may end, and no
address of one may get on the list. OMSMTPBLOCK_RACES=10000 makes that many sessions.

Where a bot shares the address with a customer, and where slots run out, a login may come too
late by a moment: in a tenth as many sessions the share is measured that is hit after the 235.
"""
# limit: 120

import contextlib
import ipaddress
import itertools
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from lib import tap
from lib.courier import Courier
from lib.dnsbl import Dnsbl
from lib.firewall import NftList
from lib.netns import Network
from lib.rsyslog import Rsyslog, action
from lib.scenario import MAILBOX, PASSWORD, PORTS, USER, WAYS, MailHost, workdir
from lib.smtp import Closed, Session

COUNT = int(os.environ.get("OMSMTPBLOCK_RACES", "60"))
MEASURED = max(12, COUNT // 10)
FEW = max(1, MEASURED // 100)
WORKERS = 12

# Where slots run out.
SLOTS = 24

# Customers and bots have addresses of their own, all of them listed.
LISTED = "10.9.0.0/17"
CUSTOMERS, BOTS = (ipaddress.ip_address(first) for first in ("10.9.16.0", "10.9.80.0"))

# Seconds for a reply. Where a bot shares the address, the customer's packets may be dropped.
PATIENCE, SHORT = 60, 8


def way(number):
    """The ways take turns."""
    return list(WAYS.values())[number % len(WAYS)]


class Ended(Exception):
    """A customer's session ended, or got a reply that is not courier's usual one, or none.

    since_login   seconds since the 235; None: there was none
    dropped       there was no reply: its packets are dropped
    """

    def __init__(self, what, since_login=None, dropped=False):
        super().__init__(what)
        self.since_login, self.dropped = since_login, dropped


class Customer:
    """One session: a login, two times RSET, two mails."""

    def __init__(self, host, number, port=25, *, starttls=False, tls=False, pause=0.0,
                 patience=PATIENCE):
        self._host, self._starttls, self._pause = host, starttls, pause
        self.source = str(CUSTOMERS + number)
        self._how = {"port": port, "tls": tls, "timeout": patience}
        self.logged_in = None

    def run(self):
        """None, or why it was not served."""
        try:
            with Session(self._host.network, self.source, **self._how) as session:
                self._talk(session)
        except (Closed, OSError, Ended, ValueError) as problem:
            since = time.monotonic() - self.logged_in if self.logged_in else None
            return Ended(f"{self.source}: {problem!r}", since, isinstance(problem, TimeoutError))
        return None

    def _talk(self, session):
        session.greet()
        if self._starttls:
            session.starttls()
        time.sleep(self._pause)
        self._expect(session.login(USER, PASSWORD), 235)
        self.logged_in = time.monotonic()
        for _ in range(2):
            self._expect(session.recipient(MAILBOX), 250)
            self._expect(session.command("RSET"), 250)
        for _ in range(2):
            self._expect(session.recipient(MAILBOX), 250)
            self._expect(session.data("Subject: race\r\n\r\n"), 250)

    @staticmethod
    def _expect(reply, code):
        if reply.code != code:
            raise Ended(f"{reply.code} {reply.text}")


def bot(host, address, ready=lambda: None):
    """A listed client that is refused."""
    with contextlib.suppress(Closed, OSError), \
            Session(host.network, address, timeout=PATIENCE) as session:
        session.greet()
        session.command("MAIL FROM:<a@b.example>")
        ready()
        session.command(f"RCPT TO:<{MAILBOX}>")
        session.ended(2)


def silent(host, address):
    """A listed client that says nothing until it is disconnected."""
    with contextlib.suppress(Closed, OSError), Session(host.network, address) as session:
        session.ended(2)


@contextlib.contextmanager
def bots(host, talk, count=1):
    """So many at a time beside the customers, one after the other, at addresses of their own."""
    stop, numbers = threading.Event(), itertools.count()

    def run():
        while not stop.wait(0.1):
            talk(host, str(BOTS + next(numbers)))
    with ThreadPoolExecutor(count) as pool:
        for _ in range(count):
            pool.submit(run)
        try:
            yield
        finally:
            stop.set()


@contextlib.contextmanager
def mail_host(points, **courier):
    directory = workdir()
    with Network() as network, NftList(4) as list4, NftList(6) as list6, \
            Dnsbl(directory, [LISTED]) as dnsbl, \
            Rsyslog(directory, action(backend="nftables")) as rsyslog, \
            Courier(directory, PORTS, users={USER: PASSWORD}, tarpit=True, delivery=True,
                    **courier) as real:
        yield MailHost(points, network, list4, list6, dnsbl, rsyslog, real)


def in_parallel(job, count, workers=WORKERS):
    """The results of job(0), job(1) ... that are not None."""
    with ThreadPoolExecutor(workers) as pool:
        return [ended for ended in pool.map(job, range(count)) if ended]


def logins(points, host):
    """Rules 1 to 4 end none."""
    with bots(host, bot):
        ended = in_parallel(
            lambda number: Customer(host, number % 2000, **way(number),
                                    pause=random.uniform(0, 0.06)).run(), COUNT)
    points.equal([str(problem) for problem in ended[:10]], [],
                 f"{COUNT} sessions log in, send RSET and mails: none ends")
    customers, others = [], []
    for entry in map(ipaddress.ip_address, host.list4.addresses()):
        (customers if entry < BOTS else others).append(str(entry))
    points.equal(customers, [], "no address of theirs is blocked")
    points.ok(others, "the bots beside them are blocked", host.rsyslog.counters)


def with_a_bot(host, number):
    """The bot is refused at some moment around the login."""
    customer = Customer(host, 2000 + number, **way(number),
                        pause=random.uniform(0, 0.3), patience=SHORT)
    refused = threading.Thread(target=bot, args=(host, customer.source))
    refused.start()
    try:
        return customer.run()
    finally:
        refused.join()


def measured(points, label, ended):
    """Sessions that were hit after the login: at the 235, or later. Those whose packets are
    dropped do not notice when that began."""
    after = [problem for problem in ended if problem.since_login is not None]
    at_once = [problem for problem in after if problem.since_login <= 0.001]
    dropped = [problem for problem in after if problem.dropped]
    points.note(f"{label}: of {MEASURED} sessions {len(ended)} were not served: "
                f"{len(ended) - len(after)} before their login, {len(after)} after it: "
                f"{len(at_once)} of these ended within 1 ms of the 235, of {len(dropped)} the "
                "packets are dropped")
    for problem in ended[:5]:
        points.note(f"{problem}, {problem.since_login} s after the login")
    return [str(problem) for problem in after if problem not in at_once]


def siblings(points, host):
    late = measured(points, "a bot at the same address",
                    in_parallel(lambda number: with_a_bot(host, number), MEASURED))
    points.ok(len(late) <= FEW, f"a bot at the same address: at most {FEW} hit after the login",
              late)


def pressure(points, host):
    """Silent bots take most of the slots, and come again."""
    with bots(host, silent, SLOTS - WORKERS // 2):
        late = measured(points, "silent bots take the slots", in_parallel(
            lambda number: Customer(host, 14000 + number % 2000, **way(0)).run(), MEASURED,
            WORKERS // 3))
    points.ok(len(late) <= FEW, f"silent bots take the slots: at most {FEW} hit after the login",
              late)


def scenario(points):
    with mail_host(points) as host:
        points.parts((logins, siblings), host)
    with mail_host(points, maxdaemons=SLOTS) as host:
        points.parts((pressure,), host)


if __name__ == "__main__":
    tap.main(scenario)
