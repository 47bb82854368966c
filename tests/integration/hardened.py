#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""rsyslogd in a hardened unit: with the shipped drop-in everything works. Without it the
permitted part works and rsyslogd survives.

Debian 13's unit removes CAP_KILL, CAP_SYS_PTRACE and netlink, and its system call filter
terminates rsyslogd for any call outside @system-service. Each restriction is set here as
systemd sets it, on the distribution's rsyslogd. Then $PrivDropToUser, with
keepCapabilities, and MemoryDenyWriteExecute.
"""

import itertools
import re
import shutil
import sys
from pathlib import Path

from lib import confine, processes, tap
from lib.rsyslog import action
from lib.scenario import NOBODY, Neighbour, block, listed, mail_host
from lib.wait import stays

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


def restart(host, *, settings="", rules=None, prefix=(), module=""):
    host.rsyslog.stop()
    host.rsyslog.own_log.unlink(missing_ok=True)
    (host.rsyslog.workdir / "stderr").unlink(missing_ok=True)
    host.rsyslog.settings = settings
    host.rsyslog.rules = action() if rules is None else rules
    host.rsyslog.module = module
    host.rsyslog.start(prefix=prefix)


def all_works(points, host, label, numbers):
    """Blocked, terminated, reset; the module logs no complaint."""
    neighbour = Neighbour(host)
    for family in (4, 6):
        block(points, host, listed(next(numbers), family), f"{label}, IPv{family}")
    neighbour.session.close()
    points.equal(complaints(host), [], f"{label}: no complaints")


def complaints(host):
    messages = host.rsyslog.logged(r"^(warning|err) .*omsmtpblock:|error during")
    return [line for line in messages if "warning during parsing" not in line]


def logged_once(points, host, label, *patterns):
    for pattern in patterns:
        points.until(lambda p=pattern: host.rsyslog.logged(p), 5,
                     f"{label}: at the start it logs {pattern!r}", host.rsyslog.own)
        points.equal(len(host.rsyslog.logged(pattern)), 1, f"{label}: once: {pattern!r}")


def reject(points, host, label, source):
    """A listed client gets its 511. Returns its smtpd, which may live."""
    session, child = host.open(source)
    points.equal(session.recipient(NOBODY).code, 511, f"{label}: the client sees its 511")
    points.until(lambda: any(f"relay=::ffff:{source}," in line for line in host.rsyslog.mail()),
                 5, f"{label}: the mail log has the line")
    return session, child


def debian_13_without_drop_in(points, host, numbers):
    label = "Debian 13's unit"
    restart(host, prefix=unit_as_shipped())
    logged_once(points, host, label, "no permission to read .*CAP_SYS_PTRACE CAP_KILL",
              "refuses to signal .*CAP_KILL", "cannot be reset .*AF_NETLINK",
              "own addresses cannot be read.*AF_NETLINK")
    session, child = reject(points, host, label, listed(next(numbers)))
    points.ok(stays(lambda: processes.alive(child.pid), 0.6), f"{label}: the smtpd lives")
    points.ok(processes.alive(host.rsyslog.pid), f"{label}: rsyslogd lives")
    points.equal(len(complaints(host)), 4, f"{label}: and nothing more is logged")
    session.close()


def capabilities_but_the_filter(points, host, numbers):
    """With the capabilities alone, the filter does not terminate rsyslogd."""
    label = "the unit's filter, but all capabilities"
    restart(host, prefix=confine.command(calls=[CALLS], netlink=True))
    all_works(points, host, label, numbers)
    rules = action(selector="mail.info", trigger="connect")
    restart(host, rules=rules, prefix=confine.command(calls=[CALLS], netlink=True))
    source = listed(next(numbers))
    session = host.session(source)
    points.until(lambda: host.is_blocked(source), 5, f"{label}: connect blocks",
                 host.rsyslog.own)
    points.until(lambda: not host.courier.slots_of(source), 5, f"{label}: the slot is free")
    session.close()
    logged_once(points, host, label, "connect.reply: .*SystemCallFilter=pidfd_getfd")
    points.ok(processes.alive(host.rsyslog.pid), f"{label}: rsyslogd lives")


def with_drop_in(points, host, numbers):
    label = "with the drop-in"
    restart(host, prefix=unit_with_drop_in())
    all_works(points, host, label, numbers)


# Each kept capability is needed: without it there is a complaint.
NEEDED = (
    ("kill", "refuses to signal .*CAP_KILL"),
    ("sys_ptrace", "no permission to read .*CAP_SYS_PTRACE"),
    ("net_admin", "cannot be reset .*CAP_NET_ADMIN"),
    ("dac_override", "no permission to write .*spammer:"),
)


def profile_that_refuses(points, host, _numbers):
    """What is refused despite the capabilities is logged before the first line."""
    label = "all capabilities, and a profile"
    if not confine.can_hide_processes():
        points.skip(label, "a kernel with Landlock")
        return
    restart(host, prefix=confine.command(processes=False))
    logged_once(points, host, label, "no permission to read .*AppArmor or SELinux is in the way")
    points.ok({"sys_ptrace", "kill"} <= processes.capabilities(host.rsyslog.pid),
              f"{label}: it has the capabilities")


def dropped_and_unproven(points, host, numbers, drop):
    """The line alone is proof, but terminating the smtpd needs capabilities."""
    rules = action(verify="none")
    label = "another user, keepCapabilities, verify=none"
    restart(host, settings=drop, rules=rules, module='keepCapabilities="on"')
    all_works(points, host, label, numbers)
    label = "another user, verify=none"
    restart(host, settings=drop, rules=rules)
    logged_once(points, host, label, 'no session is terminated, but addresses are still blocked: '
              '.*keepCapabilities="on"')
    points.equal(host.rsyslog.logged("nothing is blocked"), [], f"{label}: and nothing wrong")


def dropped(points, host, numbers):
    host.rsyslog.workdir.chmod(0o777)
    for path in host.rsyslog.workdir.iterdir():
        shutil.chown(path, "nobody", "nogroup")
    drop = "$PrivDropToUser nobody\n$PrivDropToGroup nogroup\n"
    label = "another user, keepCapabilities"
    restart(host, settings=drop, module='keepCapabilities="on"')
    all_works(points, host, label, numbers)
    kept = sorted(processes.capabilities(host.rsyslog.pid))
    points.equal(kept, ["dac_override", "kill", "net_admin", "sys_ptrace"],
                 f"{label}: it has only these")
    label = "another user, without it"
    restart(host, settings=drop)
    logged_once(points, host, label, 'no permission to read .*keepCapabilities="on"')
    points.equal(processes.capabilities(host.rsyslog.pid), set(), f"{label}: it has none")
    for name, pattern in NEEDED:
        label = f"another user, without {name}"
        restart(host, settings=drop, module='keepCapabilities="on"',
                prefix=("setpriv", f"--bounding-set=-{name}"))
        logged_once(points, host, label, pattern)
    dropped_and_unproven(points, host, numbers, drop)


def no_writable_code(points, host, numbers):
    label = "MemoryDenyWriteExecute"
    if not confine.can_deny_write_execute():
        points.skip(label, "a kernel with PR_SET_MDWE")
        return
    restart(host, rules=action(verify="sender"))
    points.ok(processes.writable_code(host.rsyslog.pid),
              "without it: the regex is compiled to machine code")
    restart(host, rules=action(verify="sender"), prefix=confine.command(write_execute=False))
    all_works(points, host, label, numbers)
    points.equal(processes.writable_code(host.rsyslog.pid), [], f"{label}: it is not")


PARTS = (debian_13_without_drop_in, capabilities_but_the_filter, with_drop_in,
         profile_that_refuses, no_writable_code, dropped)


def scenario(points):
    numbers = itertools.count(1)
    with mail_host() as host:
        for part in PARTS:
            with tap.part(points, part.__name__):
                part(points, host, numbers)


if __name__ == "__main__":
    sys.exit(tap.main(scenario))
