# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""An upgrade from 0.1.0 with nothing changed: what was blocked then is blocked now.

The configurations and rules are quoted from README and the manual of 0.1.0, and the rules of 2009
from the script of that year: they must not follow later versions. NEWS has each default that
changed since. The log names the new defaults once after each start, when the first of them takes
effect, and not if the action has them.
"""
# limit: 20

import re
from pathlib import Path

from lib.firewall import NftList, connects, drops
from lib.netns import run
from lib.scenario import USER, listed, mail_host, ordinary

IMUXSOCK = 'SysSock.UsePIDFromSystem="on" SysSock.Annotate="on" SysSock.ParseTrusted="on"'
README = 'mail.err action(type="omsmtpblock")\n'
# The example, with each parameter that had a default.
EXAMPLE = """mail.err action(type="omsmtpblock"
    backend="recent" list="spammer" list6="spammer6" listSize="65536" ports="25" trigger="dnsbl"
    replyPattern="^511 " threshold="1" window="600" banTime="600" ipv4Prefix="32" ipv6Prefix="128"
    terminate="on" terminate.delay="200" terminate.signal="TERM" terminate.killAfter="2000"
    terminate.reset="on" connect.reply="on" verify="child" courierUser="courier"
    maxBlocks="10000" maxBlocks.interval="60" dryRun="off" input="courier")
"""
GUESSED_PASSWORDS = """mail.err  action(type="omsmtpblock" backend="nftables")
mail.info action(type="omsmtpblock" backend="nftables" trigger="auth" threshold="5" window="300"
                 banTime="3600" ports=["25", "465", "587"] list="guesser" list6="guesser6"
                 allow=["192.0.2.0/24"])
"""
RULES = """
iptables  -I INPUT -p tcp --dport 25 -m recent --name spammer  --update --seconds 600 -j DROP
ip6tables -I INPUT -p tcp --dport 25 -m recent --name spammer6 --update --seconds 600 -j DROP
"""
RULES_OF_2009 = """
iptables -N SPAMMER
iptables -A SPAMMER -m recent --name spammer --update --seconds 600 -j DROP
iptables -A INPUT -p tcp --dport 25 -j SPAMMER
"""
CONFIRMED = 'mail.err action(type="omsmtpblock" early="on" pressure="50")\n'

NAMES_DEFAULTS = "these are the defaults after 0.1.0"
NAMES_PREFIX = "ipv6Prefix is not set"
SOURCES = Path(__file__).resolve().parents[2]


def changed_defaults():
    """The parameters that are new or have another default, by the quoted example."""
    rows = re.findall(r'^\t\{ "([\w.]+)", SETTINGS_\w+, ("[^"]*"|NULL)',
                      (SOURCES / "src/policy/settings.c").read_text(encoding="utf-8"), re.M)
    before = dict(re.findall(r'([\w.]+)=("[^"]*")', EXAMPLE))
    optional = {"allow", "allowFile", "template", "eventRuleset", "statsName"}
    return {name for name, default in rows
            if before.get(name) != default and name not in optional}


def news(points, _host):
    text = (SOURCES / "NEWS").read_text(encoding="utf-8")
    section = re.search(r"^Changed defaults:\n(.*?)^\w[^\n]*:\n", text, re.M | re.S).group(1)
    points.equal(changed_defaults(), {"early", "pressure", "ipv6Prefix", "blockBehindProxy"},
                 "the changed defaults")
    for name in sorted(changed_defaults()):
        points.ok(re.search(rf"^- {re.escape(name)}\b", section, re.M), f"NEWS has {name}")


def names_no_defaults(points, host):
    host.rsyslog.counters()     # what the module logged before these is in the log now
    points.equal(host.rsyslog.logged(NAMES_DEFAULTS), [], "no default is named")


def two_lines_of_readme(points, host):
    """Where courier logs the refusal at once the line counts, otherwise the session ends before."""
    host.restart(README)
    for source in (listed(1), listed(1, 6)):
        _, child = host.rejects(source, port=587)
        host.blocks(source)
        host.ends(child)
        host.drops(source)
    names_no_defaults(points, host)
    for source in (listed(2), listed(2, 6)):
        host.block(source)
    host.logs_once(NAMES_DEFAULTS)
    points.equal(host.list6.addresses(), {listed(1, 6), listed(2, 6)},
                 "single addresses of IPv6, as a rule without --mask needs it")
    points.ok(connects(host.network, ordinary(1, 6)), "others in the /64 get through")


def every_parameter(points, host):
    host.restart(EXAMPLE)
    for source in (listed(3), listed(3, 6)):
        host.block(source)
    points.equal(host.list6.addresses(), {listed(3, 6)}, "the single address of IPv6")
    host.logs_once(NAMES_DEFAULTS)


def new_defaults_confirmed(points, host):
    host.restart(CONFIRMED)
    host.block(listed(4))
    points.equal(host.rsyslog.counters().get("early.refused"), 1, "before courier's line")
    names_no_defaults(points, host)


def rules_of_2009(_points, host):
    """There is no list for IPv6: the session ends, and that is all."""
    run("iptables", "-F")
    run("ip6tables", "-F")
    types(RULES_OF_2009)
    host.restart(README)
    host.block(listed(5))
    _, child = host.rejects(listed(5, 6))
    host.ends(child)
    host.frees_slot(listed(5, 6))
    host.logs_once("spammer6")
    run("iptables", "-F")


def blocks_in_a_table(points, host):
    """The set of IPv6 is replaced, since its default changed. What it has remains blocked."""
    host.restart(GUESSED_PASSWORDS.replace("nftables", 'nftables" ipv6Prefix="128'))
    spammer = NftList(6)
    host.rejects(listed(6, 6))
    points.until(lambda: spammer.addresses() == {listed(6, 6)}, 3, "as 0.1.0 blocked it",
                 spammer.addresses)
    host.rsyslog.counters()
    points.equal(host.rsyslog.logged(NAMES_PREFIX), [], "no default is named")
    host.restart(GUESSED_PASSWORDS)
    points.equal(spammer.addresses(), {"fd00:9::"}, "its /64 is blocked after the upgrade")
    points.ok(drops(spammer, host.network, listed(6, 6)), "its packets are dropped")
    for number in (7, 8):
        _, child = host.rejects(listed(number, 6), port=587)
        host.ends(child)
    host.logs_once(NAMES_PREFIX)


def guessed_passwords(points, host):
    """With the configuration of the part before."""
    guesser, source = NftList(4, "guesser"), ordinary(2)
    session, child = host.open(source, 587)
    for _ in range(4):
        points.equal(session.login(USER, "wrong").code, 535, "a wrong password")
    host.spares(source, pids=[child.pid])
    session.login(USER, "wrong")
    points.until(lambda: guesser.addresses() == {source}, 3, "the fifth one blocks",
                 guesser.addresses)
    host.ends(child)
    points.ok(drops(guesser, host.network, source, 587), "its packets are dropped")
    spammer = NftList(4)
    _, child = host.rejects(listed(7))
    points.until(lambda: spammer.addresses() == {listed(7)}, 3, "the other action blocks, too",
                 spammer.addresses)
    host.ends(child)


def types(lines):
    """As an admin."""
    for line in lines.strip().splitlines():
        run(*line.split())


def scenario(points):
    with mail_host(points, README, imuxsock=IMUXSOCK, ports=(25, 587),
                   port_variables={25: {"TARPIT": "1"}}) as host:
        host.list4.remove()
        host.list6.remove()
        types(RULES)
        host.parts(news, two_lines_of_readme, every_parameter, new_defaults_confirmed,
                   rules_of_2009, blocks_in_a_table, guessed_passwords)
