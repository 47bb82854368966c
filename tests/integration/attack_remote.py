# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Remote lines over UDP, and JSON that overwrites the sender's credentials.

Remote lines prove nothing. With mmjsonparse before the action any sender can write $!pid and
$!uid: verify="child" is safe, verify="sender" is not, as the manual says.
"""
# backends: both

import json
import os
import pwd
import socket
import time

from lib.attack import Forger, log_and_leave
from lib.netns import Network
from lib.rsyslog import action
from lib.scenario import listed, mail_host, ordinary, reject_line

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


def over_udp(host, line, pid=None):
    """A sender in world that calls itself mx.lab and courieresmtpd."""
    tag = f"courieresmtpd[{pid}]" if pid else "courieresmtpd"
    stamp = time.strftime("%b %d %H:%M:%S")
    with host.network.socket(ordinary(99), socket.SOCK_DGRAM) as sender:
        sender.sendto(f"<19>{stamp} mx {tag}: {line}".encode(), (Network.MX4, 514))


def twice(host, label, source, port, pid, *pids, **want):
    """The same line without and with a PID in its tag."""
    with host.harmless(label, sources=[source], pids=pids, triggers=2, **want):
        over_udp(host, reject_line(source, port))
        over_udp(host, reject_line(source, port), pid)


def remote_sender(points, host):
    host.restart(settings=UDP)
    twice(host, "not connected", ABSENT.format(1), 4711, os.getpid(), refused__no_child=1,
          refused__sender=1)
    session, child = host.open(ordinary(1))
    twice(host, "not listed", session.source, session.source_port, child.pid, child.pid,
          not_listed=2)
    session, child = host.open(listed(1))
    host.logs_in(session)
    twice(host, "a customer", session.source, session.source_port, child.pid, child.pid,
          refused__sender=2)
    # A reply code in a line that courier never writes is counted as unknown.
    with host.harmless("JSON", sources=[session.source], unknown=1):
        over_udp(host, cee(reject_line(session.source, 1), 1))


def cee(line, pid):
    return "@cee:" + json.dumps({"pid": pid, "uid": COURIER, "exe": "/usr/sbin/courieresmtpd",
                                 "msg": line, "_PID": pid, "_UID": COURIER})


def behind_json(points, host):
    """JSON from a stranger never becomes a line, with verify="child" or "sender"."""
    for verify in ("child", "sender"):
        host.restart(PARSED + action("mail.*", verify=verify), settings=JSON)
        session, child = host.open(listed(2))
        line = reject_line(session.source, session.source_port)
        with Forger() as forger, \
                host.harmless(verify, sources=[session.source, ABSENT.format(2)], triggers=1,
                              pids=[child.pid, forger.pid], refused__sender=1, unknown=2):
            forger.log(cee(line, child.pid))
            forger.log(cee(reject_line(ABSENT.format(2)), 4194303))
            forger.log(line)
        session.close()


def taken_from_text(points, host):
    line = f"{reject_line(ABSENT.format(3))} claim=pid=4194303 uid={COURIER}"
    host.restart(TAKEN + action("mail.*"), settings="")
    with host.harmless("child", sources=[ABSENT.format(3)], triggers=1, refused__gone=1):
        log_and_leave(host, line)
    # It is open, as the manual says.
    host.restart(TAKEN + action("mail.*", verify="sender"))
    log_and_leave(host, line)
    host.blocks(ABSENT.format(3))
    points.ok(host.rsyslog.logged("no parser that takes them from the message"),
              "sender: a warning about the configuration is logged")


def scenario(points):
    with mail_host(points) as host:
        host.parts(remote_sender, behind_json, taken_from_text)
