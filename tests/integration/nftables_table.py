#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""backend="nftables": the table that the module creates, and how it changes.

Nothing else in the ruleset is touched; two actions share the table; blocks survive
rsyslogd and a flushed ruleset with the time they have left; a dropped packet renews a
block; a full set and missing capabilities are logged once.
"""
# limit: 120

import json
import re

from lib import processes, rsyslog, tap
from lib.attack import Counted, counters, reject_line
from lib.firewall import NftList, connects, drops
from lib.netns import run
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import NOBODY, Neighbour, block, listed, mail_host
from lib.wait import stays, wait_for

OTHERS = """
table inet filter {
    set spammer { type ipv4_addr; flags timeout; elements = { 203.0.113.9 timeout 1h }; }
    chain input { type filter hook input priority 0; policy accept;
        ct state established,related counter accept
        tcp dport 25 counter accept
    }
}
table ip omsmtpblock {
    chain input { tcp dport 26 drop
    }
}
"""


def nft_action(selector="mail.err", **parameters):
    return action(selector, backend="nftables", **parameters)


def restart(host, rules, prefix=(), empty=True):
    if processes.alive(host.rsyslog.pid):
        host.rsyslog.stop()
    if empty:
        run("nft", "flush", "ruleset")
    host.rsyslog.own_log.unlink(missing_ok=True)
    (host.rsyslog.workdir / "stderr").unlink(missing_ok=True)
    host.rsyslog.rules = rules
    host.rsyslog.start(prefix=prefix)


def log_reject(source):
    rsyslog.log(reject_line(source))


def others():
    """The ruleset without the module's table, as nft's JSON, without counters."""
    found = json.loads(run("nft", "-s", "-j", "list", "ruleset"))["nftables"]
    ours = lambda item: item.get("family") == "inet" and "omsmtpblock" in (
        item.get("name"), item.get("table"))
    text = json.dumps([item for item in found if not any(ours(part) for part in item.values())])
    return re.sub(r'"expires": \d+', '"expires": 0', text)


def left(entries, source):
    return entries.get(source, 0)


def nothing_else_is_touched(points, host):
    """It is in front of a filter table that accepts; other tables stay unchanged."""
    host.rsyslog.stop()
    run("nft", "flush", "ruleset")
    run("nft", "-f", "-", input=OTHERS)
    before = others()
    host.rsyslog.start()
    points.equal(others(), before, "other tables stay unchanged from the start")
    for family in (4, 6):
        block(points, host, listed(1, family), f"before a table that accepts, IPv{family}")
    restart(host, nft_action(banTime=300, ports=[25, 587]), empty=False)
    points.equal(others(), before, "and with other parameters")
    run("nft", "delete", "table", "inet", "omsmtpblock")
    points.until(lambda: host.list4.rules(), 6, "the table is created again")
    points.equal(others(), before, "and then too")
    points.equal(host.rsyslog.logged("omsmtpblock: (?!action)"), [], "nothing is logged")


TWO = (nft_action(list="one", list6="one6", verify="none", terminate="off",
                  banTime=60)
       + nft_action("mail.err", list="two", list6="two6", verify="none", terminate="off",
                    ipv4Prefix=24, ports=[25, 465]).replace('name="block"', 'name="other"'))


def two_actions(points, host):
    restart(host, TWO)
    one, two = NftList(4, "one"), NftList(4, "two")
    log_reject("10.9.4.5")
    points.until(lambda: (one.addresses(), two.addresses()) == ({"10.9.4.5"}, {"10.9.4.0"}), 3,
                 "two actions: each has its list", host.rsyslog.own)
    points.equal([len(each.rules()) for each in (one, two, NftList(6, "one6"), NftList(6, "two6"))],
                 [1, 1, 1, 1], "two actions: one rule per list, in one table")
    points.ok(drops(one, host.network, "10.9.4.5"), "two actions: the first rule drops")
    points.ok(drops(two, host.network, "10.9.4.6"), "two actions: the second drops the prefix")
    points.ok(connects(host.network, "10.9.5.1"), "two actions: others get through")


def blocks_outlive_rsyslogd(points, host):
    restart(host, nft_action(verify="none", terminate="off"))
    log_reject("10.9.4.1")
    points.until(lambda: host.is_blocked("10.9.4.1"), 3, "restart: blocked before")
    handles = lambda: [rule["handle"] for rule in host.list4.rules() + host.list6.rules()]
    before, rules = host.list4.entries(), handles()
    host.rsyslog.stop()
    points.ok(drops(host.list4, host.network, "10.9.4.1"),
              "restart: dropped while rsyslogd is stopped")
    host.rsyslog.start()
    points.equal(host.list4.addresses(), set(before), "restart: the addresses are as before")
    points.equal(handles(), rules, "restart: the rules are the same ones")
    with Counted(points, host, "restart", rejects=1, triggers=1, renewals=1):
        log_reject("10.9.4.1")
    run("nft", "flush", "ruleset")
    points.until(lambda: host.is_blocked("10.9.4.1"), 6,
                 "restart: earlier blocks are put back after a flush, too")


def other_parameters(points, host):
    """Set and rule are replaced, the addresses keep the time they have left."""
    restart(host, nft_action(verify="none", terminate="off", banTime=100))
    for number in range(1, 40):
        log_reject(f"10.9.4.{number}")
    points.until(lambda: len(host.list4.addresses()) == 39, 3, "parameters: 39 are blocked")
    restart(host, nft_action(verify="none", terminate="off", banTime=5000, listSize=2000),
            empty=False)
    entries = host.list4.entries()
    points.ok(len(entries) == 39 and all(80 <= entry <= 100 for entry in entries.values()),
              "parameters: they keep their time", entries)
    log_reject("10.9.4.50")
    points.until(lambda: 4900 < left(host.list4.entries(), "10.9.4.50") <= 5000, 3,
                 "parameters: a new one has the new time", host.list4.entries)
    points.equal(len(host.list4.rules()), 1, "parameters: there is one rule")


def flushed_ruleset(points, host):
    """Without any line: noticed after 5 s, the blocks are back for the rest of their time."""
    restart(host, nft_action(verify="none", terminate="off", banTime=60))
    for source in ("10.9.4.1", "10.9.4.2", "fd00:9::4:1"):
        log_reject(source)
        points.until(lambda: host.is_blocked(source), 3, f"flush: {source} is blocked")
    wait_for(lambda: left(host.list4.entries(), "10.9.4.2") <= 58, 5, "time to pass")
    run("nft", "flush", "ruleset")
    points.until(lambda: host.is_blocked("10.9.4.1") and host.is_blocked("fd00:9::4:1"), 8,
                 "flush: they are back after 5 s", host.rsyslog.own, exact=True)
    rest = left(host.list4.entries(), "10.9.4.2")
    points.ok(48 <= rest <= 58, "flush: for the time they had left", rest)
    points.ok(drops(host.list4, host.network, "10.9.4.1"), "flush: and are dropped")
    run("nft", "flush", "ruleset")
    log_reject("10.9.4.3")
    points.until(lambda: {"10.9.4.1", "10.9.4.2", "10.9.4.3"} <= host.list4.addresses(), 3,
                 "flush: the next line brings them back at once", host.list4.addresses, exact=True)
    run("nft", "flush", "chain", "inet", "omsmtpblock", "input")
    points.until(lambda: len(host.list4.rules()) == 1, 8, "lost rules are created again",
                 exact=True)
    run("nft", "delete", "element", "inet", "omsmtpblock", "spammer", "{ 10.9.4.2 }")
    points.ok(stays(lambda: not host.is_blocked("10.9.4.2"), 5.5),
              "an address that an admin removed stays removed")


def dropped_packet_renews(points, host):
    restart(host, nft_action(verify="none", terminate="off", banTime=60))
    log_reject("10.9.4.1")
    log_reject("fd00:9::4:1")
    wait_for(lambda: 0 < left(host.list4.entries(), "10.9.4.1") <= 58, 5, "time to pass")
    for source in ("10.9.4.1", "fd00:9::4:1"):
        points.ok(drops(host.list_for(source), host.network, source), f"renewal: {source} drops")
        rest = left(host.list_for(source).entries(), source)
        points.ok(rest >= 59, f"renewal: {source} has all of its time again", rest)


def full_set(points, host):
    """smtpds are terminated; it is logged once and counted; a freed place is used."""
    restart(host, nft_action(listSize=3))
    said = lambda: host.rsyslog.logged(r'omsmtpblock: the set spammer is full.*listSize="\d+"')
    with Counted(points, host, "full set", triggers=6, blocks=4, overflows=3, ended=6):
        for number in range(1, 7):
            session, child = host.open(listed(number))
            with session:
                points.equal(session.recipient(NOBODY).code, 511, f"full set, {number}: rejected")
                points.until(lambda: processes.gone(child.pid), 3,
                             f"full set, {number}: terminated")
        points.equal(host.list4.addresses(), {listed(1), listed(2), listed(3)},
                     "full set: the first three are in it")
        points.until(said, 3, "full set: it is logged, with the remedy", host.rsyslog.own)
        run("nft", "delete", "element", "inet", "omsmtpblock", "spammer", "{", listed(1), "}")
        points.until(lambda: host.is_blocked(listed(4)), 6, "full set: a free place is used")
    points.equal(len(said()), 1, "full set: it is logged once")


def no_rights(points, host):
    """Without CAP_NET_ADMIN: logged once, smtpds are terminated all the same."""
    restart(host, nft_action(), prefix=("setpriv", "--bounding-set=-net_admin"))
    neighbour = Neighbour(host)
    for number, family in ((1, 4), (2, 6), (3, 4)):
        source = listed(number, family)
        session, child = host.open(source)
        with session:
            points.equal(session.recipient(NOBODY).code, 511, f"no rights, {source}: rejected")
            points.until(lambda: processes.gone(child.pid), 3, f"no rights, {source}: terminated")
    said = lambda: host.rsyslog.logged(
        r"omsmtpblock: no permission to change nftables.*CapabilityBoundingSet=CAP_NET_ADMIN")
    points.until(said, 3, "no rights: it is logged", host.rsyslog.own)
    points.equal(len(said()), 1, "no rights: once")
    points.equal(host.list4.rules(), [], "no rights: there is no table")
    neighbour.sends_his_mail(points, "no rights")
    points.equal(counters(host.rsyslog).get("waited"), 3, "no rights: the addresses are queued")


def dry_run(points, host):
    host.rsyslog.stop()
    run("nft", "flush", "ruleset")
    host.rsyslog.rules = nft_action(dryRun="on", verify="none")
    host.rsyslog.start()
    log_reject("10.9.4.1")
    points.until(lambda: host.rsyslog.logged("dryRun: would block 10.9.4.1"), 3,
                 "dryRun: it is logged")
    points.equal(run("nft", "list", "ruleset"), "", "dryRun: nothing is created")


def scenario(points):
    with mail_host(nft_action(), imuxsock=CREDENTIALS, delivery=True) as host:
        host.list4, host.list6 = NftList(4), NftList(6)
        for check in (nothing_else_is_touched, two_actions, blocks_outlive_rsyslogd,
                      other_parameters, flushed_ruleset, dropped_packet_renews, full_set, no_rights,
                      dry_run):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
