#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A million forged lines, as fast as rsyslogd takes them, and one genuine line.

With the sender's credentials, the listed client in the middle of the flood is blocked as
usual and no other address is; rsyslogd does not grow; the log file beside the action has
every line; rsyslogd stops at once. Then a shorter flood without credentials: each line
needs a search or is refused. The genuine line may be refused, too, but the next one after
the flood is blocked.
"""
# serial: uses all of one processor
# limit: 240

import subprocess
import sys
import time

from lib import instrument, processes, tap
from lib.attack import counters, restart
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import NOBODY, listed, mail_host
from lib.wait import wait_for

# A tenth under an instrument.
SHARE = 10 if instrument.words() else 1
LINES, WARM = 1_000_000 // SHARE, 100_000 // SHARE
# Without credentials.
FEWER, FEWER_WARM = 200_000 // SHARE, 20_000 // SHARE
# A forged line may be refused for each of these, and for no other reason.
REFUSED = ("refused.sender", "refused.gone", "refused.no_child", "refused.busy")
# A small queue: lines that wait in rsyslogd itself are not growth of the module.
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
    """A process of the user nobody that logs `count` forged lines."""

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


def rejected(points, host, source, label, blocked):
    """A client of the real courier: it gets its 511, and must be blocked, or may be."""
    session, child = host.open(source)
    with session:
        points.equal(session.recipient(NOBODY).code, 511, f"{label}: a listed client is rejected")
        if not blocked:
            return
        began = time.monotonic()
        points.until(lambda: host.is_blocked(source), 5, f"{label}: the client is on the list")
        points.note(f"{label}: on the list after {(time.monotonic() - began) * 1000:.0f} ms")
        points.until(lambda: processes.gone(child.pid), 5, f"{label}: its smtpd is gone")


def flooded(points, host, label, warm, lines, blocked):
    """A flood with a genuine reject in it: the counters for both."""
    begun = logged(host)
    Flood(0, warm).wait()
    wait_for(lambda: logged(host) == begun + warm, 30, "the first lines")
    before, memory, began = counters(host.rsyslog), processes.memory(host.rsyslog.pid)["Rss"], time.monotonic()
    size = host.rsyslog.mail_log.stat().st_size
    flood = Flood(warm, lines)
    wait_for(lambda: host.rsyslog.mail_log.stat().st_size > size + 20 * lines, 60,
             "a good part of the flood")
    rejected(points, host, listed(1), f"{label}, in the middle", blocked)
    points.ok(flood.running(), f"{label}: the flood still ran")
    flood.wait()
    points.until(lambda: growth(host, before).get("lines") == lines + 1, 30,
                 f"{label}: every line was seen", lambda: counters(host.rsyslog))
    points.note(f"{label}: {lines / (time.monotonic() - began):.0f} lines a second")
    points.at_most(processes.memory(host.rsyslog.pid)["Rss"] - memory, 4096, f"{label}: rsyslogd's growth, kB")
    points.equal(logged(host), begun + warm + lines,
                 f"{label}: the log file beside the action has every line")
    return growth(host, before)


def with_credentials(points, host):
    counted = flooded(points, host, "credentials", WARM, LINES, True)
    # The last lines of a flood may be read after its sender has exited.
    refused = counted.pop("refused.sender", 0) + counted.pop("refused.gone", 0)
    points.equal(refused, LINES, "every forged line is counted as refused")
    # Whether a connection is left to reset depends on the client.
    counted.pop("resets", None)
    points.equal(counted, {"lines": LINES + 1, "rejects": LINES + 1, "triggers": LINES + 1,
                           "blocks": 1, "ended": 1}, "and the genuine one as a block")
    points.equal(host.list4.addresses(), {listed(1)}, "no other address is on the list")


def without_credentials(points, host):
    restart(host, action(), imuxsock="")
    counted = flooded(points, host, "no credentials", FEWER_WARM, FEWER, False)
    points.note("no credentials: " + ", ".join(f"{key} {counted.get(key, 0)}" for key in REFUSED))
    taken = counted.get("blocks", 0)
    points.equal(sum(counted.get(key, 0) for key in REFUSED), FEWER + 1 - taken,
                 "no credentials: all but the genuine line are counted as refused")
    points.equal(host.list4.addresses(), {listed(1)} if taken else set(),
                 "no credentials: no other address is on the list")
    rejected(points, host, listed(2), "no credentials, afterwards", True)


def shutdown(points, host):
    begun = logged(host)
    flood = Flood(0, 50_000)
    wait_for(lambda: not flood.running() or logged(host) > begun + 1000, 20, "more of them")
    points.at_most(host.rsyslog.stop(), 2, "the shutdown in the middle of it, s")
    flood.process.kill()
    flood.process.wait()


def scenario(points):
    with mail_host(action(), imuxsock=CREDENTIALS, settings=QUEUE) as host:
        for check in (with_credentials, without_credentials, shutdown):
            with tap.part(points, check.__name__):
                check(points, host)
    host.rsyslog.mail_log.unlink()


if __name__ == "__main__":
    tap.main(scenario)
