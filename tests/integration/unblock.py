# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Addresses that were unblocked by hand stay so when the firewall is reloaded: with smtpblockctl
del and flush, and with nft. Without root's rights nothing is unblocked.
"""

# backends: both
# limit: 180

import itertools
import os
import shutil
from pathlib import Path

from lib import rsyslog
from lib.firewall import backend
from lib.netns import run
from lib.processes import as_user
from lib.rsyslog import action
from lib.scenario import mail_host, reject_line
from lib.wait import wait_for

DIRECTORY = Path("/run/omsmtpblock/unblock")
RULES = action(verify="none", terminate="off")
numbers = itertools.count(1)


def sources(count, family=4):
    """Addresses that were never blocked before."""
    return [f"10.9.4.{next(numbers)}" if family == 4 else f"fd00:9::4:{next(numbers):x}"
            for _ in range(count)]


def offend(host, *addresses):
    """Lines from another host: the module is configured to believe them."""
    for address in addresses:
        rsyslog.log(reject_line(address))
    host.blocks(*addresses)


def unblock(points, host, *words, **options):
    result = host.ctl(*words, **options)
    points.equal((result.status, result.err), (0, ""), f"{' '.join(words)} works")


def reload_firewall(host):
    """Both lists are lost; there are new, empty ones. The module notices at its next block."""
    for each in (host.list4, host.list6):
        each.remove()
    for each in (host.list4, host.list6):
        each.install()


def stays_off(points, host, gone, back=()):
    """After a reload the blocks that were not lifted return, and only these. Two blocks for each
    family: with the first the module notices the reload, and then it writes what it remembers."""
    reload_firewall(host)
    for each in (sources(1) + sources(1, 6), sources(1) + sources(1, 6)):
        offend(host, *each)
        back = [*back, *each]
    host.blocks(*back, deadline=8)
    points.equal([address for address in gone if host.is_blocked(address)], [],
                 "what was unblocked stays so")


def deleted(points, host):
    gone, kept = sources(2) + sources(1, 6), sources(1) + sources(1, 6)
    offend(host, *gone, *kept)
    unblock(points, host, "del", *gone)
    stays_off(points, host, gone, kept)
    offend(host, gone[0])
    stays_off(points, host, gone[1:], [gone[0], *kept])


def reloaded_before(points, host):
    """The list is lost, and back, when the address is unblocked."""
    gone, kept = sources(1), sources(1)
    offend(host, *gone, *kept)
    reload_firewall(host)
    host.blocks(*gone, *kept, deadline=8)
    unblock(points, host, "del", *gone)
    stays_off(points, host, gone, kept)


def flushed(points, host):
    gone = sources(2) + sources(2, 6)
    offend(host, *gone)
    unblock(points, host, "flush")
    stays_off(points, host, gone)
    offend(host, *gone)


def several_actions(points, host):
    """Two with the same list, and one with another: each forgets what was on its list."""
    other = {"list": "other", "list6": "other6", "verify": "none", "terminate": "off"}
    if backend() == "recent":
        for program, name in (("iptables", "other"), ("ip6tables", "other6")):
            run(program, "-w", "-A", "INPUT", "-p", "tcp", "--dport", 26, "-m", "recent",
                "--name", name, "--update", "--seconds", 600, "-j", "DROP")
    host.restart(RULES + RULES + action(**other))
    gone, kept = sources(1), sources(1)
    offend(host, *gone, *kept)
    result = host.ctl("del", *gone)
    points.equal((result.err, result.out.count("\n")), ("", 2), "it is removed from two lists")
    stays_off(points, host, gone, kept)
    listed = {entry["address"] for entry in
              host.ctl("--json", "list", "--list", "other").json()["blocks"]}
    points.ok(kept[0] in listed and gone[0] not in listed, "nor is it on the other list", listed)
    host.restart(RULES)


def without_rights(points, host):
    """Neither with smtpblockctl, nor with files, nor with a log line."""
    kept = sources(2)
    offend(host, *kept)
    nobody = as_user("nobody")
    points.equal(host.ctl("del", kept[0], prefix=nobody).status, 1, "del fails")
    request = f"1 0 {backend()} spammer {kept[0]}\n"
    for words in (["touch", DIRECTORY / "requests"], ["touch", DIRECTORY / "x"],
                  ["mv", DIRECTORY, "/tmp/moved"], ["mkdir", DIRECTORY / "y"],
                  ["sh", "-c", f"echo '{request}' >{DIRECTORY}/requests"]):
        try:
            run(*nobody, *words)
            points.ok(False, f"{words[0]} is refused")
        except RuntimeError:
            pass
    rsyslog.log(f"omsmtpblock: {request}", tag="smtpblockctl")
    stays_off(points, host, [], kept)


def removed_with_nft(points, host):
    table = host.list4.TABLE.split()
    gone, kept = sources(2), sources(1)
    offend(host, *gone, *kept)
    run("nft", "delete", "element", *table, "spammer", "{", f"{gone[0]},", gone[1], "}")
    stays_off(points, host, gone, kept)
    flushed_now = kept + sources(1)
    offend(host, *flushed_now[1:])
    run("nft", "flush", "set", *table, "spammer")
    stays_off(points, host, gone + flushed_now)
    again = sources(1)
    offend(host, *again)
    unblock(points, host, "add", *again)
    stays_off(points, host, gone, again)


def directory_is_lost(points, host):
    """It is made again, by the module or by smtpblockctl. Then the module may take a while to
    notice, and smtpblockctl says that it is not watched."""
    for directory in (DIRECTORY, DIRECTORY.parent):
        gone, kept = sources(1), sources(1)
        offend(host, *gone, *kept)
        before = host.rsyslog.counters().get("unblocked", 0)
        shutil.rmtree(directory, ignore_errors=True)
        points.equal(host.ctl("del", *gone).status, 0, "del works")
        wait_for(lambda: host.rsyslog.counters().get("unblocked", 0) > before, 15,
                 "the module to know")
        stays_off(points, host, gone, kept)


def cannot_be_told(points, host):
    """One message; the address is removed all the same."""
    gone = sources(3)
    offend(host, *gone)
    run("mount", "-o", "remount,ro", "/run")
    result = host.ctl("del", gone[0])
    run("mount", "-o", "remount,rw", "/run")
    points.ok(result.status == 0 and "Read-only file system" in result.err
              and result.err.count("\n") == 1, "on a read-only file system", result)
    os.rename(DIRECTORY, "/run/elsewhere")
    DIRECTORY.symlink_to("/run/elsewhere")
    result = host.ctl("del", gone[1])
    points.ok(result.status == 0 and str(DIRECTORY) in result.err
              and result.err.count("\n") == 1, "behind a symbolic link", result)
    DIRECTORY.unlink()
    os.rename("/run/elsewhere", DIRECTORY)
    DIRECTORY.chmod(0o777)
    result = host.ctl("del", gone[2])
    points.ok(result.status == 0 and str(DIRECTORY) in result.err
              and result.err.count("\n") == 1, "with write permission for all", result)
    points.equal([address for address in gone if host.is_blocked(address)], [], "all are removed")
    DIRECTORY.chmod(0o755)


def sees_another_run(points, host):
    """One message; and rsyslogd logs another one. Without rsyslogd there is none."""
    hidden = ("unshare", "--mount", "sh", "-c", "mount -t tmpfs -o mode=0755 tmpfs /run && "
              "mount -o remount,ro /run && exec \"$@\"", "sh")
    host.restart(RULES, prefix=hidden)
    gone = sources(2)
    offend(host, *gone)
    result = host.ctl("del", gone[0])
    points.ok(result.status == 0 and "rsyslogd does not watch" in result.err
              and result.err.count("\n") == 1, "smtpblockctl tells that it is not watched", result)
    host.logs_once(f"omsmtpblock: .*{DIRECTORY} cannot be watched")
    host.rsyslog.stop()
    unblock(points, host, "del", gone[1])
    host.rsyslog.start()


def another_user(points, host):
    """rsyslogd gives root's rights up; the directory exists already."""
    host.rsyslog.workdir.chmod(0o777)
    for path in host.rsyslog.workdir.iterdir():
        shutil.chown(path, "nobody", "nogroup")
    shutil.rmtree(DIRECTORY.parent, ignore_errors=True)
    host.restart(RULES, settings="$PrivDropToUser nobody\n$PrivDropToGroup nogroup\n",
                 module='keepCapabilities="on"')
    wait_for(DIRECTORY.exists, 3, "the directory")
    gone, kept = sources(1), sources(1)
    offend(host, *gone, *kept)
    unblock(points, host, "del", *gone)
    stays_off(points, host, gone, kept)
    points.equal(host.rsyslog.logged("omsmtpblock:.*unblock"), [], "nothing is logged")


def scenario(points):
    with mail_host(points, RULES) as host:
        host.parts(deleted, reloaded_before, flushed, several_actions, without_rights,
                   *([removed_with_nft] if backend() == "nftables" else []), directory_is_lost,
                   cannot_be_told, sees_another_run, another_user)
