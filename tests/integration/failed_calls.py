#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A failed system call is no answer: the decision is made when it can be.

The most telling of what tests/faults/run tries: each call by which a session is looked
at fails once, as it may for want of memory or descriptors, or by a signal; and
rsyslogd has 16 descriptors.
"""
# limit: 120

from lib import tap
from lib.descriptors import few_descriptors
from lib.faults import PATHS, THREADS, Bystanders, Calls, Fault
from lib.scenario import mail_host

ERRORS = {"pidfd_open": "EMFILE", "openat": "EMFILE", "readlink": "EINTR", "read": "EIO",
          "pread64": "ENOMEM", "poll": "ENOMEM", "ioctl": "ENOMEM", "write": "ENOMEM",
          "pidfd_send_signal": "EINTR"}
DESCRIPTORS, SESSIONS = 16, 60


def fail_once(points, calls, path, thread):
    """One of each kind of call, whichever of them this thread makes."""
    learnt = [call for call in calls.learn(path, thread) if call.name in ERRORS]
    for call in learnt:
        fault = Fault(path, thread, call, ERRORS[call.name])
        trial, hit = calls.try_fault(fault)
        points.ok(not trial.problems, fault, "; ".join(trial.problems), hit, trial.says())


def scenario(points):
    with mail_host() as host, Bystanders(host) as bystanders:
        calls = Calls(host, bystanders)
        for path in PATHS:
            for thread in THREADS:
                with tap.part(points, f"{path} session, {thread}"):
                    fail_once(points, calls, path, thread)
        with tap.part(points, "descriptors"):
            few_descriptors(points, host, bystanders, "new", DESCRIPTORS, SESSIONS)


if __name__ == "__main__":
    tap.main(scenario)
