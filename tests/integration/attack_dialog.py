#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""ESMTP_LOG_DIALOG=1: a client's commands are logged raw, under courier's own tag and PID.

A client that no DNSBL lists forges a reject, a failed login, a `started` and a dropped
connection of others. The default action ignores it. With the sender's credentials from
the kernel, so do trigger="connect" and trigger="auth".
"""
# backends: both

import re

from lib import tap
from lib.attack import Counted, harmless, reject_line, restart
from lib.firewall import kernel_list
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import block, listed, mail_host, ordinary

ABSENT = "10.9.4.1"
DEFAULT = action("mail.*")
BESIDE = (action("mail.*", trigger="connect", list="connect4", list6="connect6")
          + action("mail.*", trigger="auth", list="auth4", list6="auth6")).replace(
              'name="block" ', "")


def forgeries(victim, port):
    """Six that courier itself could have logged about the victim, then some odder ones."""
    address = f"::ffff:{victim}"
    reject = reject_line(victim, port)
    started = f"started,ip=[{address}],port=[{port}]"
    return (reject, f'error,relay={address},port={port},msg="535 Authentication failed.",cmd: AUTH',
            f'error,relay={address},port={port},msg="511 Listed in lab DNSBL, {victim}",cmd: x',
            started, started.split(",port")[0], f"dropped blocked connection from {address}",
            f"<19>{reject}", f"courieresmtpd: {reject}", f"\x01{reject}")


def says_all(points, host, label, attacker, victim, port):
    before = len(host.rsyslog.mail())
    lines = forgeries(victim, port)
    for line in lines:
        attacker.command(line)
    points.until(lambda: len([line for line in host.rsyslog.mail()[before:] if victim in line])
                 >= len(lines), 5, f"{label}: the forged lines are logged",
                 lambda: host.rsyslog.mail()[before:])
    points.ok(f"info courieresmtpd: {lines[0]}" in _without_pids(host.rsyslog.mail()[before:]),
              f"{label}: exactly as if courier had written it", host.rsyslog.mail()[before:])


def _without_pids(lines):
    return [re.sub(r"^(\S+ \w+)\[\d+\]", r"\1", line) for line in lines]


def default_action(points, host, label, number):
    """The victim is listed, connected, and has sent EHLO."""
    attacker, child = host.open(ordinary(number))
    victim, victims_child = host.open(listed(number))
    with attacker, victim:
        # courier never logs a reject with severity info: counted as unknown.
        with harmless(points, host, label, sources=[attacker.source, victim.source], unknown=1,
                      pids=[child.pid, victims_child.pid]):
            says_all(points, host, label, attacker, victim.source, victim.source_port)
        points.ok(victim.lives(), f"{label}: the victim's session goes on")
    with Counted(points, host, f"{label}, a genuine reject", triggers=1, blocks=1, ended=1):
        block(points, host, listed(number + 50), f"{label}, a genuine reject")


def others(points, host, lists, label, number, address=None):
    """trigger="connect" and "auth": the victim is an unlisted client, or absent."""
    with Counted(points, host, f"{label}, both start", "connect4", triggers=2, not_listed=2):
        attacker, child = host.open(ordinary(number))
        victim, victims_child = host.open(ordinary(number + 50))
    address, port = (address, 4711) if address else (victim.source, victim.source_port)
    with attacker, victim:
        with Counted(points, host, f"{label}, auth", "auth4", triggers=1, refused__sender=1,
                     unknown=1), \
                harmless(points, host, f"{label}, connect", name="connect4", unknown=1,
                         pids=[child.pid, victims_child.pid], triggers=2, refused__sender=2):
            says_all(points, host, label, attacker, address, port)
        points.ok(victim.lives(), f"{label}: the victim's session goes on")
    points.ok(not any(recent.addresses() for recent in lists), f"{label}: the lists are empty",
              [recent.addresses() for recent in lists])


def pid_alone(points, host, label, number):
    """The PID in the tag is not proven, but courier's logger wrote it, not the client: the
    line counts for the client that this process serves."""
    restart(host, action("mail.*", trigger="auth", threshold=3),
            imuxsock='SysSock.UsePIDFromSystem="on"')
    attacker, child = host.open(ordinary(number))
    victim, victims_child = host.open(ordinary(number + 50))
    line = f'error,relay=::ffff:{victim.source},msg="535 Authentication failed.",cmd: AUTH'
    with attacker, victim, \
            harmless(points, host, label, sources=[attacker.source, victim.source],
                     pids=[child.pid, victims_child.pid], triggers=4, refused__sender=4):
        for _ in range(4):
            attacker.command(line)
    # Those about the client itself count.
    with Counted(points, host, f"{label}, its own", triggers=3, below_threshold=2, blocks=1,
                 ended=1):
        with host.open(ordinary(number + 1))[0] as guilty:
            for _ in range(3):
                guilty.command(line.replace(victim.source, guilty.source))
            points.until(lambda: host.is_blocked(guilty.source), 3, f"{label}, its own: blocked")


def scenario(points):
    with mail_host(DEFAULT, dialog=True) as host:
        with tap.part(points, "default, credentials"):
            default_action(points, host, "default, credentials", 1)
        restart(host, DEFAULT, imuxsock="")
        with tap.part(points, "default, no credentials"):
            default_action(points, host, "default, no credentials", 2)
        with kernel_list(4, "connect4") as connect4, kernel_list(4, "auth4") as auth4, \
                kernel_list(6, "connect6"), kernel_list(6, "auth6"):
            restart(host, BESIDE, imuxsock=CREDENTIALS)
            with tap.part(points, "others, credentials"):
                others(points, host, (connect4, auth4), "others, connected", 3)
            with tap.part(points, "others, absent"):
                others(points, host, (connect4, auth4), "others, absent", 4, ABSENT)
        with tap.part(points, "the PID alone"):
            pid_alone(points, host, "the PID alone", 6)


if __name__ == "__main__":
    tap.main(scenario)
