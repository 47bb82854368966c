# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A million forged lines, as fast as rsyslogd takes them, and one genuine line.

With the sender's credentials only the genuine client is blocked, rsyslogd does not grow, the
log file has every line, and rsyslogd stops at once. Without them each line needs a search
or is refused, the genuine one too; the next one after the flood is blocked.
"""
# serial: uses all of one processor
# limit: 240

import subprocess
import sys
import time

from lib import instrument, processes
from lib.rsyslog import action
from lib.scenario import listed, mail_host
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


def flood(first, count):
    """A process of the user nobody that logs that many forged lines."""
    return subprocess.Popen([*processes.as_user("nobody"), sys.executable, "-I", "-c", FLOOD,
                             str(first), str(count)])


def wait(process):
    if process.wait(100) != 0:
        raise RuntimeError("the flood did not get through")


def logged(host):
    return int(subprocess.run(["grep", "-c", "::ffff:11\\.", host.rsyslog.mail_log],
                              stdout=subprocess.PIPE, check=False).stdout or 0)


def rejected(points, host, source, blocked):
    """A client of the real courier: it gets its 511, and must be blocked, or may be."""
    _, child = host.rejects(source)
    if blocked:
        began = time.monotonic()
        host.blocks(source, deadline=5)
        points.note(f"on the list after {(time.monotonic() - began) * 1000:.0f} ms")
        host.ends(child, deadline=5)


def settled(counters):
    """Every line has an answer: the background thread searches for some of them."""
    answers = sum(counters.get(key, 0) for key in (*REFUSED, "blocks"))
    return answers == counters.get("triggers", 0)


def flooded(points, host, warm, lines, blocked):
    """A flood with a genuine reject in it: the counters for both."""
    begun = logged(host)
    wait(flood(0, warm))
    wait_for(lambda: logged(host) == begun + warm, 30, "the first lines")
    wait_for(lambda: settled(host.rsyslog.counters()), 30, "answers for the first lines")
    before, began = host.rsyslog.counters(), time.monotonic()
    memory = processes.memory(host.rsyslog.pid)["Rss"]
    size = host.rsyslog.mail_log.stat().st_size
    process = flood(warm, lines)
    wait_for(lambda: host.rsyslog.mail_log.stat().st_size > size + 20 * lines, 60,
             "a good part of the flood")
    rejected(points, host, listed(1), blocked)
    points.ok(process.poll() is None, "the flood still ran")
    wait(process)
    points.until(lambda: host.growth(before).get("lines") == lines + 1, 30, "every line was seen",
                 host.rsyslog.counters)
    points.note(f"{lines / (time.monotonic() - began):.0f} lines a second")
    wait_for(lambda: settled(host.rsyslog.counters()), 30, "answers for all lines")
    points.at_most(processes.memory(host.rsyslog.pid)["Rss"] - memory, 4096,
                   "rsyslogd's growth, kB")
    points.equal(logged(host), begun + warm + lines,
                 "the log file beside the action has every line")
    return host.growth(before)


def with_credentials(points, host):
    counted = flooded(points, host, WARM, LINES, True)
    # The last lines of a flood may be read after its sender has exited.
    refused = counted.pop("refused.sender", 0) + counted.pop("refused.gone", 0)
    points.equal(refused, LINES, "every forged line is counted as refused")
    # Whether a connection is left to reset depends on the client.
    counted.pop("resets", None)
    points.equal(counted, {"lines": LINES + 1, "rejects": LINES + 1, "triggers": LINES + 1,
                           "blocks": 1, "ended": 1}, "and the genuine one as a block")
    points.equal(host.blocked(), {listed(1)}, "no other address is on the list")


def without_credentials(points, host):
    host.restart(imuxsock="")
    counted = flooded(points, host, FEWER_WARM, FEWER, False)
    points.note(", ".join(f"{key} {counted.get(key, 0)}" for key in REFUSED))
    taken = counted.get("blocks", 0)
    points.equal(sum(counted.get(key, 0) for key in REFUSED), FEWER + 1 - taken,
                 "all but the genuine line are counted as refused")
    points.equal(host.blocked(), {listed(1)} if taken else set(), "no other address is on the list")
    rejected(points, host, listed(2), True)


def shutdown(points, host):
    begun, process = logged(host), flood(0, 50_000)
    wait_for(lambda: process.poll() is not None or logged(host) > begun + 1000, 20, "more of them")
    points.at_most(host.rsyslog.stop(), 2, "the shutdown in the middle of it, s")
    process.kill()
    process.wait()


def scenario(points):
    with mail_host(points, action(), settings=QUEUE) as host:
        host.parts(with_credentials, without_credentials, shutdown)
    host.rsyslog.mail_log.unlink()
