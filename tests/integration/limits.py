#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What the module does not act on: more than maxBlocks, old lines, lines of unknown form.

Each is counted and, where an admin should know, logged once.
"""
# backends: both

import socket
import time

from lib import processes, tap
from lib.attack import Counted, harmless, reject_line, restart
from lib.rsyslog import CREDENTIALS, action, log
from lib.scenario import NOBODY, listed, mail_host

# The time in the message counts; without the first parser, 8.2302 garbles the tag.
STAMPS = 'SysSock.UseSysTimeStamp="off" SysSock.IgnoreTimestamp="off"'
ABSENT = "10.9.4.{}"
ENOUGH, INTERVAL = 5, 2


def log_at(text, when):
    """One line with that time in it."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(when))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("/dev/log")
        sender.send(f"<19>{stamp} courieresmtpd: {text}".encode())


def rejected(host, number):
    session, child = host.open(listed(number))
    if session.recipient(NOBODY).code != 511:
        raise RuntimeError(f"{listed(number)} was not rejected")
    return session, child


def max_blocks(points, host):
    """Eight hosts at once, five blocks: all eight smtpds are terminated."""
    restart(host, action(maxBlocks=ENOUGH, maxBlocks_interval=INTERVAL))
    closes = lambda: host.rsyslog.logged(f"maxBlocks: {ENOUGH} addresses were blocked within")
    opens = lambda: host.rsyslog.logged("maxBlocks: addresses are blocked again")
    with Counted(points, host, "maxBlocks", triggers=9, blocks=6, refused__budget=3,
                 budget_closed=1, ended=9):
        began = time.monotonic()
        open_ones = [rejected(host, number) for number in range(1, 9)]
        points.at_most(time.monotonic() - began, INTERVAL,
                       "maxBlocks: eight came in one interval, s")
        points.until(lambda: all(processes.gone(child.pid) for _, child in open_ones), 4,
                     "maxBlocks: all eight smtpds are terminated")
        points.equal(len(host.list4.addresses()), ENOUGH, f"maxBlocks: {ENOUGH} are on the list")
        points.until(opens, INTERVAL + 3,
                     "maxBlocks: it is logged when addresses are blocked again")
        open_ones.append(rejected(host, 9))
        points.until(lambda: host.is_blocked(listed(9)), 3, "maxBlocks: and they are blocked")
        points.equal((len(closes()), len(opens())), (1, 1), "maxBlocks: one warning, one all-clear")
    for session, _ in open_ones:
        session.close()


RECIPIENTS = 50


def many_recipients(points, host):
    """Each recipient of one client is a reject of its own: the client is blocked once."""
    restart(host, action(maxBlocks=2, terminate_delay=1500))
    with Counted(points, host, "many recipients", triggers=RECIPIENTS, blocks=1,
                 repeated=RECIPIENTS - 1, ended=1, resets=1):
        session, child = host.open(listed(11))
        session.command("MAIL FROM:<a@b.example>")
        session.send("\r\n".join(f"RCPT TO:<{n}@mx.lab>" for n in range(RECIPIENTS)))
        points.until(lambda: processes.gone(child.pid), 6,
                     "many recipients: the smtpd is terminated")
    session.close()


def old_lines(points, host):
    """From a backlog: a client that connected an hour ago must not be blocked now."""
    restart(host, action(verify="none", banTime=60), imuxsock=STAMPS)
    with harmless(points, host, "older than banTime", sources=[ABSENT.format(1)], old=1, rejects=1):
        log_at(reject_line(ABSENT.format(1)), time.time() - 120)
    with Counted(points, host, "younger than banTime", triggers=1, blocks=1):
        log_at(reject_line(ABSENT.format(2)), time.time() - 20)
        points.until(lambda: host.is_blocked(ABSENT.format(2)), 3, "younger than banTime: blocked")
    with Counted(points, host, "from the future", triggers=1, blocks=1):
        log_at(reject_line(ABSENT.format(3)), time.time() + 3600)
        points.until(lambda: host.is_blocked(ABSENT.format(3)), 3, "from the future: blocked")


UNKNOWN = ("error,relay=someone else entirely, said \"no\" \x1b[31m\udcff",
           "error,peer=::ffff:10.9.1.1: 511 Listed in lab DNSBL")
KNOWN = ("Unexpected SSL connection shutdown.", "300 maximum active connections.")


def unknown_lines(points, host):
    """courier's wording changes: the module logs that once, without raw bytes."""
    restart(host, action(), imuxsock=CREDENTIALS)
    said = lambda: host.rsyslog.logged("have an unknown form")
    with Counted(points, host, "another program's lines, and known ones"):
        for text in UNKNOWN:
            log(text, tag="exim")
        for text in KNOWN:
            log(text)
    points.equal(said(), [], "another program's lines, and known ones: nothing is logged")
    with Counted(points, host, "unknown lines", unknown=2 * len(UNKNOWN)):
        for text in UNKNOWN * 2:
            log(text)
        points.until(said, 3, "unknown lines: it is logged", host.rsyslog.own)
    points.equal(len(said()), 1, "unknown lines: once, and not again at HUP")
    sample = said()[0].split("such as ", 1)[-1]
    points.ok('error,relay=someone else entirely, said ?no?' in sample,
              "unknown lines: with a sample",
              sample)
    points.ok(all(" " <= letter <= "~" for letter in sample),
              "unknown lines: the sample is printable", repr(sample))


def scenario(points):
    with mail_host() as host:
        for check in (max_blocks, many_recipients, old_lines, unknown_lines):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
