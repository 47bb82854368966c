"""A mail host in files, for the tests of smtpblockctl check and why: what the tool looks
at, written into a directory that tests/tool/driver takes for the whole host.

Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

DRIVER = pathlib.Path(os.environ.get("BUILD") or ".") / "tests/tool/driver"

BOOT, STARTED = 1_700_000_000, 1_700_000_100

# What the driver's clocks show.
HZ, UP = 250, 100_000

# The capabilities that the action needs, and those of a current kernel.
CAPABILITIES = {"DAC_OVERRIDE": 1, "KILL": 5, "NET_ADMIN": 12, "SYS_PTRACE": 19}
ALL = (1 << 41) - 1

IMUXSOCK = 'module(load="imuxsock")\n'
CREDENTIALS = ('module(load="imuxsock" SysSock.UsePIDFromSystem="on" SysSock.Annotate="on" '
               'SysSock.ParseTrusted="on")\n')

CONFIG = IMUXSOCK + '''module(load="omsmtpblock")
mail.err action(type="omsmtpblock" courierUser="root")
mail.* -/var/log/mail.log
'''

ESMTPD = '''BLACKLISTS='-block=dnsbl.mx.internal,BLOCK,*'
TARPIT=0
MAXDAEMONS=80
MAXPERIP=5
ESMTP_LOG_DIALOG=0
TCPDOPTS="-stderrlogger=/usr/sbin/courierlogger -noidentlookup"
'''

RULES = {
    4: '''*filter
:INPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 25 -m recent --update --seconds 600 --name spammer \
--mask 255.255.255.255 --rsource -j DROP
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
''',
    6: '''*filter
:INPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 25 -m recent --update --seconds 600 --name spammer6 \
--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource -j DROP
COMMIT
'''}

UNIT = '''[Service]
Type=notify
ExecStart=/usr/sbin/rsyslogd -n -iNONE
CapabilityBoundingSet=CAP_KILL CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_NET_ADMIN
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6
'''


def without(*names):
    """All capabilities except these."""
    return ALL & ~sum(1 << CAPABILITIES[name] for name in names)


class Host:
    """A healthy host; methods change it. Use as a context manager."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="host-"))

    def __enter__(self):
        self.write("etc/rsyslog.conf", CONFIG)
        self.write("etc/courier/esmtpd", ESMTPD)
        self.write("usr/lib/rsyslog/omsmtpblock.so", "")
        self.write("lib/systemd/system/rsyslog.service", UNIT)
        self.write("sys/module/xt_recent/parameters/ip_list_tot", "100\n")
        self.write("proc/stat", f"cpu  1 2 3\nbtime {BOOT}\n")
        self.write("proc/sys/kernel/osrelease", "6.1.0-13-amd64\n")
        self.write("proc/net/if_inet6",
                   "00000000000000000000000000000001 01 80 10 80       lo\n"
                   "20010db8000000000000000000000025 02 40 00 80     eth0\n")
        for name in ("spammer", "spammer6"):
            self.write(f"proc/net/xt_recent/{name}", "")
        self.namespace("self", "here")
        self.rules(4, RULES[4])
        self.rules(6, RULES[6])
        self.rsyslogd()
        self.process(200, "/usr/sbin/couriertcpd")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def path(self, name):
        return self.root / name

    def write(self, name, text, changed=BOOT):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (changed, changed))

    def remove(self, name):
        path = self.path(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    def edit(self, name, old, new):
        """Replace a text that must exist."""
        text = self.path(name).read_text()
        assert old in text, (name, old)
        self.write(name, text.replace(old, new))

    def conf(self, old, new):
        self.edit("etc/rsyslog.conf", old, new)

    def action(self, parameters):
        """Add parameters to the action."""
        self.conf('courierUser="root"', f'courierUser="root" {parameters}')

    def esmtpd(self, old, new):
        self.edit("etc/courier/esmtpd", old, new)

    def program(self, name, text, status=0):
        """Add a program that prints a text."""
        self.write(f"{name}.out", text)
        self.write(f"sbin/{name}", f"#!/bin/sh\ncat '{self.root}/{name}.out'\nexit {status}\n")
        self.path(f"sbin/{name}").chmod(0o755)

    def block(self, address, age, name="spammer"):
        """Add an address to a list, seen so many seconds ago."""
        path = f"proc/net/xt_recent/{name}"
        seen = (1 << 32) - 300 * HZ + (UP - age) * HZ
        self.write(path, self.path(path).read_text() +
                   f"src={address} ttl: 0 last_seen: {seen} oldest_pkt: 1 {seen}\n")

    def rules(self, family, text, status=0):
        self.program({4: "iptables-save", 6: "ip6tables-save"}[family], text, status)

    def namespace(self, pid, name):
        """Set the network namespace of a process: files with the same inode number are one."""
        first, link = self.path(f"namespaces/{name}"), self.path(f"proc/{pid}/ns/net")
        if not first.exists():
            self.write(f"namespaces/{name}", "")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        os.link(first, link)

    def process(self, pid, exe, *, parent=1, uid=0, started=STARTED, words="", rights=ALL,
                bounds=ALL, status=""):
        ticks = (started - BOOT) * os.sysconf("SC_CLK_TCK")
        self.write(f"proc/{pid}/stat", f"{pid} (a) b) S {parent} " + "0 " * 17 + f"{ticks} 0 0\n")
        name = exe.rsplit("/", 1)[-1][:15]
        self.write(f"proc/{pid}/status",
                   f"Name:\t{name}\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
                   f"CapEff:\t{rights:016x}\nCapBnd:\t{bounds:016x}\n{status}")
        self.write(f"proc/{pid}/cmdline", words)
        link = self.path(f"proc/{pid}/exe")
        link.unlink(missing_ok=True)
        link.symlink_to(exe)
        self.namespace(pid, "here")

    def hold(self, pid, name):
        """Make this file of the process block whoever opens it."""
        path = self.path(f"proc/{pid}/{name}")
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    def rsyslogd(self, **more):
        config = self.path("etc/rsyslog.conf")
        self.process(100, "/usr/sbin/rsyslogd", uid=os.getuid(),
                     words=f"/usr/sbin/rsyslogd\0-n\0-f\0{config}\0", **more)
        self.write("proc/100/maps", "7f0000000000-7f0000001000 r-xp 00000000 08:01 42 "
                                    "/usr/lib/rsyslog/omsmtpblock.so\n")

    def run(self, *arguments, **environment):
        """(status, stdout, stderr); the host's directory is written as HOST."""
        done = subprocess.run([DRIVER, self.root, *arguments], capture_output=True, timeout=60,
                              encoding="utf-8", errors="replace",
                              env={**os.environ, "TZ": "UTC0", **environment})
        out, err = (text.replace(str(self.root), "HOST") for text in (done.stdout, done.stderr))
        return done.returncode, out, err
