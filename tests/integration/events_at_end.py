# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""eventRuleset: when rsyslogd stops, pending events are still passed on. Those for which there is
no time are counted and reported."""
# serial: a thread gets little of a processor

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from lib import instrument, threads
from lib.eventlog import events, not_handled, not_submitted, reject, ruleset, to_file
from lib.rsyslog import Rsyslog, action
from lib.scenario import workdir
from lib.wait import stays, wait_for

# An instrument must not examine this program.
ON_ITS_OWN = "unset LD_PRELOAD\n"
ACTION = {"verify": "none", "backend": "null", "eventRuleset": "blocks", "maxBlocks": 100_000_000}
# Less than the module's queue has room for, of replies that take long to write.
WAVE, LONG = 3000, "511 " + "\\" * 190
# rsyslogd itself gives the event thread a second, like an input.
PATIENT = 'global(inputs.timeout.shutdown="20000")\n'
EVENT_THREAD, BACKGROUND, MAIN_QUEUE = "in:omsmtpblock", "smtpblock", "rs:main Q:Reg"


def run_by_the_event_thread(points):
    """The ruleset has a direct queue, and a slow action: there is a tenth of a second."""
    directory = workdir()
    for attempt in range(3):
        path, program = directory / f"last{attempt}.json", directory / f"last{attempt}.sh"
        program.write_text(f"#!/bin/sh\n{ON_ITS_OWN}echo OK\nwhile read -r line; do\n"
                           f"echo \"$line\" >> '{path}'; sleep 0.01; echo OK\ndone\n")
        program.chmod(0o755)
        rules = 'module(load="omprog")\ntemplate(name="event" type="string" ' \
            'string="%syslogtag%%msg%\\n")\n' \
            + ruleset(f'action(type="omprog" binary="{program}" template="event" '
                      'confirmMessages="on")', 'queue.type="direct"') \
            + action(**ACTION)
        daemon = Rsyslog(directory, rules, name=f"last{attempt}").start()
        for number in range(20):
            reject(number)
        wait_for(lambda: path.exists() and len(path.read_text().splitlines()) >= 16, 10,
                 "some events")
        daemon.stop()
        reported = len(events(path))
        points.ok(reported == 20 or instrument.words() and reported > 16,
                  "blocks before the stop are reported", reported)


@contextlib.contextmanager
def stopped(name, thread, rules=action(**ACTION)):
    """rsyslogd stops after this block, in which that thread is suspended and a wave waits for
    it."""
    path = workdir() / f"{name}.json"
    daemon = Rsyslog(workdir(), to_file(path) + rules, name=name,
                     settings=PATIENT).start()
    with contextlib.ExitStack() as suspended:
        suspended.enter_context(threads.suspended(threads.single(daemon.pid, thread)))
        for number in range(WAVE):
            reject(number, LONG)
        wait_for(lambda: len(daemon.mail()) >= WAVE, 20, "the wave")
        if thread == EVENT_THREAD:
            wait_for(lambda: daemon.counters().get("blocks") == WAVE, 20, "the blocks")
        os.kill(daemon.pid, signal.SIGTERM)
        yield daemon, path
    daemon.ends()


def all_reported(points, daemon, path):
    points.equal((len(events(path)), not_submitted(daemon)), (WAVE, 0), "every block is reported")


@contextlib.contextmanager
def slowed(pid, thread):
    """The thread gets a twenty-third of a processor, whether the scheduler compares threads or,
    with autogroups, sessions."""
    processor = min(os.sched_getaffinity(0))
    hog = subprocess.Popen(["taskset", "-c", str(processor), "timeout", "20", "sh", "-c",
                            "echo; while :; do :; done"],
                           stdout=subprocess.PIPE, start_new_session=True)
    try:
        hog.stdout.readline()
        nice = os.getpriority(os.PRIO_PROCESS, hog.pid) + 14
        os.sched_setaffinity(thread, {processor})
        os.setpriority(os.PRIO_PROCESS, thread, nice)
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text("14")
        yield
    finally:
        hog.terminate()
        hog.wait(5)


def slow_event_thread(points):
    """Submitting does not wait for the ruleset, so it goes on, however slow the host is."""
    with contextlib.ExitStack() as stack:
        with stopped("slow", EVENT_THREAD) as (daemon, path):
            stack.enter_context(slowed(daemon.pid, threads.single(daemon.pid, EVENT_THREAD)))
    all_reported(points, daemon, path)


def names(daemon):
    """Of its threads."""
    found = []
    for thread in threads.of(daemon.pid):
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{thread}/comm").read_text())
    return found


def gone(daemon, name):
    return not threads.named(daemon.pid, name)


def slow_background_thread(points):
    """The main queue's threads wait for it."""
    with stopped("late", BACKGROUND) as (daemon, path):
        thread = threads.single(daemon.pid, BACKGROUND)
        wait_for(lambda: gone(daemon, EVENT_THREAD), 5, "the end of the event thread")
        stays(lambda: threads.state(thread) == "t", 0.25)
    all_reported(points, daemon, path)


def too_slow_background_thread(points):
    """They have ended when it goes on."""
    with stopped("lost", BACKGROUND) as (daemon, path):
        wait_for(lambda: gone(daemon, MAIN_QUEUE), 5, "the end of the main queue's threads")
    lost, unhandled = not_submitted(daemon), not_handled(daemon)
    points.equal((len(events(path)), lost + unhandled), (0, WAVE), "what is lost is logged")


def without_queues(points):
    """All queues have ended when it goes on, and so have the rulesets. The main queue's threads do
    not wait for lines from another queue."""
    rules = 'ruleset(name="other" queue.type="linkedList") { ' + action("", **ACTION) \
        + '}\nmail.err call other\n'
    with stopped("other", BACKGROUND, rules) as (daemon, path):
        wait_for(lambda: not any(name.startswith("rs:") for name in names(daemon)), 5,
                 "the end of the queues")
    points.equal((len(events(path)), not_submitted(daemon) + not_handled(daemon)), (0, WAVE),
                 "what is lost is logged")


def scenario(points):
    points.parts((run_by_the_event_thread, slow_event_thread, slow_background_thread,
                  too_slow_background_thread, without_queues))
