# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""eventRuleset: when rsyslogd stops, pending events are still passed on within 0.1 s.

So are those for lines that are still in its main queue: as many blocks are reported as
lines were handled.
"""

from lib import instrument
from lib.eventlog import events, reject, ruleset, to_file
from lib.rsyslog import Rsyslog, action
from lib.scenario import workdir
from lib.wait import wait_for

# An instrument must not examine this program.
ON_ITS_OWN = "unset LD_PRELOAD\n"
WAVE = 3000
WORKERS = 'main_queue(queue.workerThreads="4" queue.workerThreadMinimumMessages="100")\n'


def pending_at_end(points):
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
            + action(verify="none", backend="null", eventRuleset="blocks")
        daemon = Rsyslog(directory, rules, name=f"last{attempt}").start()
        for number in range(20):
            reject(number)
        wait_for(lambda: path.exists() and len(path.read_text().splitlines()) >= 16, 10,
                 "some events")
        daemon.stop()
        reported = len(events(path))
        points.ok(reported == 20 or instrument.words() and reported > 16,
                  "blocks before the stop are reported", reported)


def stopped_in_a_wave(name, before="mail.err ", behind="", settings=""):
    """(lines handled, blocks reported, seconds to the end)."""
    path = workdir() / f"{name}.json"
    rules = to_file(path) + before + action("", verify="none", backend="null", maxBlocks=100000000,
                                            eventRuleset="blocks") + behind
    daemon = Rsyslog(workdir(), rules, name=name, settings=settings).start()
    for number in range(WAVE):
        reject(number)
    seconds = daemon.stop()
    return sum("511 Listed" in line for line in daemon.mail()), len(events(path)), seconds


def in_a_wave(points):
    """The lines are in the main queue when rsyslogd stops. They leave it after the inputs
    and the thread that passes events on have ended."""
    for attempt, settings in enumerate(("", WORKERS) * 3):
        lines, reported, seconds = stopped_in_a_wave(f"wave{attempt}", settings=settings)
        # Under an instrument the 0.1 s may be over before that.
        points.ok(reported == lines or instrument.words() and lines / 2 < reported < lines,
                  f"the block of each of {lines} lines is reported", reported)
        points.ok(lines > 0 and seconds < 2, f"rsyslogd stops in {seconds:.2f} s")


def behind_another_queue(points):
    """Its threads end after those of eventRuleset: these events are lost."""
    lines, reported, seconds = stopped_in_a_wave(
        "other", 'ruleset(name="other" queue.type="linkedList") { ',
        '}\nif prifilt("mail.err") then call other\n')
    points.ok(0 < reported <= lines, f"of {lines} blocks {reported} are reported")
    points.ok(seconds < 3, f"rsyslogd stops in {seconds:.2f} s")


def scenario(points):
    points.parts((pending_at_end, in_a_wave, behind_another_queue))
