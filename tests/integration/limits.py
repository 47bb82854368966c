# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What the module does not act on: more than maxBlocks, old lines, lines of unknown form; and a
list that is too small.

Each is counted and, where an admin should know, logged once.
"""
# backends: both

import re
import time
from pathlib import Path

from lib.firewall import backend
from lib.rsyslog import CREDENTIALS, action, log
from lib.scenario import listed, mail_host, reject_line

# The time in the message counts; without the first parser, 8.2302 garbles the tag.
STAMPS = 'SysSock.UseSysTimeStamp="off" SysSock.IgnoreTimestamp="off"'
ABSENT = "10.9.4.{}"
ENOUGH, INTERVAL = 5, 2
RECIPIENTS = 50
LINES = 200
SIZE = 80
TOO_MANY = 40


def room():
    """Addresses on a list."""
    if backend() == "nftables":
        return SIZE
    return int(Path("/sys/module/xt_recent/parameters/ip_list_tot").read_text())


def log_at(text, when):
    log(text, stamp=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(when)))


def max_blocks(points, host):
    """Eight hosts at once, five blocks: all eight smtpds are terminated."""
    host.restart(action(maxBlocks=ENOUGH, maxBlocks_interval=INTERVAL))
    closes = f"maxBlocks: {ENOUGH} addresses were blocked within"
    opens = "maxBlocks: addresses are blocked again"
    with host.counted(triggers=9, blocks=6, refused__budget=3, budget_closed=1, ended=9):
        began = time.monotonic()
        children = [host.rejects(listed(number))[1] for number in range(1, 9)]
        points.at_most(time.monotonic() - began, INTERVAL, "eight came in one interval, s")
        host.ends(*children)
        points.equal(len(host.list4.addresses()), ENOUGH, f"{ENOUGH} are on the list")
        points.until(lambda: host.rsyslog.logged(opens), INTERVAL + 3,
                     "it is logged when addresses are blocked again")
        host.rejects(listed(9))
        host.blocks(listed(9))
        points.equal((len(host.rsyslog.logged(closes)), len(host.rsyslog.logged(opens))), (1, 1),
                     "one warning, one all-clear")


def one_address(points, host):
    """Many lines of it at once: nftables writes them together, and it counts once."""
    host.restart(action(verify="none", maxBlocks=1, terminate="off"))
    with host.counted(triggers=LINES, blocks=1, renewals=LINES - 1):
        for _ in range(LINES):
            log(reject_line(ABSENT.format(9)))
        host.blocks(ABSENT.format(9))


def one_ipv6_host(points, host):
    """It has a whole /64: it uses up neither maxBlocks nor the list."""
    host.restart(action(verify="none", maxBlocks=ENOUGH, listSize=SIZE, ipv6Prefix=128,
                        terminate="off"))
    own = [f"fd00:9:0:7::{number:x}" for number in range(1, 31)]
    share = room() // 8
    with host.counted(triggers=32, blocks=32, overflows=30 - share):
        log(reject_line("fd00:9:0:8::1"))
        host.blocks("fd00:9:0:8::1")
        for source in own:
            log(reject_line(source))
        log(reject_line(ABSENT.format(7)))
        host.blocks(ABSENT.format(7))
    points.equal(host.list6.addresses(), {"fd00:9:0:8::1", *own[-share:]},
                 f"the {share} newest of the /64, and another host's")


def overflows(host):
    """Of both actions."""
    host.rsyslog.counters()
    return sum(int(number) for line in host.rsyslog.logged("action with list spammer and")[-2:]
               for number in re.findall(r"\boverflows=(\d+)", line))


def two_actions(points, host):
    """Each blocks its half of the addresses, which is more than the list has room for. The first
    action's banTime counts."""
    own = [4711, 4712]
    host.restart("".join(
        f'if $msg contains "port={port}," then '
        + action("", verify="none", terminate="off", listSize=SIZE, statsName=f"port{port}",
                 banTime=seconds)
        for port, seconds in zip(own, (600, 60))))
    count = room() + TOO_MANY
    for number in range(count):
        log(reject_line(f"11.9.{number >> 8}.{number & 255}", own[number % 2]))
    points.until(lambda: overflows(host) == TOO_MANY, 10,
                 f"{count} addresses on a list for {room()}: the rest is counted",
                 lambda: overflows(host))
    points.equal(len(host.list4.addresses()), room(), "the list is full")
    if backend() == "nftables":
        points.ok(min(host.list4.entries().values()) > 500, "each for the first action's banTime",
                  host.list4.entries())


def many_recipients(points, host):
    """Each recipient of one client is a reject of its own: the client is blocked once."""
    host.restart(action(maxBlocks=2, terminate_delay=1500))
    with host.counted(triggers=RECIPIENTS, blocks=1, repeated=RECIPIENTS - 1, ended=1, resets=1):
        session, child = host.open(listed(11))
        session.command("MAIL FROM:<a@b.example>")
        session.send("\r\n".join(f"RCPT TO:<{n}@mx.lab>" for n in range(RECIPIENTS)))
        host.ends(child, deadline=6)


def old_lines(points, host):
    """From a backlog: a client that connected an hour ago must not be blocked now."""
    host.restart(action(verify="none", banTime=60), imuxsock=STAMPS)
    with host.harmless("older than banTime", sources=[ABSENT.format(1)], old=1, rejects=1):
        log_at(reject_line(ABSENT.format(1)), time.time() - 120)
    for label, number, seconds in (("younger", 2, -20), ("from the future", 3, 3600)):
        with host.counted(label, triggers=1, blocks=1):
            log_at(reject_line(ABSENT.format(number)), time.time() + seconds)
            host.blocks(ABSENT.format(number))


UNKNOWN = ("error,relay=someone else entirely, said \"no\" \x1b[31m\udcff",
           "error,peer=::ffff:10.9.1.1: 511 Listed in lab DNSBL")
KNOWN = ("Unexpected SSL connection shutdown.", "300 maximum active connections.")


def unknown_lines(points, host):
    """courier's wording changes: the module logs that once, without raw bytes."""
    host.restart(action(), imuxsock=CREDENTIALS)
    said = lambda: host.rsyslog.logged("have an unknown form")
    with host.counted("another program's lines, and known ones"):
        for text in UNKNOWN:
            log(text, tag="exim")
        for text in KNOWN:
            log(text)
    points.equal(said(), [], "nothing is logged about those")
    with host.counted("unknown lines", unknown=2 * len(UNKNOWN)):
        for text in UNKNOWN * 2:
            log(text)
        points.until(said, 3, "it is logged")
    points.equal(len(said()), 1, "once, and not again at HUP")
    sample = said()[0].split("such as ", 1)[-1]
    points.ok('error,relay=someone else entirely, said ?no?' in sample, "with a sample", sample)
    points.ok(all(" " <= letter <= "~" for letter in sample), "which is printable", repr(sample))


def scenario(points):
    with mail_host(points) as host:
        host.parts(max_blocks, one_address, one_ipv6_host, two_actions, many_recipients, old_lines,
                   unknown_lines)
