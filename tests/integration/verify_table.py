# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Each row of the manual's table of verify modes, on imuxsock and on journald.

In each a genuine reject is blocked; and a line for an address without a session is believed
exactly when the table says so, depending on the process that logged it and whether it is
alive. No field that a sender sets in the journal can replace its credentials.
"""

# limit: 150
# rsyslogd answers a HUP within a second where imjournal runs, and the counters
# are asked for five times a row.

import contextlib
import itertools
import os
import pwd
import subprocess
import sys

from lib.attack import Forger, log_and_leave, suspended
from lib.processes import as_user
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import listed, mail_host, reject_line
from lib.wait import wait_for

LOADS = {"credentials": CREDENTIALS, "PID only": 'SysSock.UsePIDFromSystem="on"', "none": ""}

# verify, input -> result of a line for an absent address, by its sender. "gone": it had
# exited when the line was read, so its executable is not known; "seen": it exited later, and
# its executable is known not to be courieresmtpd.
SENDERS = ("nobody lives", "courier lives", "nobody gone", "courier gone", "root gone",
           "courier seen")
NO_CHILD, REFUSED, GONE, BLOCKED = "refused.no_child", "refused.sender", "refused.gone", "blocks"
TABLE = {
    ("child", "credentials"): (REFUSED, REFUSED, GONE, GONE, GONE),
    ("child", "PID only"): (REFUSED, REFUSED, NO_CHILD, NO_CHILD, NO_CHILD),
    ("child", "none"): (NO_CHILD,) * 5,
    ("child", "journal"): (REFUSED, REFUSED, GONE, GONE, GONE, GONE),
    ("sender", "credentials"): (REFUSED, REFUSED, GONE, BLOCKED, BLOCKED),
    ("sender", "PID only"): (REFUSED, REFUSED, NO_CHILD, NO_CHILD, NO_CHILD),
    ("sender", "none"): (NO_CHILD,) * 5,
    ("sender", "journal"): (REFUSED, REFUSED, GONE, BLOCKED, BLOCKED, GONE),
    ("none", "credentials"): (BLOCKED,) * 5,
    ("none", "PID only"): (BLOCKED,) * 5,
    ("none", "none"): (BLOCKED,) * 5,
    ("none", "journal"): (BLOCKED,) * 6,
}
numbers = itertools.count(1)


def until_triggered(host, before=0):
    wait_for(lambda: host.rsyslog.counters().get("triggers", 0) > before, 5,
             "the action to have seen the line while its sender lives")


def logs(host, sender, line):
    user, fate = sender.split()
    if fate == "lives":
        before = host.rsyslog.counters().get("triggers", 0)
        with Forger(user) as forger:
            forger.log(line)
            until_triggered(host, before)
    elif fate == "gone":
        with suspended(host.journald.pid) if host.journald else contextlib.nullcontext():
            log_and_leave(host, line, user)
    else:
        with suspended(host.rsyslog.pid), Forger(user) as forger:
            forger.log(line)
            host.journald.sync()


def row(host, sender, want):
    address = f"10.9.4.{next(numbers)}"
    if want == BLOCKED:
        with host.counted(triggers=1, blocks=1):
            logs(host, sender, reject_line(address))
            host.blocks(address)
        return
    with host.harmless(sources=[address], **{"triggers": 1, want.replace(".", "__"): 1}):
        logs(host, sender, reject_line(address))


def table(points, host, loads):
    for (verify, load), wants in TABLE.items():
        if load not in loads:
            continue
        host.restart(action(verify=verify), imuxsock=loads[load])
        with host.part(f'verify="{verify}", {load}, a genuine reject'), \
                host.counted(triggers=1, blocks=1, ended=1):
            host.block(listed(next(numbers)))
        for sender, want in zip(SENDERS, wants):
            with host.part(f'verify="{verify}", {load}, {sender}'):
                row(host, sender, want)


# A process of the user nobody that writes journald's own protocol and lives on.
NATIVE = """
import sys
from lib.journal import native
native(**dict(pair.split("=", 1) for pair in sys.argv[1:]))
print("sent", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def native_forger(**fields):
    with subprocess.Popen([*as_user("nobody"), sys.executable, "-c", NATIVE,
                           *(f"{name}={value}" for name, value in fields.items())],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forger:
        if forger.stdout.readline() != "sent\n":
            raise RuntimeError("the forger could not send")
        yield forger.pid


def own_fields(points, host):
    """The fields of a trusted sender, in every spelling, set by another sender."""
    host.restart()
    source = listed(next(numbers))
    session, child = host.open(source)
    courier = str(pwd.getpwnam("courier").pw_uid)
    fields = {"MESSAGE": reject_line(source, session.source_port), "PRIORITY": "3",
              "SYSLOG_FACILITY": "2", "SYSLOG_IDENTIFIER": "courieresmtpd",
              "SYSLOG_PID": str(child.pid), "PID": str(child.pid), "_PID": str(child.pid),
              "UID": courier, "_UID": courier, "_EXE": "/usr/lib/courier/courier/courieresmtpd"}
    with host.harmless(sources=[source], pids=[child.pid], triggers=1, refused__sender=1), \
            native_forger(**fields) as forger:
        until_triggered(host)
        points.ok(os.path.exists(f"/proc/{forger}"), "the sender lives")


def scenario(points):
    with mail_host(points) as host:
        table(points, host, LOADS)
    with mail_host(points, journal=True) as host:
        table(points, host, {"journal": ""})
        host.parts(own_fields)
