# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""eventRuleset: when rsyslogd stops, pending events are still passed on within 0.1 s."""

from lib import instrument
from lib.eventlog import events, reject, ruleset
from lib.rsyslog import Rsyslog, action
from lib.scenario import workdir
from lib.wait import wait_for

# An instrument must not examine this program.
ON_ITS_OWN = "unset LD_PRELOAD\n"


def scenario(points):
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
