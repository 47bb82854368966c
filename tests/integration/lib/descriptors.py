# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Many listed sessions at a rsyslogd that may have few descriptors."""

import contextlib

from lib import processes
from lib.faults import Trial, outcomes, read_counters
from lib.rsyslog import log
from lib.scenario import NOBODY, listed
from lib.smtp import Closed
from lib.wait import Timeout, wait_for

# In which all sessions are terminated, the last ones too.
PATIENCE = 15


def reject_all(host, sources, stack):
    """The PIDs of the sessions' processes, by their address."""
    sessions = []
    for source in sources:
        session = stack.enter_context(host.session(source))
        session.greet()
        sessions.append(session)
    found = {process.address: process.pid for process in host.courier.children()}
    for session in sessions:
        with contextlib.suppress(Closed):
            session.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{NOBODY}>")
    for session in sessions:
        with contextlib.suppress(Closed):
            session.reply()
            session.reply()
    return {source: found[source] for source in sources}


def rejects(host):
    return sum("error,relay" in line for line in host.rsyslog.mail())


def few_descriptors(points, host, bystanders, path, limit, count):
    """That many listed sessions are rejected at once at a rsyslogd with that limit."""
    sources = [listed(number) for number in range(1, count + 1)]
    label = f"{limit} descriptors, {path} sessions"
    trial = Trial(host, bystanders, path, sources[0])
    trial.fresh(prefix=("prlimit", f"--nofile={limit}:{limit}"))
    with contextlib.ExitStack() as stack:
        children = reject_all(host, sources, stack)

        def left():
            return [source for source, pid in children.items() if not processes.gone(pid)]
        with contextlib.suppress(Timeout):
            wait_for(lambda: not left(), PATIENCE, "the end of all")
        counted = read_counters(host.rsyslog) or {}
        ended = count - len(left())
        points.note(f"{label}: {ended} terminated; "
                    + " ".join(f"{name}={number}" for name, number in counted.items()))
        # The list itself may be too small to keep them all.
        points.equal((counted.get("blocks", 0), ended), (count, count),
                     f"{label}: all are blocked and terminated")
    points.equal((counted.get("triggers"), outcomes(counted)), (count, count),
                 f"{label}: each reject is counted")
    points.equal(bystanders.harmed(*sources), [], f"{label}: nobody else is touched")
    points.ok(processes.alive(host.rsyslog.pid), f"{label}: rsyslogd lives")
    log("marker", "mail.info", "faults")
    points.until(lambda: rejects(host) == count and "marker" in host.rsyslog.mail()[-1], 5,
                 f"{label}: all lines are in the file",
                 lambda: f"{rejects(host)} rejects", lambda: host.rsyslog.mail()[-1:],
                 lambda: host.rsyslog.own()[-5:])
