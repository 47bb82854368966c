# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""eventRuleset: a ruleset gets every block as one JSON message.

A ruleset that is too slow loses events, which are counted and logged once; the worker does
not wait. When rsyslogd stops in the middle of a wave it does so in time, and as many blocks
are reported as lines were handled.
"""

# limit: 150

import contextlib
import json
import re
import socket
from pathlib import Path

from lib.eventlog import events, not_submitted, reject, ruleset, to_file
from lib.firewall import kernel_list
from lib.rsyslog import Rsyslog, action
from lib.scenario import (NOBODY, listed, lone_rsyslogd, mail_host, network_and_lists, workdir)
from lib.wait import stays

EXAMPLE = Path(__file__).resolve().parents[2] / "rsyslog.d" / "omsmtpblock-events.conf"
# The action of all lines without a session.
ACTION = {"verify": "none", "backend": "null", "eventRuleset": "blocks"}
BLOCKS = action(**ACTION)
WAVE = 3000
WORKERS = 'main_queue(queue.workerThreads="4" queue.workerThreadMinimumMessages="100")\n'


def of_a_real_client(points):
    path = workdir() / "events.json"
    with mail_host(points, to_file(path) + action(eventRuleset="blocks")) as host:
        session, child = host.rejects(listed(1))
        points.until(lambda: events(path), 5, "its block is reported")
        event = events(path)[0]
        points.ok(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("time")),
                  "with its time")
        points.equal(event, {"event": "block", "address": listed(1), "list": "spammer",
                             "list_state": "added", "seconds": 600, "trigger": "dnsbl",
                             "rule": "line",
                             "reply": f"511 Listed in lab DNSBL, {listed(1)}",
                             "zone": "bl.lab", "port": session.source_port, "pid": child.pid,
                             "child": "end"}, "address, reason, list, and what was done")
        host.rsyslog.hup()
        points.until(lambda: host.rsyslog.logged("by DNSBL zones, list spammer: bl.lab=1 "), 5,
                     "HUP logs what each zone saved")


def hostile_text(points):
    """Clients and forgers write into replies, if the line is believed."""
    path = workdir() / "hostile.json"
    with lone_rsyslogd(points, to_file(path) + BLOCKS, "hostile"):
        reject(1, '511 "},{\\ \x01\x7f\xc3\xb6\xff')
        points.until(lambda: len(events(path)) == 1, 5, "a reply full of quotes")
        reject(2, "511 " + "x" * 900)
        points.until(lambda: len(events(path)) == 2, 5, "and one that is too long")
        points.ok(len(events(path)[1]["reply"]) < 200, "is cut")


def list_states(points):
    """What was done with the address: reported as counted."""
    path = workdir() / "states.json"
    rules = to_file(path) + action(verify="none", terminate="off", list="later",
                                   eventRuleset="blocks")
    with network_and_lists(), lone_rsyslogd(points, rules, "states") as daemon:
        for _ in range(3):
            reject(1)
        points.until(lambda: len(events(path)) == 3, 5, "three lines of an address without a list")
        points.equal(daemon.counters("later").get("blocks"), None, "which cannot be blocked")
        kernel_list(4, "later").install()
        points.until(lambda: daemon.counters("later").get("blocks") == 1, 5, "until there is one")
        for number in (1, 2):
            reject(number)
        points.until(lambda: len(events(path)) == 5, 5, "then another line, and another address")
        points.equal([event["list_state"] for event in events(path)],
                     ["waiting"] * 3 + ["renewed", "added"], "are reported with what was done")


@contextlib.contextmanager
def listener():
    """A TCP socket that waits for one connection, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as collector:
        collector.settimeout(60)
        yield collector, collector.getsockname()[1]


@contextlib.contextmanager
def received(collector):
    """The lines of that connection."""
    with collector.accept()[0] as connection, connection.makefile() as lines:
        connection.settimeout(60)
        yield lines


def forwarded(points):
    with listener() as (collector, port):
        rules = ruleset(f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp")')
        with lone_rsyslogd(points, rules + BLOCKS, "forwarded"):
            reject(1)
            with received(collector) as lines:
                line = lines.readline()
    points.ok(re.match(r'<21>.* omsmtpblock: ?\{"event":"block"', line),
              "by omfwd, as mail.notice of omsmtpblock", line)


def counted(points):
    out = workdir() / "impstats"
    rules = 'module(load="mmjsonparse")\ndyn_stats(name="by_list")\n' \
        f'module(load="impstats" interval="1" log.syslog="off" log.file="{out}")\n' \
        + ruleset('action(type="mmjsonparse" cookie="")'
                  ' set $.list = $!list; set $.counted = dyn_inc("by_list", $.list);')
    with lone_rsyslogd(points, rules + BLOCKS, "counted"):
        for number in range(7):
            reject(number)
        points.until(lambda: out.exists() and "spammer=7" in out.read_text(), 10,
                     "a ruleset counts events")


def too_slow(points):
    """Its queue holds ten, and it takes one in a tenth of a second."""
    slow = 'queue.type="linkedList" queue.size="10" queue.timeoutEnqueue="300"' \
        ' queue.dequeueSlowdown="100000" queue.dequeueBatchSize="1"'
    rules = ruleset(f'action(type="omfile" file="{workdir() / "slow.json"}")', slow) \
        + action(maxBlocks=100000000, **ACTION)
    with lone_rsyslogd(points, rules, "slow") as daemon:
        for number in range(12000):
            reject(number)
        points.until(lambda: daemon.logged("some block events were lost"), 20,
                     "it is logged that events are lost")
        points.until(lambda: len(daemon.mail()) >= 12000, 20, "a wave goes on")
        points.equal(len(daemon.logged("some block events were lost")), 1, "it is logged once")
        points.until(lambda: daemon.counters().get("blocks") == 12000, 20,
                     "12000 blocks with a slow ruleset")
        found = daemon.counters()
        points.equal(found["events"] + found["events_lost"], 12000,
                     "each is reported or counted as lost")
        points.ok(found["events_lost"] > 0, "some were lost", found)
        points.equal(len([line for line in daemon.mail() if "511 Listed" in line]), 12000,
                     "the log is whole")
        seconds = daemon.stop()
        points.at_most(seconds, 2, "seconds to stop with the ruleset full")


def no_circles(points):
    inner = action("", verify="none", backend="null", list="inner").strip()
    with lone_rsyslogd(points, ruleset(inner) + BLOCKS, "circle") as daemon:
        reject(1)
        points.until(lambda: daemon.counters("inner").get("lines") == 1, 5,
                     "an event reaches an action in its own ruleset")
        points.ok(stays(lambda: daemon.counters("inner") == {"lines": 1}, 0.5),
                  "which does nothing with it")


def refused(points):
    daemon = Rsyslog(workdir(), action(eventRuleset="nowhere"), name="refused")
    status, output = daemon.validate()
    points.ok(status == 1 and 'there is no ruleset "nowhere"' in output, "a missing ruleset",
              output)
    daemon.rules = ruleset("stop", queue="") + action(eventRuleset="blocks")
    status, output = daemon.validate()
    points.ok(status == 0 and '"blocks" has no queue of its own' in output,
              "-N1 warns of a ruleset without a queue", output)


def replaced(text, *words):
    """The text with words replaced; each must occur in it."""
    for old, new in words:
        assert old in text, old
        text = text.replace(old, new)
    return text


def example(points):
    """rsyslog.d/omsmtpblock-events.conf as it stands."""
    path = workdir() / "example.json"
    text = replaced(EXAMPLE.read_text(), ("/var/log/omsmtpblock.json", str(path)))
    with lone_rsyslogd(points, text + BLOCKS, "example"):
        reject(1)
        points.until(lambda: path.exists() and path.read_text().endswith("\n"), 5,
                     "it writes a file")
        points.equal(json.loads(path.read_text())["address"], "10.9.4.2", "of JSON objects")


def whole_example(points):
    """With every line that is commented out uncommented, except prose."""
    path, counts = workdir() / "whole.json", workdir() / "whole.counters"
    text = re.sub(r"^#(?=module|dyn_stats|\t)", "", EXAMPLE.read_text(), flags=re.M)
    points.ok("\n#\t" not in text and "\n\taction(type=\"omfwd\"" in text
              and "\nmodule(load=\"impstats\"" in text, "all of it is accepted", text)
    with listener() as (collector, port):
        text = replaced(text, ("/var/log/omsmtpblock.json", str(path)),
                        ('target="logs.example" port="514"', f'target="127.0.0.1" port="{port}"'),
                        ("/var/log/omsmtpblock.counters", str(counts)),
                        ('interval="60"', 'interval="1"'))
        with mail_host(points, text + action(eventRuleset="blocks") + BLOCKS) as host:
            session, _ = host.open(listed(1))
            session.recipient(NOBODY)
            points.until(lambda: path.exists() and "bl.lab" in path.read_text(), 5,
                         "a listed client")
            for number in range(3):
                reject(number)
            with received(collector) as lines:
                points.equal([json.loads(lines.readline())["event"] for _ in range(5)],
                             ["block"] * 5, "it forwards JSON objects")
            points.until(lambda: len(path.read_text().splitlines()) == 5, 5, "and writes them")
            points.until(lambda: counts.exists() and all(
                             re.search(rf"blocks_by_zone: .*{zone}\b", counts.read_text())
                             for zone in (r"bl\.lab=1", "none=4")), 5,
                         "and counts them by zone, those without a zone too")
            points.ok(not host.rsyslog.logged("^err "), "without an error")


def stopped_in_a_wave(name, before="mail.err ", behind="", settings=""):
    """(lines handled, blocks reported and reported as lost, seconds to the end)."""
    path = workdir() / f"{name}.json"
    rules = to_file(path) + before + action("", maxBlocks=100000000, **ACTION) + behind
    daemon = Rsyslog(workdir(), rules, name=name, settings=settings).start()
    for number in range(WAVE):
        reject(number)
    seconds = daemon.stop()
    return (sum("511 Listed" in line for line in daemon.mail()), len(events(path)),
            not_submitted(daemon), seconds)


def in_a_wave(points):
    """The lines are in the main queue when rsyslogd stops. They leave it after the inputs
    and the thread that passes events on have ended."""
    for attempt, settings in enumerate(("", WORKERS) * 3):
        lines, reported, lost, seconds = stopped_in_a_wave(f"wave{attempt}", settings=settings)
        points.ok(lines > 0 and (reported, lost) == (lines, 0),
                  f"the block of each of {lines} lines is reported", reported, lost)
        points.at_most(seconds, 2, "seconds to stop")


def behind_another_queue(points):
    """Its threads end after those of eventRuleset: these events are lost."""
    lines, reported, lost, seconds = stopped_in_a_wave(
        "other", 'ruleset(name="other" queue.type="linkedList") { ',
        '}\nif prifilt("mail.err") then call other\n')
    # rsyslogd drops lines from a queue that does not get empty in time.
    points.ok(0 < reported + lost <= lines,
              f"of {lines} blocks {reported} are reported, and {lost} as lost")
    points.at_most(seconds, 3, "seconds to stop")


def scenario(points):
    points.parts((of_a_real_client, hostile_text, list_states, forwarded, counted, too_slow,
                  no_circles, refused, example, whole_example, in_a_wave, behind_another_queue))
