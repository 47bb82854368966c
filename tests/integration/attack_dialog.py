# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""ESMTP_LOG_DIALOG=1: courier logs a client's commands raw, under its own tag and PID.

An unlisted client forges lines about others. The default action ignores them and, with the
sender's credentials, so do trigger="connect" and trigger="auth".
"""
# backends: both

import re

from lib.firewall import kernel_list
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import SENDERS, listed, mail_host, ordinary, reject_line

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


def says_all(points, host, attacker, victim, port):
    before, lines = len(host.rsyslog.mail()), forgeries(victim, port)
    for line in lines:
        attacker.command(line)
    logged = lambda: [re.sub(r"^(\S+ \w+)\[\d+\]", r"\1", line)
                      for line in host.rsyslog.mail()[before:] if victim in line]
    points.until(lambda: len(logged()) >= len(lines), 5, "the forged lines are logged", logged)
    points.ok(f"info courieresmtpd: {lines[0]}" in logged(), "exactly as if courier had written it",
              logged)


def default_action(points, host, number):
    """The victim is listed, connected, and has sent EHLO."""
    attacker, child = host.open(ordinary(number))
    victim, its_smtpd = host.open(listed(number))
    # courier never logs a reject with severity info: counted as unknown.
    with host.harmless("forged", sources=[attacker.source, victim.source], unknown=1,
                       pids=[child.pid, its_smtpd.pid]):
        says_all(points, host, attacker, victim.source, victim.source_port)
    host.serves(victim, its_smtpd)
    with host.counted("a genuine reject", triggers=1, blocks=1, ended=1):
        host.block(listed(number + 50))


def others(points, host, lists, number, address=None):
    """trigger="connect" and "auth": the victim is an unlisted client, or absent."""
    with host.counted("both start", name="connect4", triggers=2, not_listed=2):
        attacker, child = host.open(ordinary(number))
        victim, its_smtpd = host.open(ordinary(number + 50))
    address, port = (address, 4711) if address else (victim.source, victim.source_port)
    with host.counted("auth", name="auth4", triggers=1, refused__sender=1, unknown=1), \
            host.harmless("connect", name="connect4", unknown=1, triggers=2, refused__sender=2,
                          pids=[child.pid, its_smtpd.pid]):
        says_all(points, host, attacker, address, port)
    host.serves(victim, its_smtpd)
    points.ok(not any(recent.addresses() for recent in lists), "the lists are empty",
              [recent.addresses() for recent in lists])


def pid_alone(points, host):
    """The PID in the tag is not proven, but courier's logger wrote it, not the client: the
    line counts for the client that this process serves."""
    host.restart(action("mail.*", trigger="auth", threshold=3),
                 imuxsock='SysSock.UsePIDFromSystem="on"')
    attacker, child = host.open(ordinary(6))
    victim, its_smtpd = host.open(ordinary(56))
    line = f'error,relay=::ffff:{victim.source},msg="535 Authentication failed.",cmd: AUTH'
    with host.harmless("about another", sources=[attacker.source, victim.source],
                       pids=[child.pid, its_smtpd.pid], triggers=4, refused__sender=4):
        for _ in range(4):
            attacker.command(line)
    with host.counted("about itself", triggers=3, below_threshold=2, blocks=1, ended=1):
        guilty, _ = host.open(ordinary(7))
        for _ in range(3):
            guilty.command(line.replace(victim.source, guilty.source))
        host.blocks(guilty.source)


def scenario(points):
    with mail_host(points, dialog=True) as host:
        for number, (sender, imuxsock) in enumerate(SENDERS.items(), 1):
            host.restart(DEFAULT, imuxsock=imuxsock)
            with host.part(f"default, {sender}"):
                default_action(points, host, number)
        with kernel_list(4, "connect4") as connect4, kernel_list(4, "auth4") as auth4, \
                kernel_list(6, "connect6"), kernel_list(6, "auth6"):
            host.restart(BESIDE, imuxsock=CREDENTIALS)
            for number, (name, address) in enumerate((("connected", None), ("absent", ABSENT)), 3):
                with host.part(f"others, {name}"):
                    others(points, host, (connect4, auth4), number, address)
        host.parts(pid_alone)
