# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""smtpblockctl check on a real mail host. A healthy host shows nothing broken. Then one
thing after the other is broken: its line reports it, and the command it prints fixes it."""

# limit: 120

import contextlib
import os
import shlex
import time
from pathlib import Path

from lib.netns import run
from lib.processes import as_user
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import mail_host

ESMTPD = Path("/etc/courier/esmtpd")
SLOTS = 80  # fewer than the kernel's list has room for by default


def check(host, prefix=()):
    """(the result, its lines as (status, check, why, type))"""
    result = host.ctl("--json", "check", prefix=prefix)
    return result, [(o["status"], o["check"], o["why"], o["type"]) for o in result.json()]


def find(host, status, name, words=""):
    return [line for line in check(host)[1] if line[:2] == (status, name) and words in line[2]]


def reports(points, host, status, name, words=""):
    """The line is there once, with the right exit status. Returns the command it prints."""
    result, lines = check(host)
    found = [line for line in lines if line[:2] == (status, name) and words in line[2]]
    points.equal(len(found), 1, f"{status} {name}", result)
    broken = any(line[0] == "broken" for line in lines)
    points.equal(result.status, int(broken), f"{name}: exit status")
    return found[0][3] if found else None


def nothing_broken(points, host, when):
    result, lines = check(host)
    points.equal((result.status, [line for line in lines if line[0] == "broken"]), (0, []),
                 f"nothing is broken {when}")


@contextlib.contextmanager
def restarted(host, rules=None, **changes):
    """rsyslogd with a wrong setting, and back."""
    daemon = host.rsyslog
    ours, before = daemon.rules, {name: getattr(daemon, name) for name in ("imuxsock", "settings")}
    host.restart(ours if rules is None else rules, **changes)
    try:
        yield
    finally:
        host.restart(ours, **before)


@contextlib.contextmanager
def esmtpd(setting):
    """One more setting in courier's file."""
    before, times = ESMTPD.read_text(), ESMTPD.stat()
    ESMTPD.write_text(f"{before}{setting}\n")
    try:
        yield
    finally:
        ESMTPD.write_text(before)
        os.utime(ESMTPD, (times.st_atime, times.st_mtime))


def rules(points, host):
    with host.part("no rule"):
        host.list4.remove()
        command = reports(points, host, "broken", "list.ipv4", "no list spammer")
        host.ctl(*shlex.split(command)[1:])
        points.ok(find(host, "ok", "list.ipv4") and find(host, "ok", "rule.order.ipv4"),
                  "the printed command fixes it")
        run("iptables", "-F", "INPUT")
        host.list4.install()
    for program, name in (("iptables", "rule.order.ipv4"), ("ip6tables", "rule.order.ipv6")):
        with host.part(f"{program}, the rule behind ESTABLISHED"):
            run(program, "-I", "INPUT", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED",
                "-j", "ACCEPT")
            run(*shlex.split(reports(points, host, "broken", name, "RELATED,ESTABLISHED")))
            points.ok(find(host, "ok", name), "the printed command fixes it")
            run(program, "-D", "INPUT", "1")
            run(program, "-D", "INPUT", "1")
    with host.part("a rule accepts everything first"):
        run("iptables", "-I", "INPUT", "-p", "tcp", "--dport", "25", "-j", "ACCEPT")
        reports(points, host, "broken", "rule.ipv4", "accepts them")
        run("iptables", "-D", "INPUT", "1")
    nothing_broken(points, host, "with rules as before")


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
        with host.part(label), restarted(host, **changes):
            reports(points, host, *line)
    nothing_broken(points, host, "with rsyslogd as before")


def running(points, host):
    with host.part("rsyslogd stopped"):
        host.rsyslog.stop()
        reports(points, host, "broken", "rsyslogd.running")
        host.rsyslog.start()
    with host.part("not restarted"):
        ours = host.rsyslog.rules
        host.restart("")
        host.rsyslog.rules = ours
        host.rsyslog.write_config()
        os.utime(host.rsyslog.config, (time.time() + 60,) * 2)
        reports(points, host, "broken", "rsyslogd.module")
        reports(points, host, "warning", "rsyslogd.restart")
        host.restart(ours)


def courier(points, host):
    for label, setting, line in (
            ("-drop", 'DROP="-drop"', ("broken", "courier.drop")),
            ("a zone without BLOCK", 'BLACKLISTS="-block=bl.lab,BLOCK2,*"',
             ("broken", "courier.blacklists")),
            ("a zone without a text", 'BLACKLISTS="-block=bl.lab,BLOCK"',
             ("broken", "courier.blacklists", "rejects nobody")),
            ("list too small", "MAXDAEMONS=300", ("warning", "list.size")),
            ("tarpit", "TARPIT=1", ("ok", "courier.tarpit", "end before")),
            ("dialog", "ESMTP_LOG_DIALOG=1", ("warning", "courier.dialog"))):
        with host.part(label), esmtpd(setting):
            reports(points, host, *line)


def nftables(points, host):
    with restarted(host, action(backend="nftables", list="nft4", list6="nft6")):
        points.until(lambda: find(host, "ok", "list.ipv4", "nft4"), 5, "the set is there")
        nothing_broken(points, host, "with it")
        host.rsyslog.stop()
        run("nft", "delete", "table", "inet", "omsmtpblock")
        reports(points, host, "broken", "list.ipv6", "no table")
        host.rsyslog.start()


def as_nobody(points, host):
    """Without root check sees less, and reports nothing wrong."""
    result, lines = check(host, as_user("nobody"))
    unsure = [line for line in lines if line[0] == "warning" and "cannot tell" in line[2]]
    points.ok(unsure and not result.err, "what cannot be checked is a warning", result)
    points.ok(not [line for line in lines if line[0] == "broken"],
              "nothing sound is reported as broken", result)


def healthy(points, host):
    text = host.ctl("check")
    points.ok((text.status, text.err) == (0, "") and not [
        line for line in text.out.splitlines() if line.startswith("broken")],
        "nothing is broken, exit status 0", text)
    points.ok(find(host, "ok", "rsyslog.credentials"), "it needs no sender's credentials", text)


def scenario(points):
    with mail_host(points, imuxsock="", maxdaemons=SLOTS) as host:
        host.parts(healthy)
        rules(points, host)
        rsyslog(points, host)
        running(points, host)
        courier(points, host)
        host.parts(nftables, as_nobody)
        nothing_broken(points, host, "in the end")
