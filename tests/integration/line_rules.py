# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Which lines of a listed session count, without early rules.

A foreign recipient (513) counts, a wrong password (535) and a command out of order (502) do not.
A forged line turns nobody away before the login: it needs a session that has sent MAIL. While
somebody is logged in from the address, on any port, only the guilty session is terminated;
afterwards the address is blocked.
"""

import itertools
import syslog

from lib import processes
from lib.rsyslog import action
from lib.scenario import MAILBOX, PASSWORD, USER, listed, mail_host
from lib.wait import stays

FOREIGN = "x@foreign.example"


def is_blocked(points, host, source, child, label):
    points.until(lambda: host.is_blocked(source), 3, f"{label}: the address is on the list")
    points.until(lambda: processes.gone(child.pid), 4, f"{label}: the smtpd is gone")


def is_spared(points, host, source, child, label):
    points.ok(stays(lambda: processes.alive(child.pid) and not host.is_blocked(source), 0.6),
              f"{label}: neither blocked nor signalled")


def replies(points, host, numbers, sender):
    source = listed(next(numbers))
    session, child = host.open(source)
    with session:
        points.equal(session.recipient(FOREIGN).code, 513, f"relay attempt, {sender}: 513")
        is_blocked(points, host, source, child, f"relay attempt, {sender}")
    source = listed(next(numbers))
    session, child = host.open(source)
    with session:
        points.equal(session.login(USER, "wrong").code, 535, f"wrong password, {sender}: 535")
        points.equal(session.command("FOO").code, 502, f"wrong command, {sender}: 502")
        is_spared(points, host, source, child, f"wrong password, {sender}")
        points.equal(session.login(USER, PASSWORD).code, 235, f"right password, {sender}: 235")
        points.equal(session.recipient(FOREIGN).code, 250, f"a customer may relay, {sender}")


def forge(source, port, reply):
    syslog.openlog("courieresmtpd", 0, syslog.LOG_MAIL)
    syslog.syslog(syslog.LOG_ERR,
                  f"error,relay=::ffff:{source},port={port},from=<a@b>,to=<c@d>: {reply}")
    syslog.closelog()


def forged(points, host, numbers):
    """Any local user can write this line."""
    source = listed(next(numbers))
    session, child = host.open(source)
    with session:
        for reply in (f"511 Listed in lab DNSBL, {source}", "513 Relaying denied."):
            forge(source, session.source_port, reply)
        is_spared(points, host, source, child, "forged line")
        points.equal(session.login(USER, PASSWORD).code, 235, "forged line: the login works")
        forge(source, session.source_port, f"511 Listed in lab DNSBL, {source}")
        is_spared(points, host, source, child, "forged line after the login")
        points.equal(session.recipient(MAILBOX).code, 250, "forged line: mail is accepted")


def behind_a_nat(points, host, numbers, port, how):
    """A customer and a bot have one address."""
    source = listed(next(numbers))
    label = f"customer on {port}"
    customer, his = host.open(source, port, **how)
    bot, child = host.open(source)
    with customer:
        with bot:
            points.equal(customer.login(USER, PASSWORD).code, 235, f"{label}: logs in")
            points.equal(bot.recipient(FOREIGN).code, 513, f"{label}: the bot is refused")
            points.until(lambda: processes.gone(child.pid), 4, f"{label}: the bot is terminated")
        is_spared(points, host, source, his, label)
        points.equal(customer.recipient(MAILBOX).code, 250, f"{label}: goes on")
        points.equal(customer.command("RSET").code, 250, f"{label}: starts again")
    points.until(lambda: processes.gone(his.pid), 4, f"{label}: leaves")
    bot, child = host.open(source)
    with bot:
        points.equal(bot.recipient(FOREIGN).code, 513, f"{label}: the bot comes again")
        is_blocked(points, host, source, child, f"bot after the {label}")


def several(points, host, numbers):
    """The others of a bot are not logged in; that takes a moment to see."""
    source = listed(next(numbers))
    sessions = [host.open(source) for _ in range(4)]
    sessions[0][0].recipient(FOREIGN)
    is_blocked(points, host, source, sessions[0][1], "one of four sessions")
    for session, _ in sessions:
        session.close()


def scenario(points):
    numbers = itertools.count(1)
    with mail_host(points, action(early="off", pressure="0", ports=["25", "465", "587"]),
                   ports=(25, 465, 587)) as host:
        replies(points, host, numbers, "credentials")
        host.restart(host.rsyslog.rules, imuxsock="")
        replies(points, host, numbers, "no credentials")
        forged(points, host, numbers)
        for port, how in ((25, {}), (587, {}), (465, {"tls": True})):
            behind_a_nat(points, host, numbers, port, how)
        points.equal(host.rsyslog.counters().get("kept_login"), 3,
                     "each block that a login prevented was counted")
        several(points, host, numbers)
