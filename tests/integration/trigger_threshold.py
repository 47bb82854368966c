#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Side by side in one rsyslogd: auth, relay and protocol with thresholds, and dnsbl.

Each action has its own list. Two failures do nothing, the third blocks; each trigger
counts separately; a threshold with ipv4Prefix counts the whole prefix.
"""
# backends: both

import contextlib

from lib import processes, tap
from lib.attack import Counted, counters, harmless
from lib.firewall import drops, kernel_list
from lib.rsyslog import action
from lib.scenario import NOBODY, USER, listed, mail_host

RULES = "".join((
    action("mail.info", trigger="auth", threshold=3, list="auth4", list6="auth6"),
    action("mail.err", trigger="relay", threshold=3, window=60, list="relay4", list6="relay6"),
    action("mail.info", trigger="protocol", threshold=3, list="protocol4", list6="protocol6"),
    action("mail.err", trigger="relay", threshold=4, ipv4Prefix=24, list="net4", list6="net6",
           terminate="off"),
    action("mail.err"))).replace('name="block"', "")

LISTS = ("auth4", "relay4", "protocol4", "net4")


def fails_to_log_in(session):
    return session.login(USER, "wrong").code


def wants_relay(session):
    return session.recipient("somebody@elsewhere.example").code


def speaks_nonsense(session):
    return session.command("GET / HTTP/1.1").code


def failure(points, host, source, label, act, code):
    """One session with one failure, which stays open: (session, smtpd)."""
    session, child = host.open(source)
    points.equal(act(session), code, f"{label}: {code}")
    return session, child


def third_blocks(points, host, lists, trigger, act, code, first):
    """Two of one address; one of another, which is not affected; then the third."""
    source, other, name = f"10.9.{first}.1", f"10.9.{first + 1}.1", f"{trigger}4"
    recent = lists[name]
    with contextlib.ExitStack() as stack:
        with harmless(points, host, f"{trigger}: two, and one of another address", name=name,
                      triggers=3,
                      below_threshold=3):
            children = []
            for address in (source, source, other):
                session, child = failure(points, host, address, trigger, act, code)
                stack.enter_context(session)
                children.append(child)
        points.ok(not recent.addresses() and all(processes.alive(child.pid) for child in children),
                  f"{trigger}: nothing is done", recent.addresses())
        with Counted(points, host, f"{trigger}: the third", name, triggers=1, blocks=1, ended=1):
            session, child = failure(points, host, source, trigger, act, code)
            stack.enter_context(session)
            points.until(lambda: recent.addresses() == {source}, 3, f"{trigger}: the third blocks",
                         recent.addresses, host.rsyslog.own)
            points.until(lambda: processes.gone(child.pid), 3, f"{trigger}: that smtpd is gone")
        points.ok(processes.alive(children[2].pid), f"{trigger}: the other address' smtpd lives")
        points.ok(drops(recent, host.network, source), f"{trigger}: the next packet is dropped")
        points.ok(not host.list4.addresses(), f"{trigger}: not on dnsbl's list")


def per_prefix(points, host, lists):
    """Four addresses of one /24, one failure each, in the order of a botnet."""
    recent = lists["net4"]
    recent.flush()
    before = lists["relay4"].addresses()
    with contextlib.ExitStack() as stack, \
            Counted(points, host, "per prefix", "net4", triggers=4, below_threshold=3, blocks=1):
        for number in (1, 2, 3, 4):
            session, _ = failure(points, host, f"10.9.7.{number}", "per prefix", wants_relay, 513)
            stack.enter_context(session)
        points.until(lambda: recent.addresses() == {"10.9.7.0"}, 3,
                     "per prefix: the masked prefix is on the list", recent.addresses)
        points.equal(lists["relay4"].addresses(), before, "per prefix: no single address is")
        points.ok(drops(recent, host.network, "10.9.7.200"),
                  "per prefix: a packet of a neighbour is dropped")


def still_dnsbl(points, host, lists):
    """The default action beside them works, and no other action reacts."""
    session, child = host.open(listed(1))
    with session, Counted(points, host, "dnsbl beside them", triggers=1, blocks=1, ended=1):
        points.equal(session.recipient(NOBODY).code, 511, "dnsbl beside them: rejected")
        points.until(lambda: host.is_blocked(listed(1)) and processes.gone(child.pid), 3,
                     "dnsbl beside them: blocked and terminated")
    points.ok(not any(listed(1) in recent.addresses() for recent in lists.values()),
              "dnsbl beside them: on no other list")


def scenario(points):
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(mail_host(RULES))
        lists = {name: stack.enter_context(
            kernel_list(4, name, mask="255.255.255.0" if name == "net4" else None))
                 for name in LISTS}
        for name in LISTS:
            stack.enter_context(kernel_list(6, name.replace("4", "6")))
        # The lists of these actions were missing at their start.
        counters(host.rsyslog)
        for trigger, act, code, first in (("auth", fails_to_log_in, 535, 11),
                                          ("relay", wants_relay, 513, 21),
                                          ("protocol", speaks_nonsense, 502, 31)):
            with tap.part(points, trigger):
                third_blocks(points, host, lists, trigger, act, code, first)
        for check in (per_prefix, still_dnsbl):
            with tap.part(points, check.__name__):
                check(points, host, lists)


if __name__ == "__main__":
    tap.main(scenario)
