#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Each row of the manual's table of verify modes, on imuxsock.

Three ways to load it: with all credentials, with the system's PID alone (which is a
hint), with none. In each the genuine reject of a real client is blocked; and a line for
an address without a session is believed exactly when the table says so, depending on the
process that logged it and whether it is alive.
"""

import itertools

from lib import tap
from lib.attack import (Counted, Forger, counters, harmless, log_and_leave, reject_line,
                        restart)
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import block, listed, mail_host
from lib.wait import wait_for

LOADS = {"credentials": CREDENTIALS, "PID only": 'SysSock.UsePIDFromSystem="on"', "none": ""}

# verify, imuxsock -> result of a line for an absent address, by its sender.
SENDERS = ("nobody lives", "courier lives", "nobody gone", "courier gone", "root gone")
NO_CHILD, REFUSED, GONE, BLOCKED = "refused.no_child", "refused.sender", "refused.gone", "blocks"
TABLE = {
    ("child", "credentials"): (REFUSED, REFUSED, GONE, GONE, GONE),
    ("child", "PID only"): (REFUSED, REFUSED, NO_CHILD, NO_CHILD, NO_CHILD),
    ("child", "none"): (NO_CHILD,) * 5,
    ("sender", "credentials"): (REFUSED, REFUSED, GONE, BLOCKED, BLOCKED),
    ("sender", "PID only"): (REFUSED, REFUSED, NO_CHILD, NO_CHILD, NO_CHILD),
    ("sender", "none"): (NO_CHILD,) * 5,
    ("none", "credentials"): (BLOCKED,) * 5,
    ("none", "PID only"): (BLOCKED,) * 5,
    ("none", "none"): (BLOCKED,) * 5,
}


def logs(host, sender, line):
    user, fate = sender.split()
    if fate == "gone":
        log_and_leave(host, line, user)
        return
    seen = counters(host.rsyslog).get("triggers", 0)
    with Forger(user) as forger:
        forger.log(line)
        wait_for(lambda: counters(host.rsyslog).get("triggers", 0) > seen, 3,
                 "the action to have seen the line while its sender lives")


def row(points, host, label, sender, want, address):
    line = reject_line(address)
    if want == BLOCKED:
        with Counted(points, host, f"{label}, {sender}", triggers=1, blocks=1):
            logs(host, sender, line)
            points.until(lambda: host.is_blocked(address), 3, f"{label}, {sender}: believed",
                         host.rsyslog.own)
        return
    with harmless(points, host, f"{label}, {sender}", sources=[address],
                  **{"triggers": 1, want.replace(".", "__"): 1}):
        logs(host, sender, line)


def scenario(points):
    numbers = itertools.count(1)
    with mail_host() as host:
        for (verify, load), wants in TABLE.items():
            label = f'verify="{verify}", {load}'
            restart(host, action(verify=verify), imuxsock=LOADS[load])
            with tap.part(points, f"{label}, a genuine reject"), \
                    Counted(points, host, f"{label}, a genuine reject", triggers=1, blocks=1,
                            ended=1):
                block(points, host, listed(next(numbers)), f"{label}, a genuine reject")
            for sender, want in zip(SENDERS, wants):
                with tap.part(points, f"{label}, {sender}"):
                    row(points, host, label, sender, want, f"10.9.4.{next(numbers)}")


if __name__ == "__main__":
    tap.main(scenario)
