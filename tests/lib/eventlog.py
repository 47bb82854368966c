# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Events: a ruleset that gets them, the file it writes, and lines that cause them."""

import json
import re

from lib import rsyslog
from lib.scenario import reject_line


def ruleset(body, queue='queue.type="linkedList" queue.timeoutEnqueue="0"', name="blocks"):
    return f'ruleset(name="{name}" {queue}) {{ {body} }}\n'


def to_file(path):
    """A template, and a ruleset that writes each event to that file."""
    return 'template(name="event" type="string" string="%syslogtag%%msg%\\n")\n' \
        + ruleset(f'action(type="omfile" file="{path}" template="event")')


def events(path):
    """The events in the file, without the tag in front."""
    lines = path.read_text().splitlines() if path.exists() else []
    assert all(line.startswith("omsmtpblock:{") for line in lines), lines
    return [json.loads(line.removeprefix("omsmtpblock:")) for line in lines]


def _lost(daemon, what):
    """The number in the message about what was lost when rsyslogd stopped; 0: none."""
    return sum(int(re.search(r"is stopping: (\d+) ", line)[1])
               for line in daemon.logged(rf"rsyslogd is stopping: \d+ {what}"))


def not_submitted(daemon):
    return _lost(daemon, "block events were not submitted")


def not_handled(daemon):
    return _lost(daemon, "triggers were not handled")


def reject(number, reply="511 Listed"):
    """A line of another address for each number."""
    rsyslog.log(reject_line(f"10.9.{4 + number // 200}.{1 + number % 200}", reply=reply))
