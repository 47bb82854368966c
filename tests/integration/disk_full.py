# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""No space is left: in the file system of the events, and in /run.

Sessions are terminated and addresses blocked as ever, and the log has every line. rsyslogd loses
events, and logs that; when there is space again, it writes new ones, the first behind the one that
was cut. smtpblockctl takes an address off the list, says that it cannot tell the module, and leaves
its file as it was.
"""
# backends: both
# limit: 60

import json
import os
from pathlib import Path

from lib import rsyslog
from lib.eventlog import reject, ruleset
from lib.netns import run
from lib.rsyslog import action
from lib.scenario import listed, mail_host, ordinary, reject_line

FULL = Path("/tmp/full")
RUN = Path("/run")
REQUESTS = RUN / "omsmtpblock" / "unblock" / "requests"
BLOCKS = 2000
BELIEVED = {"verify": "none", "terminate": "off"}


def to_file(path):
    """As the shipped example."""
    return 'template(name="event" type="string" string="%msg%\\n")\n' \
        + ruleset(f'action(type="omfile" file="{path}" template="event")')


def fill(directory):
    """Until nothing can be written, and no file created."""
    def limit(**values):
        words = ",".join(f"{name}={value}" for name, value in values.items())
        run("mount", "-o", f"remount,{words}", directory)
    with open(directory / "filler", "wb") as filler:
        filler.write(b"x")
        filler.flush()
        now = os.statvfs(directory)
        limit(size=(now.f_blocks - now.f_bfree) * now.f_bsize, nr_inodes=now.f_files - now.f_ffree)


def empty(directory):
    (directory / "filler").unlink()
    run("mount", "-o", "remount,size=16m,nr_inodes=10000", directory)


def whole_events(path):
    """The addresses of those in the file, and the number of lines that are cut."""
    found, cut = set(), 0
    for line in path.read_text().splitlines():
        try:
            found.add(json.loads(line)["address"])
        except ValueError:
            cut += 1
    return found, cut


def full_of_events(points, host, path):
    host.block(listed(1))
    points.until(lambda: whole_events(path) == ({listed(1)}, 0), 5, "an event is written")
    for number in range(BLOCKS):
        reject(number)
    points.until(lambda: host.rsyslog.counters("other").get("blocks") == BLOCKS, 20,
                 "all are blocked")
    points.equal(os.statvfs(FULL).f_bfree, 0, "the file system is full")
    points.until(lambda: host.rsyslog.logged("No space left"), 5, "rsyslogd logs it")
    host.block(listed(2))
    points.equal(len([line for line in host.rsyslog.mail() if "to=<x@mx.lab>" in line]), BLOCKS,
                 "the log is whole")
    run("mount", "-o", "remount,size=16m", FULL)
    for number in (3, 4):
        host.block(listed(number))
    points.until(lambda: listed(4) in whole_events(path)[0], 5, "with space again it is written")
    points.at_most(whole_events(path)[1], 1, "cut lines")
    points.ok(str(path) in host.ctl("why", listed(4)).out, "smtpblockctl why finds it")
    points.at_most(host.rsyslog.stop(), 2, "seconds to stop")


def events_are_full(points):
    FULL.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", FULL)
    path = FULL / "events.json"
    # Lines without a session are for another action.
    believed = action("if $msg contains 'to=<x@mx.lab>' then", verify="none", backend="null",
                      list="other", list6="other6", eventRuleset="blocks", maxBlocks=100_000_000)
    rules = to_file(path) + action(eventRuleset="blocks") + believed.replace('name="block"', "")
    with mail_host(points, rules) as host:
        full_of_events(points, host, path)


def run_is_full(points, host):
    sources = [f"10.9.4.{number}" for number in range(1, 6)]
    for source in sources:
        rsyslog.log(reject_line(source))
    host.blocks(*sources)
    points.equal(host.ctl("del", sources[0]).status, 0, "del works")
    before = REQUESTS.read_text()
    fill(RUN)
    result = host.ctl("del", sources[1])
    points.ok(result.status == 0 and "No space left" in result.err
              and result.err.count("\n") == 1, "with a full /run: one message", result)
    points.ok(not host.is_blocked(sources[1]), "it is off the list")
    points.equal((REQUESTS.read_text(), sorted(os.listdir(REQUESTS.parent))),
                 (before, ["lock", "requests"]), "the file is as it was")
    host.restart(action(**BELIEVED))
    rsyslog.log(reject_line(ordinary(2)))
    host.blocks(ordinary(2))
    empty(RUN)
    points.equal(host.ctl("del", ordinary(2)).err, "", "with space again: del works")
    points.until(lambda: host.rsyslog.counters().get("unblocked"), 15, "the module knows")


def scenario(points):
    points.parts((events_are_full,))
    with mail_host(points, action(**BELIEVED)) as host:
        host.parts(run_is_full)
