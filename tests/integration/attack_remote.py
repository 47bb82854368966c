#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Remote lines over UDP, and JSON that overwrites the sender's credentials.

A remote sender's lines prove nothing, whatever they claim. mmjsonparse before the action
lets any sender write $!pid and $!uid: verify="child" is safe, as it checks the process;
verify="sender" is not safe behind a parser that takes them from the text, as the manual
says. Both are tested here, so that the manual stays true.
"""
# backends: both

import json
import os
import pwd
import socket
import time

from lib import tap
from lib.attack import Forger, harmless, log_and_leave, reject_line, restart
from lib.netns import Network
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import PASSWORD, USER, listed, mail_host, ordinary

UDP = 'module(load="imudp")\ninput(type="imudp" port="514")\n'
JSON = 'module(load="mmjsonparse")\n'
PARSED = 'mail.* action(type="mmjsonparse")\n'
# mmjsonparse leaves the message unchanged, and no line of courier begins with JSON.
# This rule takes $!pid and $!uid from a line of courier's form.
TAKEN = ('if re_match($msg, "claim=") then {\n'
         '  set $!pid = re_extract($msg, "pid=([0-9]+)", 0, 1, "0");\n'
         '  set $!uid = re_extract($msg, "uid=([0-9]+)", 0, 1, "0");\n'
         '  set $!exe = "/usr/lib/courier/courier/modules/esmtp/courieresmtpd";\n}\n')
COURIER = pwd.getpwnam("courier").pw_uid
ABSENT = "10.9.4.{}"


def over_udp(host, *lines, pid=None):
    """A sender in world that calls itself mx.lab and courieresmtpd."""
    tag = f"courieresmtpd[{pid}]" if pid else "courieresmtpd"
    stamp = time.strftime("%b %d %H:%M:%S")
    with host.network.socket(ordinary(99), socket.SOCK_DGRAM) as sender:
        for line in lines:
            sender.sendto(f"<19>{stamp} mx {tag}: {line}".encode(), (Network.MX4, 514))


def remote_sender(points, host):
    restart(host, settings=UDP)
    with harmless(points, host, "UDP, not connected", sources=[ABSENT.format(1)], triggers=2,
                  refused__no_child=1, refused__sender=1):
        over_udp(host, reject_line(ABSENT.format(1)))
        over_udp(host, reject_line(ABSENT.format(1)), pid=os.getpid())
    session, child = host.open(ordinary(1))
    with session, harmless(points, host, "UDP, connected, not listed", sources=[session.source],
                           pids=[child.pid], triggers=2, not_listed=2):
        over_udp(host, reject_line(session.source, session.source_port))
        over_udp(host, reject_line(session.source, session.source_port), pid=child.pid)
    session, child = host.open(listed(1))
    with session:
        points.equal(session.login(USER, PASSWORD).code, 235, "UDP, a customer: the login works")
        points.equal(session.command("MAIL FROM:<a@b.example>").code, 250,
                     "UDP, a customer: a mail has begun")
        with harmless(points, host, "UDP, a customer", sources=[session.source], pids=[child.pid],
                      triggers=2, refused__sender=2):
            over_udp(host, reject_line(session.source, session.source_port))
            over_udp(host, reject_line(session.source, session.source_port), pid=child.pid)
    # A reply code in a line that courier never writes is counted as unknown.
    with harmless(points, host, "UDP, JSON", sources=[session.source], unknown=1):
        over_udp(host, cee(reject_line(session.source, 1), 1))


def cee(line, pid):
    return "@cee:" + json.dumps({"pid": pid, "uid": COURIER, "exe": "/usr/sbin/courieresmtpd",
                                 "msg": line, "_PID": pid, "_UID": COURIER})


def behind_json(points, host):
    """JSON from a stranger never becomes a line, with verify="child" or "sender"."""
    for verify in ("child", "sender"):
        restart(host, PARSED + action("mail.*", verify=verify), settings=JSON)
        session, child = host.open(listed(2))
        label = f"mmjsonparse, {verify}"
        with session, Forger() as forger:
            line = reject_line(session.source, session.source_port)
            with harmless(points, host, label, sources=[session.source, ABSENT.format(2)],
                          pids=[child.pid, forger.pid], triggers=1, refused__sender=1,
                          unknown=2):
                forger.log(cee(line, child.pid))
                forger.log(cee(reject_line(ABSENT.format(2)), 4194303))
                forger.log(line)


def taken_from_text(points, host):
    claim = f"claim=pid=4194303 uid={COURIER}"
    restart(host, TAKEN + action("mail.*"), settings="")
    with harmless(points, host, "$! from the text, child", sources=[ABSENT.format(3)], triggers=1,
                  refused__gone=1):
        log_and_leave(host, f"{reject_line(ABSENT.format(3))} {claim}")
    restart(host, TAKEN + action("mail.*", verify="sender"))
    log_and_leave(host, f"{reject_line(ABSENT.format(3))} {claim}")
    points.until(lambda: host.is_blocked(ABSENT.format(3)), 3,
                 '$! from the text, sender: open, as the manual says', host.rsyslog.own)
    points.ok(host.rsyslog.logged("no parser that takes them from the message"),
              '$! from the text, sender: a warning about the configuration is logged')


def scenario(points):
    with mail_host(imuxsock=CREDENTIALS) as host:
        for check in (remote_sender, behind_json, taken_from_text):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
