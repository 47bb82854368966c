#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""smtpblockctl why on a real mail host: the line of courier for which an address is
blocked, in both families; the module's event, which no local user can forge; the command
it prints lifts the block; and addresses that are not blocked."""

# backends: both

import json
import shlex

from lib import tap
from lib.ctl import ctl
from lib.eventlog import ruleset
from lib.rsyslog import action, log
from lib.scenario import NOBODY, listed, mail_host, ordinary, workdir


def log_file():
    """As distributions have it, beside the log in the tests' own form."""
    return workdir() / "mail.err"


def events_file():
    return workdir() / "blocks.json"


def rules():
    """Events as rsyslog.d/omsmtpblock-events.conf has them."""
    return 'template(name="block" type="string" string="%msg%\\n")\n' \
        + ruleset(f'action(type="omfile" file="{events_file()}" template="block")') \
        + action(allow=ordinary(7), eventRuleset="blocks") + \
        f'mail.err action(type="omfile" file="{log_file()}" ' \
        'template="RSYSLOG_TraditionalFileFormat")\n'


def why(host, address):
    """(status, its findings, the whole result)"""
    result = ctl("--json", "why", address, config=host.rsyslog.config)
    return result.status, result.json() if result.out else {}, result


def finds_event(points, host, source, session, child):
    """The event, and the line of the same client's connection beside it."""
    points.until(lambda: events_file().exists() and source in events_file().read_text(), 5,
                 f"{source}: the module reports the block", host.rsyslog.own)
    _, found, result = why(host, source)
    event = found["event"] or {}
    lines = events_file().read_text().splitlines()
    written = json.loads(lines[event.get("number", 1) - 1])
    points.equal((event.get("log"), event.get("address"), event.get("port"), event.get("pid")),
                 (str(events_file()), source, session.source_port, child.pid),
                 f"{source}: why finds the event") or points.note(result)
    for name in ("trigger", "reply", "zone", "list", "seconds", "child"):
        points.equal(event.get(name), written[name], f"{source}: its {name}")
    log(f"error,relay={source},port={session.source_port + 1},from=<a@b>,to=<c@d>: 511 Forged")
    log(f"error,relay={source},port={session.source_port + 1},from=<a@b>,to=<c@d>: 511 More")
    points.until(lambda: "511 More" in log_file().read_text(), 3, f"{source}: lines are forged")
    line = why(host, source)[1]["line"] or {}
    points.ok(f"port={session.source_port}," in line.get("text", ""),
              f"{source}: forged lines do not count", line)
    text = ctl("why", source, config=host.rsyslog.config).out
    points.ok(event["zone"] in text and event["reply"] in text and "Forged" not in text,
              f"{source}: in text", text)


def blocked(points, host, family):
    source = listed(1, family)
    session, child = host.open(source)
    with session:
        points.equal(session.recipient(NOBODY).code, 511, f"IPv{family}: rejected")
        points.until(lambda: host.is_blocked(source), 3, f"IPv{family}: on the list")
    status, found, result = why(host, source)
    points.equal((status, found.get("blocked"), found.get("address")), (0, True, source),
                 f"IPv{family}: why says blocked, status 0") or points.note(result)
    block = found["blocks"][0]
    points.ok(0 < block["left_s"] <= 600 and block["list"] == host.list_for(source).name,
              f"IPv{family}: on which list, and for how long", block)
    line = found["line"] or {}
    lines = log_file().read_text(errors="replace").splitlines()
    points.ok(line.get("log") == str(log_file())
              and lines[line["number"] - 1] == line["text"] and source in line["text"]
              and "511" in line["text"], f"IPv{family}: for which line", line, found)
    text = ctl("why", source, config=host.rsyslog.config)
    points.ok(f"{source} is blocked." in text.out and line["text"] in text.out,
              f"IPv{family}: in text", text)
    finds_event(points, host, source, session, child)
    return found["lift"]


def lifted(points, host, family, lift):
    source = listed(1, family)
    words = shlex.split(lift)
    points.equal(words[0], "smtpblockctl", f"IPv{family}: the command that lifts it is printed")
    points.equal(ctl(*words[1:], config=host.rsyslog.config).status, 0,
                 f"IPv{family}: the command works")
    points.ok(not host.is_blocked(source), f"IPv{family}: off the list")
    status, found, result = why(host, source)
    points.equal((status, found.get("blocked")), (1, False),
                 f"IPv{family}: why says not blocked, status 1") or points.note(result)


def forged(points, host):
    """Blocked by hand; another client wrote the address into its own log line."""
    source, other = listed(9), ordinary(9)
    log(f"error,relay=::ffff:{other},port=1,from=<relay={source},port=2>,to=<a@b.example>: "
        f"511 relay={source},port=2")
    points.until(lambda: f"from=<relay={source}" in log_file().read_text(), 3,
                 "a line in which a client names another address is logged")
    host.list4.add(source)
    host.list4.add(other)
    status, found, result = why(host, source)
    points.equal((status, found.get("blocked"), found.get("line")), (0, True, None),
                 "the client's text is not taken for the reason") or points.note(result)
    points.ok(f"relay=::ffff:{other}," in why(host, other)[1]["line"]["text"],
              "it is the other client's reason")


def scenario(points):
    with mail_host(rules()) as host:
        for family in (4, 6):
            with tap.part(points, f"IPv{family}"):
                lifted(points, host, family, blocked(points, host, family))
        with tap.part(points, "forged"):
            forged(points, host)
        with tap.part(points, "spared"):
            status, found, _ = why(host, ordinary(7))
            points.equal((status, found["spared"]), (1, "on the allow list"),
                         "an allowed address never would be blocked")
            own = host.network.mx_for(listed(1))
            points.equal(why(host, own)[1]["spared"], "an address of this host or its gateway",
                         "nor would the host's own address")
            points.equal(why(host, ordinary(8))[1]["spared"], None, "others would")


tap.main(scenario)
