#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The ordinary sender: one mail at a steady interval, and a limit to his patience.

A mail that is not taken does not delay the next: what is measured is what a
customer who writes at that moment would see. Writes one CSV row a mail to
standard output as soon as its outcome is known: number, when it was due, how
long it took until the server took it (or he gave up), and the outcome.
"""

import argparse
import asyncio
import contextlib
import csv
import sys

from client import Client, Clock, Closed

# In every mail, so that it is found again in the Maildir.
MARK = "X-Wave-Mail"
ACCEPTED = "accepted"
COLUMNS = ("number", "due", "wait", "outcome")


class Refused(Exception):
    """The server said no."""


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
    """QUIT, which is no part of the time that his mail took."""
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
    parser.add_argument("--recipient", required=True, help="whom he writes to")
    parser.add_argument("--interval", type=float, default=0.5, help="seconds from mail to mail")
    parser.add_argument("--duration", type=float, required=True, help="seconds with new mails")
    parser.add_argument("--patience", type=float, default=10, help="seconds until he gives up")
    parser.add_argument("--start", type=float, required=True, help="monotonic time of second 0")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(run(arguments()))
