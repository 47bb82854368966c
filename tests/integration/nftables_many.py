# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""backend="nftables": 100,000 blocks, the last ones as fast as the first.

All of them are put on a new set after the ruleset was flushed.
"""
# serial: times are compared
# limit: 120

import socket

from lib import instrument, threads
from lib.firewall import NftList
from lib.netns import Network, run
from lib.rsyslog import action
from lib.scenario import lone_rsyslogd
from lib.wait import wait_for

# Fewer under an instrument.
ALL, PART = (10_000, 1_000) if instrument.words() else (100_000, 10_000)

RULES = action("user.*", backend="nftables", input="address", verify="none", listSize=ALL,
               maxBlocks=10 * ALL, terminate="off")


def address(number):
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def log_addresses(first, last):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("/dev/log")
        for number in range(first, last):
            sender.send(b"<13>Jan  1 00:00:00 blocker: " + address(number).encode())


def cpu_seconds(pid):
    return sum(threads.processor_time(pid).values()) / 1e9


def seconds_for(daemon, first, last):
    """rsyslogd's processor time until all these lines are counted as blocked."""
    before = cpu_seconds(daemon.pid)
    log_addresses(first, last)
    wait_for(lambda: daemon.counters().get("blocks") == last, 30, f"{last} blocks")
    return cpu_seconds(daemon.pid) - before


def scenario(points):
    with Network(), lone_rsyslogd(points, RULES, "rsyslog") as daemon:
        numbers = NftList(4)
        first = seconds_for(daemon, 0, PART)
        log_addresses(PART, ALL - PART)
        wait_for(lambda: daemon.counters().get("blocks") == ALL - PART, 60, "most of them")
        last = seconds_for(daemon, ALL - PART, ALL)
        points.note(f"{PART} blocks took {first:.2f} s of processor time at first, "
                    f"{last:.2f} s at last")
        # A single address takes four times as long as one of a batch, and batching is
        # chance: bench/run nftables has the figures. A cost that grew with the set would
        # exceed this factor by far.
        points.at_most(last / first, 5, "the last ones take no longer than the first")
        # While the kernel resizes its table, a dump may miss some.
        held = lambda: len(numbers.entries())
        points.until(lambda: held() == ALL, 10, f"{ALL} are blocked", held)
        points.equal(daemon.counters().get("overflows", 0), 0, "there are no others")
        log_addresses(ALL, ALL + 1)
        wait_for(lambda: daemon.counters().get("overflows") == 1, 5, "one more than fits")
        points.until(lambda: held() == ALL, 10, "one more does not fit, and all stay", held)
        run("nft", "flush", "ruleset")
        points.until(lambda: daemon.counters().get("replayed", 0) >= ALL, 15,
                     "they are put back after a flush", daemon.counters)
        points.until(lambda: held() == ALL, 10, f"all {ALL}", held)
