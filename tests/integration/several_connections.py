#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Several connections from one address: which are terminated, and which are not.

A line with port= names one smtpd: only that one is terminated. A line without port=, from
an older courier, names an address: all smtpds that serve it are terminated. An smtpd of
another address never is.
"""
# backends: both

from lib import processes, rsyslog, tap
from lib.rsyslog import CREDENTIALS
from lib.scenario import NOBODY, listed, mail_host, ordinary
from lib.wait import stays


def one_of_three(points, host, source, label):
    """The reject of one connection terminates that one."""
    sessions = [host.open(source) for _ in range(3)]
    guilty, guilty_child = sessions[1]
    points.equal(guilty.recipient(NOBODY).code, 511, f"{label}: one of three is rejected")
    points.until(lambda: processes.gone(guilty_child.pid), 4, f"{label}: its smtpd is gone",
                 host.rsyslog.own)
    points.until(lambda: host.is_blocked(source), 2, f"{label}: the address is on the list")
    others = [child.pid for session, child in sessions if session is not guilty]
    points.ok(stays(lambda: all(map(processes.alive, others)), 0.6),
              f"{label}: the other two smtpds live on")
    for session, _ in sessions:
        session.close()


def old_line(points, host, source, tagged):
    """As courier before 1.0.12 would have logged it. The line comes without credentials:
    the module searches for the smtpds, also if the tag gives a hint."""
    label = f"a line without port={', a PID in its tag' if tagged else ''}"
    sessions = [host.open(source) for _ in range(3)]
    other_session, other = host.open(ordinary(9))
    also_listed_session, also_listed = host.open(listed(99))
    rsyslog.log(f"error,relay=::ffff:{source},from=<a@b.example>,to=<x@mx.lab>:"
                f" 511 Listed in lab DNSBL, {source}",
                tag=f"courieresmtpd[{sessions[0][1].pid}]" if tagged else "courieresmtpd")
    for number, (_, child) in enumerate(sessions, 1):
        points.until(lambda: processes.gone(child.pid), 4,
                     f"{label}: smtpd {number} of 3 is gone", host.rsyslog.own)
    points.until(lambda: host.is_blocked(source), 2, f"{label}: on the list")
    points.ok(stays(lambda: processes.alive(other.pid) and processes.alive(also_listed.pid), 0.6),
              f"{label}: smtpds of other addresses live on, listed or not")
    points.ok(other_session.lives() and also_listed_session.lives(),
              f"{label}: and answer")
    for session, _ in (*sessions, (other_session, other), (also_listed_session, also_listed)):
        session.close()


def scenario(points):
    with mail_host() as host:
        for number, (label, imuxsock) in enumerate((("credentials", CREDENTIALS),
                                                    ("no credentials", "")), 1):
            host.rsyslog.stop()
            host.rsyslog.imuxsock = imuxsock
            host.rsyslog.start()
            with tap.part(points, label):
                one_of_three(points, host, listed(number), label)
        for number, tagged in ((3, False), (4, True)):
            with tap.part(points, "a line without port="):
                old_line(points, host, listed(number), tagged)


if __name__ == "__main__":
    tap.main(scenario)
