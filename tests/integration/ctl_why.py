# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""smtpblockctl why on a real mail host: the line of courier for which an address is
blocked, in both families; the module's event, which no local user can forge; the command
it prints lifts the block; and addresses that are not blocked."""

# backends: both

import json
import shlex

from lib.eventlog import ruleset
from lib.rsyslog import action, log
from lib.scenario import listed, mail_host, ordinary, reject_line, workdir


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
    result = host.ctl("--json", "why", address)
    return result.status, result.json() if result.out else {}, result


def finds_event(points, host, source, session, child):
    """The event, and the line of the same client's connection beside it."""
    points.until(lambda: events_file().exists() and source in events_file().read_text(), 5,
                 "the module reports the block")
    _, found, result = why(host, source)
    event = found["event"] or {}
    lines = events_file().read_text().splitlines()
    written = json.loads(lines[event.get("number", 1) - 1])
    points.equal((event.get("log"), event.get("address"), event.get("port"), event.get("pid")),
                 (str(events_file()), source, session.source_port, child.pid),
                 "why finds the event", result)
    for name in ("trigger", "reply", "zone", "list", "seconds", "child"):
        points.equal(event.get(name), written[name], f"its {name}")
    for reply in ("511 Forged", "511 More"):
        log(reject_line(source, session.source_port + 1, reply))
    points.until(lambda: "511 More" in log_file().read_text(), 3, "lines are forged")
    line = why(host, source)[1]["line"] or {}
    points.ok(f"port={session.source_port}," in line.get("text", ""), "forged lines do not count",
              line)
    text = host.ctl("why", source).out
    points.ok(event["zone"] in text and event["reply"] in text and "Forged" not in text,
              "in text", text)


def blocked(points, host, source):
    """Returns the command that lifts the block."""
    session, child = host.rejects(source)
    host.blocks(source)
    status, found, result = why(host, source)
    points.equal((status, found.get("blocked"), found.get("address")), (0, True, source),
                 "why says blocked, status 0", result)
    block = found["blocks"][0]
    points.ok(0 < block["left_s"] <= 600 and block["list"] == host.list_for(source).name,
              "on which list, and for how long", block)
    line = found["line"] or {}
    lines = log_file().read_text(errors="replace").splitlines()
    points.ok(line.get("log") == str(log_file())
              and lines[line["number"] - 1] == line["text"] and source in line["text"]
              and "511" in line["text"], "for which line", line, found)
    text = host.ctl("why", source)
    points.ok(f"{source} is blocked." in text.out and line["text"] in text.out, "in text", text)
    finds_event(points, host, source, session, child)
    return found["lift"]


def lifted(points, host, source, lift):
    words = shlex.split(lift)
    points.equal((words[0], host.ctl(*words[1:]).status), ("smtpblockctl", 0),
                 "the printed command works")
    points.ok(not host.is_blocked(source), "off the list")
    status, found, result = why(host, source)
    points.equal((status, found.get("blocked")), (1, False), "why says not blocked, status 1",
                 result)


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
                 "the client's text is not taken for the reason", result)
    points.ok(f"relay=::ffff:{other}," in why(host, other)[1]["line"]["text"],
              "it is the other client's reason")


def spared(points, host):
    for address, reason in ((ordinary(7), "on the allow list"), (ordinary(8), None),
                            (host.network.mx_for(listed(1)),
                             "an address of this host or its gateway")):
        status, found, _ = why(host, address)
        points.equal((status, found["spared"]), (1, reason), f"{address}: {reason}")


def scenario(points):
    with mail_host(points, rules()) as host:
        for family in (4, 6):
            with host.part(f"IPv{family}"):
                source = listed(1, family)
                lifted(points, host, source, blocked(points, host, source))
        host.parts(forged, spared)
