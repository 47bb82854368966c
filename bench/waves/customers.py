#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Customers at listed addresses who log in while the wave comes, each with an address of its own.

A customer's program says EHLO a tenth of the pause after the greeting, as on a slow line, and
pauses between commands. It is served if courier accepts its mail. Some send a wrong password
first, some mistype a recipient. A customer behind a NAT shares its address with a bot: it is
logged in when the bot is refused, and must keep its session; the bot comes again, and then the
customer's ports 465 and 587 must serve. Writes one CSV row per customer.
"""

import argparse
import asyncio
import base64
import contextlib
import csv
import ipaddress
import ssl
import sys
import time

COLUMNS = ("kind", "address", "port", "started", "ended", "outcome")
SERVED = "served"
PATIENCE = 30.0

# Seconds in which a bot is greeted if its packets are not dropped, and in which the module
# has done what it does after the bot's refusal.
ANSWERED, ACTED = 3.0, 1.0

# Name, port, TLS: from the start, by STARTTLS, none.
WAYS = (("25", 25, None), ("STARTTLS on 25", 25, "starttls"), ("465", 465, "tls"),
        ("587", 587, "starttls"))
SLIPS = ("", "a wrong password first", "a mistyped recipient")


class Refused(Exception):
    """courier or the module refused it, or nobody answered."""


class Session:
    """An SMTP connection from an address, with a pause before each command but the first."""

    def __init__(self, options, address, port, tls, pause):
        self._options, self._address, self._port = options, address, port
        self._tls, self._pause = tls, pause
        self._reader = self._writer = None
        self.logged_in = False

    async def open(self):
        self._reader, self._writer = await asyncio.wait_for(asyncio.open_connection(
            self._options.server, self._port, local_addr=(self._address, 0),
            ssl=context() if self._tls == "tls" else None), PATIENCE)
        await self.expect(220, self._reply())
        await self.expect(250, self.command("EHLO customer.example", self._pause / 10))
        if self._tls == "starttls":
            await self.send("STARTTLS", 220)
            await self._writer.start_tls(context())
            await self.send("EHLO customer.example", 250)

    async def _reply(self):
        while True:
            line = await asyncio.wait_for(self._reader.readline(), PATIENCE)
            if not line:
                raise Refused("closed")
            if line[3:4] != b"-":
                return int(line[:3])

    async def expect(self, code, reply):
        got = await reply
        if got != code:
            raise Refused(f"{got}, not {code}")

    async def command(self, text, pause=None):
        await asyncio.sleep(self._pause if pause is None else pause)
        self._writer.write(text.encode() + b"\r\n")
        return await self._reply()

    async def send(self, text, code):
        await self.expect(code, self.command(text))

    async def login(self, code=235, password="secret"):
        token = base64.b64encode(f"\0customer\0{password}".encode()).decode()
        await self.send(f"AUTH PLAIN {token}", code)
        self.logged_in = code == 235

    async def mail(self, mistyped=False):
        await self.send("MAIL FROM:<customer@mx.lab>", 250)
        if mistyped:
            await self.send("RCPT TO:<nosuch@mx.lab>", 550)
        await self.send(f"RCPT TO:<{self._options.recipient}>", 250)
        await self.send("DATA", 354)
        await self.send("Subject: from a listed address\r\n\r\nHello\r\n.", 250)

    def close(self):
        if self._writer:
            self._writer.transport.abort()


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


@contextlib.asynccontextmanager
async def session(options, address, port, tls, pause):
    made = Session(options, address, port, tls, pause)
    try:
        await made.open()
        yield made
    except (Refused, OSError) as problem:
        when = "after" if made.logged_in else "before"
        raise Refused(f"{str(problem) or type(problem).__name__} {when} the login") from problem
    finally:
        made.close()


async def customer(options, address, port, tls, slip):
    async with session(options, address, port, tls, options.pause) as own:
        if slip == SLIPS[1]:
            await own.login(535, "wrong")
        await own.login()
        await own.mail(mistyped=slip == SLIPS[2])


async def bot(options, address):
    """Until courier has refused it, or the connection ends, or its packets are dropped."""
    with contextlib.suppress(Refused, OSError, asyncio.TimeoutError):
        made = Session(options, address, 25, None, 0)
        try:
            await asyncio.wait_for(made.open(), ANSWERED)
            await made.command("MAIL FROM:<offer@bot.example>")
            await made.command(f"RCPT TO:<{options.recipient}>")
            await asyncio.sleep(ACTED)
        finally:
            made.close()


async def behind_nat(options, address, port, tls, _):
    async with session(options, address, port, tls, options.pause / 3) as own:
        await own.login()
        await bot(options, address)
        await own.mail()
    await bot(options, address)
    for name, again, how in WAYS[2:]:
        try:
            async with session(options, address, again, how, 0) as own:
                await own.login()
                await own.mail()
        except Refused as problem:
            raise Refused(f"afterwards on {name}: {problem}") from problem


class Customers:
    """Every customer of the wave."""

    def __init__(self, options):
        self._options = options
        self._rows = csv.writer(sys.stdout)
        self._rows.writerow(COLUMNS)
        ways = [way for way in WAYS if options.login or way[1] != 25]
        plans = [(customer, f"{name}{', ' if slip else ''}{slip}", port, tls, slip)
                 for slip in SLIPS for name, port, tls in ways]
        plans += [(behind_nat, f"NAT, {name}", port, tls, None)
                  for name, port, tls in ways if port != 587 and tls]
        self._plans = plans

    def now(self):
        return time.monotonic() - self._options.start

    async def run(self):
        first = ipaddress.ip_address(self._options.first)
        step = self._options.spread / len(self._plans)
        await asyncio.gather(*(self._one(str(first + number), 1 + number * step, *plan)
                               for number, plan in enumerate(self._plans)))

    async def _one(self, address, due, talk, kind, port, tls, slip):
        await asyncio.sleep(max(0.0, due - self.now()))
        started, outcome = self.now(), SERVED
        try:
            await asyncio.wait_for(talk(self._options, address, port, tls, slip),
                                   self._options.end - started)
        except asyncio.TimeoutError:
            outcome = "not served in time"
        except (Refused, OSError, ValueError) as problem:
            outcome = str(problem) or type(problem).__name__
        self._rows.writerow((kind, address, port, f"{started:.3f}", f"{self.now():.3f}", outcome))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True, help="the mail host's address")
    parser.add_argument("--recipient", required=True)
    parser.add_argument("--first", required=True, help="the first customer's address")
    parser.add_argument("--login", type=int, required=True, help="port 25 offers a login")
    parser.add_argument("--pause", type=float, required=True, help="seconds between commands")
    parser.add_argument("--spread", type=float, required=True, help="seconds until all began")
    parser.add_argument("--end", type=float, required=True, help="the last second")
    parser.add_argument("--start", type=float, required=True, help="monotonic time of second 0")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(Customers(arguments()).run())
