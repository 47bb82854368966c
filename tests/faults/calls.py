# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Each system call of the module fails once, then with all later ones: see run."""

import argparse
import itertools
import zlib

from lib.faults import ERRORS, PATHS, THREADS, Bystanders, Calls, Fault, my_share
from lib.scenario import mail_host


def parse():
    parser = argparse.ArgumentParser(prog="run calls")
    parser.add_argument("--path", choices=PATHS)
    parser.add_argument("--thread", choices=THREADS)
    parser.add_argument("--call")
    parser.add_argument("--error", choices=ERRORS)
    parser.add_argument("--often", choices=("once", "every"))
    parser.add_argument("--list", action="store_true", help="only list the calls")
    return parser.parse_args()


def is_shared(call):
    """The rest of rsyslogd makes this call in the worker too, so not all may fail."""
    return call.name in ("write", "openat", "read", "fstat", "newfstatat", "lseek")


def faults_of(path, thread, learnt, options):
    """Every error at each call; `every` only at the first call of its kind."""
    kinds = set()
    for call in learnt:
        first = (call.name, call.what) not in kinds
        kinds.add((call.name, call.what))
        for error, every in itertools.product(options.errors, options.every):
            if options.call in (None, call.name) and not (every and (
                    not first or thread == "worker" and is_shared(call))):
                yield Fault(path, thread, call, error, every)


def faults(points, calls, options):
    """This share of all faults that the options select."""
    share, shares = my_share()
    for path, thread in itertools.product(PATHS, THREADS):
        if options.path in (None, path) and options.thread in (None, thread):
            learnt = calls.learn(path, thread)
            if share == 0:
                points.note(f"{path} session, {thread}: " + ", ".join(
                    f"{call.name}({call.what})" for call in learnt))
            yield from (fault for fault in faults_of(path, thread, learnt, options)
                        if zlib.crc32(str(fault).encode()) % shares == share)


def run(points, calls, fault):
    trial, hit = calls.try_fault(fault)
    points.ok(not trial.problems, fault, "; ".join(trial.problems))
    points.note(f"  hit {len(hit)}: {', '.join(sorted(set(hit)))}; {trial.notes()}")


def scenario(points):
    options = parse()
    options.errors = [options.error] if options.error else ERRORS
    options.every = {None: (False, True), "once": (False,), "every": (True,)}[options.often]
    with mail_host(points) as host, Bystanders(host) as bystanders:
        calls = Calls(host, bystanders)
        for fault in faults(points, calls, options):
            with points.part(str(fault)):
                if not options.list:
                    run(points, calls, fault)
