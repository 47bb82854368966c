# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""backend="nftables": the table that the module creates, and how it changes."""
# limit: 120

import json
import re

from lib import rsyslog
from lib.firewall import NftList, connects, drops
from lib.netns import run
from lib.rsyslog import action
from lib.scenario import Neighbour, listed, mail_host, reject_line
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


def restart(host, rules, prefix=()):
    """With an empty ruleset."""
    host.rsyslog.stop()
    run("nft", "flush", "ruleset")
    host.restart(rules, prefix=prefix)


def restart_alone(host, rules=None):
    """What is in the ruleset stays."""
    host.rsyslog.stop()
    host.rsyslog.rules = rules or host.rsyslog.rules
    host.rsyslog.start()


def log_rejects(*sources):
    for source in sources:
        rsyslog.log(reject_line(source))


def others():
    """The ruleset without the module's table, as nft's JSON, without counters."""
    found = json.loads(run("nft", "-s", "-j", "list", "ruleset"))["nftables"]
    ours = lambda item: item.get("family") == "inet" and "omsmtpblock" in (
        item.get("name"), item.get("table"))
    text = json.dumps([item for item in found if not any(ours(part) for part in item.values())])
    return re.sub(r'"expires": \d+', '"expires": 0', text)


def nothing_else_is_touched(points, host):
    """It is in front of a filter table that accepts; other tables stay unchanged."""
    host.rsyslog.stop()
    run("nft", "flush", "ruleset")
    run("nft", "-f", "-", input=OTHERS)
    before = others()
    host.rsyslog.start()
    points.equal(others(), before, "from the start")
    for family in (4, 6):
        host.block(listed(1, family))
    said = host.rsyslog.logged("omsmtpblock: (?!action)")
    restart_alone(host, nft_action(banTime=300, ports=[25, 587]))
    points.equal(others(), before, "with other parameters")
    run("nft", "delete", "table", "inet", "omsmtpblock")
    points.until(host.list4.rules, 6, "the table is created again")
    points.equal(others(), before, "and then too")
    points.equal(said + host.rsyslog.logged("omsmtpblock: (?!action)"), [], "nothing is logged")


TWO = (nft_action(list="one", list6="one6", verify="none", terminate="off",
                  banTime=60)
       + nft_action("mail.err", list="two", list6="two6", verify="none", terminate="off",
                    ipv4Prefix=24, ports=[25, 465]).replace('name="block"', 'name="other"'))


def two_actions(points, host):
    restart(host, TWO)
    one, two = NftList(4, "one"), NftList(4, "two")
    log_rejects("10.9.4.5")
    points.until(lambda: (one.addresses(), two.addresses()) == ({"10.9.4.5"}, {"10.9.4.0"}), 3,
                 "each has its list")
    points.equal([len(each.rules()) for each in (one, two, NftList(6, "one6"), NftList(6, "two6"))],
                 [1, 1, 1, 1], "one rule per list, in one table")
    points.ok(drops(one, host.network, "10.9.4.5"), "the first rule drops")
    points.ok(drops(two, host.network, "10.9.4.6"), "the second drops the prefix")
    points.ok(connects(host.network, "10.9.5.1"), "others get through")


def blocks_outlive_rsyslogd(points, host):
    restart(host, nft_action(verify="none", terminate="off"))
    log_rejects("10.9.4.1")
    host.blocks("10.9.4.1")
    handles = lambda: [rule["handle"] for rule in host.list4.rules() + host.list6.rules()]
    before, rules = host.list4.entries(), handles()
    host.rsyslog.stop()
    host.drops("10.9.4.1")
    host.rsyslog.start()
    points.equal(host.list4.addresses(), set(before), "the addresses are as before")
    points.equal(handles(), rules, "the rules are the same ones")
    with host.counted(rejects=1, triggers=1, renewals=1):
        log_rejects("10.9.4.1")
    run("nft", "flush", "ruleset")
    # Earlier blocks are put back after a flush, too.
    host.blocks("10.9.4.1", deadline=6)


def other_parameters(points, host):
    """Set and rule are replaced, the addresses keep the time they have left."""
    restart(host, nft_action(verify="none", terminate="off", banTime=100))
    sources = [f"10.9.4.{number}" for number in range(1, 40)]
    log_rejects(*sources)
    host.blocks(*sources)
    restart_alone(host, nft_action(verify="none", terminate="off", banTime=5000, listSize=2000))
    entries = host.list4.entries()
    points.ok(len(entries) == 39 and all(80 <= entry <= 100 for entry in entries.values()),
              "they keep their time", entries)
    log_rejects("10.9.4.50")
    points.until(lambda: 4900 < host.list4.left("10.9.4.50") <= 5000, 3,
                 "a new one has the new time", host.list4.entries)
    points.equal(len(host.list4.rules()), 1, "there is one rule")


def flushed_ruleset(points, host):
    """Without any line: noticed after 5 s, the blocks are back for the rest of their time."""
    restart(host, nft_action(verify="none", terminate="off", banTime=60))
    log_rejects("10.9.4.1", "10.9.4.2", "fd00:9::4:1")
    host.blocks("10.9.4.1", "10.9.4.2", "fd00:9::4:1")
    wait_for(lambda: host.list4.left("10.9.4.2") <= 58, 5, "time to pass")
    run("nft", "flush", "ruleset")
    points.until(lambda: host.is_blocked("10.9.4.1") and host.is_blocked("fd00:9::4:1"), 8,
                 "they are back after 5 s", exact=True)
    rest = host.list4.left("10.9.4.2")
    points.ok(48 <= rest <= 58, "for the time they had left", rest)
    host.drops("10.9.4.1")
    run("nft", "flush", "ruleset")
    log_rejects("10.9.4.3")
    points.until(lambda: {"10.9.4.1", "10.9.4.2", "10.9.4.3"} <= host.list4.addresses(), 3,
                 "the next line brings them back at once", host.list4.addresses, exact=True)
    run("nft", "flush", "chain", "inet", "omsmtpblock", "input")
    points.until(lambda: len(host.list4.rules()) == 1, 8, "lost rules are created again",
                 exact=True)
    run("nft", "delete", "element", "inet", "omsmtpblock", "spammer", "{ 10.9.4.2 }")
    points.ok(stays(lambda: not host.is_blocked("10.9.4.2"), 5.5),
              "an address that an admin removed stays removed")


def dropped_packet_renews(points, host):
    restart(host, nft_action(verify="none", terminate="off", banTime=60))
    log_rejects("10.9.4.1", "fd00:9::4:1")
    wait_for(lambda: 0 < host.list4.left("10.9.4.1") <= 58, 5, "time to pass")
    for source in ("10.9.4.1", "fd00:9::4:1"):
        host.drops(source)
        rest = host.list_for(source).left(source)
        points.ok(rest >= 59, f"{source} has all of its time again", rest)


def full_set(points, host):
    """smtpds are terminated; it is logged once and counted; a freed place is used."""
    restart(host, nft_action(listSize=3))
    with host.counted(triggers=6, blocks=4, overflows=3, ended=6, unblocked=1):
        for number in range(1, 7):
            _, child = host.rejects(listed(number))
            host.ends(child, deadline=3)
        points.equal(host.list4.addresses(), {listed(1), listed(2), listed(3)},
                     "the first three are in it")
        run("nft", "delete", "element", "inet", "omsmtpblock", "spammer", "{", listed(1), "}")
        host.blocks(listed(4), deadline=6)
    host.logs_once(r'omsmtpblock: the set spammer is full.*listSize="\d+"')


def no_rights(points, host):
    """Without CAP_NET_ADMIN: logged once, smtpds are terminated all the same."""
    restart(host, nft_action(), prefix=("setpriv", "--bounding-set=-net_admin"))
    neighbour = Neighbour(host)
    for number, family in ((1, 4), (2, 6), (3, 4)):
        _, child = host.rejects(listed(number, family))
        host.ends(child, deadline=3)
    host.logs_once(
        "omsmtpblock: no permission to change nftables.*CapabilityBoundingSet=CAP_NET_ADMIN")
    points.equal(host.list4.rules(), [], "there is no table")
    neighbour.sends_its_mail()
    points.equal(host.rsyslog.counters().get("waited"), 3, "the addresses are queued")


def dry_run(points, host):
    restart(host, nft_action(dryRun="on", verify="none"))
    log_rejects("10.9.4.1")
    points.until(lambda: host.rsyslog.logged("dryRun: would block 10.9.4.1"), 3, "it is logged")
    points.equal(run("nft", "list", "ruleset"), "", "nothing is created")


def scenario(points):
    with mail_host(points, nft_action(), delivery=True) as host:
        host.list4, host.list6 = NftList(4), NftList(6)
        host.parts(nothing_else_is_touched, two_actions, blocks_outlive_rsyslogd,
                   other_parameters, flushed_ruleset, dropped_packet_renews, full_set, no_rights,
                   dry_run)
