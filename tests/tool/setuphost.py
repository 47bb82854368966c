"""Hosts for the tests of smtpblockctl setup: files, and programs that are scripts.

Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""

import errno
import shutil

from host import IMUXSOCK, Host
from tooltest import point

ACTION = "etc/rsyslog.d/omsmtpblock.conf"
DROP_IN = "etc/systemd/system/rsyslog.service.d/omsmtpblock.conf"
APPARMOR = "etc/apparmor.d/rsyslog.d/omsmtpblock"
MODPROBE = "etc/modprobe.d/omsmtpblock.conf"
JOURNAL = "var/lib/omsmtpblock"
RULES = "etc/iptables/rules.v4"

INCLUDE = f'{IMUXSOCK}include(file="HOST/etc/rsyslog.d/*.conf")\n'

RUNS = "ActiveState=active\nMainPID=100\nLoadState=loaded\nNeedDaemonReload=no\n"
# systemctl show of Debian 12's unit and of Debian 13's, shortened.
FREE = RUNS + "CapabilityBoundingSet=cap_chown cap_dac_override cap_kill cap_net_admin " \
    "cap_sys_ptrace\n"
HARD = RUNS + """CapabilityBoundingSet=cap_chown cap_dac_override cap_net_admin
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallFilter=read write
"""

# The unit has its rights once the drop-in is there and was loaded; rsyslogd runs with the module
# once the action is there, unless it does not start with it.
SYSTEMCTL = """#!/bin/sh
cd HOST; echo "systemctl $*" >>log
want=units/base
[ ! -e etc/systemd/system/rsyslog.service.d/omsmtpblock.conf ] || want=units/with-drop-in
case $1 in
show)
    if [ "$2" = rsyslog.service ] && ! cmp -s $want "units/$2"; then
        sed s/Reload=no/Reload=yes/ "units/$2"
    else
        cat "units/$2"
    fi ;;
daemon-reload) cp $want units/rsyslog.service ;;
*restart)
    : >proc/100/maps
    [ -e ACTION ] || exit 0
    [ ! -e no-start ] || { echo 'Job failed' >&2; exit 1; }
    echo '7f0 r-xp 0 08:01 42 /usr/lib/rsyslog/omsmtpblock.so' >proc/100/maps ;;
esac
""".replace("ACTION", ACTION)
RSYSLOGD = """#!/bin/sh
cd HOST; echo "rsyslogd $*" >>log
[ ! -e wrong ] || { echo 'rsyslogd: wrong' >&2; exit 1; }
"""
PARSER = """#!/bin/sh
cd HOST; echo "apparmor_parser ${*%/*}" >>log
[ ! -e wrong-profile ] || { echo 'syntax error' >&2; exit 1; }
"""
# The rules of one chain, one on a line.
IPTABLES = """#!/bin/sh
cd HOST; shift; op=$1; shift 2; touch rules-${0##*/}
case $op in
-C) grep -Fqx -- "$*" rules-${0##*/} ;;
-I) [ ! -e no-rules ] && echo "$*" >>rules-${0##*/} ;;
-D) grep -Fvx -- "$*" rules-${0##*/} >new; mv new rules-${0##*/} ;;
esac
"""
SAVED = {
    "iptables-save": "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 25 -m recent "
                     "--update --seconds 600 --name spammer --mask 255.255.255.0 --rsource "
                     "-j DROP\nCOMMIT\n",
    "ip6tables-save": "*filter\n-A INPUT -m recent --update --seconds 77 --name spammer6 --mask "
                      "ffff:ffff:ffff:ffff:: --rsource -j DROP\nCOMMIT\n"}

UFW = """*filter
:ufw-before-input - [0:0]
# allow all on loopback
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
"""


class Fresh(Host):
    """A host on which nothing is set up, and no rule names a list."""

    def __enter__(self):
        super().__enter__()
        self.write("etc/rsyslog.conf", INCLUDE.replace("HOST", str(self.root)))
        self.write("etc/rsyslog.d/20-other.conf", "*.* -/var/log/syslog\n")
        self.write("etc/courier/esmtpd", "BLACKLISTS='-block=bl.example,BLOCK,*'\nTARPIT=1\n"
                   "MAXDAEMONS=300\nMAXPERC=20\n")
        shutil.rmtree(self.path("proc/net/xt_recent"))
        self.write("proc/100/maps", "")
        self.write("sys/module/xt_recent/initstate", "live\n")
        self.unit(FREE)
        self.write("units/with-drop-in", FREE)
        self.write("units/firewalld.service", "ActiveState=inactive\n")
        for directory in ("run/systemd/system", "etc/systemd/system", "etc/modprobe.d", "var/lib"):
            self.path(directory).mkdir(parents=True)
        for name, text in {"systemctl": SYSTEMCTL, "rsyslogd": RSYSLOGD, "iptables": IPTABLES,
                           "ip6tables": IPTABLES, "apparmor_parser": PARSER}.items():
            self.script(name, text)
        return self

    def script(self, name, text):
        self.write(f"sbin/{name}", text.replace("HOST", str(self.root)))
        self.path(f"sbin/{name}").chmod(0o755)

    def unit(self, text):
        for name in "base", "rsyslog.service":
            self.write(f"units/{name}", text)

    def hard(self):
        self.unit(HARD)

    def lists(self, *names):
        """Rules name these lists."""
        for name in names:
            self.write(f"proc/net/xt_recent/{name}", "")
        for program, text in SAVED.items():
            self.program(program, text)

    def apparmor(self):
        self.write("proc/100/attr/current", "rsyslogd (enforce)\n")
        self.write("etc/apparmor.d/usr.sbin.rsyslogd", "include if exists <rsyslog.d>\n")

    def persistent(self, text=None):
        self.write("usr/share/netfilter-persistent/plugins.d/15-ip4tables", "")
        self.path("etc/iptables").mkdir()
        if text:
            self.write(RULES, text)
            self.path(RULES).chmod(0o640)

    def ufw(self, enabled="yes"):
        self.write("etc/ufw/ufw.conf", f"# ufw\nENABLED={enabled}\n")
        self.write("etc/ufw/before.rules", UFW)
        self.write("etc/ufw/before6.rules", UFW.replace("ufw-before", "ufw6-before"))

    def firewalld(self, text=None):
        self.write("units/firewalld.service", "ActiveState=active\n")
        self.path("etc/firewalld").mkdir()
        if text:
            self.write("etc/firewalld/direct.xml", text)

    def no_nftables(self):
        self.write("nftables", f"error {errno.EPROTONOSUPPORT}")

    def files(self):
        """What must be as before after an undo."""
        return {str(path.relative_to(self.root)):
                (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes())
                if path.is_file() else path.lstat().st_mode
                for top in ("etc", "var", "rules-iptables", "rules-ip6tables")
                for path in [self.path(top), *self.path(top).rglob("*")]
                if path.exists() and not (path.name.startswith("rules-") and
                                          not path.stat().st_size)}

    def text(self, name):
        return self.path(name).read_text() if self.path(name).exists() else None


def said(host, *words):
    status, out, err = host.run("setup", *words)
    return status, out + err


def sees(name, host, *wants, absent=(), words=(), status=0):
    """The output has all these texts."""
    got, text = said(host, *words)
    return point(got == status and all(want in text for want in wants)
                 and not any(word in text for word in absent), name, got, text)


def whole(host):
    """A host on which every kind of change is needed."""
    host.hard()
    host.apparmor()
    host.lists("spammer")
    host.no_nftables()
    host.persistent("*filter\n-A INPUT -j ACCEPT\nCOMMIT\n")


MADE = (ACTION, DROP_IN, APPARMOR, MODPROBE)


def is_set_up(host):
    return all(host.text(name) for name in MADE) and "spammer" in host.text(RULES) \
        and "omsmtpblock.so" in host.text("proc/100/maps") \
        and "--name spammer6" in (host.text("rules-ip6tables") or "")
