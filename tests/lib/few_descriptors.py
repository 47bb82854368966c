# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Many listed sessions with an rsyslogd that may have few descriptors."""

import contextlib

from lib import processes
from lib.faults import Trial, outcomes, read_counters
from lib.rsyslog import log
from lib.scenario import NOBODY, listed
from lib.smtp import Closed
from lib.wait import Timeout, wait_for

# Within this time all sessions are terminated, the last ones too, or refused. It takes longer where
# rsyslogd waits for a processor: with 16 descriptors each look is tried again until it is given up.
ENDED_AFTER = 15
# rsyslogd and the module have fourteen open when they have nothing to do, and four are left
# to rsyslogd: below this there are none for looks.
ENOUGH = 20
# rsyslogd opens its files again after so many rejects.
HUP_EVERY = 10


def reject_all(host, sources, stack):
    """The PIDs of the sessions' processes, by address. Another program logs a line for
    each, and rsyslogd opens its files again and again."""
    sessions = []
    for source in sources:
        session = stack.enter_context(host.session(source))
        session.greet()
        sessions.append(session)
    found = {process.address: process.pid for process in host.courier.children()}
    for session in sessions:
        with contextlib.suppress(Closed):
            session.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{NOBODY}>")
    for number, session in enumerate(sessions):
        with contextlib.suppress(Closed):
            session.reply()
            session.reply()
        log(other_line(number), "mail.info", "faults")
        if number % HUP_EVERY == 0:
            host.rsyslog.hup()
    return {source: found[source] for source in sources}


def other_line(number):
    return f"another's line {number}."


def missing(host, count):
    """How many lines of each kind are not in the file."""
    text = "\n".join(host.rsyslog.mail())
    return {"rejects": count - text.count("error,relay"),
            "others": sum(other_line(number) not in text for number in range(count))}


def few_descriptors(points, host, bystanders, path, limit, count):
    """Many listed sessions are rejected at once, with that limit for rsyslogd."""
    sources = [listed(number) for number in range(1, count + 1)]
    trial = Trial(host, bystanders, path, sources[0])
    trial.fresh(prefix=("prlimit", f"--nofile={limit}:{limit}"))
    with contextlib.ExitStack() as stack:
        children = reject_all(host, sources, stack)

        def left():
            return [source for source, pid in children.items() if not processes.gone(pid)]

        def decided():
            counted.update(read_counters(host.rsyslog) or {})
            return outcomes(counted) == count and (limit < ENOUGH or not left())
        counted = {}
        with contextlib.suppress(Timeout):
            wait_for(decided, ENDED_AFTER, "the end of all")
        ended = count - len(left())
        points.note(f"{ended} terminated; "
                    + " ".join(f"{name}={number}" for name, number in counted.items()))
        # The kernel's list may be too small for all of them.
        if limit >= ENOUGH:
            points.equal((counted.get("blocks", 0), ended), (count, count),
                         "all are blocked and terminated")
    points.equal((counted.get("triggers"), outcomes(counted)), (count, count),
                 "each reject is counted")
    points.equal(bystanders.harmed(*sources), [], "no other session is touched")
    points.ok(processes.alive(host.rsyslog.pid), "rsyslogd lives")
    points.until(lambda: not any(missing(host, count).values()), 5, "all lines are in the file",
                 lambda: missing(host, count), exact=True)
