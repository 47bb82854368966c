# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Customers from listed addresses log in while the rules run: none is terminated or blocked.

Each has an address of its own. They wait a little between commands, log in, start again with RSET
and send several mails, on 25, with STARTTLS, on 465 and 587, while bots are refused from other
addresses. Every customer has to be served to the end.

OMSMTPBLOCK_RACES is the number of customers, by default 60.
"""
# limit: 60

import itertools
import os
import queue
import random
import threading
import time

from lib.scenario import MAILBOX, PASSWORD, PORTS, USER, WAYS, mail_host
from lib.smtp import Closed

FOREIGN = "x@foreign.example"
CUSTOMERS = int(os.environ.get("OMSMTPBLOCK_RACES", "60"))
AT_ONCE, BOTS = 12, 4
LONGEST = 0.06      # seconds between two commands


class Wave:
    """Threads with one list of what went wrong."""

    def __init__(self, host):
        self.host = host
        self.failures = []
        self.served = 0
        self.refused = 0
        self.over = threading.Event()

    def expect(self, reply, code):
        if reply.code != code:
            raise AssertionError(f"{reply} instead of {code}")

    def customer(self, number):
        """One customer's session, from its own address."""
        way = list(WAYS)[number % len(WAYS)]
        rest = random.Random(number)
        session, _ = self.host.open(f"10.9.1.{number % 200}", **WAYS[way])
        with session:
            time.sleep(rest.uniform(0, LONGEST))
            self.expect(session.login(USER, PASSWORD), 235)
            for _ in range(rest.randint(1, 3)):
                time.sleep(rest.uniform(0, LONGEST))
                self.expect(session.recipient(MAILBOX), 250)
                self.expect(session.command("RSET"), 250)
                self.expect(session.recipient(FOREIGN), 250)
                self.expect(session.data("Subject: x\r\n\r\nx"), 250)

    def customers(self, numbers):
        while True:
            try:
                number = numbers.get_nowait()
            except queue.Empty:
                return
            try:
                self.customer(number)
                self.served += 1
            except (Closed, OSError, AssertionError) as problem:
                self.failures.append((number, list(WAYS)[number % len(WAYS)], repr(problem)))

    def bots(self, numbers):
        while not self.over.is_set():
            try:
                session, _ = self.host.open(f"10.9.1.{201 + next(numbers) % 50}")
                with session:
                    session.recipient(MAILBOX)
                    self.refused += 1
            except (Closed, OSError):
                time.sleep(0.05)


def scenario(points):
    random.seed(1)
    with mail_host(points, imuxsock="", tarpit=True, ports=PORTS) as host:
        wave, numbers = Wave(host), queue.Queue()
        for number in range(CUSTOMERS):
            numbers.put(number)
        bots = [threading.Thread(target=wave.bots, args=(itertools.count(first * 12),))
                for first in range(BOTS)]
        customers = [threading.Thread(target=wave.customers, args=(numbers,))
                     for _ in range(AT_ONCE)]
        for thread in bots + customers:
            thread.start()
        for thread in customers:
            thread.join()
        wave.over.set()
        for thread in bots:
            thread.join()
        print(f"# {wave.served} customers served, {wave.refused} bots refused meanwhile")
        points.equal(wave.failures, [], f"all of {CUSTOMERS} customers are served to the end")
        points.ok(wave.refused > 0, "bots were refused meanwhile")
        points.equal([address for address in host.blocked()
                      if int(address.split(".")[-1]) <= 200], [], "no customer is blocked")
