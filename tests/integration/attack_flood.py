#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A million forged lines, as fast as rsyslogd takes them, and one genuine.

With the kernel's word for the sender the listed client in the middle of them
is blocked as ever; nobody else is; rsyslogd does not grow; the log file
beside has every line; and it shuts down at once.
"""
# serial: a processor's whole time goes into it
# limit: 180

import subprocess
import sys
import time

from lib import processes, tap
from lib.attack import counters
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import NOBODY, listed, mail_host
from lib.wait import wait_for

LINES = 1_000_000
WARM = 100_000
# A small queue: what rsyslogd itself keeps waiting is no growth of ours.
QUEUE = 'main_queue(queue.size="2000" queue.timeoutEnqueue="60000")\n'

# Ten million addresses, in turn; the text is that of a listed client.
FLOOD = r"""
import socket, sys, time
first, count = int(sys.argv[1]), int(sys.argv[2])
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect("/dev/log")
stamp = time.strftime("%b %d %H:%M:%S")
head = f"<19>{stamp} courieresmtpd: error,relay=::ffff:"
tail = ",port=4711,from=<a@b>,to=<c@d>: 511 Listed in lab DNSBL, "
send = sender.send
for number in range(first, first + count):
    address = f"11.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    send(f"{head}{address}{tail}{address}".encode())
"""


class Flood:
    """nobody's process that logs `count` forged lines."""

    def __init__(self, first, count):
        self.process = subprocess.Popen(
            ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-I", "-c", FLOOD,
             str(first), str(count)])

    def running(self):
        return self.process.poll() is None

    def wait(self):
        if self.process.wait(100) != 0:
            raise RuntimeError("the flood did not get through")


def growth(host, before):
    after = counters(host.rsyslog)
    return {key: value - before.get(key, 0) for key, value in after.items()
            if value != before.get(key, 0)}


def logged(host):
    return int(subprocess.run(["grep", "-c", "::ffff:11\\.", host.rsyslog.mail_log],
                              stdout=subprocess.PIPE, check=False).stdout or 0)


def in_the_middle(points, host, flood):
    """A real courier's client, while the flood runs."""
    session, child = host.open(listed(1))
    with session:
        points.equal(session.recipient(NOBODY).code, 511, "a listed client is rejected")
        began = time.monotonic()
        points.until(lambda: host.is_blocked(listed(1)), 5, "he is on the list")
        points.note(f"on the list after {(time.monotonic() - began) * 1000:.0f} ms")
        points.until(lambda: processes.gone(child.pid), 5, "his child is gone")
    points.ok(flood.running(), "the flood still ran")


def scenario(points):
    with mail_host(action(), imuxsock=CREDENTIALS, settings=QUEUE) as host:
        Flood(0, WARM).wait()
        wait_for(lambda: logged(host) == WARM, 30, "the first lines")
        before, memory, began = counters(host.rsyslog), host.rsyslog.memory_kb(), time.monotonic()
        flood = Flood(WARM, LINES)
        wait_for(lambda: host.rsyslog.mail_log.stat().st_size > 30_000_000, 60,
                 "a good part of the flood")
        in_the_middle(points, host, flood)
        flood.wait()
        points.until(lambda: growth(host, before).get("lines") == LINES + 1, 30,
                     "every line was seen", lambda: counters(host.rsyslog))
        seconds = time.monotonic() - began
        points.note(f"{LINES / seconds:.0f} lines a second")
        points.at_most(host.rsyslog.memory_kb() - memory, 4096, "rsyslogd's growth, kB")
        points.equal(logged(host), WARM + LINES, "the log file beside has every line")
        counted = growth(host, before)
        # The last lines of a flood may be read when its sender has ended.
        refused = counted.pop("refused.sender", 0) + counted.pop("refused.gone", 0)
        points.equal(refused, LINES, "every forged line is counted as refused")
        # Whether there is something left to reset is the client's affair.
        counted.pop("resets", None)
        points.equal(counted, {"lines": LINES + 1, "rejects": LINES + 1, "triggers": LINES + 1,
                               "blocks": 1, "ended": 1}, "and the genuine one as a block")
        points.equal(host.list4.addresses(), {listed(1)}, "nobody else is on the list")
        second = Flood(0, 50_000)
        wait_for(lambda: not second.running() or logged(host) > WARM + LINES + 1000, 20,
                 "more of them")
        points.at_most(host.rsyslog.stop(), 2, "the shutdown in the middle of it, s")
        second.process.kill()
        second.process.wait()
    host.rsyslog.mail_log.unlink()


if __name__ == "__main__":
    tap.main(scenario)
