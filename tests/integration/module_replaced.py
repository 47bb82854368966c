# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The package is upgraded while rsyslogd runs: the module's file is replaced, then it is restarted.

Until the restart the old module works on, for sessions that it has pinned and others. The restart
loses no session that is open and no line that was read, and signals no process but the smtpds of
rejected clients.
"""
# backends: both
# limit: 30

import os
import shutil
from pathlib import Path

from lib import processes
from lib.attack import Chatter
from lib.ctl import tool_path
from lib.rsyslog import action, module_path
from lib.scenario import listed, mail_host, ordinary, workdir
from lib.wait import wait_for

RULES = action("mail.info")


def installed():
    """The module is loaded from a copy that may be replaced."""
    directory = workdir() / "module" / "installed"
    directory.mkdir(mode=0o755, parents=True)
    shutil.copy(module_path(), directory)
    os.environ["OMSMTPBLOCK_CTL"] = tool_path()
    os.environ["OMSMTPBLOCK_MODULE_DIR"] = str(directory)


def replace():
    """As dpkg(1): the new file gets the old one's name."""
    path = module_path()
    new = path.with_suffix(".so.dpkg-new")
    shutil.copy(path, new)
    os.rename(new, path)


def servers():
    return {process.pid for process in processes.named("courieresmtpd", "couriertcpd")}


def scenario(points):
    installed()
    with mail_host(points, RULES) as host:
        neighbour = host.open(ordinary(1))
        pinned = [host.pin(listed(number)) for number in range(1, 7)]
        replace()
        points.ok("omsmtpblock.so (deleted)" in Path(f"/proc/{host.rsyslog.pid}/maps").read_text(),
                  "rsyslogd runs with the old module")
        pinned[0][0].try_recipient()
        host.ends(pinned[0][1])
        host.block(listed(10))
        points.equal(host.ctl("del", listed(10)).err, "", "the new smtpblockctl can tell it")
        points.until(lambda: host.rsyslog.counters().get("unblocked") == 1, 5, "and it knows")
        before = servers()
        with Chatter(addresses=100) as flood:
            wait_for(lambda: flood.sent > 500, 20, "500 lines")
            pinned[1][0].try_recipient()
            host.writes("511", listed(2))
            host.rsyslog.stop()
        host.rsyslog.start()
        lines = [line for line in host.rsyslog.mail() if "to=<x@mx.lab>" in line]
        points.ok(len(lines) <= flood.sent, "no line is doubled", len(lines), flood.sent)
        points.ok("omsmtpblock.so (deleted)" not in
                  Path(f"/proc/{host.rsyslog.pid}/maps").read_text(), "the new module is loaded")
        host.ends(pinned[1][1])
        points.equal(before - servers(), {pinned[1][1].pid}, "only a rejected client's smtpd ended")
        for session, _ in pinned[2:]:
            session.try_recipient()
        host.ends(*(child for _, child in pinned[2:]))
        host.blocks(*(session.source for session, _ in pinned[2:]))
        host.serves(*neighbour)
