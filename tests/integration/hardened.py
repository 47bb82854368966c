# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""rsyslogd in a hardened unit: with the shipped drop-in everything works. Without it the
permitted part works and rsyslogd survives.

Each restriction of Debian 13's unit is set here as systemd sets it. Then $PrivDropToUser,
with keepCapabilities, and MemoryDenyWriteExecute.
"""

import itertools
import re
import shutil
from pathlib import Path

from lib import confine, processes
from lib.rsyslog import action
from lib.scenario import Neighbour, listed, mail_host

DROP_IN = Path(__file__).resolve().parents[2] / "packaging" / "systemd" / "omsmtpblock.conf"

# CapabilityBoundingSet= and RestrictAddressFamilies= of Debian 13's rsyslog.service.
UNIT_CAPABILITIES = ("block_suspend", "chown", "dac_override", "lease", "net_admin",
                     "net_bind_service", "sys_admin", "sys_resource", "syslog")
CALLS = "@system-service"


def drop_in(key):
    """The drop-in's value of a key, all of its lines together."""
    values = re.findall(rf"^{key}=(.*)$", DROP_IN.read_text(), re.M)
    return " ".join(values).split()


def bounding(names):
    return "setpriv", "--bounding-set", ",".join(["-all", *(f"+{name}" for name in names)])


def unit_as_shipped():
    return *bounding(UNIT_CAPABILITIES), *confine.command(calls=[CALLS], netlink=False)


def unit_with_drop_in():
    names = [name.removeprefix("CAP_").lower() for name in drop_in("CapabilityBoundingSet")]
    return *bounding(names), *confine.command(calls=drop_in("SystemCallFilter"),
                                              netlink="AF_NETLINK" in
                                              drop_in("RestrictAddressFamilies"))


numbers = itertools.count(1)


def restart(host, rules=None, *, settings="", module="", prefix=()):
    host.restart(rules, settings=settings, module=module, prefix=prefix)


def all_works(points, host):
    """Blocked, terminated, reset; the module logs no complaint."""
    neighbour = Neighbour(host)
    for family in (4, 6):
        host.block(listed(next(numbers), family))
    neighbour.session.close()
    points.equal(complaints(host), [], "no complaints")


def complaints(host):
    messages = host.rsyslog.logged(r"^(warning|err) .*omsmtpblock:|error during")
    return [line for line in messages if "warning during parsing" not in line]


def debian_13_without_drop_in(points, host):
    restart(host, prefix=unit_as_shipped())
    for pattern in ("no permission to read .*CAP_SYS_PTRACE CAP_KILL",
                    "refuses to signal .*CAP_KILL", "cannot be reset .*AF_NETLINK",
                    "own addresses cannot be read.*AF_NETLINK"):
        host.logs_once(pattern)
    source = listed(next(numbers))
    _, child = host.rejects(source)
    host.writes(f"relay=::ffff:{source},")
    host.spares(pids=[child.pid, host.rsyslog.pid])
    points.equal(len(complaints(host)), 4, "and nothing more is logged")


def capabilities_but_the_filter(points, host):
    """With the capabilities alone, the filter does not terminate rsyslogd."""
    restart(host, prefix=confine.command(calls=[CALLS], netlink=True))
    all_works(points, host)
    restart(host, action(selector="mail.info", trigger="connect"),
            prefix=confine.command(calls=[CALLS], netlink=True))
    source = listed(next(numbers))
    host.session(source)
    host.blocks(source, deadline=5)
    host.frees_slot(source)
    host.logs_once("the sockets of .*SystemCallFilter=pidfd_getfd")
    points.ok(processes.alive(host.rsyslog.pid), "rsyslogd lives")


def with_drop_in(points, host):
    restart(host, prefix=unit_with_drop_in())
    all_works(points, host)


# Each kept capability is needed: without it there is a complaint.
NEEDED = (
    ("kill", "refuses to signal .*CAP_KILL"),
    ("sys_ptrace", "no permission to read .*CAP_SYS_PTRACE"),
    ("net_admin", "cannot be reset .*CAP_NET_ADMIN"),
    ("dac_override", "no permission to write .*spammer:"),
)
DROP = "$PrivDropToUser nobody\n$PrivDropToGroup nogroup\n"
KEEP = 'keepCapabilities="on"'


def profile_that_refuses(points, host):
    """What is refused despite the capabilities is logged before the first line."""
    if not confine.can_hide_processes():
        points.skip("all capabilities, and a profile", "a kernel with Landlock")
        return
    restart(host, prefix=confine.command(processes=False))
    host.logs_once("no permission to read .*AppArmor or SELinux is in the way")
    points.ok({"sys_ptrace", "kill"} <= processes.capabilities(host.rsyslog.pid),
              "it has the capabilities")


def another_user(points, host):
    host.rsyslog.workdir.chmod(0o777)
    for path in host.rsyslog.workdir.iterdir():
        shutil.chown(path, "nobody", "nogroup")
    with points.label("keepCapabilities"):
        restart(host, settings=DROP, module=KEEP)
        all_works(points, host)
        points.equal(processes.capabilities(host.rsyslog.pid),
                     {"dac_override", "kill", "net_admin", "sys_ptrace"}, "it has only these")
    with points.label("without it"):
        restart(host, settings=DROP)
        host.logs_once(f"no permission to read .*{KEEP}")
        points.equal(processes.capabilities(host.rsyslog.pid), set(), "it has none")
    for name, pattern in NEEDED:
        with points.label(f"without {name}"):
            restart(host, settings=DROP, module=KEEP, prefix=("setpriv", f"--bounding-set=-{name}"))
            host.logs_once(pattern)


def another_user_unproven(points, host):
    """The line alone is proof, but terminating the smtpd needs capabilities."""
    restart(host, action(verify="none"), settings=DROP, module=KEEP)
    all_works(points, host)
    restart(host, action(verify="none"), settings=DROP)
    host.logs_once(f"no session is terminated, but addresses are still blocked: .*{KEEP}")
    points.equal(host.rsyslog.logged("nothing is blocked"), [], "and nothing wrong")


def no_writable_code(points, host):
    """MemoryDenyWriteExecute"""
    if not confine.can_deny_write_execute():
        points.skip("MemoryDenyWriteExecute", "a kernel with PR_SET_MDWE")
        return
    restart(host, action(verify="sender"))
    points.ok(processes.writable_code(host.rsyslog.pid),
              "without it: the regex is compiled to machine code")
    restart(host, action(verify="sender"), prefix=confine.command(write_execute=False))
    all_works(points, host)
    points.equal(processes.writable_code(host.rsyslog.pid), [], "with it: it is not")


def scenario(points):
    with mail_host(points) as host:
        host.parts(debian_13_without_drop_in, capabilities_but_the_filter, with_drop_in,
                   profile_that_refuses, no_writable_code, another_user, another_user_unproven)
