# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""smtpblockctl setup on a machine with the release's systemd and rsyslog: what it shows, makes and
takes back. Afterwards every file below /etc is as it was, also when a run was killed at any of its
system calls, or failed."""

# limit: 180

import os
import re
import shutil
import subprocess
from pathlib import Path

from lib.ctl import tool_path
from lib.machine import Machine, missing
from lib.netns import Network

ACTION = "/etc/rsyslog.d/omsmtpblock.conf"
DROP_IN = "/etc/systemd/system/rsyslog.service.d/omsmtpblock.conf"
JOURNAL = "/var/lib/omsmtpblock"

# Debian 13's, as in hardened.py.
UNIT = """[Service]
CapabilityBoundingSet=CAP_BLOCK_SUSPEND CAP_CHOWN CAP_DAC_OVERRIDE CAP_LEASE CAP_NET_ADMIN
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SYS_ADMIN CAP_SYS_RESOURCE CAP_SYSLOG
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallFilter=@system-service
"""

# The calls by which the tool replaces a file or starts a program. A run is killed at each of them;
# tests/tool/setup has the others.
CALLS = "renameat", "clone,clone3,vfork"


class Host:
    """The machine, and what the tool does there."""

    def __init__(self, points, machine):
        self.points, self.machine = points, machine
        moddir, = machine.root("/usr/lib").glob("*/rsyslog")
        shutil.copy(Path(os.environ["OMSMTPBLOCK_MODULE_DIR"], "omsmtpblock.so"), moddir)
        shutil.copy(tool_path(), machine.root("/usr/sbin/smtpblockctl"))
        self.etc = self.files()

    def sh(self, text):
        return self.machine.sh(text)

    def files(self):
        return self.machine.files("/etc")

    def writes(self, path, text):
        file = self.machine.root(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def reads(self, path):
        file = self.machine.root(path)
        return file.read_text() if file.exists() else None

    def pid(self):
        """rsyslogd's, 0 if it does not run."""
        return int(self.sh("systemctl show rsyslog -p MainPID --value").out)

    def has_module(self):
        maps = self.sh(f"cat /proc/{self.pid()}/maps")
        return maps.status == 0 and "/omsmtpblock.so" in maps.out

    def is_as_before(self, label):
        """Nothing is left of setup, and rsyslogd runs without the module."""
        after = self.files()
        self.points.equal([name for name in {*after, *self.etc}
                           if after.get(name) != self.etc.get(name)], [],
                          f"{label}: every file below /etc is as before")
        self.points.ok(not self.machine.root(JOURNAL).exists(), f"{label}: {JOURNAL} is gone")
        self.points.ok(self.pid() and not self.has_module(),
                       f"{label}: rsyslogd runs without the module")

    def is_set_up(self, label):
        self.points.ok(self.has_module(), f"{label}: rsyslogd runs with the module")
        self.points.equal(self.sh("rsyslogd -N1").status, 0, f"{label}: rsyslogd -N1 passes")

    def applies(self, label, *patterns, status=0):
        done = self.sh("smtpblockctl setup --apply")
        absent = [pattern for pattern in patterns if not re.search(pattern, done.out + done.err)]
        self.points.ok(done.status == status and not absent, f"{label}: setup --apply", absent,
                       done)
        return done

    def undoes(self, label):
        done = self.sh("smtpblockctl setup --undo")
        self.points.equal(done.status, 0, f"{label}: setup --undo", done)
        self.is_as_before(label)


def shown(points, host):
    done = host.sh("smtpblockctl setup")
    points.ok(done.status == 0 and f"+++ {ACTION}" in done.out
              and "+module(load=\"omsmtpblock\")" in done.out, "the change is shown", done)
    user = host.sh("setpriv --reuid=nobody --regid=nogroup --clear-groups smtpblockctl setup")
    points.ok(user.status == 0 and f"+++ {ACTION}" in user.out, "to nobody, too", user)
    user = host.sh("setpriv --reuid=nobody --regid=nogroup --clear-groups "
                   "smtpblockctl setup --apply")
    points.ok(user.status == 1 and "run this as root" in user.err, "who may not apply it", user)
    host.is_as_before("shown")


def made_once(points, host):
    host.applies("first", f"wrote {ACTION}", "-N1 accepts", "runs with the module",
                 "smtpblockctl check")
    host.is_set_up("first")
    before, pid = host.files(), host.pid()
    host.applies("again", "There is nothing to change")
    points.equal((host.files() == before, host.pid()), (True, pid),
                 "a second run changes nothing, and does not restart rsyslogd")
    host.undoes("undone")
    done = host.sh("smtpblockctl setup --undo")
    points.ok(done.status == 0 and "nothing to take back" in done.out, "a second undo", done)
    host.is_as_before("undone again")


def hardened_unit(points, host):
    """As on Debian 13, and with the module loaded by the admin."""
    host.writes("/run/systemd/system/rsyslog.service.d/hard.conf", UNIT)
    host.sh("systemctl daemon-reload && systemctl restart rsyslog")
    done = host.sh("smtpblockctl setup")
    points.ok("lacks CAP_KILL, CAP_SYS_PTRACE, AF_NETLINK, pidfd_getfd" in done.out,
              "it knows what the unit takes away", done)
    host.applies("drop-in", f"wrote {DROP_IN}")
    host.is_set_up("drop-in")
    bounds = int(host.sh(f"grep CapBnd /proc/{host.pid()}/status").out.split()[1], 16)
    points.ok(bounds >> 5 & 1 and bounds >> 19 & 1, "rsyslogd has CAP_KILL and CAP_SYS_PTRACE")
    host.applies("drop-in, again", "There is nothing to change")
    host.undoes("drop-in")
    host.machine.root("/run/systemd/system/rsyslog.service.d/hard.conf").unlink()
    host.sh("systemctl daemon-reload && systemctl restart rsyslog")


def wrong_configuration(points, host):
    """rsyslogd -N1 fails: all is put back, and nothing is restarted."""
    host.writes("/etc/rsyslog.d/wrong.conf", 'action(type="nosuch")\n')
    wrong, pid = host.files(), host.pid()
    host.applies("wrong", "nosuch", "all changes were taken back", status=1)
    points.equal((host.files() == wrong, host.pid()), (True, pid),
                 "all is put back, and rsyslogd was not restarted")
    host.machine.root("/etc/rsyslog.d/wrong.conf").unlink()
    host.is_as_before("wrong")


def does_not_start(_, host):
    """rsyslogd does not start with the changes: they are taken back, and it runs."""
    only = "/run/systemd/system/rsyslog.service.d/only.conf"
    host.writes(only, f"[Service]\nExecStartPre=/bin/sh -c '! test -e {ACTION}'\n")
    host.sh("systemctl daemon-reload")
    host.applies("no start", "all changes were taken back", status=1)
    host.is_as_before("no start")
    host.machine.root(only).unlink()
    host.sh("systemctl daemon-reload && systemctl restart rsyslog")


def changed_since(points, host):
    host.applies("changed")
    with host.machine.root(ACTION).open("a") as file:
        file.write("# mine\n")
    mine = host.reads(ACTION)
    done = host.sh("smtpblockctl setup --undo")
    points.ok(done.status == 1 and f"{ACTION} was changed" in done.err, "undo says so", done)
    points.equal(host.reads(ACTION), mine, "the changed file stays")
    host.machine.root(ACTION).unlink()
    host.undoes("changed")


def linked(points, host):
    """A link in place of the file is not followed."""
    host.machine.root(ACTION).symlink_to("/etc/passwd")
    passwd = host.reads("/etc/passwd")
    done = host.sh("smtpblockctl setup")
    points.ok("is a symbolic link" in done.out, "a symbolic link is not written", done)
    host.applies("link", status=1)
    points.equal(host.reads("/etc/passwd"), passwd, "nor what it points to")
    host.machine.root(ACTION).unlink()
    host.sh("smtpblockctl setup --undo")
    host.is_as_before("link")


def recent_list(points, host):
    """Rules of 2009 are kept, made permanent, and the lists get room."""
    plugin = "/usr/share/netfilter-persistent/plugins.d/15-ip4tables"
    host.writes(plugin, "")
    host.writes("/etc/iptables/rules.v4", "*filter\n:INPUT DROP [7:420]\n-A INPUT -m state "
                "--state ESTABLISHED -j ACCEPT\nCOMMIT\n")
    before = host.etc
    host.etc = host.files()
    rule = "INPUT -p tcp --dport 25 -m recent --name spammer --mask 255.255.255.0 --update " \
        "--seconds 77 -j DROP"
    host.sh(f"iptables -I {rule}")
    host.applies("recent", "wrote /etc/iptables/rules.v4")
    points.ok('ipv4Prefix="24" banTime="77"' in host.reads(ACTION),
              "the action follows the rule", host.reads(ACTION))
    if Path("/sys/module/xt_recent/initstate").exists():
        points.ok("tot=5000" in (host.reads("/etc/modprobe.d/omsmtpblock.conf") or ""),
                  "the lists get room")
    saved = host.reads("/etc/iptables/rules.v4")
    points.ok(saved.index("--name spammer --mask 255.255.255.0") < saved.index("ESTABLISHED"),
              "the rule for the next boot is in front", saved)
    points.equal(host.sh("iptables-restore --test </etc/iptables/rules.v4").status, 0,
                 "iptables-restore takes the file")
    points.equal(host.sh("iptables -S INPUT").out.count("spammer"), 1, "the rule is there once")
    host.undoes("recent")
    points.equal(host.sh("iptables -S INPUT").out.count("spammer"), 1, "the rule is kept")
    host.sh(f"iptables -D {rule}")
    host.machine.root("/etc/iptables/rules.v4").unlink()
    host.machine.root("/etc/iptables").rmdir()
    host.machine.root(plugin).unlink()
    host.etc = before


def kill_at(host, words, call, number):
    """Runs the tool until this call; false: it ended before that."""
    done = host.sh(f"strace -o /dev/null "
                   f"-e inject={call}:signal=KILL:when={number} {words}")
    return done.status in (137, -9)


def interrupted(points, host):
    """A run of --apply is killed at every call, then undone or made again."""
    for call in CALLS:
        number = 1
        while kill_at(host, "smtpblockctl setup --apply", call, number):
            label = f"killed at {call} {number}"
            if number % 2:
                host.applies(label)
                host.is_set_up(label)
            undo = 1 + number // 2
            if kill_at(host, "smtpblockctl setup --undo", call, undo):
                label += f", then at {call} {undo} of --undo"
            host.undoes(label)
            number += 1
        points.ok(number > 1, f"{call}: {number - 1} runs were killed")
        host.sh("smtpblockctl setup --undo")
    host.is_as_before("at the end")


def scenario(points):
    if missing():
        points.skip("smtpblockctl setup", f"a kernel with {missing()}")
        return
    with Network(), Machine() as machine:
        host = Host(points, machine)
        points.parts((shown, made_once, hardened_unit, wrong_configuration, does_not_start,
                      changed_since, linked, recent_list, interrupted), host)
