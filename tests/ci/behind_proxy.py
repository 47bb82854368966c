# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Courier behind a real HAProxy, with the manual's example "To a proxy" on both hosts.

One couriertcpd listens on two ports: clients come to one directly, to the other through the
proxy, which is another host (the network's "world") with an rsyslogd of its own. For courier
1.3 and later; tests/ci/walk calls check() on Debian 13.
"""

import contextlib
import os
import re
import subprocess

import manual_examples
from lib.eventlog import events, to_file
from lib.firewall import NftList, drops
from lib.netns import Network
from lib.rsyslog import Rsyslog, action, validate
from lib.scenario import listed, mail_host, ordinary
from lib.wait import wait_for

# The port for the proxy, and the option that says so.
PORT, OPTION = 2525, "-haproxy=15/port=2525"

CONFIG = f"""
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend smtp
    bind {Network.WORLD4}:25
    default_backend courier
backend courier
    server mx {Network.MX4}:{PORT} send-proxy
"""


@contextlib.contextmanager
def haproxy(network, directory):
    """On the proxy's host."""
    config = directory / "haproxy.cfg"
    config.write_text(CONFIG)
    with network.world.entered():
        process = subprocess.Popen(["haproxy", "-db", "-f", str(config)])
    try:
        wait_for(lambda: re.search(r":25\s", network.world.run("ss", "-Hltn")), 10,
                 "HAProxy to listen")
        yield
    finally:
        process.kill()
        process.wait()


class ThroughProxy:
    """A session uses it like a Network."""

    def __init__(self, network):
        self.socket = network.socket

    @staticmethod
    def mx_for(_):
        return Network.WORLD4


def example(number, *changes):
    """The manual's configuration of courier's host, or of the proxy's, in this network."""
    texts = [text for title, text in manual_examples.examples() if title == "To a proxy"]
    text = re.sub(r'^module\(load="omsmtpblock".*\)\n', "", texts[number], flags=re.M)
    for old, new in (("192.0.2.25", Network.WORLD4), ('"192.0.2.1"', f'"{Network.MX4}"'),
                     *changes):
        assert old in text or "192.0.2" in old, old
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def proxys_rsyslogd(network, directory):
    daemon = Rsyslog(directory, example(1), name="proxy", socket_path=directory / "proxy.log",
                     imuxsock="")
    with network.world.entered():
        daemon.start()
    try:
        yield
    finally:
        daemon.stop()


def through_the_proxy(points, host, path):
    through = ThroughProxy(host.network)
    session, child = host.rejects(listed(1), network=through)
    host.ends(child)
    points.equal(session.ended(), "end", "the connection ends after the reply")
    host.frees_slot(listed(1))
    points.until(lambda: events(path), 5, "its address is reported")
    event = events(path)[0]
    points.ok(event.items() >= {"event": "proxy", "address": listed(1), "list_state": None,
                                "zone": "bl.lab", "port": session.source_port, "pid": child.pid,
                                "child": "end"}.items(), "for the proxy", event)
    points.equal(host.blocked(), set(), "neither it nor the proxy is on the list")
    theirs = NftList(4)
    with host.network.world.entered():
        points.until(lambda: listed(1) in theirs.addresses(), 5, "the proxy's host blocks it")
        points.ok(drops(theirs, through, listed(1)), "and drops its packets")
    session, child = host.open(ordinary(1), network=through)
    host.serves(session, child)


def directly(points, host, path):
    """A client cannot claim to be behind the proxy."""
    session, child = host.open(listed(2))
    points.equal(session.command(f"PROXY TCP4 {ordinary(2)} {Network.MX4} 1 25").code, 502,
                 "the port for direct clients does not know the protocol")
    points.equal(session.recipient("nosuch@mx.lab").code, 511, "its 511")
    host.blocks(listed(2))
    host.ends(child)
    host.drops(listed(2))
    points.equal(host.blocked(), {listed(2)}, "and nobody else")
    points.until(lambda: len(events(path)) == 2, 5, "it is reported")
    points.equal(events(path)[1]["event"], "block", "as a block")


def shown(points, host, path):
    """What the admin sees."""
    host.logs_once(r"through a proxy \(-haproxy\)")
    status, output = validate(host.rsyslog.config)
    points.ok(status == 0 and "through a proxy (-haproxy)" in output, "-N1 warns", output)
    for words, pattern in ((("check",), r"^ok +courier.proxy .*left to it, blocks can tell it"),
                           (("status",), rf"^slots of port 25,{PORT}, partly behind a proxy "),
                           (("why", listed(1)), r"^ +action .* left to the proxy")):
        done = host.ctl(*words)
        points.ok(re.search(pattern, done.out, re.M), f"smtpblockctl {words[0]}", done)


def at_the_connection(points, host, path):
    """The reply is ours, and goes through the proxy too."""
    host.restart(action("mail.info", trigger="connect"))
    session = host.session(listed(3), network=ThroughProxy(host.network))
    points.equal(session.ended(), "end", "the connection ends")
    points.ok(session.saw(554), "after a 554", session.replies)
    points.equal(host.blocked(), set(), "nobody is on the list")
    points.equal(host.rsyslog.counters().get("proxied"), 1, "it is counted")


def check(points, directory):
    os.environ["SCENARIO_DIR"] = str(directory)
    path = directory / "events.json"
    rules = to_file(path).split("ruleset", 1)[0] + example(
        0, ('action(type="mmjsonparse"', f'action(type="omfile" file="{path}" template="event")\n'
            '       action(type="mmjsonparse"'))
    variables = {"PORT": f"25,{PORT}",
                 "TCPDOPTS": f"-stderrlogger=/usr/sbin/courierlogger {OPTION}"}
    with mail_host(points, rules, variables=variables) as host, \
            haproxy(host.network, directory), proxys_rsyslogd(host.network, directory):
        for part in (through_the_proxy, directly, shown, at_the_connection):
            with host.part(part.__name__.replace("_", " ")):
                part(points, host, path)
