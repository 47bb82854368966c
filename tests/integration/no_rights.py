#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Without capabilities: the module logs once how to grant them, and does no harm.

As Debian 13's unit starts rsyslogd (root without CAP_KILL and CAP_SYS_PTRACE), without
CAP_KILL alone, and after $PrivDropToUser. The mail log is complete; smtpds live, the
neighbour's too; no message is repeated.
"""

import shutil

from lib import processes, tap
from lib.scenario import NOBODY, listed, mail_host, ordinary
from lib.wait import stays

CLIENTS = 5


def logged(host, source):
    return any(f"relay=::ffff:{source}," in line and " 511 " in line
               for line in host.rsyslog.mail())


def rejected_clients(points, host, label, first):
    """Several rejects, none of which can be acted on."""
    neighbour, his_child = host.open(ordinary(1))
    clients = [host.open(listed(number)) for number in range(first, first + CLIENTS)]
    for session, _ in clients:
        points.equal(session.recipient(NOBODY).code, 511, f"{label}: rejected")
    points.until(lambda: all(logged(host, listed(number))
                             for number in range(first, first + CLIENTS)), 5,
                 f"{label}: the mail log has every reject")
    points.ok(stays(lambda: all(processes.alive(child.pid) for _, child in clients), 0.6),
              f"{label}: the smtpds live")
    points.ok(neighbour.lives() and processes.alive(his_child.pid),
              f"{label}: the neighbour's smtpd lives")
    for session, _ in (*clients, (neighbour, his_child)):
        session.close()


def logged_once(points, host, label, pattern):
    points.until(lambda: host.rsyslog.logged(pattern), 5,
                 f"{label}: the missing capabilities are logged",
                 host.rsyslog.own)
    points.equal(len(host.rsyslog.logged(pattern)), 1, f"{label}: once")


def restart(host, settings="", prefix=()):
    host.rsyslog.stop()
    host.rsyslog.own_log.unlink(missing_ok=True)
    (host.rsyslog.workdir / "stderr").unlink(missing_ok=True)
    host.rsyslog.settings = settings
    host.rsyslog.start(prefix=prefix)


def scenario(points):
    with mail_host() as host:
        label = "root without CAP_KILL and CAP_SYS_PTRACE"
        with tap.part(points, label):
            restart(host, prefix=("setpriv", "--bounding-set=-kill,-sys_ptrace"))
            rejected_clients(points, host, label, 1)
            logged_once(points, host, label, r"omsmtpblock.*CAP_SYS_PTRACE")
        label = "root without CAP_KILL"
        with tap.part(points, label):
            restart(host, prefix=("setpriv", "--bounding-set=-kill"))
            rejected_clients(points, host, label, 21)
            points.ok(all(host.is_blocked(listed(21 + number)) for number in range(CLIENTS)),
                      f"{label}: the addresses are blocked", host.list4.addresses())
            logged_once(points, host, label, r"omsmtpblock.*signal.*CAP_KILL")
        label = "after $PrivDropToUser"
        with tap.part(points, label):
            shutil.chown(host.rsyslog.workdir, "nobody", "nogroup")
            for path in host.rsyslog.workdir.iterdir():
                shutil.chown(path, "nobody", "nogroup")
            restart(host, "$PrivDropToUser nobody\n$PrivDropToGroup nogroup\n")
            rejected_clients(points, host, label, 11)
            logged_once(points, host, label, r"omsmtpblock.*CAP_SYS_PTRACE")


if __name__ == "__main__":
    tap.main(scenario)
