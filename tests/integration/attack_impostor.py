# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Processes that look like courier's, and reused PIDs.

An executable named courieresmtpd with a forged environment, without a couriertcpd above it;
a line through courierlogger; a PID that belongs to another client's smtpd by the time the
line is read, or by the time of the signal.
"""
# One backend: the module refuses these lines and processes before it looks at a list.

import itertools
import os
import signal
import subprocess

from lib import processes
from lib.attack import Forger, log_and_leave, smtpd_environment, suspended
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import SENDERS, listed, mail_host, ordinary, reject_line
from lib.wait import stays, wait_for

VICTIM, PORT = "10.9.4.1", 4711


def refused(no_child, count=2):
    """The counters: without credentials, lines for which there is no session differ."""
    return {"refused__no_child": no_child, "refused__sender": count - no_child} if no_child \
        else {"refused__sender": count}


def impostor(points, host, user, imuxsock):
    """The impostor logs about itself, and about a real client that is connected."""
    session, child = host.greeted(listed(1))
    # The second line names its sender, which serves no client.
    for name, address, port, no_child in (("itself", VICTIM, PORT, not imuxsock),
                                          ("a client", session.source, session.source_port, 0)):
        with Forger(user, program="courieresmtpd",
                    environment=smtpd_environment(address, port)) as forger:
            points.equal(processes.look(forger.pid).name, "courieresmtpd",
                         f"{name}: the impostor's executable")
            with host.harmless(name, sources=[address], pids=[forger.pid, child.pid], triggers=2,
                               **refused(int(no_child))):
                forger.log(reject_line(address, port))
                forger.log(reject_line(address, port), tag=f"courieresmtpd[{forger.pid}]")


def through_courierlogger(points, host, user, imuxsock):
    """Each line of courierlogger's input is one message."""
    session, child = host.greeted(listed(2))
    with subprocess.Popen([*processes.as_user(user), "courierlogger", "courieresmtpd"],
                          stdin=subprocess.PIPE, text=True) as logger, \
            host.harmless(sources=[VICTIM, session.source], pids=[child.pid, logger.pid],
                          triggers=2, **refused(int(not imuxsock))):
        for line in (reject_line(VICTIM), reject_line(session.source, session.source_port)):
            print(f"ERR: {line}", file=logger.stdin, flush=True)
        host.writes("err courieresmtpd", VICTIM)


def sender_of_another_program(points, host):
    """verify="sender": courier's user alone is not enough if the executable is known."""
    host.restart(action(verify="sender"), imuxsock=CREDENTIALS)
    with Forger("courier") as forger, \
            host.harmless("courier's user, alive", sources=[VICTIM], pids=[forger.pid],
                          triggers=1, refused__sender=1):
        forger.log(reject_line(VICTIM))
    with host.harmless("nobody, exited", sources=[VICTIM], triggers=1, refused__gone=1):
        log_and_leave(host, reject_line(VICTIM), "nobody", program="courieresmtpd")


def child_with_pid(host, source, pid):
    """A client whose smtpd gets this PID; several tries, as other processes take PIDs too."""
    for _ in range(20):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
            last.write(str(pid - 1))
        session, child = host.open(source)
        if child.pid == pid:
            return session, child
        session.close()
        wait_for(lambda: processes.gone(child.pid), 3, "the end of an smtpd with another PID")
    raise RuntimeError(f"PID {pid} could not be reused")


def kill(child):
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: processes.gone(child.pid), 2, "the smtpd's early end")
    wait_for(lambda: not processes.named("submit"), 2, "the end of its submit")


def reused_before_the_signal(points, host):
    """Between log line and signal another client's smtpd gets the PID."""
    host.restart(action(terminate_delay=3000, terminate_killAfter=500))
    other = ordinary(10)
    with host.counted(triggers=1, blocks=1, gone=1):
        session, child = host.rejects(listed(10))
        wait_for(lambda: host.is_blocked(listed(10)), 2, "the block")
        kill(child)
        session.close()
        session, stranger = child_with_pid(host, other, child.pid)
        host.spares(other, pids=[stranger.pid], seconds=4)
        host.serves(session, stranger)


def reused_before_the_reading(points, host):
    """rsyslogd reads the line when another listed client's smtpd already has the PID."""
    host.restart(action())
    with host.counted(triggers=1, refused__sender=1):
        with suspended(host.rsyslog.pid):
            session, child = host.rejects(listed(11))
            kill(child)
            session.close()
            session, stranger = child_with_pid(host, listed(12), child.pid)
        points.ok(stays(lambda: processes.alive(stranger.pid) and not host.blocked(), 1),
                  "nobody blocked, nobody signalled")
        host.serves(session, stranger)


def scenario(points):
    with mail_host(points) as host:
        for sender, imuxsock in SENDERS.items():
            host.restart(imuxsock=imuxsock)
            for user, attack in itertools.product(("nobody", "courier"),
                                                  (impostor, through_courierlogger)):
                with host.part(f"{attack.__name__}, {user}, {sender}"):
                    attack(points, host, user, imuxsock)
        host.rsyslog.imuxsock = CREDENTIALS
        host.parts(sender_of_another_program, reused_before_the_signal, reused_before_the_reading)
