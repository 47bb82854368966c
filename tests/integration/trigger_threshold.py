# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Side by side in one rsyslogd: auth, relay and protocol with thresholds, and dnsbl.

Each trigger counts separately, on its own list; with ipv4Prefix it counts the whole prefix.
"""
# backends: both

import contextlib

from lib import processes
from lib.firewall import drops, kernel_list
from lib.rsyslog import action
from lib.scenario import USER, listed, mail_host

RULES = "".join((
    action("mail.info", trigger="auth", threshold=3, list="auth4", list6="auth6"),
    action("mail.err", trigger="relay", threshold=3, window=60, list="relay4", list6="relay6"),
    action("mail.info", trigger="protocol", threshold=3, list="protocol4", list6="protocol6"),
    action("mail.err", trigger="relay", threshold=4, ipv4Prefix=24, list="net4", list6="net6",
           terminate="off"),
    action("mail.err"))).replace('name="block"', "")

LISTS = ("auth4", "relay4", "protocol4", "net4")

# Each trigger's failure: what the client does, and the reply.
FAILURES = {
    "auth": (lambda session: session.login(USER, "wrong"), 535),
    "relay": (lambda session: session.recipient("somebody@elsewhere.example"), 513),
    "protocol": (lambda session: session.command("GET / HTTP/1.1"), 502),
}


def fails(host, source, trigger):
    """One session with one failure, which stays open. Returns its smtpd."""
    session, child = host.open(source)
    act, code = FAILURES[trigger]
    host.points.equal(act(session).code, code, f"{source} gets {code}")
    return child


def third_blocks(points, host, recent, trigger, first):
    """Two of one address; one of another, which is not affected; then the third."""
    source, other, name = f"10.9.{first}.1", f"10.9.{first + 1}.1", recent.name
    with host.harmless("two, and one of another address", name=name, triggers=3, below_threshold=3):
        children = [fails(host, address, trigger) for address in (source, source, other)]
    points.ok(not recent.addresses() and all(processes.alive(child.pid) for child in children),
              "nothing is done", recent.addresses())
    with host.counted("the third", name=name, triggers=1, blocks=1, ended=1):
        child = fails(host, source, trigger)
        points.until(lambda: recent.addresses() == {source}, 3, "it blocks", recent.addresses)
        host.ends(child, deadline=3)
    points.ok(processes.alive(children[2].pid), "the other address' smtpd lives")
    points.ok(drops(recent, host.network, source), "the next packet is dropped")
    points.ok(not host.list4.addresses(), "not on dnsbl's list")


def per_prefix(points, host, lists):
    """Four addresses of one /24, one failure each, in the order of a botnet."""
    recent = lists["net4"]
    recent.flush()
    before = lists["relay4"].addresses()
    with host.counted(name="net4", triggers=4, below_threshold=3, blocks=1):
        for number in (1, 2, 3, 4):
            fails(host, f"10.9.7.{number}", "relay")
        points.until(lambda: recent.addresses() == {"10.9.7.0"}, 3,
                     "the masked prefix is on the list", recent.addresses)
        points.equal(lists["relay4"].addresses(), before, "no single address is")
        points.ok(drops(recent, host.network, "10.9.7.200"), "a packet of a neighbour is dropped")


def dnsbl_beside_them(points, host, lists):
    """The default action beside them works, and no other action reacts."""
    with host.counted(triggers=1, blocks=1, ended=1):
        _, child = host.rejects(listed(1))
        host.blocks(listed(1))
        host.ends(child)
    points.ok(not any(listed(1) in recent.addresses() for recent in lists.values()),
              "on no other list")


def scenario(points):
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(mail_host(points, RULES))
        lists = {name: stack.enter_context(
            kernel_list(4, name, mask="255.255.255.0" if name == "net4" else None))
                 for name in LISTS}
        for name in LISTS:
            stack.enter_context(kernel_list(6, name.replace("4", "6")))
        # The lists of these actions were missing at their start.
        host.rsyslog.counters()
        for first, trigger in enumerate(FAILURES, 1):
            with host.part(trigger):
                third_blocks(points, host, lists[f"{trigger}4"], trigger, 10 * first + 1)
        for check in (per_prefix, dnsbl_beside_them):
            with host.part(check.__name__):
                check(points, host, lists)
