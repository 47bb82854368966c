#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The spam wave: listed hosts that connect at a steady rate and stay connected.

The addresses take turns, each with --burst connections at once. A connection sends HELO, MAIL
and RCPT until one of them is refused, and then stays until the server ends it or the run is
over, as spam bots do: it never sends QUIT. A share of them, --silent, sends nothing. Writes
one CSV row per connection to standard output at the end; times are seconds since the start.
"""

import argparse
import asyncio
import csv
import dataclasses
import ipaddress
import resource
import sys

from client import Client, Clock, Closed


@dataclasses.dataclass
class Visit:
    """One connection. `code` is the refusal, also one that comes unasked, or the reply to
    RCPT.

    `ending` is how it ended:

    closed, reset   by the server
    held            not at all: the bot still had it open at the end of the run
    unanswered      no greeting came within the bot's patience
    """

    address: str
    due: float
    silent: bool = False
    started: float = None
    greeted: float = None
    code: int = None
    replied: float = None
    ending: str = None
    ended: float = None


class Wave:
    """All visits of one run."""

    def __init__(self, options):
        self.options = options
        self.clock = Clock(options.start)
        first = ipaddress.ip_address(options.first)
        self.visits = [self._visit(first, number)
                       for number in range(round(options.rate * options.duration))]

    def _visit(self, first, number):
        """The silent ones are spread evenly, also over an address' connections."""
        turn = number // self.options.burst
        return Visit(str(first + turn % self.options.addresses),
                     turn * self.options.burst / self.options.rate,
                     number * 7919 % 1000 < self.options.silent * 1000)

    async def run(self):
        tasks = []
        for visit in self.visits:
            await self.clock.sleep_until(visit.due)
            tasks.append(asyncio.create_task(self._make(visit)))
        await asyncio.gather(*tasks)

    async def _make(self, visit):
        client = Client(visit.address)
        visit.started = self.clock.now()
        try:
            await asyncio.wait_for(self._talk(client, visit), self.options.end - visit.started)
        except asyncio.TimeoutError:
            visit.ending = "held" if visit.greeted is not None else "unanswered"
        except Closed as closed:
            visit.ending = closed.how
        except OSError:
            visit.ending = "unanswered"
        finally:
            visit.ended = self.clock.now()
            client.close()

    async def _talk(self, client, visit):
        await asyncio.wait_for(self._reach(client, visit), self.options.patience)
        if visit.code is None and not visit.silent:
            for command in (f"HELO bot.{visit.address}.example", "MAIL FROM:<offer@bot.example>",
                            f"RCPT TO:<{self.options.recipient}>"):
                code = await client.command(command)
                if code >= 400:
                    break
            visit.code, visit.replied = code, self.clock.now()
        while True:
            self._refused(visit, await client.reply())

    def _refused(self, visit, code):
        """A reply that nothing was sent for: the first refusal counts."""
        if code >= 400 and visit.code is None:
            visit.code, visit.replied = code, self.clock.now()

    async def _reach(self, client, visit):
        await client.connect(self.options.server)
        code = await client.reply()
        visit.greeted = self.clock.now()
        self._refused(visit, code)


def write(visits, out):
    rows = csv.writer(out)
    rows.writerow(field.name for field in dataclasses.fields(Visit))
    for visit in visits:
        rows.writerow(f"{value:.3f}" if isinstance(value, float) else value
                      for value in dataclasses.astuple(visit))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True, help="the mail host's address")
    parser.add_argument("--first", required=True, help="the first bot's address")
    parser.add_argument("--addresses", type=int, required=True, help="how many, from the first on")
    parser.add_argument("--rate", type=float, required=True, help="connections a second")
    parser.add_argument("--burst", type=int, default=1, help="an address' connections at once")
    parser.add_argument("--silent", type=float, default=0, help="share that sends nothing")
    parser.add_argument("--duration", type=float, required=True, help="seconds with new ones")
    parser.add_argument("--end", type=float, required=True, help="when all let go, in seconds")
    parser.add_argument("--patience", type=float, default=30, help="seconds to wait for a greeting")
    parser.add_argument("--recipient", required=True, help="whom the mail is for")
    parser.add_argument("--start", type=float, required=True, help="monotonic time of second 0")
    return parser.parse_args()


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    wave = Wave(arguments())
    asyncio.run(wave.run())
    write(wave.visits, sys.stdout)


if __name__ == "__main__":
    main()
