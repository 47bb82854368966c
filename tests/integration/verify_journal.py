#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Each row of the manual's table of verify modes, on a real journald and imjournal.

imjournal is loaded with its defaults: the sender is what the kernel reported to journald,
which it always does. courier's own rejects are blocked; a line for an address without a
session is believed exactly when the table says so; no field that a sender sets can
replace its credentials.
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

from lib import tap
from lib.attack import (Counted, Forger, counters, harmless, reject_line, restart,
                        rsyslogd_held)
from lib.courier import Courier
from lib.dnsbl import Dnsbl
from lib.journal import Journal, JournalRsyslog
from lib.rsyslog import action
from lib.scenario import (LISTED, PASSWORD, USER, MailHost, block, listed, network_and_lists,
                          workdir)
from lib.wait import wait_for

# "gone": the sender had exited when journald read the line, so its executable is not known;
# "seen": it exited later, and its executable is known not to be courieresmtpd.
SENDERS = ("nobody lives", "courier lives", "nobody gone", "courier gone", "root gone",
           "courier seen")
REFUSED, GONE, BLOCKED = "refused.sender", "refused.gone", "blocks"
TABLE = {
    "child": (REFUSED, REFUSED, GONE, GONE, GONE, GONE),
    "sender": (REFUSED, REFUSED, GONE, BLOCKED, BLOCKED, GONE),
    "none": (BLOCKED,) * 6,
}


@contextlib.contextmanager
def journal_host():
    directory = workdir()
    with network_and_lists() as (network, list4, list6), \
            Dnsbl(directory, LISTED) as dnsbl, Journal(directory) as journald, \
            JournalRsyslog(directory, action()) as daemon, \
            Courier(directory, users={USER: PASSWORD}) as courier:
        yield MailHost(network, list4, list6, dnsbl, daemon, courier), journald


def log_while_alive(host, user, line):
    seen = counters(host.rsyslog).get("triggers", 0)
    with Forger(user) as forger:
        forger.log(line)
        wait_for(lambda: counters(host.rsyslog).get("triggers", 0) > seen, 5,
                 "the action to have seen the line while its sender lives")


def logs(host, journald, sender, line):
    user, fate = sender.split()
    if fate == "lives":
        log_while_alive(host, user, line)
    elif fate == "gone":
        with rsyslogd_held(host), journald.held(), Forger(user) as forger:
            forger.log(line)
    else:
        with rsyslogd_held(host), Forger(user) as forger:
            forger.log(line)
            journald.sync()


def row(points, host, journald, label, sender, want, address):
    line = reject_line(address)
    if want == BLOCKED:
        with Counted(points, host, label, triggers=1, blocks=1):
            logs(host, journald, sender, line)
            points.until(lambda: host.is_blocked(address), 5, f"{label}: believed",
                         host.rsyslog.own)
        return
    with harmless(points, host, label, sources=[address],
                  **{"triggers": 1, want.replace(".", "__"): 1}):
        logs(host, journald, sender, line)


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
    with subprocess.Popen(["setpriv", "--reuid=nobody", "--clear-groups", sys.executable, "-c",
                           NATIVE, *(f"{name}={value}" for name, value in fields.items())],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forger:
        if forger.stdout.readline() != "sent\n":
            raise RuntimeError("the forger could not send")
        yield forger.pid


def own_fields(points, host, number):
    """The fields of a trusted sender, in every spelling, set by another sender."""
    label = "a sender's own fields"
    restart(host, action())
    session, child = host.open(listed(number))
    courier = str(pwd.getpwnam("courier").pw_uid)
    fields = {"MESSAGE": reject_line(listed(number), session.source_port), "PRIORITY": "3",
              "SYSLOG_FACILITY": "2", "SYSLOG_IDENTIFIER": "courieresmtpd",
              "SYSLOG_PID": str(child.pid), "PID": str(child.pid), "_PID": str(child.pid),
              "UID": courier, "_UID": courier, "_EXE": "/usr/lib/courier/courier/courieresmtpd"}
    with session, harmless(points, host, label, sources=[listed(number)], pids=[child.pid],
                           triggers=1, refused__sender=1), native_forger(**fields) as forger:
        wait_for(lambda: counters(host.rsyslog).get("triggers", 0) == 1, 5,
                 "the action to have seen the line while its sender lives")
        points.ok(os.path.exists(f"/proc/{forger}"), f"{label}: the sender lives")


def genuine(points, host, label, number):
    with tap.part(points, label), Counted(points, host, label, triggers=1, blocks=1, ended=1):
        block(points, host, listed(number), label)


def scenario(points):
    numbers = itertools.count(1)
    with journal_host() as (host, journald):
        for verify, wants in TABLE.items():
            restart(host, action(verify=verify))
            genuine(points, host, f'verify="{verify}", a genuine reject', next(numbers))
            for sender, want in zip(SENDERS, wants):
                label = f'verify="{verify}", {sender}'
                with tap.part(points, label):
                    row(points, host, journald, label, sender, want, f"10.9.4.{next(numbers)}")
        with tap.part(points, "a sender's own fields"):
            own_fields(points, host, next(numbers))


if __name__ == "__main__":
    tap.main(scenario)
