# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""After a failed system call the decision is only postponed.

The most important trials of tests/faults/run.
"""
# limit: 120

from lib.faults import GIVEN_UP, PATHS, THREADS, Bystanders, Calls, Fault
from lib.few_descriptors import few_descriptors
from lib.scenario import mail_host

ERRORS = {"pidfd_open": "EMFILE", "openat": "EMFILE", "readlink": "EINTR", "read": "EIO",
          "newfstatat": "ENOMEM",
          "pread64": "ENOMEM", "poll": "ENOMEM", "ioctl": "ENOMEM", "write": "ENOMEM",
          "pidfd_send_signal": "EINTR"}
# With the first no session can be looked at: all are refused, and no line is lost.
DESCRIPTORS, SESSIONS = (16, 20), 60


def first_and_last(learnt):
    """Of each kind of call. The first is about a bystander, where there are more."""
    kinds = {}
    for call in learnt:
        kinds.setdefault((call.name, call.what), []).append(call)
    return [call for kind in kinds.values() for call in dict.fromkeys((kind[0], kind[-1]))]


def fail_once(points, calls, path, thread):
    """Calls of each kind that this thread makes."""
    learnt = [call for call in calls.learn(path, thread) if call.name in ERRORS]
    for call in first_and_last(learnt):
        fault = Fault(path, thread, call, ERRORS[call.name])
        trial, hit = calls.try_fault(fault)
        points.ok(not trial.problems, fault, "; ".join(trial.problems), hit, trial.notes())


def fail_for_good(points, calls):
    """The environment of no process can be read."""
    learnt = calls.learn("new", "looker")
    call = next(call for call in learnt if call.name == "openat")
    trial, _ = calls.try_fault(Fault("new", "looker", call, "EMFILE", every=True), GIVEN_UP)
    points.ok(not trial.problems and not trial.done and trial.counted.get("refused.failed") == 1,
              "the reject is counted as refused.failed", "; ".join(trial.problems), trial.notes())


def scenario(points):
    with mail_host(points) as host, Bystanders(host) as bystanders:
        calls = Calls(host, bystanders)
        for path in PATHS:
            # Until a session is pinned the background does what it does for a new one.
            for thread in THREADS if path != "pinned" else ("worker", "looker"):
                with points.part(f"{path}, {thread}"):
                    fail_once(points, calls, path, thread)
        points.parts((fail_for_good,), calls)
        for limit in DESCRIPTORS:
            with points.part(f"{limit} descriptors"):
                few_descriptors(points, host, bystanders, "new", limit, SESSIONS)
