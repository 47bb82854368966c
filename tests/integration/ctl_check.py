#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""smtpblockctl check on a real mail host. A healthy host shows nothing broken. Then one
thing after the other is broken: its line reports it, and the command it prints fixes it."""

# limit: 120

import contextlib
import os
import shlex
import time
from pathlib import Path

from lib import tap
from lib.ctl import ctl
from lib.netns import run
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import mail_host

ESMTPD = Path("/etc/courier/esmtpd")
SLOTS = 80  # fewer than the kernel's list has room for by default


def check(host, prefix=()):
    """(the result, its lines as (status, check, why, type))"""
    result = ctl("--json", "check", config=host.rsyslog.config, prefix=prefix)
    return result, [(o["status"], o["check"], o["why"], o["type"]) for o in result.json()]


def find(lines, status, name, words=""):
    return [line for line in lines if line[0] == status and line[1] == name and words in line[2]]


def reports(points, host, label, status, name, words="", *, prefix=()):
    """The line is there once, with the right exit status. Returns the command it prints."""
    result, lines = check(host, prefix)
    found = find(lines, status, name, words)
    points.equal(len(found), 1, f"{label}: {status} {name}") or points.note(result)
    broken = any(line[0] == "broken" for line in lines)
    points.equal(result.status, int(broken), f"{label}: exit status")
    return found[0][3] if found else None


def nothing_broken(points, host, label):
    result, lines = check(host)
    points.equal((result.status, [line for line in lines if line[0] == "broken"]), (0, []),
                 f"{label}: nothing is broken")


def restart(host, *, imuxsock=None, rules=None, settings="", prefix=()):
    host.rsyslog.stop()
    old = host.rsyslog.imuxsock, host.rsyslog.rules
    host.rsyslog.imuxsock = old[0] if imuxsock is None else imuxsock
    host.rsyslog.rules = old[1] if rules is None else rules
    host.rsyslog.settings = settings
    host.rsyslog.start(prefix=prefix)
    return old


@contextlib.contextmanager
def restarted(host, **changes):
    """rsyslogd with a wrong setting, and back."""
    imuxsock, rules = restart(host, **changes)
    try:
        yield
    finally:
        restart(host, imuxsock=imuxsock, rules=rules)


@contextlib.contextmanager
def esmtpd(*lines):
    """More settings in courier's file."""
    before, times = ESMTPD.read_text(), ESMTPD.stat()
    ESMTPD.write_text(before + "".join(f"{line}\n" for line in lines))
    try:
        yield
    finally:
        ESMTPD.write_text(before)
        os.utime(ESMTPD, (times.st_atime, times.st_mtime))


def rules(points, host):
    with tap.part(points, "no rule"):
        host.list4.remove()
        command = reports(points, host, "no rule", "broken", "list.ipv4", "no list spammer")
        ctl(*shlex.split(command)[1:], config=host.rsyslog.config)
        lines = check(host)[1]
        points.ok(find(lines, "ok", "list.ipv4") and find(lines, "ok", "rule.order.ipv4"),
                  "no rule: the printed command fixes it", lines)
        run("iptables", "-F", "INPUT")
        host.list4.install()
    with tap.part(points, "the rule behind ESTABLISHED"):
        for program, name in (("iptables", "rule.order.ipv4"), ("ip6tables", "rule.order.ipv6")):
            run(program, "-I", "INPUT", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED",
                "-j", "ACCEPT")
            command = reports(points, host, f"{program}: behind ESTABLISHED", "broken", name,
                        "RELATED,ESTABLISHED")
            run(*shlex.split(command))
            points.ok(find(check(host)[1], "ok", name), f"{program}: the printed command fixes it")
            run(program, "-D", "INPUT", "1")
            run(program, "-D", "INPUT", "1")
    with tap.part(points, "a rule accepts everything first"):
        run("iptables", "-I", "INPUT", "-p", "tcp", "--dport", "25", "-j", "ACCEPT")
        reports(points, host, "accepted first", "broken", "rule.ipv4", "accepts them")
        run("iptables", "-D", "INPUT", "1")
    nothing_broken(points, host, "rules as before")


def rsyslog(points, host):
    for label, changes, line in (
            ("credentials", {"imuxsock": CREDENTIALS},
             ("warning", "rsyslog.credentials", "any local user can stop rsyslogd's input")),
            ("a trigger that needs credentials", {"rules": action(trigger="reject")},
             ("warning", "rsyslog.credentials", "have a connected client blocked")),
            ("not parsed", {"imuxsock": 'SysSock.Annotate="on"'},
             ("broken", "rsyslog.credentials")),
            ("wrong selector", {"rules": action("mail.crit")}, ("broken", "rsyslog.reach")),
            ("discarded before", {"rules": "mail.err stop\n" + action()},
             ("broken", "rsyslog.reach")),
            ("another prefix", {"rules": action(ipv4Prefix=24)}, ("broken", "rule.mask.ipv4")),
            ("in another network namespace",
             {"prefix": ("nsenter", f"--net={host.network.world.path()}")},
             ("broken", "netns.courier")),
            ("without rights", {"prefix": ("setpriv", "--bounding-set=-kill,-net_admin")},
             ("broken", "rights.capabilities", "CAP_KILL")),
            ("rights given away", {"settings": "$PrivDropToUser syslog\n"
                                   if b"syslog:" in Path("/etc/passwd").read_bytes()
                                   else "$PrivDropToUser daemon\n"},
             ("broken", "rights.capabilities", "CAP_SYS_PTRACE"))):
        with tap.part(points, label), restarted(host, **changes):
            reports(points, host, label, *line)
    nothing_broken(points, host, "rsyslogd as before")


def running(points, host):
    with tap.part(points, "rsyslogd stopped"):
        host.rsyslog.stop()
        reports(points, host, "rsyslogd stopped", "broken", "rsyslogd.running")
        host.rsyslog.start()
    with tap.part(points, "not restarted"):
        ours = host.rsyslog.rules
        restart(host, rules="")
        host.rsyslog.rules = ours
        host.rsyslog.write_config()
        os.utime(host.rsyslog.config, (time.time() + 60,) * 2)
        reports(points, host, "not restarted", "broken", "rsyslogd.module")
        reports(points, host, "not restarted", "warning", "rsyslogd.restart")
        restart(host)


def courier(points, host):
    for label, lines, line in (
            ("-drop", ['DROP="-drop"'], ("broken", "courier.drop")),
            ("a zone without BLOCK", ['BLACKLISTS="-block=bl.lab,BLOCK2,*"'],
             ("broken", "courier.blacklists")),
            ("a zone without a text", ['BLACKLISTS="-block=bl.lab,BLOCK"'],
             ("warning", "courier.blacklists")),
            ("list too small", ["MAXDAEMONS=300"], ("warning", "list.size")),
            ("tarpit", ["TARPIT=1"], ("warning", "courier.tarpit")),
            ("dialog", ["ESMTP_LOG_DIALOG=1"], ("warning", "courier.dialog"))):
        with tap.part(points, label), esmtpd(*lines):
            reports(points, host, label, *line)


def nftables(points, host):
    with tap.part(points, "nftables"), \
            restarted(host, rules=action(backend="nftables", list="nft4", list6="nft6")):
        points.until(lambda: find(check(host)[1], "ok", "list.ipv4", "nft4"), 5,
                     "nftables: the set is there")
        nothing_broken(points, host, "nftables")
        host.rsyslog.stop()
        run("nft", "delete", "table", "inet", "omsmtpblock")
        reports(points, host, "nftables without its table", "broken", "list.ipv6", "no table")
        host.rsyslog.start()


def anybody(points, host):
    """Without root check sees less, and reports nothing wrong."""
    with tap.part(points, "as nobody"):
        result, lines = check(host, ("setpriv", "--reuid=65534", "--regid=65534",
                                     "--clear-groups"))
        unsure = [line for line in lines if line[0] == "warning" and "cannot tell" in line[2]]
        points.ok(unsure and not result.err, "as nobody: what cannot be checked is a warning",
                  result)
        points.ok(not [line for line in lines if line[0] == "broken"],
                  "as nobody: nothing sound is reported as broken", result)


def scenario(points):
    with mail_host(imuxsock="", maxdaemons=SLOTS) as host:
        text = ctl("check", config=host.rsyslog.config)
        points.equal((text.status, text.err), (0, ""), "a healthy host: exit status 0")
        points.ok(not [line for line in text.out.splitlines() if line.startswith("broken")],
                  "a healthy host: nothing is broken", text)
        points.ok(find(check(host)[1], "ok", "rsyslog.credentials"),
                  "a healthy host: it needs no sender's credentials", text)
        rules(points, host)
        rsyslog(points, host)
        running(points, host)
        courier(points, host)
        nftables(points, host)
        anybody(points, host)
        nothing_broken(points, host, "in the end")


tap.main(scenario)
