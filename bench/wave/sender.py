#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The ordinary sender: one mail at a steady interval, with limited patience.

A mail that is not accepted does not delay the next: each measures what a customer would
see at that moment. Writes one CSV row per mail to standard output as soon as its outcome is
known: number, scheduled time, time until the server accepted it (or the sender gave up),
and the outcome.
"""

import argparse
import asyncio
import contextlib
import csv
import sys

from client import Client, Clock, Closed

# In every mail, to find it in the Maildir.
MARK = "X-Wave-Mail"
ACCEPTED = "accepted"
COLUMNS = ("number", "due", "wait", "outcome")


class Refused(Exception):
    """The server refused."""


async def expect(reply, wanted):
    code = await reply
    if code != wanted:
        raise Refused(f"refused with {code}")


async def hand_over(client, number, options):
    await client.connect(options.server)
    await expect(client.reply(), 220)
    await expect(client.command("EHLO customer.example"), 250)
    await expect(client.command("MAIL FROM:<customer@customer.example>"), 250)
    await expect(client.command(f"RCPT TO:<{options.recipient}>"), 250)
    await expect(client.command("DATA"), 354)
    await expect(client.command(f"Subject: Order {number}\r\n{MARK}: {number}\r\n\r\n"
                                f"Please see to it.\r\n."), 250)


async def send(number, due, options, clock, rows):
    client = Client(options.source)
    try:
        await asyncio.wait_for(hand_over(client, number, options), options.patience)
        outcome = ACCEPTED
    except asyncio.TimeoutError:
        outcome = "gave up"
    except (Refused, Closed, OSError) as problem:
        outcome = str(problem)
    rows.writerow((number, f"{due:.3f}", f"{clock.now() - due:.4f}", outcome))
    sys.stdout.flush()
    if outcome == ACCEPTED:
        await part(client)
    client.close()


async def part(client):
    """QUIT, which does not count as time of the mail."""
    with contextlib.suppress(asyncio.TimeoutError, Closed):
        await asyncio.wait_for(client.command("QUIT"), 1)


async def run(options):
    clock, rows, mails = Clock(options.start), csv.writer(sys.stdout), []
    rows.writerow(COLUMNS)
    for number in range(round(options.duration / options.interval)):
        due = number * options.interval
        await clock.sleep_until(due)
        mails.append(asyncio.create_task(send(number, due, options, clock, rows)))
    await asyncio.gather(*mails)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True, help="the mail host's address")
    parser.add_argument("--source", required=True, help="the sender's own address")
    parser.add_argument("--recipient", required=True, help="the recipient")
    parser.add_argument("--interval", type=float, default=0.5, help="seconds from mail to mail")
    parser.add_argument("--duration", type=float, required=True, help="seconds with new mails")
    parser.add_argument("--patience", type=float, default=10, help="seconds until it gives up")
    parser.add_argument("--start", type=float, required=True, help="monotonic time of second 0")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(run(arguments()))
