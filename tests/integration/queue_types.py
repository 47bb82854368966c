# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""rsyslogd stops in a flood, whatever queue the action has.

It stops in under 2 s, no process is signalled but the smtpds of rejected clients, and the log has
each line that was read, once. As many blocks are reported as lines were handled. What a queue on
disk still has is handled after the next start, and the session that it is about is terminated. A
disk-assisted queue of rsyslogd 8.2302 may lose lines when it stops, whatever its action is (tried
with omfile); no line is handled twice.
"""
# backends: both
# serial: the time to stop is measured
# limit: 30

from lib import processes
from lib.attack import Chatter
from lib.eventlog import events, not_handled, not_submitted, reject, to_file
from lib.rsyslog import action
from lib.scenario import listed, lone_rsyslogd, mail_host, ordinary, workdir
from lib.wait import wait_for

LIMIT = 2.0
LINES = 2000
SAVED = {"queue_filename": "action", "queue_saveOnShutdown": "on"}
QUEUES = {
    "direct": {"queue_type": "direct"},
    "linkedList": {"queue_type": "linkedList", "queue_size": 5000},
    "fixedArray": {"queue_type": "fixedArray", "queue_size": 500},
    "disk": {"queue_type": "disk", "queue_size": 5000, **SAVED},
    # Lines go to the disk at once.
    "disk-assisted": {"queue_type": "linkedList", "queue_size": 500, "queue_highWatermark": 20,
                      "queue_lowWatermark": 10, **SAVED},
}
# Then some lines are left when rsyslogd stops.
SLOW = {"queue_dequeueSlowdown": 500, "queue_dequeueBatchSize": 1}
# The action of all lines without a session.
BELIEVED = {"verify": "none", "backend": "null", "eventRuleset": "blocks",
            "maxBlocks": 100_000_000}


def stopped_with_sessions(points, host, queue):
    """20 clients are rejected, and their signals are pending."""
    host.restart(action(terminate_delay=5000, **queue))
    neighbour = host.open(ordinary(1))
    sources = [listed(number) for number in range(1, 21)]
    guilty = {host.rejects(source)[1].pid for source in sources}
    guilty |= {process.pid for process in processes.named("submit") if process.parent in guilty}
    host.blocks(*sources)
    before = {process.pid for process in processes.every()}
    with Chatter() as flood:
        wait_for(lambda: flood.sent > 1000, 20, "1000 lines")
        points.at_most(host.rsyslog.stop(), LIMIT, "seconds to stop in a flood")
    after = {process.pid for process in processes.every()}
    points.ok(before - after <= guilty | {host.rsyslog.pid},
              "no process but their smtpds has exited", before - after - guilty)
    host.serves(*neighbour)


def rejected_lines(daemon):
    return [line for line in daemon.mail() if "511 Listed" in line]


def stopped_in_a_wave(points, name, queue):
    """rsyslogd drops what a queue in memory still has. It is not started again with what is left
    on disk: an event of a line that comes before rsyslogd has started its main queue ends it with
    SIGSEGV, a fault of ours that is not fixed yet."""
    path = workdir() / f"{name}.json"
    queue = queue | (SLOW if name == "disk" else {})
    with lone_rsyslogd(points, to_file(path) + action(**BELIEVED, **queue), name) as daemon:
        for number in range(LINES):
            reject(number)
        points.at_most(daemon.stop(), LIMIT, "seconds to stop in a wave")
        lines, lost = rejected_lines(daemon), not_submitted(daemon) + not_handled(daemon)
        points.equal(len(set(lines)), len(lines), "the log has each line once")
        handled = len(events(path)) + lost
        points.ok(0 < handled <= len(lines) and (name != "direct" or handled == len(lines)),
                  f"of {len(lines)} lines {handled} were handled, {lost} events are reported lost")
        addresses = [event["address"] for event in events(path)]
        points.equal(len(set(addresses)), len(addresses), "none is handled twice")


def session_in_the_queue(points, host, queue, source):
    """Its line waits in the queue when rsyslogd stops."""
    host.restart(action(queue_dequeueSlowdown=500_000, queue_dequeueBatchSize=1, **queue))
    neighbour = host.open(ordinary(1))
    Chatter(50).run()
    session, child = host.rejects(source)
    host.writes("511", source)
    points.at_most(host.rsyslog.stop(), LIMIT, "seconds to stop")
    points.ok(session.lives() and not host.is_blocked(source), "nothing has happened so far")
    host.rsyslog.rules = action(**queue)
    host.rsyslog.start()
    host.blocks(source)
    host.ends(child)
    host.serves(*neighbour)


def scenario(points):
    for name, queue in QUEUES.items():
        with points.part(f"{name}, a wave"):
            stopped_in_a_wave(points, name, queue)
    with mail_host(points) as host:
        for name, queue in QUEUES.items():
            with host.part(name):
                stopped_with_sessions(points, host, queue)
        with host.part("disk, after the next start"):
            session_in_the_queue(points, host, QUEUES["disk"], listed(30))
