#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Processes that look like courier's, and reused PIDs.

An executable named courieresmtpd with a forged environment, as nobody and as courier,
without a couriertcpd above it. A line through courierlogger. A PID that belongs to another
client's smtpd by the time the line is read, or by the time of the signal.
"""

import os
import pwd
import signal
import subprocess

from lib import processes, tap
from lib.attack import (Counted, Forger, harmless, log_and_leave, reject_line, restart,
                        rsyslogd_held)
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import NOBODY, listed, mail_host, ordinary
from lib.wait import stays, wait_for

VICTIM, PORT = "10.9.4.1", 4711


def environment(address, port):
    return {"TCPREMOTEIP": f"::ffff:{address}", "TCPREMOTEPORT": str(port), "TCPLOCALPORT": "25",
            "BLOCK": f"Listed in lab DNSBL, {address}", "BLOCK_IP": "127.0.0.2",
            "BLOCK_ZONE": "bl.lab"}


def impostor(points, host, label, user, without):
    """The impostor logs about itself, and about a real client that is connected."""
    session = host.session(listed(1))
    with session:
        session.reply()
        child = host.courier.child_of(session)
        # The second line names its sender, which serves no client.
        for name, address, port, unnamed in (
                ("himself", VICTIM, PORT, {"refused__no_child": 1, "refused__sender": 1}),
                ("a real client", session.source, session.source_port, {"refused__sender": 2})):
            want = unnamed if without else {"refused__sender": 2}
            with Forger(user, program="courieresmtpd",
                        environment=environment(address, port)) as forger:
                points.equal(processes.look(forger.pid).name, "courieresmtpd",
                             f"{label}, {name}: the impostor's executable")
                with harmless(points, host, f"{label}, {name}", sources=[address],
                              pids=[forger.pid, child.pid], triggers=2, **want):
                    forger.log(reject_line(address, port))
                    forger.log(reject_line(address, port), tag=f"courieresmtpd[{forger.pid}]")


class CourierLogger:
    """courierlogger, started by a user: each line of its input is one message."""

    def __init__(self, user):
        entry = pwd.getpwnam(user)
        self._process = subprocess.Popen(
            ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
             "courierlogger", "courieresmtpd"], stdin=subprocess.PIPE)
        self.pid = self._process.pid

    def log(self, line):
        self._process.stdin.write(f"ERR: {line}\n".encode())
        self._process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(60)


def through_courierlogger(points, host, label, user, without):
    session = host.session(listed(2))
    with session:
        session.reply()
        child = host.courier.child_of(session)
        with CourierLogger(user) as logger, \
                harmless(points, host, label, sources=[VICTIM, session.source],
                         pids=[child.pid, logger.pid], triggers=2,
                         **({"refused__no_child": 1, "refused__sender": 1} if without
                            else {"refused__sender": 2})):
            logger.log(reject_line(VICTIM))
            logger.log(reject_line(session.source, session.source_port))
            points.until(lambda: any("err courieresmtpd" in line and VICTIM in line
                                     for line in host.rsyslog.mail()), 3,
                         f"{label}: logged as courier would", host.rsyslog.mail)


def impostors(points, host):
    for sender, imuxsock in (("credentials", CREDENTIALS), ("no credentials", "")):
        restart(host, action(), imuxsock=imuxsock)
        for user in ("nobody", "courier"):
            with tap.part(points, f"{user}, {sender}"):
                impostor(points, host, f"{user}, {sender}", user, not imuxsock)
            with tap.part(points, f"courierlogger, {user}, {sender}"):
                through_courierlogger(points, host, f"courierlogger, {user}, {sender}", user,
                                      not imuxsock)


def sender_of_another_program(points, host):
    """verify="sender": courier's user alone is not enough if the executable is known."""
    restart(host, action(verify="sender"), imuxsock=CREDENTIALS)
    with Forger("courier") as forger, \
            harmless(points, host, "sender, courier's user, alive", sources=[VICTIM],
                     pids=[forger.pid], triggers=1, refused__sender=1):
        forger.log(reject_line(VICTIM))
    with harmless(points, host, "sender, nobody, exited", sources=[VICTIM], triggers=1,
                  refused__gone=1):
        log_and_leave(host, reject_line(VICTIM), "nobody", program="courieresmtpd")


def child_with_pid(host, source, pid):
    """A client whose smtpd gets this PID; several tries, as other processes take PIDs too."""
    for _ in range(20):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
            last.write(str(pid - 1))
        session = host.session(source)
        session.greet()
        child = host.courier.child_of(session)
        if child.pid == pid:
            return session, child
        session.close()
        wait_for(lambda: processes.gone(child.pid), 3, "the end of an smtpd with another PID")
    raise RuntimeError(f"PID {pid} could not be reused")


def ended(child):
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: processes.gone(child.pid), 2, "the smtpd's early end")
    wait_for(lambda: not processes.named("submit"), 2, "the end of its submit")


def reused_before_the_signal(points, host):
    """Between log line and signal another client's smtpd gets the PID."""
    restart(host, action(terminate_delay=3000, terminate_killAfter=500))
    source, other = listed(10), ordinary(10)
    with Counted(points, host, "before the signal", triggers=1, blocks=1, gone=1):
        session, child = host.open(source)
        with session:
            points.equal(session.recipient(NOBODY).code, 511, "before the signal: rejected")
            wait_for(lambda: host.is_blocked(source), 2, "the block")
            ended(child)
        session, stranger = child_with_pid(host, other, child.pid)
        with session:
            points.ok(stays(lambda: processes.alive(stranger.pid), 4.0),
                      "before the signal: another client's smtpd with that PID lives")
            points.ok(session.lives() and not host.is_blocked(other),
                      "before the signal: and answers")


def reused_before_the_reading(points, host):
    """rsyslogd reads the line when another listed client's smtpd already has the PID."""
    restart(host, action())
    source, other = listed(11), listed(12)
    with Counted(points, host, "before the reading", triggers=1, refused__sender=1):
        with rsyslogd_held(host):
            session, child = host.open(source)
            with session:
                points.equal(session.recipient(NOBODY).code, 511, "before the reading: rejected")
                ended(child)
            session, stranger = child_with_pid(host, other, child.pid)
        with session:
            points.ok(stays(lambda: processes.alive(stranger.pid)
                            and not host.list4.addresses(), 1.0),
                      "before the reading: nobody blocked, nobody signalled")
            points.ok(session.lives(), "before the reading: the other client's session goes on")


def scenario(points):
    with mail_host() as host:
        with tap.part(points, "impostors"):
            impostors(points, host)
        restart(host, imuxsock=CREDENTIALS)
        for check in (sender_of_another_program, reused_before_the_signal,
                      reused_before_the_reading):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
